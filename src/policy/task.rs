//! What may be done with a task: what a call that made it needed.

use super::judge::Arguments;
use super::rule::Effect;
use super::{Decision, Policy, Rule};
use crate::oauth::Identity;

impl Policy {
    /// Decides on a task that a call of this tool has made, under this rule
    /// (its `id`), like on a call of the tool, with what is configured and who
    /// the caller is now. The rule still has to name the tool and to be for
    /// the caller; that another one would do is not enough.
    ///
    /// The arguments are not known any more. They were judged when the task
    /// was made, so conditions on them count as met, and deny rules that have
    /// some are passed over. Where no rule allowed that call (nothing was
    /// enforced), they were not: then only rules without conditions on
    /// arguments can allow it, and deny rules with some deny.
    pub fn decide_on_task(&self, identity: &Identity, tool: &str, rule: Option<&str>) -> Decision {
        let named = self.tools.naming(tool);
        let (rules, arguments) = match rule {
            Some(id) => (
                named.only(|rule| still_counts(rule, id)),
                Arguments::Settled,
            ),
            None => (named, Arguments::Unknown),
        };
        self.lenient(self.judge_of(identity, arguments, rules).decide())
    }
}

fn still_counts(rule: &Rule, id: &str) -> bool {
    match rule.effect {
        Effect::Allow => *rule.id == *id,
        Effect::Deny => rule.arguments.is_empty(),
    }
}
