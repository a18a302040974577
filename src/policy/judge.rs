//! The decision on one target, from the rules that name it.

use std::rc::Rc;

use super::condition::Truth;
use super::rule::{Effect, Named};
use super::{Decision, Denied, Obtainable, Permit, Rule};
use crate::json::Object;
use crate::oauth::{Identity, Scopes};

/// All that a decision on one target depends on.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) identity: &'a Identity,
    pub(super) arguments: Arguments<'a>,
    /// The rules that name the target.
    pub(super) rules: Named<'a>,
    /// The scopes that every request needs.
    pub(super) base: &'a Scopes,
    /// Whether the caller has them.
    pub(super) holds_base: bool,
    pub(super) obtainable: &'a [Obtainable],
}

/// What is known of the arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arguments<'a> {
    /// All of them.
    Given(Option<&'a Object<'a>>),
    /// That they suited the rules when they were judged.
    Settled,
    /// Nothing.
    Unknown,
}

impl Arguments<'_> {
    /// The conditions of a rule on them, all of them.
    fn suit(self, rule: &Rule, identity: &Identity) -> Truth {
        match self {
            Self::Given(arguments) => rule.arguments_hold(identity, arguments),
            Self::Unknown if !rule.arguments.is_empty() => Truth::Unknown,
            Self::Settled | Self::Unknown => Truth::Holds,
        }
    }

    const fn given(&self) -> Option<&Object<'_>> {
        match self {
            Self::Given(arguments) => *arguments,
            Self::Settled | Self::Unknown => None,
        }
    }
}

impl<'a> Judge<'a> {
    /// What the rules say, less what is audit-only.
    ///
    /// An audit-only deny rule only records. An audit-only allow rule lets
    /// pass what it names even where nothing allows it, but not what a deny
    /// rule forbids, nor a caller without the scopes of every request.
    pub(super) fn decide(&self) -> Decision {
        let denied = match self.verdict(self.denying(true)) {
            Ok(rule) => return permit(rule, None),
            Err(denied) => denied,
        };
        if !self.rules.iter().any(|rule| rule.audit_only) {
            return Decision::Deny(denied);
        }
        let deny_rule = self.denying(false);
        let enforced = match self.verdict(deny_rule) {
            Ok(rule) => return permit(rule, Some(denied)),
            Err(enforced) => enforced,
        };
        let lenient = self.allowing().find(|rule| rule.audit_only);
        match lenient {
            Some(rule) if deny_rule.is_none() && self.holds_base => permit(rule, Some(denied)),
            _ => Decision::Deny(enforced),
        }
    }

    /// Order: permit, step-up to all that this call needs, step-up to what
    /// every request needs (whatever the call), and then the other reasons.
    fn verdict(&self, deny_rule: Option<&Rule>) -> Result<&'a Rule, Denied> {
        if deny_rule.is_none() {
            if let Some(rule) = self.allowing().find(|rule| self.allows(rule)) {
                return Ok(rule);
            }
            if let Some(denied) = self.step_up() {
                return Err(denied);
            }
        }
        if !self.holds_base {
            return Err(Denied::MissingScopes {
                rule: None,
                scopes: self.base.clone(),
            });
        }
        Err(self.reason(deny_rule))
    }

    /// The smallest set of scopes with which this very call would be allowed.
    fn step_up(&self) -> Option<Denied> {
        let rule = self
            .allowing()
            .filter(|rule| self.within_reach(rule) && self.arguments_hold(rule))
            .min_by(|left, right| {
                let (one, other) = (self.missing(left), self.missing(right));
                one.count()
                    .cmp(&other.count())
                    .then_with(|| self.missing(left).cmp(self.missing(right)))
                    .then_with(|| left.id.cmp(&right.id))
            })?;
        self.missing(rule)
            .next()
            .is_some()
            .then(|| Denied::MissingScopes {
                rule: Some(Rc::clone(&rule.id)),
                scopes: rule.needed(self.base),
            })
    }

    /// The first of the reasons that applies. The arguments are the reason only
    /// where they suit no allow rule that is for this caller.
    fn reason(&self, deny_rule: Option<&Rule>) -> Denied {
        let unknown = |rule: &Rule| Denied::Unknown {
            rule: Some(Rc::clone(&rule.id)),
        };
        if let Some(rule) = deny_rule.filter(|rule| rule.arguments.is_empty()) {
            return unknown(rule);
        }
        let within_reach = self
            .allowing()
            .filter(|rule| self.within_reach(rule))
            .min_by_key(|rule| {
                (
                    !self.arguments_hold(rule),
                    self.missing(rule).count(),
                    &rule.id,
                )
            });
        match (within_reach, deny_rule) {
            (None, _) => self
                .allowing()
                .next()
                .map_or(Denied::Unknown { rule: None }, unknown),
            (Some(rule), _) if !self.arguments_hold(rule) => Denied::Argument {
                rule: Rc::clone(&rule.id),
                expectation: rule.expectation(self.identity, self.arguments.given()),
            },
            (Some(_), Some(rule)) => Denied::Rule {
                rule: Rc::clone(&rule.id),
            },
            (Some(rule), None) => unknown(rule),
        }
    }

    /// A deny rule that does not certainly fail: one without conditions on
    /// arguments, if there is one.
    fn denying(&self, with_audit_only: bool) -> Option<&'a Rule> {
        let find = |has_conditions: bool| {
            self.rules.iter().find(|rule| {
                rule.effect == Effect::Deny
                    && (with_audit_only || !rule.audit_only)
                    && rule.arguments.is_empty() != has_conditions
                    && self.denies(rule)
            })
        };
        find(false).or_else(|| find(true))
    }

    /// Whether a deny rule denies: it does unless it certainly does not hold.
    fn denies(&self, rule: &Rule) -> bool {
        rule.effect == Effect::Deny
            && rule
                .who
                .holds(self.identity)
                .and(self.arguments.suit(rule, self.identity))
                != Truth::Fails
    }

    fn allowing(&self) -> impl Iterator<Item = &'a Rule> {
        self.rules
            .iter()
            .filter(|rule| rule.effect == Effect::Allow)
    }

    fn allows(&self, rule: &Rule) -> bool {
        self.holds_base
            && rule.who.holds(self.identity) == Truth::Holds
            && self.arguments_hold(rule)
    }

    fn arguments_hold(&self, rule: &Rule) -> bool {
        self.arguments.suit(rule, self.identity) == Truth::Holds
    }

    /// Whether the rule is for this caller, with scopes that the caller has
    /// or can obtain.
    pub(super) fn within_reach(&self, rule: &Rule) -> bool {
        rule.who.holds_apart_from_scopes(self.identity) == Truth::Holds
            && rule.who.scopes.iter().all(|scope| {
                self.identity.scopes().contains(scope)
                    || self.base.contains(scope)
                    || self.obtainable.iter().any(|entry| {
                        entry.scopes.contains(scope)
                            && entry.who.holds(self.identity) == Truth::Holds
                    })
            })
    }

    /// The scopes that a call under the rule needs and the caller does not
    /// have, in order.
    fn missing<'s>(&'s self, rule: &'s Rule) -> impl Iterator<Item = &'s str> {
        self.base
            .united(&rule.who.scopes)
            .filter(|scope| !self.identity.scopes().contains(scope))
    }
}

fn permit(rule: &Rule, unenforced: Option<Denied>) -> Decision {
    Decision::Permit(Permit {
        rule: Some(Rc::clone(&rule.id)),
        unenforced,
    })
}
