//! What goes on of a response is the same in whatever parts it comes, and a
//! message that is not to pass is never complete in it.

use mcp_auth_filter::response::{BodyKind, Fed, Inspect, ResponseBody, Ruling, Withheld};
use serde_json::value::RawValue;

/// What a client could have read of a response.
#[derive(Default)]
struct Outcome {
    out: Vec<u8>,
    was_cut: bool,
    seen: Vec<Vec<u8>>,
}

/// Keeps back lists, and what is no JSON.
struct Keep<'a>(&'a mut Outcome);

impl Inspect for Keep<'_> {
    fn may_flow(&self) -> bool {
        true
    }

    fn message(&mut self, text: &[u8]) -> Option<Ruling> {
        serde_json::from_slice::<&RawValue>(text).ok()?;
        self.0.seen.push(text.to_vec());
        Some(if is_secret(text) {
            Ruling::Instead(b"{\"error\":\n1}".to_vec())
        } else {
            Ruling::Pass
        })
    }

    fn unread(&mut self, why: Withheld) -> Ruling {
        self.0.seen.push(why.reason().into());
        Ruling::Drop
    }
}

/// The first byte says of which kind the body is and how long its parts are,
/// the second how much of it may be held; the rest is the body.
pub(crate) fn check(bytes: &[u8]) {
    let [kind, limit, body @ ..] = bytes else {
        return;
    };
    let (kind, length) = match kind % 3 {
        0 => (BodyKind::Json, kind / 3),
        1 => (BodyKind::Events, kind / 3),
        _ => (BodyKind::Untold, kind / 3),
    };
    let limit = usize::from(*limit) + 8;
    let at_once = run(kind, limit, [body]);
    let parts = body.chunks(usize::from(length) + 1);
    let in_parts = run(kind, limit, parts.chain([&b""[..]]));
    assert_eq!(at_once.seen, in_parts.seen);
    assert_eq!(at_once.was_cut, in_parts.was_cut);
    if !at_once.was_cut {
        assert_eq!(at_once.out, in_parts.out);
    }
    for outcome in [at_once, in_parts] {
        // Some clients do not look at the content type.
        if !outcome.was_cut {
            assert!(!is_secret(&outcome.out), "{}", outcome.out.escape_ascii());
        }
        for client in [Client::Standard, Client::TwoMarks, Client::SplitLines] {
            for data in dispatched(&outcome.out, client) {
                assert!(!is_secret(&data), "{}", data.escape_ascii());
            }
        }
    }
}

fn run<'a>(kind: BodyKind, limit: usize, parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut body = ResponseBody::new(kind, limit);
    let mut outcome = Outcome::default();
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        match body.feed(part, parts.peek().is_none(), &mut Keep(&mut outcome)) {
            Fed::AsItCame => outcome.out.extend(part),
            Fed::Instead(bytes) => outcome.out.extend(bytes),
            Fed::Cut(bytes) => {
                outcome.out.extend(bytes);
                outcome.was_cut = true;
                break;
            }
        }
    }
    assert!(body.is_settled());
    outcome
}

/// A JSON object whose result has a list in it, as clients decode it.
fn is_secret(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Ok(message) = serde_json::from_str::<serde_json::Value>(&text) else {
        return false;
    };
    let result = message.get("result");
    result.is_some_and(|result| result.get("tools").is_some())
}

/// How a client reads an event stream.
#[derive(Clone, Copy, PartialEq)]
enum Client {
    /// As the HTML standard has it.
    Standard,
    /// With a wrongly decoded byte order mark dropped as well.
    TwoMarks,
    /// Lines end where `str.splitlines` of Python has it, and a byte order mark
    /// is part of the text.
    SplitLines,
}

/// The data of all events.
fn dispatched(stream: &[u8], client: Client) -> Vec<Vec<u8>> {
    const ENDS: &str = "\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}";
    let stream = String::from_utf8_lossy(stream).replace("\r\n", "\n");
    let mut text = stream.as_str();
    if client != Client::SplitLines {
        text = text.strip_prefix('\u{feff}').unwrap_or(text);
    }
    if client == Client::TwoMarks {
        text = text.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(text);
    }
    let ends_line = |character: char| {
        matches!(character, '\r' | '\n') || client == Client::SplitLines && ENDS.contains(character)
    };
    let mut lines: Vec<_> = text.split(ends_line).collect();
    // The last one has no end.
    lines.pop();
    let mut events = Vec::new();
    let mut data = Vec::new();
    for line in lines {
        if line.is_empty() {
            events.push(std::mem::take(&mut data).join("\n").into_bytes());
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push(value);
        } else if line == "data" {
            data.push("");
        }
    }
    events
}
