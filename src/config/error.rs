//! What is wrong, or odd, with a configuration.

use core::fmt;

/// One thing that makes a configuration unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as a JSON pointer (RFC 6901). Empty: the whole document.
    pub pointer: String,
    /// What would be right.
    pub expected: String,
    /// What is there instead. Never a secret.
    pub found: String,
}

/// One thing that is allowed but cannot be meant: a rule or a pattern that
/// never matches anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is odd about it.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pointer,
            expected,
            found,
        } = self;
        let place = if pointer.is_empty() {
            "the configuration"
        } else {
            pointer
        };
        write!(f, "{place}: expected {expected}, found {found}")
    }
}

impl core::error::Error for ConfigError {}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.problem)
    }
}
