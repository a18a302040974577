//! What the headers of a response say of its body.

use super::BodyKind;
use crate::http::Headers;

/// Why a body cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is compressed, although the request asked for it to be plain.
    Encoded,
    /// A success of a content type that MCP does not have, one of MCP's in
    /// another character set, or a part of a body only.
    ContentType,
    /// It sends the client elsewhere, with the message, and to answers that
    /// nobody has looked at.
    Redirect,
}

/// How the messages in the body of a response of this status are told apart.
/// `is_answer`: the request wants an answer, so that a success has to have one
/// of MCP's content types (MCP, Streamable HTTP, "Sending Messages to the
/// Server").
///
/// # Errors
/// [`Unreadable`]
pub fn body_kind(
    headers: &Headers,
    status: &[u8],
    is_answer: bool,
) -> Result<BodyKind, Unreadable> {
    if headers.has("content-encoding") && !is_plain(headers) {
        return Err(Unreadable::Encoded);
    }
    if status == b"206" {
        return Err(Unreadable::ContentType);
    }
    match headers.only("content-type") {
        Ok(Some(b"application/json" | b"application/json; charset=utf-8")) => Ok(BodyKind::Json),
        Ok(Some(b"text/event-stream")) => Ok(BodyKind::Events),
        _ => unusual_kind(headers, status, is_answer),
    }
}

/// How many bytes the body has, by this `content-length`.
pub fn length(digits: &[u8]) -> Option<usize> {
    let length = digits.iter().try_fold(0_usize, |length, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        length.checked_mul(10)?.checked_add(digit.into())
    })?;
    (!digits.is_empty()).then_some(length)
}

#[cold]
#[inline(never)]
fn is_plain(headers: &Headers) -> bool {
    let is_identity = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"identity");
    headers.all("content-encoding").all(is_identity)
}

/// As [`body_kind`], whatever the content type is.
#[cold]
#[inline(never)]
fn unusual_kind(headers: &Headers, status: &[u8], is_answer: bool) -> Result<BodyKind, Unreadable> {
    let Ok(content_type) = headers.single("content-type") else {
        return Err(Unreadable::ContentType);
    };
    match content_type.map(media_type) {
        Some(Media::Of(kind)) => Ok(kind),
        // A client decodes it, and would read another text than the gate.
        Some(Media::Misread) => Err(Unreadable::ContentType),
        Some(Media::Other) if is_answer && status.starts_with(b"2") => Err(Unreadable::ContentType),
        // An error page, say, or the content of a 202 that should have none.
        Some(Media::Other) | None => Ok(BodyKind::Untold),
    }
}

/// A content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// One of MCP's.
    Of(BodyKind),
    /// Like one of MCP's, in another character set.
    Misread,
    Other,
}

/// Some clients only look whether the name of a type is somewhere in the
/// value, so none may be in a parameter.
fn media_type(value: &str) -> Media {
    const NAMES: [&str; 2] = ["json", "event-stream"];
    const CHARSETS: [&str; 3] = ["utf-8", "utf8", "us-ascii"];
    let lower = value.to_ascii_lowercase();
    let (essence, parameters) = lower.split_once(';').unwrap_or((&lower, ""));
    let names_one = |text: &str| NAMES.iter().any(|name| text.contains(name));
    let is_misread = parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim() == "charset" && !CHARSETS.contains(&value.trim().trim_matches('"'))
    });
    match essence.trim() {
        essence if names_one(parameters) || (names_one(essence) && is_misread) => Media::Misread,
        "application/json" => Media::Of(BodyKind::Json),
        "text/event-stream" => Media::Of(BodyKind::Events),
        _ => Media::Other,
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
        let headers = Headers::new(headers);
        let kind = body_kind(&headers, status.as_bytes(), is_answer);
        if status != "206" {
            let unusual = unusual_kind(&headers, status.as_bytes(), is_answer);
            assert_eq!(kind, unusual, "{content_type:?}");
        }
        kind.ok()
    }

    #[test]
    fn an_answer_is_json_or_an_event_stream() {
        for content_type in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON ; charset=\"UTF-8\"",
            "application/json;profile=x",
            "application/json; charset=utf8",
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
            "application/json-seq",
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
    fn what_a_client_would_read_as_another_text_is_not_read_at_all() {
        for content_type in [
            "application/json; charset=utf-16",
            "text/event-stream;charset=latin-1",
            "application/problem+json; charset=x",
            "application/json; x=text/event-stream",
            "text/event-stream; x=\"Application/JSON\"",
        ] {
            for (status, is_answer) in [("200", true), ("200", false), ("404", true)] {
                assert_eq!(kind(status, Some(content_type), is_answer), None);
            }
        }
    }

    #[test]
    fn a_length_is_a_number() {
        for (value, found) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("007", Some(7)),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1, 1", None),
            ("0x1", None),
            ("99999999999999999999999999", None),
        ] {
            assert_eq!(length(value.as_bytes()), found, "{value:?}");
        }
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
            assert_eq!(
                body_kind(&headers, b"200", true).is_ok(),
                readable,
                "{encoding}"
            );
        }
    }
}
