//! What can be said of a JSON-RPC message before all of it is there.

use super::utf8::Utf8;
use super::words;
use crate::json::letters::same_letters;

/// Members of a result in which something may have to be changed: lists, and
/// what is bound to the caller.
const CRITICAL: [&str; 9] = [
    "tools",
    "prompts",
    "resources",
    "resourceTemplates",
    "task",
    "tasks",
    "taskId",
    "requestState",
    "inputRequests",
];

/// The same, of the `_meta` of a result (MCP 2025-11-25, tasks).
const CRITICAL_META: [&str; 1] = ["io.modelcontextprotocol/related-task"];

/// Longer than any name of these, in any letters that count as the same.
const LONGEST: usize = 64;

/// Reads a message as it comes, and says whether its beginning may go on.
///
/// It is a parser of strict JSON (RFC 8259) that remembers nothing but where
/// it is, so what it does not object to is read in one way by every reader.
#[derive(Clone, Debug, Default)]
pub(super) struct Glance {
    is_refused: bool,
    /// `result` has begun.
    has_result: bool,
    seen: Seen,
    lex: Lex,
    expects: Expects,
    containers: Containers,
    /// `_meta` of the result is open.
    in_meta: bool,
    /// The member whose value comes next, or has begun.
    member: Member,
    word: Word,
}

/// The members of the message so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    jsonrpc: bool,
    id: bool,
    result: bool,
}

/// Within which token the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum Lex {
    #[default]
    None,
    String(Text, Utf8),
    Escape(Text),
    /// So many digits of a `\u` have to come, after those of this number.
    Hex(Text, u8, u32),
    /// What is left of `true`, `false` or `null`.
    Literal(&'static [u8]),
    Number(Number),
}

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Name,
    Value,
}

/// What of a number has come.
#[derive(Clone, Copy, Debug)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    ExponentSign,
    Exponent,
}

/// What may come between tokens, other than white space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expects {
    /// The object that is the message.
    #[default]
    Message,
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    NameOrEnd,
    Name,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// Members whose values matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    Jsonrpc,
    Id,
    Result,
    ResultType,
    Meta,
    #[default]
    Other,
}

/// The objects (1) and arrays (0) that are open, innermost in the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
struct Containers {
    bits: u128,
    depth: u8,
}

/// A name or a value that matters, as far as it has come.
#[derive(Clone, Debug)]
struct Word {
    bytes: [u8; LONGEST],
    length: usize,
    is_wanted: bool,
}

/// Something that it cannot vouch for.
struct Refused;

impl Glance {
    /// More of the text.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if !self.is_refused && self.read(bytes).is_err() {
            self.is_refused = true;
        }
    }

    /// Whether all that has come so far is the beginning of an answer in
    /// which nothing has to be changed. Once `false` after it was `true`, the
    /// message must never become complete for the client.
    pub(super) const fn may_flow(&self) -> bool {
        self.has_result && !self.is_refused
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            rest = match self.lex {
                Lex::String(text, utf8) if utf8.is_whole() => {
                    let end = words::position(rest, may_end_plain, ends_plain);
                    let run = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
                    let whole = match str::from_utf8(run) {
                        Ok(_) => run.len(),
                        // The last character may not have come.
                        Err(error) if error.error_len().is_none() => error.valid_up_to(),
                        Err(_) => return Err(Refused),
                    };
                    let plain;
                    (plain, rest) = rest.split_at_checked(whole).unwrap_or((rest, &[]));
                    self.word.push(plain);
                    let [byte, after @ ..] = rest else {
                        return Ok(());
                    };
                    self.in_string(*byte, text, utf8)?;
                    after
                }
                Lex::String(text, utf8) => {
                    self.in_string(*byte, text, utf8)?;
                    after
                }
                Lex::Number(number) => match number.next(*byte) {
                    Some(number) => {
                        self.lex = Lex::Number(number);
                        after
                    }
                    // The byte comes after the number, and is read again.
                    None if number.is_whole() => {
                        self.end_value();
                        rest
                    }
                    None => return Err(Refused),
                },
                Lex::Escape(text) => {
                    self.lex = match byte {
                        b'"' | b'\\' | b'/' => {
                            self.word.push(&[*byte]);
                            Lex::String(text, Utf8::default())
                        }
                        b'b' | b'f' | b'n' | b'r' | b't' => {
                            self.word.push_escaped(0)?;
                            Lex::String(text, Utf8::default())
                        }
                        b'u' => Lex::Hex(text, 4, 0),
                        _ => return Err(Refused),
                    };
                    after
                }
                Lex::Hex(text, missing, number) => {
                    let digit = char::from(*byte).to_digit(16).ok_or(Refused)?;
                    let number = number << 4 | digit;
                    self.lex = match missing.saturating_sub(1) {
                        0 => {
                            self.word.push_escaped(number)?;
                            Lex::String(text, Utf8::default())
                        }
                        missing => Lex::Hex(text, missing, number),
                    };
                    after
                }
                Lex::Literal(left) => {
                    let (expected, left) = left.split_first().ok_or(Refused)?;
                    if byte != expected {
                        return Err(Refused);
                    }
                    if left.is_empty() {
                        self.end_value();
                    } else {
                        self.lex = Lex::Literal(left);
                    }
                    after
                }
                Lex::None => {
                    self.between(*byte)?;
                    after
                }
            };
        }
        Ok(())
    }

    fn in_string(&mut self, byte: u8, text: Text, utf8: Utf8) -> Result<(), Refused> {
        match byte {
            b'"' if utf8.is_whole() => self.end_string(text),
            b'\\' if utf8.is_whole() => {
                // What makes it an answer is written plainly. Of a result,
                // some serializers escape what is in the names.
                if self.word.is_wanted && (text == Text::Value || self.level() == Level::Message) {
                    return Err(Refused);
                }
                self.lex = Lex::Escape(text);
                Ok(())
            }
            0..=0x1f => Err(Refused),
            _ => {
                self.word.push(&[byte]);
                self.lex = Lex::String(text, utf8.next(byte).ok_or(Refused)?);
                Ok(())
            }
        }
    }

    /// A byte that is in no token: white space, or the beginning of one.
    fn between(&mut self, byte: u8) -> Result<(), Refused> {
        match (byte, self.expects) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => Ok(()),
            (b'{', Expects::Message) => self.open_object(),
            (b']', Expects::ValueOrEnd) => self.close(false),
            (_, Expects::Value | Expects::ValueOrEnd) => self.begin_value(byte),
            (b'"', Expects::Name | Expects::NameOrEnd) => {
                self.word.begin(self.level() != Level::Other);
                self.lex = Lex::String(Text::Name, Utf8::default());
                Ok(())
            }
            (b'}', Expects::NameOrEnd) => self.close(true),
            (b':', Expects::Colon) => {
                self.expects = Expects::Value;
                Ok(())
            }
            (b',', Expects::CommaOrEnd) => {
                self.expects = if self.containers.is_object() {
                    Expects::Name
                } else {
                    Expects::Value
                };
                Ok(())
            }
            (b'}', Expects::CommaOrEnd) => self.close(true),
            (b']', Expects::CommaOrEnd) => self.close(false),
            _ => Err(Refused),
        }
    }

    fn begin_value(&mut self, byte: u8) -> Result<(), Refused> {
        let fits = match self.member {
            Member::Jsonrpc | Member::ResultType => byte == b'"',
            Member::Id => matches!(byte, b'"' | b'-' | b'0'..=b'9'),
            Member::Result => byte == b'{',
            Member::Meta | Member::Other => true,
        };
        if !fits {
            return Err(Refused);
        }
        self.lex = match byte {
            b'{' => return self.open_object(),
            b'[' => return self.open_array(),
            b'"' => {
                let is_wanted = matches!(self.member, Member::Jsonrpc | Member::ResultType);
                self.word.begin(is_wanted);
                Lex::String(Text::Value, Utf8::default())
            }
            b't' => Lex::Literal(b"rue"),
            b'f' => Lex::Literal(b"alse"),
            b'n' => Lex::Literal(b"ull"),
            b'-' => Lex::Number(Number::Minus),
            b'0' => Lex::Number(Number::Zero),
            b'1'..=b'9' => Lex::Number(Number::Integer),
            _ => return Err(Refused),
        };
        Ok(())
    }

    fn end_string(&mut self, text: Text) -> Result<(), Refused> {
        if text == Text::Name {
            self.member = self.named()?;
            self.lex = Lex::None;
            self.expects = Expects::Colon;
            return Ok(());
        }
        let fits = match self.member {
            Member::Jsonrpc => self.word.text()? == "2.0",
            Member::ResultType => self.word.text()? == "complete",
            _ => true,
        };
        if !fits {
            return Err(Refused);
        }
        self.end_value();
        Ok(())
    }

    fn end_value(&mut self) {
        self.member = Member::Other;
        self.lex = Lex::None;
        self.expects = if self.containers.depth == 0 {
            Expects::Nothing
        } else {
            Expects::CommaOrEnd
        };
    }

    fn open_object(&mut self) -> Result<(), Refused> {
        match self.member {
            Member::Result => self.has_result = true,
            Member::Meta => self.in_meta = true,
            _ => {}
        }
        self.member = Member::Other;
        self.expects = Expects::NameOrEnd;
        self.containers.open(true)
    }

    fn open_array(&mut self) -> Result<(), Refused> {
        self.member = Member::Other;
        self.expects = Expects::ValueOrEnd;
        self.containers.open(false)
    }

    fn close(&mut self, is_object: bool) -> Result<(), Refused> {
        if self.containers.is_object() != is_object {
            return Err(Refused);
        }
        if self.level() == Level::Meta {
            self.in_meta = false;
        }
        self.containers.close();
        self.end_value();
        Ok(())
    }

    /// What the innermost open container is.
    const fn level(&self) -> Level {
        match self.containers.depth {
            1 => Level::Message,
            // No other member of a message may have a container as its value.
            2 => Level::Result,
            3 if self.in_meta => Level::Meta,
            _ => Level::Other,
        }
    }

    /// The member whose name has come.
    fn named(&mut self) -> Result<Member, Refused> {
        match self.level() {
            Level::Message => {
                let (member, seen) = match self.word.text()? {
                    "jsonrpc" => (Member::Jsonrpc, &mut self.seen.jsonrpc),
                    "id" => (Member::Id, &mut self.seen.id),
                    "result" => (Member::Result, &mut self.seen.result),
                    _ => return Err(Refused),
                };
                if core::mem::replace(seen, true) {
                    return Err(Refused);
                }
                Ok(member)
            }
            Level::Result if self.word.is_too_long() => Ok(Member::Other),
            Level::Result => match self.word.text()? {
                name if is_one_of(name, &CRITICAL) => Err(Refused),
                name if same_letters(name, "resultType") => Ok(Member::ResultType),
                name if same_letters(name, "_meta") => Ok(Member::Meta),
                _ => Ok(Member::Other),
            },
            Level::Meta if self.word.is_too_long() => Ok(Member::Other),
            Level::Meta if is_one_of(self.word.text()?, &CRITICAL_META) => Err(Refused),
            Level::Meta | Level::Other => Ok(Member::Other),
        }
    }
}

/// Containers whose members' names matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Message,
    Result,
    Meta,
    Other,
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| same_letters(name, other))
}

/// Whether more than going on has to be done at this byte of a string.
const fn ends_plain(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

const fn may_end_plain(word: words::Word) -> bool {
    word.has_less(0x20) || word.has(b'"', 0xff) || word.has(b'\\', 0xff)
}

// === impl Number ===

impl Number {
    /// What it is with this byte, if that belongs to it.
    const fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+' | b'-') => Self::ExponentSign,
            (Self::E | Self::ExponentSign | Self::Exponent, b'0'..=b'9') => Self::Exponent,
            _ => return None,
        })
    }

    /// Whether it may end here.
    const fn is_whole(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Integer | Self::Fraction | Self::Exponent
        )
    }
}

// === impl Containers ===

impl Containers {
    fn open(&mut self, is_object: bool) -> Result<(), Refused> {
        if self.depth >= 128 {
            return Err(Refused);
        }
        self.depth = self.depth.saturating_add(1);
        self.bits = self.bits << 1 | u128::from(is_object);
        Ok(())
    }

    const fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.bits >>= 1;
    }

    const fn is_object(self) -> bool {
        self.bits & 1 == 1
    }
}

// === impl Word ===

impl Default for Word {
    fn default() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
            is_wanted: false,
        }
    }
}

impl Word {
    /// A string begins, which matters or not.
    const fn begin(&mut self, is_wanted: bool) {
        self.length = 0;
        self.is_wanted = is_wanted;
    }

    fn push(&mut self, bytes: &[u8]) {
        if !self.is_wanted {
            return;
        }
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
        }
        self.length = end;
    }

    /// The character of an escape. Readers differ in what they make of control
    /// characters in a name, and of halves of surrogate pairs.
    fn push_escaped(&mut self, number: u32) -> Result<(), Refused> {
        if self.is_wanted {
            let character = char::from_u32(number).filter(|it| *it >= ' ');
            let character = character.ok_or(Refused)?;
            self.push(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }

    const fn is_too_long(&self) -> bool {
        self.length > LONGEST
    }

    fn text(&self) -> Result<&str, Refused> {
        let bytes = self.bytes.get(..self.length).ok_or(Refused)?;
        str::from_utf8(bytes).map_err(|_| Refused)
    }
}
