//! Names a file's content: equal tags, equal bytes.

use std::fmt::Write as _;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Read at once while hashing.
const CHUNK_BYTES: usize = 64 << 10;

/// The tag of these bytes: SHA-256 in hexadecimal.
pub(super) fn of_bytes(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// The tag of what a reader yields.
pub(super) fn of_reader(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => hasher.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tag_is_the_sha256_of_the_content_however_it_is_read() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc"), abc);
        let long = vec![7; 3 * CHUNK_BYTES + 1];
        assert_eq!(of_reader(long.as_slice()).unwrap(), of_bytes(&long));
        assert_eq!(of_reader(&b"abc"[..]).unwrap(), abc);
    }
}
