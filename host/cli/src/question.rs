//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::Exit;
use crate::failure::Failure;

/// Longest answer in bytes: more than any key or path.
const ANSWER_BYTES: usize = 16 * 1024;

/// Whether there is a person who can be asked and who sees the question.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on standard error; only a clear yes counts.
pub fn confirmed(question: &str) -> bool {
    answer(&format!("{question} [y/N] ")).is_ok_and(|answer| is_yes(&answer))
}

/// Asks on standard error for one line.
pub fn answer(question: &str) -> Result<String, Failure> {
    let mut line = String::new();
    show(question)?;
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Err(broken_off()),
        Ok(_) => Ok(line.trim().to_owned()),
    }
}

/// Asks for something that nobody who looks on should read.
pub fn secret_answer(question: &str) -> Result<String, Failure> {
    // Quiet before the question: an answer that is pasted at once must not show either.
    let quiet = QuietTerminal::enter().map_err(|error| {
        let remedy = "set the plugin's environment variable instead";
        Failure::new(Exit::Failed, format!("the terminal would show what you type ({error}); {remedy}"))
    })?;
    show(question)?;
    let mut line = Vec::new();
    let mut typed = io::stdin().lock().bytes();
    let ended = loop {
        let Some(Ok(byte)) = typed.next() else { break Typed::BrokenOff };
        match press(&mut line, byte) {
            Typed::More => {}
            ended => break ended,
        }
    };
    drop(quiet);
    show("\n")?;
    match ended {
        Typed::Done => Ok(String::from_utf8_lossy(&line).trim().to_owned()),
        Typed::More | Typed::BrokenOff => Err(broken_off()),
    }
}

fn show(text: &str) -> Result<(), Failure> {
    let mut err = io::stderr().lock();
    let shown = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    shown.map_err(|error| Failure::new(Exit::Failed, format!("standard error cannot be written ({error})")))
}

fn broken_off() -> Failure {
    Failure::new(Exit::Failed, "broken off; nothing has changed")
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// What a key did to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    More,
    Done,
    BrokenOff,
}

/// The line after one more byte. The terminal edits nothing while it is quiet.
fn press(line: &mut Vec<u8>, byte: u8) -> Typed {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    match byte {
        b'\r' | b'\n' => return Typed::Done,
        CTRL_C => return Typed::BrokenOff,
        CTRL_D if line.is_empty() => return Typed::BrokenOff,
        CTRL_D => return Typed::Done,
        CTRL_U => line.clear(),
        8 | 127 => drop(line.pop()),
        _ if byte >= b' ' && line.len() < ANSWER_BYTES => line.push(byte),
        _ => {}
    }
    Typed::More
}

/// The terminal shows nothing and sends no signals until this is dropped: a Ctrl-C
/// that ended the program at once would leave the terminal mute.
struct QuietTerminal {
    before: Termios,
}

impl QuietTerminal {
    fn enter() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Drain, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for QuietTerminal {
    fn drop(&mut self) {
        // There is no other way to give it back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        assert!(is_yes("y\n") && is_yes(" YES \n"));
        assert!(!is_yes("\n") && !is_yes("") && !is_yes("yeah\n") && !is_yes("no\n"));
    }

    fn typed(bytes: &[u8]) -> (Typed, Vec<u8>) {
        let mut line = Vec::new();
        for byte in bytes {
            match press(&mut line, *byte) {
                Typed::More => {}
                ended => return (ended, line),
            }
        }
        (Typed::More, line)
    }

    #[test]
    fn a_secret_can_be_mended_and_broken_off_while_it_is_typed() {
        assert_eq!(typed(b"keX\x7fy\n"), (Typed::Done, b"key".to_vec()));
        assert_eq!(typed(b"wrong\x15key\x1b\r"), (Typed::Done, b"key".to_vec()));
        assert_eq!(typed(b"ke\x03"), (Typed::BrokenOff, b"ke".to_vec()));
        assert_eq!(typed(b"\x04"), (Typed::BrokenOff, Vec::new()));
        assert_eq!(typed(b"k\x04"), (Typed::Done, b"k".to_vec()));
    }

    #[test]
    fn an_answer_has_a_longest_length() {
        let (_, line) = typed(&vec![b'x'; ANSWER_BYTES]);
        assert_eq!(line.len(), ANSWER_BYTES);
        let (_, line) = typed(&vec![b'x'; ANSWER_BYTES + 1]);
        assert_eq!(line.len(), ANSWER_BYTES);
    }
}
