//! Operations and tasks, and what trackers answer.

use hostler_engine::follow_up::Told;
use hostler_engine::landing::{Landed, Landing, PullRequest, Verification, Verify};
use hostler_engine::plan::{Base, LimitsWish, Permission, Wish};
use hostler_engine::report::{FileChange, Report};
use hostler_engine::run::Attempt;
use hostler_engine::task::{
    Claim, Control, Fence, Lease, ProviderInfo, RunId, RunRef, Runner, Section, Task,
};
use hostler_engine::verdict::Verdict;

use super::effects::effect;
use super::{
    EXACT, instant, log_line, millis, milliseconds, outcome_for_guest, problem, saturated, section,
    usage_for_guest,
};
use crate::bindings::{tracker as wit, types};
use crate::call_error::Fault;
use crate::guest_text::{clean, clean_lines};
use crate::limits::{EFFECTS, LOG_LINE_BYTES};
use crate::log_budget::LogBudget;
use crate::operation::{
    AgentEnvironment, CallId, Given, Operation, OperationId, Progress, RunStatus, TrackerOutput, Workplace,
};

impl From<Operation> for wit::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Register(runner) => Self::Register(runner.into()),
            Operation::Poll(count) => Self::Poll(count),
            Operation::Claim(run) => Self::Claim(run.into()),
            Operation::Heartbeat(runs) => Self::Heartbeat(runs.into_iter().map(Into::into).collect()),
            Operation::Progress(run, lines) => {
                Self::Progress((run.into(), lines.into_iter().map(Into::into).collect()))
            }
            Operation::Report(run, report) => Self::Report((run.into(), (*report).into())),
            Operation::Release(run) => Self::Release(run.into()),
            Operation::FollowUp(run, Told { number, message }) => {
                Self::FollowUp((run.into(), wit::FollowUp { number, message }))
            }
        }
    }
}

impl From<Runner> for wit::Runner {
    fn from(runner: Runner) -> Self {
        Self {
            id: runner.id,
            name: runner.name,
            version: runner.version,
            providers: runner.providers.into_iter().map(Into::into).collect(),
            repositories: runner.repositories,
            slots: runner.slots,
        }
    }
}

impl From<ProviderInfo> for wit::ProviderInfo {
    fn from(provider: ProviderInfo) -> Self {
        Self { name: provider.name, version: provider.version, capabilities: provider.capabilities }
    }
}

impl From<Task> for wit::Task {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            key: task.key,
            title: task.title,
            sections: task.sections.into_iter().map(section_for_guest).collect(),
            priority: task.priority,
            data: task.data,
        }
    }
}

fn section_for_guest(section: Section) -> types::Section {
    types::Section { title: section.title, body: section.body, trusted: section.trusted }
}

impl From<RunRef> for wit::RunRef {
    fn from(run: RunRef) -> Self {
        Self { run: run.run.0, task: run.task.into(), fence: fence_for_guest(run.fence) }
    }
}

/// Fences are only ever made by [`fence`], so they are exact.
#[allow(clippy::cast_precision_loss)]
fn fence_for_guest(fence: Fence) -> f64 {
    fence.0 as f64
}

impl From<RunStatus> for wit::RunStatus {
    fn from(status: RunStatus) -> Self {
        Self {
            at: status.at.into(),
            state: status.state,
            attempt: status.attempt,
            elapsed: milliseconds(status.elapsed),
            usage: usage_for_guest(status.usage),
        }
    }
}

impl From<Progress> for wit::Progress {
    fn from(progress: Progress) -> Self {
        Self {
            sequence: progress.sequence,
            at: instant(progress.at),
            kind: progress.kind,
            text: progress.text,
        }
    }
}

impl From<Report> for wit::Report {
    fn from(report: Report) -> Self {
        Self {
            state: report.state.name().to_owned(),
            reason: report.reason,
            retryable: report.retryable,
            message: report.message,
            summary: report.summary,
            branch: report.branch,
            base: report.base,
            head: report.head,
            files: report.files.into_iter().map(Into::into).collect(),
            attempts: report.attempts,
            usage: usage_for_guest(report.usage),
            elapsed: milliseconds(report.elapsed),
            session: report.session,
            provider: report.provider,
            verified: report.verified.map(Into::into),
            landed: report.landed.map(Into::into),
        }
    }
}

impl From<Verification> for wit::Verification {
    fn from(found: Verification) -> Self {
        Self { passed: found.passed, summary: found.summary, tail: found.tail }
    }
}

impl From<Landed> for wit::Landed {
    fn from(landed: Landed) -> Self {
        Self { kind: landed.kind, url: landed.url, number: landed.number, note: landed.note }
    }
}

impl From<FileChange> for wit::FileChange {
    fn from(change: FileChange) -> Self {
        Self {
            path: change.path,
            kind: change.kind.name().to_owned(),
            added: saturated(change.added),
            removed: saturated(change.removed),
        }
    }
}

impl From<Workplace> for wit::Workspace {
    fn from(at: Workplace) -> Self {
        Self { branch: at.branch, base: at.base, continued: at.continued }
    }
}

impl From<&Attempt> for wit::Attempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            outcome: outcome_for_guest(attempt.outcome.clone()),
            verified: attempt.verified.clone().map(Into::into),
        }
    }
}

/// What a connection answered to one step.
pub(crate) fn tracker_outputs(found: Vec<wit::Output>) -> Result<Vec<TrackerOutput>, Fault> {
    let effects = found.iter().filter(|output| matches!(output, wit::Output::Effect(_))).count();
    if effects > EFFECTS {
        return Err(Fault::TooManyEffects(effects));
    }
    let mut logs = LogBudget::default();
    let mut outputs = Vec::with_capacity(found.len());
    for output in found {
        if !matches!(output, wit::Output::Log(_)) || logs.admit() {
            outputs.push(tracker_output(output)?);
        }
    }
    outputs.extend(logs.closing_line().map(TrackerOutput::Log));
    Ok(outputs)
}

fn tracker_output(output: wit::Output) -> Result<TrackerOutput, Fault> {
    Ok(match output {
        wit::Output::Effect((call, found)) => TrackerOutput::Effect(CallId(call), effect(found)),
        wit::Output::Offered(tasks) => TrackerOutput::Offered(tasks.into_iter().map(task).collect()),
        wit::Output::Claimed(claims) => {
            TrackerOutput::Claimed(claims.into_iter().map(claim).collect::<Result<_, _>>()?)
        }
        wit::Output::Control((run, found)) => TrackerOutput::Control(RunId(run), control(found)),
        wit::Output::Pace(after) => TrackerOutput::Pace(millis(after)),
        wit::Output::Done((id, result)) => {
            TrackerOutput::Done(OperationId(id), result.map_err(|found| problem(&found)))
        }
        wit::Output::Log(line) => TrackerOutput::Log(log_line(&line)),
        wit::Output::Other((name, details)) => TrackerOutput::Other(name, details),
    })
}

/// The id and the data belong to the plugin and come back to it as they are.
fn task(found: wit::Task) -> Task {
    Task {
        id: found.id,
        key: clean(&found.key, LOG_LINE_BYTES),
        title: clean(&found.title, LOG_LINE_BYTES),
        sections: found.sections.into_iter().map(section).collect(),
        priority: found.priority,
        data: found.data,
    }
}

fn claim(found: wit::Claim) -> Result<Given, Fault> {
    let environment = found.environment.iter().map(|(name, _)| clean(name, LOG_LINE_BYTES)).collect();
    let claim = Claim { task: task(found.task), lease: found.lease.map(lease).transpose()?, environment };
    Ok(Given { claim, environment: AgentEnvironment::new(found.environment) })
}

fn lease(found: wit::Lease) -> Result<Lease, Fault> {
    Ok(Lease { ttl: millis(found.ttl), renew_every: millis(found.renew_every), fence: fence(found.fence)? })
}

/// A fence that is not exact could make a stale lease look current, so it is not
/// mended but refused.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked
fn fence(found: f64) -> Result<Fence, Fault> {
    let whole = (0.0..EXACT).contains(&found) && found.fract() == 0.0;
    if !whole {
        return Err(Fault::Garbage(format!("the fence {found} is no whole number below 2^53")));
    }
    Ok(Fence(found as u64))
}

fn control(found: wit::Control) -> Control {
    match found {
        wit::Control::Cancel(reason) => Control::Cancel(clean(&reason, LOG_LINE_BYTES)),
        wit::Control::Message(text) => Control::Message(clean_lines(text)),
        wit::Control::LeaseLost(reason) => Control::LeaseLost(clean(&reason, LOG_LINE_BYTES)),
        wit::Control::Renewed(ttl) => Control::Renewed(millis(ttl)),
    }
}

/// What a plugin wishes for a run.
pub(crate) fn wish(plan: wit::RunPlan) -> Wish {
    Wish {
        repository: plan.repository,
        base: match plan.base {
            wit::Base::Head => Base::Head,
            wit::Base::DefaultBranch => Base::DefaultBranch,
            wit::Base::Remote(branch) => Base::Remote(branch),
            wit::Base::Revision(name) => Base::Revision(name),
            wit::Base::PreviousSession => Base::PreviousSession,
        },
        branch: plan.branch,
        provider: plan.provider,
        model: plan.model,
        permission: plan.permission.as_deref().map(Permission::from_name),
        limits: LimitsWish {
            time: plan.limits.time.map(millis),
            stall: plan.limits.stall.map(millis),
            tokens: plan.limits.tokens.map(u64::from),
            cost_usd: plan.limits.cost_usd,
            attempts: plan.limits.attempts,
            quota: plan.limits.quota.map(millis),
            untimed: plan.limits.untimed,
        },
        session: plan.session,
        worktrees: plan.worktrees,
        link: plan.link,
        verify: plan.verify.map(|verify| Verify {
            command: verify.command,
            time: verify.time.map(millis),
            feed_back: verify.feed_back,
        }),
        landing: landing(plan.landing),
        keep: plan.keep,
        withhold: plan.withhold,
    }
}

fn landing(found: wit::Landing) -> Landing {
    match found {
        wit::Landing::Leave => Landing::Leave,
        wit::Landing::Push => Landing::Push,
        wit::Landing::PullRequest(request) => Landing::PullRequest(PullRequest {
            title: request.title.map(|title| clean(&title, LOG_LINE_BYTES)),
            preface: request.preface.map(clean_lines),
            base: request.base,
        }),
        wit::Landing::Merge(branch) => Landing::Merge(branch),
    }
}

impl From<wit::Verdict> for Verdict {
    fn from(found: wit::Verdict) -> Self {
        match found {
            wit::Verdict::Retry(next) => Self::Retry { after: millis(next.after), fresh: next.fresh },
            wit::Verdict::Finish => Self::Finish,
            wit::Verdict::Park(reason) => Self::Park(clean(&reason, LOG_LINE_BYTES)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bindings::effects;

    #[test]
    fn a_fence_is_a_whole_number_below_two_to_the_53() {
        assert_eq!(fence(0.0).unwrap(), Fence(0));
        assert_eq!(fence(EXACT - 1.0).unwrap(), Fence(9_007_199_254_740_991));
        for nonsense in [EXACT, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            assert!(matches!(fence(nonsense), Err(Fault::Garbage(_))), "{nonsense}");
        }
    }

    #[test]
    fn sixty_four_effects_pass_and_one_more_is_refused() {
        let effects =
            |count: usize| tracker_outputs(vec![wit::Output::Effect((1, effects::Effect::Wake(5))); count]);
        assert_eq!(effects(EFFECTS).unwrap().len(), EFFECTS);
        assert_eq!(effects(EFFECTS + 1).unwrap_err(), Fault::TooManyEffects(65));
    }

    #[test]
    fn an_unknown_permission_is_the_safest_one() {
        let limits = wit::Limits {
            time: None,
            stall: None,
            tokens: None,
            cost_usd: None,
            attempts: None,
            quota: None,
            untimed: false,
        };
        let plan = wit::RunPlan {
            repository: None,
            base: wit::Base::Head,
            branch: None,
            provider: None,
            model: None,
            permission: Some("root".to_owned()),
            limits,
            session: None,
            worktrees: None,
            link: Vec::new(),
            verify: None,
            landing: wit::Landing::Leave,
            keep: false,
            withhold: Vec::new(),
        };
        assert_eq!(wish(plan).permission, Some(Permission::Safe));
    }
}
