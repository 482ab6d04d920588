//! Registration, and the signs of life of the whole host.

use hostler_sdk::tracker::{Control, RunStatus};
use hostler_sdk::{Context, Problem};
use serde_json::{Value, json};

use super::keeping::SHORT_PATIENCE;
use super::{PATIENCE, Tale, not_registered};
use crate::ending::{CANCELLED, Failure};
use crate::identity::Identity;
use crate::runs::Hold;
use crate::server::Trouble;

impl Tale {
    /// Says who this host is. The server takes it for a sign of life.
    pub(super) async fn send_registration(&self, cx: &Context) -> Result<(), Problem> {
        let identity = self.identity.borrow().clone().ok_or_else(not_registered)?;
        self.signs.borrow_mut().given(cx.now());
        let sent = self.server.post(cx, "runtimes/register", &identity.daemon_id, &identity, PATIENCE).await;
        self.note_pause(cx, &sent);
        sent.map_err(Trouble::into_problem)?;
        self.registered.set(true);
        Ok(())
    }

    /// Shows that the host is there, if it is time for that, and hears which runs
    /// somebody wants ended.
    pub(super) async fn show_life(&self, cx: &Context, runs: &[RunStatus]) -> Result<(), Problem> {
        let Some(identity) = self.identity.borrow().clone() else { return Ok(()) };
        if !self.signs.borrow().is_due(cx.now()) || self.runs.borrow().has_leftovers() {
            return Ok(());
        }
        if !self.registered.get() {
            return self.send_registration(cx).await;
        }
        self.signs.borrow_mut().given(cx.now());
        let path = "runtimes/heartbeat";
        let sent = self.server.post(cx, path, &identity.daemon_id, &json!({}), SHORT_PATIENCE).await;
        self.note_pause(cx, &sent);
        let answer = sent.map_err(Trouble::into_problem)?;
        let cancelled = answer.get("cancel").and_then(Value::as_array).into_iter().flatten();
        for external_run_id in cancelled.filter_map(Value::as_str) {
            self.cancel(cx, &identity, runs, external_run_id).await;
        }
        if answer.get("known").and_then(Value::as_bool) == Some(false) {
            self.registered.set(false);
            cx.log("info", "Tale does not know this host any more; it registers again.");
            return self.send_registration(cx).await;
        }
        Ok(())
    }

    /// A run that nobody here knows of is ended at the server, or it would stay
    /// claimed until it times out.
    async fn cancel(&self, cx: &Context, identity: &Identity, runs: &[RunStatus], external_run_id: &str) {
        let is_it = |status: &&RunStatus| {
            Hold::of(&status.at).is_some_and(|hold| hold.external_run_id == external_run_id)
        };
        let ours: Vec<&RunStatus> = runs.iter().filter(is_it).collect();
        for status in &ours {
            cx.control(&status.at.run, Control::Cancel(CANCELLED.to_owned()));
        }
        if !ours.is_empty() || self.runs.borrow().was_claimed(external_run_id) {
            return;
        }
        let hold = Hold {
            external_run_id: external_run_id.to_owned(),
            daemon_id: identity.daemon_id.clone(),
            fence: 0.0,
        };
        if let Err(Trouble::Unanswered(problem) | Trouble::Refused(problem)) =
            self.fail(cx, &hold, &Failure::new(CANCELLED, false)).await
        {
            cx.log("warn", format!("A cancelled run could not be ended: {}", problem.message));
        }
    }

    fn note_pause(&self, cx: &Context, sent: &Result<Value, Trouble>) {
        if let Some(pause) = sent.as_ref().err().and_then(Trouble::pause) {
            self.signs.borrow_mut().pause(cx.now(), pause);
        }
    }
}
