//! Who we are, whether we live, and which tasks are ours.

use hostler_sdk::tracker::{Claim, Lease, Task};
use hostler_sdk::{Context, Milliseconds, Problem};
use serde::Serialize;
use serde_json::{Value, json};

use super::Trakkar;
use crate::agent::Agent;
use crate::assignment::{self, Assignment};
use crate::runs::LEASE;
use crate::server::{PATIENCE, Trouble, of_task};

/// The host asks about its runs so often: with a second for the requests, a Stop is
/// heard within five.
pub(super) const ASK_EVERY: Milliseconds = 4_000;

/// Longest wait for the answer to a sign of life.
const SHORT_PATIENCE: Milliseconds = 10_000;

/// So many tasks are remembered that a dry run has told of.
const REHEARSED: usize = 1_000;

impl Trakkar {
    /// Reads the agent's settings. They count until the next start.
    pub(super) async fn ask_who_we_are(&self, cx: &Context) -> Result<Agent, Trouble> {
        let runner = self.runner()?;
        let answer = self.server.get(cx, &runner, "me", PATIENCE).await?;
        let agent = Agent::read(&answer);
        cx.slots(agent.concurrency(&self.settings));
        cx.log("info", format!("Works as {} for Trakkar.", agent.name));
        for warning in agent.warnings(&self.settings) {
            cx.log("warn", warning);
        }
        self.agent.replace(Some(agent.clone()));
        Ok(agent)
    }

    /// One look for tasks: as many as there is room for become ours.
    pub(super) async fn look_for_tasks(&self, cx: &Context, limit: u32) -> Result<Vec<Claim>, Trouble> {
        self.host_slots.set(Some(limit.saturating_add(self.runs.borrow().working())));
        let known = self.agent.borrow().clone();
        let agent = match known {
            Some(agent) => agent,
            None => self.ask_who_we_are(cx).await?,
        };
        if let Err(trouble) = self.show_life(cx).await
            && (!trouble.may_pass() || trouble.is_about_token() || matches!(trouble, Trouble::Disabled(_)))
        {
            return Err(trouble);
        }
        let slots = limit.min(self.free_slots(&agent));
        if slots == 0 {
            return Ok(Vec::new());
        }
        let tasks = self.claim(cx, slots).await?;
        if self.settings.dry_run {
            self.rehearse(cx, &tasks).await?;
            return Ok(Vec::new());
        }
        Ok(tasks.iter().filter_map(|task| self.taken(cx, &agent, task)).collect())
    }

    /// The pause after a look that did not work.
    pub(super) fn slowed_down(&self, trouble: Trouble) -> Problem {
        let pause = self.backoff.borrow_mut().next(self.settings.interval);
        let problem = trouble.into_problem();
        let asked = problem.retry_after.unwrap_or_default();
        problem.after(pause.max(asked))
    }

    async fn claim(&self, cx: &Context, slots: u32) -> Result<Vec<Value>, Trouble> {
        let runner = self.runner()?;
        let body = json!({ "runner_id": runner, "slots": slots, "provider": self.settings.worker.name() });
        match self.post(cx, "tasks/claim", &body, PATIENCE).await {
            Ok(mut answer) => match answer.get_mut("tasks").map(Value::take) {
                Some(Value::Array(tasks)) => Ok(tasks),
                _ => Ok(Vec::new()),
            },
            // Another runner was faster.
            Err(Trouble::NotOurs(_)) => Ok(Vec::new()),
            // Once in an outage is enough.
            Err(Trouble::Unanswered(problem)) if self.backoff.borrow().is_fresh() => {
                cx.log(
                    "warn",
                    "A claim had no answer. If Trakkar has handed out a task with it, that task shows a runner without a sign of life; delegate it again.",
                );
                Err(Trouble::Unanswered(problem))
            }
            Err(trouble) => Err(trouble),
        }
    }

    fn taken(&self, cx: &Context, agent: &Agent, payload: &Value) -> Option<Claim> {
        let mut runs = self.runs.borrow_mut();
        let summary = payload.get("id").and_then(Value::as_str).and_then(|id| runs.summary(id));
        let Some(task) = assignment::read(payload, agent.base_branch.as_deref(), summary) else {
            cx.log("warn", "Trakkar handed out a task without an id, which nobody can work on.");
            return None;
        };
        let run_id = Assignment::of(&task).ok()?.run_id;
        let fence = runs.claimed(&run_id, cx.now());
        // Trakkar takes no task back; the lease is there for its rhythm.
        let lease = Some(Lease { ttl: LEASE, renew_every: ASK_EVERY, fence });
        Some(Claim { task, lease, environment: Vec::new() })
    }

    // ── dry runs ────────────────────────────────────────────────────────────

    /// Reads each task, says what would be done, and gives it back.
    async fn rehearse(&self, cx: &Context, tasks: &[Value]) -> Result<(), Trouble> {
        for payload in tasks {
            let Some(task) = assignment::read(payload, None, None) else { continue };
            let Ok(assignment) = Assignment::of(&task) else { continue };
            let runner = self.runner()?;
            let read = self.server.get(cx, &runner, &of_task(&task.id, ""), PATIENCE).await;
            self.tell_rehearsal(cx, &task, &assignment, read.is_ok());
            if let Err(problem) = self.give_back(cx, &assignment.run_id, "dry_run").await {
                cx.log("warn", format!("{} could not be given back: {}", task.key, problem.message));
            }
        }
        Ok(())
    }

    /// A task that was given back comes again with the next look; once is enough.
    fn tell_rehearsal(&self, cx: &Context, task: &Task, assignment: &Assignment, was_read: bool) {
        let mut rehearsed = self.rehearsed.borrow_mut();
        if rehearsed.contains(&task.id) {
            return;
        }
        if rehearsed.len() == REHEARSED {
            rehearsed.remove(0);
        }
        rehearsed.push(task.id.clone());
        let branch = assignment.branch(task);
        let read = if was_read { "" } else { " (it could not be read again)" };
        cx.notice(&format!(
            "Dry run: {} “{}” would be worked on, on the branch {branch}{read}.",
            task.key, task.title
        ));
    }

    // ── signs of life ───────────────────────────────────────────────────────

    /// Says that this host lives, and what it works on.
    pub(super) async fn show_life(&self, cx: &Context) -> Result<(), Trouble> {
        #[derive(Serialize)]
        struct Life<'a> {
            runner_id: &'a str,
            running: Vec<String>,
            free_slots: u32,
        }
        let id = self.runner()?;
        let agent = self.agent.borrow().clone().unwrap_or_default();
        self.shown.set(Some(cx.now()));
        let life = Life {
            runner_id: &id,
            running: self.runs.borrow().ids().into_iter().map(str::to_owned).collect(),
            free_slots: self.free_slots(&agent),
        };
        self.post(cx, "heartbeat", &life, SHORT_PATIENCE).await.map(|_| ())
    }

    /// Looks for tasks show life too, but a host without a free slot does not look.
    pub(super) fn is_time_to_show(&self, cx: &Context) -> bool {
        let due = |shown| cx.now() - shown >= f64::from(self.settings.interval);
        self.agent.borrow().is_some() && self.shown.get().is_none_or(due)
    }

    fn free_slots(&self, agent: &Agent) -> u32 {
        let of_host = self.host_slots.get();
        let at_once = agent.concurrency(&self.settings).min(of_host.unwrap_or(u32::MAX));
        at_once.saturating_sub(self.runs.borrow().working())
    }

    pub(super) fn runner(&self) -> Result<String, Trouble> {
        self.runner.borrow().clone().ok_or_else(|| {
            Trouble::Refused(Problem::transient(
                "The host has not said yet who it is; it is asked for tasks as soon as it has.",
            ))
        })
    }

    pub(super) async fn post(
        &self,
        cx: &Context,
        path: &str,
        body: &impl Serialize,
        timeout: Milliseconds,
    ) -> Result<Value, Trouble> {
        let runner = self.runner()?;
        self.server.post(cx, &runner, path, body, timeout).await
    }
}
