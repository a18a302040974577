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
}

/// Follows every way to match at once, one character at a time.
pub(super) fn matches(tokens: &[Token], text: impl Iterator<Item = char>) -> bool {
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
