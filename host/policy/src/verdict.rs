//! What a policy says about something, and by which of its lines.

use std::fmt;

use crate::line::Line;

/// What the policies say about something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// No policy stands against it. Nothing is granted by that: a right needs a grant.
    Allowed {
        /// The line that names it; `None` if no policy is about it.
        by: Option<Line>,
    },
    /// It may not be, whatever anybody grants.
    Denied {
        /// The line that stands against it.
        by: Line,
    },
}

impl Verdict {
    /// Nobody says anything about it.
    pub const UNRESTRICTED: Self = Self::Allowed { by: None };

    /// The line that stands against it, if any does.
    pub fn denied_by(&self) -> Option<&Line> {
        match self {
            Self::Allowed { .. } => None,
            Self::Denied { by } => Some(by),
        }
    }

    /// Both together: allowed only if both allow it.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied { by }, _) | (_, Self::Denied { by }) => Self::Denied { by },
            (Self::Allowed { by }, Self::Allowed { by: other }) => Self::Allowed { by: by.or(other) },
        }
    }
}

/// `allowed`, `allowed by line 3 of …`, `denied by line 12 of …`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { by: None } => f.write_str("allowed"),
            Self::Allowed { by: Some(line) } => write!(f, "allowed by {line}"),
            Self::Denied { by } => write!(f, "denied by {by}"),
        }
    }
}

/// How far something may go, and whose word that is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Bound<T> {
    /// At most this much; where it is about protection, at least.
    pub value: T,
    /// The line that says so; `None` if no policy is about it.
    pub by: Option<Line>,
}

impl<T> Bound<T> {
    /// Nobody says anything about it.
    pub const fn open(value: T) -> Self {
        Self { value, by: None }
    }
}

/// A value that stands in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) line: Line,
}

impl<T: Copy> Setting<T> {
    pub(crate) fn bound(&self) -> Bound<T> {
        Bound { value: self.value, by: Some(self.line.clone()) }
    }
}

/// A list of a policy: what it names is allowed, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T> {
    pub(crate) line: Line,
    pub(crate) entries: Vec<Setting<T>>,
}

impl<T> List<T> {
    /// The line of the first entry that fits.
    pub(crate) fn find(&self, fits: impl Fn(&T) -> bool) -> Option<&Line> {
        self.entries.iter().find(|entry| fits(&entry.value)).map(|entry| &entry.line)
    }

    /// What the list says of what fits these entries.
    pub(crate) fn judge(&self, fits: impl Fn(&T) -> bool) -> Verdict {
        match self.find(fits) {
            Some(line) => Verdict::Allowed { by: Some(line.clone()) },
            None => Verdict::Denied { by: self.line.clone() },
        }
    }
}

/// A list that is not there restricts nothing.
pub(crate) fn judge<T>(list: Option<&List<T>>, fits: impl Fn(&T) -> bool) -> Verdict {
    list.map_or(Verdict::UNRESTRICTED, |list| list.judge(fits))
}
