//! Names that differ in letter case only. Go's encoding/json, for one, takes
//! `Name` for `name`; what such a reader would read must not differ from what
//! was decided on.

/// Equality under the simple Unicode case folding that Go uses: ASCII, and
/// the two letters outside of it that fold to ASCII ones.
pub(crate) fn same_letters(left: &str, right: &str) -> bool {
    left.chars().map(fold).eq(right.chars().map(fold))
}

/// The name that all names with the same letters share.
pub(crate) fn folded_name(name: &str) -> String {
    name.chars().map(fold).collect()
}

const fn fold(character: char) -> char {
    match character {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        other => other.to_ascii_lowercase(),
    }
}
