//! Questions about past and present runs, also while no host runs.

use std::path::{Path, PathBuf};

use hostler_engine::task::RunId;
use hostler_engine::time::Timestamp;
use hostler_journal::{Pruned, Reader, RecordedEntry, Recovered, RunFilter, RunRow, Seq, Span};

use crate::failure::Failure;
use crate::home::Home;
use crate::view::RunView;

/// The record, for reading.
pub struct History {
    reader: Reader,
    path: PathBuf,
}

/// Why a run was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No run matches.
    #[error("no run matches `{0}`: `host runs` lists them")]
    Unknown(String),
    /// Several do.
    #[error("`{name}` could be {}: give more of the id", matches.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it could be.
        matches: Vec<String>,
    },
    /// The record cannot be read.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl History {
    /// Opens the record; `None` if no host ever ran here.
    pub fn open(home: &Home) -> Result<Option<Self>, Failure> {
        let path = home.journal();
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(Self { reader: Reader::open(&path)?, path }))
    }

    /// Runs, newest first; `limit` is how many at most.
    pub fn runs(&self, open_only: bool, limit: u32) -> Result<Vec<RunView>, Failure> {
        let mut runs = Vec::new();
        let filter = RunFilter { open_only, limit, ..RunFilter::default() };
        self.reader.pages(filter, |rows| runs.extend(rows.iter().filter_map(view)))?;
        Ok(runs)
    }

    /// The run with exactly this id. One that another version wrote differently is not
    /// guessed at.
    pub fn get(&self, id: &str) -> Result<Option<RunView>, Failure> {
        let row = self.reader.run(id)?.filter(|row| row.id == id);
        Ok(row.as_ref().and_then(view))
    }

    /// Where the record is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The part of the record in which a run lived.
    pub fn span(&self, run: &RunId) -> Result<Option<Span>, Failure> {
        Ok(self.reader.span(&run.0)?)
    }

    /// Every entry of a run's own history, in order.
    pub fn entries(&self, run: &RunId) -> Result<Vec<RecordedEntry>, Failure> {
        let mut entries: Vec<RecordedEntry> = Vec::new();
        loop {
            let after = entries.last().map_or(Seq::START, |entry| entry.seq);
            let more = self.reader.history(&run.0, after, hostler_journal::MAX_LIMIT)?;
            if more.is_empty() {
                return Ok(entries);
            }
            entries.extend(more);
        }
    }

    /// What a start would begin with now.
    pub fn recovered(&self) -> Result<Recovered, Failure> {
        Ok(self.reader.recovered()?)
    }

    /// How much of the record could be pruned.
    pub fn prunable(&self, before: Timestamp, keep: &[String]) -> Result<Pruned, Failure> {
        Ok(self.reader.prunable(before.0, keep)?)
    }

    /// The run with this id, the one run whose id contains the text, or the newest
    /// run of the task with this key.
    pub fn run(&self, name: &str) -> Result<RunView, FindError> {
        let wanted = name.to_ascii_lowercase();
        let could_be = |row: &&RunRow| row.task_key == name || row.id == name || row.id.contains(&wanted);
        let mut runs = Vec::new();
        let filter = RunFilter { limit: u32::MAX, ..RunFilter::default() };
        let take = |rows: Vec<RunRow>| runs.extend(rows.iter().filter(could_be).filter_map(view));
        self.reader.pages(filter, take).map_err(Failure::from)?;
        find(&runs, name).cloned()
    }
}

/// The run a person means, among runs listed newest first.
pub fn find<'a>(runs: &'a [RunView], name: &str) -> Result<&'a RunView, FindError> {
    if let Some(run) = runs.iter().find(|run| run.id == name || run.task_key == name) {
        return Ok(run);
    }
    let wanted = name.to_ascii_lowercase();
    let matches: Vec<&RunView> =
        runs.iter().filter(|run| !wanted.is_empty() && run.id.contains(&wanted)).collect();
    match matches[..] {
        [] => Err(FindError::Unknown(name.to_owned())),
        [run] => Ok(run),
        _ => {
            let matches = matches
                .iter()
                .take(5)
                .map(|run| format!("{} ({})", RunId(run.id.clone()).short(), run.task_key));
            Err(FindError::Ambiguous { name: name.to_owned(), matches: matches.collect() })
        }
    }
}

/// A row whose body a newer or older version wrote differently is left out rather
/// than guessed at.
fn view(row: &RunRow) -> Option<RunView> {
    serde_json::from_str(&row.body).ok()
}
