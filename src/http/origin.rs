//! Origins of browser clients, and what CORS (Fetch standard) lets them see.

use super::headers::is_token;
use super::{HeaderError, Headers};

/// Where a request says that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No Origin header: no browser, or a request of the same origin.
    Absent,
    /// The server's own origin, or one that its entry lists.
    Allowed(String),
    /// Anything else, `null` and joined values among it.
    Foreign,
}

impl Origin {
    /// Reads the Origin header. `own` is the origin of the resource.
    #[inline]
    pub fn of(headers: &Headers, own: &str, allowed: &[String]) -> Self {
        match headers.single("origin") {
            Ok(None) => Self::Absent,
            named => Self::named(named, own, allowed),
        }
    }

    #[inline(never)]
    fn named(origin: Result<Option<&str>, HeaderError>, own: &str, allowed: &[String]) -> Self {
        match origin {
            Ok(None) => Self::Absent,
            Ok(Some(origin)) if origin == own || allowed.iter().any(|entry| entry == origin) => {
                Self::Allowed(origin.to_owned())
            }
            Ok(Some(_)) | Err(HeaderError::Repeated | HeaderError::NotText) => Self::Foreign,
        }
    }

    /// The headers that let a page of an allowed origin read a response.
    pub fn response_headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Allowed(origin) => vec![
                ("access-control-allow-origin", origin.clone()),
                (
                    "access-control-expose-headers",
                    "WWW-Authenticate, Mcp-Session-Id".to_owned(),
                ),
                ("vary", "Origin".to_owned()),
            ],
            Self::Absent | Self::Foreign => Vec::new(),
        }
    }
}

/// Whether this is a CORS preflight (Fetch standard, "CORS-preflight
/// request").
pub fn is_preflight(headers: &Headers) -> bool {
    headers.has("origin") && headers.has("access-control-request-method")
}

/// The request headers that a page may send, out of those that its preflight
/// asks for: what MCP clients need, and nothing of the gate's own.
pub fn allowed_request_headers(headers: &Headers) -> String {
    const MCP: [&str; 8] = [
        "accept",
        "authorization",
        "content-type",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
    ];
    let mut allowed: Vec<String> = MCP.map(str::to_owned).to_vec();
    // The names behind `Mcp-Param-` are the tools' own, so they are echoed.
    if let Ok(Some(asked)) = headers.single("access-control-request-headers") {
        let parameters = asked
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| name.starts_with("mcp-param-") && is_token(name));
        allowed.extend(parameters);
    }
    allowed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(value: &str) -> Origin {
        Origin::of(
            &Headers::from([("origin", value)]),
            "https://mcp.example",
            &["http://localhost:6274".to_owned()],
        )
    }

    #[test]
    fn only_the_resources_own_origin_and_listed_ones_are_allowed() {
        assert!(matches!(origin("https://mcp.example"), Origin::Allowed(_)));
        assert!(matches!(
            origin("http://localhost:6274"),
            Origin::Allowed(_)
        ));
        for foreign in [
            "https://evil.example",
            "null",
            "",
            "*",
            "https://mcp.example,https://mcp.example",
            "https://mcp.example:8443",
            "https://mcp.example.evil.example",
            "http://mcp.example",
            "HTTPS://MCP.EXAMPLE",
        ] {
            assert_eq!(origin(foreign), Origin::Foreign, "{foreign}");
        }
        assert_eq!(
            Origin::of(&Headers::default(), "https://mcp.example", &[]),
            Origin::Absent
        );
    }

    #[test]
    fn a_preflight_may_name_the_headers_of_tool_parameters() {
        let headers = Headers::from([(
            "access-control-request-headers",
            "Mcp-Param-Region, x-evil, mcp-param-a b",
        )]);
        let allowed = allowed_request_headers(&headers);
        assert!(
            allowed.contains("authorization") && allowed.ends_with(", mcp-param-region"),
            "{allowed}"
        );
    }
}
