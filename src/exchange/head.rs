//! The head of a request to an MCP endpoint.

use std::rc::Rc;

use super::site::Site;
use crate::http::Headers;
use crate::http::origin::Origin;

/// What is known of a request once its headers are there.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) site: Rc<Site>,
    pub(super) origin: Origin,
    pub(super) verb: Verb,
    pub(super) headers: Headers,
    pub(super) arrived_ms: u64,
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
/// Content-Encoding; otherwise what is wanted.
pub(super) fn json_body(headers: &Headers) -> Result<(), &'static str> {
    const WANTED: &str = "The body must be application/json in UTF-8";
    if headers.has("content-encoding") {
        return Err("The body must not be compressed");
    }
    let Ok(Some(value)) = headers.single("content-type") else {
        return Err(WANTED);
    };
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"))
    {
        return Err(WANTED);
    }
    for parameter in parts.filter(|part| !part.is_empty()) {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(WANTED);
        };
        let charset = name.eq_ignore_ascii_case("charset");
        if value.contains(',')
            || (charset && !value.trim_matches('"').eq_ignore_ascii_case("utf-8"))
        {
            return Err(WANTED);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_json_in_utf_8_is_a_message() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"; a=b",
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
