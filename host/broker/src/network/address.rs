//! Which addresses are no public ones. Pure, and the same for every grant.
//!
//! A name that somebody else chose must not lead into the machine or the network
//! behind it, so all that the registries of special addresses (RFC 6890) set apart
//! counts as special, and so does an IPv6 form that carries such an IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range: its first address, how many bits count, and what it is called.
type Range<N> = (N, u32, &'static str);

const V4: [Range<u32>; 16] = [
    (v4(0, 0, 0), 8, "an unspecified address"),
    (v4(10, 0, 0), 8, "a private address"),
    (v4(100, 64, 0), 10, "an address inside a provider's network"),
    (v4(127, 0, 0), 8, "a loopback address"),
    (v4(169, 254, 0), 16, "a link-local address"),
    (v4(172, 16, 0), 12, "a private address"),
    (v4(192, 0, 0), 24, "a reserved address"),
    (v4(192, 0, 2), 24, "an address for documentation"),
    (v4(192, 88, 99), 24, "a reserved address"),
    (v4(192, 168, 0), 16, "a private address"),
    (v4(198, 18, 0), 15, "an address for measurements"),
    (v4(198, 51, 100), 24, "an address for documentation"),
    (v4(203, 0, 113), 24, "an address for documentation"),
    (v4(224, 0, 0), 4, "a multicast address"),
    (v4(255, 255, 255), 24, "a broadcast address"),
    (v4(240, 0, 0), 4, "a reserved address"),
];

/// Inside the public `2000::/3`; all outside of it is special anyway.
const V6: [Range<u128>; 9] = [
    (0, 127, "a loopback or unspecified address"),
    (v6(0xfc00, 0), 7, "a private address"),
    (v6(0xfe80, 0), 10, "a link-local address"),
    (v6(0xfec0, 0), 10, "a private address"),
    (v6(0xff00, 0), 8, "a multicast address"),
    // Teredo, ORCHID, measurements: nothing a tracker is reached by.
    (v6(0x2001, 0), 23, "a reserved address"),
    (v6(0x2001, 0xdb8), 32, "an address for documentation"),
    (v6(0x3fff, 0), 20, "an address for documentation"),
    // The translation prefix a network may choose for itself leads anywhere in it.
    (v6(0x64, 0xff9b) | 1 << 80, 48, "an address inside a provider's network"),
];

/// IPv6 forms of an IPv4 address: the prefix, its bits, and where the address stands,
/// in bits from the right.
const CARRIERS: [(u128, u32, u32); 4] = [
    // Mapped, `::ffff:a.b.c.d`.
    (0xffff << 32, 96, 0),
    // Compatible, `::a.b.c.d`.
    (0, 96, 0),
    // Translated, `64:ff9b::a.b.c.d`.
    (v6(0x64, 0xff9b), 96, 0),
    // 6to4, `2002:ab:cd::`.
    (v6(0x2002, 0), 16, 80),
];

const fn v4(a: u8, b: u8, c: u8) -> u32 {
    u32::from_be_bytes([a, b, c, 0])
}

const fn v6(first: u16, second: u16) -> u128 {
    (first as u128) << 112 | (second as u128) << 96
}

/// What kind of special address this is, in words; `None` for a public one.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let inside = |(first, length, _): &&Range<u32>| (bits ^ first) >> (32 - length) == 0;
    V4.iter().find(inside).map(|(_, _, name)| *name)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let below = |first: u128, length: u32| (bits ^ first) >> (128 - length) == 0;
    if let Some((_, _, name)) = V6.iter().find(|(first, length, _)| below(*first, *length)) {
        return Some(name);
    }
    if let Some((_, _, place)) = CARRIERS.iter().find(|(first, length, _)| below(*first, *length)) {
        let [.., a, b, c, d] = (bits >> place).to_be_bytes();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    let public = below(v6(0x2000, 0), 3);
    (!public).then_some("a reserved address")
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
