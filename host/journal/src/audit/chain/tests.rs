#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::audit::entry::seal;

fn event(n: u64, text: &str) -> Event {
    if n.is_multiple_of(3) {
        Event::Denied {
            plugin: text.to_owned(),
            effect: "http".to_owned(),
            reason: "http-origin".to_owned(),
            times: n,
        }
    } else {
        Event::Withdrawn { plugin: text.to_owned() }
    }
}

/// A log whose entries say these words, each line with its line feed.
fn log(words: &[String]) -> (Vec<Vec<u8>>, Head) {
    let mut after = None;
    let mut lines = Vec::new();
    for (word, n) in words.iter().zip(1..) {
        let (line, head) = seal(after, 1_000, "0.1.0", &event(n, word)).unwrap();
        lines.push((line + "\n").into_bytes());
        after = Some(head);
    }
    (lines, after.unwrap())
}

fn words(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("w{n}")).collect()
}

/// The first fault and the line it is found at; the line after the last for the end.
fn fault(content: &[u8], known: &[Head]) -> Option<(usize, Fault)> {
    let mut walk = Walk::new(known, 0);
    let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let taken = match line.strip_suffix(b"\n") {
            Some(line) => walk.line(line),
            None => Err(walk.torn()),
        };
        if let Err(fault) = taken {
            return Some((at, fault));
        }
    }
    walk.end().err().map(|fault| (lines.len(), fault))
}

fn some_words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z\"\\\\é\n]{0,12}", 2..9)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_as_it_was_written_has_no_fault(words in some_words()) {
        let (lines, head) = log(&words);
        prop_assert_eq!(fault(&lines.concat(), &[head]), None);
    }

    #[test]
    fn any_changed_bit_is_found_in_its_line(words in some_words(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (lines, head) = log(&words);
        let mut content = lines.concat();
        let at = at.index(content.len());
        let line = content[..at].split(|byte| *byte == b'\n').count() - 1;
        content[at] ^= 1_u8 << bit;
        let (found, _) = fault(&content, &[head]).unwrap();
        prop_assert_eq!(found, line);
    }

    #[test]
    fn any_removed_line_is_found_where_it_was(words in some_words(), at in any::<prop::sample::Index>()) {
        let (mut lines, head) = log(&words);
        let at = at.index(lines.len());
        lines.remove(at);
        let n = at as u64 + 1;
        // That the first is missing, nothing can tell before the end.
        let (place, told) = match at {
            0 => (lines.len(), Fault::MissingAtStart { to: 1 }),
            at if at == lines.len() => (at, Fault::MissingAtEnd { from: n, to: n }),
            at => (at, Fault::Missing { from: n, to: n }),
        };
        prop_assert_eq!(fault(&lines.concat(), &[head]), Some((place, told)));
    }

    #[test]
    fn two_lines_that_changed_places_are_found(
        words in some_words(), one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()
    ) {
        let (mut lines, head) = log(&words);
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        prop_assume!(one != other);
        lines.swap(one, other);
        let (found, _) = fault(&lines.concat(), &[head]).unwrap();
        match one.min(other) {
            // A later entry may be the first one there, after collecting: the second tells.
            0 => prop_assert!(found <= 1, "{found}"),
            first => prop_assert_eq!(found, first),
        }
    }

    #[test]
    fn a_repeated_line_is_found_where_it_is_too_much(
        words in some_words(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()
    ) {
        let (mut lines, head) = log(&words);
        let line = lines[from.index(lines.len())].clone();
        let to = to.index(lines.len() + 1);
        lines.insert(to, line);
        let (found, _) = fault(&lines.concat(), &[head]).unwrap();
        // Before or after itself makes no difference.
        prop_assert!(found == to || found == to + 1, "{found} for {to}");
    }

    #[test]
    fn a_line_of_another_log_is_found_where_it_was_put(
        words in some_words(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()
    ) {
        let (mut lines, head) = log(&words);
        let foreign: Vec<String> = words.iter().map(|word| format!("{word}!")).collect();
        let (others, _) = log(&foreign);
        let to = to.index(lines.len() + 1);
        lines.insert(to, others[from.index(others.len())].clone());
        let (found, _) = fault(&lines.concat(), &[head]).unwrap();
        prop_assert!(found == to || found == to + 1, "{found} for {to}");
    }

    #[test]
    fn a_log_that_is_cut_off_anywhere_is_found_by_its_head(words in some_words(), at in any::<prop::sample::Index>()) {
        let (lines, head) = log(&words);
        let mut content = lines.concat();
        content.truncate(at.index(content.len()));
        let whole = content.split(|byte| *byte == b'\n').count() as u64 - 1;
        let (_, told) = fault(&content, &[head]).unwrap();
        let expected = if content.ends_with(b"
") || content.is_empty() {
            Fault::MissingAtEnd { from: whole + 1, to: head.n }
        } else {
            Fault::Torn { after: whole }
        };
        prop_assert_eq!(told, expected);
    }
}

#[test]
fn a_past_that_was_written_anew_is_found_by_a_head_that_was_kept_elsewhere() {
    let (_, before) = log(&words(5));
    let mut other = words(7);
    other[2].push_str(" forged");
    let (lines, now) = log(&other);
    assert_eq!(fault(&lines.concat(), &[now]), None, "it hangs together");
    assert_eq!(fault(&lines.concat(), &[now, before]), Some((4, Fault::Rewritten { n: 5 })));
}

#[test]
fn a_replaced_line_with_a_good_hash_of_its_own_is_found_at_the_next_one() {
    let (mut lines, head) = log(&words(4));
    let mut other = words(4);
    other[1].push('!');
    lines[1] = log(&other).0[1].clone();
    assert_eq!(fault(&lines.concat(), &[head]), Some((2, Fault::Replaced { n: 3 })));
}

#[test]
fn a_first_entry_that_follows_on_something_is_no_first_entry() {
    let before = Head { n: 0, hash: LineHash::of(&[b"x"]) };
    let (line, _) = seal(Some(before), 1, "0.1.0", &event(1, "w")).unwrap();
    assert_eq!(fault(format!("{line}\n").as_bytes(), &[]), Some((0, Fault::Replaced { n: 1 })));
}

#[test]
fn a_beginning_may_be_missing_once_an_entry_says_that_it_was_collected() {
    let (lines, head) = log(&words(5));
    let third: Entry = serde_json::from_slice(&lines[2]).unwrap();
    let through = Head { n: 3, hash: third.hash };
    let (line, last) = seal(Some(head), 1, "0.1.0", &Event::Collected { through }).unwrap();
    let kept = |from: usize| [lines[from..].concat(), format!("{line}\n").into_bytes()].concat();
    assert_eq!(fault(&kept(3), &[last]), None);
    assert_eq!(fault(&kept(1), &[last]), None, "as after a crash in the middle of collecting");
    assert_eq!(fault(&kept(4), &[last]), Some((2, Fault::MissingAtStart { to: 4 })));
}

#[test]
fn an_entry_that_says_the_log_was_damaged_is_a_fault_for_ever() {
    let (lines, head) = log(&words(2));
    let problem = "the end was cut off".to_owned();
    let (broken, head) = seal(Some(head), 1, "0.1.0", &Event::Broken { problem: problem.clone() }).unwrap();
    let (next, _) = seal(Some(head), 1, "0.1.0", &event(4, "w")).unwrap();
    let content = format!("{}{broken}\n{next}\n", String::from_utf8(lines.concat()).unwrap());
    assert_eq!(fault(content.as_bytes(), &[]), Some((4, Fault::Noted { n: 3, problem })));
    let changed = content.replace("\"w\"", "\"x\"");
    let hidden = fault(changed.as_bytes(), &[]);
    assert!(matches!(hidden, Some((3, Fault::Changed { n: 4, .. }))), "it hides no other: {hidden:?}");
}

#[test]
fn faults_are_told_with_the_numbers_of_entries() {
    let told = [
        Fault::MissingAtEnd { from: 120, to: 134 },
        Fault::MissingAtEnd { from: 120, to: 120 },
        Fault::Missing { from: 7, to: 9 },
        Fault::MissingAtStart { to: 4 },
    ];
    let told = told.map(|fault| fault.to_string());
    assert_eq!(told[0], "entries 120…134 are missing at the end");
    assert_eq!(told[1], "entry 120 is missing at the end");
    assert_eq!(told[2], "entries 7…9 are missing");
    assert_eq!(
        told[3],
        "entries 1…4 are missing at the beginning, and no entry says that they were collected"
    );
}

#[test]
fn a_line_that_nobody_would_be_shown_is_no_entry_however_good_its_hash() {
    let (lines, head) = log(&words(1));
    let body = format!(
        r#"{{"n":2,"at":7,"host":"0.1.0","kind":"withdrawn","plugin":"a","plugin":"b","prev":"{}""#,
        head.hash
    );
    let hash = LineHash::of(&[body.as_bytes(), b"}"]);
    let content = [&lines[0][..], format!("{body},\"hash\":\"{hash}\"}}\n").as_bytes()].concat();
    assert_eq!(fault(&content, &[]), Some((1, Fault::Changed { n: 2, problem: "it is no entry" })));
}
