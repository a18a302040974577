//! The head of a request to an MCP endpoint.

use std::rc::Rc;

use super::session::{SESSION_HEADER, SessionUse};
use super::tasks::TaskName;
use crate::config::Limits;
use crate::http::Headers;
use crate::http::headers::{Keep, is_spelling_of};
use crate::http::origin::Origin;
use crate::oauth::TokenHash;
use crate::site::Site;

/// What is known of a request once its headers are there.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) site: Rc<Site>,
    pub(super) origin: Origin,
    pub(super) verb: Verb,
    pub(super) headers: Headers,
    pub(super) arrived_ms: u64,
    /// The hash of the token; `None` until it was looked for.
    pub(super) token: Option<TokenHash>,
    /// Known once the caller is.
    pub(super) session: SessionUse,
    /// Known once the caller is.
    pub(super) task_name: TaskName,
}

impl Head {
    /// Until when the request may wait for keys or introspection.
    pub(super) const fn deadline_ms(&self, limits: &Limits) -> u64 {
        self.arrived_ms.saturating_add(limits.key_wait_ms)
    }

    /// Keeps of the headers only what is needed later: many requests may wait
    /// at a time.
    pub(super) fn reduce(&mut self) {
        const NEEDED: [&str; 10] = [
            "authorization",
            "content-encoding",
            "content-length",
            "content-type",
            "mcp-method",
            "mcp-name",
            "mcp-protocol-version",
            SESSION_HEADER,
            "transfer-encoding",
            "x-request-id",
        ];
        let reserved = &self.site.reserved_headers;
        self.headers.reduce(|name| {
            if NEEDED.iter().any(|needed| needed.as_bytes() == name) {
                Keep::Header
            } else if reserved.find(name).is_some() || is_spelling_of(name, SESSION_HEADER) {
                Keep::Name
            } else {
                Keep::Nothing
            }
        });
    }
}

/// The HTTP methods of an MCP endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// A message.
    Post,
    /// The legacy event stream.
    Get,
    /// The end of a legacy session.
    Delete,
}

impl Verb {
    pub(super) fn parse(method: &str) -> Option<Self> {
        match method {
            "POST" => Some(Self::Post),
            "GET" => Some(Self::Get),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }
}

/// A Content-Type that is JSON in UTF-8 and nothing else, and no
/// Content-Encoding; otherwise what is wanted. No other parameter is let
/// pass: frameworks find a charset in `charset*0=` and `charset =` too.
pub(super) fn json_body(headers: &Headers) -> Result<(), &'static str> {
    const WANTED: &str = "The body must be application/json in UTF-8";
    if headers.has("content-encoding") {
        return Err("The body must not be compressed");
    }
    let Ok(Some(value)) = headers.single("content-type") else {
        return Err(WANTED);
    };
    // Nearly every client writes it so.
    if value == "application/json" || is_json_in_utf_8(value) {
        Ok(())
    } else {
        Err(WANTED)
    }
}

#[cold]
#[inline(never)]
fn is_json_in_utf_8(content_type: &str) -> bool {
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters = parameters.trim();
    let is_utf_8 = ["", "charset=utf-8", "charset=\"utf-8\""]
        .iter()
        .any(|wanted| parameters.eq_ignore_ascii_case(wanted));
    let is_json = media_type
        .trim_end()
        .eq_ignore_ascii_case("application/json");
    is_json && is_utf_8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_json_in_utf_8_is_a_message() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json;",
        ] {
            assert_eq!(
                json_body(&Headers::from([("content-type", good)])),
                Ok(()),
                "{good}"
            );
        }
        for bad in [
            "text/plain",
            "application/json, application/json",
            "application/json;charset=utf-8,text/plain",
            "application/jsonp",
            "application/json; charset=utf-16",
            "application/json; charset",
            "application/json; charset =utf-7",
            "application/json; charset*0=utf-7",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json;a,text/xml=1",
            "multipart/form-data",
            "",
        ] {
            assert!(
                json_body(&Headers::from([("content-type", bad)])).is_err(),
                "{bad}"
            );
        }
        assert!(json_body(&Headers::default()).is_err());
        let encoded = Headers::from([
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ]);
        assert!(json_body(&encoded).is_err());
    }
}
