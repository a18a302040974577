//! What a list shows: the entries of which the caller could use some.

use super::condition::Truth;
use super::glob::Token;
use super::judge::{Arguments, Judge};
use super::rule::Effect;
use super::template::Template;
use super::{Entry, Policy, Rule, overlap, uri};
use crate::mcp::call::is_callable;
use crate::oauth::Identity;

impl Policy {
    /// Whether some call of an entry of a list could be permitted to this
    /// caller: what a list may show.
    ///
    /// Conditions on arguments hide an entry only where no arguments would do.
    /// `obtainable`: a call that would be answered with a step-up counts as
    /// one that could be permitted.
    ///
    /// An audit-only policy shows everything.
    pub fn shows(&self, identity: &Identity, entry: Entry<'_>, obtainable: bool) -> bool {
        if self.audit_only {
            return true;
        }
        let shows = |rules: &[&Rule]| {
            let judge = self.judge_of(identity, Arguments::Unknown, rules);
            judge.allowing().any(|allow| {
                judge.is_for_caller(allow, obtainable)
                    && !judge.enforced_denials().any(|deny| judge.bars(deny, allow))
            })
        };
        match entry {
            Entry::Tool(name) => is_callable(name) && shows(&self.tools.naming(name)),
            Entry::Prompt(name) => is_callable(name) && shows(&self.prompts.naming(name)),
            Entry::Resource(uri) => {
                !uri::is_ambiguous(uri) && shows(&self.resources.naming_uri(uri))
            }
            Entry::Template(text) => Template::parse(text)
                .is_some_and(|template| self.shows_template(identity, &template, obtainable)),
        }
    }

    /// Whether some URI that the template expands to could be permitted: one
    /// that an allow rule names, and that is not within what a deny rule
    /// names, or an exception.
    fn shows_template(&self, identity: &Identity, template: &Template, obtainable: bool) -> bool {
        let judge = self.judge_of(identity, Arguments::Unknown, &[]);
        let named = self.resources.meeting(template);
        let denials: Vec<_> = named
            .iter()
            .filter(|(_, rule)| rule.effect == Effect::Deny && !rule.audit_only)
            .collect();
        named
            .iter()
            .filter(|(_, rule)| {
                rule.effect == Effect::Allow && judge.is_for_caller(rule, obtainable)
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
        if rule.audit_only && (obtainable || self.holds_scopes(self.base)) {
            return true;
        }
        let who = if obtainable {
            self.within_reach(rule)
        } else {
            self.holds_scopes(self.base) && rule.who.holds(self.identity) == Truth::Holds
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

    fn enforced_denials(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .copied()
            .filter(|rule| rule.effect == Effect::Deny && !rule.audit_only)
    }
}
