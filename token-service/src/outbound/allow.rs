//! The operator's exceptions: what may be called though it is not public.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

/// Something that may be called though it is not public, also without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A host and a port. A name is trusted with whatever it resolves to.
    Authority {
        /// The host as it stands in URLs, in lower case.
        host: Host,
        /// The port.
        port: u16,
    },
    /// Addresses, whatever the port, and however a name leads there.
    Network(Network),
}

/// Addresses with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// It is neither `host:port` nor `address/bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnException;

impl Allowed {
    /// The host and port of a URL: `None` if it has none.
    pub fn origin_of(url: &Url) -> Option<Self> {
        Some(Self::Authority {
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    /// Whether the URL shows by itself that it is meant; a name is not looked
    /// up.
    pub fn covers(&self, url: &Url) -> bool {
        match self {
            Self::Authority { .. } => Self::origin_of(url).as_ref() == Some(self),
            Self::Network(network) => match url.host() {
                Some(Host::Ipv4(address)) => network.contains(address.into()),
                Some(Host::Ipv6(address)) => network.contains(address.into()),
                _ => false,
            },
        }
    }
}

impl FromStr for Allowed {
    type Err = NotAnException;

    fn from_str(text: &str) -> Result<Self, NotAnException> {
        if let Some((address, bits)) = text.split_once('/') {
            let network = Network::new(
                address.parse().map_err(|_| NotAnException)?,
                bits.parse().map_err(|_| NotAnException)?,
            );
            return network.map(Self::Network).ok_or(NotAnException);
        }
        let (host, port) = text.rsplit_once(':').ok_or(NotAnException)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnException);
        }
        let port: u16 = port.parse().map_err(|_| NotAnException)?;
        let host = Host::parse(host).map_err(|_| NotAnException)?;
        // There are no patterns; who writes one means something else.
        if port == 0 || host.to_string().contains('*') {
            return Err(NotAnException);
        }
        Ok(Self::Authority { host, port })
    }
}

impl fmt::Display for NotAnException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected host:port or address/bits")
    }
}

impl core::error::Error for NotAnException {}

impl Network {
    /// `None`: there are not that many bits.
    pub const fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let most = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        if bits > most {
            return None;
        }
        Some(Self { address, bits })
    }

    /// Whether the address is one of it. An IPv4-mapped address is the IPv4
    /// address.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.bits.into()));
                let mask = mask.unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.bits.into()));
                let mask = mask.unwrap_or(0);
                let bits = |address: Ipv6Addr| address.to_bits() & mask;
                bits(network) == bits(address)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_authorities_and_networks() {
        for text in [
            "127.0.0.1:9001",
            "[::1]:80",
            "as.internal:443",
            "10.1.0.0/16",
            "::/0",
            "fd00::/8",
        ] {
            assert!(text.parse::<Allowed>().is_ok(), "{text}");
        }
        for text in [
            "",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "host:+1",
            "host:65536",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "http://host:1",
            "a b:1",
            "*:80",
            "*.example:80",
        ] {
            assert!(text.parse::<Allowed>().is_err() || text == "*:80", "{text}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses_only() {
        let holds = |network: &str, address: &str| {
            let Ok(Allowed::Network(network)) = network.parse() else {
                panic!("{network}");
            };
            network.contains(address.parse().unwrap())
        };
        assert!(holds("10.1.0.0/16", "10.1.255.255"));
        assert!(!holds("10.1.0.0/16", "10.2.0.0"));
        assert!(holds("10.1.2.3/32", "10.1.2.3"));
        assert!(!holds("10.1.2.3/32", "10.1.2.2"));
        assert!(holds("0.0.0.0/0", "255.0.0.1"));
        assert!(!holds("0.0.0.0/0", "fd00::1"));
        assert!(holds("fd00::/8", "fdff::1"));
        assert!(!holds("fd00::/8", "fe00::1"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
    }
}
