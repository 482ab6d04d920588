//! Colour, used sparingly and only where it can be seen.

use std::collections::BTreeMap;

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text stays as it is.
    Plain,
    /// ANSI colours.
    Colour,
}

/// What a piece of text means; the colour follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A heading or the word that matters most.
    Strong,
    /// Can be read over.
    Quiet,
    /// Went well.
    Good,
    /// Somebody should look.
    Warning,
    /// Went wrong.
    Bad,
    /// Under way.
    Active,
}

impl Paint {
    /// Colour only on a terminal, and not against <https://no-color.org>.
    pub fn choose(is_terminal: bool, environment: &BTreeMap<String, String>) -> Self {
        let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment.get("TERM").is_some_and(|terminal| terminal == "dumb");
        if is_terminal && !refused && !dumb { Self::Colour } else { Self::Plain }
    }

    /// The text in the colour of its meaning.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        if self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Strong => "1",
            Tone::Quiet => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
            Tone::Active => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_nobody_who_refuses_it() {
        let environment = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(Paint::choose(true, &BTreeMap::new()), Paint::Colour);
        assert_eq!(Paint::choose(false, &BTreeMap::new()), Paint::Plain);
        assert_eq!(Paint::choose(true, &environment("NO_COLOR", "1")), Paint::Plain);
        assert_eq!(Paint::choose(true, &environment("NO_COLOR", "")), Paint::Colour);
        assert_eq!(Paint::choose(true, &environment("TERM", "dumb")), Paint::Plain);
    }

    #[test]
    fn plain_text_has_no_escapes() {
        assert_eq!(Paint::Plain.tone(Tone::Bad, "no"), "no");
        assert_eq!(Paint::Colour.tone(Tone::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
    }
}
