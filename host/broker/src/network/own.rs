//! Which addresses are the machine's own, besides the special ones.

use std::net::{IpAddr, UdpSocket};

/// Whether this machine answers to the address. Only such an address can be bound, so
/// the system is asked for a socket on it, through which nothing is ever sent.
pub(crate) fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_machine_answers_to_its_loopback_address_and_not_to_one_for_documentation() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("203.0.113.7".parse().unwrap()));
        assert!(!is_own("2001:db8::7".parse().unwrap()));
    }
}
