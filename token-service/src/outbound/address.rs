//! Which addresses are on the public internet.
//!
//! Everything that is not plainly a unicast address of the public internet is
//! not: the registries of special-purpose addresses (RFC 6890, IANA), the
//! addresses of cloud metadata services, and the IPv6 forms of all of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address may be called on behalf of somebody outside.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        // "This network"; private; shared (CGNAT); loopback; link-local, where
        // most clouds have their metadata.
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            // Protocol assignments; documentation; the 6to4 relay.
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 51, 100)
            | (203, 0, 113)
            // Benchmarking; multicast, reserved, broadcast.
            | (198, 18 | 19, _)
            | (224..=255, _, _)
    ) && address != AZURE
}

/// Azure's metadata and management, though the address looks public.
const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        // IPv4-mapped.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => v4(g, h),
        // NAT64 (RFC 6052), which networks without IPv4 need.
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => v4(g, h),
        // 6to4.
        (0x2002, _) => v4(b, c),
        // Protocol assignments: Teredo, ORCHID, benchmarking.
        (0x2001, 0..=0x1ff) => false,
        // Documentation.
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => false,
        // ISATAP: the interface names an IPv4 address.
        (0x2000..=0x3fff, _) if f == 0x5efe && matches!(e, 0 | 0x200) => v4(g, h),
        // Global unicast. Outside of it: unspecified, loopback, unique local,
        // link-local, site-local, multicast, and what is not assigned.
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "2001:200::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn addresses_of_special_purpose_are_not_public_in_any_form() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!public(address), "{address}");
            let IpAddr::V4(v4) = address.parse().unwrap() else {
                panic!("{address}");
            };
            let [w, x, y, z] = v4.octets();
            for embedded in [
                format!("::ffff:{v4}"),
                format!("::{v4}"),
                format!("64:ff9b::{v4}"),
                format!("64:ff9b:1::{v4}"),
                format!("2002:{w:02x}{x:02x}:{y:02x}{z:02x}::1"),
                format!("2606:4700::5efe:{v4}"),
                format!("2606:4700::200:5efe:{v4}"),
            ] {
                assert!(!public(&embedded), "{embedded}");
            }
        }
        for address in [
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_as_public_as_its_ipv6_forms(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let [w, x, y, z] = address.octets();
            let expected = is_public(address.into());
            prop_assert_eq!(is_public(address.to_ipv6_mapped().into()), expected);
            for form in [
                format!("64:ff9b::{address}"),
                format!("2002:{w:02x}{x:02x}:{y:02x}{z:02x}::1"),
            ] {
                prop_assert_eq!(public(&form), expected, "{}", form);
            }
        }

        #[test]
        fn nothing_that_the_standard_library_calls_special_is_public(bits: u32, low: u128) {
            let v4 = Ipv4Addr::from_bits(bits);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_multicast() || v4.is_unspecified()
            {
                prop_assert!(!is_public(v4.into()));
            }
            let v6 = Ipv6Addr::from_bits(low);
            if v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local()
                || v6.is_loopback() || v6.is_unspecified()
            {
                prop_assert!(!is_public(v6.into()));
            }
        }
    }
}
