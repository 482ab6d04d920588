//! What is said while runs are held: renewals, progress, and giving back what nobody
//! works on any more.

use hostler_sdk::tracker::{Control, Progress, RunRef, RunStatus};
use hostler_sdk::{Context, Milliseconds, Problem};
use serde::Serialize;
use serde_json::Value;

use super::{LEASE, Tale, given_out_again};
use crate::ending::{CANCELLED, Failure};
use crate::runs::Hold;
use crate::server::{Trouble, of_run};
use crate::text::{head, one_line, without_paths};

/// Longest wait for the answer to a renewal: several must fit into a lease.
pub(super) const SHORT_PATIENCE: Milliseconds = 10_000;

/// A round of renewals that has taken so long ends; the next one begins with the
/// runs that were left out.
const RENEWING_FOR: Milliseconds = 15_000;

/// The server shows so many characters of a line of progress.
const PROGRESS_CHARS: usize = 200;

/// An event of one run.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Tale {
    /// Renews the leases one by one, the oldest first, and passes on what the server
    /// says of each run. Gives the first problem.
    pub(super) async fn renew(&self, cx: &Context, runs: &[RunStatus]) -> Result<(), Problem> {
        let begun = cx.now();
        let mut order: Vec<&RunStatus> = runs.iter().collect();
        order.sort_by(|one, other| {
            let runs = self.runs.borrow();
            runs.renewed_at(&one.at.run).total_cmp(&runs.renewed_at(&other.at.run))
        });
        let mut result = Ok(());
        for status in order {
            if cx.now() - begun >= f64::from(RENEWING_FOR) {
                break;
            }
            if let Err(problem) = self.renew_one(cx, status).await
                && result.is_ok()
            {
                result = Err(problem);
            }
        }
        result
    }

    async fn renew_one(&self, cx: &Context, status: &RunStatus) -> Result<(), Problem> {
        let RunRef { run, task, .. } = &status.at;
        let Some(hold) = Hold::of(&status.at) else { return Ok(()) };
        if self.runs.borrow().is_stale(&hold) {
            // A run that has ended here may be out again because of its own report,
            // which has no answer yet: that answer decides.
            if status.state != "reporting" {
                cx.control(run, Control::LeaseLost(given_out_again(task)));
            }
            return Ok(());
        }
        if !self.runs.borrow().is_renewal_due(run, cx.now()) {
            return Ok(());
        }
        self.runs.borrow_mut().renewing(run, cx.now());
        let starts = status.state == "running" && self.runs.borrow_mut().must_tell_start(run);
        let kind = if starts { "started" } else { "heartbeat" };
        let answered = self.send_event(cx, &hold, kind, None).await;
        if answered.is_err() && starts {
            self.runs.borrow_mut().start_untold(run);
        }
        let answer = answered.map_err(Trouble::into_problem)?;
        self.pass_on(cx, status, &answer);
        Ok(())
    }

    /// What the server says of a run: `ok` (it is ours and live), `cancelRequested`.
    fn pass_on(&self, cx: &Context, status: &RunStatus, answer: &Value) {
        let RunRef { run, task, .. } = &status.at;
        let flag = |name: &str| answer.get(name).and_then(Value::as_bool);
        match flag("ok") {
            Some(true) => {
                cx.control(run, Control::Renewed(LEASE));
                if flag("cancelRequested") == Some(true) {
                    cx.control(run, Control::Cancel(CANCELLED.to_owned()));
                }
            }
            // After a report that is as it should be: the answer to it decides.
            Some(false) if status.state == "reporting" || self.runs.borrow().is_reported(run) => {}
            Some(false) => {
                self.runs.borrow_mut().over(&status.at);
                let message = format!("Tale does not count the run of {} as this host's any more.", task.key);
                cx.control(run, Control::LeaseLost(message));
            }
            None => {}
        }
    }

    /// Shows the newest line, if it is time for one.
    pub(super) async fn show_progress(
        &self,
        cx: &Context,
        at: &RunRef,
        lines: &[Progress],
    ) -> Result<(), Problem> {
        let newest = lines.iter().rev().map(|line| one_line(&line.text)).find(|text| !text.is_empty());
        let (Some(newest), Some(hold)) = (newest, Hold::of(at)) else { return Ok(()) };
        let stale = self.runs.borrow().is_stale(&hold);
        if stale || !self.runs.borrow_mut().may_progress(at, &hold, cx.now()) {
            return Ok(());
        }
        let starts = self.runs.borrow_mut().must_tell_start(&at.run);
        if starts && let Err(trouble) = self.send_event(cx, &hold, "started", None).await {
            self.runs.borrow_mut().start_untold(&at.run);
            return Err(trouble.into_problem());
        }
        let message = head(&without_paths(&newest), PROGRESS_CHARS);
        let sent = self.send_event(cx, &hold, "progress", Some(&message)).await;
        sent.map(|_| ()).map_err(Trouble::into_problem)
    }

    async fn send_event(
        &self,
        cx: &Context,
        hold: &Hold,
        kind: &'static str,
        message: Option<&str>,
    ) -> Result<Value, Trouble> {
        let path = of_run(&hold.external_run_id, "events");
        let event = Event { kind, message };
        let answered = self.server.post(cx, &path, &hold.daemon_id, &event, SHORT_PATIENCE).await;
        if let Some(pause) = answered.as_ref().err().and_then(Trouble::pause) {
            self.runs.borrow_mut().pause(cx.now(), pause);
        }
        answered
    }

    /// Gives back what the server counts as ours and nobody works on, so that it need
    /// not wait for a lease to run out that every sign of life would renew.
    pub(super) async fn give_back(&self, cx: &Context) {
        if self.claiming.get() > 0 {
            // The claim may bring one of them back to us.
            return;
        }
        let leftovers = self.runs.borrow_mut().take_leftovers();
        for hold in leftovers {
            let failure = Failure::new("the daemon does not work on this run any more", true);
            self.resending.update(|count| count + 1);
            let answered = self.fail(cx, &hold, &failure).await;
            self.resending.update(|count| count - 1);
            let Err(trouble @ (Trouble::Unanswered(_) | Trouble::Refused(_))) = answered else { continue };
            if trouble.may_pass() {
                self.runs.borrow_mut().leave_over(hold);
            }
            cx.log("warn", format!("A run could not be given back: {}", trouble.into_problem().message));
        }
    }
}
