//! The protocol: what each operation of the host says to the server.
//!
//! Claims and reports are here; what is said while a run is held is in
//! [`keeping`], registration and the signs of life of the whole host in [`presence`].

mod keeping;
mod presence;

use std::cell::{Cell, RefCell};

use hostler_sdk::tracker::{
    Attempt, Claim, Control, Lease, Polled, Progress, Report, RunPlan, RunRef, RunStatus, Runner, Task,
    Verdict, Workspace,
};
use hostler_sdk::{Config, Context, Instant, Milliseconds, Problem, Section, Tracker};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::assignment::{Assignment, Work};
use crate::ending::{Ending, Failure};
use crate::identity::Identity;
use crate::judgement;
use crate::pace::Pace;
use crate::runs::{Hold, Runs};
use crate::server::{Server, Trouble, of_run};
use crate::settings::Settings;
use crate::signs_of_life::SignsOfLife;

/// A lease lasts so long from each sign of life.
const LEASE: Milliseconds = 60_000;

/// Leases are renewed this often.
const RENEW_EVERY: Milliseconds = 15_000;

/// Longest wait for an answer to a claim or a report.
const PATIENCE: Milliseconds = 30_000;

/// No further run is claimed in a poll that has taken so long: the ones it brought
/// have leases that run out.
const CLAIMING_FOR: Milliseconds = 15_000;

/// Pause after a claim that did not work.
const AFTER_TROUBLE: Milliseconds = 15_000;

/// Pause of whoever has to let another request go first.
const AFTER_THE_OTHER: Milliseconds = 3_000;

/// Looks at a claim under way before a report is put off: two seconds, in which every
/// server that is well answers.
const LOOKS_AT_A_CLAIM: u32 = 20;

/// Between two of them.
const BETWEEN_LOOKS: Milliseconds = 100;

/// This host, as a daemon of Tale.
pub struct Tale {
    server: Server,
    settings: Settings,
    /// Absent until the host has said who it is.
    identity: RefCell<Option<Identity>>,
    registered: Cell<bool>,
    signs: RefCell<SignsOfLife>,
    pace: RefCell<Pace>,
    runs: RefCell<Runs>,
    /// Claims that wait for their answer.
    claiming: Cell<u32>,
    /// When the last claim was sent that the host may not have written down yet.
    last_claim: Cell<Option<Instant>>,
    /// Failures that may make the server hand a run out again, on their way although
    /// an earlier try may have arrived.
    resending: Cell<u32>,
}

/// What a new connection is told by the one before it.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
struct Saved {
    silent_until: Instant,
    reports_perhaps_taken: Vec<String>,
}

impl Tracker for Tale {
    fn open(config: Config, saved: Option<Vec<u8>>) -> Result<Self, Problem> {
        let settings = Settings::read(&config)?;
        let saved: Saved = saved.and_then(|saved| serde_json::from_slice(&saved).ok()).unwrap_or_default();
        Ok(Self {
            server: Server::new(settings.clone()),
            settings,
            identity: RefCell::default(),
            registered: Cell::default(),
            signs: RefCell::new(SignsOfLife::silent_until(saved.silent_until)),
            pace: RefCell::default(),
            runs: RefCell::new(Runs::with_reports_perhaps_taken(saved.reports_perhaps_taken)),
            claiming: Cell::default(),
            last_claim: Cell::default(),
            resending: Cell::default(),
        })
    }

    async fn register(&self, cx: &Context, runner: Runner) -> Result<(), Problem> {
        let identity = Identity::of(&runner, self.settings.daemon_id.as_deref())?;
        self.registered.set(false);
        self.identity.replace(Some(identity));
        if self.signs.borrow().is_silent(cx.now()) {
            return Ok(());
        }
        self.send_registration(cx).await
    }

    async fn poll(&self, cx: &Context, limit: u32) -> Result<Polled, Problem> {
        let identity = self.identity.borrow().clone().ok_or_else(not_registered)?;
        let begun = cx.now();
        let mut asked = None;
        for claimed in 0..limit {
            if self.resending.get() > 0 {
                asked = Some(f64::from(AFTER_THE_OTHER));
                break;
            }
            if cx.now() - begun >= f64::from(CLAIMING_FOR) {
                break;
            }
            let (claim, retry_after) = self.claim_one(cx, &identity).await?;
            let Some(claim) = claim else {
                if claimed == 0 {
                    asked = retry_after;
                }
                break;
            };
            // Told at once: what comes after may fail, and the run is ours already.
            cx.claimed(vec![claim]);
            self.pace.borrow_mut().busy(cx.now());
            asked = retry_after;
        }
        let pace = self.pace.borrow_mut().next(cx.now(), asked);
        Ok(Polled { pace: Some(pace), ..Polled::default() })
    }

    async fn heartbeat(&self, cx: &Context, runs: Vec<RunStatus>) -> Result<Vec<(String, Control)>, Problem> {
        if !runs.is_empty() {
            self.pace.borrow_mut().busy(cx.now());
        }
        self.forget_claim();
        self.runs.borrow_mut().compare(&runs);
        let renewed = self.renew(cx, &runs).await;
        self.give_back(cx).await;
        let shown = self.show_life(cx, &runs).await;
        renewed.and(shown).map(|()| Vec::new())
    }

    async fn progress(&self, cx: &Context, run: RunRef, lines: Vec<Progress>) -> Result<(), Problem> {
        self.show_progress(cx, &run, &lines).await
    }

    async fn report(&self, cx: &Context, run: RunRef, report: Report) -> Result<(), Problem> {
        let hold = Hold::of(&run).ok_or_else(|| unreadable(&run.task))?;
        let resumed = Assignment::of(&run.task).ok().and_then(|assignment| assignment.resumed());
        let ending = Ending::of(&report, resumed.as_deref());
        if self.runs.borrow().is_stale(&hold) {
            return self.report_after_another_claim(&run);
        }
        let perhaps_taken = self.runs.borrow_mut().reporting(&run);
        let comes_back = perhaps_taken && ending.may_come_back();
        if comes_back {
            // No claim begins from here on.
            self.resending.update(|count| count + 1);
            let answered = self.claims_answered(cx).await;
            let handed_out_again = self.runs.borrow().is_stale(&hold);
            if answered.is_err() || handed_out_again {
                self.resending.update(|count| count - 1);
                answered?;
                return self.report_after_another_claim(&run);
            }
        }
        let answered = self.send_ending(cx, &hold, &ending).await;
        if comes_back {
            self.resending.update(|count| count - 1);
        }
        self.pace.borrow_mut().busy(cx.now());
        let mut runs = self.runs.borrow_mut();
        match answered {
            Ok(_) => runs.over(&run),
            Err(Trouble::NotOurs(problem)) => {
                runs.over(&run);
                if !perhaps_taken {
                    return Err(problem);
                }
                cx.log("info", format!("{}: Tale has the report already.", run.task.key));
            }
            Err(Trouble::Unanswered(problem)) => {
                runs.report_unanswered(&run.run);
                return Err(problem);
            }
            Err(Trouble::Refused(problem)) => return Err(problem),
        }
        Ok(())
    }

    async fn release(&self, cx: &Context, run: RunRef) -> Result<(), Problem> {
        let hold = Hold::of(&run).ok_or_else(|| unreadable(&run.task))?;
        self.runs.borrow_mut().over(&run);
        // There is no way to give a run back but to fail it; the heartbeat goes on
        // trying if this does not work.
        self.runs.borrow_mut().leave_over(hold);
        self.give_back(cx).await;
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        // A host that dies before it has written a claim down knows nothing of its run:
        // for the next one it is a claim without an answer.
        let mut signs = *self.signs.borrow();
        if let Some(claim) = self.last_claim.get() {
            signs.claim_lost(claim);
        }
        let saved = Saved {
            silent_until: signs.end_of_silence(),
            reports_perhaps_taken: self.runs.borrow().reports_perhaps_taken(),
        };
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    fn plan(_: &Config, task: &Task) -> Result<RunPlan, Problem> {
        judgement::plan(task)
    }

    fn prompt(_: &Config, task: &Task, at: &Workspace, history: &[Attempt]) -> Result<Vec<Section>, Problem> {
        judgement::prompt(task, at, history)
    }

    fn retry(_: &Config, _: &Task, history: &[Attempt]) -> Verdict {
        judgement::retry(history)
    }
}

impl Tale {
    /// Asks for one run. Also gives when to ask again, as the server sees it.
    async fn claim_one(
        &self,
        cx: &Context,
        identity: &Identity,
    ) -> Result<(Option<Claim>, Option<f64>), Problem> {
        let body = json!({ "adapterTypes": identity.adapter_types() });
        self.claiming.update(|count| count + 1);
        self.last_claim.set(Some(cx.now()));
        let answered = self.server.post(cx, "runs/claim", &identity.daemon_id, &body, PATIENCE).await;
        self.claiming.update(|count| count - 1);
        let answer = match answered {
            Ok(answer) => answer,
            Err(Trouble::Unanswered(problem)) => {
                self.claim_lost(cx);
                return Err(problem.after(AFTER_TROUBLE));
            }
            Err(trouble) => return Err(trouble.into_problem()),
        };
        let retry_after = answer.get("retryAfterMs").and_then(Value::as_f64);
        if answer.get("run").is_some_and(Value::is_null) {
            self.forget_claim();
            return Ok((None, retry_after));
        }
        let work = answer.get("run").and_then(|run| Work::read(run, &identity.daemon_id));
        let Some(Work { task, external_run_id, environment }) = work else {
            self.claim_lost(cx);
            return Ok((None, retry_after));
        };
        let fence = self.runs.borrow_mut().claimed(&external_run_id, cx.now());
        let lease = Some(Lease { ttl: LEASE, renew_every: RENEW_EVERY, fence });
        Ok((Some(Claim { task, lease, environment }), retry_after))
    }

    /// Waits for a claim that is under way: if the first try of a report was taken, that
    /// claim may get this very run, and the report would end it. As a rule it is
    /// answered in a moment.
    async fn claims_answered(&self, cx: &Context) -> Result<(), Problem> {
        for _ in 0..LOOKS_AT_A_CLAIM {
            if self.claiming.get() == 0 {
                return Ok(());
            }
            cx.sleep(BETWEEN_LOOKS).await?;
        }
        let message = "The report waits until a claim that is under way is answered.";
        Err(Problem::transient(message).after(AFTER_THE_OTHER))
    }

    /// Nothing that was claimed is unknown to the host any more.
    fn forget_claim(&self) {
        if self.claiming.get() == 0 {
            self.last_claim.set(None);
        }
    }

    fn claim_lost(&self, cx: &Context) {
        self.signs.borrow_mut().claim_lost(cx.now());
        cx.log(
            "warn",
            "A claim had no usable answer, so Tale may have handed out a run that nobody here knows of; this host shows no sign of life until Tale takes it back.",
        );
    }

    /// The server has handed the run out to us again: its lease is not this run's.
    fn report_after_another_claim(&self, run: &RunRef) -> Result<(), Problem> {
        let mut runs = self.runs.borrow_mut();
        let perhaps_taken = runs.is_perhaps_taken(run);
        runs.over(run);
        if perhaps_taken { Ok(()) } else { Err(Problem::gone(given_out_again(&run.task))) }
    }

    async fn send_ending(&self, cx: &Context, hold: &Hold, ending: &Ending) -> Result<Value, Trouble> {
        match ending {
            Ending::Complete(completion) => {
                let path = of_run(&hold.external_run_id, "complete");
                self.server.post(cx, &path, &hold.daemon_id, completion, PATIENCE).await
            }
            Ending::Fail(failure) => self.fail(cx, hold, failure).await,
        }
    }

    async fn fail(&self, cx: &Context, hold: &Hold, failure: &Failure) -> Result<Value, Trouble> {
        let path = of_run(&hold.external_run_id, "fail");
        self.server.post(cx, &path, &hold.daemon_id, failure, PATIENCE).await
    }
}

fn given_out_again(task: &Task) -> String {
    format!("Tale gave {} out again, so an earlier run of it does not count any more.", task.key)
}

fn not_registered() -> Problem {
    Problem::transient("The host has not said yet who it is; it is asked for runs as soon as it has.")
}

fn unreadable(task: &Task) -> Problem {
    Problem::permanent(format!(
        "What was noted about {} cannot be read any more; cancel its run in Tale and assign the task again.",
        task.key
    ))
}
