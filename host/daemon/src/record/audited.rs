//! The audit log of a running host: in the order in which things happen, without
//! secrets, and on the disk before what cannot be undone is done.
//!
//! One thread writes. What is about to be done waits for it; what has happened does
//! not, and is settled as soon as nothing else waits.

use std::thread;

use hostler_agents::Containment;
use hostler_components::Digest;
use hostler_engine::redaction::Redaction;
use hostler_journal::audit::{AuditError, AuditLog, Event, Head, Settle};
use hostler_policy::{Member, Policies};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::conceal::clean;
use crate::failure::Failure;
use crate::host::Ready;
use crate::plugins::Installed;
use crate::view::Notice;

/// Entries that may wait for the disk.
const QUEUE: usize = 1024;

/// The audit log, as the rooms of a host write to it. Cheap to clone.
#[derive(Clone)]
pub struct Audited {
    clock: Clock,
    redaction: Redaction,
    queue: mpsc::Sender<Request>,
    settled: watch::Receiver<Option<Head>>,
}

struct Request {
    at: i64,
    event: Event,
    /// Whoever waits until it is on the disk.
    answer: Option<oneshot::Sender<Result<(), AuditError>>>,
}

impl Audited {
    /// Begins to write. `known` is the head that the journal knows of; a log that does
    /// not have it any more says so, here and in `notices`. Blocks.
    pub fn begin(
        log: AuditLog,
        clock: Clock,
        redaction: Redaction,
        notices: broadcast::Sender<Notice>,
        known: Option<Head>,
    ) -> Result<Self, Failure> {
        let known = match known {
            Some(head) if !log.confirm(clock.now().0, head)? => {
                let message = "The audit log is not what this host left behind: see `host audit verify`.";
                tell(&notices, message.to_owned());
                // It was said; from here on the log counts as it is.
                None
            }
            known => known,
        };
        let (queue, requests) = mpsc::channel(QUEUE);
        let (telling, settled) = watch::channel(known);
        thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn(move || Writer { log, notices, telling, failing: false }.work(requests))
            .map_err(|error| Failure::Internal(format!("no thread for the audit log: {error}")))?;
        Ok(Self { clock, redaction, queue, settled })
    }

    /// Writes down what is about to be done. It may be done once this has succeeded.
    pub async fn before(&self, event: Event) -> Result<(), AuditError> {
        let (answer, written) = oneshot::channel();
        let sent = self.queue.send(self.request(event, Some(answer))).await;
        answered(sent.is_ok().then_some(written.await))
    }

    /// The same for a thread that may block.
    pub fn before_here(&self, event: Event) -> Result<(), AuditError> {
        let (answer, written) = oneshot::channel();
        let sent = self.queue.blocking_send(self.request(event, Some(answer)));
        answered(sent.is_ok().then(|| written.blocking_recv()))
    }

    /// Writes down what has happened. Where that fails the host says so and goes on:
    /// what has happened cannot be kept from happening.
    pub async fn note(&self, event: Event) {
        // The writer ends with the host.
        let _ = self.queue.send(self.request(event, None)).await;
    }

    /// The same for a thread that may block.
    pub fn note_here(&self, event: Event) {
        // The writer ends with the host.
        let _ = self.queue.blocking_send(self.request(event, None));
    }

    /// The last entry that is on the disk.
    pub fn settled(&self) -> Option<Head> {
        *self.settled.borrow()
    }

    /// Begins the entries of this host.
    pub async fn host_started(
        &self,
        ready: &Ready,
        containment: Containment,
        policies: impl Iterator<Item = Event>,
        admitted: Vec<Event>,
    ) -> Result<(), AuditError> {
        let started = Event::HostStarted {
            tracker: ready.tracker.clone(),
            providers: ready.policy.providers.clone(),
            permission_ceiling: ready.policy.most_permission().name().to_owned(),
            containment: word(containment),
        };
        self.before(started).await?;
        for event in policies.chain(admitted) {
            self.note(event).await;
        }
        Ok(())
    }

    /// Ends them; everything noted before is on the disk then, if it can be.
    pub async fn host_stopped(&self, why: Option<&Failure>) {
        let why = why.map_or_else(|| "done".to_owned(), ToString::to_string);
        if let Err(error) = self.before(Event::HostStopped { why }).await {
            tracing::warn!("the end of this host is not in the audit log: {error}");
        }
    }

    fn request(&self, event: Event, answer: Option<oneshot::Sender<Result<(), AuditError>>>) -> Request {
        Request { at: self.clock.now().0, event: clean(event, &self.redaction), answer }
    }
}

fn answered(
    written: Option<Result<Result<(), AuditError>, oneshot::error::RecvError>>,
) -> Result<(), AuditError> {
    written.and_then(Result::ok).unwrap_or(Err(AuditError::Closed))
}

fn tell(notices: &broadcast::Sender<Notice>, message: String) {
    tracing::error!("{message}");
    // Nobody may be looking.
    let _ = notices.send(Notice::Host { message, warning: true });
}

struct Writer {
    log: AuditLog,
    notices: broadcast::Sender<Notice>,
    telling: watch::Sender<Option<Head>>,
    /// Whether the last entry failed: a full disk is told of once.
    failing: bool,
}

impl Writer {
    fn work(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut open = false;
        loop {
            let next = if let Ok(next) = requests.try_recv() {
                Some(next)
            } else {
                if std::mem::take(&mut open) {
                    self.settle();
                }
                requests.blocking_recv()
            };
            let Some(request) = next else { return };
            open |= self.write(request) == Settle::Soon;
        }
    }

    fn write(&mut self, Request { at, event, answer }: Request) -> Settle {
        let settle = if answer.is_some() { Settle::Now } else { Settle::Soon };
        let written = self.log.append(at, &event, settle);
        if let (Ok(head), Settle::Now) = (&written, settle) {
            self.reached(*head);
        }
        let written = written.map(drop);
        self.complain(written.as_ref().err());
        if let Some(answer) = answer {
            // Whoever asked may have gone away.
            let _ = answer.send(written);
        }
        settle
    }

    fn settle(&mut self) {
        match self.log.settle() {
            Ok(head) => head.into_iter().for_each(|head| self.reached(head)),
            Err(error) => self.complain(Some(&error)),
        }
    }

    /// A log that has become shorter is not believed.
    fn reached(&self, head: Head) {
        self.telling.send_if_modified(|told| {
            let further = told.is_none_or(|told| told.n < head.n);
            if further {
                *told = Some(head);
            }
            further
        });
    }

    fn complain(&mut self, problem: Option<&AuditError>) {
        if let Some(problem) = problem.filter(|_| !self.failing) {
            tell(&self.notices, problem.to_string());
        }
        self.failing = problem.is_some();
    }
}

/// What is to be said of the plugins that a host starts with.
pub fn admitted<'a>(installed: impl Iterator<Item = &'a Installed>) -> Vec<Event> {
    let admitted = |one: &Installed| Event::Admitted {
        plugin: one.plugin.id().to_owned(),
        digest: one.plugin.digest().to_string(),
        contract: one.plugin.manifest().plugin.contract.clone(),
        signer: one.signer.clone(),
    };
    installed.map(admitted).collect()
}

/// What is to be said of the organisation's policies.
pub fn policies(policies: &Policies) -> impl Iterator<Item = Event> {
    let policy = |member: &Member| Event::Policy {
        path: member.path.display().to_string(),
        sha256: member.digest.clone(),
    };
    policies.members().iter().map(policy)
}

/// A value as it is called in files: `auto-edits`, `namespace`.
pub fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// SHA-256 of a text that must not stand in the log itself.
pub fn fingerprint(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use hostler_engine::time::Timestamp;
    use hostler_journal::audit::{Entry, LineHash};

    use super::*;

    fn begin(folder: &Path, known: Option<Head>) -> (Audited, broadcast::Receiver<Notice>) {
        let (notices, heard) = broadcast::channel(8);
        let log = AuditLog::new(folder.to_owned(), "0.1.0");
        let redaction = Redaction::of(["hunter22"]).unwrap();
        let audited = Audited::begin(log, Clock::start(Timestamp(1)), redaction, notices, known);
        (audited.unwrap(), heard)
    }

    fn withdrawn(plugin: &str) -> Event {
        Event::Withdrawn { plugin: plugin.to_owned() }
    }

    fn told(folder: &Path) -> Vec<Event> {
        let mut told = Vec::new();
        let log = AuditLog::new(folder.to_owned(), "0.1.0");
        log.read(|line| told.push(serde_json::from_str::<Entry>(line).unwrap().event)).unwrap();
        told
    }

    #[test]
    fn what_is_noted_comes_before_what_is_done_next_and_without_secrets() {
        let place = tempfile::tempdir().unwrap();
        let (audited, _heard) = begin(place.path(), None);
        for n in 0..20 {
            audited.note_here(withdrawn(&format!("{n} hunter22")));
        }
        audited.before_here(withdrawn("act")).unwrap();
        let told = told(place.path());
        assert_eq!(told[0], withdrawn("0 ********"));
        assert_eq!((told.len(), &told[20]), (21, &withdrawn("act")));
        assert_eq!(audited.settled().unwrap().n, 21, "the journal may be told");
    }

    #[test]
    fn what_cannot_be_written_down_is_not_done_and_a_screen_is_told_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("audit");
        let (audited, mut heard) = begin(&folder, None);
        std::fs::write(&folder, b"in the way").unwrap();
        for _ in 0..2 {
            audited.before_here(withdrawn("act")).unwrap_err();
        }
        std::fs::remove_file(&folder).unwrap();
        audited.before_here(withdrawn("act")).unwrap();
        let Notice::Host { message, warning: true } = heard.try_recv().unwrap() else { panic!("no warning") };
        assert!(message.contains("audit"), "{message}");
        assert!(heard.try_recv().is_err(), "once");
    }

    #[test]
    fn a_log_that_lost_what_the_journal_knows_says_so_once() {
        let place = tempfile::tempdir().unwrap();
        let known = Head { n: 134, hash: LineHash::NOTHING };
        let (audited, mut heard) = begin(place.path(), Some(known));
        assert!(matches!(heard.try_recv().unwrap(), Notice::Host { warning: true, .. }));
        audited.before_here(withdrawn("next")).unwrap();
        let now = audited.settled();
        assert_eq!(now.unwrap().n, 2, "what the journal is told from here on");
        let (_, mut heard) = begin(place.path(), now);
        assert!(heard.try_recv().is_err());
        assert!(matches!(&told(place.path())[0], Event::Broken { problem } if problem.contains("134")));
    }
}
