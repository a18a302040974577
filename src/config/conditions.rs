//! Conditions on claims and arguments.

use super::issuers::claim_path;
use super::reader::{Members, Node};
use super::words::name_pattern;
use crate::json::{Json, Number};
use crate::policy::{
    ArgumentCondition, ArgumentOperator, ClaimCondition, ClaimOperator, Pattern, compare, is_scalar,
};

/// Conditions on the caller's claims.
pub(super) fn claims(node: &Node<'_>) -> Option<Vec<ClaimCondition>> {
    conditions(node, claim, ClaimCondition::contradicts)
}

/// Conditions on the arguments of a tool or a prompt.
pub(super) fn arguments(node: &Node<'_>) -> Option<Vec<ArgumentCondition>> {
    conditions(node, argument, ArgumentCondition::contradicts)
}

/// Conditions that can all hold together.
fn conditions<C>(
    node: &Node<'_>,
    read: fn(&Node<'_>) -> Option<C>,
    contradicts: fn(&C, &C) -> bool,
) -> Option<Vec<C>> {
    let nodes = node.some_elements()?;
    let conditions: Vec<Option<C>> = nodes.iter().map(read).collect();
    for (index, (node, condition)) in nodes.iter().zip(&conditions).enumerate() {
        let Some(condition) = condition else { continue };
        let mut earlier = conditions.iter().take(index).flatten();
        if earlier.any(|other| contradicts(condition, other)) {
            contradiction(node);
        }
    }
    conditions.into_iter().collect()
}

fn claim(node: &Node<'_>) -> Option<ClaimCondition> {
    const OPERATORS: [&str; 5] = ["contains", "equals", "in", "matches", "present"];
    let members = node.members(&["claim", "contains", "equals", "in", "matches", "present"])?;
    let claim = members.required("claim").and_then(|node| claim_path(&node));
    let name = single(&members, &OPERATORS)?;
    let value = members.optional(name)?;
    let operator = match name {
        "contains" => scalar(&value).map(ClaimOperator::Contains),
        "equals" => scalar(&value).map(ClaimOperator::Equals),
        "in" => scalars(&value).map(ClaimOperator::In),
        "matches" => globs(&value).map(ClaimOperator::Matches),
        _ => value.boolean().map(ClaimOperator::Present),
    };
    Some(ClaimCondition {
        claim: claim?,
        operator: operator?,
    })
}

fn argument(node: &Node<'_>) -> Option<ArgumentCondition> {
    const OPERATORS: [&str; 7] = [
        "equals",
        "in",
        "matches",
        "minimum",
        "maximum",
        "present",
        "equals_claim",
    ];
    let members = node.members(&[
        "argument",
        "equals",
        "in",
        "matches",
        "minimum",
        "maximum",
        "present",
        "equals_claim",
    ])?;
    let argument = members.required("argument");
    let name = argument.as_ref().and_then(Node::text);
    let operator = match members.present(&OPERATORS).as_slice() {
        ["minimum"] | ["maximum"] | ["minimum", "maximum"] => range(&members),
        _ => {
            let name = single(&members, &OPERATORS)?;
            let value = members.optional(name)?;
            match name {
                "equals" => scalar(&value).map(ArgumentOperator::Equals),
                "in" => scalars(&value).map(ArgumentOperator::In),
                "matches" => globs(&value).map(ArgumentOperator::Matches),
                "present" => value.boolean().map(ArgumentOperator::Present),
                _ => claim_path(&value).map(ArgumentOperator::EqualsClaim),
            }
        }
    };
    let condition = ArgumentCondition::new(name?, operator?).ok();
    if let (None, Some(argument)) = (&condition, argument) {
        argument.expected("a member name, or a JSON pointer (RFC 6901)");
    }
    condition
}

fn range(members: &Members<'_>) -> Option<ArgumentOperator> {
    let minimum = members.maybe("minimum", number);
    let maximum = members.maybe("maximum", number);
    let (minimum, maximum) = (minimum?, maximum?);
    if let (Some(low), Some(high)) = (&minimum, &maximum)
        && compare(low, high).is_gt()
    {
        members.error(
            "a minimum that is not greater than the maximum",
            format_args!("{low} and {high}"),
        );
        return None;
    }
    Some(ArgumentOperator::Range { minimum, maximum })
}

/// The one operator of a condition.
fn single<'n>(members: &Members<'_>, operators: &[&'n str]) -> Option<&'n str> {
    match members.present(operators).as_slice() {
        [name] => Some(name),
        found => {
            members.error(
                format_args!("exactly one of {}", operators.join(", ")),
                if found.is_empty() { "none" } else { "several" },
            );
            None
        }
    }
}

fn contradiction(node: &Node<'_>) {
    node.error(
        "conditions that can hold together",
        "one that contradicts an earlier one",
    );
}

fn number(node: &Node<'_>) -> Option<Number> {
    if let Json::Number(number) = node.value {
        return Some(number.clone());
    }
    node.expected("a number");
    None
}

fn scalar(node: &Node<'_>) -> Option<Json<'static>> {
    if !is_scalar(node.value) {
        node.expected("a string, a number, true, false or null");
        return None;
    }
    Some(node.value.clone().into_owned())
}

fn scalars(node: &Node<'_>) -> Option<Vec<Json<'static>>> {
    let scalars = node.some_unique(|node| scalar(node).map(Scalar))?;
    Some(scalars.into_iter().map(|Scalar(value)| value).collect())
}

/// Equal where the values are: `1` and `1.0`.
struct Scalar(Json<'static>);

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_value(&other.0)
    }
}

/// One pattern or several.
fn globs(node: &Node<'_>) -> Option<Vec<Pattern>> {
    if node.value.as_array().is_some() {
        node.some_unique(name_pattern)
    } else if node.value.as_str().is_some() {
        name_pattern(node).map(|pattern| vec![pattern])
    } else {
        node.expected("a pattern, or an array of patterns");
        None
    }
}

impl ClaimCondition {
    /// Whether the two certainly cannot hold together.
    fn contradicts(&self, other: &Self) -> bool {
        if self.claim != other.claim {
            return false;
        }
        match (&self.operator, &other.operator) {
            (ClaimOperator::Present(left), ClaimOperator::Present(right)) => left != right,
            (ClaimOperator::Present(present), _) | (_, ClaimOperator::Present(present)) => !present,
            (ClaimOperator::Equals(value), operator) | (operator, ClaimOperator::Equals(value)) => {
                !operator.accepts(value)
            }
            (ClaimOperator::In(values), operator) | (operator, ClaimOperator::In(values)) => {
                !values.iter().any(|value| operator.accepts(value))
            }
            (ClaimOperator::Matches(left), ClaimOperator::Matches(right)) => are_apart(left, right),
            _ => false,
        }
    }
}

impl ArgumentCondition {
    /// Whether the two certainly cannot hold together.
    fn contradicts(&self, other: &Self) -> bool {
        use ArgumentOperator::{Equals, In, Matches, Present, Range};
        if !self.is_about_the_same_as(other) {
            return false;
        }
        match (self.operator(), other.operator()) {
            (Present(left), Present(right)) => left != right,
            (Present(present), _) | (_, Present(present)) => !present,
            (Equals(value), operator) | (operator, Equals(value)) => !operator.may_accept(value),
            (In(values), operator) | (operator, In(values)) => {
                !values.iter().any(|value| operator.may_accept(value))
            }
            (Matches(left), Matches(right)) => are_apart(left, right),
            (Matches(_), Range { .. }) | (Range { .. }, Matches(_)) => true,
            (
                Range { minimum, maximum },
                Range {
                    minimum: other_minimum,
                    maximum: other_maximum,
                },
            ) => above(minimum, other_maximum) || above(other_minimum, maximum),
            _ => false,
        }
    }
}

/// Whether no text matches one of each.
fn are_apart(left: &[Pattern], right: &[Pattern]) -> bool {
    let meets = |one: &Pattern| right.iter().any(|other| one.overlaps(other));
    !left.iter().any(meets)
}

fn above(minimum: &Option<Number>, maximum: &Option<Number>) -> bool {
    match (minimum, maximum) {
        (Some(minimum), Some(maximum)) => compare(minimum, maximum).is_gt(),
        _ => false,
    }
}
