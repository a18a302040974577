//! From bytes to [`Json`], in one pass.

use core::fmt;
use core::str::FromStr as _;
use std::borrow::Cow;

use super::{Json, Number, Object, text};

use crate::names::repeat;

/// Why bytes are not the strict JSON that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not one JSON value in UTF-8, or more than one, or a number that no
    /// double can hold.
    Syntax,
    /// A member name appears twice in one object.
    DuplicateMember,
    /// Nested deeper than allowed.
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a single valid JSON value",
            Self::DuplicateMember => "a member name appears twice in one object",
            Self::TooDeep => "nested too deeply",
        })
    }
}

/// How many arrays and objects may stand inside each other in any case: each
/// takes some of the stack.
const DEEPEST: usize = 127;

/// Most objects have no more members, so that their place is allocated once.
const USUAL_MEMBERS: usize = 4;

/// Parses exactly one JSON value. `max_depth` is how many arrays and objects
/// may stand inside each other; a scalar has depth 0. A bound of 127 holds as
/// well.
///
/// # Errors
/// See [`JsonError`].
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<Json<'static>, JsonError> {
    borrowed(bytes, max_depth).map(Json::into_owned)
}

/// Like [`parse`], with the texts left where they stand.
///
/// # Errors
/// See [`JsonError`].
pub fn borrowed(bytes: &[u8], max_depth: usize) -> Result<Json<'_>, JsonError> {
    scan(bytes, max_depth, Keep::Everything)
}

/// Like [`borrowed`], for a JSON-RPC message or a batch of them: it is checked
/// as strictly, but of the arguments in its parameters only those that are
/// asked for are read, and nothing of a result or an error. Scalars are.
///
/// # Errors
/// See [`JsonError`].
pub fn message<'a>(
    bytes: &'a [u8],
    max_depth: usize,
    asked: &[String],
) -> Result<Json<'a>, JsonError> {
    scan(bytes, max_depth, Keep::OfMessage(asked))
}

/// What is read of a value, and not just checked.
#[derive(Clone, Copy)]
enum Keep<'k> {
    Everything,
    /// Of a message, or of a batch. The names are those of arguments.
    OfMessage(&'k [String]),
    OfParameters(&'k [String]),
    OfArguments(&'k [String]),
}

impl Keep<'_> {
    /// Of the member of that name; `None` if it is not read.
    fn member(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::OfMessage(asked), "params") => Some(Self::OfParameters(asked)),
            (Self::OfMessage(_), "result" | "error") => None,
            (Self::OfParameters(asked), "arguments") => Some(Self::OfArguments(asked)),
            (Self::OfArguments(asked), name) if asked.iter().all(|asked| asked != name) => None,
            _ => Some(Self::Everything),
        }
    }

    const fn element(self) -> Self {
        match self {
            Self::OfMessage(_) => self,
            _ => Self::Everything,
        }
    }
}

fn scan<'a>(bytes: &'a [u8], max_depth: usize, keep: Keep<'_>) -> Result<Json<'a>, JsonError> {
    let (text, is_whole) = match str::from_utf8(bytes) {
        Ok(text) => (text, true),
        // Before the byte that is no UTF-8, something else may be wrong.
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (str::from_utf8(before).unwrap_or_default(), false)
        }
    };
    let mut scanner = Scanner {
        text,
        at: 0,
        names: Vec::new(),
    };
    let value = scanner.value(keep, max_depth.min(DEEPEST))?;
    if is_whole && scanner.next().is_none() {
        Ok(value)
    } else {
        Err(JsonError::Syntax)
    }
}

/// A place in a text. Each method begins where a value, or the part of one
/// that it is named after, begins, and ends behind it.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Of the members so far of the objects that are being checked, the
    /// outermost first.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Scanner<'a> {
    /// Reads a value.
    fn value(&mut self, keep: Keep<'_>, depth_left: usize) -> Result<Json<'a>, JsonError> {
        match self.next() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.object(keep, depth_left),
            Some(b'[') => self.array(keep, depth_left),
            Some(b't') => self.word(b"true").map(|()| Json::Bool(true)),
            Some(b'f') => self.word(b"false").map(|()| Json::Bool(false)),
            Some(b'n') => self.word(b"null").map(|()| Json::Null),
            _ => {
                let (written, may_overflow) = self.number()?;
                number(written, may_overflow).map(Json::Number)
            }
        }
    }

    fn object(&mut self, keep: Keep<'_>, depth_left: usize) -> Result<Json<'a>, JsonError> {
        let depth_left = depth_left.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.step();
        let mut seen = Seen::default();
        let mut ends = self.takes(b'}');
        let mut members = if ends {
            Vec::new()
        } else {
            Vec::with_capacity(USUAL_MEMBERS)
        };
        while !ends {
            let name = self.name()?;
            seen.add(&name);
            let value = match keep.member(&name) {
                Some(keep) => self.value(keep, depth_left)?,
                None => self.unread(depth_left)?,
            };
            members.push((name, value));
            ends = self.ends(b'}')?;
        }
        if seen.may_repeat && has_duplicate(&members) {
            return Err(JsonError::DuplicateMember);
        }
        Ok(Json::Object(Object(members)))
    }

    fn array(&mut self, keep: Keep<'_>, depth_left: usize) -> Result<Json<'a>, JsonError> {
        let depth_left = depth_left.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.step();
        let mut elements = Vec::new();
        let mut ends = self.takes(b']');
        while !ends {
            elements.push(self.value(keep.element(), depth_left)?);
            ends = self.ends(b']')?;
        }
        Ok(Json::Array(elements))
    }

    /// A value that is not asked for. What costs nothing is read all the same.
    fn unread(&mut self, depth_left: usize) -> Result<Json<'a>, JsonError> {
        match self.next() {
            Some(b'"') => {
                let start = self.at;
                if let Some(text) = self.plain() {
                    return Ok(Json::String(Cow::Borrowed(text)));
                }
                self.escaped()?;
                Ok(self.unread_since(start))
            }
            Some(b'{' | b'[') => {
                let start = self.at;
                self.check(depth_left)?;
                Ok(self.unread_since(start))
            }
            _ => self.value(Keep::Everything, depth_left),
        }
    }

    fn unread_since(&self, start: usize) -> Json<'a> {
        let written = self.text.get(start..self.at).unwrap_or_default();
        Json::Unread(Cow::Borrowed(written))
    }

    /// Goes over a value, and finds in it all that is wrong with it.
    fn check(&mut self, depth_left: usize) -> Result<(), JsonError> {
        match self.next() {
            Some(b'"') if self.plain().is_some() => Ok(()),
            Some(b'"') => self.escaped().map(|_| ()),
            Some(b'{') => self.check_object(depth_left),
            Some(b'[') => self.check_array(depth_left),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => match self.number()? {
                (written, true) => number(written, true).map(|_| ()),
                (_, false) => Ok(()),
            },
        }
    }

    fn check_object(&mut self, depth_left: usize) -> Result<(), JsonError> {
        let depth_left = depth_left.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.step();
        let first = self.names.len();
        let mut seen = Seen::default();
        let mut ends = self.takes(b'}');
        while !ends {
            let name = self.name()?;
            seen.add(&name);
            self.names.push(name);
            self.check(depth_left)?;
            ends = self.ends(b'}')?;
        }
        let names = self.names.get(first..).unwrap_or_default();
        if seen.may_repeat && repeats(names.iter().map(AsRef::as_ref)) {
            return Err(JsonError::DuplicateMember);
        }
        self.names.truncate(first);
        Ok(())
    }

    fn check_array(&mut self, depth_left: usize) -> Result<(), JsonError> {
        let depth_left = depth_left.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.step();
        let mut ends = self.takes(b']');
        while !ends {
            self.check(depth_left)?;
            ends = self.ends(b']')?;
        }
        Ok(())
    }

    /// The name of a member, and the colon behind it.
    #[inline]
    fn name(&mut self) -> Result<Cow<'a, str>, JsonError> {
        if self.next() != Some(b'"') {
            return Err(JsonError::Syntax);
        }
        let name = self.string()?;
        if self.takes(b':') {
            Ok(name)
        } else {
            Err(JsonError::Syntax)
        }
    }

    #[inline]
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        match self.plain() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => text::read(self.escaped()?)
                .map(Cow::Owned)
                .ok_or(JsonError::Syntax),
        }
    }

    /// A string as nearly all are: it says what stands between its quotes.
    /// Where it has escapes, or no end, the scanner stays where it is.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        let start = self.at.wrapping_add(1);
        let rest = self.text.as_bytes().get(start..)?;
        let length = text::plain(rest);
        if rest.get(length) != Some(&b'"') {
            return None;
        }
        let end = start.wrapping_add(length);
        let text = self.text.get(start..end)?;
        self.at = end.wrapping_add(1);
        Some(text)
    }

    /// A string that has escapes, or an error: what stands between its quotes.
    #[cold]
    #[inline(never)]
    fn escaped(&mut self) -> Result<&'a str, JsonError> {
        self.step();
        let start = self.at;
        loop {
            self.at = self.at.wrapping_add(text::plain(self.rest()));
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.step();
                    let (_, length) = text::escaped(self.rest()).ok_or(JsonError::Syntax)?;
                    self.at = self.at.wrapping_add(length);
                }
                _ => return Err(JsonError::Syntax),
            }
        }
        let inside = self.text.get(start..self.at).unwrap_or_default();
        self.step();
        Ok(inside)
    }

    /// The number as it is written, and whether no double might hold it.
    fn number(&mut self) -> Result<(&'a str, bool), JsonError> {
        /// A double holds every number with fewer digits, and no exponent.
        const LONG: usize = 300;
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.step();
        }
        let is_zero = self.byte() == Some(b'0');
        if self.digits()? > 1 && is_zero {
            return Err(JsonError::Syntax);
        }
        if self.byte() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        let has_exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if has_exponent {
            self.step();
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        Ok((written, has_exponent || written.len() > LONG))
    }

    /// How many there are; at least one.
    fn digits(&mut self) -> Result<usize, JsonError> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.step();
        }
        match self.at.wrapping_sub(start) {
            0 => Err(JsonError::Syntax),
            digits => Ok(digits),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if !self.rest().starts_with(word) {
            return Err(JsonError::Syntax);
        }
        self.at = self.at.wrapping_add(word.len());
        Ok(())
    }

    /// Behind a member or an element: whether that was the last one.
    #[inline]
    fn ends(&mut self, with: u8) -> Result<bool, JsonError> {
        match self.next() {
            Some(b',') => {
                self.step();
                Ok(false)
            }
            Some(byte) if byte == with => {
                self.step();
                Ok(true)
            }
            _ => Err(JsonError::Syntax),
        }
    }

    /// Goes over this byte, if it is the next one. Whether it is.
    #[inline]
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        if is_next {
            self.step();
        }
        is_next
    }

    /// The next byte that is no white space, which is where the scanner stands
    /// then.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        match self.byte() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => self.behind_space(),
            byte => byte,
        }
    }

    #[inline(never)]
    fn behind_space(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.step(),
                byte => return byte,
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Over one byte, which is there.
    const fn step(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// What a number of the JSON grammar stands for.
fn number(written: &str, may_overflow: bool) -> Result<Number, JsonError> {
    if !may_overflow && let Ok(value) = written.parse::<u64>() {
        return Ok(value.into());
    }
    Number::from_str(written).map_err(|_| JsonError::Syntax)
}

/// Names so far, of which nearly all can be told apart by little.
#[derive(Default)]
pub(crate) struct Seen {
    marks: u64,
    /// One may have come twice.
    pub(crate) may_repeat: bool,
}

impl Seen {
    pub(crate) fn add(&mut self, name: &str) {
        let bytes = name.as_bytes();
        let (first, last) = (byte(bytes.first()), byte(bytes.last()));
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        let place = length
            .wrapping_mul(7)
            .wrapping_add(first.wrapping_mul(5))
            .wrapping_add(last);
        let mark = 1_u64.wrapping_shl(place);
        self.may_repeat |= self.marks & mark != 0;
        self.marks |= mark;
    }
}

fn byte(byte: Option<&u8>) -> u32 {
    byte.map_or(0, |byte| u32::from(*byte))
}

/// Whether two members have the same name.
pub(crate) fn has_duplicate<N: AsRef<str>, V>(members: &[(N, V)]) -> bool {
    repeats(members.iter().map(|(name, _)| name.as_ref()))
}

/// Compares each pair of a few, where that is fastest, and sorts many, where
/// it would take quadratic time.
fn repeats<'n>(names: impl ExactSizeIterator<Item = &'n str> + Clone) -> bool {
    const FEW: usize = 16;
    if names.len() <= FEW {
        let mut later = names;
        while let Some(name) = later.next() {
            if later.clone().any(|other| other == name) {
                return true;
            }
        }
        return false;
    }
    repeat(names.collect())
}
