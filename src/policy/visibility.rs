//! What a list shows: the entries of which the caller could use some.

use super::condition::Truth;
use super::glob::Token;
use super::judge::{Arguments, Judge};
use super::rule::{Effect, Named};
use super::template::Template;
use super::{Entry, Policy, Rule, overlap, uri};
use crate::mcp::call::is_callable;
use crate::oauth::Identity;

/// What one caller may see in lists.
///
/// What depends on the caller and a rule alone is found out once.
#[derive(Debug)]
pub struct Viewer<'a> {
    policy: &'a Policy,
    /// Of no rules.
    judge: Judge<'a>,
    obtainable: bool,
    /// For each rule, whether it allows something to the caller, where that
    /// was asked.
    allowed: Vec<Option<bool>>,
}

impl Policy {
    /// What this caller may see. `obtainable`: a call that would be answered
    /// with a step-up counts as one that could be permitted.
    pub fn viewer<'a>(&'a self, identity: &'a Identity, obtainable: bool) -> Viewer<'a> {
        Viewer {
            policy: self,
            judge: self.judge_of(identity, Arguments::Unknown, Named::default()),
            obtainable,
            allowed: Vec::new(),
        }
    }

    /// As [`Viewer::shows`], for one entry.
    pub fn shows(&self, identity: &Identity, entry: Entry<'_>, obtainable: bool) -> bool {
        self.viewer(identity, obtainable).shows(entry)
    }
}

impl Viewer<'_> {
    /// Whether some call of an entry of a list could be permitted to this
    /// caller: what a list may show.
    ///
    /// Conditions on arguments hide an entry only where no arguments would do.
    ///
    /// An audit-only policy shows everything.
    pub fn shows(&mut self, entry: Entry<'_>) -> bool {
        let policy = self.policy;
        if policy.audit_only {
            return true;
        }
        match entry {
            Entry::Tool(name) => is_callable(name) && self.permits(&policy.tools.naming(name)),
            Entry::Prompt(name) => is_callable(name) && self.permits(&policy.prompts.naming(name)),
            Entry::Resource(uri) => {
                !uri::is_ambiguous(uri) && self.permits(&policy.resources.naming_uri(uri))
            }
            Entry::Template(text) => {
                Template::parse(text).is_some_and(|template| self.shows_template(&template))
            }
        }
    }

    /// Whether an allow rule allows something that no deny rule denies.
    fn permits(&mut self, rules: &Named<'_>) -> bool {
        rules.numbered().any(|(number, allow)| {
            allow.effect == Effect::Allow
                && self.is_for_caller(number, allow)
                && !rules
                    .iter()
                    .any(|deny| is_enforced_denial(deny) && self.judge.bars(deny, allow))
        })
    }

    fn is_for_caller(&mut self, number: usize, rule: &Rule) -> bool {
        if let Some(Some(known)) = self.allowed.get(number) {
            return *known;
        }
        let found = self.judge.is_for_caller(rule, self.obtainable);
        if self.allowed.len() <= number {
            self.allowed.resize(self.policy.rules, None);
        }
        if let Some(known) = self.allowed.get_mut(number) {
            *known = Some(found);
        }
        found
    }

    /// Whether some URI that the template expands to could be permitted: one
    /// that an allow rule names, and that is not within what a deny rule
    /// names, or an exception.
    fn shows_template(&self, template: &Template) -> bool {
        let judge = &self.judge;
        let named = self.policy.resources.meeting(template);
        let denials: Vec<_> = named
            .iter()
            .filter(|(_, rule)| is_enforced_denial(rule))
            .collect();
        named
            .iter()
            .filter(|(_, rule)| {
                rule.effect == Effect::Allow && judge.is_for_caller(rule, self.obtainable)
            })
            .any(|(allowed, allow)| {
                let is_within = |pattern: &[Token]| {
                    template.is_within(pattern) || overlap::covers(pattern, allowed)
                };
                let mut exceptions = allow.what.except_uris.iter();
                let mut denials = denials.iter();
                !exceptions.any(|exception| is_within(&exception.tokens()))
                    && !denials.any(|(denied, deny)| {
                        judge.bars(deny, allow)
                            && is_within(denied)
                            && !deny.what.except_uris.iter().any(|exception| {
                                let exception = exception.tokens();
                                template.meets(&exception) && overlap::meet(&exception, allowed)
                            })
                    })
            })
    }
}

impl Judge<'_> {
    /// Whether an allow rule allows something to this caller, with some
    /// arguments. An audit-only one does so to everyone who has the scopes of
    /// every request.
    fn is_for_caller(&self, rule: &Rule, obtainable: bool) -> bool {
        if rule.audit_only && (obtainable || self.holds_base) {
            return true;
        }
        let who = if obtainable {
            self.within_reach(rule)
        } else {
            self.holds_base && rule.who.holds(self.identity) == Truth::Holds
        };
        who && rule.arguments_can_hold(self.identity)
    }

    /// Whether a deny rule denies everything that the allow rule allows to
    /// this caller.
    fn bars(&self, deny: &Rule, allow: &Rule) -> bool {
        // An audit-only rule allows more than it says.
        let known = if allow.audit_only {
            &[][..]
        } else {
            &allow.arguments
        };
        deny.who.holds(self.identity) != Truth::Fails
            && !deny
                .arguments
                .iter()
                .any(|condition| condition.can_fail(known, self.identity))
    }
}

fn is_enforced_denial(rule: &Rule) -> bool {
    rule.effect == Effect::Deny && !rule.audit_only
}
