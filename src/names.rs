//! Names, of which each counts once.

/// The names in order, each once. Everything that orders names does it here:
/// another type to sort is three kilobytes of code.
#[inline(never)]
pub(crate) fn distinct(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether some name is there more than once.
pub(crate) fn repeat(names: Vec<&str>) -> bool {
    let all = names.len();
    distinct(names).len() != all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_each_is_there_once() {
        assert_eq!(distinct(vec!["b", "a", "b", ""]), ["", "a", "b"]);
        assert!(repeat(vec!["b", "a", "b"]));
        assert!(!repeat(vec!["b", "a", "B"]));
        assert!(!repeat(Vec::new()));
    }
}
