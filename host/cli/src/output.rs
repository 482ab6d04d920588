//! Standard output and error. A reader that has gone away is not an error.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// Writes text as it is.
pub fn print(text: &str) -> Result<(), Failure> {
    write(text.as_bytes())
}

/// Writes one line.
pub fn line(text: impl Display) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes())
}

/// Writes a value as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value).map_err(cannot_write)?)
}

/// Writes a value as one line of JSON.
pub fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value).map_err(cannot_write)?)
}

/// Writes bytes as they are.
pub fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(error)),
        // Whoever read has enough: nothing is left to do.
        Err(_) => Err(Failure::shown(Exit::Ok)),
        Ok(()) => Ok(()),
    }
}

/// Writes bytes to standard error.
pub fn write_error(bytes: &[u8]) -> Result<(), Failure> {
    let written = io::stderr().lock().write_all(bytes);
    written.map_err(|error| Failure::new(Exit::Failed, format!("standard error cannot be written ({error})")))
}

fn cannot_write(error: impl Display) -> Failure {
    Failure::new(Exit::Failed, format!("standard output cannot be written ({error}); is the disk full?"))
}

/// Says what is wrong on standard error.
pub fn complain(failure: &Failure) {
    let sentence = failure.to_string();
    if !sentence.is_empty() {
        // There is nobody left to tell if this fails too.
        let _ = writeln!(io::stderr().lock(), "host: {sentence}");
    }
}
