//! What the tasks of a soak ask for, and what their agents do about it.

use std::fmt;

use crate::scripted_agent::{Replacement, Script, Step, transcript};

/// What a chattering agent prints: 2,048 lines of half a kibibyte, about 1 MB.
const CHATTER_LINES: u64 = 2_048;
const CHATTER_LINE: usize = 460;

/// An agent lives between 50 and 300 ms, beside what its commit takes.
const SHORTEST_LIFE_MS: u64 = 50;
const LONGEST_LIFE_MS: u64 = 300;

/// What the agent of a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Commits a file.
    Commits,
    /// Says that it is done, and has changed nothing.
    ChangesNothing,
    /// Fails with half a file, and commits the whole one at the second start.
    FailsOnce,
    /// Commits a file and prints a megabyte meanwhile.
    Chatters,
}

impl Kind {
    /// Of every ten tasks six commit, one changes nothing, two fail once, one chatters.
    fn of(number: usize) -> Self {
        match number % 10 {
            3 => Self::ChangesNothing,
            4 | 8 => Self::FailsOnce,
            6 => Self::Chatters,
            _ => Self::Commits,
        }
    }

    /// Whether a successful run leaves a commit.
    pub fn leaves_a_commit(self) -> bool {
        self != Self::ChangesNothing
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commits => "commits",
            Self::ChangesNothing => "changes nothing",
            Self::FailsOnce => "fails once",
            Self::Chatters => "chatters",
        })
    }
}

/// One task of a soak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Counts from 1; the board calls it `APP-1`.
    pub number: usize,
    /// What its agent does.
    pub kind: Kind,
    /// How long its agent pauses, in milliseconds.
    life_ms: u64,
}

impl Work {
    /// The work of a task; the seed decides how long its agent takes.
    pub fn of(number: usize, seed: u64) -> Self {
        let spread = LONGEST_LIFE_MS - SHORTEST_LIFE_MS + 1;
        let life_ms = SHORTEST_LIFE_MS + mixed(seed ^ number as u64) % spread;
        Self { number, kind: Kind::of(number), life_ms }
    }

    /// The board's key of the task.
    pub fn key(&self) -> String {
        format!("APP-{}", self.number)
    }

    /// The file that a successful run commits; it holds the key.
    pub fn file(&self) -> String {
        format!("work/{}.txt", self.key())
    }

    /// What the agent says at its end; it stands in the comment on the board.
    pub fn summary(&self) -> String {
        format!("{} is done.", self.key())
    }

    /// What its agent plays.
    pub fn script(&self) -> Script {
        match self.kind {
            Kind::Commits => Script::always(self.succeeding(Vec::new())),
            Kind::ChangesNothing => Script::always(self.ending(vec![Step::read_stdin()])),
            Kind::FailsOnce => Script::new().attempt(self.failing()).attempt(self.succeeding(Vec::new())),
            Kind::Chatters => Script::always(self.succeeding(vec![chatter()])),
        }
    }

    fn succeeding(&self, meanwhile: Vec<Step>) -> Vec<Step> {
        let mut steps = vec![Step::read_stdin(), Step::write(self.file(), self.key())];
        steps.extend(meanwhile);
        steps.push(Step::commit(format!("Write {}", self.file())));
        self.ending(steps)
    }

    fn ending(&self, mut steps: Vec<Step>) -> Vec<Step> {
        steps.push(Step::Pause { ms: self.life_ms });
        steps.push(self.result());
        steps
    }

    fn failing(&self) -> Vec<Step> {
        vec![
            Step::read_stdin(),
            Step::write("half.txt", "half\n"),
            Step::Pause { ms: self.life_ms },
            Step::line("It broke down."),
            Step::exit(3),
        ]
    }

    /// The recording of a success, with this task's own last word.
    fn result(&self) -> Step {
        let mut step = Step::transcript(transcript("claude-success"));
        if let Step::Transcript { replace, .. } = &mut step {
            replace.push(Replacement { from: "All done: wrote hello.txt.".to_owned(), to: self.summary() });
        }
        step
    }
}

/// Text events that say nothing.
fn chatter() -> Step {
    let text = "blah ".repeat(CHATTER_LINE / 5);
    let event = serde_json::json!({
        "type": "assistant",
        "message": { "content": [{ "type": "text", "text": text }] },
    });
    Step::Repeat { times: CHATTER_LINES, steps: vec![Step::line(event.to_string())] }
}

/// A number that looks random and is the same in every run (`SplitMix64`).
fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ten_tasks_hold_all_kinds() {
        let count = |kind| (1..=10).filter(|number| Work::of(*number, 1).kind == kind).count();
        let kinds = [Kind::Commits, Kind::ChangesNothing, Kind::FailsOnce, Kind::Chatters];
        assert_eq!(kinds.map(count), [6, 1, 2, 1]);
    }

    #[test]
    fn agents_live_as_long_as_the_seed_says_and_within_the_bounds() {
        let lives = |seed| (1..=500).map(|number| Work::of(number, seed).life_ms).collect::<Vec<_>>();
        assert_eq!(lives(7), lives(7));
        assert_ne!(lives(7), lives(8));
        assert!(lives(7).iter().all(|life| (SHORTEST_LIFE_MS..=LONGEST_LIFE_MS).contains(life)));
    }

    #[test]
    fn a_chattering_agent_prints_about_a_megabyte() {
        let Step::Repeat { times, steps } = chatter() else { panic!("no repetition") };
        let [Step::Text { text, .. }] = &steps[..] else { panic!("not one line: {steps:?}") };
        let bytes = times * (text.len() as u64 + 1);
        assert!((1_000_000..1_200_000).contains(&bytes), "{bytes}");
    }
}
