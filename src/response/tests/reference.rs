//! Readers of whole texts, to compare with: of event streams as the HTML
//! standard has it, and of JSON with every member that is written.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::letters::same_letters;

/// An event that a client dispatches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dispatched {
    pub(super) data: Vec<u8>,
    pub(super) kind: Vec<u8>,
    /// The last event id when it is dispatched.
    pub(super) id: Vec<u8>,
}

/// What a client has when a stream has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) events: Vec<Dispatched>,
    /// The last event id.
    pub(super) id: Vec<u8>,
    /// Data after the last blank line, which some clients dispatch as well.
    pub(super) rest: Vec<u8>,
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// Lines end with LF, CRLF or CR: the standard.
    Standard,
    /// With LF or CRLF.
    LineFeeds,
    /// As the standard, but what follows a byte order mark may be one that was
    /// decoded wrongly (eventsource-parser).
    TwoMarks,
    /// Where `str.splitlines` of Python has it, and a byte order mark is part
    /// of the text (httpx-sse before 0.4.1).
    SplitLines,
}

pub(super) const CLIENTS: [Client; 4] = [
    Client::Standard,
    Client::LineFeeds,
    Client::TwoMarks,
    Client::SplitLines,
];

pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";
pub(super) const WRONG_MARK: &[u8] = "\u{ef}\u{bb}\u{bf}".as_bytes();

/// The characters at which only `str.splitlines` ends lines, and what becomes
/// of them.
const LINE_ENDS: [(&str, &str); 8] = [
    ("\u{b}", "\u{1f}"),
    ("\u{c}", "\u{1f}"),
    ("\u{1c}", "\u{1f}"),
    ("\u{1d}", "\u{1f}"),
    ("\u{1e}", "\u{1f}"),
    ("\u{85}", "\\u0085"),
    ("\u{2028}", "\\u2028"),
    ("\u{2029}", "\\u2029"),
];

fn line_end(text: &[u8]) -> Option<(&'static str, &'static str)> {
    LINE_ENDS
        .into_iter()
        .find(|(end, _)| text.starts_with(end.as_bytes()))
}

/// The stream as every client is to read it.
pub(super) fn uniform(stream: &[u8]) -> Vec<u8> {
    let mut rest = stream;
    while let Some(after) = rest
        .strip_prefix(MARK)
        .or_else(|| rest.strip_prefix(WRONG_MARK))
    {
        rest = after;
    }
    let mut out = Vec::new();
    while let Some(byte) = rest.first() {
        if let Some((end, instead)) = line_end(rest) {
            out.extend(instead.bytes());
            rest = &rest[end.len()..];
        } else {
            out.push(*byte);
            rest = &rest[1..];
        }
    }
    out
}

/// WHATWG HTML, "Parsing an event stream" and "Interpreting an event stream".
pub(super) fn read(stream: &[u8], client: Client) -> Read {
    let mut stream = stream;
    if client != Client::SplitLines {
        stream = stream.strip_prefix(MARK).unwrap_or(stream);
    }
    if client == Client::TwoMarks {
        stream = stream.strip_prefix(WRONG_MARK).unwrap_or(stream);
    }
    let mut lines = vec![Vec::new()];
    let mut at = 0;
    while at < stream.len() {
        let width = match &stream[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [b'\r', ..] if client != Client::LineFeeds => 1,
            rest if client == Client::SplitLines => line_end(rest).map_or(0, |(end, _)| end.len()),
            _ => 0,
        };
        if width > 0 {
            lines.push(Vec::new());
        } else {
            lines.last_mut().unwrap().push(stream[at]);
        }
        at += width.max(1);
    }
    let last = lines.pop().unwrap();
    let mut read = Read::default();
    // The id counts once its event has ended.
    let (mut data, mut kind, mut id) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            read.id.clone_from(&id);
            if data.pop().is_some() {
                read.events.push(Dispatched {
                    data: std::mem::take(&mut data),
                    kind: std::mem::take(&mut kind),
                    id: read.id.clone(),
                });
            }
            kind.clear();
            continue;
        }
        field(&line, &mut id, &mut data, &mut kind);
    }
    // Where a client takes the end of the stream for the end of an event.
    if !last.is_empty() {
        field(&last, &mut id, &mut data, &mut kind);
    }
    data.pop();
    read.rest = data;
    read
}

fn field(line: &[u8], id: &mut Vec<u8>, data: &mut Vec<u8>, kind: &mut Vec<u8>) {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let name = parts.next().unwrap();
    let value = parts.next().unwrap_or_default();
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match name {
        b"data" => {
            data.extend(value);
            data.push(b'\n');
        }
        b"event" => *kind = value.to_vec(),
        b"id" if !value.contains(&0) => *id = value.to_vec(),
        _ => {}
    }
}

/// The beginning of a stream up to the end of its last blank line.
pub(super) fn up_to_blank_line(stream: &[u8]) -> &[u8] {
    let (mut end, mut is_blank) = (0, true);
    let mut at = 0;
    while at < stream.len() {
        let width = match &stream[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        at += width.max(1);
        if width > 0 && is_blank {
            end = at;
        }
        is_blank = width > 0;
    }
    &stream[..end]
}

/// Members in the order in which they are written, also those of one name.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn members(text: &[u8]) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_slice::<Members<'_>>(text)
        .ok()
        .map(|it| it.0)
}

pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

/// Whether a text is an answer in which nothing has to be changed.
pub(super) fn is_plain_answer(text: &[u8]) -> bool {
    plain_answer(text).is_some()
}

fn plain_answer(text: &[u8]) -> Option<()> {
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
    let message = members(text)?;
    let mut names = Vec::new();
    let mut result = None;
    for (name, value) in &message {
        let value = value.get();
        let fits = match name.as_str() {
            "jsonrpc" => value == "\"2.0\"",
            "id" => {
                value.starts_with(['"', '-']) || value.starts_with(|c: char| c.is_ascii_digit())
            }
            "result" => {
                result = Some(members(value.as_bytes())?);
                true
            }
            _ => false,
        };
        if !fits || names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    for (name, value) in result? {
        let value = value.get();
        let is = |other: &&str| same_letters(&name, other);
        if CRITICAL.iter().any(is) || is(&"resultType") && value != "\"complete\"" {
            return None;
        }
        if is(&"_meta")
            && let Some(meta) = members(value.as_bytes())
            && meta
                .iter()
                .any(|(name, _)| same_letters(name, "io.modelcontextprotocol/related-task"))
        {
            return None;
        }
    }
    Some(())
}
