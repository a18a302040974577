//! Conditions that hold, fail, or cannot be evaluated.

use core::cmp::Ordering;

use super::Pattern;
use crate::json::{Json, Number};

/// Kleene's three values. A rule that allows needs [`Truth::Holds`]; one that
/// denies lets pass on [`Truth::Fails`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Holds,
    Fails,
    /// What the condition is about is not there, or is not of a type that it
    /// can be compared with.
    Unknown,
}

impl Truth {
    /// Conjunction: one that fails decides, whatever is unknown.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Holds, Self::Holds) => Self::Holds,
        }
    }

    pub(crate) fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::Holds;
        for truth in truths {
            result = result.and(truth);
            if result == Self::Fails {
                break;
            }
        }
        result
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// The same scalar. Different types cannot be compared.
pub(crate) fn equals(value: &Json, wanted: &Json) -> Truth {
    if is_scalar(value) && value.kind() == wanted.kind() {
        value.same_value(wanted).into()
    } else {
        Truth::Unknown
    }
}

/// One of these scalars. Unknown if the value has the type of none of them.
pub(crate) fn is_in(value: &Json, wanted: &[Json]) -> Truth {
    let mut result = Truth::Unknown;
    for wanted in wanted {
        match equals(value, wanted) {
            Truth::Holds => return Truth::Holds,
            Truth::Fails => result = Truth::Fails,
            Truth::Unknown => {}
        }
    }
    result
}

/// A string that one of the patterns matches.
pub(crate) fn matches(value: &Json, patterns: &[Pattern]) -> Truth {
    value.as_str().map_or(Truth::Unknown, |text| {
        patterns.iter().any(|pattern| pattern.matches(text)).into()
    })
}

/// An array with the wanted scalar among its elements, or a string with the
/// wanted string among its space-separated words. An array with elements that
/// are no scalars may say the same in another form, so it is not enough for
/// [`Truth::Fails`].
pub(crate) fn contains(value: &Json, wanted: &Json) -> Truth {
    match (value, wanted) {
        (Json::Array(elements), _) => {
            if elements.iter().any(|element| element.same_value(wanted)) {
                Truth::Holds
            } else if elements.iter().all(is_scalar) {
                Truth::Fails
            } else {
                Truth::Unknown
            }
        }
        (Json::String(text), Json::String(word)) => text.split(' ').any(|part| part == word).into(),
        _ => Truth::Unknown,
    }
}

/// A number within the bounds, which belong to the range.
pub(crate) fn in_range(value: &Json, minimum: Option<&Number>, maximum: Option<&Number>) -> Truth {
    let Json::Number(number) = value else {
        return Truth::Unknown;
    };
    let above = minimum.is_none_or(|bound| compare(number, bound) != Ordering::Less);
    let below = maximum.is_none_or(|bound| compare(number, bound) != Ordering::Greater);
    (above && below).into()
}

pub(crate) const fn is_scalar(value: &Json) -> bool {
    !matches!(value, Json::Array(_) | Json::Object(_))
}

/// Exact, also between integers that no double can hold and doubles.
pub(crate) fn compare(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => compare_to_float(left, float(right)),
        (None, Some(right)) => compare_to_float(right, float(left)).reverse(),
        (None, None) => float(left).total_cmp(&float(right)),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

/// A JSON number is never NaN; the parser refuses what is not finite.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

/// An integer of 64 bits against a finite double: first its whole part, then
/// what is behind the point. `as` saturates, which keeps the order.
fn compare_to_float(left: i128, right: f64) -> Ordering {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let whole = right.trunc() as i128;
    left.cmp(&whole).then_with(|| {
        if right.fract() > 0.0 {
            Ordering::Less
        } else if right.fract() < 0.0 {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn json(text: &str) -> Json<'static> {
        parse(text.as_bytes(), 8).unwrap()
    }

    #[test]
    fn a_conjunction_fails_with_any_part_and_holds_with_all() {
        use Truth::{Fails, Holds, Unknown};
        assert_eq!(Truth::all([Holds, Unknown, Fails]), Fails);
        assert_eq!(Truth::all([Holds, Unknown]), Unknown);
        assert_eq!(Truth::all([Holds, Holds]), Holds);
        assert_eq!(Truth::all([]), Holds);
    }

    #[test]
    fn values_of_different_types_cannot_be_compared() {
        assert_eq!(equals(&json("1"), &json("1.0")), Truth::Holds);
        assert_eq!(equals(&json("1"), &json("2")), Truth::Fails);
        assert_eq!(equals(&json("\"1\""), &json("1")), Truth::Unknown);
        assert_eq!(equals(&json("[1]"), &json("[1]")), Truth::Unknown);
        let list = [json("1"), json("\"a\"")];
        assert_eq!(is_in(&json("\"a\""), &list), Truth::Holds);
        assert_eq!(is_in(&json("\"b\""), &list), Truth::Fails);
        assert_eq!(is_in(&json("true"), &list), Truth::Unknown);
    }

    #[test]
    fn an_array_or_a_list_of_words_contains_a_value() {
        let admin = json("\"admin\"");
        for (value, truth) in [
            (r#"["user","admin"]"#, Truth::Holds),
            (r#""user admin""#, Truth::Holds),
            (r#""administrator""#, Truth::Fails),
            (r#"["administrator"]"#, Truth::Fails),
            (r"[]", Truth::Fails),
            (r#"[{"name":"admin"}]"#, Truth::Unknown),
            (r#"{"admin":true}"#, Truth::Unknown),
            ("7", Truth::Unknown),
        ] {
            assert_eq!(contains(&json(value), &admin), truth, "{value}");
        }
    }

    #[test]
    fn numbers_are_compared_exactly() {
        for (left, right, order) in [
            ("1", "1.0", Ordering::Equal),
            ("1000", "1000.0000001", Ordering::Less),
            ("-1000", "-1000.5", Ordering::Greater),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("18446744073709551615", "1e300", Ordering::Less),
            ("-9223372036854775808", "-1e300", Ordering::Greater),
            ("0.1", "0.2", Ordering::Less),
            ("-0.0", "0", Ordering::Equal),
        ] {
            let (Json::Number(l), Json::Number(r)) = (json(left), json(right)) else {
                panic!("numbers");
            };
            assert_eq!(compare(&l, &r), order, "{left} {right}");
            assert_eq!(compare(&r, &l), order.reverse(), "{right} {left}");
        }
    }
}
