//! What the audit log is told of a start, before it happens.

use hostler_agents::Sandbox;
use hostler_components::job::{Invocation, Job};
use hostler_engine::outcome::{Class, Outcome};
use hostler_engine::plan::Plan;
use hostler_engine::run::Run;
use hostler_journal::audit::{AuditError, Event};
use hostler_policy::Policies;

use crate::plugins::providers::Provider;
use crate::record::audited::{fingerprint, word};
use crate::rooms::Rooms;

/// An attempt that is about to be started.
pub struct About<'a> {
    /// How its processes are held together.
    pub rooms: &'a Rooms,
    /// Its run.
    pub run: &'a Run,
    /// Which one.
    pub attempt: u32,
    /// What was planned.
    pub plan: &'a Plan,
    /// Who works.
    pub provider: &'a Provider,
}

impl About<'_> {
    /// Values of slots may hold prompts, so only their hashes are told.
    pub fn launch(
        &self,
        job: &Job,
        invocation: &Invocation,
        sandbox: &Sandbox,
        policies: &Policies,
    ) -> Event {
        let slot = |(name, value): &(String, String)| (name.clone(), fingerprint(value));
        let ceiling = policies.permission();
        let capped_by = ceiling.by.filter(|_| ceiling.value == job.permission);
        Event::Launch {
            run: self.run.id.0.clone(),
            attempt: self.attempt,
            program: self.provider.program().display().to_string(),
            command: invocation.command.clone(),
            slots: invocation.slots.iter().map(slot).collect(),
            provider: self.provider.plugin.id().to_owned(),
            digest: self.provider.plugin.digest().to_string(),
            permission: job.permission.name().to_owned(),
            permission_by: word(self.plan.permission_by),
            capped_by: capped_by.map(|line| line.to_string()),
            containment: word(self.rooms.containment),
            sandbox: sandbox.tier().name().to_owned(),
        }
    }
}

/// An agent that nobody could account for does not start; the disk may have room again.
pub fn not_audited(error: &AuditError) -> Outcome {
    Outcome::failed("could-not-start", Class::Retryable, format!("The agent could not be started: {error}."))
}
