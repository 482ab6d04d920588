//! One thing the agent does.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::tricks::Trick;

/// A step of a script. Paths of files the agent works on are relative to its
/// working folder; paths shared with the test (`transcript`, `wait-for`, `mark`)
/// are relative to the script's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Prints the lines of a recorded transcript.
    Transcript {
        /// One event per line.
        file: PathBuf,
        /// How many of its lines, from the first; all of them if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lines: Option<usize>,
        /// How fast.
        #[serde(default)]
        pace: Pace,
        /// Where to.
        #[serde(default)]
        stream: Stream,
        /// Texts exchanged in every line.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replace: Vec<Replacement>,
    },
    /// Prints a text in one write.
    Text {
        /// The text.
        text: String,
        /// Where to.
        #[serde(default)]
        stream: Stream,
        /// Whether a line end follows.
        #[serde(default = "yes")]
        newline: bool,
    },
    /// Prints raw bytes, each piece in a write of its own.
    Bytes {
        /// The pieces.
        pieces: Vec<Vec<u8>>,
        /// Time between two pieces, in milliseconds.
        #[serde(default)]
        pause_ms: u64,
        /// Where to.
        #[serde(default)]
        stream: Stream,
    },
    /// Prints one JSON text event that is very long.
    LongLine {
        /// Length of the text inside the event, in bytes.
        bytes: usize,
        /// Whether the line is ended.
        #[serde(default = "yes")]
        newline: bool,
    },
    /// Plays steps again and again, as a CLI does that runs away.
    Repeat {
        /// How often.
        times: u64,
        /// What.
        steps: Vec<Step>,
    },
    /// Writes a file, with its folders.
    Write {
        /// The file.
        path: PathBuf,
        /// Its new content, or what is added.
        text: String,
        /// Whether what is there stays in front.
        #[serde(default)]
        append: bool,
    },
    /// Deletes a file or a folder with all it holds.
    Delete {
        /// The file.
        path: PathBuf,
    },
    /// Makes a symbolic link, replacing what is there.
    Link {
        /// The link.
        path: PathBuf,
        /// Where it points, as it stands.
        target: PathBuf,
    },
    /// Commits everything in the working folder.
    Commit {
        /// The commit message.
        message: String,
    },
    /// Runs a program in the working folder and waits for it; its output goes to standard error.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// Reads standard input to its end, as CLIs do before they start.
    ReadStdin {
        /// Goes on after this many milliseconds, end or not. Without it, waits as long as it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patience_ms: Option<u64>,
    },
    /// Reads one line of standard input, as CLIs do that take messages while they run.
    ReadLine {},
    /// Waits until the test has made a file.
    WaitFor {
        /// The file.
        path: PathBuf,
    },
    /// Makes an empty file, to tell the test how far the agent got.
    Mark {
        /// The file.
        path: PathBuf,
    },
    /// Does nothing for a while.
    Pause {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// Leaves a process behind and goes on once it runs.
    Spawn {
        /// How it is attached.
        kind: ChildKind,
        /// Whether it keeps the agent's standard output open.
        #[serde(default)]
        holds_stdout: bool,
        /// Whether SIGTERM leaves it alone.
        #[serde(default)]
        ignores_term: bool,
    },
    /// From now on, plays steps when a signal comes; no steps means it is ignored.
    OnSignal {
        /// Which signal.
        signal: SignalName,
        /// What happens. Without `exit` or `die` among it, the agent goes on.
        #[serde(default)]
        then: Vec<Step>,
    },
    /// Prepares a trap for whoever runs git here next.
    Plant {
        /// Which one.
        trick: Trick,
        /// Folder in which a sprung trap leaves a file. Absolute.
        canary: PathBuf,
    },
    /// Does nothing more, and does not end.
    Hang {},
    /// Ends with an exit code.
    Exit {
        /// The code.
        code: u8,
    },
    /// Ends by a signal to itself.
    Die {
        /// Which signal.
        signal: SignalName,
    },
}

/// How fast a transcript is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Without a pause.
    #[default]
    Instant,
    /// With this many milliseconds before each line but the first.
    DelayMs(u64),
    /// With the gaps of the recording, this many times as fast. The time of a
    /// line is its `timestamp` field; a line without one follows at once.
    Recorded(f64),
}

/// Where output goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// A text exchanged in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// As recorded.
    pub from: String,
    /// Printed instead; `{cwd}` stands for the agent's working folder.
    pub to: String,
}

/// How a process left behind is attached to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChildKind {
    /// A child in the agent's process group.
    Plain,
    /// A child in a session of its own, as the CLIs start their tools.
    Session,
    /// A grandchild in a session of its own, whose parent is gone.
    Daemon,
    /// A daemon that ignores SIGTERM and continues in a new process every few
    /// milliseconds, so that a list of processes is stale when it is read.
    Reforker,
}

/// The signals a script can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the standard ones")]
pub enum SignalName {
    Hup,
    Int,
    Term,
    Kill,
    Abrt,
    Segv,
}

fn yes() -> bool {
    true
}

impl Step {
    /// Prints a transcript at once, with the recorded folder replaced by the real one.
    pub fn transcript(file: impl Into<PathBuf>) -> Self {
        Self::beginning(file, None)
    }

    /// Prints the first lines of a transcript, as a CLI does that stops in the middle.
    pub fn first_lines(lines: usize, file: impl Into<PathBuf>) -> Self {
        Self::beginning(file, Some(lines))
    }

    fn beginning(file: impl Into<PathBuf>, lines: Option<usize>) -> Self {
        Self::Transcript {
            file: file.into(),
            lines,
            pace: Pace::Instant,
            stream: Stream::Stdout,
            replace: vec![Replacement { from: "/home/dev/repo".to_owned(), to: "{cwd}".to_owned() }],
        }
    }

    /// Prints a line on standard output.
    pub fn line(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), stream: Stream::Stdout, newline: true }
    }

    /// Prints the beginning of a line that never ends.
    pub fn half_line(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), stream: Stream::Stdout, newline: false }
    }

    /// Prints a line on standard error.
    pub fn complain(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), stream: Stream::Stderr, newline: true }
    }

    /// Writes a file.
    pub fn write(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self::Write { path: path.into(), text: text.into(), append: false }
    }

    /// Commits everything.
    pub fn commit(message: impl Into<String>) -> Self {
        Self::Commit { message: message.into() }
    }

    /// Reads standard input to its end.
    pub fn read_stdin() -> Self {
        Self::ReadStdin { patience_ms: None }
    }

    /// Waits for a file of the test.
    pub fn wait_for(path: impl Into<PathBuf>) -> Self {
        Self::WaitFor { path: path.into() }
    }

    /// Tells the test how far the agent got.
    pub fn mark(path: impl Into<PathBuf>) -> Self {
        Self::Mark { path: path.into() }
    }

    /// Leaves a process behind.
    pub fn spawn(kind: ChildKind) -> Self {
        Self::Spawn { kind, holds_stdout: false, ignores_term: false }
    }

    /// Reacts to a signal.
    pub fn on_signal(signal: SignalName, then: impl IntoIterator<Item = Step>) -> Self {
        Self::OnSignal { signal, then: then.into_iter().collect() }
    }

    /// Ignores SIGTERM from now on.
    pub fn ignore_term() -> Self {
        Self::on_signal(SignalName::Term, [])
    }

    /// Hangs.
    pub fn hang() -> Self {
        Self::Hang {}
    }

    /// Exits.
    pub fn exit(code: u8) -> Self {
        Self::Exit { code }
    }

    /// Dies.
    pub fn die(signal: SignalName) -> Self {
        Self::Die { signal }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::script::Script;
    use super::*;

    #[test]
    fn a_script_written_as_toml_reads_back_as_the_same_script() {
        let script = Script::new()
            .answer(&["auth", "status"], "{}\n", 1)
            .attempt([
                Step::Transcript {
                    file: "t.jsonl".into(),
                    lines: None,
                    pace: Pace::Recorded(2.5),
                    stream: Stream::Stdout,
                    replace: vec![],
                },
                Step::transcript("u.jsonl"),
                Step::Bytes {
                    pieces: vec![vec![0xe2, 0x82], vec![0xac]],
                    pause_ms: 3,
                    stream: Stream::Stderr,
                },
                Step::on_signal(SignalName::Int, [Step::line("interrupted"), Step::exit(0)]),
                Step::Repeat { times: 3, steps: vec![Step::line("again")] },
                Step::spawn(ChildKind::Reforker),
                Step::ReadLine {},
                Step::hang(),
            ])
            .attempt_when("x", [Step::die(SignalName::Kill)]);
        let text = toml::to_string(&script).unwrap();
        assert_eq!(toml::from_str::<Script>(&text).unwrap(), script, "{text}");
    }

    #[test]
    fn the_format_a_person_writes_is_short() {
        let script: Script = toml::from_str(
            r#"
            [[attempt]]
            steps = [
                { do = "transcript", file = "t.jsonl", pace = { delay-ms = 5 } },
                { do = "read-stdin" },
                { do = "on-signal", signal = "TERM" },
                { do = "hang" },
            ]
            "#,
        )
        .unwrap();
        assert_eq!(
            script.attempts[0].steps,
            [
                Step::Transcript {
                    file: "t.jsonl".into(),
                    lines: None,
                    pace: Pace::DelayMs(5),
                    stream: Stream::Stdout,
                    replace: vec![]
                },
                Step::read_stdin(),
                Step::ignore_term(),
                Step::hang(),
            ]
        );
    }
}
