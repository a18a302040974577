//! What is wrong with a configuration.

use core::fmt;

use serde_path_to_error::{Path, Segment};

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

impl ConfigError {
    pub(super) fn new(
        pointer: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// What serde says about a document of the wrong shape. It repeats values;
    /// they are left out, since a secret may stand where a name belongs.
    pub(super) fn of_shape(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let message = error.inner().to_string();
        let message = message
            .split_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        let pointer = pointer(error.path());
        if !error.inner().is_data() {
            return Self::new("", "one JSON object", error.inner());
        }
        let (found, expected) = message
            .rsplit_once(", expected ")
            .unwrap_or((message, "a configuration as documented"));
        let found = found
            .strip_prefix("invalid type: ")
            .or_else(|| found.strip_prefix("invalid value: "))
            .map_or(found, |value| value.split(['"', '`']).next().unwrap_or(""));
        Self::new(pointer, expected, found.trim_end())
    }
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

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => token(key),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&token);
    }
    pointer
}

/// A name as a part of a JSON pointer.
pub(super) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
