//! Replies to questions about the program itself.

use super::script::{Answer, Script};

/// The reply to these arguments, if they are a question and not a start: first
/// what the script says, then what the CLI of that name prints.
pub(super) fn answer(script: &Script, name: &str, args: &[String]) -> Option<Answer> {
    script.answers.iter().find(|answer| answer.args == args).cloned().or_else(|| {
        let asks = matches!(args, [one] if one == "--version" || one == "-V");
        asks.then(|| Answer {
            args: args.to_vec(),
            stdout: format!("{}\n", version(name)),
            stderr: String::new(),
            exit: 0,
        })
    })
}

/// What `--version` of the real CLI prints.
fn version(name: &str) -> &'static str {
    match name {
        "claude" => "2.1.328 (Claude Code)",
        "codex" => "codex-cli 0.169.0",
        "gemini" => "0.61.0",
        "opencode" => "1.18.33",
        "qwen" => "0.24.4",
        _ => concat!("scripted-agent ", env!("CARGO_PKG_VERSION")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn args(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn version_answers_like_the_cli_whose_name_it_bears() {
        let asked = |name| answer(&Script::new(), name, &args(&["--version"])).unwrap().stdout;
        assert_eq!(asked("claude"), "2.1.328 (Claude Code)\n");
        assert_eq!(asked("codex"), "codex-cli 0.169.0\n");
    }

    #[test]
    fn the_script_has_the_first_word_and_a_real_start_is_no_question() {
        let script = Script::new().answer(&["--version"], "9.9.9\n", 3);
        let reply = answer(&script, "claude", &args(&["--version"])).unwrap();
        assert_eq!((reply.stdout.as_str(), reply.exit), ("9.9.9\n", 3));
        assert_eq!(answer(&script, "claude", &args(&["-p", "--version"])), None);
    }
}
