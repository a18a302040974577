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

/// Which bytes end a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// LF, CRLF, CR: the standard.
    All,
    /// LF, CRLF.
    LineFeeds,
}

/// WHATWG HTML, "Parsing an event stream" and "Interpreting an event stream".
pub(super) fn read(stream: &[u8], ends: Ends) -> Read {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut at = 0;
    while at < stream.len() {
        let width = match &stream[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [b'\r', ..] if ends == Ends::All => 1,
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
    let mark = if stream.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let (mut end, mut is_blank) = (0, true);
    let mut at = mark;
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
