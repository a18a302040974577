//! What goes on of a response is the same in whatever parts it comes, and a
//! message that is not to pass is never complete in it.

use mcp_auth_filter::response::{BodyKind, Fed, Inspect, ResponseBody, Ruling, Withheld};

/// What a client could have read of a response.
#[derive(Default)]
struct Outcome {
    out: Vec<u8>,
    was_cut: bool,
    seen: Vec<Vec<u8>>,
}

/// Keeps back lists.
struct Keep<'a>(&'a mut Outcome);

impl Inspect for Keep<'_> {
    fn may_flow(&self) -> bool {
        true
    }

    fn message(&mut self, text: &[u8]) -> Ruling {
        self.0.seen.push(text.to_vec());
        if is_secret(text) {
            Ruling::Instead(b"{\"error\":\n1}".to_vec())
        } else {
            Ruling::Pass
        }
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
        match kind {
            BodyKind::Json => assert!(!is_secret(&outcome.out)),
            BodyKind::Events => {
                for data in dispatched(&outcome.out) {
                    assert!(!is_secret(&data), "{}", data.escape_ascii());
                }
            }
            BodyKind::Untold => {}
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

/// A JSON object whose result has a list in it.
fn is_secret(text: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<serde_json::Value>(text) else {
        return false;
    };
    let result = message.get("result");
    result.is_some_and(|result| result.get("tools").is_some())
}

/// The data of all events, as the HTML standard has them.
fn dispatched(stream: &[u8]) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let stream = String::from_utf8_lossy(stream)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let Some((complete, _)) = stream.rsplit_once("\n\n") else {
        return Vec::new();
    };
    complete
        .split("\n\n")
        .map(|event| {
            let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
            data.collect::<Vec<_>>().join("\n").into_bytes()
        })
        .collect()
}
