//! Many patterns at once: which of them match a text, without trying each.
//!
//! A pattern is found by a literal part that every text has which it matches:
//! all of it, its beginning, or its end. What is found by it is tried, and so
//! are the patterns that have no such part.

use std::ops::Deref;

use super::Pattern;

/// Patterns, with tables made once to find those that match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    list: Vec<Pattern>,
    exact: Table,
    heads: Table,
    tails: Table,
    /// Those that begin and end with a wildcard.
    others: Vec<u32>,
}

/// Places in a list, in order: a few of them without an allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    few: [u32; Self::FEW],
    count: usize,
    /// All of them, where they are more.
    many: Vec<u32>,
}

/// Patterns by the hash of a literal part.
#[derive(Clone, Debug, Default)]
struct Table {
    /// The lengths of these parts in bytes, ascending.
    lengths: Vec<usize>,
    /// Where the entries of each bucket begin, and where the last one's end. A
    /// power of two of buckets, and at least as many as entries.
    starts: Vec<u32>,
    /// By bucket.
    entries: Vec<(Hash, u32)>,
}

/// FNV-1a. What is hashed into a table comes from the configuration; a text
/// that is looked up can collide with that only, and is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash(u64);

// === impl Patterns ===

impl Patterns {
    pub(crate) fn new(list: Vec<Pattern>) -> Self {
        let shared = Shared::of(&list);
        let mut patterns = Self::default();
        let (mut exact, mut heads, mut tails) = (Vec::new(), Vec::new(), Vec::new());
        for (place, pattern) in (0_u32..).zip(&list) {
            let (head, tail) = (pattern.head(), pattern.tail());
            if pattern.is_exact() {
                exact.push((head.len(), Hash::of(head.bytes()), place));
            } else if head.is_empty() && tail.is_empty() {
                patterns.others.push(place);
            } else if shared.prefers_head(head, tail) {
                heads.push((head.len(), Hash::of(head.bytes()), place));
            } else {
                tails.push((tail.len(), Hash::of(tail.bytes().rev()), place));
            }
        }
        patterns.exact = Table::new(&exact);
        patterns.heads = Table::new(&heads);
        patterns.tails = Table::new(&tails);
        patterns.list = list;
        patterns
    }

    /// Whether any of them matches the whole text.
    pub(crate) fn match_any(&self, text: &str) -> bool {
        !self.list.is_empty() && !self.find(text).as_slice().is_empty()
    }

    /// Those that match the whole text.
    pub(super) fn find(&self, text: &str) -> Places {
        let mut found = Places::default();
        let mut look = |places: &Table, hash| {
            for place in places.with(hash) {
                self.try_one(place, text, &mut found);
            }
        };
        let end = Hash::each(text.bytes(), &self.heads.lengths, |hash| {
            look(&self.heads, hash);
        });
        if self.exact.longest() >= text.len() && !self.exact.entries.is_empty() {
            let rest = text.bytes().skip(self.heads.longest());
            look(&self.exact, end.with_all(rest));
        }
        Hash::each(text.bytes().rev(), &self.tails.lengths, |hash| {
            look(&self.tails, hash);
        });
        for place in &self.others {
            self.try_one(*place, text, &mut found);
        }
        found.sort();
        found
    }

    fn try_one(&self, place: u32, text: &str, found: &mut Places) {
        let pattern = usize::try_from(place)
            .ok()
            .and_then(|place| self.list.get(place));
        if pattern.is_some_and(|pattern| pattern.matches(text)) {
            found.push(place);
        }
    }
}

impl Deref for Patterns {
    type Target = [Pattern];

    fn deref(&self) -> &[Pattern] {
        &self.list
    }
}

impl FromIterator<Pattern> for Patterns {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        Self::new(patterns.into_iter().collect())
    }
}

/// How many patterns have the same beginning, and the same end.
struct Shared<'a> {
    /// The beginnings of all patterns, in order.
    heads: Vec<&'a str>,
    /// Their ends, in order.
    tails: Vec<&'a str>,
}

impl<'a> Shared<'a> {
    fn of(list: &'a [Pattern]) -> Self {
        let sorted = |part: fn(&'a Pattern) -> &'a str| {
            let patterns = list.iter().filter(|pattern| !pattern.is_exact());
            let mut parts: Vec<&str> = patterns.map(part).collect();
            parts.sort_unstable();
            parts
        };
        Self {
            heads: sorted(Pattern::head),
            tails: sorted(Pattern::tail),
        }
    }

    /// Whether fewer patterns are found by this beginning than by this end. One
    /// of the two is not empty.
    fn prefers_head(&self, head: &str, tail: &str) -> bool {
        let count = |sorted: &[&str], part: &str| {
            let end = sorted.partition_point(|other| *other <= part);
            end.saturating_sub(sorted.partition_point(|other| *other < part))
        };
        tail.is_empty()
            || (!head.is_empty() && count(&self.heads, head) <= count(&self.tails, tail))
    }
}

// === impl Table ===

impl Table {
    /// `parts`: length, hash, and where in the list.
    fn new(parts: &[(usize, Hash, u32)]) -> Self {
        let mut table = Self {
            lengths: Vec::new(),
            starts: vec![0; parts.len().next_power_of_two().saturating_add(1)],
            entries: vec![(Hash(0), 0); parts.len()],
        };
        for (length, hash, _) in parts {
            if let Err(place) = table.lengths.binary_search(length) {
                table.lengths.insert(place, *length);
            }
            let behind = table.bucket(*hash).saturating_add(1);
            if let Some(count) = table.starts.get_mut(behind) {
                *count = count.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for start in &mut table.starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        // In each bucket in the order of the list.
        let mut free = table.starts.clone();
        for (_, hash, place) in parts {
            let bucket = table.bucket(*hash);
            if let Some(next) = free.get_mut(bucket)
                && let Ok(at) = usize::try_from(*next)
                && let Some(entry) = table.entries.get_mut(at)
            {
                *entry = (*hash, *place);
                *next = next.saturating_add(1);
            }
        }
        table
    }

    fn longest(&self) -> usize {
        self.lengths.last().copied().unwrap_or_default()
    }

    fn bucket(&self, hash: Hash) -> usize {
        let mask = self.starts.len().saturating_sub(2);
        let folded = (hash.0 ^ hash.0 >> 32) & u64::from(u32::MAX);
        usize::try_from(folded).unwrap_or_default() & mask
    }

    /// The patterns that have a part with this hash.
    fn with(&self, hash: Hash) -> impl Iterator<Item = u32> {
        let bucket = self.bucket(hash);
        let entries = match self.starts.get(bucket..bucket.saturating_add(2)) {
            Some([from, to]) => usize::try_from(*from)
                .ok()
                .zip(usize::try_from(*to).ok())
                .and_then(|(from, to)| self.entries.get(from..to)),
            _ => None,
        };
        entries
            .unwrap_or_default()
            .iter()
            .filter(move |(other, _)| *other == hash)
            .map(|(_, place)| *place)
    }
}

// === impl Hash ===

impl Hash {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        Self::START.with_all(bytes)
    }

    fn with_all(self, bytes: impl Iterator<Item = u8>) -> Self {
        bytes.fold(self, Self::with)
    }

    const fn with(self, byte: u8) -> Self {
        const PRIME: u64 = 0x100_0000_01b3;
        Self((self.0 ^ byte as u64).wrapping_mul(PRIME))
    }

    /// Calls `visit` with the hash of the first bytes, for each of these
    /// numbers of them, ascending, that there are. The hash up to the last of
    /// the lengths, or of all bytes where they are fewer.
    fn each(
        bytes: impl ExactSizeIterator<Item = u8>,
        lengths: &[usize],
        mut visit: impl FnMut(Self),
    ) -> Self {
        let mut hash = Self::START;
        let mut bytes = bytes;
        let mut at = 0_usize;
        for length in lengths {
            let more = length.saturating_sub(at);
            if more > bytes.len() {
                return hash.with_all(bytes);
            }
            hash = hash.with_all(bytes.by_ref().take(more));
            at = *length;
            visit(hash);
        }
        hash
    }
}

// === impl Places ===

impl Places {
    const FEW: usize = 8;

    fn push(&mut self, place: u32) {
        if let Some(free) = self.few.get_mut(self.count) {
            *free = place;
        } else {
            if self.many.is_empty() {
                self.many.extend(self.few);
            }
            self.many.push(place);
        }
        self.count = self.count.saturating_add(1);
    }

    fn sort(&mut self) {
        if self.count <= 1 {
        } else if self.many.is_empty() {
            if let Some(places) = self.few.get_mut(..self.count) {
                places.sort_unstable();
            }
        } else {
            self.many.sort_unstable();
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        if self.many.is_empty() {
            self.few.get(..self.count).unwrap_or_default()
        } else {
            &self.many
        }
    }

    /// Only those that are to be kept, in the same order.
    #[must_use]
    pub(super) fn only(&self, keep: impl Fn(u32) -> bool) -> Self {
        let mut kept = Self::default();
        for place in self.as_slice() {
            if keep(*place) {
                kept.push(*place);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(list: Vec<Pattern>, texts: &[String]) {
        let patterns = Patterns::new(list.clone());
        for text in texts {
            let walked: Vec<u32> = (0_u32..)
                .zip(&list)
                .filter(|(_, pattern)| pattern.matches(text))
                .map(|(place, _)| place)
                .collect();
            assert_eq!(patterns.find(text).as_slice(), walked, "{text} {list:?}");
            assert_eq!(patterns.match_any(text), !walked.is_empty());
        }
    }

    /// Exact names, prefixes, suffixes, wildcards within, and anything else.
    const SHAPES: &str = "[abé/]{1,4}|[ab/é]{0,3}\\*|\\*[ab/é]{0,3}|[ab/é]{1,2}\\*{1,2}[ab/é]{1,2}|\
        [ab/é]{0,2}\\?[ab/é]{0,2}|[ab/é*?]{1,6}|demo://[ab]{0,1}\\*{0,2}/[ab]{0,1}";

    proptest! {
        #[test]
        fn what_is_found_is_what_a_walk_over_all_patterns_finds(
            list in prop::collection::vec(SHAPES, 0..40),
            texts in prop::collection::vec("[ab/é]{0,6}|demo://[ab]{0,1}/[ab/]{0,2}", 1..20),
        ) {
            for make in [Pattern::name, Pattern::uri] {
                check(list.iter().map(|text| make(text).unwrap()).collect(), &texts);
                // A text that is written like a pattern is a text too.
                check(list.iter().map(|text| make(text).unwrap()).collect(), &list);
            }
        }
    }

    #[test]
    fn many_that_match_are_found_in_order() {
        let list: Vec<Pattern> = (0..20)
            .map(|number| match number % 4 {
                0 => "*",
                1 => "tool-*",
                2 => "*-1",
                _ => "tool-1",
            })
            .map(|text| Pattern::name(text).unwrap())
            .collect();
        let places: Vec<u32> = (0..20).collect();
        assert_eq!(Patterns::new(list).find("tool-1").as_slice(), places);
    }

    #[test]
    fn patterns_that_share_one_end_are_found_by_the_other() {
        let list = (0..100).flat_map(|n| [format!("demo://*/{n}"), format!("area-{n}-*-x")]);
        let patterns: Patterns = list.map(|text| Pattern::uri(&text).unwrap()).collect();
        assert_eq!(patterns.tails.entries.len(), 100);
        assert_eq!(patterns.heads.entries.len(), 100);
        assert_eq!(patterns.find("demo://a/17").as_slice(), [34]);
        assert_eq!(patterns.find("area-17-b-x").as_slice(), [35]);
    }
}
