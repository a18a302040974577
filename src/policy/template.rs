//! URI templates (RFC 6570), as far as it matters which URIs they expand to.

use super::glob::{Reach, Token};
use super::{overlap, uri};

/// A URI template, as the URIs that it may expand to.
#[derive(Clone, Debug)]
pub(super) struct Template {
    tokens: Vec<Token>,
}

impl Template {
    /// The longest template, in characters.
    const MAX_CHARACTERS: usize = 512;

    /// `None` for a text that is no template, for one that is too long, and
    /// for one whose every expansion is ambiguous.
    ///
    /// A simple expression (`{id}`) expands to a run without `/`, which it
    /// would encode; one with an operator (`{+path}`) to anything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > Self::MAX_CHARACTERS {
            return None;
        }
        let mut tokens = Vec::new();
        let mut sample = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once('{') {
            let (expression, behind) = behind.split_once('}')?;
            push_literal(&mut tokens, literal)?;
            sample.push_str(literal);
            push_run(&mut tokens, reach(expression)?);
            sample.extend(example(expression));
            rest = behind;
        }
        push_literal(&mut tokens, rest)?;
        sample.push_str(rest);
        (!uri::is_ambiguous(&sample)).then_some(Self { tokens })
    }

    /// Whether it expands to some URI that the pattern matches.
    pub(super) fn meets(&self, pattern: &[Token]) -> bool {
        overlap::meet(&self.tokens, pattern)
    }

    /// Whether it may expand to a URI that begins so.
    pub(super) fn may_begin_with(&self, head: &str) -> bool {
        let literal = self.tokens.iter().map_while(|token| match token {
            Token::Char(character) => Some(*character),
            _ => None,
        });
        literal.zip(head.chars()).all(|(left, right)| left == right)
    }

    /// Whether the pattern certainly matches everything that it expands to.
    pub(super) fn is_within(&self, pattern: &[Token]) -> bool {
        overlap::covers(pattern, &self.tokens)
    }
}

fn push_literal(tokens: &mut Vec<Token>, literal: &str) -> Option<()> {
    if literal.contains('}') {
        return None;
    }
    tokens.extend(literal.chars().map(Token::Char));
    Some(())
}

/// Expressions that stand together are one run.
fn push_run(tokens: &mut Vec<Token>, reach: Reach) {
    match (tokens.last_mut(), reach) {
        (Some(Token::Run(last)), Reach::Anything) => *last = Reach::Anything,
        (Some(Token::Run(_)), Reach::Segment) => {}
        _ => tokens.push(Token::Run(reach)),
    }
}

/// RFC 6570, section 2.2: the operators, and those that are reserved.
fn reach(expression: &str) -> Option<Reach> {
    if expression.contains('{') {
        return None;
    }
    match expression.chars().next()? {
        '+' | '#' | '.' | '/' | ';' | '?' | '&' | '=' | ',' | '!' | '@' | '|' => {
            Some(Reach::Anything)
        }
        _ => Some(Reach::Segment),
    }
}

/// What an expression may expand to, beginning with what its operator puts
/// there: `..{?q}` is ambiguous, and `..{q}` need not be.
fn example(expression: &str) -> impl Iterator<Item = char> {
    let operator = expression
        .chars()
        .next()
        .filter(|first| matches!(first, '#' | '.' | '/' | ';' | '?' | '&'));
    operator.into_iter().chain(['x'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Pattern;
    use super::super::glob::matches;
    use super::*;

    fn meets(template: &str, pattern: &str) -> bool {
        let template = Template::parse(template).unwrap();
        template.meets(&Pattern::uri(pattern).unwrap().tokens())
    }

    fn is_within(template: &str, pattern: &str) -> bool {
        let template = Template::parse(template).unwrap();
        template.is_within(&Pattern::uri(pattern).unwrap().tokens())
    }

    #[test]
    fn a_simple_expression_stands_for_a_run_without_a_slash() {
        assert!(meets("demo://text/{id}", "demo://text/*"));
        assert!(meets("demo://text/{id}", "demo://text/1"));
        assert!(meets("demo://text/{id}", "demo://text/"));
        assert!(meets("demo://{kind}/{id}", "demo://text/*"));
        assert!(meets("demo://text/{id:3}{more*}", "demo://text/?"));
        assert!(!meets("demo://text/{id}", "demo://text/*/*"));
        assert!(!meets("demo://text/{id}", "demo://blob/*"));
        assert!(is_within("demo://text/{id}", "demo://*/*"));
        assert!(is_within("demo://text/{id}", "demo://**"));
        assert!(!is_within("demo://text/{id}", "demo://text/?*"));
    }

    #[test]
    fn an_expression_with_an_operator_stands_for_anything() {
        for operator in ["+", "#", ".", "/", ";", "?", "&", "|"] {
            let template = format!("demo://text{{{operator}path}}");
            assert!(meets(&template, "demo://text/*/*"), "{operator}");
            assert!(!is_within(&template, "demo://text*"), "{operator}");
            assert!(is_within(&template, "demo://text**"), "{operator}");
        }
    }

    #[test]
    fn literal_text_is_taken_as_it_is() {
        assert!(meets("demo://a*b?/{id}", "demo://a*b?/x"));
        assert!(!meets("demo://a*/{id}", "demo://ab/x"));
        assert!(is_within("demo://plain", "demo://plain"));
    }

    #[test]
    fn what_is_no_template_stands_for_nothing() {
        for text in ["a{b", "a}b", "a{b{c}}", "{}", "a{{b}}", "{a}}"] {
            assert!(Template::parse(text).is_none(), "{text}");
        }
        assert!(Template::parse(&"é".repeat(512)).is_some());
        assert!(Template::parse(&"é".repeat(513)).is_none());
    }

    #[test]
    fn a_template_of_which_every_expansion_is_ambiguous_stands_for_nothing() {
        for text in [
            "demo://a/../{id}",
            "demo://{id}/./x",
            "demo://a\\{id}",
            "demo://a%2F{id}",
            "demo://{a} {b}",
            "demo://a/..{?query}",
            "demo://a/..{/path}",
            "demo://a/..{;v}",
            "demo://a/..{#v}",
        ] {
            assert!(Template::parse(text).is_none(), "{text}");
        }
        for text in ["demo://a/..{id}", "demo://a/{.type}", "demo://a/.{+id}"] {
            assert!(Template::parse(text).is_some(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_template_expands_to_and_a_pattern_matches_is_where_they_meet(
            parts in prop::collection::vec(("[ab/.]{0,3}", "[ab%]{0,3}", "[ab/]{0,3}"), 1..4),
            pattern in "[ab/*?]{1,8}",
        ) {
            let (mut template, mut uri) = (String::new(), String::new());
            for (literal, simple, any) in &parts {
                template.push_str(&format!("{literal}{{v}}{literal}{{+w}}"));
                uri.push_str(&format!("{literal}{simple}{literal}{any}"));
            }
            let pattern = Pattern::uri(&pattern).unwrap();
            match Template::parse(&template) {
                Some(template) => {
                    prop_assert!(matches(&template.tokens, uri.chars()));
                    if pattern.matches(&uri) {
                        prop_assert!(template.meets(&pattern.tokens()));
                    } else {
                        prop_assert!(!template.is_within(&pattern.tokens()));
                    }
                }
                None => {
                    let sample = template.replace("{v}", "x").replace("{+w}", "x");
                    prop_assert!(uri::is_ambiguous(&sample));
                }
            }
        }

        #[test]
        fn any_text_is_a_template_or_none_without_a_panic(text: String, braced in "[{}+a/]{0,12}") {
            let _ = Template::parse(&text);
            let _ = Template::parse(&braced);
        }
    }
}
