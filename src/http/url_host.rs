//! Where URLs lead, as a configuration lists it.

use core::net::Ipv4Addr;

use url::{Host, Url};

/// One host of URLs, or everything below one, and the port there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlHost {
    name: Name,
    /// `None`: the port that is the default of the URL's scheme.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Exactly(Host),
    /// The suffix, with its dot.
    Below(String),
}

impl UrlHost {
    /// From `host`, `host:port`, `*.host` or `*.host:port`: in the form that
    /// URL parsers give to a host (lower case, `xn--` for other letters than
    /// ASCII's, IPv6 addresses in brackets). A loopback host has to have its
    /// port, since every program of the machine can have one there; a `*`
    /// stands before two labels at least, and before no address.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(plain_port(port)?)),
            _ => (text, None),
        };
        let (host, is_wild) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        if !is_plain_host(host) {
            return None;
        }
        let parsed = Url::parse(&format!("https://{host}/")).ok()?;
        // What a parser writes in another way is not written as it is compared.
        if parsed.host_str() != Some(host) {
            return None;
        }
        let parsed = parsed.host()?.to_owned();
        if let Host::Domain(domain) = &parsed
            && domain.split('.').any(str::is_empty)
        {
            return None;
        }
        let name = match (is_wild, &parsed) {
            (true, Host::Domain(domain)) if domain.contains('.') => Name::Below(format!(".{host}")),
            (true, _) => return None,
            (false, _) if is_loopback(&parsed) && port.is_none() => return None,
            (false, _) => Name::Exactly(parsed),
        };
        Some(Self { name, port })
    }

    /// Whether a URL leads here.
    pub fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host() else {
            return false;
        };
        let port = url.port_or_known_default();
        let is_named = match (&self.name, &host) {
            (Name::Exactly(name), host) => *name == host.to_owned(),
            (Name::Below(suffix), Host::Domain(domain)) => {
                domain.len() > suffix.len() && domain.ends_with(suffix.as_str())
            }
            (Name::Below(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
        };
        let default = match url.scheme() {
            "https" => 443,
            "http" => 80,
            _ => return false,
        };
        is_named && port == Some(self.port.unwrap_or(default))
    }
}

/// Whether a text is a URL that leads to one of these hosts, for whichever
/// reader: over https, or within the machine also over http.
pub fn leads_to(text: &str, hosts: &[UrlHost]) -> bool {
    let Some(url) = unambiguous(text) else {
        return false;
    };
    let is_secure = match url.scheme() {
        "https" => true,
        "http" => url.host().is_some_and(|host| is_loopback(&host)),
        _ => false,
    };
    is_secure && hosts.iter().any(|host| host.matches(&url))
}

/// An absolute URL with a host that is written as it is understood. URL
/// parsers differ in what they make of anything else: some take a backslash
/// for a slash, drop white space, decode a host, or look for user information
/// elsewhere.
fn unambiguous(text: &str) -> Option<Url> {
    if !text.bytes().all(is_url_byte) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(plain_port(port)?)),
        _ => (authority, None),
    };
    if !is_plain_host(host) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_as_written = scheme == url.scheme()
        && url
            .host_str()
            .is_some_and(|parsed| parsed.eq_ignore_ascii_case(host))
        && port.is_none_or(|port| url.port_or_known_default() == Some(port));
    is_as_written.then_some(url)
}

/// What URLs are made of (RFC 3986, appendix A).
const fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// Whether what is sent to a host does not leave the machine (RFC 6761,
/// section 6.3; RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).
fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => Ipv4Addr::is_loopback(address),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn plain_port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port.to_string() == text && port != 0).then_some(port)
}

/// Whether there is nothing in a host to decode or to map.
fn is_plain_host(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match address {
        Some(address) => address
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')),
        None => host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn hosts(texts: &[&str]) -> Vec<UrlHost> {
        let parse = |text: &&str| UrlHost::parse(text).expect(text);
        texts.iter().map(parse).collect()
    }

    #[test]
    fn a_url_leads_to_a_listed_host_and_port() {
        let hosts = hosts(&[
            "connect.example.com",
            "*.wild.example",
            "*.ports.example:8443",
            "a.example:8443",
            "xn--bcher-kva.example",
            "192.0.2.1",
            "[2001:db8::1]:8443",
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
        ]);
        for url in [
            "https://connect.example.com",
            "https://connect.example.com/a/b?c=d#e",
            "https://connect.example.com?c",
            "https://connect.example.com#c",
            "https://connect.example.com:443/",
            "https://Connect.Example.COM/",
            "https://a.wild.example/",
            "https://a.b.wild.example/",
            "https://a.ports.example:8443/",
            "https://a.example:8443/",
            "https://xn--bcher-kva.example/",
            "https://192.0.2.1/",
            "https://[2001:db8::1]:8443/",
            "http://localhost:8080/",
            "https://localhost:8080/",
            "http://127.0.0.1:8080/",
            "http://[::1]:8080/",
        ] {
            assert!(leads_to(url, &hosts), "{url}");
        }
        for url in [
            // Other hosts, and what looks like a listed one.
            "https://example.com/",
            "https://evil.example/?connect.example.com",
            "https://evil.example/connect.example.com",
            "https://connect.example.com.evil.example/",
            "https://connect.example.com.",
            "https://evilconnect.example.com/",
            "https://wild.example/",
            "https://.wild.example/",
            "https://evilwild.example/",
            "https://b\u{fc}cher.example/",
            "https://connect.ex\u{430}mple.com/",
            "https://connect\u{3002}example\u{3002}com/",
            "https://192.0.2.2/",
            "https://192.0.513/",
            "https://3221225985/",
            "https://0xc0000201/",
            "http://[::2]:8080/",
            // Other ports.
            "https://connect.example.com:8443/",
            "https://connect.example.com:80/",
            "https://connect.example.com:/",
            "https://connect.example.com:0443/",
            "https://connect.example.com:+443/",
            "https://a.ports.example/",
            "https://a.example/",
            "http://localhost/",
            "http://127.0.0.1:8081/",
            "http://127.0.0.2:8080/",
            // Other schemes.
            "http://connect.example.com/",
            "http://connect.example.com:443/",
            "ftp://connect.example.com/",
            "ws://localhost:8080/",
            "HTTPS://connect.example.com/",
            "javascript:alert(1)//connect.example.com/",
            "javascript://connect.example.com/%0aalert(1)",
            "data:text/html,https://connect.example.com/",
            "file://localhost:8080/",
            "custom://connect.example.com/",
            "blob:https://connect.example.com/x",
            // What parsers do not agree on.
            "https://user@connect.example.com/",
            "https://user:password@connect.example.com/",
            "https://@connect.example.com/",
            "https://connect.example.com@evil.example/",
            "https://connect.example.com\\@evil.example/",
            "https://evil.example\\@connect.example.com/",
            "https:\\\\connect.example.com/",
            "https:connect.example.com/",
            "https:/connect.example.com/",
            "https:///connect.example.com/",
            "//connect.example.com/",
            "connect.example.com",
            " https://connect.example.com/",
            "https://connect.example.com/ ",
            "https://connect.example.com\t/",
            "htt\nps://connect.example.com/",
            "https://connect.example.com/\0",
            "https://connect%2eexample.com/",
            "https://conn%65ct.example.com/",
            "https://connect.example.com%00.evil.example/",
            "https://connect.example.com/<script>",
            "https://[::ffff:127.0.0.1]:8080/",
            "https://",
            "",
        ] {
            assert!(!leads_to(url, &hosts), "{url}");
        }
        assert!(!leads_to("https://connect.example.com/", &[]));
    }

    #[test]
    fn a_host_that_is_not_in_its_plain_form_is_none() {
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.localhost",
            "*.example.*",
            "a.*.example",
            "*example.com",
            "**.example.com",
            "*.192.0.2.1",
            "*.[::1]",
            "https://connect.example.com",
            "connect.example.com/",
            "connect.example.com/a",
            "connect.example.com?",
            "connect.example.com#",
            "user@connect.example.com",
            "Connect.example.com",
            "b\u{fc}cher.example",
            "connect.example.com.",
            ".example.com",
            "connect..example",
            "connect example.com",
            "connect.example.com:",
            "connect.example.com:0",
            "connect.example.com:0443",
            "connect.example.com:65536",
            "connect.example.com:*",
            "connect%2eexample.com",
            "127.1:8080",
            "::1",
            "[::1",
            "[0:0:0:0:0:0:0:1]:8080",
            "localhost",
            "127.0.0.1",
            "127.255.0.1",
            "[::1]",
        ] {
            assert_eq!(UrlHost::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_host_or_none_and_leads_somewhere_or_not_without_a_panic(
            text: String,
            ascii in "[ -~]{0,40}",
            host in "[a-zA-Z0-9.:%xn\\[\\]-]{0,20}",
        ) {
            let hosts = hosts(&["connect.example.com"]);
            for text in [text, ascii, host] {
                let _ = UrlHost::parse(&text);
                let _ = leads_to(&format!("https://{text}/"), &hosts);
                let after = format!("https://connect.example.com{text}");
                if leads_to(&after, &hosts) {
                    let is_end = text.is_empty() || text.starts_with(['/', '?', '#', ':']);
                    prop_assert!(is_end, "{}", after);
                }
            }
        }
    }
}
