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
    const MAX_CHARACTERS: usize = 2048;

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
