//! What the headers of a response say of its body.

use super::BodyKind;
use crate::http::Headers;

/// Why a body cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is compressed, although the request asked for it to be plain.
    Encoded,
    /// A success of a content type that MCP does not have, or a part of a
    /// body only.
    ContentType,
}

/// How the messages in the body of a response are told apart. `is_answer`:
/// the request wants an answer, so that a success has to have one of MCP's
/// content types (MCP, Streamable HTTP, "Sending Messages to the Server").
///
/// # Errors
/// [`Unreadable`]
pub fn body_kind(headers: &Headers, is_answer: bool) -> Result<BodyKind, Unreadable> {
    let is_plain = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.all("content-encoding").all(is_plain) {
        return Err(Unreadable::Encoded);
    }
    let status = headers.pseudo(":status");
    if status == "206" {
        return Err(Unreadable::ContentType);
    }
    let Ok(content_type) = headers.single("content-type") else {
        return Err(Unreadable::ContentType);
    };
    let kind = content_type.map(media_type);
    match kind {
        Some(Some(kind)) => Ok(kind),
        Some(None) if is_answer && status.starts_with('2') => Err(Unreadable::ContentType),
        // An error page, say, or the content of a 202 that should have none.
        Some(None) | None => Ok(BodyKind::Untold),
    }
}

/// One of MCP's content types, in UTF-8. Some clients only look whether a
/// type's name is somewhere in the value, so none may be in a parameter.
fn media_type(value: &str) -> Option<BodyKind> {
    const NAMES: [&str; 2] = ["json", "event-stream"];
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let lower = parameters.to_ascii_lowercase();
    if NAMES.iter().any(|name| lower.contains(name)) {
        return None;
    }
    let is_utf_8 = parameters.split(';').all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let charset = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset") || charset.eq_ignore_ascii_case("utf-8")
    });
    let essence = essence.trim();
    match essence {
        _ if !is_utf_8 => None,
        _ if essence.eq_ignore_ascii_case("application/json") => Some(BodyKind::Json),
        _ if essence.eq_ignore_ascii_case("text/event-stream") => Some(BodyKind::Events),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: &str, content_type: Option<&str>, is_answer: bool) -> Option<BodyKind> {
        let mut headers = vec![(":status".to_owned(), status.as_bytes().to_vec())];
        if let Some(content_type) = content_type {
            headers.push(("content-type".to_owned(), content_type.as_bytes().to_vec()));
        }
        body_kind(&Headers::new(headers), is_answer).ok()
    }

    #[test]
    fn an_answer_is_json_or_an_event_stream() {
        for content_type in [
            "application/json",
            "Application/JSON ; charset=\"UTF-8\"",
            "application/json;profile=x",
        ] {
            assert_eq!(kind("200", Some(content_type), true), Some(BodyKind::Json));
        }
        for content_type in ["text/event-stream", "text/event-stream; charset=utf-8"] {
            assert_eq!(
                kind("200", Some(content_type), true),
                Some(BodyKind::Events)
            );
        }
    }

    #[test]
    fn a_success_of_another_content_type_is_no_answer() {
        for content_type in [
            "text/plain",
            "text/html",
            "application/json; charset=utf-16",
            "application/json-seq",
            "application/json; x=text/event-stream",
            "text/event-stream; x=\"Application/JSON\"",
            "application/octet-stream",
            "application/json, text/html",
        ] {
            assert_eq!(
                kind("200", Some(content_type), true),
                None,
                "{content_type}"
            );
            assert_eq!(
                kind("202", Some(content_type), false),
                Some(BodyKind::Untold)
            );
            assert_eq!(
                kind("404", Some(content_type), true),
                Some(BodyKind::Untold)
            );
        }
        assert_eq!(kind("200", None, true), Some(BodyKind::Untold));
    }

    #[test]
    fn part_of_a_body_and_a_compressed_one_cannot_be_read() {
        assert_eq!(kind("206", Some("application/json"), true), None);
        for (encoding, readable) in [("gzip", false), ("br", false), ("Identity", true)] {
            let headers = Headers::from([
                (":status", "200"),
                ("content-type", "application/json"),
                ("content-encoding", encoding),
            ]);
            assert_eq!(body_kind(&headers, true).is_ok(), readable, "{encoding}");
        }
    }
}
