//! Command lines as an operator grants them: fixed words with slots. A plugin
//! gives values for slots; it can neither add a word nor choose a program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sandbox::SandboxNeeds;

/// No slot value may be longer, whatever the manifest wishes: the kernel takes
/// 128 KiB per word.
pub const MAX_SLOT_BYTES: usize = 128 * 1024;

/// What a slot may hold if its rule does not say: a name, an id, a path.
pub const DEFAULT_SLOT_BYTES: usize = 256;

/// A slot that the host fills, and no plugin may: the git folder of the workspace, seen
/// from there, in a sandbox. There it belongs to a repository of the agent's own, whose
/// settings and hooks the walls keep. Elsewhere a word with it is left out.
pub const OWN_GIT: &str = "own-git";

/// The right to start one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ProgramRight {
    /// Looked up on `PATH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Configuration field that holds a whole command line as template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_from: Option<String>,
    /// Arguments that make it print its version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// Environment names passed through from the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Environment with fixed values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set_env: BTreeMap<String, String>,
    /// Command lines by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, CommandLine>,
    /// Rules by slot name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, SlotRule>,
    /// What it needs of the world outside its sandbox.
    #[serde(skip_serializing_if = "is_default")]
    pub sandbox: SandboxNeeds,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

fn is_default(needs: &SandboxNeeds) -> bool {
    *needs == SandboxNeeds::default()
}

/// The words after the program. A word may hold slots: `--model={model}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandLine {
    /// In order.
    pub args: Vec<String>,
}

/// What a slot may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SlotRule {
    /// If given, exactly one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Whether a value that begins a word may begin with `-`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leading_dash: bool,
}

/// Why a command line could not be filled. All of them mean that the plugin asked
/// for more than it was granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// No such command in the grant.
    #[error("the plugin asked for command `{0}`, which is not granted")]
    UnknownCommand(String),
    /// A value for a slot that the command line does not have.
    #[error("the plugin filled slot `{0}`, which the granted command line does not have")]
    UnknownSlot(String),
    /// Not one of the allowed values.
    #[error("slot `{slot}` may be one of {allowed}, not `{value}`")]
    NotAllowed {
        /// Which slot.
        slot: String,
        /// What the plugin gave.
        value: String,
        /// What it may give.
        allowed: String,
    },
    /// Too long.
    #[error("the value of slot `{slot}` has {length} bytes, more than the granted {limit}")]
    TooLong {
        /// Which slot.
        slot: String,
        /// What the plugin gave.
        length: usize,
        /// What it may give.
        limit: usize,
    },
    /// Could pass for an option.
    #[error("the value of slot `{0}` begins with `-` and could pass for an option")]
    LeadingDash(String),
    /// Could end the word early.
    #[error("the value of slot `{0}` contains a NUL character")]
    Nul(String),
    /// The template in the configuration cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Why a command template of the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No words.
    #[error(
        "the command is empty: give a program and its arguments, such as `my-agent --task {{prompt_file}}`"
    )]
    Empty,
    /// A quote without its partner.
    #[error("the command `{0}` has an unclosed quote")]
    UnclosedQuote(String),
    /// The program itself is a slot.
    #[error("the program of the command `{0}` must be a fixed name, not a slot")]
    ProgramIsSlot(String),
}

/// A command line from the configuration, split into words before anything is
/// filled in. No shell is involved: `$HOME`, `;` and `|` are plain characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Name or path of the program.
    pub program: String,
    /// The words after it, with slots.
    pub line: CommandLine,
}

impl Template {
    /// Splits at blanks; single and double quotes and `\` keep blanks in a word.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut words = split_words(text)?.into_iter();
        let program = words.next().filter(|word| !word.is_empty()).ok_or(TemplateError::Empty)?;
        if program.contains('{') {
            return Err(TemplateError::ProgramIsSlot(text.to_owned()));
        }
        Ok(Self { program, line: CommandLine { args: words.collect() } })
    }
}

fn split_words(text: &str) -> Result<Vec<String>, TemplateError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(TemplateError::UnclosedQuote(text.to_owned()));
    }
    words.extend(word);
    Ok(words)
}

impl ProgramRight {
    /// The words of `command` with `values` filled in. A word with an unfilled slot
    /// is left out.
    pub fn fill(&self, command: &str, values: &[(String, String)]) -> Result<Vec<String>, FillError> {
        let line = self.commands.get(command).ok_or_else(|| FillError::UnknownCommand(command.to_owned()))?;
        self.fill_line(line, values)
    }

    /// The same right in a sandbox: see [`OWN_GIT`].
    pub fn with_own_git(&self) -> Self {
        let mut right = self.clone();
        for word in right.commands.values_mut().flat_map(|line| &mut line.args) {
            *word = word.replace(&format!("{{{OWN_GIT}}}"), ".git");
        }
        right
    }

    /// The same for a command line that stands in the operator's configuration.
    /// Values for slots that the operator did not use are not an error there.
    pub fn fill_template(
        &self,
        template: &Template,
        values: &[(String, String)],
    ) -> Result<Vec<String>, FillError> {
        let used: Vec<_> = values
            .iter()
            .filter(|(name, _)| template.line.args.iter().any(|word| word.contains(&format!("{{{name}}}"))))
            .cloned()
            .collect();
        self.fill_line(&template.line, &used)
    }

    fn fill_line(&self, line: &CommandLine, values: &[(String, String)]) -> Result<Vec<String>, FillError> {
        for (slot, value) in values {
            let is_there = line.args.iter().any(|word| parse_word(word).contains(&Piece::Slot(slot)));
            if slot == OWN_GIT || !is_there {
                return Err(FillError::UnknownSlot(slot.clone()));
            }
            self.check(slot, value)?;
        }
        let mut words = Vec::new();
        for word in &line.args {
            if let Some(filled) = self.fill_word(word, values)? {
                words.push(filled);
            }
        }
        Ok(words)
    }

    fn check(&self, slot: &str, value: &str) -> Result<(), FillError> {
        let rule = self.slots.get(slot);
        if value.contains('\0') {
            return Err(FillError::Nul(slot.to_owned()));
        }
        let limit = rule.and_then(|rule| rule.max_length).unwrap_or(DEFAULT_SLOT_BYTES).min(MAX_SLOT_BYTES);
        if value.len() > limit {
            return Err(FillError::TooLong { slot: slot.to_owned(), length: value.len(), limit });
        }
        match rule {
            Some(rule) if !rule.values.is_empty() && !rule.values.iter().any(|allowed| allowed == value) => {
                Err(FillError::NotAllowed {
                    slot: slot.to_owned(),
                    value: value.to_owned(),
                    allowed: rule.values.join(", "),
                })
            }
            _ => Ok(()),
        }
    }

    fn fill_word(&self, word: &str, values: &[(String, String)]) -> Result<Option<String>, FillError> {
        let mut filled = String::new();
        for piece in parse_word(word) {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Slot(name) => {
                    let Some((_, value)) = values.iter().find(|(slot, _)| slot == name) else {
                        return Ok(None);
                    };
                    let dash_allowed = self.slots.get(name).is_some_and(|rule| rule.leading_dash);
                    if filled.is_empty() && value.starts_with('-') && !dash_allowed {
                        return Err(FillError::LeadingDash(name.to_owned()));
                    }
                    filled.push_str(value);
                }
            }
        }
        Ok(Some(filled))
    }

    /// Whether everything `asked` could do is covered here. Reasons do not count.
    pub fn covers(&self, asked: &Self) -> bool {
        let facts = |right: &Self| Self {
            reason: String::new(),
            env: Vec::new(),
            sandbox: SandboxNeeds::default(),
            ..right.clone()
        };
        facts(self) == facts(asked)
            && asked.env.iter().all(|name| self.env.contains(name))
            && self.sandbox.cover(&asked.sandbox)
    }
}

impl std::fmt::Display for ProgramRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, &self.command_from) {
            (Some(name), _) => write!(f, "start the program `{name}`")?,
            (None, Some(field)) => write!(f, "start the command in `{field}`")?,
            (None, None) => f.write_str("start nothing")?,
        }
        if !self.env.is_empty() {
            write!(f, " with {} from your environment", self.env.join(", "))?;
        }
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Slot(&'a str),
}

/// Splits a word into text and slots. A brace that does not enclose a name is text.
fn parse_word(word: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(open) = rest.find('{') {
        let (before, from_brace) = rest.split_at(open);
        let name = from_brace[1..].split('}').next().unwrap_or_default();
        let is_slot = !name.is_empty()
            && from_brace[1 + name.len()..].starts_with('}')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        if is_slot {
            pieces.push(Piece::Slot(name));
            rest = &from_brace[name.len() + 2..];
        } else {
            pieces.push(Piece::Text("{"));
            rest = &from_brace[1..];
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests;
