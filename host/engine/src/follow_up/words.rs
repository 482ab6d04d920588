//! What came back, in words: a sentence of numbers and names for the tracker, and all of
//! it for the agent.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Brought, Check, Remark, RemarkKind};
use crate::task::Section;

/// All of what came back takes at most so many bytes of a prompt.
pub const MAX_BROUGHT_BYTES: usize = 64 * 1024;

/// So many names are told; the rest is a number.
const MAX_NAMES: usize = 5;

/// Of a name so many characters are told.
const TOLD_CHARS: usize = 40;

/// What stands where text was cut.
const CUT: &str = " […]";

/// `2 checks failed on #7: build, test. 1 review comment by mina.` Nothing that the forge
/// shows as text is in it: names only, and of them only what names are made of.
pub(super) fn message(brought: &Brought) -> String {
    let mut sentences = Vec::new();
    let on = format!(" on #{}", brought.number);
    if !brought.checks.is_empty() {
        let names = listed(brought.checks.iter().map(|check| &*check.name));
        sentences.push(format!(
            "{} failed{on}{}.",
            count(brought.checks.len(), "check"),
            after(": ", &names)
        ));
    }
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Remark { kind, author, .. } in &brought.remarks {
        kinds.entry(kind.noun()).or_default().push(author);
    }
    for (noun, authors) in kinds {
        let on = if sentences.is_empty() { &*on } else { "" };
        let by = after(" by ", &listed(authors.iter().copied()));
        sentences.push(format!("{}{on}{by}.", count(authors.len(), noun)));
    }
    sentences.join(" ")
}

/// What an agent is told of what came back; nothing if nothing did.
pub fn sections(brought: &Brought) -> Vec<Section> {
    if brought.is_empty() {
        return Vec::new();
    }
    let number = brought.number;
    let mut body = String::new();
    for check in &brought.checks {
        push_check(&mut body, check);
    }
    for remark in &brought.remarks {
        push_remark(&mut body, remark);
    }
    cut(&mut body, MAX_BROUGHT_BYTES);
    let task = format!(
        "This work is in pull request #{number}, which is brought up to date with what you commit. What its \
         checks and reviewers said since you last worked on it comes next: deal with it as part of the task."
    );
    vec![
        Section { title: format!("Pull request #{number}"), body: task, trusted: true },
        Section { title: format!("What came back from pull request #{number}"), body, trusted: false },
    ]
}

fn push_check(body: &mut String, check: &Check) {
    // Writing to a string cannot fail.
    let _ = write!(body, "The check {} failed ({}).", check.name, check.conclusion);
    if !check.link.is_empty() {
        let _ = write!(body, " {}", check.link);
    }
    push_quoted(body, &check.summary);
}

fn push_remark(body: &mut String, remark: &Remark) {
    let what = match remark.kind {
        RemarkKind::ChangesRequested => "asks for changes",
        RemarkKind::Review => "reviewed it",
        RemarkKind::LineComment => "commented on a line",
        RemarkKind::Comment => "commented",
    };
    let _ = write!(body, "{} {what}", remark.author);
    if !remark.place.is_empty() {
        let _ = write!(body, " ({})", remark.place);
    }
    body.push('.');
    push_quoted(body, &remark.body);
}

fn push_quoted(body: &mut String, text: &str) {
    body.push('\n');
    if !text.trim().is_empty() {
        let _ = writeln!(body, "\n{}", text.trim());
    }
    body.push('\n');
}

/// Cuts a text to so many bytes, and says so in it.
pub(super) fn cut(text: &mut String, bytes: usize) {
    if text.len() <= bytes {
        return;
    }
    let room = bytes.saturating_sub(CUT.len());
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text.push_str(CUT);
}

/// Makes a name one line of at most so many characters.
pub(super) fn shortened(name: &mut String, chars: usize) {
    let line = name.split_whitespace().collect::<Vec<_>>().join(" ");
    *name = line.chars().filter(|letter| !letter.is_control()).take(chars).collect();
}

/// Each name once, in order of appearance.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut told: Vec<String> = Vec::new();
    for name in names {
        let name = plain(name);
        if !name.is_empty() && !told.contains(&name) {
            told.push(name);
        }
    }
    let more = told.len().saturating_sub(MAX_NAMES);
    told.truncate(MAX_NAMES);
    let mut listed = told.join(", ");
    if more > 0 {
        let _ = write!(listed, " and {more} more");
    }
    listed
}

/// Letters and digits, and what stands between them in names: no code can be written so.
fn plain(name: &str) -> String {
    let allowed = |letter: char| letter.is_alphanumeric() || " -_./".contains(letter);
    let plain: String = name.chars().map(|letter| if allowed(letter) { letter } else { ' ' }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    plain.chars().take(TOLD_CHARS).collect()
}

fn after(before: &str, names: &str) -> String {
    if names.is_empty() { String::new() } else { format!("{before}{names}") }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

impl RemarkKind {
    const fn noun(self) -> &'static str {
        match self {
            Self::ChangesRequested => "change request",
            Self::Review | Self::LineComment => "review comment",
            Self::Comment => "comment",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CheckState, Voice};
    use super::*;

    fn check(name: &str, summary: &str) -> Check {
        Check {
            id: name.to_owned(),
            name: name.to_owned(),
            state: CheckState::Failed,
            conclusion: "failure".to_owned(),
            summary: summary.to_owned(),
            link: "https://forge.example/1".to_owned(),
        }
    }

    fn remark(kind: RemarkKind, author: &str, body: &str) -> Remark {
        Remark {
            id: body.to_owned(),
            kind,
            author: author.to_owned(),
            voice: Voice::Member,
            place: "src/a.rs:3".to_owned(),
            body: body.to_owned(),
        }
    }

    fn brought(checks: Vec<Check>, remarks: Vec<Remark>) -> Brought {
        Brought { number: 7, url: String::new(), checks, remarks }
    }

    #[test]
    fn the_tracker_hears_numbers_and_names_and_nothing_that_was_said() {
        let said = remark(RemarkKind::LineComment, "mina", "const answer = 42");
        let told = message(&brought(vec![check("build", "const a"), check("test", "")], vec![said.clone()]));
        assert_eq!(told, "2 checks failed on #7: build, test. 1 review comment by mina.");
        let twice = brought(vec![], vec![said.clone(), said]);
        assert_eq!(message(&twice), "2 review comments on #7 by mina.");
        let asked = brought(vec![], vec![remark(RemarkKind::ChangesRequested, "mina", "")]);
        assert_eq!(message(&asked), "1 change request on #7 by mina.");
    }

    #[test]
    fn a_name_cannot_carry_code_and_many_names_are_a_number() {
        let code = check("let x = f(\"y\");\n}", "");
        assert_eq!(message(&brought(vec![code], vec![])), "1 check failed on #7: let x f y.");
        let many = |count: usize| (0..count).map(|n| check(&format!("c{n}"), "")).collect::<Vec<_>>();
        assert!(message(&brought(many(MAX_NAMES), vec![])).ends_with("c3, c4."));
        assert!(message(&brought(many(MAX_NAMES + 1), vec![])).ends_with("c4 and 1 more."));
        let long = |chars: usize| message(&brought(vec![check(&"a".repeat(chars), "")], vec![]));
        assert_eq!(long(TOLD_CHARS), long(TOLD_CHARS + 1));
        assert_ne!(long(TOLD_CHARS), long(TOLD_CHARS - 1));
    }

    #[test]
    fn the_agent_gets_all_of_it_as_text_from_outside() {
        let said = remark(RemarkKind::LineComment, "mina", "Use a map.");
        let sections = sections(&brought(vec![check("build", "error: no such file")], vec![said]));
        assert_eq!(sections.iter().map(|section| section.trusted).collect::<Vec<_>>(), [true, false]);
        assert_eq!(
            sections[1].body,
            "The check build failed (failure). https://forge.example/1\n\nerror: no such file\n\n\
             mina commented on a line (src/a.rs:3).\n\nUse a map.\n\n"
        );
        assert!(super::sections(&Brought::default()).is_empty());
    }

    #[test]
    fn texts_at_their_limit_stay_and_one_byte_more_is_cut() {
        for limit in [super::super::MAX_TEXT_BYTES, MAX_BROUGHT_BYTES] {
            let mut whole = "a".repeat(limit);
            cut(&mut whole, limit);
            assert_eq!(whole.len(), limit);
            assert!(!whole.ends_with(CUT));
            let mut long = "ä".repeat(limit / 2 + 1);
            cut(&mut long, limit);
            assert!(long.len() <= limit && long.ends_with(CUT));
        }
        let mut name = "b".repeat(super::super::MAX_NAME_CHARS + 1);
        shortened(&mut name, super::super::MAX_NAME_CHARS);
        assert_eq!(name.len(), super::super::MAX_NAME_CHARS);
    }
}
