//! The handle the daemon holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::entry::{Entry, Seq};
use crate::error::JournalError;
use crate::file;
use crate::prune::{Limit, Pruned, kept};
use crate::reader::Reader;
use crate::recovery::{Recovered, recover};
use crate::schema::{MIGRATIONS, Migration, bring_forward};
use crate::writer::{Answer, Counter, Job, Request, Tally, Writer, queue};

/// The open journal. Dropping it waits until everything submitted is written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Taken on drop, which ends the writer.
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    counter: Arc<Counter>,
}

impl Journal {
    /// Opens the journal, makes it if it is missing, brings its schema forward,
    /// and reads what a start begins with. Blocks.
    ///
    /// Two hosts must not write to one journal: the caller holds the lock on the
    /// state directory.
    pub fn open(path: &Path) -> Result<(Self, Recovered), JournalError> {
        Self::open_with(path, MIGRATIONS, |_| Ok(()))
    }

    /// Opens with other migrations, and lets `prepare` change the connection that
    /// will write.
    pub(crate) fn open_with(
        path: &Path,
        migrations: &[Migration],
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(Self, Recovered), JournalError> {
        let mut connection = file::open_for_writing(path)?;
        let schema = bring_forward(&mut connection, path, migrations)?;
        let recovered = recover(&connection, schema)
            .and_then(|recovered| prepare(&connection).map(|()| recovered))
            .map_err(|error| JournalError::from_sqlite(path, Some(&connection), &error))?;
        Ok((Self::start(connection, path)?, recovered))
    }

    fn start(connection: Connection, path: &Path) -> Result<Self, JournalError> {
        let counter = Arc::new(Counter::default());
        let writer = Writer::new(connection, path.to_owned(), Arc::clone(&counter));
        let (sender, receiver) = queue();
        let thread = thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(|error| JournalError::from_io(path, &error))?;
        Ok(Self { path: path.to_owned(), queue: Some(sender), writer: Some(thread), counter })
    }

    /// Puts the entry in line and returns before it is durable. Entries are
    /// recorded in the order in which this returned. Waits while
    /// [`QUEUE_ENTRIES`](crate::QUEUE_ENTRIES) are in line.
    ///
    /// An entry whose future is dropped before it returned is not recorded: what
    /// must not be missing is awaited to the end.
    pub async fn submit(&self, entry: Entry) -> Result<Receipt, JournalError> {
        let (job, answer) = Job::new(entry);
        self.send(Request::Append(job)).await?;
        Ok(Receipt(answer))
    }

    /// Records the entry and returns when it is durable.
    ///
    /// After an error nothing more is recorded, and whether *this* entry will be
    /// found on the next start is unknown.
    pub async fn append(&self, entry: Entry) -> Result<Seq, JournalError> {
        self.submit(entry).await?.durable().await
    }

    /// Removes closed runs whose last change is older than `before_ms`
    /// (milliseconds since 1970) with their history, and old entries of no run.
    /// Keeps what is open, what a tracker has not accepted yet, and what is
    /// needed since the last snapshot. Works in small portions, between appends.
    pub async fn prune(&self, before_ms: i64) -> Result<Pruned, JournalError> {
        self.prune_except(before_ms, Vec::new()).await
    }

    /// The same, but keeps the runs with these ids, too.
    pub async fn prune_except(&self, before_ms: i64, keep: Vec<String>) -> Result<Pruned, JournalError> {
        let mut total = Pruned::default();
        let keep = kept(&keep);
        loop {
            let (job, answer) = Job::new(Limit { before_ms, keep: keep.clone() });
            self.send(Request::Prune(job)).await?;
            let portion = received(answer).await?;
            if portion.is_empty() {
                return Ok(total);
            }
            total = total.plus(portion);
        }
    }

    /// A connection of its own that only reads. Blocks, as all its functions do.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::open(&self.path)
    }

    /// How much was written since the journal was opened.
    pub fn tally(&self) -> Tally {
        self.counter.read()
    }

    async fn send(&self, request: Request) -> Result<(), JournalError> {
        let queue = self.queue.as_ref().ok_or(JournalError::Closed)?;
        queue.send(request).await.map_err(|_| JournalError::Closed)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been printed, and its callers were told.
            let _ = writer.join();
        }
    }
}

/// The promise that an entry in line will become durable or fail.
#[derive(Debug)]
#[must_use = "an entry in line is not durable yet"]
pub struct Receipt(Answer<Seq>);

impl Receipt {
    /// Waits until the entry is on the disk, and tells its place.
    pub async fn durable(self) -> Result<Seq, JournalError> {
        received(self.0).await
    }
}

async fn received<T>(answer: Answer<T>) -> Result<T, JournalError> {
    answer.await.unwrap_or(Err(JournalError::Closed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::recovery::INPUTS_AFTER;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        (folder, path)
    }

    fn entry(bytes: usize) -> Entry {
        Entry { input: "x".repeat(bytes), ..Entry::default() }
    }

    fn wait_for<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// Appends until it fails; gives how many were acknowledged and the failure.
    fn fill(journal: &Journal) -> (usize, JournalError) {
        (0..1000)
            .find_map(|durable| wait_for(journal.append(entry(5000))).err().map(|error| (durable, error)))
            .expect("a thousand entries do not fit")
    }

    #[test]
    fn a_full_database_keeps_what_it_acknowledged_and_stops() {
        let (_folder, path) = place();
        let (journal, _) = Journal::open_with(&path, MIGRATIONS, |connection| {
            connection.pragma_update_and_check(None, "max_page_count", 100, |_| Ok(()))
        })
        .unwrap();
        let (durable, error) = fill(&journal);
        assert!(matches!(error, JournalError::DiskFull { .. }), "{error}");
        assert!(durable > 0);

        // Even a small entry that would fit is refused: nothing may follow a gap.
        let next = wait_for(journal.append(entry(1))).unwrap_err();
        assert_eq!(next, JournalError::Stopped { first: Box::new(error.clone()) });
        let prune = wait_for(journal.prune(0)).unwrap_err();
        assert_eq!(prune, JournalError::Stopped { first: Box::new(error) });
        drop(journal);
        let (_journal, recovered) = Journal::open(&path).unwrap();
        assert_eq!(recovered.inputs.len(), durable);
    }

    #[test]
    fn a_disk_that_became_read_only_is_called_so() {
        let (_folder, path) = place();
        let (journal, _) = Journal::open_with(&path, MIGRATIONS, |connection| {
            connection.pragma_update(None, "query_only", true)
        })
        .unwrap();
        let (durable, error) = fill(&journal);
        assert_eq!(durable, 0);
        assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
    }

    #[test]
    fn another_process_that_holds_the_journal_is_named_as_the_cause() {
        let (_folder, path) = place();
        let (journal, _) = Journal::open_with(&path, MIGRATIONS, |connection| {
            connection.busy_timeout(std::time::Duration::ZERO)
        })
        .unwrap();
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = wait_for(journal.append(entry(1))).unwrap_err();
        assert_eq!(error, JournalError::Busy { path });
    }

    fn plan(connection: &Connection, query: &str) -> String {
        connection.query_one(&format!("EXPLAIN QUERY PLAN {query}"), [0], |row| row.get(3)).unwrap()
    }

    #[test]
    fn a_start_seeks_to_the_snapshot_and_reads_nothing_before_it() {
        let (_folder, path) = place();
        drop(Journal::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        assert_eq!(plan(&connection, INPUTS_AFTER), "SEARCH entries USING INTEGER PRIMARY KEY (rowid>?)");
    }
}
