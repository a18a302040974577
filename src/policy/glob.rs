//! Matching globs, token by token.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Char(char),
    One(Reach),
    Run(Reach),
}

/// What a wildcard may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Anything,
    Segment,
}

/// Stars that stand together are one run, so no two runs are neighbours.
pub(super) fn tokens(text: &str, reach: Reach) -> Vec<Token> {
    let mut tokens = Vec::new();
    for character in text.chars() {
        match (character, tokens.last_mut()) {
            ('*', Some(Token::Run(last))) => *last = Reach::Anything,
            ('*', _) => tokens.push(Token::Run(reach)),
            ('?', _) => tokens.push(Token::One(reach)),
            (literal, _) => tokens.push(Token::Char(literal)),
        }
    }
    tokens
}

impl Reach {
    pub(super) const fn accepts(self, character: char) -> bool {
        match self {
            Self::Anything => true,
            Self::Segment => character != '/',
        }
    }

    pub(super) fn accepts_all(self, text: &str) -> bool {
        self == Self::Anything || !text.contains('/')
    }
}

/// Follows every way to match at once, one character at a time.
pub(super) fn matches(tokens: &[Token], text: impl Iterator<Item = char>) -> bool {
    if tokens.len() < Few::MOST {
        few_match(tokens, text)
    } else {
        many_match(tokens, text)
    }
}

fn few_match(tokens: &[Token], text: impl Iterator<Item = char>) -> bool {
    let mut current = Few::default();
    current.enter(0, tokens);
    for character in text {
        let mut next = Few::default();
        for place in current {
            match tokens.get(place) {
                Some(Token::Char(wanted)) if *wanted == character => {
                    next.enter(place.saturating_add(1), tokens);
                }
                Some(Token::One(reach)) if reach.accepts(character) => {
                    next.enter(place.saturating_add(1), tokens);
                }
                Some(Token::Run(reach)) if reach.accepts(character) => next.enter(place, tokens),
                _ => {}
            }
        }
        current = next;
        if current == Few::default() {
            return false;
        }
        let open_end = matches!(tokens.last(), Some(Token::Run(Reach::Anything)));
        if open_end && current.has(tokens.len()) {
            return true;
        }
    }
    current.has(tokens.len())
}

/// A set of places between the tokens of a pattern that has few, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Few(u64);

impl Few {
    /// With as many tokens, one place would have no bit.
    const MOST: usize = 64;

    fn bit(place: usize) -> u64 {
        u32::try_from(place)
            .ok()
            .and_then(|place| 1_u64.checked_shl(place))
            .unwrap_or_default()
    }

    fn has(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    /// As [`Places::enter`]; no two runs are neighbours.
    fn enter(&mut self, place: usize, tokens: &[Token]) {
        self.0 |= Self::bit(place);
        if matches!(tokens.get(place), Some(Token::Run(_))) {
            self.0 |= Self::bit(place.saturating_add(1));
        }
    }
}

/// The places.
impl Iterator for Few {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros();
        self.0 &= self.0.checked_sub(1)?;
        usize::try_from(place).ok()
    }
}

fn many_match(tokens: &[Token], text: impl Iterator<Item = char>) -> bool {
    let mut current = Places::new(tokens);
    let mut next = Places::new(tokens);
    current.enter(0);
    for character in text {
        next.clear();
        for &place in &current.list {
            match tokens.get(place) {
                Some(Token::Char(wanted)) if *wanted == character => {
                    next.enter(place.saturating_add(1));
                }
                Some(Token::One(reach)) if reach.accepts(character) => {
                    next.enter(place.saturating_add(1));
                }
                Some(Token::Run(reach)) if reach.accepts(character) => next.enter(place),
                _ => {}
            }
        }
        core::mem::swap(&mut current, &mut next);
        if current.list.is_empty() {
            return false;
        }
        if current.anything_follows() {
            return true;
        }
    }
    current.list.contains(&tokens.len())
}

/// A set of places between the tokens of a pattern.
pub(super) struct Places<'a> {
    tokens: &'a [Token],
    pub(super) list: Vec<usize>,
    entered: Vec<bool>,
}

impl<'a> Places<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self {
            tokens,
            list: Vec::new(),
            entered: vec![false; tokens.len().saturating_add(1)],
        }
    }

    pub(super) fn clear(&mut self) {
        for place in self.list.drain(..) {
            if let Some(entered) = self.entered.get_mut(place) {
                *entered = false;
            }
        }
    }

    /// Adds the place before a token, and, since a run may be empty, the
    /// place after a run.
    pub(super) fn enter(&mut self, mut place: usize) {
        while let Some(entered) = self.entered.get_mut(place) {
            if core::mem::replace(entered, true) {
                return;
            }
            self.list.push(place);
            if !matches!(self.tokens.get(place), Some(Token::Run(_))) {
                return;
            }
            place = place.saturating_add(1);
        }
    }

    /// Whether the pattern ends with a run over everything that was reached:
    /// the rest of the text makes no difference.
    fn anything_follows(&self) -> bool {
        matches!(self.tokens.last(), Some(Token::Run(Reach::Anything)))
            && self.entered.last() == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_tokens_match_what_many_would(pattern in "[ab/*?]{0,10}", text in "[ab/]{0,12}") {
            for reach in [Reach::Anything, Reach::Segment] {
                let tokens = tokens(&pattern, reach);
                let few = few_match(&tokens, text.chars());
                prop_assert_eq!(few, many_match(&tokens, text.chars()));
            }
        }

        #[test]
        fn as_many_tokens_as_there_are_bits_match_as_well(length in 60..68_usize) {
            let pattern = format!("*b?{}", "a".repeat(length));
            let text = format!("b{pattern}");
            let tokens = tokens(&pattern, Reach::Anything);
            prop_assert!(matches(&tokens, text.chars()));
            prop_assert!(!matches(&tokens, text.chars().chain(['b'])));
        }
    }
}
