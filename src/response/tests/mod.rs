//! Bodies of responses, in parts.

use super::{BodyKind, Fed, Inspect, ResponseBody, Ruling, Withheld};

/// Drops what has `drop` in it, replaces what has `swap` in it.
struct ByWords;

impl Inspect for ByWords {
    fn may_flow(&self) -> bool {
        true
    }

    fn message(&mut self, text: &[u8]) -> Ruling {
        let text = String::from_utf8_lossy(text);
        if text.contains("drop") {
            Ruling::Drop
        } else if text.contains("swap") {
            Ruling::Instead(b"{\n1}".to_vec())
        } else {
            Ruling::Pass
        }
    }

    fn unread(&mut self, why: Withheld) -> Ruling {
        Ruling::Instead(why.reason().into())
    }
}

#[test]
fn events_pass_are_replaced_or_dropped() {
    let mut body = ResponseBody::new(BodyKind::Events, 4096);
    let mut feed = |part: &str| body.feed(part.as_bytes(), false, &mut ByWords);
    let instead = |text: &str| Fed::Instead(text.into());
    assert_eq!(feed("id: 1\ndata:\n\n: ping\r\n\r\n"), Fed::AsItCame);
    assert_eq!(feed("data: {}\n\ndata: {"), instead("data: {}\n\n"));
    assert_eq!(feed("}\n"), instead(""));
    assert_eq!(feed("\n"), instead("data: {}\n\n"));
    assert_eq!(
        feed("id: 7\nevent: x\ndata: {\"swap\":1}\n\n"),
        instead("id: 7\nevent: x\ndata: {\ndata: 1}\n\n")
    );
    assert_eq!(feed("event: x\ndata: {drop}\n\n"), instead(""));
    assert_eq!(
        feed("id: 8\nevent: x\ndata: {drop}\n\n"),
        instead("id: 8\n\n")
    );
}
