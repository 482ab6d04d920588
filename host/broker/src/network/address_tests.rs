#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn is_special(text: &str) -> bool {
    special(text.parse().unwrap()).is_some()
}

#[test]
fn every_special_range_is_special_from_its_first_to_its_last_address_and_no_further() {
    for (before, first, last, behind) in [
        ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
        ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
        ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
        ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
        ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
        ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
        ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
        ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
        ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
        ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
        ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
        ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
        ("223.255.255.255", "224.0.0.0", "255.255.255.255", ""),
        ("", "::", "::1", ""),
        ("2000:ffff::", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"),
        ("3ffe:ffff::", "3fff::", "3fff:fff:ffff::", "3fff:1000::"),
        ("3fff:ffff::", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "fc00::", "fdff:ffff::", ""),
        ("", "fe80::1", "febf::1", ""),
        ("", "100::", "1fff:ffff::", "2000::"),
    ] {
        assert!(is_special(first) && is_special(last), "{first} to {last}");
        for outside in [before, behind].into_iter().filter(|text| !text.is_empty()) {
            assert!(!is_special(outside), "{outside}");
        }
    }
}

#[test]
fn an_ipv4_address_in_an_ipv6_form_is_what_it_is_in_its_own() {
    for (form, private, public) in [
        ("mapped", "::ffff:10.0.0.1", "::ffff:8.8.8.8"),
        ("compatible", "::10.0.0.1", "::8.8.8.8"),
        ("translated", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8"),
        ("6to4", "2002:0a00:0001::1", "2002:0808:0808::1"),
    ] {
        assert_eq!(special(private.parse().unwrap()), Some("a private address"), "{form}");
        assert_eq!(special(public.parse().unwrap()), None, "{form}");
    }
    assert_eq!(special("::ffff:169.254.169.254".parse().unwrap()), Some("a link-local address"));
    assert_eq!(special("2002:7f00:1::".parse().unwrap()), Some("a loopback address"));
}

/// A second opinion on IPv4, by the numbers between the dots.
fn simply_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
}

/// A second opinion on IPv6, by the groups between the colons.
fn simply_special_v6(address: Ipv6Addr) -> bool {
    let groups = address.segments();
    let v4_of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        simply_special_v4(Ipv4Addr::new(a, b, c, d))
    };
    match groups {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => true,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4_of(high, low),
        [0x2001, second, ..] => second < 0x200 || second == 0xdb8,
        [0x3fff, second, ..] => second < 0x1000,
        [first, ..] => !(0x2000..0x4000).contains(&first),
    }
}

/// Addresses near the edges of ranges, which plain chance would never meet.
fn v4_addresses() -> impl Strategy<Value = Ipv4Addr> {
    let octet = || {
        let edges = vec![
            0, 1, 2, 9, 10, 11, 15, 16, 18, 19, 20, 31, 32, 51, 63, 64, 88, 99, 100, 113, 127, 128, 168, 169,
            172, 192, 198, 203, 223, 224, 240, 254, 255,
        ];
        prop_oneof![3 => prop::sample::select(edges), 1 => any::<u8>()]
    };
    [octet(), octet(), octet(), octet()].prop_map(Ipv4Addr::from)
}

fn v6_addresses() -> impl Strategy<Value = Ipv6Addr> {
    let group = || {
        let edges = vec![
            0, 1, 0x64, 0x100, 0x1ff, 0x200, 0xdb8, 0xfff, 0x1000, 0x2000, 0x2001, 0x2002, 0x3ffe, 0x3fff,
            0x4000, 0x5f00, 0x7f00, 0xa00, 0xc0a8, 0xfc00, 0xfe80, 0xfec0, 0xff00, 0xff9b, 0xffff,
        ];
        prop_oneof![3 => prop::sample::select(edges), 1 => any::<u16>()]
    };
    let carriers = vec![
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0xffff],
        [0, 0, 0, 0, 0xffff, 0],
        [0x64, 0xff9b, 0, 0, 0, 0],
        [0x64, 0xff9b, 1, 0, 0, 0],
    ];
    let carried = (prop::sample::select(carriers), v4_addresses()).prop_map(|(start, v4)| {
        let start = start.into_iter().fold(0_u128, |bits, group: u16| bits << 16 | u128::from(group));
        Ipv6Addr::from_bits(start << 32 | u128::from(v4.to_bits()))
    });
    let groups = [group(), group(), group(), group(), group(), group(), group(), group()];
    prop_oneof![groups.prop_map(Ipv6Addr::from), carried]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn both_opinions_agree_on_ipv4(address in v4_addresses()) {
        prop_assert_eq!(special(address.into()).is_some(), simply_special_v4(address), "{}", address);
    }

    #[test]
    fn both_opinions_agree_on_ipv6(address in v6_addresses()) {
        prop_assert_eq!(special(address.into()).is_some(), simply_special_v6(address), "{}", address);
    }

    #[test]
    fn a_mapped_address_is_as_special_as_the_address(address in v4_addresses()) {
        prop_assert_eq!(special(address.to_ipv6_mapped().into()), special(address.into()));
    }
}
