//! What is said and heard while runs are held: progress goes out, Stop and messages
//! come in with each answer.

use hostler_sdk::tracker::RunStatus;
use hostler_sdk::{Context, Milliseconds};

use super::Trakkar;
use crate::assignment::Assignment;
use crate::server::{Trouble, of_run};

/// Longest wait for one answer: a Stop of another run must not wait for it.
const SHORT_PATIENCE: Milliseconds = 5_000;

/// The end of a run waits for a batch on its way, which has no more than
/// [`SHORT_PATIENCE`], and looks so often whether it has arrived.
const BETWEEN_LOOKS: Milliseconds = 100;

/// Looks until the end is told in any case.
const LOOKS_AT_A_BATCH: u32 = 50;

/// A round of questions that has taken so long ends; the next one begins with the
/// runs that were left out.
const ASKING_FOR: Milliseconds = 5_000;

impl Trakkar {
    /// Asks for the server's word on each run, the one first that was not asked about
    /// for the longest time. Progress that waits is sent instead: its answer has the
    /// same word.
    pub(super) async fn ask_about(&self, cx: &Context, runs: &[RunStatus]) -> Result<(), Trouble> {
        let begun = cx.now();
        let mut order: Vec<String> = runs
            .iter()
            .filter(|status| status.state != "reporting")
            .filter_map(|status| Assignment::of(&status.at.task).ok())
            .map(|assignment| assignment.run_id)
            .collect();
        order.sort_by(|one, other| {
            let runs = self.runs.borrow();
            runs.asked_at(one).total_cmp(&runs.asked_at(other))
        });
        for run_id in order {
            let late = cx.now() - begun >= f64::from(ASKING_FOR);
            if late || self.runs.borrow().is_paused(cx.now()) {
                break;
            }
            match self.ask_about_one(cx, &run_id).await {
                // It is told to the host with the other words.
                Ok(()) | Err(Trouble::NotOurs(_) | Trouble::AlreadyFinished(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    async fn ask_about_one(&self, cx: &Context, run_id: &str) -> Result<(), Trouble> {
        if let Some(known) = self.runs.borrow_mut().get(run_id) {
            known.asking(cx.now());
        }
        let has_news = self.runs.borrow_mut().get(run_id).is_some_and(|known| !known.feed.is_empty());
        if has_news {
            return self.send_progress(cx, run_id).await;
        }
        let runner = self.runner()?;
        let path = of_run(run_id, "control");
        let answered = self.server.get(cx, &runner, &path, SHORT_PATIENCE).await;
        let heard = self.note_trouble(cx, run_id, answered)?;
        if let Some(known) = self.runs.borrow_mut().get(run_id) {
            known.hear(&heard);
        }
        Ok(())
    }

    /// Sends what waits, batch after batch. Another call that is at it already sends
    /// it all.
    pub(super) async fn send_progress(&self, cx: &Context, run_id: &str) -> Result<(), Trouble> {
        loop {
            let next = self.runs.borrow_mut().get(run_id).and_then(|known| known.feed.begin(cx.now()));
            let Some(batch) = next else { return Ok(()) };
            let path = of_run(run_id, "progress");
            let answered = self.post(cx, &path, &batch, SHORT_PATIENCE).await;
            if let Some(known) = self.runs.borrow_mut().get(run_id) {
                match &answered {
                    Err(trouble) if trouble.may_pass() => known.feed.unanswered(),
                    _ => known.feed.answered(),
                }
            }
            let heard = self.note_trouble(cx, run_id, answered)?;
            if let (Some(known), Some(control)) = (self.runs.borrow_mut().get(run_id), heard.get("control")) {
                known.hear(control);
            }
        }
    }

    /// Waits until no batch is on its way: what joined the feed meanwhile goes with the
    /// next one.
    pub(super) async fn batch_arrived(&self, cx: &Context, run_id: &str) {
        for _ in 0..LOOKS_AT_A_BATCH {
            let sending = self.runs.borrow_mut().get(run_id).is_some_and(|known| known.feed.is_sending());
            if !sending || cx.sleep(BETWEEN_LOOKS).await.is_err() {
                return;
            }
        }
    }

    fn note_trouble<T>(
        &self,
        cx: &Context,
        run_id: &str,
        answered: Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        match &answered {
            Err(Trouble::NotOurs(problem) | Trouble::AlreadyFinished(problem)) => {
                if let Some(known) = self.runs.borrow_mut().get(run_id) {
                    known.lost(problem.message.clone());
                }
            }
            Err(trouble) => {
                if let Some(pause) = trouble.pause() {
                    self.runs.borrow_mut().pause(cx.now(), pause);
                }
            }
            Ok(_) => {}
        }
        answered
    }

    /// Hands the server's words on to the host.
    pub(super) fn pass_on(&self, cx: &Context, runs: &[RunStatus]) {
        for status in runs.iter().filter(|status| status.state != "reporting") {
            let Ok(assignment) = Assignment::of(&status.at.task) else { continue };
            for word in self.runs.borrow_mut().words(&assignment.run_id, cx.now()) {
                cx.control(&status.at.run, word);
            }
        }
    }
}
