//! Which addresses are on the public internet.
//!
//! Own and complete on purpose: the standard library's notion is unstable and looks neither into IPv4 addresses that
//! are wrapped in IPv6 ones nor at translation prefixes (NAT64, 6to4, Teredo), behind which a private address may hide.
//!
//! Invariant: an address that no rule knows as public unicast is not [`Class::Public`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Global unicast.
    Public,
    /// 0.0.0.0/8, `::`: "this host"; many systems dial loopback for it.
    Unspecified,
    /// 127.0.0.0/8, `::1`.
    Loopback,
    /// RFC 1918, unique local (fc00::/7), site local (fec0::/10).
    Private,
    /// 169.254.0.0/16, fe80::/10: also where clouds keep their metadata service.
    LinkLocal,
    /// 100.64.0.0/10, behind a carrier's translator.
    CarrierNat,
    /// Benchmarks (198.18.0.0/15, 2001:2::/48).
    Benchmark,
    /// Documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20).
    Documentation,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// An IPv4 address wrapped in IPv6, or a prefix that a translator turns into IPv4.
    Translated,
    /// Everything else that is not global unicast.
    Reserved,
}

impl Class {
    /// Whether it may be dialled without the operator having named it.
    pub(crate) fn is_public(self) -> bool {
        self == Self::Public
    }
}

/// Classifies an address. Sources: IANA IPv4 and IPv6 special-purpose address registries.
pub(crate) fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [192, 168, ..] => Class::Private,
        [172, b, ..] if (16..=31).contains(&b) => Class::Private,
        [169, 254, ..] => Class::LinkLocal,
        [100, b, ..] if (64..=127).contains(&b) => Class::CarrierNat,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        // IETF protocol assignments; two anycast addresses in it are global, but nobody runs a SaaS there.
        [192, 0, 0, _] => Class::Reserved,
        // 6to4 relay anycast, deprecated (RFC 7526).
        [192, 88, 99, _] => Class::Translated,
        // AS112 sinks.
        [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => Class::Reserved,
        [198, 18 | 19, ..] => Class::Benchmark,
        [255, 255, 255, 255] => Class::Broadcast,
        [224..=239, ..] => Class::Multicast,
        [240..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        // IPv4-compatible ::/96, IPv4-mapped ::ffff:0:0/96, IPv4-translated ::ffff:0:0:0/96.
        [0, 0, 0, 0, 0, 0, _, _]
        | [0, 0, 0, 0, 0, 0xffff, _, _]
        | [0, 0, 0, 0, 0xffff, 0, _, _] => Class::Translated,
        // NAT64, well-known and local-use.
        [0x64, 0xff9b, ..] => Class::Translated,
        // Discard-only and dummy prefixes, 100::/16.
        [0x100, ..] => Class::Reserved,
        // Teredo.
        [0x2001, 0, ..] => Class::Translated,
        [0x2001, 2, 0, ..] => Class::Benchmark,
        [0x2001, 0xdb8, ..] => Class::Documentation,
        // The rest of the IETF protocol assignments 2001::/23.
        [0x2001, b, ..] if b < 0x200 => Class::Reserved,
        // 6to4.
        [0x2002, ..] => Class::Translated,
        // AS112.
        [0x2620, 0x4f, 0x8000, ..] => Class::Reserved,
        [0x3fff, b, ..] if b < 0x1000 => Class::Documentation,
        [a, ..] if a & 0xffc0 == 0xfe80 => Class::LinkLocal,
        [a, ..] if a & 0xffc0 == 0xfec0 => Class::Private,
        [a, ..] if a & 0xfe00 == 0xfc00 => Class::Private,
        [a, ..] if a & 0xff00 == 0xff00 => Class::Multicast,
        // ISATAP: an IPv4 address in the interface part, whatever the prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => Class::Translated,
        // Only 2000::/3 is global unicast.
        [a, ..] if a & 0xe000 == 0x2000 => Class::Public,
        _ => Class::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::{Class, classify};

    fn class(text: &str) -> Class {
        classify(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2620:4f:8001::1",
        ] {
            assert_eq!(class(text), Class::Public, "{text}");
        }
    }

    #[test]
    fn every_address_of_the_attack_list_is_not_public() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "3fff::1",
            "4000::1",
            "8000::1",
            "5f00::1",
            "2a00::5efe:a00:1",
            "2a00::200:5efe:a00:1",
        ] {
            assert!(!class(text).is_public(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_private_v4_hides_in_any_v6_wrapping(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets();
            let (hi, lo) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for v6 in [
                v4.to_ipv6_mapped(),
                v4.to_ipv6_compatible(),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, hi, lo),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, hi, lo),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, hi, lo),
                Ipv6Addr::new(0x2002, hi, lo, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, hi, lo, 0, 0, !hi, !lo),
            ] {
                prop_assert!(!classify(IpAddr::V6(v6)).is_public(), "{v6}");
            }
        }

        #[test]
        fn public_v6_is_global_unicast(bits in any::<u128>()) {
            let v6 = Ipv6Addr::from_bits(bits);
            if classify(IpAddr::V6(v6)).is_public() {
                prop_assert_eq!(v6.segments()[0] & 0xe000, 0x2000);
            }
        }

        #[test]
        fn the_standard_library_agrees_on_what_is_not_public(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast() || v4.is_documentation() || v4.is_multicast() || v4.is_unspecified() {
                prop_assert!(!classify(IpAddr::V4(v4)).is_public(), "{v4}");
            }
        }
    }
}
