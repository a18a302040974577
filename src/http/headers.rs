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
mod tests;
