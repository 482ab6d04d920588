//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

/// Whether there is a person who can be asked and who sees the question.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on standard error; only a clear yes counts.
pub fn confirmed(question: &str) -> bool {
    let mut answer = String::new();
    let asked = write!(io::stderr().lock(), "{question} [y/N] ").and_then(|()| io::stderr().flush());
    asked.and_then(|()| io::stdin().lock().read_line(&mut answer)).is_ok() && is_yes(&answer)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        assert!(is_yes("y\n") && is_yes(" YES \n"));
        assert!(!is_yes("\n") && !is_yes("") && !is_yes("yeah\n") && !is_yes("no\n"));
    }
}
