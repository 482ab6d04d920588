//! `host policy check`.

use std::fmt::{Display, Write};
use std::path::Path;

use hostler_daemon::effective::Standing;
use hostler_daemon::engine::landing::LandingKind;
use hostler_daemon::policy::{Bound, Member, Policies};
use serde::Serialize;

use crate::exit::Exit;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, row};
use crate::text::short_digest;

/// What can be told about the policies of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where the organisation's policy stands or would stand.
    system: String,
    policies: Vec<PolicyFile>,
    ceilings: Vec<CeilingLine>,
    asked: Vec<Answer>,
}

/// One policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PolicyFile {
    file: String,
    digest: Option<String>,
    problem: Option<String>,
}

/// What is set for everything on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct CeilingLine {
    name: &'static str,
    value: String,
    by: String,
}

/// What became of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What was asked about.
    what: String,
    standing: Word,
    by: Option<String>,
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Allowed,
    NotGranted,
    Denied,
}

impl Answer {
    /// `command` is what would grant it.
    pub fn of(what: String, standing: Standing, command: Option<&String>) -> Self {
        let (standing, by, remedy) = match standing {
            Standing::Allowed { by } => (Word::Allowed, by, None),
            Standing::NotGranted => (Word::NotGranted, None, command.cloned()),
            Standing::Denied { by } => (Word::Denied, Some(by), None),
        };
        Self { what, standing, by: by.map(|line| line.to_string()), remedy }
    }

    fn words(&self) -> String {
        match (self.standing, &self.by, &self.remedy) {
            (Word::Allowed, Some(by), _) => format!("allowed by {by}"),
            (Word::Allowed, None, _) => "allowed".to_owned(),
            (Word::NotGranted, _, Some(command)) => format!("not granted: {command}"),
            (Word::NotGranted, ..) => "not granted".to_owned(),
            (Word::Denied, by, _) => format!("denied by {}", by.as_deref().unwrap_or("a policy")),
        }
    }

    const fn tone(&self) -> Tone {
        match self.standing {
            Word::Allowed => Tone::Good,
            Word::NotGranted => Tone::Warning,
            Word::Denied => Tone::Bad,
        }
    }
}

impl Report {
    /// What the policies say in general, and the answers to what was asked.
    pub fn of(policies: &Policies, system: &Path, asked: Vec<Answer>) -> Self {
        Self {
            system: system.display().to_string(),
            policies: policies.members().iter().map(file).collect(),
            ceilings: ceilings(policies),
            asked,
        }
    }

    /// What the shell gets.
    pub fn exit(&self) -> Exit {
        if self.policies.iter().any(|file| file.problem.is_some()) {
            Exit::Configuration
        } else if self.asked.iter().any(|answer| answer.standing != Word::Allowed) {
            Exit::Grant
        } else {
            Exit::Ok
        }
    }
}

fn file(member: &Member) -> PolicyFile {
    PolicyFile {
        file: member.path.display().to_string(),
        digest: member.digest.clone(),
        problem: member.policy.as_ref().err().map(ToString::to_string),
    }
}

/// What is cut for everything; lists are asked about one by one.
fn ceilings(policies: &Policies) -> Vec<CeilingLine> {
    fn line<T>(name: &'static str, bound: Bound<T>, word: &str, value: impl Display) -> Option<CeilingLine> {
        let by = bound.by?.to_string();
        Some(CeilingLine { name, value: format!("{word} {value}"), by })
    }
    let (permission, sandbox) = (policies.permission(), policies.minimum_sandbox());
    let signatures = policies.signatures();
    let (level, tier, rule) = (permission.value.name(), sandbox.value, signatures.value.name());
    let values = [
        line("permission", permission, "at most", level),
        line("sandbox", sandbox, "at least", tier),
        line("signatures", signatures, "at least", rule),
    ];
    let landings = [LandingKind::Push, LandingKind::PullRequest, LandingKind::Merge];
    let denied =
        landings.into_iter().filter_map(|kind| Some((kind, policies.landing(kind).denied_by()?.to_string())));
    let landings = denied.map(|(kind, by)| CeilingLine { name: "landing", value: format!("no {kind}"), by });
    values.into_iter().flatten().chain(landings).collect()
}

/// Where policies are, what they set, and the answers.
pub fn draw_report(page: &Page, report: &Report) -> String {
    let mut rows: Vec<Vec<Cell>> = report.policies.iter().map(file_row).collect();
    if rows.is_empty() {
        let words = format!("none; an organisation's would be {}", report.system);
        rows.push(row("policy", Cell::new(words)));
    }
    rows.extend(
        report.ceilings.iter().map(|line| row(line.name, Cell::new(format!("{} ({})", line.value, line.by)))),
    );
    let mut out = draw(&rows, page.paint, None);
    for answer in &report.asked {
        let words = page.tone(answer.tone(), &crate::text::one_line(&answer.words()));
        let _ = write!(out, "\n{}\n  {words}\n", crate::text::one_line(&answer.what));
    }
    out
}

fn file_row(file: &PolicyFile) -> Vec<Cell> {
    if let Some(problem) = &file.problem {
        return row("policy", Cell::new(format!("nothing is allowed: {problem}")).tone(Tone::Bad));
    }
    let digest = file.digest.as_deref().map(short_digest).unwrap_or_default();
    row("policy", Cell::new(format!("{} (sound, {digest})", file.file)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::policy::Policy;
    use std::path::PathBuf;

    fn policies(text: &str) -> Policies {
        let path = PathBuf::from("/etc/hostler/policy.toml");
        let policy = Policy::parse(&path, text);
        Policies::new(vec![Member { digest: Some("c0ffee".repeat(10)), policy, path }])
    }

    fn report(policies: &Policies, asked: Vec<Answer>) -> Report {
        Report::of(policies, Path::new("/etc/hostler/policy.toml"), asked)
    }

    fn answers(policies: &Policies) -> Vec<Answer> {
        let command = "host plugin allow /p/demo.wasm --yes".to_owned();
        let landing = |kind| Standing::of(policies.landing(kind), true);
        vec![
            Answer::of("use the plugin demo".to_owned(), Standing::Allowed { by: None }, None),
            Answer::of("have finished work pushed".to_owned(), landing(LandingKind::Push), None),
            Answer::of("have finished work merged".to_owned(), landing(LandingKind::Merge), None),
            Answer::of("send GET requests".to_owned(), Standing::NotGranted, Some(&command)),
        ]
    }

    #[test]
    fn what_holds_is_told_with_the_line_that_says_so() {
        let sound = policies("[agents]\npermission-ceiling = \"safe\"\n[landing]\nallow = [\"push\"]\n");
        insta::assert_snapshot!(draw_report(&page(), &report(&sound, answers(&sound))));
        insta::assert_snapshot!(draw_report(&page(), &report(&Policies::default(), Vec::new())));
        insta::assert_snapshot!(draw_report(&page(), &report(&policies("[agent]\n"), Vec::new())));
    }

    #[test]
    fn the_exit_code_tells_allowed_denied_and_broken_apart() {
        let sound = policies("[landing]\nallow = [\"push\"]\n");
        let all = answers(&sound);
        let exit = |answers: &[Answer]| report(&sound, answers.to_vec()).exit();
        assert_eq!(
            (exit(&all[..2]), exit(&all[2..3]), exit(&all[3..])),
            (Exit::Ok, Exit::Grant, Exit::Grant)
        );
        assert_eq!(report(&policies("[agent]\n"), Vec::new()).exit(), Exit::Configuration);
    }
}
