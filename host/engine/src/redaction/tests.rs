#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn redaction(secrets: &[&str]) -> Redaction {
    Redaction::of(secrets).unwrap()
}

fn redacted(redaction: &Redaction, text: &str) -> String {
    let mut text = text.to_owned();
    redaction.text(&mut text);
    text
}

/// What a stream gives for these chunks, after each and at the end.
fn streamed<'a>(redaction: &Redaction, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut stream = redaction.stream();
    let mut given = Vec::new();
    for chunk in chunks {
        let mut out = Vec::new();
        stream.push(chunk, &mut out);
        given.push(out);
    }
    let mut out = Vec::new();
    stream.finish(&mut out);
    given.push(out);
    given
}

fn texts(given: &[Vec<u8>]) -> Vec<&str> {
    given.iter().map(|bytes| std::str::from_utf8(bytes).unwrap()).collect()
}

#[test]
fn every_spelling_becomes_stars_of_its_length_and_the_rest_stays() {
    let redaction = redaction(&["s3cr3t"]);
    let text = "a s3cr3t, x=733363723374 b64 eHMzY3IzdHl5.";
    assert_eq!(redacted(&redaction, text), "a ******, x=************ b64 eH*******Hl5.");
}

#[test]
fn json_with_a_secret_is_still_json() {
    let secret = "pass\"word\\with/all\n\u{e4}";
    let line = serde_json::to_string(&serde_json::json!({ "text": secret, "n": 1 })).unwrap();
    let clean = redacted(&redaction(&[secret]), &line);
    assert_eq!(clean.len(), line.len());
    let value: serde_json::Value = serde_json::from_str(&clean).unwrap();
    assert!(value["text"].as_str().unwrap().bytes().all(|byte| byte == b'*'), "{clean}");
}

#[test]
fn a_value_of_the_shortest_length_is_a_secret_and_a_shorter_one_is_not() {
    let redaction =
        redaction(&["a".repeat(SHORTEST_SECRET).as_str(), "b".repeat(SHORTEST_SECRET - 1).as_str()]);
    assert_eq!(redacted(&redaction, "aaaaaa bbbbb"), "****** bbbbb");
}

#[test]
fn secrets_up_to_the_limit_are_looked_for_and_one_byte_more_is_refused() {
    let most = "x".repeat(MOST_SECRETS);
    assert!(!redaction(&[most.as_str()]).is_empty());
    let more = format!("{most}x");
    assert_eq!(Redaction::of([&more]).unwrap_err(), RedactionError::TooLong { bytes: MOST_SECRETS + 1 });
}

#[test]
fn white_space_around_a_secret_does_not_belong_to_it() {
    assert_eq!(redacted(&redaction(&[" token1\n"]), "x token1."), "x ******.");
}

#[test]
fn secrets_that_overlap_or_hold_each_other_are_masked_as_a_whole() {
    let redaction = redaction(&["abcdef", "abcdefghi", "ghixyz"]);
    assert_eq!(redacted(&redaction, "abcdefghixyz abcdefg"), "************ ******g");
}

#[test]
fn only_what_may_begin_a_secret_is_held_back() {
    let redaction = redaction(&["s3cr3t"]);
    let given = streamed(&redaction, [&b"a line\nand s3c"[..], b"r", b"et!", b" s3cr", b"3t.", b"s3c"]);
    assert_eq!(texts(&given), ["a line\nand ", "", "s3cret!", " ", "******.", "", "s3c"]);
}

#[test]
fn a_line_is_never_held_back_for_a_secret_of_one_line() {
    let given = streamed(&redaction(&["s3cr3t"]), [&b"s3cr\n"[..]]);
    assert_eq!(texts(&given), ["s3cr\n", ""]);
}

#[test]
fn without_secrets_everything_passes_at_once() {
    assert_eq!(texts(&streamed(&Redaction::default(), [&b"any"[..]])), ["any", ""]);
    assert!(redaction(&["short"]).is_empty());
}

#[test]
fn printing_a_redaction_shows_no_secret() {
    let redaction = redaction(&["s3cr3t"]);
    assert_eq!(format!("{redaction:?}"), "Redaction(5 spellings)");
}

/// Few letters, so that beginnings, overlaps and repetitions are common.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{6,9}", "a[ab/\" ]{4,8}b", "[a-z0-9%+/]{6,40}"]
}

/// Text with secrets in any spelling in it, whole and broken off, and where to cut it.
fn scene() -> impl Strategy<Value = (Vec<String>, Vec<u8>, Vec<usize>)> {
    vec(secret(), 1..4).prop_flat_map(|secrets| {
        let known: Vec<Vec<u8>> =
            secrets.iter().flat_map(|secret| spellings::spellings(secret.as_bytes())).collect();
        let pieces = prop_oneof![
            vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..12),
            (proptest::sample::select(known), 0_usize..80).prop_map(|(mut piece, keep)| {
                // Mostly whole.
                if keep < 20 {
                    piece.truncate(keep);
                }
                piece
            }),
        ];
        (Just(secrets), vec(pieces, 0..12).prop_map(|pieces| pieces.concat()), vec(0_usize..400, 0..12))
    })
}

proptest! {
    #[test]
    fn any_chunks_give_the_same_as_the_whole((secrets, bytes, mut cuts) in scene()) {
        let redaction = Redaction::of(&secrets).unwrap();
        let mut whole = bytes.clone();
        redaction.bytes(&mut whole);
        prop_assert_eq!(redaction.finds(&bytes), whole != bytes);
        for cut in &mut cuts {
            *cut = (*cut).min(bytes.len());
        }
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut start = 0;
        let chunks = cuts.iter().map(|cut| &bytes[std::mem::replace(&mut start, *cut)..*cut]);
        prop_assert_eq!(streamed(&redaction, chunks).concat(), whole);
    }

    #[test]
    fn no_spelling_is_left_and_nothing_else_is_changed((secrets, bytes, _) in scene()) {
        let redaction = Redaction::of(&secrets).unwrap();
        let mut clean = bytes.clone();
        redaction.bytes(&mut clean);
        let mut expected = bytes.clone();
        for spelling in secrets.iter().flat_map(|secret| spellings::spellings(secret.as_bytes())) {
            for (at, _) in bytes.windows(spelling.len()).enumerate().filter(|(_, here)| *here == spelling) {
                expected[at..at + spelling.len()].fill(MASK);
            }
            prop_assert!(!clean.windows(spelling.len()).any(|here| here == spelling));
        }
        prop_assert_eq!(clean, expected);
    }
}
