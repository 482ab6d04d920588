//! The protocol: what each operation of the host says to the server.
//!
//! The start, reports and giving back are here; [`claiming`] looks for tasks, and
//! [`keeping`] is what is said and heard while runs are held.

mod claiming;
mod keeping;

use std::cell::{Cell, RefCell};

use hostler_sdk::tracker::{
    Attempt, Control, FollowUp, Polled, Progress, Report, RunPlan, RunRef, RunStatus, Runner, Task, Verdict,
    Workspace,
};
use hostler_sdk::{Config, Context, Instant, Problem, Section, Tracker};
use serde_json::json;

use crate::agent::{self, Agent};
use crate::assignment::Assignment;
use crate::ending::Ending;
use crate::feed::Event;
use crate::judgement;
use crate::pace::Backoff;
use crate::runs::{Runs, Saved};
use crate::server::{PATIENCE, Server, Trouble, of_run};
use crate::settings::Settings;

/// This host, as a runner of Trakkar.
pub struct Trakkar {
    server: Server,
    settings: Settings,
    /// Absent until the host has said who it is.
    runner: RefCell<Option<String>>,
    /// Absent until the server has said who the token is for.
    agent: RefCell<Option<Agent>>,
    runs: RefCell<Runs>,
    backoff: RefCell<Backoff>,
    /// How many runs the host does at once, as its last look for tasks tells.
    host_slots: Cell<Option<u32>>,
    /// When the server last heard that this host is alive.
    shown: Cell<Option<Instant>>,
    /// Tasks that a dry run has told of.
    rehearsed: RefCell<Vec<String>>,
}

impl Tracker for Trakkar {
    fn open(config: Config, saved: Option<Vec<u8>>) -> Result<Self, Problem> {
        let settings = Settings::read(&config)?;
        let saved: Saved = saved.and_then(|saved| serde_json::from_slice(&saved).ok()).unwrap_or_default();
        Ok(Self {
            server: Server::new(&settings.url),
            settings,
            runner: RefCell::default(),
            agent: RefCell::default(),
            runs: RefCell::new(Runs::after(saved)),
            backoff: RefCell::default(),
            host_slots: Cell::default(),
            shown: Cell::default(),
            rehearsed: RefCell::default(),
        })
    }

    async fn register(&self, cx: &Context, runner: Runner) -> Result<(), Problem> {
        if !self.settings.dry_run {
            agent::check_worker(self.settings.worker, &runner)?;
        }
        // The server wants a bare UUID.
        let id = runner.id.strip_prefix("host_").unwrap_or(&runner.id).to_owned();
        self.runner.replace(Some(id));
        self.ask_who_we_are(cx).await.map(|_| ()).map_err(Trouble::into_problem)
    }

    async fn poll(&self, cx: &Context, limit: u32) -> Result<Polled, Problem> {
        let claimed = self.look_for_tasks(cx, limit).await;
        match claimed {
            Ok(claimed) => {
                self.backoff.borrow_mut().reset();
                Ok(Polled { claimed, pace: Some(self.settings.interval), ..Polled::default() })
            }
            Err(trouble) => Err(self.slowed_down(trouble)),
        }
    }

    async fn heartbeat(&self, cx: &Context, runs: Vec<RunStatus>) -> Result<Vec<(String, Control)>, Problem> {
        self.runs.borrow_mut().compare(&runs, cx.now());
        let asked = self.ask_about(cx, &runs).await;
        let shown = if self.is_time_to_show(cx) { self.show_life(cx).await } else { Ok(()) };
        self.pass_on(cx, &runs);
        // What passes by itself is told by the next look for tasks.
        match asked.and(shown) {
            Err(trouble) if !trouble.may_pass() || trouble.is_about_token() => Err(trouble.into_problem()),
            _ => Ok(Vec::new()),
        }
    }

    async fn progress(&self, cx: &Context, run: RunRef, lines: Vec<Progress>) -> Result<(), Problem> {
        let assignment = Assignment::of(&run.task)?;
        match self.runs.borrow_mut().get(&assignment.run_id) {
            Some(known) => known.feed.tell(&lines),
            // A late line of a run that is over does not bring it back.
            None => return Ok(()),
        }
        // What did not arrive is sent again with the next heartbeat, or when the host
        // tells it again, which may be after a restart.
        self.send_progress(cx, &assignment.run_id).await.map_err(Trouble::into_problem)
    }

    async fn report(&self, cx: &Context, run: RunRef, report: Report) -> Result<(), Problem> {
        let Assignment { run_id, session_ref, .. } = Assignment::of(&run.task)?;
        let ending = Ending::of(&report, &run.task.title, session_ref.as_deref());
        self.tell_last_words(cx, &run_id, &ending).await;
        self.tell_pull_request(cx, &run_id, &ending).await?;
        let path = of_run(&run_id, "finish");
        match self.post(cx, &path, &ending.finish, PATIENCE).await {
            Ok(_) | Err(Trouble::AlreadyFinished(_)) => {
                let mut runs = self.runs.borrow_mut();
                runs.remember(&run.task.id, &ending.finish.summary);
                runs.over(&run_id);
                Ok(())
            }
            Err(Trouble::NotOurs(problem)) => {
                self.runs.borrow_mut().over(&run_id);
                Err(problem)
            }
            Err(trouble) => Err(trouble.into_problem()),
        }
    }

    async fn release(&self, cx: &Context, run: RunRef) -> Result<(), Problem> {
        let run_id = Assignment::of(&run.task)?.run_id;
        self.give_back(cx, &run_id, "shutdown").await
    }

    async fn follow_up(&self, cx: &Context, run: RunRef, word: FollowUp) -> Result<(), Problem> {
        let previous = Assignment::of(&run.task)?.run_id;
        let wish = json!({
            "previous_run_id": previous,
            "message": word.message,
            "idempotency_key": format!("{}-{}", run.run, word.number),
        });
        let runner = self.runner().map_err(Trouble::into_problem)?;
        let answered = self.server.continue_task(cx, &runner, &run.task.id, &wish).await;
        answered.map_err(Trouble::into_problem)
    }

    fn save(&self) -> Vec<u8> {
        serde_json::to_vec(&self.runs.borrow().save()).unwrap_or_default()
    }

    fn plan(config: &Config, task: &Task) -> Result<RunPlan, Problem> {
        judgement::plan(&Settings::read(config)?, task)
    }

    fn prompt(_: &Config, task: &Task, at: &Workspace, history: &[Attempt]) -> Result<Vec<Section>, Problem> {
        judgement::prompt(task, at, history)
    }

    fn retry(_: &Config, _: &Task, history: &[Attempt]) -> Verdict {
        judgement::retry(history)
    }
}

impl Trakkar {
    /// What the verify command found, and everything that still waits: nothing is told
    /// after the end. Progress is a courtesy, so that it does not arrive is no reason
    /// to keep the report.
    async fn tell_last_words(&self, cx: &Context, run_id: &str, ending: &Ending) {
        {
            let mut runs = self.runs.borrow_mut();
            let known = runs.entry(run_id);
            if !std::mem::replace(&mut known.last_words_told, true) {
                let verified = ending.verification.as_ref().map(|text| Event::verify(text, cx.now()));
                let notes = ending.notes.iter().map(|text| Event::status(text, cx.now()));
                verified.into_iter().chain(notes).for_each(|event| known.feed.push(event));
            }
        }
        self.batch_arrived(cx, run_id).await;
        if let Err(trouble) = self.send_progress(cx, run_id).await {
            cx.log("debug", trouble.into_problem().message);
        }
    }

    /// The pull request comes before the end, and once.
    async fn tell_pull_request(&self, cx: &Context, run_id: &str, ending: &Ending) -> Result<(), Problem> {
        let Some(request) = &ending.pull_request else { return Ok(()) };
        if self.runs.borrow_mut().entry(run_id).pull_request_told {
            return Ok(());
        }
        match self.post(cx, &of_run(run_id, "pr"), request, PATIENCE).await {
            Err(trouble) if trouble.may_pass() => return Err(trouble.into_problem()),
            Err(trouble) => cx.log(
                "warn",
                format!(
                    "{} is open, but its task does not show it: {}",
                    request.url,
                    trouble.into_problem().message
                ),
            ),
            Ok(_) => self.runs.borrow_mut().entry(run_id).pull_request_told = true,
        }
        Ok(())
    }

    async fn give_back(&self, cx: &Context, run_id: &str, reason: &str) -> Result<(), Problem> {
        let answered =
            self.post(cx, &of_run(run_id, "release"), &json!({ "reason": reason }), PATIENCE).await;
        match answered {
            // What is not ours need not be given back.
            Ok(_) | Err(Trouble::NotOurs(_) | Trouble::AlreadyFinished(_)) => {
                self.runs.borrow_mut().over(run_id);
                Ok(())
            }
            Err(trouble) => Err(trouble.into_problem()),
        }
    }
}
