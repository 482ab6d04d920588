//! What comes back from a pull request after its run was reported: checks that failed and
//! what people said. Values only; [`Watched`] decides what becomes of them.

mod watched;
mod words;

use serde::{Deserialize, Serialize};

pub use self::watched::{
    Decided, GATHERED_AT_MOST, MAX_CONTINUATIONS, MAX_COUNTED, MAX_FINDINGS, MAX_HEADS, QUIET, Stage,
    TELL_AGAIN, Watched,
};
pub use self::words::{MAX_BROUGHT_BYTES, sections};

/// Longest text of one finding, in bytes: the end of a failed check is rarely longer, and
/// the agent can read the rest behind the link.
pub const MAX_TEXT_BYTES: usize = 4 * 1024;

/// Longest name of a check, a person or a place, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// What coming back from a pull request has its task go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FollowUp {
    /// Nothing; the forge is not asked.
    #[default]
    Off,
    /// Checks that failed.
    Checks,
    /// What people said.
    Reviews,
    /// Both.
    All,
}

impl FollowUp {
    /// Every choice, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Off, Self::Checks, Self::Reviews, Self::All];

    /// As it stands in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Checks => "checks",
            Self::Reviews => "reviews",
            Self::All => "all",
        }
    }

    /// Whether failed checks count.
    pub const fn checks(self) -> bool {
        matches!(self, Self::Checks | Self::All)
    }

    /// Whether what people said counts.
    pub const fn reviews(self) -> bool {
        matches!(self, Self::Reviews | Self::All)
    }
}

/// Whether a pull request can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It can.
    Open,
    /// Its work is where it was for.
    Merged,
    /// It was given up.
    Closed,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// It has not ended.
    Pending,
    /// Nothing speaks against the work.
    Passed,
    /// Something does.
    Failed,
}

/// One check of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The forge's; another one each time the check runs.
    pub id: String,
    /// What the forge calls it.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// The forge's word for how it ended: `failure`, `timed_out`.
    pub conclusion: String,
    /// What it says; may be empty.
    pub summary: String,
    /// Its page; may be empty.
    pub link: String,
}

/// Whose word something is. Only a member's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voice {
    /// A person who may write to the repository.
    Member,
    /// Another person.
    Stranger,
    /// A program.
    Bot,
    /// The account that opened the pull request.
    Ourselves,
}

/// What kind of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkKind {
    /// A review that asks for changes.
    ChangesRequested,
    /// What a review says as a whole.
    Review,
    /// A word on a line of the work.
    LineComment,
    /// A word in the conversation.
    Comment,
}

/// Something that somebody said about the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The forge's, with its kind before it: ids of different kinds overlap.
    pub id: String,
    /// What it is.
    pub kind: RemarkKind,
    /// Name of the account.
    pub author: String,
    /// Whose word it is.
    pub voice: Voice,
    /// `file:line`, for a word on a line; else empty.
    pub place: String,
    /// Markdown; may be empty.
    pub body: String,
}

/// A pull request as the forge shows it at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whether it is still open.
    pub standing: Standing,
    /// The commit it is on.
    pub head: String,
    /// Of that commit.
    pub checks: Vec<Check>,
    /// Oldest first.
    pub remarks: Vec<Remark>,
}

impl Seen {
    /// Whether every check has ended.
    pub fn is_complete(&self) -> bool {
        self.count(CheckState::Pending) == 0
    }

    /// How many checks stand so.
    pub fn count(&self, state: CheckState) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}

/// What came back and was not given to an agent yet, or is given to this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Of the pull request.
    pub number: u32,
    /// Its page.
    pub url: String,
    /// Those that failed.
    pub checks: Vec<Check>,
    /// What people said, oldest first.
    pub remarks: Vec<Remark>,
}

impl Brought {
    /// Whether nothing came back.
    pub const fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.remarks.is_empty()
    }

    /// How many things came back.
    pub const fn len(&self) -> usize {
        self.checks.len() + self.remarks.len()
    }

    /// Takes up what came back later.
    pub fn extend(&mut self, later: Self) {
        self.number = later.number;
        self.url = later.url;
        self.checks.extend(later.checks);
        self.remarks.extend(later.remarks);
    }
}

/// What the tracker is to be told: something came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Counts from 1 within the run. The same number again is the same word.
    pub number: u32,
    /// One sentence or two: numbers and names, no text from the forge.
    pub message: String,
}
