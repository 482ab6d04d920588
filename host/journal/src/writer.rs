//! The one thread that writes: everything that waits goes into one transaction,
//! and is answered after its commit (group commit).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::append::append;
use crate::entry::{Entry, Seq};
use crate::error::{Fault, JournalError};
use crate::prune::{Limit, Pruned, prune};

/// Entries that may wait for the writer; more than a slow disk needs to be used
/// fully, and few enough that a caller feels the disk's pace.
pub const QUEUE_ENTRIES: usize = 1024;
/// Bytes of text in one entry: far above any sound snapshot of open runs, far
/// below what would hold up everyone else.
pub const MAX_ENTRY_BYTES: usize = 32 * 1024 * 1024;
/// Entries in one transaction: beyond this the cost of the sync is already shared
/// so widely that waiting longer only adds delay.
const BATCH_ENTRIES: usize = 256;
/// Bytes of text after which a transaction takes no further entry, so that its
/// pages fit into the cache.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How much was written since the journal was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries that are durable.
    pub entries: u64,
    /// Transactions they took.
    pub commits: u64,
}

/// The tally while it is counted.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    entries: AtomicU64,
    commits: AtomicU64,
}

impl Counter {
    fn count(&self, entries: usize) {
        self.entries.fetch_add(entries as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Tally {
        Tally { entries: self.entries.load(Ordering::Relaxed), commits: self.commits.load(Ordering::Relaxed) }
    }
}

/// What the writer is asked for.
pub(crate) enum Request {
    Append(Job<Entry, Seq>),
    /// Remove one portion of what is older than a time.
    Prune(Job<Limit, Pruned>),
}

/// Work, what came of it, and who waits for it.
pub(crate) struct Job<W, T> {
    work: W,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, JournalError>>,
}

/// Where the answer to a job arrives.
pub(crate) type Answer<T> = oneshot::Receiver<Result<T, JournalError>>;

impl<W, T> Job<W, T> {
    pub(crate) fn new(work: W) -> (Self, Answer<T>) {
        let (answer, receiver) = oneshot::channel();
        let job = Self { work, result: None, answer };
        (job, receiver)
    }

    fn answer(self, end: Result<(), JournalError>) {
        let reply = end.and_then(|()| self.result.ok_or(JournalError::Closed));
        // Who has stopped waiting does not need the answer.
        let _ = self.answer.send(reply);
    }
}

impl Request {
    fn carry_out(&mut self, connection: &Connection) -> Result<(), Fault> {
        match self {
            Self::Append(job) => {
                within_limit(job.work.bytes())?;
                job.result = Some(append(connection, &job.work)?);
            }
            Self::Prune(job) => job.result = Some(prune(connection, &job.work)?),
        }
        Ok(())
    }

    fn answer(self, end: Result<(), JournalError>) {
        match self {
            Self::Append(job) => job.answer(end),
            Self::Prune(job) => job.answer(end),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append(job) => job.work.bytes(),
            Self::Prune(_) => 0,
        }
    }

    fn is_append(&self) -> bool {
        matches!(self, Self::Append(_))
    }
}

fn within_limit(bytes: usize) -> Result<(), Fault> {
    if bytes > MAX_ENTRY_BYTES {
        return Err(Fault::TooLarge { bytes, limit: MAX_ENTRY_BYTES });
    }
    Ok(())
}

/// The queue in front of the writer.
pub(crate) fn queue() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
    mpsc::channel(QUEUE_ENTRIES)
}

/// Owns the connection that writes.
pub(crate) struct Writer {
    connection: Connection,
    path: PathBuf,
    counter: Arc<Counter>,
    /// The first failure. Nothing is written after it: what the daemon believes
    /// would rest on an entry that may be missing.
    stopped: Option<JournalError>,
}

impl Writer {
    pub(crate) fn new(connection: Connection, path: PathBuf, counter: Arc<Counter>) -> Self {
        Self { connection, path, counter, stopped: None }
    }

    /// Works until the last sender is gone and the queue is empty.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = collect(first, &mut queue);
            let end = self.write(&mut batch);
            for request in batch {
                request.answer(end.clone());
            }
        }
    }

    fn write(&mut self, batch: &mut [Request]) -> Result<(), JournalError> {
        if let Some(first) = &self.stopped {
            let first = Box::new(first.clone());
            return Err(JournalError::Stopped { first });
        }
        match commit(&mut self.connection, batch) {
            Ok(()) => {
                let entries = batch.iter().filter(|request| request.is_append()).count();
                self.counter.count(entries);
                Ok(())
            }
            Err(fault) => {
                let cause = fault.on(&self.path, &self.connection);
                tracing::error!("{cause}");
                self.stopped = Some(cause.clone());
                Err(cause)
            }
        }
    }
}

/// Takes what waits already, up to the limits of one transaction.
fn collect(first: Request, queue: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.bytes();
    let mut batch = vec![first];
    while batch.len() < BATCH_ENTRIES && bytes < BATCH_BYTES {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.bytes();
        batch.push(next);
    }
    batch
}

/// All of the batch, or nothing of it.
fn commit(connection: &mut Connection, batch: &mut [Request]) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for request in batch {
        request.carry_out(&transaction)?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::entry::OutboxChange;
    use crate::{file, schema};

    fn request(bytes: usize) -> Request {
        let input = "x".repeat(bytes);
        Request::Append(Job::new(Entry { input, ..Entry::default() }).0)
    }

    fn waiting(requests: Vec<Request>) -> mpsc::Receiver<Request> {
        let (sender, receiver) = queue();
        for request in requests {
            assert!(sender.try_send(request).is_ok());
        }
        receiver
    }

    #[test]
    fn a_transaction_takes_256_entries_and_leaves_the_257th() {
        let mut all = waiting((1..BATCH_ENTRIES).map(|_| request(1)).collect());
        assert_eq!(collect(request(1), &mut all).len(), BATCH_ENTRIES);
        assert!(all.try_recv().is_err());

        let mut one_more = waiting((0..BATCH_ENTRIES).map(|_| request(1)).collect());
        assert_eq!(collect(request(1), &mut one_more).len(), BATCH_ENTRIES);
        assert!(one_more.try_recv().is_ok());
    }

    #[test]
    fn a_transaction_that_is_full_of_bytes_takes_no_further_entry() {
        let mut queue = waiting(vec![request(1)]);
        assert_eq!(collect(request(BATCH_BYTES), &mut queue).len(), 1);

        let mut queue = waiting(vec![request(1)]);
        assert_eq!(collect(request(BATCH_BYTES - 1), &mut queue).len(), 2);
    }

    #[test]
    fn an_entry_may_have_32_mib_and_not_a_byte_more() {
        assert!(within_limit(MAX_ENTRY_BYTES).is_ok());
        assert!(matches!(
            within_limit(MAX_ENTRY_BYTES + 1),
            Err(Fault::TooLarge { bytes, limit }) if bytes == limit + 1
        ));
    }

    #[test]
    fn the_queue_takes_1024_entries_and_makes_the_next_one_wait() {
        let (sender, _receiver) = queue();
        for _ in 0..QUEUE_ENTRIES {
            assert!(sender.try_send(request(1)).is_ok());
        }
        assert!(matches!(sender.try_send(request(1)), Err(mpsc::error::TrySendError::Full(_))));
    }

    /// Lets a writer work on what waits already, and gives the answers and the tally.
    fn written(entries: Vec<Entry>) -> (Vec<Result<Seq, JournalError>>, Tally, i64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut connection = file::open_for_writing(&path).unwrap();
        schema::bring_forward(&mut connection, &path, schema::MIGRATIONS).unwrap();
        let counter = Arc::new(Counter::default());
        let (jobs, answers): (Vec<_>, Vec<_>) = entries.into_iter().map(Job::new).unzip();
        let queue = waiting(jobs.into_iter().map(Request::Append).collect());
        Writer::new(connection, path.clone(), Arc::clone(&counter)).run(queue);

        let answers = answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
        let rows = file::open_for_reading(&path)
            .unwrap()
            .query_one("SELECT count(*) FROM entries", [], |row| row.get(0))
            .unwrap();
        (answers, counter.read(), rows)
    }

    #[test]
    fn entries_that_wait_together_take_one_commit() {
        let (answers, tally, rows) = written(vec![Entry::default(); BATCH_ENTRIES]);
        assert!(answers.into_iter().map(Result::unwrap).eq((1..=256).map(Seq::new)));
        assert_eq!((tally.entries, tally.commits, rows), (256, 1, 256));

        let (_, tally, rows) = written(vec![Entry::default(); BATCH_ENTRIES + 1]);
        assert_eq!((tally.entries, tally.commits, rows), (257, 2, 257));
    }

    #[test]
    fn when_one_entry_of_a_batch_fails_none_of_the_batch_is_acknowledged_or_kept() {
        let change = OutboxChange::Accepted { run: "unknown".to_owned(), at_ms: 0 };
        let bad = Entry { outbox: vec![change], ..Entry::default() };
        let (answers, tally, rows) = written(vec![Entry::default(), bad, Entry::default()]);
        for answer in answers {
            assert!(matches!(answer, Err(JournalError::Contradiction { .. })), "{answer:?}");
        }
        assert_eq!((tally, rows), (Tally::default(), 0));
    }

    #[test]
    fn after_a_failed_batch_the_batches_behind_it_are_refused() {
        let change = OutboxChange::Accepted { run: "unknown".to_owned(), at_ms: 0 };
        let mut entries = vec![Entry::default(); BATCH_ENTRIES + 1];
        entries[0].outbox.push(change);
        let (mut answers, _, rows) = written(entries);
        let first = Box::new(answers.swap_remove(0).unwrap_err());
        // The last answer took the first one's place.
        assert_eq!(answers[0], Err(JournalError::Stopped { first }));
        assert_eq!(rows, 0);
    }
}
