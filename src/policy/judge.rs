//! The decision on one target, from the rules that name it.

use std::rc::Rc;

use super::condition::Truth;
use super::rule::Effect;
use super::{Decision, Denied, Obtainable, Permit, Rule};
use crate::json::Object;
use crate::oauth::{Identity, Scopes};

/// All that a decision on one target depends on.
pub(super) struct Judge<'a> {
    pub(super) identity: &'a Identity,
    pub(super) arguments: Arguments<'a>,
    /// The rules that name the target.
    pub(super) rules: &'a [&'a Rule],
    /// The scopes that every request needs.
    pub(super) base: &'a Scopes,
    pub(super) obtainable: &'a [Obtainable],
}

/// What is known of the arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arguments<'a> {
    /// All of them.
    Given(Option<&'a Object>),
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

    const fn given(&self) -> Option<&Object> {
        match self {
            Self::Given(arguments) => *arguments,
            Self::Settled | Self::Unknown => None,
        }
    }
}

impl Judge<'_> {
    /// What the rules say, less what is audit-only.
    ///
    /// An audit-only deny rule only records. An audit-only allow rule lets
    /// pass what it names even where nothing allows it, but not what a deny
    /// rule forbids, nor a caller without the scopes of every request.
    pub(super) fn decide(&self) -> Decision {
        let strict = self.verdict(self.denying(true).next());
        let denied = match strict {
            Ok(rule) => return permit(rule, None),
            Err(denied) => denied,
        };
        let deny_rule = self.denying(false).next();
        let enforced = match self.verdict(deny_rule) {
            Ok(rule) => return permit(rule, Some(denied)),
            Err(enforced) => enforced,
        };
        let lenient = self.allowing().find(|rule| rule.audit_only);
        match lenient {
            Some(rule) if deny_rule.is_none() && self.holds_scopes(self.base) => {
                permit(rule, Some(denied))
            }
            _ => Decision::Deny(enforced),
        }
    }

    /// Order: permit, step-up to all that this call needs, step-up to what
    /// every request needs (whatever the call), and then the other reasons.
    fn verdict(&self, deny_rule: Option<&Rule>) -> Result<&Rule, Denied> {
        if deny_rule.is_none() {
            if let Some(rule) = self.allowing().find(|rule| self.allows(rule)) {
                return Ok(rule);
            }
            if let Some(denied) = self.step_up() {
                return Err(denied);
            }
        }
        if !self.holds_scopes(self.base) {
            return Err(Denied::MissingScopes {
                rule: None,
                scopes: self.base.clone(),
            });
        }
        Err(self.reason(deny_rule))
    }

    /// The smallest set of scopes with which this very call would be allowed.
    fn step_up(&self) -> Option<Denied> {
        let (missing, rule) = self
            .allowing()
            .filter(|rule| self.within_reach(rule) && self.arguments_hold(rule))
            .map(|rule| (self.missing(rule), rule))
            .min_by_key(|(missing, rule)| {
                (missing.len(), missing.to_string(), Rc::clone(&rule.id))
            })?;
        (!missing.is_empty()).then(|| Denied::MissingScopes {
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
                    self.missing(rule).len(),
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

    /// The deny rules that do not certainly fail, those without conditions on
    /// arguments first.
    fn denying(&self, with_audit_only: bool) -> impl Iterator<Item = &Rule> {
        let (plain, with_arguments): (Vec<&Rule>, Vec<&Rule>) = self
            .rules
            .iter()
            .copied()
            .filter(|rule| with_audit_only || !rule.audit_only)
            .filter(|rule| self.denies(rule))
            .partition(|rule| rule.arguments.is_empty());
        plain.into_iter().chain(with_arguments)
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

    pub(super) fn allowing(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .copied()
            .filter(|rule| rule.effect == Effect::Allow)
    }

    fn allows(&self, rule: &Rule) -> bool {
        self.holds_scopes(self.base)
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

    fn missing(&self, rule: &Rule) -> Scopes {
        rule.needed(self.base).without(self.identity.scopes())
    }

    pub(super) fn holds_scopes(&self, scopes: &Scopes) -> bool {
        self.identity.scopes().contains_all(scopes)
    }
}

fn permit(rule: &Rule, unenforced: Option<Denied>) -> Decision {
    Decision::Permit(Permit {
        rule: Some(Rc::clone(&rule.id)),
        unenforced,
    })
}
