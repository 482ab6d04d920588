//! How much one effect may move and how long it may take.

use hostler_engine::time::Millis;

/// Bytes in a request's body: what a plugin may hand over in one call anyway.
pub const REQUEST_BODY_BYTES: usize = 4 << 20;
/// Bytes in a response's body: small beside the 64 MiB of memory a tracker instance has.
pub const RESPONSE_BODY_BYTES: usize = 4 << 20;
/// Bytes in an address: what common servers accept.
pub const URL_BYTES: usize = 8 << 10;
/// Headers in one direction: several times what APIs send.
pub const HEADERS: usize = 64;
/// Bytes in all headers of one direction: what common servers accept.
pub const HEADER_BYTES: usize = 32 << 10;
/// Time for a request whose plugin has no wish: slow APIs answer well within it.
pub const DEFAULT_TIMEOUT: Millis = Millis::seconds(30);
/// Time for any request: enough for a long poll, short of what looks hung.
pub const LONGEST_TIMEOUT: Millis = Millis::seconds(120);
/// Time to connect: a host that is up answers within one lost packet or two.
pub const CONNECT_WITHIN: Millis = Millis::seconds(10);
/// Bytes in one file: task files are text, and plugins hold them in memory.
pub const FILE_BYTES: usize = 4 << 20;
/// Entries of one directory: more does not fit the plugin's input.
pub const LIST_ENTRIES: usize = 10_000;
/// Effects of one plugin under way together: bounds the memory of their bodies.
pub const EFFECTS_AT_ONCE: usize = 16;
/// Requests that keep leases under way together, besides the others: they are small, and
/// must not stand behind sixteen that hang.
pub const LEASES_AT_ONCE: usize = 8;
/// Time to wait for another writer of the same directory: writes take milliseconds.
pub const LOCK_WITHIN: Millis = Millis::seconds(5);

/// The limits of one gate. The operator may raise them, a plugin never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in a request's body.
    pub request_body: usize,
    /// Bytes in a response's body, after secrets were removed from it.
    pub response_body: usize,
    /// Time for a request whose plugin has no wish.
    pub default_timeout: Millis,
    /// Time for any request.
    pub longest_timeout: Millis,
    /// Bytes in one file, read or written.
    pub file: usize,
    /// Entries of one directory.
    pub entries: usize,
    /// Effects under way together; further ones wait for their turn.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_body: REQUEST_BODY_BYTES,
            response_body: RESPONSE_BODY_BYTES,
            default_timeout: DEFAULT_TIMEOUT,
            longest_timeout: LONGEST_TIMEOUT,
            file: FILE_BYTES,
            entries: LIST_ENTRIES,
            at_once: EFFECTS_AT_ONCE,
        }
    }
}

impl Limits {
    /// How long a request may take in all.
    pub(crate) fn timeout(&self, wish: Option<Millis>) -> Millis {
        wish.unwrap_or(self.default_timeout).min(self.longest_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_for_time_holds_up_to_the_longest_timeout() {
        let limits = Limits::default();
        assert_eq!(limits.timeout(None), DEFAULT_TIMEOUT);
        assert_eq!(limits.timeout(Some(Millis(1))), Millis(1));
        assert_eq!(limits.timeout(Some(LONGEST_TIMEOUT)), LONGEST_TIMEOUT);
        assert_eq!(limits.timeout(Some(Millis(LONGEST_TIMEOUT.0 + 1))), LONGEST_TIMEOUT);
    }

    #[test]
    fn a_default_above_the_longest_timeout_is_cut() {
        let limits = Limits { longest_timeout: Millis::seconds(5), ..Limits::default() };
        assert_eq!(limits.timeout(None), Millis::seconds(5));
    }
}
