//! Two globs against each other: whether some text matches both, and whether
//! all that the one matches is matched by the other too.

use super::glob::{Places, Reach, Token};

/// Whether some text matches both.
///
/// Takes the time of one pass over `left`, times the number of places in
/// `right` that are possible at once.
pub(super) fn meet(left: &[Token], right: &[Token]) -> bool {
    // The places in `right` that a text can lead to which leads to this token
    // of `left`, in order.
    let mut places = vec![0];
    for token in left {
        places = behind(*token, &places, right);
        if places.is_empty() {
            return false;
        }
    }
    places.iter().any(|place| {
        let rest = right.get(*place..).unwrap_or_default();
        rest.iter().all(|token| matches!(token, Token::Run(_)))
    })
}

/// The places in `right` behind one token of `left`.
fn behind(token: Token, places: &[usize], right: &[Token]) -> Vec<usize> {
    let runs = matches!(token, Token::Run(_));
    let mut behind: Vec<usize> = Vec::new();
    let mut before = places.iter().copied().peekable();
    // The next place, where it can be reached without leaving the token.
    let mut within = None;
    while let Some(place) = within.take().or_else(|| before.next()) {
        before.next_if_eq(&place);
        let other = right.get(place).copied();
        let other_runs = matches!(other, Some(Token::Run(_)));
        let shared = other.is_some_and(|other| share_a_character(token, other));
        let next = place.saturating_add(1);
        let reached = match (runs, shared) {
            (true, _) => Some(place),
            (false, true) if other_runs => Some(place),
            (false, true) => Some(next),
            (false, false) => None,
        };
        if reached.is_some() && behind.last().copied() != reached {
            behind.extend(reached);
        }
        // A run may be empty, and one of `left` may reach over more.
        within = (other_runs || (runs && shared)).then_some(next);
    }
    behind
}

fn share_a_character(left: Token, right: Token) -> bool {
    match (left, right) {
        (Token::Char(left), Token::Char(right)) => left == right,
        (Token::Char(character), Token::One(reach) | Token::Run(reach))
        | (Token::One(reach) | Token::Run(reach), Token::Char(character)) => {
            reach.accepts(character)
        }
        (Token::One(_) | Token::Run(_), Token::One(_) | Token::Run(_)) => true,
    }
}

/// Whether everything that `inner` matches is matched by `outer` too. `false`
/// where that is not obvious.
///
/// A wildcard of `inner` can only be matched by one of `outer`, and what that
/// one reaches over, it reaches over in every text.
pub(super) fn covers(outer: &[Token], inner: &[Token]) -> bool {
    // The places in `outer` that every text leads to which leads to this
    // token of `inner`.
    let mut current = Places::new(outer);
    let mut next = Places::new(outer);
    current.enter(0);
    for token in inner {
        next.clear();
        for &place in &current.list {
            match (outer.get(place), token) {
                (Some(Token::Run(reach)), token) if reach.spans(*token) => next.enter(place),
                (Some(Token::One(_)), Token::Run(_)) => {}
                (Some(Token::One(reach)), token) if reach.spans(*token) => {
                    next.enter(place.saturating_add(1));
                }
                (Some(Token::Char(left)), Token::Char(right)) if left == right => {
                    next.enter(place.saturating_add(1));
                }
                _ => {}
            }
        }
        core::mem::swap(&mut current, &mut next);
    }
    current.list.contains(&outer.len())
}

impl Reach {
    /// Whether it may stand for everything that the token stands for.
    fn spans(self, token: Token) -> bool {
        match (self, token) {
            (Self::Anything, _)
            | (Self::Segment, Token::One(Self::Segment) | Token::Run(Self::Segment)) => true,
            (Self::Segment, Token::Char(character)) => self.accepts(character),
            (Self::Segment, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::glob::{matches, tokens};
    use super::*;

    fn of_name(text: &str) -> Vec<Token> {
        tokens(text, Reach::Anything)
    }

    fn of_uri(text: &str) -> Vec<Token> {
        tokens(text, Reach::Segment)
    }

    #[test]
    fn two_globs_meet_where_some_text_matches_both() {
        for (left, right) in [
            ("a*", "*b"),
            ("a*c", "ab*"),
            ("*", "?"),
            ("*a*", "b?*"),
            ("a/**", "**/b"),
            ("a/*/c", "*/b/*"),
            ("**", "x"),
        ] {
            assert!(meet(&of_uri(left), &of_uri(right)), "{left} {right}");
            assert!(meet(&of_uri(right), &of_uri(left)), "{right} {left}");
        }
        for (left, right) in [
            ("a*", "b*"),
            ("*a", "*b"),
            ("a/*", "a/*/*"),
            ("?", "ab*"),
            ("*", "a/b"),
            ("a?", "a/"),
            ("*x", "*x/"),
        ] {
            assert!(!meet(&of_uri(left), &of_uri(right)), "{left} {right}");
            assert!(!meet(&of_uri(right), &of_uri(left)), "{right} {left}");
        }
    }

    #[test]
    fn two_long_globs_are_compared_in_time() {
        let left = of_name(&"a*".repeat(1024));
        let right = of_name(&format!("{}b", "*a".repeat(255)));
        assert!(meet(&left, &right));
        assert!(!covers(&left, &right));
        assert!(covers(&left, &left));
    }

    /// Every text of up to six characters.
    fn texts() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..6 {
            longest = longest
                .iter()
                .flat_map(|text| ["a", "b", "/"].map(|more| format!("{text}{more}")))
                .collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Wildcards in globs of up to three tokens need no more than six
        /// characters to match what both match.
        #[test]
        fn globs_meet_exactly_where_some_text_matches_both(
            left in "[ab/*?]{1,3}", right in "[ab/*?]{1,3}",
        ) {
            for make in [of_name, of_uri] {
                let (left, right) = (make(&left), make(&right));
                let both = texts()
                    .iter()
                    .any(|text| matches(&left, text.chars()) && matches(&right, text.chars()));
                prop_assert_eq!(meet(&left, &right), both);
                prop_assert_eq!(meet(&right, &left), both);
            }
        }

        #[test]
        fn what_matches_both_meets_and_what_is_covered_is_matched(
            left in "[ab/*?]{1,8}", right in "[ab/*?]{1,8}", text in "[ab/]{0,9}",
        ) {
            for make in [of_name, of_uri] {
                let (left, right) = (make(&left), make(&right));
                let (on_left, on_right) =
                    (matches(&left, text.chars()), matches(&right, text.chars()));
                if on_left && on_right {
                    prop_assert!(meet(&left, &right));
                }
                if on_right && covers(&left, &right) {
                    prop_assert!(on_left);
                }
                prop_assert!(covers(&left, &left));
            }
        }
    }
}
