//! URLs, hosts, paths and origins, as strictly as they are compared.

use url::Url;

use super::Resource;
use super::reader::Node;
use crate::callout::Endpoint;

/// The parts of an `http` or `https` URL, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) scheme: &'a str,
    /// Host and port, as written.
    pub(super) authority: &'a str,
    /// Empty, or beginning with `/`.
    pub(super) path: &'a str,
    /// With its `?`, or empty.
    pub(super) query: &'a str,
}

/// An absolute URL without user information and fragment. What is found is
/// not printed: a URL may carry a password.
pub(super) fn url<'a>(node: &Node<'a>) -> Option<Parts<'a>> {
    let text = node.string()?;
    match parts(text) {
        Ok(parts) => Some(parts),
        Err(problem) => {
            node.error("an http or https URL", problem);
            None
        }
    }
}

/// Like [`url`], without a query.
pub(super) fn url_without_query<'a>(node: &Node<'a>) -> Option<Parts<'a>> {
    let parts = url(node)?;
    if !parts.query.is_empty() {
        node.error("an http or https URL without a query", "a URL with a query");
        return None;
    }
    Some(parts)
}

/// The URL that clients use for a server, with the host as they send it, and a
/// path that nothing else is equal to.
pub(super) fn resource(node: &Node<'_>) -> Option<Resource> {
    const EXPECTED: &str = "the http or https URL that clients use, in its plain form";
    let text = node.string()?;
    let parts = exact_parts(text)
        .map_err(|problem| node.error(EXPECTED, problem))
        .ok()?;
    if !parts.query.is_empty() {
        node.error(EXPECTED, "a URL with a query");
        return None;
    }
    let path = if parts.path.is_empty() {
        "/"
    } else {
        parts.path
    };
    if let Some(problem) = path_problem(path) {
        node.error(EXPECTED, problem);
        return None;
    }
    Some(Resource {
        url: text.to_owned(),
        scheme: parts.scheme.to_owned(),
        authority: without_default_port(parts.scheme, parts.authority).to_owned(),
        path: path.to_owned(),
    })
}

/// The address that a call goes to, through the cluster.
pub(super) fn endpoint(uri: &Node<'_>, cluster: String) -> Option<Endpoint> {
    let parts = url(uri)?;
    let path = if parts.path.is_empty() {
        "/"
    } else {
        parts.path
    };
    Some(Endpoint {
        cluster,
        scheme: parts.scheme.to_owned(),
        authority: parts.authority.to_owned(),
        path: format!("{path}{}", parts.query),
    })
}

/// Host and port without the port that is the scheme's own.
pub(super) fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme == "https" { ":443" } else { ":80" };
    match authority.strip_suffix(port) {
        Some(host) if !host.is_empty() => host,
        _ => authority,
    }
}

/// A host with or without a port, lower case, in the form that URLs have.
pub(super) fn is_authority(text: &str) -> bool {
    exact_parts(&format!("http://{text}")).is_ok_and(|parts| parts.authority == text)
}

/// A path that every reader understands in the same way, and that no other
/// path is equal to: no empty, dot or encoded-separator segment, no slash at
/// the end but for the bare `/`.
pub(super) fn path_problem(path: &str) -> Option<&'static str> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some("a path that does not begin with a slash");
    };
    if !path.bytes().all(is_path_byte) {
        return Some("a path with characters that paths do not have");
    }
    if !escapes_are_whole(path) {
        return Some("a path with a percent sign that encodes nothing");
    }
    let lower = path.to_ascii_lowercase();
    if ["%2e", "%2f", "%5c"]
        .iter()
        .any(|code| lower.contains(code))
    {
        return Some("a path with an encoded dot, slash or backslash");
    }
    if rest.is_empty() {
        return None;
    }
    if rest == ".well-known" || rest.starts_with(".well-known/") {
        return Some("a path below /.well-known/, where the metadata documents are");
    }
    let mut segments = rest.split('/');
    if segments
        .clone()
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Some("a path with dot segments");
    }
    segments
        .any(str::is_empty)
        .then_some("a path with an empty segment, or a slash at its end")
}

/// A serialized origin (RFC 6454, section 6.2) of a page: lower case, no
/// path, no default port.
pub(super) fn origin(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let fits = exact_parts(text).is_ok_and(|parts| {
        parts.path.is_empty()
            && parts.query.is_empty()
            && without_default_port(parts.scheme, parts.authority) == parts.authority
    });
    if !fits {
        node.expected(
            "an origin such as http://localhost:6274: scheme, host and port only, \
             lower case, without the scheme's own port",
        );
        return None;
    }
    Some(text.to_owned())
}

fn parts(text: &str) -> Result<Parts<'_>, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a text with spaces, control characters, or others than ASCII");
    }
    let (scheme, rest) = text.split_once("://").ok_or("a text without a scheme")?;
    if !matches!(scheme, "http" | "https") {
        return Err("another scheme (lower case is needed)");
    }
    if rest.contains('#') {
        return Err("a URL with a fragment");
    }
    if rest.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return Err("a URL with characters that URLs do not have");
    }
    let (before_query, query) = match rest.find('?') {
        Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
        None => (rest, ""),
    };
    let (authority, path) = match before_query.find('/') {
        Some(at) => before_query
            .split_at_checked(at)
            .unwrap_or((before_query, "")),
        None => (before_query, ""),
    };
    if authority.contains('@') {
        return Err("a URL with user information");
    }
    if !escapes_are_whole(rest) {
        return Err("a URL with a percent sign that encodes nothing");
    }
    if Url::parse(text).is_err() {
        return Err("a URL without a host, or with one that is none");
    }
    Ok(Parts {
        scheme,
        authority,
        path,
        query,
    })
}

/// Like [`parts`], with the host as clients send it.
fn exact_parts(text: &str) -> Result<Parts<'_>, &'static str> {
    let parts = parts(text)?;
    if !names_its_host(text, parts.authority) {
        return Err("a URL whose host or port is not in the form that clients send");
    }
    Ok(parts)
}

/// Whether the host is written as URL parsers write it (lower case, `127.1`
/// as `127.0.0.1`), and the port is a plain number.
fn names_its_host(url: &str, authority: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let plain_port = port.is_none_or(|port| {
        !port.starts_with('0') && port.parse::<u16>().is_ok() && !port.starts_with('+')
    });
    let plain_host = host.starts_with('[')
        || host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    plain_port && plain_host && url.host_str() == Some(host)
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        matches!(after.as_bytes(), [high, low, ..]
            if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

/// `pchar` of RFC 3986, section 3.3, and the slash.
const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'%'
                | b'/'
        )
}
