//! How a secret may be written: as it is, in an address, in JSON, in base64, in hex.

use std::collections::BTreeSet;

/// What encoders of addresses leave as it is besides letters and digits: the standard
/// (RFC 3986), forms, and JavaScript's `encodeURIComponent` and `encodeURI`.
const LEFT_IN_ADDRESSES: [&[u8]; 4] = [b"-._~", b"*-._", b"-_.!~*'()", b";,/?:@&=+$-_.!~*'()#"];

/// Digits of base64, but for the last two.
const BASE64: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The last two digits: of the standard, and of the form for addresses.
const BASE64_ENDS: [[u8; 2]; 2] = [*b"+/", *b"-_"];

/// Every way to write a secret that is looked for.
pub(super) fn spellings(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let digits = [Digits::Lower, Digits::Upper];
    let mut all = BTreeSet::from([secret.to_vec()]);
    all.extend(digits.map(|digits| secret.iter().flat_map(|byte| digits.of(*byte)).collect()));
    for left in LEFT_IN_ADDRESSES {
        for (digits, space) in digits.into_iter().flat_map(|digits| [(digits, None), (digits, Some(b'+'))]) {
            all.insert(in_address(secret, left, digits, space));
        }
    }
    for ends in BASE64_ENDS {
        all.extend((0..3).map(|shift| in_base64(secret, shift, ends)));
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        for (slash, digits) in digits.into_iter().flat_map(|digits| [(false, digits), (true, digits)]) {
            for ascii in [false, true] {
                let once = in_json(text, slash, ascii, digits);
                // Agents quote in JSON what their tools printed, which often is JSON.
                all.insert(in_json(&once, slash, ascii, digits).into_bytes());
                all.insert(once.into_bytes());
            }
        }
    }
    all
}

/// Which hexadecimal digits.
#[derive(Clone, Copy)]
enum Digits {
    Lower,
    Upper,
}

impl Digits {
    fn of(self, byte: u8) -> [u8; 2] {
        let digits = match self {
            Self::Lower => b"0123456789abcdef",
            Self::Upper => b"0123456789ABCDEF",
        };
        [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
    }
}

fn in_address(secret: &[u8], left: &[u8], digits: Digits, space: Option<u8>) -> Vec<u8> {
    let mut written = Vec::with_capacity(secret.len());
    for byte in secret {
        match (byte, space) {
            (b' ', Some(space)) => written.push(space),
            _ if byte.is_ascii_alphanumeric() || left.contains(byte) => written.push(*byte),
            _ => {
                written.push(b'%');
                written.extend(digits.of(*byte));
            }
        }
    }
    written
}

/// What a JSON string holds between its quotes; with only ASCII if asked.
fn in_json(text: &str, slash: bool, ascii: bool, digits: Digits) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '/' if slash => written.push_str("\\/"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\u{8}' => written.push_str("\\b"),
            '\u{c}' => written.push_str("\\f"),
            character if character < ' ' || (ascii && !character.is_ascii()) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    written.push_str("\\u");
                    let four = unit.to_be_bytes().into_iter().flat_map(|byte| digits.of(byte));
                    written.extend(four.map(char::from));
                }
            }
            character => written.push(character),
        }
    }
    written
}

/// The part of a secret's base64 that is the same whatever stands around it, where
/// `shift` bytes stand before it in its group of three.
fn in_base64(secret: &[u8], shift: usize, ends: [u8; 2]) -> Vec<u8> {
    let bits = |index: usize| -> u8 {
        let byte = |at: usize| at.checked_sub(shift).and_then(|at| secret.get(at)).copied().unwrap_or(0);
        let (at, skipped) = (index * 6 / 8, index * 6 % 8);
        let two = u16::from_be_bytes([byte(at), byte(at + 1)]);
        ((two << skipped) >> 10) as u8
    };
    let digit = |index| match usize::from(bits(index)) {
        last @ 62.. => ends[last - 62],
        early => BASE64[early],
    };
    let (first, after) = ((shift * 8).div_ceil(6), (shift + secret.len()) * 8 / 6);
    (first..after).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, spelling: &str) -> bool {
        spellings(secret.as_bytes()).contains(spelling.as_bytes())
    }

    #[test]
    fn base64_is_known_in_each_place_of_its_group() {
        for (whole, inner) in
            [("czNjcjN0eXk=", "czNjcjN0"), ("eHMzY3IzdHl5", "MzY3Izd"), ("eHhzM2NyM3R5eQ==", "zM2NyM3")]
        {
            assert!(whole.contains(inner) && has("s3cr3t", inner), "{inner}");
        }
    }

    #[test]
    fn both_alphabets_of_base64_are_known() {
        assert!(has("\u{3ff}\u{3ff}\u{3ff}", "z7/Pv8+/") && has("\u{3ff}\u{3ff}\u{3ff}", "z7_Pv8-_"));
    }

    #[test]
    fn addresses_escape_in_either_case_and_forms_write_a_plus() {
        for spelling in ["a%2Fb%3D%20c", "a%2fb%3d%20c", "a%2Fb%3D+c", "a/b=%20c", "a/b= c"] {
            assert!(has("a/b= c", spelling), "{spelling}");
        }
    }

    #[test]
    fn json_escapes_in_every_usual_way_and_twice() {
        for spelling in ["a\\\"b/\u{e4}\\n", "a\\\"b\\/\u{e4}\\n", "a\\\"b/\\u00e4\\n", "a\\\"b/\\u00E4\\n"] {
            assert!(has("a\"b/\u{e4}\n", spelling), "{spelling}");
        }
        assert!(has("a\"b/\u{e4}\n", "a\\\\\\\"b/\u{e4}\\\\n"), "JSON in JSON");
    }

    #[test]
    fn hex_is_known_in_either_case() {
        assert!(has("jklmno", "6a6b6c6d6e6f") && has("jklmno", "6A6B6C6D6E6F"));
    }

    #[test]
    fn a_secret_of_letters_is_written_in_few_ways() {
        assert_eq!(spellings(b"sk-abcdef").len(), 1 + 2 + 3, "as it is, hex, base64");
    }
}
