//! What is to be done with a credential: the rules, without doing anything.

use super::kept::KeptGrant;
use super::types::{Reason, Rejected};
use crate::credentials::KeptCredential;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Use it.
    Use,
    /// Renew it first.
    Refresh {
        /// Because the upstream has refused it.
        rejected: bool,
        /// It is still good enough if that fails.
        usable: bool,
    },
    /// The user has to agree again.
    Consent(Reason),
    /// The upstream refuses what is fresh: a new one would be refused too.
    Revoke,
    /// No consent would bring the scopes.
    Denied,
    /// The upstream wants more than the scopes that it names: the user has to
    /// agree again, if that can bring more.
    Widen,
}

/// What a verdict depends on beside the credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// The scopes that a consent asks for; none: the provider decides.
    pub(super) obtainable: &'a [String],
    /// The scopes that the call needs.
    pub(super) required: &'a [String],
    /// What the upstream has refused.
    pub(super) rejected: Option<Rejected<'a>>,
    /// So many seconds before its end it is renewed.
    pub(super) margin: i64,
    pub(super) now: i64,
}

/// A credential that was renewed because of a refusal no longer ago than this,
/// in seconds, and is refused again, is not renewed again.
pub(super) const REJECTED_AGAIN: i64 = 300;

/// The rules, in this order.
pub(super) fn judge(kept: &KeptCredential, grant: &KeptGrant, of: Circumstances<'_>) -> Verdict {
    let Circumstances {
        obtainable,
        required,
        rejected,
        margin,
        now,
    } = of;
    if let Some(reason) = Reason::of(kept.status) {
        return Verdict::Consent(reason);
    }
    let has = |scope: &&String| !kept.credential.scopes.contains(scope);
    let missing: Vec<&String> = required.iter().filter(has).collect();
    if !missing.is_empty() {
        // Who is sent to agree to what is never asked for goes round in circles.
        let asked_for = |scope: &&String| obtainable.is_empty() || obtainable.contains(scope);
        if missing.iter().all(asked_for) {
            return Verdict::Consent(Reason::InsufficientScope);
        }
        return Verdict::Denied;
    }
    let renewable = grant.refresh_token.is_some();
    // A refusal of another version says nothing of this one.
    let rejected = rejected.filter(|it| it.version == kept.version.to_string());
    match rejected {
        Some(Rejected {
            status: 403,
            error: Some("insufficient_scope"),
            ..
        }) => return Verdict::Widen,
        Some(Rejected { status: 401, .. }) => {
            let age = now.saturating_sub(grant.obtained_at);
            let again = grant.after_rejection && age < REJECTED_AGAIN;
            if again || !renewable {
                return Verdict::Revoke;
            }
            return Verdict::Refresh {
                rejected: true,
                usable: false,
            };
        }
        _ => {}
    }
    let Some(expires_at) = kept.credential.expires_at else {
        return Verdict::Use;
    };
    let left = expires_at.saturating_sub(now);
    if left <= 0 {
        if !renewable {
            return Verdict::Consent(Reason::RefreshFailed);
        }
        return Verdict::Refresh {
            rejected: false,
            usable: false,
        };
    }
    let cooling = kept.retry_at.is_some_and(|at| at > now);
    if left > margin || !renewable || cooling {
        return Verdict::Use;
    }
    Verdict::Refresh {
        rejected: false,
        usable: true,
    }
}

/// Whether a consent that asks for these scopes can bring more than what is
/// there. Otherwise who is sent to agree comes back with the same, and is sent
/// again.
pub(super) fn brings_more(asked: &[String], kept: &KeptCredential) -> bool {
    let has = |scope: &String| kept.credential.scopes.contains(scope);
    !asked.iter().all(has)
}

/// The margin of one call: a fifth more or less by `random`, so that tokens
/// that were given at the same time are not renewed at the same time; and never
/// more than half of the token's life.
pub(super) fn margin(seconds: i64, lifetime: Option<i64>, random: u8) -> i64 {
    // 80 to 120 percent.
    let percent = i64::from(random)
        .saturating_mul(40)
        .checked_div(255)
        .unwrap_or(20)
        .saturating_add(80);
    let jittered = seconds
        .saturating_mul(percent)
        .checked_div(100)
        .unwrap_or(seconds);
    let half = lifetime.and_then(|seconds| seconds.checked_div(2));
    half.map_or(jittered, |half| jittered.min(half))
}

/// How long the filter may keep an answer.
pub(super) fn cache_seconds(most: u32, expires_at: Option<i64>, now: i64) -> u32 {
    let left = expires_at.map_or(i64::MAX, |at| at.saturating_sub(now).max(0));
    u32::try_from(left).map_or(most, |left| left.min(most))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test may fail anywhere")]

    use proptest::prelude::*;

    use super::*;
    use crate::credentials::Credential;
    use crate::grants::types::{ClientOrigin, KeptClient, KeptText};
    use crate::secret::Secret;
    use crate::storage::{Status, Version};

    const NOW: i64 = 1_790_000_000;

    fn grant() -> KeptGrant {
        let text = |text: &str| KeptText::of(&Secret::new(text)).unwrap();
        KeptGrant {
            access_token: text("at"),
            refresh_token: Some(text("rt")),
            provider: "https://as.example".to_owned(),
            client: KeptClient {
                id: "c".to_owned(),
                origin: ClientOrigin::Registered,
                secret: None,
                post: false,
            },
            resource: None,
            lifetime: Some(3600),
            obtained_at: NOW - 10,
            after_rejection: false,
        }
    }

    fn kept() -> KeptCredential {
        KeptCredential {
            credential: Credential {
                secret: Secret::new(""),
                scopes: vec!["a".to_owned(), "b".to_owned()],
                expires_at: Some(NOW + 3600),
            },
            version: Version::parse("17").unwrap(),
            status: Status::Usable,
            retry_at: None,
            last_error: None,
            refresh_begun_at: None,
        }
    }

    fn circumstances() -> Circumstances<'static> {
        Circumstances {
            obtainable: &[],
            required: &[],
            rejected: None,
            margin: 60,
            now: NOW,
        }
    }

    const fn rejected(version: &str, status: u16) -> Option<Rejected<'_>> {
        Some(Rejected {
            version,
            status,
            error: None,
        })
    }

    const LATE: Verdict = Verdict::Refresh {
        rejected: false,
        usable: false,
    };
    const EARLY: Verdict = Verdict::Refresh {
        rejected: false,
        usable: true,
    };
    const REFUSED: Verdict = Verdict::Refresh {
        rejected: true,
        usable: false,
    };

    #[test]
    fn a_token_is_renewed_within_the_margin_of_its_end() {
        for (left, with_refresh_token, without) in [
            (3600, Verdict::Use, Verdict::Use),
            (61, Verdict::Use, Verdict::Use),
            (60, EARLY, Verdict::Use),
            (1, EARLY, Verdict::Use),
            (0, LATE, Verdict::Consent(Reason::RefreshFailed)),
            (-5, LATE, Verdict::Consent(Reason::RefreshFailed)),
        ] {
            let mut kept = kept();
            kept.credential.expires_at = Some(NOW + left);
            assert_eq!(judge(&kept, &grant(), circumstances()), with_refresh_token);
            let mut grant = grant();
            grant.refresh_token = None;
            assert_eq!(judge(&kept, &grant, circumstances()), without);
        }
        let mut endless = kept();
        endless.credential.expires_at = None;
        assert_eq!(judge(&endless, &grant(), circumstances()), Verdict::Use);
    }

    #[test]
    fn after_a_failure_a_token_that_is_still_good_is_used_until_its_end() {
        let mut kept = kept();
        kept.credential.expires_at = Some(NOW + 5);
        kept.retry_at = Some(NOW + 1);
        assert_eq!(judge(&kept, &grant(), circumstances()), Verdict::Use);
        kept.retry_at = Some(NOW);
        assert_eq!(judge(&kept, &grant(), circumstances()), EARLY);
    }

    #[test]
    fn a_marked_credential_needs_consent_for_the_reason_of_the_mark() {
        for (status, reason) in [
            (Status::InvalidGrant, Reason::InvalidGrant),
            (Status::Revoked, Reason::Revoked),
            (Status::RefreshFailed, Reason::RefreshFailed),
            (Status::InsufficientScope, Reason::InsufficientScope),
        ] {
            let mut kept = kept();
            kept.status = status;
            let verdict = judge(&kept, &grant(), circumstances());
            assert_eq!(verdict, Verdict::Consent(reason));
        }
    }

    #[test]
    fn only_the_refusal_of_the_current_version_renews_it() {
        let judged = |rejected| {
            let of = Circumstances {
                rejected,
                ..circumstances()
            };
            judge(&kept(), &grant(), of)
        };
        assert_eq!(judged(rejected("17", 401)), REFUSED);
        assert_eq!(judged(rejected("16", 401)), Verdict::Use);
        assert_eq!(judged(rejected("017", 401)), Verdict::Use);
        assert_eq!(judged(rejected("17", 403)), Verdict::Use);
        assert_eq!(judged(rejected("17", 500)), Verdict::Use);
    }

    #[test]
    fn what_is_refused_again_soon_after_it_was_renewed_is_revoked() {
        let judged = |grant: &KeptGrant, age: i64| {
            let of = Circumstances {
                rejected: rejected("17", 401),
                now: grant.obtained_at + age,
                ..circumstances()
            };
            judge(&kept(), grant, of)
        };
        let renewed = KeptGrant {
            after_rejection: true,
            ..grant()
        };
        assert_eq!(judged(&renewed, 10), Verdict::Revoke);
        assert_eq!(judged(&renewed, REJECTED_AGAIN), REFUSED);
        assert_eq!(judged(&grant(), 10), REFUSED);
        let last = KeptGrant {
            refresh_token: None,
            ..grant()
        };
        assert_eq!(judged(&last, 1000), Verdict::Revoke);
    }

    #[test]
    fn missing_scopes_need_consent_if_a_consent_asks_for_them() {
        let scopes = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        for (required, obtainable, expected) in [
            (scopes(&["a"]), scopes(&["a"]), Verdict::Use),
            (
                scopes(&["a", "c"]),
                scopes(&["a", "c"]),
                Verdict::Consent(Reason::InsufficientScope),
            ),
            (
                scopes(&["c"]),
                vec![],
                Verdict::Consent(Reason::InsufficientScope),
            ),
            (scopes(&["c", "d"]), scopes(&["c"]), Verdict::Denied),
        ] {
            let of = Circumstances {
                obtainable: &obtainable,
                required: &required,
                ..circumstances()
            };
            assert_eq!(judge(&kept(), &grant(), of), expected, "{required:?}");
        }
        let of = Circumstances {
            rejected: Some(Rejected {
                version: "17",
                status: 403,
                error: Some("insufficient_scope"),
            }),
            ..circumstances()
        };
        assert_eq!(judge(&kept(), &grant(), of), Verdict::Widen);
    }

    #[test]
    fn a_consent_brings_more_if_it_asks_for_what_is_not_granted() {
        let asks = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        for (asked, more) in [
            (asks(&[]), false),
            (asks(&["a"]), false),
            (asks(&["b", "a"]), false),
            (asks(&["a", "c"]), true),
        ] {
            assert_eq!(brings_more(&asked, &kept()), more, "{asked:?}");
        }
    }

    #[test]
    fn the_margin_is_a_fifth_more_or_less_and_at_most_half_a_life() {
        assert_eq!(margin(60, None, 0), 48);
        assert_eq!(margin(60, None, 255), 72);
        assert_eq!(margin(60, Some(3600), 128), 60);
        assert_eq!(margin(60, Some(30), 128), 15);
    }

    #[test]
    fn no_answer_is_kept_longer_than_its_token_is_good() {
        assert_eq!(cache_seconds(60, None, NOW), 60);
        assert_eq!(cache_seconds(60, Some(NOW + 5), NOW), 5);
        assert_eq!(cache_seconds(60, Some(NOW - 5), NOW), 0);
        assert_eq!(cache_seconds(60, Some(i64::MAX), i64::MIN), 60);
    }

    proptest! {
        #[test]
        fn an_expired_or_refused_token_is_never_used(
            left in -100_i64..200, margin in 0_i64..100, cooling: bool, renewable: bool,
            status in prop::sample::select(vec![None, Some(401), Some(403)]),
        ) {
            let mut kept = kept();
            kept.credential.expires_at = Some(NOW.saturating_add(left));
            kept.retry_at = cooling.then_some(NOW + 10);
            let mut grant = grant();
            if !renewable { grant.refresh_token = None; }
            let of = Circumstances {
                rejected: status.and_then(|status| rejected("17", status)),
                margin,
                ..circumstances()
            };
            let verdict = judge(&kept, &grant, of);
            let good = matches!(verdict, Verdict::Use | Verdict::Refresh { usable: true, .. });
            prop_assert!(!good || (left > 0 && status != Some(401)), "{verdict:?}");
            let renews = matches!(verdict, Verdict::Refresh { .. });
            prop_assert!(!renews || renewable);
        }

        #[test]
        fn the_margin_is_within_its_bounds(seconds in 0_i64..100_000, random: u8) {
            let found = margin(seconds, None, random);
            let bounds = (seconds * 4 / 5 - 1)..=(seconds * 6 / 5);
            prop_assert!(bounds.contains(&found));
        }
    }
}
