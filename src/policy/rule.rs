//! Rules, and finding those that name a target.

use std::rc::Rc;

use super::Pattern;
use super::arguments::ArgumentCondition;
use super::condition::Truth;
use super::glob::Token;
use super::patterns::{Patterns, Places};
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
    pub(crate) except_names: Patterns,
    /// What a rule on resources is not about.
    pub(crate) except_uris: Patterns,
}

/// The rules for one kind of target, by what they name.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Those without wildcards first.
    patterns: Patterns,
    /// The rule of each pattern, and its number.
    rules: Vec<(usize, Rc<Rule>)>,
}

/// The rules that name one target. A rule with several fitting patterns may
/// come several times, which makes no difference to a decision.
#[derive(Clone, Debug, Default)]
pub(super) struct Named<'a> {
    rules: &'a [(usize, Rc<Rule>)],
    places: Places,
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

impl Index {
    /// `patterns` picks the patterns of the kind. The number of a rule is its
    /// place among `rules`.
    pub(super) fn new(rules: &[Rc<Rule>], patterns: impl Fn(&What) -> &[Pattern]) -> Self {
        let (mut exact, mut others) = (Vec::new(), Vec::new());
        for (number, rule) in rules.iter().enumerate() {
            for pattern in patterns(&rule.what) {
                let kind = if pattern.is_exact() {
                    &mut exact
                } else {
                    &mut others
                };
                kind.push((pattern.clone(), (number, Rc::clone(rule))));
            }
        }
        exact.append(&mut others);
        let (patterns, rules) = exact.into_iter().unzip();
        Self {
            patterns: Patterns::new(patterns),
            rules,
        }
    }

    /// The rules that name a tool, prompt or method.
    pub(super) fn naming(&self, name: &str) -> Named<'_> {
        self.find(name, |what| &what.except_names)
    }

    /// The rules that name a resource. The URI is not ambiguous.
    pub(super) fn naming_uri(&self, uri: &str) -> Named<'_> {
        self.find(uri, |what| &what.except_uris)
    }

    /// The rules that name some of what a template expands to, each with what
    /// it names.
    pub(super) fn meeting(&self, template: &Template) -> Vec<(Vec<Token>, &Rule)> {
        self.patterns
            .iter()
            .zip(&self.rules)
            .filter(|(pattern, _)| template.may_begin_with(pattern.head()))
            .map(|(pattern, (_, rule))| (pattern.tokens(), rule.as_ref()))
            .filter(|(tokens, _)| template.meets(tokens))
            .collect()
    }

    fn find(&self, target: &str, except: impl Fn(&What) -> &Patterns) -> Named<'_> {
        let named = Named {
            rules: &self.rules,
            places: self.patterns.find(target),
        };
        let is_excepted = |rule: &Rule| except(&rule.what).match_any(target);
        if named.iter().any(is_excepted) {
            named.only(|rule| !is_excepted(rule))
        } else {
            named
        }
    }
}

impl<'a> Named<'a> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Rule> {
        self.numbered().map(|(_, rule)| rule)
    }

    /// With the number of each rule.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &'a Rule)> {
        let rules = self.rules;
        self.places.as_slice().iter().filter_map(move |place| {
            let (number, rule) = rules.get(usize::try_from(*place).ok()?)?;
            Some((*number, rule.as_ref()))
        })
    }

    /// Only those that are to be kept.
    #[must_use]
    pub(super) fn only(&self, keep: impl Fn(&Rule) -> bool) -> Self {
        let keep = |place: u32| {
            let place = usize::try_from(place).ok();
            let rule = place.and_then(|place| self.rules.get(place));
            rule.is_some_and(|(_, rule)| keep(rule))
        };
        Self {
            rules: self.rules,
            places: self.places.only(keep),
        }
    }
}
