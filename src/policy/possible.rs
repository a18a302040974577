//! Which arguments there could be: what conditions on them come to for a
//! caller before a call is made.

use super::arguments::{ArgumentCondition, ArgumentOperator};
use super::condition::{Truth, is_scalar};
use super::{Pattern, Rule};
use crate::json::Json;
use crate::oauth::Identity;

impl Rule {
    /// Whether some arguments meet its conditions. The configuration has no
    /// conditions that contradict each other; what a claim says may.
    pub(super) fn arguments_can_hold(&self, identity: &Identity) -> bool {
        self.arguments
            .iter()
            .all(|condition| condition.can_hold(&self.arguments, identity))
    }
}

impl ArgumentCondition {
    /// Whether some value suits this caller, and the other conditions of the
    /// same rule, as far as the caller's claims matter.
    pub(super) fn can_hold(&self, rule: &[Self], identity: &Identity) -> bool {
        !matches!(self.operator(), ArgumentOperator::EqualsClaim(_))
            || self
                .operator()
                .values(identity)
                .iter()
                .flatten()
                .any(|value| self.all_hold(rule, value, identity))
    }

    /// Whether it certainly fails with some arguments that meet these other
    /// conditions. `true` where that is not obvious.
    pub(super) fn can_fail(&self, others: &[Self], identity: &Identity) -> bool {
        let known = others
            .iter()
            .filter(|other| other.is_about_the_same_as(self));
        let mut is_there = false;
        for other in known {
            if let ArgumentOperator::Present(false) = other.operator() {
                return matches!(self.operator(), ArgumentOperator::Present(true));
            }
            is_there = true;
            if let Some(values) = other.operator().values(identity) {
                return values
                    .iter()
                    .filter(|value| self.all_hold(others, value, identity))
                    .any(|value| self.operator().holds_for(value, identity) == Truth::Fails);
            }
        }
        match self.operator() {
            ArgumentOperator::Present(wanted) => !(*wanted && is_there),
            _ => self.operator().can_fail(identity),
        }
    }

    /// Whether all of the conditions that are about the same argument hold for
    /// this value of it.
    fn all_hold(&self, conditions: &[Self], value: &Json, identity: &Identity) -> bool {
        conditions
            .iter()
            .filter(|condition| condition.is_about_the_same_as(self))
            .all(|condition| condition.operator().holds_for(value, identity) == Truth::Holds)
    }
}

impl ArgumentOperator {
    /// The only values for which it holds, where they can be told.
    fn values<'a>(&'a self, identity: &'a Identity) -> Option<Vec<&'a Json<'a>>> {
        match self {
            Self::Equals(value) => Some(vec![value]),
            Self::In(values) => Some(values.iter().collect()),
            Self::EqualsClaim(claim) => {
                let value = claim.find(identity.claims());
                Some(value.filter(|value| is_scalar(value)).into_iter().collect())
            }
            Self::Matches(_) | Self::Range { .. } | Self::Present(_) => None,
        }
    }

    /// Whether it certainly fails for some value: one of a type that it can be
    /// compared with, and another one.
    fn can_fail(&self, identity: &Identity) -> bool {
        if let Self::Matches(patterns) = self {
            return !patterns.iter().any(Pattern::is_universal);
        }
        self.values(identity).is_none_or(|values| {
            values.iter().any(|value| match value {
                Json::Null => false,
                Json::Bool(one) => !values.iter().any(|other| other.as_bool() == Some(!one)),
                _ => true,
            })
        })
    }
}
