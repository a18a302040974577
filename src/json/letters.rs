//! Names that differ in letter case only. Go's encoding/json, for one, takes
//! `Name` for `name`; what such a reader would read must not differ from what
//! was decided on.

/// Equality under the simple Unicode case folding that Go uses: ASCII, and
/// the two letters outside of it that fold to ASCII ones.
pub(crate) fn same_letters(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    folded(left).eq(folded(right))
}

/// Whether a name is spelled like another one but for letter case.
pub(crate) fn is_lookalike(name: &str, of: &str) -> bool {
    name != of && same_letters(name, of)
}

/// Whether a name is a lookalike of one of these, which are ASCII.
pub(crate) fn is_lookalike_of_any(name: &str, of: &[&str]) -> bool {
    if name.is_ascii() {
        // An ASCII name has no lookalikes but of its own length.
        return of
            .iter()
            .any(|of| of.len() == name.len() && is_lookalike(name, of));
    }
    of.iter().any(|of| is_lookalike(name, of))
}

/// Whether two of some names, which differ, have the same letters.
pub(crate) fn has_twins<'n>(names: impl ExactSizeIterator<Item = &'n str> + Clone) -> bool {
    const FEW: usize = 16;
    if names.len() <= FEW {
        let mut later = names;
        while let Some(name) = later.next() {
            if later.clone().any(|other| same_letters(name, other)) {
                return true;
            }
        }
        return false;
    }
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable_by(|left, right| folded(left).cmp(folded(right)));
    names
        .windows(2)
        .any(|pair| matches!(pair, [left, right] if same_letters(left, right)))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(fold)
}

const fn fold(character: char) -> char {
    match character {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        other => other.to_ascii_lowercase(),
    }
}
