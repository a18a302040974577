//! Rules, and finding those that name a target.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Pattern;
use super::arguments::ArgumentCondition;
use super::condition::Truth;
use super::glob::Token;
use super::template::Template;
use super::who::Who;
use crate::json::Object;
use crate::oauth::{Identity, Scopes};

/// A rule, as the configuration says it.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: Rc<str>,
    pub(crate) effect: Effect,
    pub(crate) audit_only: bool,
    pub(crate) who: Who,
    pub(crate) what: What,
    pub(crate) arguments: Vec<ArgumentCondition>,
}

/// What a rule does to a call for which it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// What a rule is about: patterns for each kind of target.
#[derive(Clone, Debug, Default)]
pub(crate) struct What {
    pub(crate) tools: Vec<Pattern>,
    pub(crate) prompts: Vec<Pattern>,
    pub(crate) resources: Vec<Pattern>,
    pub(crate) methods: Vec<Pattern>,
    /// What a rule on tools, prompts or methods is not about.
    pub(crate) except_names: Vec<Pattern>,
    /// What a rule on resources is not about.
    pub(crate) except_uris: Vec<Pattern>,
}

/// The rules for one kind of target, by exact name and by pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    exact: BTreeMap<String, Vec<Rc<Rule>>>,
    patterns: Vec<(Pattern, Rc<Rule>)>,
}

impl Rule {
    /// The conditions on arguments, all of them.
    pub(super) fn arguments_hold(&self, identity: &Identity, arguments: Option<&Object>) -> Truth {
        Truth::all(
            self.arguments
                .iter()
                .map(|condition| condition.holds(arguments, identity)),
        )
    }

    /// What the conditions want that do not hold.
    pub(super) fn expectation(&self, identity: &Identity, arguments: Option<&Object>) -> String {
        let wanted: Vec<&str> = self
            .arguments
            .iter()
            .filter(|condition| condition.holds(arguments, identity) != Truth::Holds)
            .map(ArgumentCondition::expectation)
            .collect();
        wanted.join(", and ")
    }

    /// The scopes that a call under this rule needs, with those that every
    /// request needs.
    pub(super) fn needed(&self, base: &Scopes) -> Scopes {
        base.union(&self.who.scopes)
    }
}

impl What {
    fn excepts_name(&self, name: &str) -> bool {
        self.except_names
            .iter()
            .any(|pattern| pattern.matches(name))
    }

    fn excepts_uri(&self, uri: &str) -> bool {
        self.except_uris.iter().any(|pattern| pattern.matches(uri))
    }
}

impl Index {
    /// `patterns` picks the patterns of the kind.
    pub(super) fn new(rules: &[Rc<Rule>], patterns: impl Fn(&What) -> &[Pattern]) -> Self {
        let mut index = Self::default();
        for rule in rules {
            for pattern in patterns(&rule.what) {
                if pattern.is_exact() {
                    index
                        .exact
                        .entry(pattern.as_str().to_owned())
                        .or_default()
                        .push(Rc::clone(rule));
                } else {
                    index.patterns.push((pattern.clone(), Rc::clone(rule)));
                }
            }
        }
        index
    }

    /// The rules that name a tool, prompt or method.
    pub(super) fn naming(&self, name: &str) -> Vec<&Rule> {
        self.find(name, |rule| !rule.what.excepts_name(name))
    }

    /// The rules that name a resource. The URI is not ambiguous.
    pub(super) fn naming_uri(&self, uri: &str) -> Vec<&Rule> {
        self.find(uri, |rule| !rule.what.excepts_uri(uri))
    }

    /// The rules that name some of what a template expands to, each with what
    /// it names.
    pub(super) fn meeting(&self, template: &Template) -> Vec<(Vec<Token>, &Rule)> {
        let exact = self.exact.iter().flat_map(|(uri, rules)| {
            let tokens = uri.chars().map(Token::Char).collect::<Vec<_>>();
            rules.iter().map(move |rule| (tokens.clone(), rule))
        });
        let patterns = self
            .patterns
            .iter()
            .map(|(pattern, rule)| (pattern.tokens(), rule));
        exact
            .chain(patterns)
            .filter(|(tokens, _)| template.meets(tokens))
            .map(|(tokens, rule)| (tokens, rule.as_ref()))
            .collect()
    }

    /// A rule with several fitting patterns may come several times, which
    /// makes no difference to a decision.
    fn find(&self, target: &str, keep: impl Fn(&Rule) -> bool) -> Vec<&Rule> {
        let exact = self.exact.get(target).into_iter().flatten();
        let by_pattern = self
            .patterns
            .iter()
            .filter(|(pattern, _)| pattern.matches(target))
            .map(|(_, rule)| rule);
        exact
            .chain(by_pattern)
            .map(Rc::as_ref)
            .filter(|rule| keep(rule))
            .collect()
    }
}
