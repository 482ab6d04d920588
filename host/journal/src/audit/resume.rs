//! How a log goes on: after which entry, and what has to be said about its end first.

use super::chain;
use super::entry::Event;
use super::hash::{Head, LineHash};

/// What stands at the end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last entry that can be read.
    pub last: Option<Head>,
    /// Whether whole lines that cannot be read stand behind it.
    pub unreadable: bool,
    /// Half a line at the very end: how long, and its hash.
    pub torn: Option<(usize, LineHash)>,
}

impl Tail {
    /// Looks at the end of a file; `content` begins with a line.
    pub(crate) fn of(content: &[u8]) -> Self {
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, torn) = content.split_at(whole);
        let mut unreadable = false;
        let lines = lines.strip_suffix(b"\n").map(|lines| lines.rsplit(|byte| *byte == b'\n'));
        let last = lines.into_iter().flatten().find_map(|line| {
            let link = chain::read(line).ok();
            unreadable |= link.is_none();
            link
        });
        let torn = (!torn.is_empty()).then(|| (torn.len(), LineHash::of(&[torn])));
        Self { last: last.map(|link| link.head), unreadable, torn }
    }
}

/// What has to be written down before the log goes on after `after`; `noted` is the last
/// head that was known to be on the disk.
pub(crate) fn remarks(after: Option<Head>, tail: &Tail, noted: Option<Head>) -> Vec<Event> {
    let mut remarks = Vec::new();
    if let Some((bytes, hash)) = tail.torn {
        remarks.push(Event::Healed { bytes: bytes as u64, sha256: hash.to_string() });
    }
    if tail.unreadable {
        let problem = "the lines before this one cannot be read".to_owned();
        remarks.push(Event::Broken { problem });
    }
    if let Some(problem) = noted.and_then(|noted| gone(after, noted)) {
        remarks.push(Event::Broken { problem });
    }
    remarks
}

/// What became of a head that was the last entry once, if it is not there any more.
pub(crate) fn gone(last: Option<Head>, noted: Head) -> Option<String> {
    let n = last.map_or(0, |last| last.n);
    if noted.n > n {
        return Some(format!("the log had reached entry {noted} and ended with entry {n}"));
    }
    let same = last.is_some_and(|last| last.hash == noted.hash);
    (noted.n == n && !same).then(|| format!("entry {n} was {noted} and has become another"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audit::entry::seal;

    fn lines(count: u64) -> (Vec<String>, Head) {
        let mut after = None;
        let mut lines = Vec::new();
        for n in 0..count {
            let event = Event::Withdrawn { plugin: format!("p{n}") };
            let (line, head) = seal(after, 1, "0.1.0", &event).unwrap();
            after = Some(head);
            lines.push(line + "\n");
        }
        (lines, after.unwrap())
    }

    #[test]
    fn a_whole_log_goes_on_after_its_last_entry_without_a_remark() {
        let (lines, head) = lines(3);
        let tail = Tail::of(lines.concat().as_bytes());
        assert_eq!(tail, Tail { last: Some(head), unreadable: false, torn: None });
        assert_eq!(remarks(tail.last, &tail, Some(head)), []);
        assert_eq!(remarks(tail.last, &tail, None), [], "the head may lag behind");
        assert_eq!(Tail::of(b""), Tail { last: None, unreadable: false, torn: None });
    }

    #[test]
    fn half_a_line_wherever_it_was_cut_is_no_entry_and_is_said_to_have_been_there() {
        let (lines, head) = lines(2);
        let whole = lines.concat();
        let (next, _) = seal(Some(head), 1, "0.1.0", &Event::Withdrawn { plugin: "x".to_owned() }).unwrap();
        for cut in 1..=next.len() {
            let content = format!("{whole}{}", &next[..cut]);
            let tail = Tail::of(content.as_bytes());
            assert_eq!((tail.last, tail.unreadable), (Some(head), false));
            let said = remarks(tail.last, &tail, Some(head));
            let sha256 = LineHash::of(&[&next.as_bytes()[..cut]]).to_string();
            assert_eq!(said, [Event::Healed { bytes: cut as u64, sha256 }]);
        }
    }

    #[test]
    fn a_changed_last_line_is_no_crash() {
        let (mut lines, _) = lines(3);
        lines[2] = lines[2].replace("p2", "p9");
        let tail = Tail::of(lines.concat().as_bytes());
        assert_eq!(tail.last.map(|head| head.n), Some(2));
        assert!(tail.unreadable);
        let said = remarks(tail.last, &tail, None);
        assert!(matches!(&said[..], [Event::Broken { problem }] if problem.contains("cannot be read")));
    }

    #[test]
    fn an_end_that_was_cut_off_or_rewritten_is_said_before_the_log_goes_on() {
        let (all, head) = lines(3);
        let tail = Tail::of(all[..2].concat().as_bytes());
        let said = remarks(tail.last, &tail, Some(head));
        assert!(matches!(&said[..], [Event::Broken { problem }] if problem.ends_with("ended with entry 2")));
        let other = Head { n: 3, hash: LineHash::NOTHING };
        assert!(gone(Some(head), other).unwrap().contains("has become another"));
        assert_eq!(gone(Some(head), Head { n: 2, ..other }), None, "only the end is looked at");
    }
}
