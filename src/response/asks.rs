//! What an upstream asks of a client: sampling, elicitation, roots, and URLs
//! for the user to open.

use super::withheld::Withheld;
use crate::config::ClientFeatures;
use crate::http::leads_to;
use crate::json::raw::{self, RawObject};

/// Judges one request of the server, or one entry of `inputRequests` (MCP
/// 2026-07-28, multi round-trip requests): its method and its parameters.
///
/// # Errors
/// [`Withheld::ClientFeature`], [`Withheld::ElicitationUrl`],
/// [`Withheld::NotUnderstood`]
pub(super) fn judge(
    features: &ClientFeatures,
    method: &str,
    params: Option<&str>,
) -> Result<(), Withheld> {
    match method {
        // Asks for nothing but an answer.
        "ping" => Ok(()),
        // About what the client makes of an earlier request of these (MCP
        // 2025-11-25, Tasks): that one was judged.
        "tasks/get" | "tasks/result" | "tasks/list" | "tasks/cancel" => Ok(()),
        _ => judge_feature(features, method, params),
    }
}

/// Judges every entry of `inputRequests`, wherever it stands in a result or
/// in a task.
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_input_requests(
    features: &ClientFeatures,
    input_requests: &str,
) -> Result<(), Withheld> {
    for (_, request) in object(input_requests)?.iter() {
        let request = object(request)?;
        if request.has_lookalike(&["method", "params"]) {
            return Err(Withheld::NotUnderstood);
        }
        let method = request.get("method").and_then(raw::string);
        let method = method.ok_or(Withheld::NotUnderstood)?;
        judge_feature(features, &method, request.get("params"))?;
    }
    Ok(())
}

/// Judges a JSON-RPC error: the URLs of -32042 (MCP 2025-11-25, Elicitation,
/// "URL Elicitation Required Error"), and of any other that has them.
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_error(
    features: &ClientFeatures,
    error: &RawObject<'_>,
) -> Result<(), Withheld> {
    if error.has_lookalike(&["code", "message", "data"]) {
        return Err(Withheld::NotUnderstood);
    }
    let Some(data) = error.get("data").filter(|data| data.starts_with('{')) else {
        return Ok(());
    };
    let data = object(data)?;
    if data.has_lookalike(&["elicitations"]) {
        return Err(Withheld::NotUnderstood);
    }
    let Some(elicitations) = data.get("elicitations") else {
        return Ok(());
    };
    if !features.elicitation {
        return Err(Withheld::ClientFeature);
    }
    let elicitations = raw::array(elicitations.as_bytes()).map_err(|_| Withheld::NotUnderstood)?;
    for elicitation in elicitations {
        match Mode::of(elicitation)? {
            Mode::Url(url) => judge_url(features, url)?,
            Mode::Form => return Err(Withheld::NotUnderstood),
        }
    }
    Ok(())
}

/// What a client may have in its capabilities. Any other request is none that
/// a server of MCP makes.
fn judge_feature(
    features: &ClientFeatures,
    method: &str,
    params: Option<&str>,
) -> Result<(), Withheld> {
    let is_allowed = match method {
        "sampling/createMessage" => features.sampling,
        "elicitation/create" => features.elicitation,
        "roots/list" => features.roots,
        _ => false,
    };
    if !is_allowed {
        return Err(Withheld::ClientFeature);
    }
    if method == "elicitation/create" {
        let params = params.ok_or(Withheld::NotUnderstood)?;
        if let Mode::Url(url) = Mode::of(params)? {
            judge_url(features, url)?;
        }
    }
    Ok(())
}

/// How the user is asked.
enum Mode<'a> {
    Form,
    /// With the text of the member `url`.
    Url(&'a str),
}

impl<'a> Mode<'a> {
    /// From the parameters of `elicitation/create`. Without a mode they are a
    /// form's; a reader that goes by the `url` must not find another in them.
    fn of(params: &'a str) -> Result<Self, Withheld> {
        let params = object(params)?;
        if params.has_lookalike(&["mode", "url"]) {
            return Err(Withheld::NotUnderstood);
        }
        let mode = match params.get("mode") {
            None => None,
            Some(mode) => Some(raw::string(mode).ok_or(Withheld::NotUnderstood)?),
        };
        match (mode.as_deref(), params.get("url")) {
            (None | Some("form"), None) => Ok(Self::Form),
            (Some("url"), Some(url)) => Ok(Self::Url(url)),
            (None | Some("form" | "url"), _) => Err(Withheld::NotUnderstood),
            (Some(_), _) => Err(Withheld::ClientFeature),
        }
    }
}

fn judge_url(features: &ClientFeatures, url: &str) -> Result<(), Withheld> {
    let url = raw::string(url).ok_or(Withheld::NotUnderstood)?;
    if leads_to(&url, &features.url_elicitation_hosts) {
        Ok(())
    } else {
        Err(Withheld::ElicitationUrl)
    }
}

fn object(text: &str) -> Result<RawObject<'_>, Withheld> {
    raw::object(text.as_bytes()).map_err(|_| Withheld::NotUnderstood)
}

#[cfg(test)]
mod tests {
    use Withheld::{ClientFeature, ElicitationUrl, NotUnderstood};
    use proptest::prelude::proptest;

    use super::*;
    use crate::http::UrlHost;

    const GOOD: &str = r#"{"mode":"url","url":"https://connect.example/a?b=c","message":"m"}"#;
    const BAD: &str = r#"{"mode":"url","url":"https://evil.example/","message":"m"}"#;

    fn all() -> ClientFeatures {
        ClientFeatures {
            url_elicitation_hosts: vec![UrlHost::parse("connect.example").unwrap()],
            ..ClientFeatures::default()
        }
    }

    const NONE: ClientFeatures = ClientFeatures {
        sampling: false,
        elicitation: false,
        roots: false,
        url_elicitation_hosts: Vec::new(),
    };

    #[test]
    fn each_feature_is_allowed_by_its_own_switch() {
        for (method, params, feature) in [
            (
                "sampling/createMessage",
                Some("{}"),
                ClientFeatures {
                    sampling: true,
                    ..NONE
                },
            ),
            (
                "elicitation/create",
                Some(r#"{"message":"m","requestedSchema":{}}"#),
                ClientFeatures {
                    elicitation: true,
                    ..NONE
                },
            ),
            (
                "elicitation/create",
                Some(r#"{"mode":"form"}"#),
                ClientFeatures {
                    elicitation: true,
                    ..NONE
                },
            ),
            (
                "roots/list",
                None,
                ClientFeatures {
                    roots: true,
                    ..NONE
                },
            ),
        ] {
            assert_eq!(judge(&feature, method, params), Ok(()), "{method}");
            assert_eq!(judge(&NONE, method, params), Err(ClientFeature), "{method}");
            let entry = params.map_or_else(String::new, |params| format!(",\"params\":{params}"));
            let inputs = format!(r#"{{"a":{{"method":"{method}"{entry}}}}}"#);
            assert_eq!(judge_input_requests(&feature, &inputs), Ok(()), "{method}");
            assert_eq!(
                judge_input_requests(&NONE, &inputs),
                Err(ClientFeature),
                "{method}"
            );
        }
    }

    #[test]
    fn what_asks_for_nothing_passes_and_what_mcp_does_not_know_does_not() {
        for method in [
            "ping",
            "tasks/get",
            "tasks/result",
            "tasks/list",
            "tasks/cancel",
        ] {
            assert_eq!(judge(&NONE, method, None), Ok(()), "{method}");
        }
        for method in [
            "",
            "Sampling/createMessage",
            "sampling/createMessage ",
            "sampling/other",
            "roots/read",
            "tools/call",
            "tasks/update",
            "vendor/x",
        ] {
            assert_eq!(judge(&all(), method, None), Err(ClientFeature), "{method}");
            let inputs = format!(r#"{{"a":{{"method":"{method}"}}}}"#);
            let judged = judge_input_requests(&all(), &inputs);
            assert_eq!(judged, Err(ClientFeature), "{method}");
        }
        let inputs = r#"{"a":{"method":"ping"}}"#;
        assert_eq!(judge_input_requests(&all(), inputs), Err(ClientFeature));
    }

    #[test]
    fn a_url_needs_a_host_that_is_listed() {
        let elicit = |params: &str| judge(&all(), "elicitation/create", Some(params));
        for (params, judged) in [
            (GOOD, Ok(())),
            (
                r#"{"mode":"\u0075rl","url":"https:\/\/connect.example\/"}"#,
                Ok(()),
            ),
            (BAD, Err(ElicitationUrl)),
            (
                r#"{"mode":"url","url":"https://connect.example\u0000"}"#,
                Err(ElicitationUrl),
            ),
            (
                r#"{"mode":"url","url":"javascript:alert(1)"}"#,
                Err(ElicitationUrl),
            ),
            (r#"{"mode":"url","url":null}"#, Err(NotUnderstood)),
            (r#"{"mode":"url"}"#, Err(NotUnderstood)),
            // A reader that goes by the member would open it.
            (r#"{"url":"https://connect.example/"}"#, Err(NotUnderstood)),
            (
                r#"{"mode":"form","url":"https://evil.example/"}"#,
                Err(NotUnderstood),
            ),
            (
                r#"{"mode":"url","url":"https://connect.example/","URL":"https://evil.example/"}"#,
                Err(NotUnderstood),
            ),
            (
                r#"{"mode":"url","url":"https://connect.example/","url":"https://evil.example/"}"#,
                Err(NotUnderstood),
            ),
            (r#"{"Mode":"url","message":"m"}"#, Err(NotUnderstood)),
            (r#"{"mode":null}"#, Err(NotUnderstood)),
            (r#"{"mode":["url"]}"#, Err(NotUnderstood)),
            (r#"{"mode":"URL"}"#, Err(ClientFeature)),
            (r#"{"mode":"voice"}"#, Err(ClientFeature)),
            ("[]", Err(NotUnderstood)),
            ("null", Err(NotUnderstood)),
        ] {
            assert_eq!(elicit(params), judged, "{params}");
            let inputs = format!(
                r#"{{"a":{{"method":"roots/list"}},"b":{{"method":"elicitation/create","params":{params}}}}}"#
            );
            assert_eq!(judge_input_requests(&all(), &inputs), judged, "{params}");
        }
        assert_eq!(
            judge(&all(), "elicitation/create", None),
            Err(NotUnderstood)
        );
        let nowhere = ClientFeatures::default();
        assert_eq!(
            judge(&nowhere, "elicitation/create", Some(GOOD)),
            Err(ElicitationUrl)
        );
    }

    #[test]
    fn input_requests_that_can_be_read_in_two_ways_are_not_understood() {
        for inputs in [
            "[]",
            "null",
            "1",
            r#"{"a":1}"#,
            r#"{"a":{}}"#,
            r#"{"a":{"method":1}}"#,
            r#"{"a":{"method":"roots/list"},"a":{"method":"vendor/x"}}"#,
            r#"{"a":{"method":"roots/list","Method":"vendor/x"}}"#,
            r#"{"a":{"method":"roots/list","PARAMS":{}}}"#,
            r#"{"a":{"method":"roots/list","method":"vendor/x"}}"#,
        ] {
            assert_eq!(
                judge_input_requests(&all(), inputs),
                Err(NotUnderstood),
                "{inputs}"
            );
        }
        assert_eq!(judge_input_requests(&NONE, "{}"), Ok(()));
    }

    #[test]
    fn every_url_of_an_error_is_judged() {
        let judged = |features: &ClientFeatures, error: &str| {
            judge_error(features, &raw::object(error.as_bytes()).unwrap())
        };
        for (data, expected) in [
            (format!(r#"{{"elicitations":[{GOOD}]}}"#), Ok(())),
            (
                format!(r#"{{"elicitations":[{GOOD},{GOOD}],"x":1}}"#),
                Ok(()),
            ),
            (r#"{"elicitations":[]}"#.to_owned(), Ok(())),
            ("{}".to_owned(), Ok(())),
            ("null".to_owned(), Ok(())),
            (r#""elicitations""#.to_owned(), Ok(())),
            (
                format!(r#"{{"elicitations":[{GOOD},{BAD}]}}"#),
                Err(ElicitationUrl),
            ),
            (
                format!(r#"{{"\u0065licitations":[{BAD}]}}"#),
                Err(ElicitationUrl),
            ),
            (
                r#"{"elicitations":[{"message":"m"}]}"#.to_owned(),
                Err(NotUnderstood),
            ),
            (
                r#"{"elicitations":[{"mode":"form"}]}"#.to_owned(),
                Err(NotUnderstood),
            ),
            (
                format!(r#"{{"elicitations":{{"0":{GOOD}}}}}"#),
                Err(NotUnderstood),
            ),
            (
                format!(r#"{{"Elicitations":[{GOOD}]}}"#),
                Err(NotUnderstood),
            ),
            (
                format!(r#"{{"elicitations":[{GOOD}],"elicitations":[{BAD}]}}"#),
                Err(NotUnderstood),
            ),
            (r#"{"elicitations":null}"#.to_owned(), Err(NotUnderstood)),
            (r#"{"elicitations":[null]}"#.to_owned(), Err(NotUnderstood)),
        ] {
            for code in ["-32042", "-32603", "-32042.0"] {
                let error = format!(r#"{{"code":{code},"message":"m","data":{data}}}"#);
                assert_eq!(judged(&all(), &error), expected, "{error}");
            }
        }
        let error = format!(r#"{{"code":1,"data":{{}},"Data":{{"elicitations":[{BAD}]}}}}"#);
        assert_eq!(judged(&all(), &error), Err(NotUnderstood));
        let error = format!(r#"{{"code":-32042,"data":{{"elicitations":[{GOOD}]}}}}"#);
        assert_eq!(judged(&NONE, &error), Err(ClientFeature));
        let plain = r#"{"code":-32601,"message":"Method not found"}"#;
        assert_eq!(judged(&NONE, plain), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text: String, method: String, mode: String) {
            let features = all();
            let _ = judge(&features, &method, Some(&text));
            let _ = judge(&features, "elicitation/create", Some(&text));
            let _ = judge_input_requests(&features, &text);
            let params = serde_json::json!({"mode": mode, "url": text});
            let elicited = judge(&features, "elicitation/create", Some(&params.to_string()));
            proptest::prop_assert!(elicited.is_err());
            let error = serde_json::json!({"code": 1, "data": {"elicitations": [params]}});
            let error = error.to_string();
            let judged = judge_error(&features, &raw::object(error.as_bytes()).unwrap());
            proptest::prop_assert!(judged.is_err());
        }
    }
}
