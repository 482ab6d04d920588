//! What may leave this machine in words: no code, no diff, no path of this machine
//! and nothing that looks like a secret.

use hostler_sdk::text::hide_path;

/// What stands in place of a secret.
const SECRET: &str = "<secret>";

/// What stands in place of a block of code.
const CODE: &str = "[code left out]";

/// What stands in place of a diff.
const DIFF: &str = "[diff left out]";

/// How the tokens of well-known services begin.
const TOKEN_PREFIXES: [&str; 14] = [
    "trk_agent_",
    "sk-",
    "sk_",
    "crsr_",
    "key_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
];

/// A token has at least so many characters after its prefix.
const TOKEN_CHARS: usize = 8;

/// Ends of the names of variables whose values are secret.
const SECRET_NAMES: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "API_KEY", "APIKEY"];

/// The text without code, diffs, secrets and paths.
pub fn speakable(text: &str) -> String {
    without_secrets_and_paths(&without_code(text))
}

/// The text without secrets and paths, word for word; what stands between words stays.
fn without_secrets_and_paths(text: &str) -> String {
    let mut follows_bearer = false;
    let mut clean = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        if bare.is_empty() {
            // Another blank between two words: the one before still counts.
            clean.push_str(word);
            continue;
        }
        if follows_bearer {
            clean.push_str(SECRET);
            clean.push_str(&word[bare.len()..]);
        } else {
            clean.push_str(&hide_path(&hide_assignment(&hide_tokens(word))));
        }
        follows_bearer = bare.eq_ignore_ascii_case("bearer");
    }
    clean
}

/// What a tool did, without the text that a shell command may carry after `<<`.
pub fn without_here_document(line: &str) -> &str {
    line.find("<<").map_or(line, |start| line[..start].trim_end())
}

// ── code ────────────────────────────────────────────────────────────────────

/// A fence of code; the text of a CLI on one line has it anywhere.
const FENCE: &str = "```";

/// The other fence, at the start of a line.
const OTHER_FENCE: &str = "~~~";

/// How an object of JSON begins: the output of a program, or code.
const OBJECT: &str = "{\"";

fn without_code(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    for (index, part) in text.split(FENCE).enumerate() {
        prose.push_str(if index % 2 == 0 { part } else { CODE });
    }
    without_blocks(&prose)
}

/// Where in a text we are.
#[derive(PartialEq)]
enum Place {
    Prose,
    Code,
    /// After the head of a diff or of a hunk.
    Diff,
}

fn without_blocks(text: &str) -> String {
    let mut place = Place::Prose;
    let mut lines = Vec::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with(OTHER_FENCE);
        match place {
            Place::Code if is_fence => place = Place::Prose,
            Place::Code => {}
            Place::Diff if line.starts_with(['+', '-', ' ', '\\']) => {}
            Place::Prose | Place::Diff if is_fence => {
                place = Place::Code;
                lines.push(CODE.to_owned());
            }
            Place::Prose | Place::Diff if begins_diff(line) => {
                if place != Place::Diff {
                    lines.push(DIFF.to_owned());
                }
                place = Place::Diff;
            }
            Place::Prose | Place::Diff => {
                place = Place::Prose;
                lines.push(match line.find(OBJECT) {
                    Some(start) => format!("{}{CODE}", &line[..start]),
                    None => line.to_owned(),
                });
            }
        }
    }
    lines.join("\n")
}

fn begins_diff(line: &str) -> bool {
    let heads =
        ["diff --git ", "@@ -", "--- a/", "+++ b/", "--- /dev/null", "+++ /dev/null", "*** Begin Patch"];
    heads.iter().any(|head| line.starts_with(head))
        || line.strip_prefix("index ").is_some_and(|rest| rest.contains(".."))
}

// ── secrets ─────────────────────────────────────────────────────────────────

fn is_token_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-".contains(character)
}

fn hide_tokens(word: &str) -> String {
    let mut clean = String::new();
    let mut rest = word;
    let mut before = None;
    while let Some(character) = rest.chars().next() {
        let starts_word = before.is_none_or(|before: char| !is_token_char(before));
        let length = if starts_word { token_length(rest) } else { None };
        let step = length.unwrap_or(character.len_utf8());
        clean.push_str(if length.is_some() { SECRET } else { &rest[..step] });
        before = rest[..step].chars().next_back();
        rest = &rest[step..];
    }
    clean
}

/// How long the token at the start of a text is, if there is one.
fn token_length(text: &str) -> Option<usize> {
    let prefix = TOKEN_PREFIXES.iter().find(|prefix| text.starts_with(**prefix))?;
    let body = text[prefix.len()..].chars().take_while(|character| is_token_char(*character)).count();
    // Characters of tokens are one byte long.
    (body >= TOKEN_CHARS).then_some(prefix.len() + body)
}

/// `NAME_TOKEN=value` keeps its name only.
fn hide_assignment(word: &str) -> String {
    let Some((name, value)) = word.split_once('=') else { return word.to_owned() };
    let upper = name.to_ascii_uppercase();
    let value_end = value.trim_end().len();
    if value_end == 0 || !SECRET_NAMES.iter().any(|end| upper.ends_with(end)) {
        return word.to_owned();
    }
    format!("{name}={SECRET}{}", &value[value_end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_fences_is_left_out_and_the_words_around_it_stay() {
        let text = "Before.\n```ts\nconst x = 1;\n~~~\n```\nBetween.\n~~~\nlet y;\n~~~\nAfter.";
        assert_eq!(speakable(text), "Before.\n[code left out]\nBetween.\n[code left out]\nAfter.");
        assert_eq!(speakable("So:\n```\nsecret code that never ends"), "So:\n[code left out]");
        assert_eq!(speakable("> ```\n> code\n> ```\nAfter."), "> [code left out]\nAfter.");
    }

    #[test]
    fn code_on_one_line_with_words_is_left_out_and_so_is_the_output_of_programs() {
        let raw = r#"Ended without a result. {"type":"result","result":"let x = 1;"}"#;
        assert_eq!(speakable(raw), "Ended without a result. [code left out]");
        assert_eq!(speakable("Done. ``` let x = 1; ``` Bye."), "Done. [code left out] Bye.");
    }

    #[test]
    fn a_diff_is_left_out_with_all_its_lines() {
        let text = "I changed:\ndiff --git a/x b/x\nindex 12ab..34cd 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old code\n+new code\n same\nDone.\n- a list stays";
        assert_eq!(speakable(text), "I changed:\n[diff left out]\nDone.\n- a list stays");
    }

    #[test]
    fn tokens_are_hidden_wherever_they_stand() {
        for (text, hidden) in [
            ("used trk_agent_0123456789abcdef.", "used <secret>."),
            ("(sk-ant-0123456789)", "(<secret>)"),
            ("Authorization: Bearer abc.def.ghi now", "Authorization: Bearer <secret> now"),
            ("Bearer  abc.def now", "Bearer  <secret> now"),
            ("Bearer\n abc.def now", "Bearer\n <secret> now"),
            ("GITHUB_TOKEN=abc npm test", "GITHUB_TOKEN=<secret> npm test"),
            ("https://ghp_0123456789@github.com", "https://<secret>@github.com"),
            ("sk-1234567 is short, sk-12345678 is not", "sk-1234567 is short, <secret> is not"),
        ] {
            assert_eq!(speakable(text), hidden);
        }
    }

    #[test]
    fn paths_of_this_machine_are_hidden_wherever_they_stand() {
        for (text, hidden) in [
            ("cannot start /home/ada/bin/claude: not found", "cannot start <path>: not found"),
            ("in `/srv/app/.git`.", "in `<path>`."),
            ("~/work/app and C:\\Users\\ada", "<path> and <path>"),
            ("file:///home/ada/x", "<path>"),
        ] {
            assert_eq!(speakable(text), hidden);
        }
    }

    #[test]
    fn what_is_neither_stays_as_it_is() {
        for text in [
            "Edited src/export.ts and/or docs, see https://example.com/a/b",
            "The task-key is T-1; risk-assessment and desk-based are words",
            "a = b, 1 / 2, `inline()` and token = x",
            "- one\n- two\n\n+ three",
        ] {
            assert_eq!(speakable(text), text);
        }
    }

    #[test]
    fn the_text_that_a_command_writes_is_cut_off() {
        assert_eq!(without_here_document("Bash: cat > a.ts <<'EOF' const x = 1;"), "Bash: cat > a.ts");
        assert_eq!(without_here_document("Bash: npm test"), "Bash: npm test");
    }
}
