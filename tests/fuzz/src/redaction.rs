//! Secrets in what agents print, against a second search that looks everywhere.

use hostler_engine::redaction::{Redaction, SHORTEST_SECRET};

/// Between the secrets, one in a line, and what is printed.
const BETWEEN: &[u8] = b"\n---\n";

/// Secrets that are looked for in one input; more make it slow and tell no more.
const SECRETS: usize = 4;

/// Longest of them, in bytes.
const SECRET_BYTES: usize = 64;

/// The first byte says how long the pieces are in which the output arrives. Whatever
/// they are, the same is masked, lengths stay, and no secret is left as it is, in
/// hexadecimal, in base64 wherever it begins, in an address or in JSON.
pub fn check(data: &[u8]) {
    let Some((piece, rest)) = data.split_first() else { return };
    let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) else { return };
    let (secrets, printed) = (&rest[..at], &rest[at + BETWEEN.len()..]);
    let secrets: Vec<&[u8]> =
        secrets.split(|byte| *byte == b'\n').filter(|it| it.len() <= SECRET_BYTES).take(SECRETS).collect();
    let redaction = Redaction::of(&secrets).unwrap_or_else(|error| panic!("{error}"));
    let spelled: Vec<Vec<u8>> = secrets
        .iter()
        .map(|secret| secret.trim_ascii())
        // Stars stand for secrets, so one with stars in it may come to be by masking another.
        .filter(|secret| secret.len() >= SHORTEST_SECRET && !secret.contains(&b'*'))
        .flat_map(spellings)
        .collect();
    // What is printed, and then each secret in each spelling between its letters.
    let mut whole = printed.to_vec();
    for spelling in &spelled {
        whole.extend([b"<", &spelling[..], b">"].concat());
    }
    let mut clean = whole.clone();
    redaction.bytes(&mut clean);
    assert_eq!(clean.len(), whole.len(), "the length changed");
    assert_eq!(redaction.finds(&whole), clean != whole, "it finds another thing than it masks");
    for spelling in &spelled {
        assert!(!contains(&clean, spelling), "left: {}", String::from_utf8_lossy(spelling));
    }
    for (before, after) in whole.iter().zip(&clean) {
        assert!(before == after || *after == b'*', "something else than a star");
    }
    let mut stream = redaction.stream();
    let mut streamed = Vec::new();
    for chunk in whole.chunks(usize::from(*piece).max(1)) {
        stream.push(chunk, &mut streamed);
        assert_eq!(streamed, clean[..streamed.len()], "the pieces give something else");
    }
    stream.finish(&mut streamed);
    assert_eq!(streamed, clean, "the pieces give something else at the end");
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Ways to write a secret, written down anew.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex = |upper: bool| -> Vec<u8> {
        let digit = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        secret.iter().map(digit).collect::<String>().into_bytes()
    };
    let mut all = vec![secret.to_vec(), hex(false), hex(true)];
    all.extend((0..3).map(|shift| base64_inside(secret, shift)));
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap_or_else(|error| panic!("{error}"));
        all.push(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = |byte: &u8| if plain(*byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() };
    all.push(secret.iter().flat_map(percent).collect());
    all
}

/// The letters of base64 that depend on the secret alone, when so many bytes stand
/// before it.
fn base64_inside(secret: &[u8], shift: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> =
        secret.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    // Bits of the first letter that is the secret's alone.
    let begin = [0, 4, 2][shift];
    let letters = bits[begin..].chunks_exact(6);
    letters.map(|six| LETTERS[six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit))]).collect()
}
