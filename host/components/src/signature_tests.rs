//! Known answers: everything in `signature_fixtures` was made by the program
//! `minisign` 0.11. The keys are good for nothing else; the password of the locked one
//! is `secret`.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::signing_key::{SigningKey, SigningKeyError};

const FILE: &[u8] = include_bytes!("signature_fixtures/plugin.bin");
const PREHASHED: &str = include_str!("signature_fixtures/prehashed.minisig");
const LEGACY: &str = include_str!("signature_fixtures/legacy.minisig");
const UNLOCKED: &str = include_str!("signature_fixtures/unlocked.key");
const LOCKED: &str = include_str!("signature_fixtures/locked.key");

fn known() -> PublicKey {
    PublicKey::parse(include_str!("signature_fixtures/known.pub")).unwrap()
}

fn signature(text: &str) -> Signature {
    Signature::parse(text.as_bytes()).unwrap()
}

#[test]
fn both_forms_that_minisign_makes_hold() {
    for (text, comment) in
        [(PREHASHED, "made by minisign 0.11, prehashed"), (LEGACY, "made by minisign 0.11, legacy")]
    {
        let signature = signature(text);
        assert!(signature.holds(&known(), FILE));
        assert_eq!(signature.comment(), comment);
        assert_eq!(signature.key_id().to_string(), "FFE150D4533A35C7");
    }
}

#[test]
fn one_bit_elsewhere_in_the_file_and_a_signature_holds_no_more() {
    for text in [PREHASHED, LEGACY] {
        for place in [0, FILE.len() / 2, FILE.len() - 1] {
            let mut other = FILE.to_vec();
            other[place] ^= 1;
            assert!(!signature(text).holds(&known(), &other), "byte {place}");
        }
        assert!(!signature(text).holds(&known(), &FILE[1..]));
    }
}

#[test]
fn a_trusted_comment_cannot_be_changed_nor_a_signature_moved_to_another_form() {
    let comment = PREHASHED.replace("0.11, prehashed", "9.99, prehashed");
    assert!(!signature(&comment).holds(&known(), FILE));
    // `RUT` and `RWT` are `ED` and `Ed` with the same key id behind them.
    let other_form = PREHASHED.replace("RUTHNTp", "RWTHNTp");
    assert_ne!(other_form, PREHASHED);
    assert!(!signature(&other_form).holds(&known(), FILE));
}

#[test]
fn another_key_vouches_for_nothing_even_under_the_same_id() {
    let other = SigningKey::generate().unwrap();
    assert!(!signature(PREHASHED).holds(other.public(), FILE));
    let mut bytes = other.public().inner().to_bytes();
    bytes[2..10].copy_from_slice(known().inner().keynum());
    let impostor = PublicKey::known(minisign::PublicKey::from_bytes(&bytes).unwrap());
    assert_eq!(impostor.id(), known().id());
    assert!(!signature(PREHASHED).holds(&impostor, FILE));
}

#[test]
fn a_damaged_signature_file_is_refused_and_never_ends_the_program() {
    let lines: Vec<&str> = PREHASHED.lines().collect();
    let with = |place: usize, text: &str| {
        let mut changed = lines.clone();
        changed[place] = text;
        changed.join("\n")
    };
    let short_signatures = ["", "AAAA", &lines[3][..84], &"A".repeat(86)];
    for last in short_signatures {
        assert!(Signature::parse(with(3, last).as_bytes()).is_err(), "{last}");
    }
    for wrong in
        [with(0, "comment"), with(1, "AAAA"), with(1, "!"), with(2, "comment"), lines[..3].join("\n")]
    {
        assert!(Signature::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(Signature::parse(b"\xff\xfe").is_err() && Signature::parse(b"").is_err());
    // Any 88 characters that are base64 can be checked without harm.
    for last in ["A".repeat(88), format!("{}=", "A".repeat(87)), format!("{}==", "A".repeat(86))] {
        let parsed = Signature::parse(with(3, &last).as_bytes()).unwrap();
        assert!(!parsed.holds(&known(), FILE), "{last}");
    }
}

#[test]
fn a_signature_file_may_have_16_kib_and_not_one_byte_more() {
    let line = LEGACY.lines().next().unwrap();
    let filled = |length: usize| {
        let more = "x".repeat(length - LEGACY.len());
        LEGACY.replacen(line, &format!("{line}{more}"), 1)
    };
    assert!(signature(&filled(SIGNATURE_FILE_BYTES)).holds(&known(), FILE));
    let error = Signature::parse(filled(SIGNATURE_FILE_BYTES + 1).as_bytes()).err().unwrap();
    assert_eq!(error, SignatureError::TooLong(16_385));
}

#[test]
fn a_public_key_is_its_line_or_its_file_and_nothing_else() {
    let line = "RWTHNTpT1FDh/4B/371EisAbxaiNkdcwvLt3TYvLXFpeOLRovjDa8bEe";
    assert_eq!(PublicKey::parse(line), Ok(known()));
    assert_eq!(known().to_string(), line);
    for wrong in ["", "RW", &line[1..], &line.replace("RWT", "RUT"), UNLOCKED, LEGACY] {
        assert_eq!(PublicKey::parse(wrong), Err(NoPublicKey), "{wrong}");
    }
}

#[test]
fn keys_of_minisign_sign_with_and_without_a_password() {
    assert_eq!((SigningKey::is_locked(UNLOCKED), SigningKey::is_locked(LOCKED)), (Ok(false), Ok(true)));
    let unlocked = SigningKey::read(UNLOCKED, None).unwrap();
    assert_eq!(unlocked.public(), &known());
    let locked = SigningKey::read(LOCKED, Some("secret")).unwrap();
    let public = PublicKey::parse(include_str!("signature_fixtures/locked.pub")).unwrap();
    assert_eq!(locked.public(), &public);
    for key in [unlocked, locked] {
        let text = key.sign(FILE, "demo 1.0.0").unwrap();
        assert!(text.lines().nth(1).unwrap().starts_with("RU"), "the form over a hash: {text}");
        let made = signature(&text);
        assert!(made.holds(key.public(), FILE));
        assert_eq!((made.comment().as_str(), made.key_id()), ("demo 1.0.0", key.public().id()));
    }
}

#[test]
fn a_key_that_is_locked_damaged_or_none_signs_nothing() {
    let error = |text: &str, password| SigningKey::read(text, password).err();
    // Opening what minisign locked takes a gigabyte and seconds; one of ours does not.
    let (_, locked) = SigningKey::generate_locked("right").unwrap();
    assert_eq!(error(&locked, None), Some(SigningKeyError::Password));
    assert_eq!(error(&locked, Some("wrong")), Some(SigningKeyError::Password));
    for wrong in ["", "one line", "two\nlines", PREHASHED] {
        assert_eq!(error(wrong, None), Some(SigningKeyError::Malformed), "{wrong}");
    }
    // One character of the seed is another seed: it does not fit the public half.
    let damaged = UNLOCKED.replace("lQXMM", "lQXMN");
    assert_ne!(damaged, UNLOCKED);
    let key = SigningKey::read(&damaged, None).unwrap();
    assert_eq!(key.sign(FILE, "demo").err(), Some(SigningKeyError::Damaged));
}

#[test]
fn a_new_key_comes_back_from_its_file() {
    let key = SigningKey::generate().unwrap();
    let again = SigningKey::read(&key.to_text().unwrap(), None).unwrap();
    assert_eq!(again.public(), key.public());
    let (locked, text) = SigningKey::generate_locked("open sesame").unwrap();
    assert!(SigningKey::is_locked(&text).unwrap());
    assert_eq!(SigningKey::read(&text, Some("open sesame")).unwrap().public(), locked.public());
}
