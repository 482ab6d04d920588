//! The few words that every screen uses for a run.

use hostler_daemon::engine::outcome::Usage;
use hostler_daemon::engine::time::{Millis, Timestamp};
use hostler_daemon::standing::Standing;
use hostler_daemon::view::RunView;

use crate::page::Page;
use crate::paint::Tone;
use crate::text::{self, one_line};

/// What it is doing or how it ended, in one word.
pub fn state(run: &RunView) -> &str {
    match &run.result {
        Some(result) if run.closed => result,
        _ => &run.state,
    }
}

/// What that means.
pub fn tone(run: &RunView) -> Tone {
    match state(run) {
        "succeeded" => Tone::Good,
        "failed" | "lost" => Tone::Bad,
        "waiting" | "parked" | "blocked" => Tone::Warning,
        "cancelled" | "not-ours" | "closed" => Tone::Quiet,
        _ => Tone::Active,
    }
}

/// The head of a screen about one run: its sign, key and title, and an empty line.
pub fn title(page: &Page, run: &RunView) -> String {
    let key = page.tone(Tone::Strong, &one_line(&run.task_key));
    format!("{} {key}  {}\n\n", page.tone(tone(run), sign(run)), one_line(&run.title))
}

/// One sign for it.
pub fn sign(run: &RunView) -> &'static str {
    match tone(run) {
        Tone::Good => "✓",
        Tone::Bad => "✗",
        Tone::Warning => "!",
        Tone::Quiet => "–",
        Tone::Strong | Tone::Active => "●",
    }
}

/// The part of the id that people type.
pub fn short_id(run: &RunView) -> String {
    let id = text::one_line(&run.id);
    let start = id.char_indices().rev().nth(7).map_or(0, |(place, _)| place);
    id[start..].to_owned()
}

/// From its creation to its end, or to now.
pub fn elapsed(run: &RunView, now: Timestamp) -> Millis {
    let end = if run.closed { Timestamp(run.since) } else { now };
    end.since(Timestamp(run.created))
}

/// `4.1k tokens, $0.31`; empty if nothing is known.
pub fn usage(usage: &Usage) -> String {
    let tokens = usage.tokens();
    let tokens = (tokens > 0).then(|| format!("{} tokens", text::short_number(tokens)));
    let parts: Vec<String> = tokens.into_iter().chain(cost(usage)).collect();
    parts.join(", ")
}

/// `$0.31`, if the CLI said so.
pub fn cost(usage: &Usage) -> Option<String> {
    usage.cost_usd.map(|dollars| format!("${dollars:.2}"))
}

/// `3 files +120 −8`; empty if there are none.
pub fn files(run: &RunView) -> String {
    if run.files.is_empty() {
        return String::new();
    }
    let added: u64 = run.files.iter().map(|file| file.added).sum();
    let removed: u64 = run.files.iter().map(|file| file.removed).sum();
    format!("{} +{added} −{removed}", text::count(run.files.len() as u64, "file"))
}

/// A folder or file, with `~` for the home folder left alone: paths are for copying.
pub fn quoted(path: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@:~".contains(character);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", text::one_line(path).replace('\'', "'\\''"))
}

/// Why a run is in its state, and until when; empty if there is nothing to say.
pub fn why(page: &Page, run: &RunView) -> String {
    const FAR: i64 = 12 * 60 * 60 * 1000;
    let until = run.until.filter(|at| *at > page.now.0).map(|at| match at - page.now.0 {
        FAR.. => page.moment(at),
        _ => page.clock(at),
    });
    match until {
        Some(until) => format!("until {until}: {}", one_line(&run.why)),
        None => one_line(&run.why),
    }
}

/// What is known of its pull request, and since when.
pub fn looked(page: &Page, standing: &Standing) -> String {
    format!("{}, looked at {}", standing.words(), page.ago(standing.looked.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("/home/ada/app"), "/home/ada/app");
        assert_eq!(quoted("/home/ada/my app's"), "'/home/ada/my app'\\''s'");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
        assert_eq!(quoted(""), "''");
    }
}
