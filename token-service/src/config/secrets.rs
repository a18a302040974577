//! Where secrets come from: an environment variable or a file, never the
//! configuration itself.

use std::io;
use std::path::Path;

use serde_json::Value;

use super::ConfigError;
use crate::secret::Secret;

/// What the configuration takes from outside.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "functions")]
pub struct Outside<'a> {
    /// The value of an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The content of a file.
    pub file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

const EXPECTED: &str = "an object with the field environment or the field file";

/// The secret that the value names. Nothing of the value is repeated in an
/// error: a secret may stand where its name belongs.
pub(super) fn secret(
    value: &Value,
    pointer: &str,
    outside: Outside<'_>,
) -> Result<Secret, ConfigError> {
    let error = |expected: &str, found: &str| Err(ConfigError::new(pointer, expected, found));
    let Some(object) = value.as_object() else {
        return error(EXPECTED, "something else");
    };
    let mut members = object.iter();
    let (Some((field, name)), None) = (members.next(), members.next()) else {
        return error(EXPECTED, "none of them, or more than one field");
    };
    let Some(name) = name.as_str() else {
        return error("a name in a string", "something else");
    };
    let bytes = match field.as_str() {
        "environment" => match (outside.environment)(name) {
            Some(value) => value.into_bytes(),
            None => return error("the name of an environment variable", "one that is not set"),
        },
        "file" => match (outside.file)(Path::new(name)) {
            Ok(bytes) => bytes,
            Err(problem) => return error("a file that can be read", &problem.to_string()),
        },
        _ => return error(EXPECTED, "another field"),
    };
    // Files end with a line break that nobody means.
    let secret = bytes.trim_ascii();
    if secret.is_empty() {
        return error("a secret that is not empty", "an empty one");
    }
    Ok(Secret::new(secret))
}
