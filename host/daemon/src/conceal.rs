//! Takes secrets out of what an agent says, before anybody else hears it: an agent
//! that prints its key must not put it into a report, a log or the record.

use hostler_components::job::SessionOutput;
use hostler_engine::event::Event;
use hostler_engine::outcome::Outcome;

/// Shorter values are no secrets, and would be found in every other word.
pub const SHORTEST: usize = 6;

/// What stands where a secret would have stood.
pub const REMOVED: &str = "[secret removed]";

/// What stands where any text could hold a secret that nobody knows any more.
const WITHHELD: &str =
    "[left out: the host was restarted and no longer knows which secrets came with the task]";

/// Parts of a variable's name that tell a secret.
const TELLING: [&str; 6] = ["KEY", "TOKEN", "SECRET", "AUTH", "PASSWORD", "HEADERS"];

/// Whether a variable of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    TELLING.iter().any(|part| name.contains(part))
}

/// The secrets of one agent.
#[derive(Clone, Default)]
pub struct Conceal {
    secrets: Vec<String>,
    /// Whether there are secrets that are not known.
    everything: bool,
}

impl Conceal {
    /// Conceals these values, the longest first: one may be a part of another.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { secrets: values, everything: false }
    }

    /// Conceals every text: for an agent whose secrets went away with an earlier host.
    pub const fn everything() -> Self {
        Self { secrets: Vec::new(), everything: true }
    }

    /// The same for one text.
    pub fn text(&self, text: &mut String) {
        if self.everything && !text.is_empty() {
            WITHHELD.clone_into(text);
        }
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), REMOVED);
            }
        }
    }

    /// A line of JSON without secrets, also where they had to be written another way.
    pub fn json(&self, mut line: String) -> String {
        if self.everything {
            return format!("{WITHHELD:?}");
        }
        self.text(&mut line);
        let escaped = |secret: &String| {
            let quoted = serde_json::to_string(secret).ok()?;
            let inner = quoted.get(1..quoted.len() - 1)?;
            (inner != secret).then(|| inner.to_owned())
        };
        let escaped = self.secrets.iter().filter_map(escaped).collect();
        Self { secrets: escaped, everything: false }.text(&mut line);
        line
    }

    /// The same without secrets. What goes to the agent itself stays as it is.
    pub fn output(&self, mut output: SessionOutput) -> SessionOutput {
        match &mut output {
            SessionOutput::Event(event) => self.event(event),
            SessionOutput::Log(line) => self.text(&mut line.message),
            SessionOutput::Other(_, details) => self.text(details),
            SessionOutput::Stdin(_) | SessionOutput::CloseStdin => {}
        }
        output
    }

    fn event(&self, event: &mut Event) {
        match event {
            Event::Text { text } | Event::Question { text } => self.text(text),
            Event::Tool { summary, .. } | Event::Finished { summary, .. } => self.text(summary),
            Event::Quota { message, .. } | Event::Retrying { message } => self.text(message),
            Event::Notice { line } => self.text(&mut line.message),
            Event::Other { details, .. } => self.text(details),
            Event::Started { .. } | Event::Usage { .. } => {}
        }
    }

    /// The same without secrets.
    pub fn outcome(&self, mut outcome: Outcome) -> Outcome {
        self.text(&mut outcome.message);
        self.text(&mut outcome.summary);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_engine::outcome::Class;

    fn said(conceal: &Conceal, text: &str) -> String {
        let text = text.to_owned();
        match conceal.output(SessionOutput::Event(Event::Text { text })) {
            SessionOutput::Event(Event::Text { text }) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_stands_and_the_longest_first() {
        let conceal = Conceal::new(["abcdef".to_owned(), "abcdefghi".to_owned()]);
        assert_eq!(said(&conceal, "x abcdefghi y abcdef"), "x [secret removed] y [secret removed]");
        let outcome =
            Outcome { summary: "abcdef".to_owned(), ..Outcome::failed("x", Class::Auth, "key abcdef") };
        let outcome = conceal.outcome(outcome);
        assert_eq!((outcome.summary.as_str(), outcome.message.as_str()), (REMOVED, "key [secret removed]"));
    }

    #[test]
    fn a_value_of_the_shortest_length_is_concealed_and_a_shorter_one_is_not() {
        let conceal = Conceal::new(["a".repeat(SHORTEST), "b".repeat(SHORTEST - 1)]);
        assert_eq!(said(&conceal, &"a".repeat(SHORTEST)), REMOVED);
        assert_eq!(said(&conceal, &"b".repeat(SHORTEST - 1)), "b".repeat(SHORTEST - 1));
    }

    #[test]
    fn a_secret_with_quotes_does_not_pass_a_line_of_json() {
        let secret = "a\"quoted\\secret".to_owned();
        let line = serde_json::to_string(&[secret.as_str(), "abcdef", "other"]).unwrap_or_default();
        let conceal = Conceal::new([secret, "abcdef".to_owned()]);
        assert_eq!(conceal.json(line), format!(r#"["{REMOVED}","{REMOVED}","other"]"#));
    }

    #[test]
    fn where_secrets_are_not_known_any_more_every_text_is_left_out() {
        let conceal = Conceal::everything();
        assert_eq!(said(&conceal, "who knows"), WITHHELD);
        let outcome = conceal.outcome(Outcome::failed("x", Class::Auth, "who knows"));
        assert_eq!((outcome.message.as_str(), outcome.summary.as_str()), (WITHHELD, ""));
    }

    #[test]
    fn names_tell_what_is_secret() {
        for name in
            ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "db_password"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["ANTHROPIC_MODEL", "ANTHROPIC_BASE_URL", "PATH"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
