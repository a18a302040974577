//! Whether a client can be asked to have its user open a URL.

use super::Revision;
use super::agreement::META_CAPABILITIES;
use super::revision::Era;
use crate::json::{Json, Object};

/// The form in which a request can be answered with a URL to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlElicitation {
    /// Error -32042 (MCP 2025-11-25, Elicitation, "URL Elicitation Required
    /// Error").
    Error,
    /// A result that asks for input (MCP 2026-07-28, multi round-trip
    /// requests).
    InputRequired,
}

/// Whether these capabilities of a client declare elicitation by URL. An empty
/// `elicitation` means forms only.
pub fn declares_url(capabilities: Option<&Json>) -> bool {
    member(member(capabilities, "elicitation"), "url").is_some_and(|url| url.as_object().is_some())
}

/// The form in which this request can be answered, if the client has declared
/// that it can open URLs: with the request itself, where it can say so, or
/// else when it opened its session.
pub fn url_elicitation(
    method: &str,
    params: &Object,
    revision: Revision,
    declared_in_session: bool,
) -> Option<UrlElicitation> {
    const INPUT_REQUIRED: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];
    if revision.era() == Era::Modern {
        let capabilities = member(params.get("_meta"), META_CAPABILITIES);
        return (INPUT_REQUIRED.contains(&method) && declares_url(capabilities))
            .then_some(UrlElicitation::InputRequired);
    }
    let declared = if method == "initialize" {
        let version = params.get("protocolVersion").and_then(Json::as_str);
        version == Some(Revision::V2025_11_25.as_str()) && declares_url(params.get("capabilities"))
    } else {
        revision == Revision::V2025_11_25 && declared_in_session
    };
    declared.then_some(UrlElicitation::Error)
}

fn member<'a>(value: Option<&'a Json<'a>>, name: &str) -> Option<&'a Json<'a>> {
    value?.as_object()?.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn form(
        method: &str,
        params: &str,
        revision: Revision,
        session: bool,
    ) -> Option<UrlElicitation> {
        let params = parse(params.as_bytes(), 16).unwrap();
        url_elicitation(method, params.as_object().unwrap(), revision, session)
    }

    const MODERN: &str =
        r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}}"#;
    const INITIALIZE: &str =
        r#"{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}}}"#;

    #[test]
    fn each_revision_has_its_own_form_and_older_ones_have_none() {
        use UrlElicitation::{Error, InputRequired};
        for (method, params, revision, session, expected) in [
            (
                "tools/call",
                MODERN,
                Revision::V2026_07_28,
                false,
                Some(InputRequired),
            ),
            (
                "resources/read",
                MODERN,
                Revision::V2026_07_28,
                false,
                Some(InputRequired),
            ),
            (
                "prompts/get",
                MODERN,
                Revision::V2026_07_28,
                false,
                Some(InputRequired),
            ),
            ("tools/list", MODERN, Revision::V2026_07_28, false, None),
            ("tools/call", "{}", Revision::V2026_07_28, true, None),
            ("tools/call", MODERN, Revision::V2025_11_25, false, None),
            ("tools/call", "{}", Revision::V2025_11_25, true, Some(Error)),
            ("tools/list", "{}", Revision::V2025_11_25, true, Some(Error)),
            ("tools/call", "{}", Revision::V2025_06_18, true, None),
            (
                "initialize",
                INITIALIZE,
                Revision::V2025_11_25,
                false,
                Some(Error),
            ),
            (
                "initialize",
                r#"{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{"url":{}}}}"#,
                Revision::V2025_11_25,
                false,
                None,
            ),
        ] {
            assert_eq!(
                form(method, params, revision, session),
                expected,
                "{method} {params} {revision}"
            );
        }
    }

    #[test]
    fn only_the_object_url_declares_it() {
        for capabilities in [
            "{}",
            r#"{"elicitation":{}}"#,
            r#"{"elicitation":{"form":{}}}"#,
            r#"{"elicitation":{"url":true}}"#,
            r#"{"elicitation":"url"}"#,
            "[]",
        ] {
            let capabilities = parse(capabilities.as_bytes(), 16).unwrap();
            assert!(!declares_url(Some(&capabilities)), "{capabilities:?}");
        }
        assert!(!declares_url(None));
    }
}
