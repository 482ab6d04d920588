//! A loaded plugin: who it is, and the calls that need no instance of their own.

use hostler_engine::plan::Wish;
use hostler_engine::problem::Problem;
use hostler_engine::run::Attempt;
use hostler_engine::task::{Section, Task};
use hostler_engine::verdict::Verdict;

use crate::admission::Admitted;
use crate::call_error::{CallError, Fault};
use crate::connection::Connection;
use crate::contract::Kind;
use crate::convert;
use crate::digest::Digest;
use crate::job::{Capabilities, Invocation, Job};
use crate::limits::{CallLimits, INPUT_BYTES};
use crate::manifest::Manifest;
use crate::operation::Workplace;
use crate::sandbox::{Live, Sandbox, Source};
use crate::session::Session;

/// What a call gave: the call itself can fail ([`CallError`], the plugin's fault),
/// and the plugin can answer with a [`Problem`].
pub type Answer<T> = Result<Result<T, Problem>, CallError>;

/// A loaded plugin. Its methods block, for as long as the limits allow at most;
/// they may be called from several threads at once.
pub struct Plugin {
    digest: Digest,
    kinds: Vec<Kind>,
    manifest: Manifest,
    source: Source,
}

impl Plugin {
    pub(crate) fn new(admitted: Admitted, source: Source) -> Self {
        Self { digest: admitted.digest, kinds: admitted.kinds, manifest: admitted.manifest, source }
    }

    /// The id from the manifest.
    pub fn id(&self) -> &str {
        &self.manifest.plugin.id
    }

    /// SHA-256 of the plugin file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Which interfaces it exports.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads what the CLI's version command printed.
    pub fn detect(&self, version_output: &str) -> Result<Capabilities, CallError> {
        self.fresh("detect", self.source.core.limits.launch, |live| {
            check_input(version_output.len())?;
            let found =
                live.enter(|store, plugin| Ok(plugin.provider()?.call_detect(store, version_output)))?;
            Ok(found.into())
        })
    }

    /// How to start a job.
    pub fn launch(&self, job: Job) -> Answer<Invocation> {
        self.fresh("launch", self.source.core.limits.launch, |live| {
            check_input(job.prompt.len())?;
            let job = job.into();
            let found = live.enter(|store, plugin| Ok(plugin.provider()?.call_launch(store, &job)))?;
            Ok(found.map(Into::into).map_err(|found| convert::problem(&found)))
        })
    }

    /// Reads one attempt's output, in an instance of its own.
    pub fn session(&self, job: Job) -> Result<Session, CallError> {
        let sandbox = self.source.open("session", self.source.core.limits.session)?;
        Session::start(sandbox, job)
    }

    /// Opens a connection to a tracker, in an instance of its own. `config` is a
    /// JSON object without secrets, `saved` what an earlier connection saved.
    pub fn connect(&self, config: &str, saved: Option<&[u8]>) -> Answer<Connection> {
        let sandbox = self.source.open("connection.open", self.source.core.limits.tracker)?;
        Connection::open(sandbox, config, saved)
    }

    /// What a run of this task should look like.
    pub fn plan(&self, config: &str, task: Task) -> Answer<Wish> {
        self.fresh("plan", self.source.core.limits.judgement, |live| {
            let (config, task) = (config.to_owned(), task.into());
            let found = live.enter(|store, plugin| Ok(plugin.tracker()?.call_plan(store, &config, &task)))?;
            Ok(found.map(convert::wish).map_err(|found| convert::problem(&found)))
        })
    }

    /// The prompt for the next attempt.
    pub fn prompt(
        &self,
        config: &str,
        task: Task,
        at: Workplace,
        history: &[Attempt],
    ) -> Answer<Vec<Section>> {
        self.fresh("prompt", self.source.core.limits.judgement, |live| {
            let (config, task, at) = (config.to_owned(), task.into(), at.into());
            let history: Vec<_> = history.iter().map(Into::into).collect();
            let found = live.enter(|store, plugin| {
                Ok(plugin.tracker()?.call_prompt(store, &config, &task, &at, &history))
            })?;
            let sections = found.map(|found| found.into_iter().map(convert::section).collect());
            Ok(sections.map_err(|found| convert::problem(&found)))
        })
    }

    /// What to do after a failed attempt.
    pub fn retry(&self, config: &str, task: Task, history: &[Attempt]) -> Result<Verdict, CallError> {
        self.fresh("retry", self.source.core.limits.judgement, |live| {
            let (config, task) = (config.to_owned(), task.into());
            let history: Vec<_> = history.iter().map(Into::into).collect();
            let found = live
                .enter(|store, plugin| Ok(plugin.tracker()?.call_retry(store, &config, &task, &history)))?;
            Ok(found.into())
        })
    }

    /// Runs one call in an instance that nobody else ever sees.
    fn fresh<T>(
        &self,
        call: &'static str,
        limits: CallLimits,
        run: impl FnOnce(&mut Live) -> Result<T, Fault>,
    ) -> Result<T, CallError> {
        let mut sandbox: Sandbox = self.source.open(call, limits)?;
        sandbox.call(call, run)
    }
}

/// Refuses an argument that would fill the guest's memory.
pub(crate) fn check_input(bytes: usize) -> Result<(), Fault> {
    if bytes > INPUT_BYTES { Err(Fault::InputTooLarge(bytes)) } else { Ok(()) }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("id", &self.id()).field("digest", &self.digest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_may_reach_the_limit_and_not_pass_it() {
        assert_eq!(check_input(INPUT_BYTES), Ok(()));
        assert_eq!(check_input(INPUT_BYTES + 1), Err(Fault::InputTooLarge(8_388_609)));
    }
}
