//! A body that is one JSON text.

use super::body::{Bounds, Fed};
use super::glance::Glance;
use super::part::Held;
use super::withheld::Withheld;
use super::{Inspect, Ruling};

/// The JSON text of a body, as it comes.
#[derive(Debug)]
pub(super) struct Document {
    bounds: Bounds,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting(Waiting),
    /// A message that goes on before it is complete.
    Flowing(Box<Glance>),
    /// It has gone on, or something else has in its place.
    Over,
}

/// What has come is held.
#[derive(Debug, Default)]
struct Waiting {
    held: Held,
    /// Whether it may go on before it is complete has been asked.
    was_asked: bool,
}

/// What becomes of all that has come.
enum Decision {
    Wait,
    Pass(Stage),
    Instead(Vec<u8>),
    Cut,
}

impl Document {
    pub(super) const fn new(bounds: Bounds) -> Self {
        let waiting = Waiting {
            held: Held::new(),
            was_asked: false,
        };
        Self {
            bounds,
            stage: Stage::Waiting(waiting),
        }
    }

    pub(super) const fn is_settled(&self) -> bool {
        match &self.stage {
            Stage::Waiting(waiting) => waiting.held.is_empty(),
            Stage::Over => true,
            Stage::Flowing(_) => false,
        }
    }

    #[cfg(test)]
    pub(super) const fn held(&self) -> (usize, usize) {
        match &self.stage {
            Stage::Waiting(waiting) => waiting.held.size(),
            _ => (0, 0),
        }
    }

    pub(super) fn feed(&mut self, part: &[u8], is_last: bool, inspect: &mut dyn Inspect) -> Fed {
        match &mut self.stage {
            Stage::Waiting(waiting) => {
                // What comes first is not copied before it has to be held.
                let was_empty = waiting.held.is_empty();
                if !was_empty {
                    waiting.held.push(part, self.bounds.limit);
                }
                let (next, fed) = match waiting.decide(part, is_last, self.bounds, inspect) {
                    Decision::Wait => {
                        if was_empty {
                            waiting.held.push(part, self.bounds.limit);
                        }
                        return Fed::Instead(Vec::new());
                    }
                    Decision::Pass(next) if was_empty => (next, Fed::AsItCame),
                    Decision::Pass(next) => (next, Fed::Instead(waiting.held.take())),
                    Decision::Instead(text) => (Stage::Over, Fed::Instead(text)),
                    Decision::Cut => (Stage::Over, Fed::Cut(Vec::new())),
                };
                self.stage = next;
                fed
            }
            Stage::Flowing(glance) => {
                glance.feed(part);
                if glance.may_flow() {
                    Fed::AsItCame
                } else {
                    Fed::Cut(Vec::new())
                }
            }
            Stage::Over => Fed::Instead(Vec::new()),
        }
    }
}

impl Waiting {
    /// `part` is the end of what has come, and all of it where nothing is held.
    fn decide(
        &mut self,
        part: &[u8],
        is_last: bool,
        bounds: Bounds,
        inspect: &mut dyn Inspect,
    ) -> Decision {
        let all = if self.held.is_empty() {
            part
        } else {
            self.held.bytes()
        };
        if !self.was_asked && all.len() > bounds.flow_from {
            self.was_asked = true;
            if inspect.may_flow()
                && let Some((before, after)) = all.split_at_checked(bounds.flow_from)
            {
                let mut glance: Box<Glance> = Box::default();
                glance.feed(before);
                if glance.may_flow() {
                    glance.feed(after);
                    return if glance.may_flow() {
                        Decision::Pass(Stage::Flowing(glance))
                    } else {
                        Decision::Cut
                    };
                }
            }
        }
        if all.len() > bounds.limit {
            return Decision::in_place(inspect.unread(Withheld::TooLarge));
        }
        if !is_last {
            return Decision::Wait;
        }
        // Of what came in one part, that was asked before.
        if !self.held.is_empty() && inspect.passes(all) {
            return Decision::Pass(Stage::Over);
        }
        match inspect.message(all) {
            Some(Ruling::Pass) => Decision::Pass(Stage::Over),
            Some(ruling) => Decision::in_place(ruling),
            None if is_cut_off(all) => Decision::in_place(inspect.unread(Withheld::CutOff)),
            None => Decision::in_place(inspect.unread(Withheld::NotUnderstood)),
        }
    }
}

impl Decision {
    /// What was not read does not pass, whatever is said of it.
    fn in_place(ruling: Ruling) -> Self {
        Self::Instead(match ruling {
            Ruling::Instead(text) => text,
            Ruling::Drop | Ruling::Pass => Vec::new(),
        })
    }
}

/// Whether this is the beginning of an object or an array, and not all of one.
fn is_cut_off(text: &[u8]) -> bool {
    if let Err(error) = str::from_utf8(text) {
        // Within a character.
        return error.error_len().is_none();
    }
    let mut open = 0_usize;
    let mut bytes = text.trim_ascii_start().iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if open > 0 && !skip_string(&mut bytes) => return true,
            b'{' | b'[' => open = open.saturating_add(1),
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            return false;
        }
    }
    open > 0
}

/// Goes over what is left of a string. Whether its end is there.
fn skip_string<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> bool {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return true,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    false
}
