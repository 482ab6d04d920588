//! `host setup`: the questions, and what was saved.

use std::fmt::Write;

use super::standing::{Standing, rows};
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, row};
use crate::text::one_line;

/// One question, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct QuestionView<'a> {
    /// What it is about.
    pub what: &'a str,
    /// One sentence more; may be empty.
    pub help: &'a str,
    /// What an empty answer means; may be empty.
    pub proposal: &'a str,
    /// What was wrong with the last answer.
    pub complaint: Option<&'a str>,
}

/// The text before the answer.
pub fn draw_question(page: &Page, question: QuestionView<'_>) -> String {
    let mut out = String::new();
    match question.complaint {
        Some(complaint) => {
            let _ = writeln!(out, "{}", page.tone(Tone::Warning, &one_line(complaint)));
        }
        None if !question.help.is_empty() => {
            let _ = writeln!(out, "\n{}", page.tone(Tone::Quiet, &one_line(question.help)));
        }
        None => out.push('\n'),
    }
    out += &page.tone(Tone::Strong, &one_line(question.what));
    if !question.proposal.is_empty() {
        let _ = write!(out, " [{}]", one_line(question.proposal));
    }
    out + ": "
}

/// What was saved.
#[derive(Clone, Debug)]
pub struct Saved<'a> {
    /// Name of the plugin.
    pub tracker: &'a str,
    /// Path of the settings.
    pub config: String,
    /// Path of the secrets, if there are any.
    pub secrets: Option<String>,
    /// What was taken over, and from which file.
    pub taken: Option<(String, Vec<String>)>,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// What was saved, what is in force now, and what to type next.
pub fn draw_saved(page: &Page, saved: &Saved<'_>, standing: &Standing) -> String {
    let mut lines = vec![row("settings", Cell::new(&saved.config))];
    let secrets = saved.secrets.as_ref().map(|path| format!("{path} (only you can read it)"));
    lines.extend(secrets.map(|text| row("secrets", Cell::new(text))));
    if let Some((path, taken)) = &saved.taken {
        let text = format!("{} from {path}, which stays as it is", taken.join(", "));
        lines.push(row("taken over", Cell::new(text)));
    }
    lines.extend(rows(standing));
    lines.extend(saved.notes.iter().map(|note| row("note", Cell::new(note).tone(Tone::Warning))));
    let head = page.tone(Tone::Strong, &format!("{} is set up.", one_line(saved.tracker)));
    let next = "Next: `host run` starts it, `host doctor` looks for what is missing.";
    format!("{head}\n\n{}\n{next}\n", draw(&lines, page.paint, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::standing::tests::tale;

    #[test]
    fn a_set_up_says_what_was_saved_and_what_to_type_next() {
        let saved = Saved {
            tracker: "Tale",
            config: "/home/ada/.config/hostler/config.toml".to_owned(),
            secrets: Some("/home/ada/.config/hostler/secrets.toml".to_owned()),
            taken: Some((
                "/home/ada/.tale-daemon/config.json".to_owned(),
                vec!["api-key".to_owned(), "url".to_owned(), "repository api".to_owned()],
            )),
            notes: vec!["notes (/home/ada/notes) is in no git repository".to_owned()],
        };
        insta::assert_snapshot!(draw_saved(&page(), &saved, &tale()));
    }

    #[test]
    fn a_question_says_what_enter_means_and_what_was_wrong() {
        let question = QuestionView {
            what: "url",
            help: "Address of the server.",
            proposal: "http://localhost:3000",
            complaint: None,
        };
        let again = QuestionView { complaint: Some("`x` is not an address"), ..question };
        let bare = QuestionView { what: "api-key", help: "", proposal: "", complaint: None };
        insta::assert_snapshot!([question, again, bare].map(|one| draw_question(&page(), one)).join("…\n"));
    }
}
