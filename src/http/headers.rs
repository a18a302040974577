//! A snapshot of a header map, kept as the host gives it. Values are bytes
//! until somebody asks for text.

use core::fmt;
use core::slice::Iter;
use std::rc::Rc;

/// The headers of one request or response, names in lower case, pseudo
/// headers included.
#[derive(Clone, Default)]
pub struct Headers {
    /// The form of the ABI: a word with their number, two words for each with
    /// the sizes of name and value, then names and values themselves, each
    /// with a zero byte behind it. Words are little-endian and have 32 bits.
    bytes: Vec<u8>,
    /// A bit for each name that is there, which other names may have too: most
    /// names that are asked for are not there.
    marks: u64,
    /// The bits that more than one header has.
    shared: u64,
}

/// What to keep of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Name and value.
    Header,
    /// That it is there.
    Name,
    /// Nothing.
    Nothing,
}

/// Why a header has no single text value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It is there more than once.
    Repeated,
    /// Its value is not visible ASCII, spaces and tabs.
    NotText,
}

/// How often a header is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found<'a> {
    Nowhere,
    Once(&'a [u8]),
    Repeatedly,
}

impl Headers {
    /// From name and value pairs.
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_slice()));
        Self::of(pairs)
    }

    /// From a header map in the form of the ABI; `None` if it is not in that
    /// form.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut position = table(&bytes)?.len().checked_mul(8)?.checked_add(4)?;
        let (mut marks, mut shared) = (0, 0);
        for sizes in table(&bytes)? {
            let (name, value) = sizes_of(*sizes);
            let name_end = position.checked_add(name)?;
            let mark = mark(bytes.get(position..name_end)?);
            shared |= marks & mark;
            marks |= mark;
            let value_start = name_end.checked_add(1)?;
            let value_end = value_start.checked_add(value)?;
            bytes.get(value_start..value_end)?;
            position = value_end.checked_add(1)?;
        }
        Some(Self {
            bytes,
            marks,
            shared,
        })
    }

    fn of<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Self {
        let size = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
        let count = u32::try_from(pairs.clone().count()).unwrap_or(u32::MAX);
        let mut bytes = count.to_le_bytes().to_vec();
        for (name, value) in pairs.clone() {
            bytes.extend(size(name));
            bytes.extend(size(value));
        }
        for (name, value) in pairs {
            for part in [name, value] {
                bytes.extend(part);
                bytes.push(0);
            }
        }
        bytes.shrink_to_fit();
        Self::read(bytes).unwrap_or_default()
    }

    fn pairs(&self) -> Pairs<'_> {
        let sizes = table(&self.bytes).unwrap_or_default();
        let start = sizes.len().saturating_mul(8).saturating_add(4);
        Pairs {
            sizes: sizes.iter(),
            rest: self.bytes.get(start..).unwrap_or_default(),
        }
    }

    /// Every value of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let pairs = if self.may_have(name) {
            self.pairs()
        } else {
            Pairs::default()
        };
        pairs.filter_map(move |(header, value)| (header == name.as_bytes()).then_some(value))
    }

    /// Whether the header is there.
    #[inline]
    pub fn has(&self, name: &str) -> bool {
        self.may_have(name) && self.find(name) != Found::Nowhere
    }

    /// Whether one of these is there.
    #[inline]
    pub fn has_any<const N: usize>(&self, names: &FixedNames<N>) -> bool {
        self.marks & names.marks != 0 && names.names.iter().any(|name| self.has(name))
    }

    /// The value of a header that may be there once, as it came.
    ///
    /// # Errors
    /// [`HeaderError::Repeated`]
    #[inline]
    pub fn only(&self, name: &str) -> Result<Option<&[u8]>, HeaderError> {
        if !self.may_have(name) {
            return Ok(None);
        }
        match self.find(name) {
            Found::Nowhere => Ok(None),
            Found::Once(value) => Ok(Some(value)),
            Found::Repeatedly => Err(HeaderError::Repeated),
        }
    }

    /// The value of a header that may be there once, without surrounding
    /// white space (RFC 9110, section 5.5).
    ///
    /// # Errors
    /// See [`HeaderError`].
    #[inline]
    pub fn single(&self, name: &str) -> Result<Option<&str>, HeaderError> {
        if self.may_have(name) {
            self.text(name)
        } else {
            Ok(None)
        }
    }

    #[inline(never)]
    fn text(&self, name: &str) -> Result<Option<&str>, HeaderError> {
        let value = match self.find(name) {
            Found::Nowhere => return Ok(None),
            Found::Once(value) => value,
            Found::Repeatedly => return Err(HeaderError::Repeated),
        };
        if !is_text(value) {
            return Err(HeaderError::NotText);
        }
        match core::str::from_utf8(trimmed(value)) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(HeaderError::NotText),
        }
    }

    /// The value of a pseudo-header, to the character; empty if there is not
    /// exactly one that is text.
    pub fn pseudo(&self, name: &str) -> &str {
        match self.find(name) {
            Found::Once(value) => core::str::from_utf8(value).unwrap_or_default(),
            Found::Nowhere | Found::Repeatedly => "",
        }
    }

    /// Whether there may be a header of that name. Where the name is known to
    /// the code, this is one comparison.
    #[inline]
    const fn may_have(&self, name: &str) -> bool {
        self.marks & mark(name.as_bytes()) != 0
    }

    /// The header of that name. Most are told apart by the lengths of their
    /// names, which stand together. Their sum does not overflow: that was seen
    /// when they were read.
    #[inline(never)]
    fn find(&self, name: &str) -> Found<'_> {
        let name = name.as_bytes();
        let may_be_repeated = self.shared & mark(name) != 0;
        let sizes = table(&self.bytes).unwrap_or_default();
        let mut position = sizes.len().wrapping_mul(8).wrapping_add(4);
        let mut found = Found::Nowhere;
        for sizes in sizes {
            let (name_size, value_size) = sizes_of(*sizes);
            let name_end = position.wrapping_add(name_size);
            let value_start = name_end.wrapping_add(1);
            let value_end = value_start.wrapping_add(value_size);
            if name_size == name.len()
                && let Some(header) = self.bytes.get(position..name_end)
                && is_same(header, name)
                && let Some(value) = self.bytes.get(value_start..value_end)
            {
                if found != Found::Nowhere {
                    return Found::Repeatedly;
                }
                found = Found::Once(value);
                if !may_be_repeated {
                    break;
                }
            }
            position = value_end.wrapping_add(1);
        }
        found
    }

    /// Forgets what is not to be kept. `keep` is asked with each name.
    pub fn reduce(&mut self, keep: impl Fn(&[u8]) -> Keep) {
        let kept: Vec<(&[u8], &[u8])> = self
            .pairs()
            .filter_map(|(name, value)| match keep(name) {
                Keep::Header => Some((name, value)),
                Keep::Name => Some((name, &b""[..])),
                Keep::Nothing => None,
            })
            .collect();
        *self = Self::of(kept.into_iter());
    }

    /// The names of all headers, as often as they appear. Names are bytes to
    /// the host.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.pairs().map(|(name, _)| name)
    }
}

/// Names and values, one after the other.
#[derive(Clone, Default)]
struct Pairs<'a> {
    sizes: Iter<'a, [u8; 8]>,
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_size, value_size) = sizes_of(*self.sizes.next()?);
        let (name, rest) = self.rest.split_at_checked(name_size)?;
        let (value, rest) = rest.get(1..)?.split_at_checked(value_size)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some((name, value))
    }
}

/// The sizes of names and values.
fn table(bytes: &[u8]) -> Option<&[[u8; 8]]> {
    let (count, rest) = bytes.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    rest.as_chunks().0.get(..count)
}

/// The sizes of one name and its value.
fn sizes_of([a, b, c, d, e, f, g, h]: [u8; 8]) -> (usize, usize) {
    let size = |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
    (size([a, b, c, d]), size([e, f, g, h]))
}

/// The bit that a name has.
#[inline]
const fn mark(name: &[u8]) -> u64 {
    let last = match name.last() {
        Some(last) => *last as usize,
        None => 0,
    };
    let sum = name.len().wrapping_mul(5) ^ last;
    u64::wrapping_shl(1, sum as u32)
}

/// Whether two names of the same length are the same. Without a call: names
/// are short.
#[inline]
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let pairs = |left: &[u8], right: &[u8]| left.iter().zip(right).all(|(a, b)| a == b);
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        // It may begin in the last of the words before.
        (Some(left_end), Some(right_end)) => {
            let (left_words, _) = left.as_chunks::<8>();
            let (right_words, _) = right.as_chunks::<8>();
            left_end == right_end && left_words.iter().zip(right_words).all(|(a, b)| a == b)
        }
        _ => pairs(left, right),
    }
}

/// Whether these are visible ASCII, spaces and tabs.
#[inline]
fn is_text(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let is_visible = words.iter().all(|word| is_visible(*word))
        && rest.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    is_visible || is_text_with_tabs(value)
}

#[cold]
#[inline(never)]
fn is_text_with_tabs(value: &[u8]) -> bool {
    let is_text = |byte| matches!(byte, b'\t' | 0x20..=0x7e);
    value.iter().copied().all(is_text)
}

/// Whether all eight are visible ASCII or spaces. A byte that is less sets its
/// highest bit in the difference, and one that is more in the sum or before.
/// What is carried comes from such a byte.
#[inline]
const fn is_visible(word: [u8; 8]) -> bool {
    let word = u64::from_ne_bytes(word);
    let below = word.wrapping_sub(u64::from_ne_bytes([0x20; 8]));
    let above = word.wrapping_add(u64::from_ne_bytes([0x01; 8]));
    (below | above | word) & u64::from_ne_bytes([0x80; 8]) == 0
}

/// A value without spaces and tabs around it.
#[inline]
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether this is a `token` of RFC 9110, section 5.6.2, as names of headers
/// and of authentication schemes are.
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a header may pass for the one of that name: frameworks in the
/// manner of CGI read `x_mcp_subject` as `x-mcp-subject`, so both count,
/// whichever of them the configuration has.
pub fn is_spelling_of(header: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> bool {
    let (header, name) = (header.as_ref(), name.as_ref());
    header.len() == name.len()
        && header
            .iter()
            .zip(name)
            .all(|(left, right)| hyphenated(*left) == hyphenated(*right))
}

const fn hyphenated(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte }
}

/// Names that the code looks for together.
#[derive(Clone, Copy, Debug)]
pub struct FixedNames<const N: usize> {
    /// The names.
    pub names: [&'static str; N],
    marks: u64,
}

impl<const N: usize> FixedNames<N> {
    /// Of these.
    pub const fn new(names: [&'static str; N]) -> Self {
        const fn marks(names: &[&str]) -> u64 {
            match names {
                [] => 0,
                [name, rest @ ..] => mark(name.as_bytes()) | marks(rest),
            }
        }
        let marks = marks(&names);
        Self { names, marks }
    }
}

/// Names of headers, each in all of its spellings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderNames {
    names: Vec<Rc<str>>,
    /// A bit for each length that one of them has.
    lengths: u64,
}

impl HeaderNames {
    /// The name that this header may pass for.
    pub fn find(&self, header: &[u8]) -> Option<&Rc<str>> {
        if self.lengths & length_mark(header.len()) == 0 {
            return None;
        }
        self.names
            .iter()
            .find(|name| is_spelling_of(header, name.as_bytes()))
    }
}

impl<'a> FromIterator<&'a str> for HeaderNames {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut set = Self::default();
        for name in names {
            if set
                .find(name.as_bytes())
                .is_none_or(|known| **known != *name)
            {
                set.lengths |= length_mark(name.len());
                set.names.push(name.into());
            }
        }
        set
    }
}

/// The bit that names of this length have.
fn length_mark(length: usize) -> u64 {
    u64::wrapping_shl(1, u32::try_from(length & 63).unwrap_or_default())
}

/// Names only: values can be secret.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names().map(String::from_utf8_lossy);
        f.debug_list().entries(names).finish()
    }
}

/// Builds a snapshot from text, for tests.
#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self::of(
            pairs
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    #[test]
    fn a_single_header_is_trimmed_text_or_an_error() {
        let headers = Headers::from([("a", " x\t"), ("b", "1"), ("b", "2"), ("c", "é")]);
        assert_eq!(headers.single("a"), Ok(Some("x")));
        assert_eq!(headers.single("b"), Err(HeaderError::Repeated));
        assert_eq!(headers.single("c"), Err(HeaderError::NotText));
        assert_eq!(headers.single("d"), Ok(None));
    }

    #[test]
    fn hyphens_and_underscores_are_two_spellings_of_one_name() {
        for (header, name) in [
            ("x_api-key", "x-api-key"),
            ("x-api-key", "x_api_key"),
            ("x_api-key", "x-api_key"),
        ] {
            assert!(is_spelling_of(header, name), "{header} {name}");
        }
        assert!(!is_spelling_of("x.api-key", "x_api_key"));
        assert!(!is_spelling_of("x-api-keys", "x-api-key"));
    }

    #[test]
    fn a_set_of_names_finds_each_in_its_spellings() {
        let names: HeaderNames = ["authorization", "x-api_key", "x-b"].into_iter().collect();
        for (header, found) in [
            ("authorization", Some("authorization")),
            ("x_api-key", Some("x-api_key")),
            ("x_b", Some("x-b")),
            ("x-c", None),
            ("authorizatiom", None),
            ("", None),
        ] {
            assert_eq!(names.find(header.as_bytes()).map(|name| &**name), found);
        }
        assert_eq!(HeaderNames::default().find(b"authorization"), None);
    }

    #[test]
    fn what_is_kept_of_headers_is_as_it_was() {
        let mut headers = Headers::from([("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")]);
        headers.reduce(|name| match name {
            b"a" => Keep::Header,
            b"b" => Keep::Name,
            _ => Keep::Nothing,
        });
        assert_eq!(headers.all("a").collect::<Vec<_>>(), [b"1", b"4"]);
        assert_eq!(headers.single("b"), Ok(Some("")));
        assert!(!headers.has("c"));
        assert_eq!(headers.names().collect::<Vec<_>>(), [b"a", b"b", b"a"]);
    }

    #[test]
    fn a_map_whose_sizes_lie_is_none() {
        let good = Headers::from([("a", "1"), (":path", "/")]).bytes;
        assert!(Headers::read(good.clone()).is_some());
        // Of the last zero byte nothing depends.
        for length in 0..good.len() - 1 {
            assert!(Headers::read(good[..length].to_vec()).is_none(), "{length}");
        }
        for word in 0..5 {
            for lie in [u32::MAX, u32::MAX - 7, 1 << 31, 1 << 29, 1000] {
                let mut bytes = good.clone();
                bytes[word * 4..word * 4 + 4].copy_from_slice(&lie.to_le_bytes());
                assert!(Headers::read(bytes).is_none(), "{word} {lie}");
            }
        }
    }

    #[test]
    fn text_is_visible_ascii_with_spaces_and_tabs_wherever_a_byte_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..17 {
                let mut value = [b'~'; 17];
                value[place] = byte;
                let expected = matches!(byte, b'\t' | 0x20..=0x7e);
                assert_eq!(is_text(&value), expected, "{byte} {place}");
                value[(place + 3) % 17] = 0xff;
                assert!(!is_text(&value), "{byte} {place}");
            }
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let headers = Headers::from([("authorization", "Bearer secret")]);
        assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
    }

    /// The pairs of a map, read one word at a time.
    fn reference(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let word = |index: usize| {
            let start = index.checked_mul(4)?;
            let word = bytes.get(start..start.checked_add(4)?)?;
            usize::try_from(u32::from_le_bytes(word.try_into().ok()?)).ok()
        };
        let count = word(0)?;
        let mut position = count.checked_mul(8)?.checked_add(4)?;
        let mut next = |size: usize| {
            let end = position.checked_add(size)?;
            let text = bytes.get(position..end)?.to_vec();
            position = end.checked_add(1)?;
            Some(text)
        };
        let mut pairs = Vec::new();
        for index in 0..count {
            let sizes = index.checked_mul(2)?;
            let name = next(word(sizes.checked_add(1)?)?)?;
            pairs.push((name, next(word(sizes.checked_add(2)?)?)?));
        }
        Some(pairs)
    }

    fn read(bytes: Vec<u8>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let headers = Headers::read(bytes)?;
        let pairs = headers.pairs();
        let owned = pairs.map(|(name, value)| (name.to_vec(), value.to_vec()));
        Some(owned.collect())
    }

    /// Bytes in which some words are small, as sizes are.
    fn nearly_a_map() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![4 => 0..6_u32, 1 => any::<u32>()];
        let words = proptest::collection::vec(word, 0..12);
        let rest = proptest::collection::vec(any::<u8>(), 0..40);
        (words, rest).prop_map(|(words, rest)| {
            let words = words.into_iter().flat_map(u32::to_le_bytes);
            words.chain(rest).collect()
        })
    }

    /// The value of [`Headers::single`], as it is defined.
    fn single<'a>(values: &[&'a [u8]]) -> Result<Option<&'a str>, HeaderError> {
        match values {
            [] => Ok(None),
            [value] if value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) => {
                let text = core::str::from_utf8(value).unwrap();
                Ok(Some(text.trim_matches([' ', '\t'])))
            }
            [_] => Err(HeaderError::NotText),
            _ => Err(HeaderError::Repeated),
        }
    }

    /// Names of which some are alike but for a byte, with the same mark even.
    const NAMES: [&str; 12] = [
        "",
        "a",
        "b",
        ":path",
        ":poth",
        "content-type",
        "content-tipe",
        "xontent-type",
        "content-typo",
        "x-mcp-subject-type",
        "x-mcp-sobject-type",
        "x-mcp-subject-typ",
    ];

    proptest! {
        #[test]
        fn a_header_is_found_as_a_list_of_pairs_has_it(
            pairs in proptest::collection::vec(
                (
                    proptest::sample::select(&NAMES[..]),
                    prop_oneof![
                        "[ \t]{0,3}[ \t -~]{0,20}[ \t]{0,3}".prop_map(String::into_bytes),
                        "[ -~]{0,20}\\PC[ -~]{0,9}".prop_map(String::into_bytes),
                        ("[ -~]{0,20}", any::<u8>(), "[ -~]{0,20}")
                            .prop_map(|(a, b, c)| [a.as_bytes(), &[b], c.as_bytes()].concat()),
                    ],
                ),
                0..8,
            ),
        ) {
            let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            let headers = Headers::new(owned.collect());
            for name in NAMES {
                let of_name = pairs.iter().filter(|(other, _)| *other == name);
                let values: Vec<&[u8]> = of_name.map(|(_, value)| value.as_slice()).collect();
                prop_assert_eq!(headers.has(name), !values.is_empty());
                prop_assert_eq!(headers.single(name), single(&values));
                let (only, pseudo) = match values.as_slice() {
                    [] => (Ok(None), ""),
                    [value] => (Ok(Some(*value)), core::str::from_utf8(value).unwrap_or("")),
                    _ => (Err(HeaderError::Repeated), ""),
                };
                prop_assert_eq!(headers.only(name), only);
                prop_assert_eq!(headers.pseudo(name), pseudo);
                prop_assert_eq!(headers.all(name).collect::<Vec<_>>(), values);
            }
            let asked = FixedNames::new([":path", "content-type", "x-mcp-subject-type"]);
            let is_there = pairs.iter().any(|(name, _)| asked.names.contains(name));
            prop_assert_eq!(headers.has_any(&asked), is_there);
        }

        #[test]
        fn any_bytes_are_read_as_a_simple_reader_reads_them(bytes in nearly_a_map()) {
            prop_assert_eq!(read(bytes.clone()), reference(&bytes));
        }

        #[test]
        fn pairs_come_back_as_they_were(
            pairs in proptest::collection::vec(
                ("[a-c_:-]{0,3}", proptest::collection::vec(any::<u8>(), 0..5)),
                0..8,
            ),
        ) {
            let headers = Headers::new(pairs.clone());
            let names: Vec<&[u8]> = pairs.iter().map(|(name, _)| name.as_bytes()).collect();
            prop_assert_eq!(headers.names().collect::<Vec<_>>(), names);
            for (name, _) in &pairs {
                let of_name = pairs.iter().filter(|(other, _)| other == name);
                let values: Vec<&[u8]> = of_name.map(|(_, value)| value.as_slice()).collect();
                prop_assert_eq!(headers.all(name).collect::<Vec<_>>(), values);
                prop_assert!(headers.has(name));
            }
            prop_assert!(!headers.has("d"));
        }
    }
}
