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
        let parsed = Url::parse(&format!("https://{host}/")).ok()?;
        // What a parser writes in another way is not written as it is compared.
        if parsed.host_str() != Some(host) {
            return None;
        }
        let parsed = parsed.host()?.to_owned();
        if let Host::Domain(domain) = &parsed
            && (!domain.bytes().all(is_name_byte) || domain.split('.').any(str::is_empty))
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
            (Name::Exactly(name), host) => name.to_owned() == host.to_owned(),
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

/// Whether what is sent to a host does not leave the machine (RFC 6761,
/// section 6.3; RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).
pub fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
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

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
}
