//! Glob patterns for names, argument values and URIs.
//!
//! `*` stands for any run of characters and `?` for one character; there is
//! no escape and no other special character. In a URI, `*` and `?` do not
//! cross `/`, and `**` does. Case matters.
//!
//! Matching takes the time of one pass over the text, times the number of
//! places in the pattern that are possible at once. That number comes from
//! the configuration, never from a peer.

use core::fmt;

use super::glob::{Reach, Token, matches, tokens};
use super::overlap;

/// A glob pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    shape: Shape,
}

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPattern {
    /// The empty text.
    Empty,
    /// More than [`Pattern::MAX_CHARACTERS`].
    TooLong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// No wildcard.
    Exact,
    /// A fixed beginning, then anything.
    Prefix(String),
    /// One run, with a fixed beginning before it and a fixed end behind it.
    Around {
        head: String,
        run: Reach,
        tail: String,
    },
    /// Everything else: what the text has to begin and to end with, and all
    /// tokens.
    Tokens {
        head: String,
        tail: String,
        tokens: Vec<Token>,
    },
}

impl Pattern {
    /// The longest pattern, in characters.
    pub const MAX_CHARACTERS: usize = 512;

    /// A pattern for names and argument values: `*` crosses everything.
    ///
    /// # Errors
    /// [`InvalidPattern`]
    pub fn name(text: &str) -> Result<Self, InvalidPattern> {
        Self::compile(text, Reach::Anything)
    }

    /// A pattern for URIs: `*` and `?` stop at `/`, `**` does not.
    ///
    /// # Errors
    /// [`InvalidPattern`]
    pub fn uri(text: &str) -> Result<Self, InvalidPattern> {
        Self::compile(text, Reach::Segment)
    }

    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has no wildcard.
    pub const fn is_exact(&self) -> bool {
        matches!(self.shape, Shape::Exact)
    }

    /// Whether the pattern matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Exact => self.text == text,
            Shape::Prefix(head) => text.starts_with(head.as_str()),
            Shape::Around { head, run, tail } => text
                .strip_prefix(head.as_str())
                .and_then(|rest| rest.strip_suffix(tail.as_str()))
                .is_some_and(|between| run.accepts_all(between)),
            Shape::Tokens { head, tail, tokens } => {
                text.starts_with(head.as_str())
                    && text.ends_with(tail.as_str())
                    && matches(tokens, text.chars())
            }
        }
    }

    /// What every text begins with that it matches.
    pub(super) fn head(&self) -> &str {
        match &self.shape {
            Shape::Exact => &self.text,
            Shape::Prefix(head) | Shape::Around { head, .. } | Shape::Tokens { head, .. } => head,
        }
    }

    /// What every text ends with that it matches.
    pub(super) fn tail(&self) -> &str {
        match &self.shape {
            Shape::Exact => &self.text,
            Shape::Prefix(_) => "",
            Shape::Around { tail, .. } | Shape::Tokens { tail, .. } => tail,
        }
    }

    /// Whether it matches every text, as far as that is obvious.
    pub(super) fn is_universal(&self) -> bool {
        matches!(&self.shape, Shape::Prefix(head) if head.is_empty())
    }

    /// What it is made of.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let literal = |text: &str| text.chars().map(Token::Char).collect::<Vec<_>>();
        match &self.shape {
            Shape::Exact => literal(&self.text),
            Shape::Prefix(head) => {
                let mut tokens = literal(head);
                tokens.push(Token::Run(Reach::Anything));
                tokens
            }
            Shape::Around { head, run, tail } => {
                let mut tokens = literal(head);
                tokens.push(Token::Run(*run));
                tokens.extend(literal(tail));
                tokens
            }
            Shape::Tokens { tokens, .. } => tokens.clone(),
        }
    }

    /// Whether everything that `other` matches is matched by this one too.
    /// `false` where that is not obvious. Both are of the same kind.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        overlap::covers(&self.tokens(), &other.tokens())
    }

    /// Whether some text matches both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        overlap::meet(&self.tokens(), &other.tokens())
    }

    fn compile(text: &str, reach: Reach) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(InvalidPattern::TooLong);
        }
        Ok(Self {
            text: text.to_owned(),
            shape: shape(text, reach),
        })
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty text"),
            Self::TooLong => write!(
                f,
                "a text of more than {} characters",
                Pattern::MAX_CHARACTERS
            ),
        }
    }
}

fn shape(text: &str, reach: Reach) -> Shape {
    let tokens = tokens(text, reach);
    let mut wildcards = tokens.iter().filter_map(|token| match token {
        Token::Char(_) => None,
        wildcard => Some(*wildcard),
    });
    let head = literal(tokens.iter());
    let tail = || {
        literal(tokens.iter().rev())
            .chars()
            .rev()
            .collect::<String>()
    };
    match (wildcards.next(), wildcards.next()) {
        (None, _) => Shape::Exact,
        (Some(Token::Run(run)), None) => match (run, tail()) {
            (Reach::Anything, tail) if tail.is_empty() => Shape::Prefix(head),
            (run, tail) => Shape::Around { head, run, tail },
        },
        _ => Shape::Tokens {
            head,
            tail: tail(),
            tokens,
        },
    }
}

/// The characters up to the first wildcard.
fn literal<'a>(tokens: impl Iterator<Item = &'a Token>) -> String {
    let characters = tokens.map_while(|token| match token {
        Token::Char(character) => Some(*character),
        _ => None,
    });
    characters.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(pattern: &str, text: &str) -> bool {
        Pattern::name(pattern).unwrap().matches(text)
    }

    fn uri(pattern: &str, text: &str) -> bool {
        Pattern::uri(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_star_in_a_name_stands_for_any_run_of_characters() {
        for (pattern, text) in [
            ("get-*", "get-"),
            ("get-*", "get-a/b c"),
            ("*", ""),
            ("*-sum", "get-sum"),
            ("a*b*c", "a-b-b-c"),
            ("?", "é"),
            ("a?c", "a\u{1f600}c"),
            ("**", "anything"),
        ] {
            assert!(name(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("get-*", "Get-x"),
            ("get-*", "xget-y"),
            ("*-sum", "get-summary"),
            ("?", ""),
            ("?", "ab"),
            ("a*b*c", "a-c-b"),
            ("echo", "echo "),
            ("echo", "ech"),
        ] {
            assert!(!name(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn in_a_uri_only_two_stars_cross_a_slash() {
        assert!(uri("demo://text/*", "demo://text/1"));
        assert!(!uri("demo://text/*", "demo://text/1/2"));
        assert!(uri("demo://text/**", "demo://text/1/2"));
        assert!(uri("**/x", "demo://a/b/x"));
        assert!(uri("demo://*/x/**/y", "demo://a/x/b/c/y"));
        assert!(!uri("demo://*/x/**/y", "demo://a/b/x/c/y"));
        assert!(!uri("a?b", "a/b"));
        assert!(uri("**", "any:thing/at/all"));
    }

    #[test]
    fn an_empty_or_overlong_text_is_no_pattern() {
        assert_eq!(Pattern::name(""), Err(InvalidPattern::Empty));
        assert!(Pattern::name(&"é".repeat(512)).is_ok());
        assert_eq!(
            Pattern::name(&"a".repeat(513)),
            Err(InvalidPattern::TooLong)
        );
    }

    #[test]
    fn one_pattern_covers_another_only_where_that_is_certain() {
        let covers = |left: &str, right: &str| {
            Pattern::name(left)
                .unwrap()
                .covers(&Pattern::name(right).unwrap())
        };
        assert!(covers("get-*", "get-env"));
        assert!(covers("get-*", "get-*"));
        assert!(covers("get-*", "get-e*"));
        assert!(covers("g?t", "g?t"));
        assert!(!covers("get-?", "get-*"));
        assert!(!covers("get-e*", "get-*"));
        let covers = |left: &str, right: &str| {
            Pattern::uri(left)
                .unwrap()
                .covers(&Pattern::uri(right).unwrap())
        };
        assert!(covers("a/**", "a/*"));
        assert!(!covers("a/*", "a/**"));
    }

    #[test]
    fn a_hostile_text_is_matched_in_linear_time() {
        let text = "a".repeat(1_000_000);
        assert!(!name("*a*a*a*a*a*a*b", &text));
        assert!(!uri("**a*a**a*a**b", &text));
        assert!(name("data:*", &format!("data:{text}")));
    }

    /// The definition, in exponential time.
    fn by_definition(pattern: &[char], text: &[char], crosses: bool) -> bool {
        let Some((first, rest)) = pattern.split_first() else {
            return text.is_empty();
        };
        match first {
            '*' => {
                let stars = pattern.iter().take_while(|star| **star == '*').count();
                let rest = &pattern[stars..];
                let crosses_here = crosses || stars > 1;
                (0..=text.len())
                    .take_while(|end| crosses_here || !text[..*end].contains(&'/'))
                    .any(|end| by_definition(rest, &text[end..], crosses))
            }
            _ => text.split_first().is_some_and(|(character, tail)| {
                let one = *first == '?' && (crosses || *character != '/');
                (one || character == first) && by_definition(rest, tail, crosses)
            }),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab/*?é]{1,8}", text in "[ab/é*?]{0,9}") {
            let characters: Vec<char> = text.chars().collect();
            let wanted: Vec<char> = pattern.chars().collect();
            prop_assert_eq!(name(&pattern, &text), by_definition(&wanted, &characters, true));
            prop_assert_eq!(uri(&pattern, &text), by_definition(&wanted, &characters, false));
        }

        #[test]
        fn a_pattern_without_wildcards_matches_itself_only(text in "[^*?]{1,20}", other: String) {
            prop_assert!(name(&text, &text));
            prop_assert_eq!(name(&text, &other), text == other);
        }

        #[test]
        fn what_is_covered_is_matched_and_what_both_match_overlaps(
            left in "[ab/*?]{1,5}", right in "[ab/*?]{1,5}", text in "[ab/]{0,6}",
        ) {
            for make in [Pattern::name, Pattern::uri] {
                let (left, right) = (make(&left).unwrap(), make(&right).unwrap());
                if left.covers(&right) && right.matches(&text) {
                    prop_assert!(left.matches(&text));
                }
                if left.matches(&text) && right.matches(&text) {
                    prop_assert!(left.overlaps(&right));
                }
            }
        }
    }
}
