//! Who may do what: the rules of one server.
//!
//! One allow rule that holds completely is enough, unless a deny rule holds.
//! The order of rules has no meaning. Nothing matched means denied.

mod arguments;
mod condition;
mod decision;
mod glob;
mod judge;
mod overlap;
mod pattern;
mod patterns;
mod possible;
mod rule;
mod task;
mod template;
mod uri;
mod visibility;
mod who;

#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use decision::{Decision, Denied, Permit};
pub use pattern::{InvalidPattern, Pattern};
pub use visibility::Viewer;

pub(crate) use arguments::{ArgumentCondition, ArgumentOperator};
pub(crate) use condition::{compare, is_scalar};
pub(crate) use patterns::Patterns;
pub(crate) use rule::{Effect, Rule, What};
pub(crate) use uri::pattern_is_ambiguous;
pub(crate) use who::{ClaimCondition, ClaimOperator, Who};

use self::judge::{Arguments, Judge};
use self::rule::{Index, Named};
use crate::json::Object;
use crate::mcp::{Call, Target};
use crate::oauth::{Identity, Scopes};

/// The rules of one server, compiled.
#[derive(Clone, Debug)]
pub struct Policy {
    base: Scopes,
    obtainable: Vec<Obtainable>,
    audit_only: bool,
    /// How many there are.
    rules: usize,
    arguments: Vec<String>,
    tools: Index,
    prompts: Index,
    resources: Index,
    methods: Index,
}

/// An entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A tool, by its name.
    Tool(&'a str),
    /// A prompt, by its name.
    Prompt(&'a str),
    /// A resource, by its URI.
    Resource(&'a str),
    /// A resource template, by its URI template (RFC 6570).
    Template(&'a str),
}

/// Scopes that some callers can obtain.
#[derive(Clone, Debug)]
pub(crate) struct Obtainable {
    pub(crate) scopes: Scopes,
    pub(crate) who: Who,
}

impl Policy {
    /// `base` are the scopes that every request needs.
    pub(crate) fn new(
        base: Scopes,
        obtainable: Vec<Obtainable>,
        audit_only: bool,
        rules: Vec<Rule>,
    ) -> Self {
        let conditions = rules.iter().flat_map(|rule| &rule.arguments);
        let arguments = conditions.map(|condition| condition.argument().to_owned());
        let arguments = arguments.collect();
        let rules: Vec<Rc<Rule>> = rules.into_iter().map(Rc::new).collect();
        Self {
            base,
            obtainable,
            audit_only,
            rules: rules.len(),
            arguments,
            tools: Index::new(&rules, |what| &what.tools),
            prompts: Index::new(&rules, |what| &what.prompts),
            resources: Index::new(&rules, |what| &what.resources),
            methods: Index::new(&rules, |what| &what.methods),
        }
    }

    /// Whether denials are recorded and not enforced.
    pub const fn audit_only(&self) -> bool {
        self.audit_only
    }

    /// Names of the arguments that rules have conditions on; some perhaps
    /// several times.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(String::as_str)
    }

    /// Decides on one call. In an audit-only policy nothing is denied.
    pub fn decide(&self, identity: &Identity, call: &Call<'_>) -> Decision {
        self.lenient(self.enforced(identity, call))
    }

    /// In an audit-only policy nothing is denied.
    fn lenient(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Deny(denied) if self.audit_only => Decision::Permit(Permit {
                rule: None,
                unenforced: Some(denied),
            }),
            decision => decision,
        }
    }

    fn enforced(&self, identity: &Identity, call: &Call<'_>) -> Decision {
        let arguments = call.arguments.as_deref();
        match &call.target {
            Target::Tool(name) => self.judge(identity, arguments, self.tools.naming(name)),
            Target::Prompt(name) => self.judge(identity, arguments, self.prompts.naming(name)),
            Target::Resource(uri) => self.resource(identity, arguments, uri),
            Target::Method => self.method(identity, call.method),
            Target::Subscriptions(uris) => self.subscriptions(identity, call.method, uris),
        }
    }

    fn method(&self, identity: &Identity, method: &str) -> Decision {
        self.judge(identity, None, self.methods.naming(method))
    }

    /// No rule names an ambiguous URI, whatever its patterns.
    fn resource(&self, identity: &Identity, arguments: Option<&Object>, uri: &str) -> Decision {
        let rules = if uri::is_ambiguous(uri) {
            Named::default()
        } else {
            self.resources.naming_uri(uri)
        };
        self.judge(identity, arguments, rules)
    }

    /// The method, then each resource; the first denial is the answer.
    fn subscriptions(&self, identity: &Identity, method: &str, uris: &[&str]) -> Decision {
        let mut permit = match self.method(identity, method) {
            Decision::Permit(permit) => permit,
            denied => return denied,
        };
        for uri in uris {
            match self.resource(identity, None, uri) {
                Decision::Permit(Permit { unenforced, .. }) => {
                    permit.unenforced = permit.unenforced.or(unenforced);
                }
                denied => return denied,
            }
        }
        Decision::Permit(permit)
    }

    fn judge(&self, identity: &Identity, arguments: Option<&Object>, rules: Named<'_>) -> Decision {
        self.judge_of(identity, Arguments::Given(arguments), rules)
            .decide()
    }

    fn judge_of<'a>(
        &'a self,
        identity: &'a Identity,
        arguments: Arguments<'a>,
        rules: Named<'a>,
    ) -> Judge<'a> {
        Judge {
            identity,
            arguments,
            rules,
            base: &self.base,
            holds_base: identity.scopes().contains_all(&self.base),
            obtainable: &self.obtainable,
        }
    }
}
