//! Starting an attempt: prompt, command line, process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use hostler_agents::{Launch, Limits, Stdin};
use hostler_broker::egress::EgressRules;
use hostler_components::job::{Invocation, Job};
use hostler_components::operation::Workplace;
use hostler_engine::outcome::{Class, Outcome};
use hostler_engine::plan::Plan;
use hostler_engine::prompt;
use hostler_engine::run::{HeldLease, Run};
use hostler_engine::sandbox::NoTier;
use hostler_engine::step::Step;
use hostler_engine::time::Timestamp;
use hostler_engine::{Input, follow_up};
use hostler_journal::audit::Event;
use hostler_policy::PolicyError;

use super::accounted::{About, not_audited};
use super::ending::not_done;
use super::listener::Listener;
use super::listening::Listening;
use super::records::{Records, prompt_file};
use super::sandboxed::{around_agent, tier_of};
use crate::attempt::environments::{merge, withhold};
use crate::attempt::reading::Reading;
use crate::plugins::judgement;
use crate::plugins::providers::Provider;
use crate::plugins::store::Build;
use crate::refusal::{Lack, Refusal};
use crate::rooms::Rooms;
use crate::sandbox::Ready;

/// An attempt whose command line is known.
pub struct Starting {
    rooms: Arc<Rooms>,
    run: Run,
    attempt: u32,
    provider: Arc<Provider>,
    job: Job,
    launch: Launch,
    audited: Event,
    /// What the agent may reach, if it has a network of its own.
    rules: Option<EgressRules>,
}

fn could_not_start(message: impl std::fmt::Display) -> Outcome {
    Outcome::failed(
        "could-not-start",
        Class::Permanent,
        format!("The agent could not be started: {message}."),
    )
}

/// A policy is mended sooner or later; a run need not be given up for it at once.
fn unusable(error: &PolicyError) -> Outcome {
    Outcome::failed("policy", Class::Retryable, format!("The agent was not started: {error}."))
}

fn plugin_failed(message: impl std::fmt::Display) -> Outcome {
    Outcome::failed("plugin", Class::Retryable, format!("A plugin failed: {message}."))
}

impl Starting {
    /// Asks the plugins, and writes down what a later host needs to read the output.
    pub async fn prepare(
        rooms: &Arc<Rooms>,
        run: &Run,
        attempt: u32,
        session: Option<String>,
    ) -> Result<Self, Outcome> {
        let provider = rooms
            .provider_of(run)
            .ok_or_else(|| could_not_start("its provider is not configured any more"))?;
        let (Some(plan), Some(workspace)) = (&run.plan, &run.workspace) else {
            return Err(could_not_start("it has no workspace"));
        };
        let policies = rooms.organisation.now();
        policies.soundness().map_err(unusable)?;
        let folder = rooms.home.attempt(&run.id, attempt);
        let job = Job {
            prompt: prompt_text(rooms, run, attempt).await?,
            prompt_file: prompt_file(&folder).display().to_string(),
            cwd: workspace.path.clone(),
            session,
            // The policy may have changed since the plan was made.
            permission: plan.permission.min(policies.permission().value),
            model: plan.model.clone(),
            attempt,
            config: provider.config.clone(),
        };
        let records = Records { plugin: Build::of(&provider.plugin), job };
        records
            .write(&folder)
            .map_err(|error| could_not_start(format!("{} cannot be written: {error}", folder.display())))?;
        let job = records.job;
        let invocation = judgement::launch(rooms, run, &provider, job.clone())
            .await
            .map_err(plugin_failed)?
            .map_err(could_not_start)?;
        let tier = tier_of(rooms, &provider).map_err(|why| {
            if matches!(why, NoTier::TooLittle { .. }) {
                rooms.refused(provider.plugin.id(), Refusal::Launch(Lack::Ceiling));
            }
            could_not_start(why)
        })?;
        let args = match provider.words(&invocation.command, &invocation.slots, tier) {
            Ok(args) => args,
            Err(error) => {
                rooms.refused(provider.plugin.id(), Refusal::CommandLine);
                return Err(could_not_start(error));
            }
        };
        let variables = environment(rooms, run, &provider, &plan.withhold)
            .map(|variables| rooms.organisation.allowed_environment(variables, provider.fixed()))
            .ok_or_else(environment_lost)?;
        let Ready { sandbox, environment, rules } =
            around_agent(rooms, run, attempt, &provider, tier, variables).map_err(could_not_start)?;
        let about = About { rooms, run, attempt, plan, provider: &provider };
        let audited = about.launch(&job, &invocation, &sandbox, &policies);
        let launch = Launch {
            run: run.id.0.clone(),
            attempt,
            program: provider.program(),
            args: args.into_iter().map(Into::into).collect(),
            env: environment,
            cwd: PathBuf::from(&workspace.path),
            folder,
            stdin: stdin(invocation),
            limits: limits(plan),
            containment: rooms.containment,
            sandbox,
            secrets: rooms.secrets_of(&run.id),
        };
        Ok(Self {
            rooms: Arc::clone(rooms),
            run: run.clone(),
            attempt,
            provider,
            job,
            launch,
            rules,
            audited,
        })
    }

    /// Starts the agent and listens to it until its end is proven.
    pub async fn go(self, at: Step) -> Outcome {
        let Self { rooms, run, attempt, provider, job, launch, rules, audited } = self;
        let folder = launch.folder.clone();
        if let Err(why) = provider.permit().check() {
            rooms.refused(provider.plugin.id(), Refusal::Launch(Lack::Leave));
            return could_not_start(why);
        }
        let allowed = rooms.organisation.check_program(&launch.program);
        if let Err(why) = allowed.and_then(|()| rooms.organisation.check_sandbox(launch.sandbox.tier())) {
            rooms.refused(provider.plugin.id(), Refusal::Launch(Lack::Ceiling));
            return could_not_start(why);
        }
        let reading = Reading::start(Arc::clone(&provider.plugin), job).await;
        if let Err(error) = rooms.audit.before(audited).await {
            return not_audited(&error);
        }
        if is_over(lease_of(&rooms, &run), rooms.clock.now()) {
            return not_done("The lease ran out before the agent was started; the machine may have slept.");
        }
        let agent = match rooms.agents.start(launch).await {
            Ok(agent) => agent,
            Err(error) => return could_not_start(error),
        };
        let mut listening = Listening::begin(Arc::clone(&rooms), run.clone(), attempt, agent);
        listening.keep(&run).await;
        if let Some(rules) = rules {
            listening.let_out(rules, &folder).await;
        }
        rooms.tell(Input::Started { at, process: listening.process() }).await;
        let listener = Listener::new(rooms, run, attempt, reading, &folder).await;
        listening.listen(listener, &folder).await
    }
}

/// The lease as it was last renewed, which may be later than when the start was decided.
fn lease_of(rooms: &Rooms, run: &Run) -> Option<HeldLease> {
    rooms.situation.borrow().run(&run.id).map_or(run.lease, |now| now.lease)
}

/// The engine looks at the clock when it decides; between that and the start lie a
/// write to the disk and two calls of plugins, and any sleep of the machine.
fn is_over(lease: Option<HeldLease>, now: Timestamp) -> bool {
    lease.is_some_and(|lease| lease.deadline <= now)
}

async fn prompt_text(rooms: &Rooms, run: &Run, attempt: u32) -> Result<String, Outcome> {
    let Some(workspace) = &run.workspace else { return Err(could_not_start("it has no workspace")) };
    let at = Workplace {
        branch: workspace.branch.clone(),
        base: workspace.base.clone(),
        continued: workspace.holds_work_at(attempt),
    };
    let mut sections =
        judgement::prompt(rooms, run, at).await.map_err(plugin_failed)?.map_err(plugin_failed)?;
    sections.extend(follow_up::sections(&run.brought));
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    Ok(prompt::render(&sections, &nonce))
}

/// The operator's part without what the tracker wants withheld, and below it what the
/// tracker gave for this run. `None` if that was lost in a restart.
pub fn environment(
    rooms: &Rooms,
    run: &Run,
    provider: &Provider,
    withheld: &[String],
) -> Option<Vec<(OsString, OsString)>> {
    let operators = withhold(provider.environment(), withheld);
    match &rooms.environments {
        Some(environments) if !run.environment.is_empty() => {
            Some(merge(operators, &environments.of(&run.id)?))
        }
        _ => Some(operators),
    }
}

fn environment_lost() -> Outcome {
    let message = "The environment that came with the task is not kept over a restart of the host.";
    Outcome::failed("lost", Class::Retryable, message)
}

/// What whoever works for a run of this plan may use of the machine.
pub const fn limits(plan: &Plan) -> Limits {
    Limits { memory: plan.limits.memory, cpus: plan.limits.cpus }
}

fn stdin(invocation: Invocation) -> Stdin {
    match (invocation.stdin, invocation.keep_stdin) {
        (bytes, true) => Stdin::Open(bytes.unwrap_or_default()),
        (Some(bytes), false) => Stdin::Bytes(bytes),
        (None, false) => Stdin::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_engine::time::Millis;

    #[test]
    fn no_agent_starts_from_the_moment_on_in_which_its_lease_is_over() {
        let ttl = Millis::minutes(1);
        let lease = HeldLease { deadline: Timestamp(1_000), ttl, renew_every: ttl, confirmed: true };
        assert!(!is_over(Some(lease), Timestamp(999)));
        assert!(is_over(Some(lease), Timestamp(1_000)));
        assert!(!is_over(None, Timestamp(1_000)), "a task without a lease");
    }
}
