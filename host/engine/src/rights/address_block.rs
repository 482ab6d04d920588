//! Ranges of network addresses, as grants name them: `10.0.0.0/8`, `fd00::/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressBlock {
    first: IpAddr,
    bits: u8,
}

/// Why a text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressBlockError {
    /// Not an address, or no length behind it.
    #[error("`{0}` is not a range of addresses: write it like `10.0.0.0/8`, or `10.1.2.3/32` for one")]
    Malformed(String),
    /// The address goes on behind the bits that count, so one of the two is a slip.
    #[error("`{text}` has bits set behind its first {bits}: write `{meant}` if that range is meant")]
    Ragged {
        /// As written.
        text: String,
        /// How many bits count.
        bits: u8,
        /// The range without the rest.
        meant: AddressBlock,
    },
}

impl AddressBlock {
    /// All addresses there are: for an origin that the operator chose, wherever it is.
    pub const EVERYWHERE: [Self; 2] = [
        Self { first: IpAddr::V4(Ipv4Addr::UNSPECIFIED), bits: 0 },
        Self { first: IpAddr::V6(Ipv6Addr::UNSPECIFIED), bits: 0 },
    ];

    /// The range of one address.
    pub const fn only(address: IpAddr) -> Self {
        Self { first: address, bits: width(address) }
    }

    /// Whether the address lies in it. The two families are apart: `10.0.0.1` and
    /// `::ffff:10.0.0.1` are different addresses.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.bits) == self.first
    }

    /// Whether all of `other` lies in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.bits <= other.bits && self.contains(other.first)
    }
}

/// Bits of an address of this family.
const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with nothing behind its first `bits`.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for AddressBlock {
    type Err = AddressBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || AddressBlockError::Malformed(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(malformed)?;
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u8 = bits.parse().ok().filter(|_| digits).ok_or_else(malformed)?;
        if bits > width(address) {
            return Err(malformed());
        }
        let meant = Self { first: masked(address, bits), bits };
        if meant.first != address {
            return Err(AddressBlockError::Ragged { text: text.to_owned(), bits, meant });
        }
        Ok(meant)
    }
}

impl TryFrom<String> for AddressBlock {
    type Error = AddressBlockError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AddressBlock> for String {
    fn from(block: AddressBlock) -> Self {
        block.to_string()
    }
}

impl std::fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn block(text: &str) -> AddressBlock {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_contains_what_shares_its_first_bits() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "203.0.113.9", "::"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("::1/128", "::1", "::2"),
        ] {
            assert!(block(range).contains(inside.parse().unwrap()), "{inside} in {range}");
            assert!(!block(range).contains(outside.parse().unwrap()), "{outside} in {range}");
            assert_eq!(block(range).to_string(), range);
        }
    }

    #[test]
    fn everywhere_is_all_there_is() {
        assert_eq!(AddressBlock::EVERYWHERE, [block("0.0.0.0/0"), block("::/0")]);
    }

    #[test]
    fn a_wider_range_covers_a_narrower_one_and_not_the_other_way_round() {
        assert!(block("10.0.0.0/8").covers(&block("10.1.0.0/16")));
        assert!(block("10.0.0.0/8").covers(&block("10.0.0.0/8")));
        assert!(!block("10.1.0.0/16").covers(&block("10.0.0.0/8")));
        assert!(!block("10.0.0.0/8").covers(&block("11.0.0.0/16")));
        assert!(!block("0.0.0.0/0").covers(&block("::/0")));
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_way_to_write_one() {
        for text in ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "a/8"] {
            let error = text.parse::<AddressBlock>().unwrap_err();
            assert_eq!(error, AddressBlockError::Malformed(text.to_owned()));
        }
        let ragged = "10.1.2.3/8".parse::<AddressBlock>().unwrap_err();
        assert!(ragged.to_string().contains("write `10.0.0.0/8`"), "{ragged}");
    }
}
