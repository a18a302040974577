//! The part of a rule that says with which arguments.

use super::Pattern;
use super::condition::{Truth, equals, in_range, is_in, matches};
use crate::json::letters::is_lookalike;
use crate::json::{Json, Number, Object};
use crate::oauth::{ClaimPath, Identity};

/// A condition on one argument.
#[derive(Clone, Debug)]
pub(crate) struct ArgumentCondition {
    place: Place,
    operator: ArgumentOperator,
    expectation: String,
}

/// Where an argument stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A member of the arguments.
    Member(String),
    /// The decoded reference tokens of a JSON pointer (RFC 6901), two or
    /// more.
    Pointer(Vec<String>),
}

#[derive(Clone, Debug)]
pub(crate) enum ArgumentOperator {
    Equals(Json<'static>),
    In(Vec<Json<'static>>),
    Matches(Vec<Pattern>),
    Range {
        minimum: Option<Number>,
        maximum: Option<Number>,
    },
    Present(bool),
    EqualsClaim(ClaimPath),
}

/// A text that begins like a JSON pointer and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidPlace;

impl ArgumentCondition {
    /// `argument` is a member name, or a JSON pointer if it begins with `/`.
    ///
    /// # Errors
    /// [`InvalidPlace`] for an empty name, or a `~` that escapes nothing.
    pub(crate) fn new(argument: &str, operator: ArgumentOperator) -> Result<Self, InvalidPlace> {
        Ok(Self {
            place: Place::parse(argument)?,
            expectation: expectation(argument, &operator),
            operator,
        })
    }

    /// The argument that it looks at, or into.
    pub(super) fn argument(&self) -> &str {
        match &self.place {
            Place::Member(name) => name,
            Place::Pointer(tokens) => tokens.first().map_or("", String::as_str),
        }
    }

    pub(crate) const fn operator(&self) -> &ArgumentOperator {
        &self.operator
    }

    pub(crate) fn is_about_the_same_as(&self, other: &Self) -> bool {
        self.place == other.place
    }

    /// What the condition wants, as a sentence without its full stop.
    pub(crate) fn expectation(&self) -> &str {
        &self.expectation
    }

    /// An argument that is absent or of a type that cannot be compared is
    /// unknown: a tool may have a default for it. So is one beside which there
    /// is another that differs in letter case only. Else, presence is known.
    pub(crate) fn holds(&self, arguments: Option<&Object>, identity: &Identity) -> Truth {
        let Ok(value) = arguments.map_or(Ok(None), |arguments| self.place.find(arguments)) else {
            return Truth::Unknown;
        };
        if let ArgumentOperator::Present(wanted) = self.operator {
            return (value.is_some() == wanted).into();
        }
        let Some(value) = value else {
            return Truth::Unknown;
        };
        self.operator.holds_for(value, identity)
    }
}

impl ArgumentOperator {
    /// For an argument that is there.
    pub(super) fn holds_for(&self, value: &Json, identity: &Identity) -> Truth {
        match self {
            Self::EqualsClaim(claim) => claim
                .find(identity.claims())
                .map_or(Truth::Unknown, |claim| equals(value, claim)),
            operator => operator.holds(value),
        }
    }

    /// For an argument that is there, as far as no caller matters.
    fn holds(&self, value: &Json) -> Truth {
        match self {
            Self::Equals(wanted) => equals(value, wanted),
            Self::In(wanted) => is_in(value, wanted),
            Self::Matches(patterns) => matches(value, patterns),
            Self::Range { minimum, maximum } => in_range(value, minimum.as_ref(), maximum.as_ref()),
            Self::Present(wanted) => (*wanted).into(),
            Self::EqualsClaim(_) => Truth::Unknown,
        }
    }

    /// Whether there may be a caller for whom the value is right.
    pub(crate) fn may_accept(&self, value: &Json) -> bool {
        matches!(self, Self::EqualsClaim(_)) || self.holds(value) == Truth::Holds
    }
}

impl Place {
    fn parse(argument: &str) -> Result<Self, InvalidPlace> {
        match argument.strip_prefix('/') {
            None if argument.is_empty() => Err(InvalidPlace),
            None => Ok(Self::Member(argument.to_owned())),
            Some(rest) => {
                let tokens: Option<Vec<String>> = rest.split('/').map(unescape).collect();
                match tokens.ok_or(InvalidPlace)?.as_mut_slice() {
                    [only] => Ok(Self::Member(core::mem::take(only))),
                    tokens => Ok(Self::Pointer(tokens.to_vec())),
                }
            }
        }
    }

    fn find<'a>(&self, arguments: &'a Object<'a>) -> Result<Option<&'a Json<'a>>, Ambiguous> {
        let tokens = match self {
            Self::Member(name) => return member(arguments, name),
            Self::Pointer(tokens) => tokens,
        };
        let Some((first, rest)) = tokens.split_first() else {
            return Ok(None);
        };
        let mut found = member(arguments, first)?;
        for token in rest {
            found = match found {
                Some(Json::Object(members)) => member(members, token)?,
                Some(Json::Array(elements)) => index(token).and_then(|index| elements.get(index)),
                _ => None,
            };
        }
        Ok(found)
    }
}

/// Two members that a reader without regard to letter case would mix up.
struct Ambiguous;

fn member<'a>(members: &'a Object<'a>, name: &str) -> Result<Option<&'a Json<'a>>, Ambiguous> {
    let has_twin = members.iter().any(|(member, _)| is_lookalike(member, name));
    if has_twin {
        return Err(Ambiguous);
    }
    Ok(members.get(name))
}

/// `~1` is `/` and `~0` is `~` (RFC 6901, section 4).
fn unescape(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(text)
}

/// An array index has no leading zeros (RFC 6901, section 4).
fn index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = token.len() > 1 && token.starts_with('0');
    (digits && !leading_zero)
        .then(|| token.parse().ok())
        .flatten()
}

fn expectation(argument: &str, operator: &ArgumentOperator) -> String {
    let wanted = match operator {
        ArgumentOperator::Equals(value) => written(value),
        ArgumentOperator::In(values) => {
            format!("one of {}", list(values.iter().map(written)))
        }
        ArgumentOperator::Matches(patterns) => match patterns.as_slice() {
            [pattern] => format!("a text like \"{}\"", pattern.as_str()),
            patterns => format!(
                "a text like one of {}",
                list(patterns.iter().map(|p| format!("\"{}\"", p.as_str())))
            ),
        },
        ArgumentOperator::Range { minimum, maximum } => match (minimum, maximum) {
            (Some(minimum), Some(maximum)) => format!("a number from {minimum} to {maximum}"),
            (Some(minimum), None) => format!("a number of at least {minimum}"),
            (None, Some(maximum)) => format!("a number of at most {maximum}"),
            (None, None) => "a number".to_owned(),
        },
        ArgumentOperator::Present(true) => return format!("\"{argument}\" must be given"),
        ArgumentOperator::Present(false) => return format!("\"{argument}\" must not be given"),
        ArgumentOperator::EqualsClaim(claim) => {
            format!("the same as the claim \"{}\" of the caller", claim.as_str())
        }
    };
    format!("\"{argument}\" must be {wanted}")
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn written(value: &Json) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
