//! How a scripted process ends.

use super::starts::StartLog;
use super::step::SignalName;

/// Exit code of an agent whose script is wrong, so that no test mistakes it for a CLI's own.
pub(super) const BROKEN_SCRIPT: u8 = 97;

/// Exit code of a program that writes to a reader who is gone: 128 + SIGPIPE.
pub(super) const READER_GONE: u8 = 141;

/// A decided end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Exit(u8),
    Signal(SignalName),
}

impl Ending {
    /// Records the end, then ends this process.
    pub fn carry_out(self, log: &StartLog) -> ! {
        match self {
            Self::Exit(code) => {
                note(log, &format!("exit {code}"));
                std::process::exit(code.into());
            }
            Self::Signal(name) => {
                note(log, &format!("signal {name:?}").to_uppercase());
                die(name)
            }
        }
    }
}

/// Says what is wrong with the script, and ends.
pub(super) fn fail(log: Option<&StartLog>, problem: &dyn std::error::Error) -> ! {
    eprintln!("scripted-agent: {problem}");
    if let Some(log) = log {
        note(log, &problem.to_string());
    }
    std::process::exit(BROKEN_SCRIPT.into());
}

fn note(log: &StartLog, how: &str) {
    if let Err(error) = log.ended(how) {
        eprintln!("scripted-agent: {error}");
    }
}

/// The runtime's handler for SIGSEGV steps aside at the first one, so one signal
/// may not be enough; a signal the script itself ignores never will be.
fn die(name: SignalName) -> ! {
    const TRIES: usize = 3;
    for _ in 0..TRIES {
        if let Err(error) = rustix::process::kill_process(rustix::process::getpid(), name.to_system()) {
            eprintln!("scripted-agent: cannot send {name:?} to itself: {error}");
        }
    }
    eprintln!("scripted-agent: {name:?} does not end this process; does the script ignore it?");
    std::process::exit(BROKEN_SCRIPT.into());
}

impl SignalName {
    /// The system's number for it.
    pub(super) fn to_system(self) -> rustix::process::Signal {
        use rustix::process::Signal;
        match self {
            Self::Hup => Signal::HUP,
            Self::Int => Signal::INT,
            Self::Term => Signal::TERM,
            Self::Kill => Signal::KILL,
            Self::Abrt => Signal::ABORT,
            Self::Segv => Signal::SEGV,
        }
    }
}
