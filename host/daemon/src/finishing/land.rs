//! Bringing finished work where its plan says.

use std::sync::Arc;

use hostler_engine::Input;
use hostler_engine::landing::{Landed, Landing, LandingKind, PullRequest};
use hostler_engine::problem::Problem;
use hostler_engine::run::Run;
use hostler_engine::step::Step;
use hostler_journal::audit::Event;
use hostler_policy::Policies;
use hostler_workspaces as workspaces;
use hostler_workspaces::{LandedKind, LandingError, Repository, Workspace};

use crate::organisation::allowed;
use crate::place::{Place, REMOTE};
use crate::refusal::{Lack, Refusal};
use crate::rooms::Rooms;

/// Carries `Action::Land` out. Safe to do again: what is pushed or open already is found.
pub async fn land(rooms: Arc<Rooms>, run: &Run, at: Step) {
    let landed = match order(run) {
        Some((landing, title)) => {
            let (rooms, run) = (Arc::clone(&rooms), run.clone());
            let landed = crate::blocking::run(move || carry_out(&rooms, &run, &landing, &title)).await;
            landed.unwrap_or_else(|error| Err(Problem::transient(error.to_string())))
        }
        None => Err(Problem::permanent("There is no plan that says where the work should land.")),
    };
    rooms.tell(Input::Landed { at, landed }).await;
}

/// What is asked of the workspaces room, and the title of the work.
fn order(run: &Run) -> Option<(workspaces::Landing, String)> {
    let plan = run.plan.as_ref()?;
    let title = [run.task.title.trim(), run.task.key.trim()].into_iter().find(|title| !title.is_empty());
    let title = title.unwrap_or(&run.id.0).to_owned();
    let remote = REMOTE.to_owned();
    Some(match &plan.landing {
        Landing::Leave => (workspaces::Landing::Leave, title),
        Landing::Push => (workspaces::Landing::Push { remote }, title),
        Landing::Merge(into) => (workspaces::Landing::Merge { into: into.clone() }, title),
        Landing::PullRequest(request) => {
            let summary =
                run.attempts.last().map(|attempt| attempt.outcome.summary.as_str()).unwrap_or_default();
            let landing = workspaces::Landing::PullRequest {
                remote,
                base: request.base.clone(),
                body: body(request, summary, &run.task.key),
            };
            (landing, request.title.clone().filter(|own| !own.trim().is_empty()).unwrap_or(title))
        }
    })
}

/// The text of a pull request.
fn body(request: &PullRequest, summary: &str, key: &str) -> String {
    let made = format!("Made by Hostler for the task {key}.");
    let parts = [request.preface.as_deref().unwrap_or_default().trim(), summary.trim(), &made];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn carry_out(
    rooms: &Rooms,
    run: &Run,
    landing: &workspaces::Landing,
    title: &str,
) -> Result<Landed, Problem> {
    // The leave to push is the tracker's, and may have been taken back since the plan.
    rooms.tracker.permit().check().map_err(|why| {
        rooms.refused(rooms.tracker.name(), Refusal::Landing(Lack::Leave));
        Problem::transient(why.to_string())
    })?;
    let policies = rooms.organisation.now();
    policies.soundness().map_err(|error| Problem::transient(error.to_string()))?;
    let gone = || Problem::permanent("Its repository or workspace is not there any more.");
    let (place, workspace) =
        (rooms.place_of(run).ok_or_else(gone)?, run.workspace.as_ref().ok_or_else(gone)?);
    may_land(rooms, run, &policies, &place)?;
    let (repository, workspace) = place.workspace(&workspace.record).ok_or_else(gone)?;
    let means = rooms.means();
    let about = About { run, repository, workspace: &workspace };
    rooms
        .audit
        .before_here(about.landing(landing))
        .map_err(|error| Problem::transient(format!("{error}.")))?;
    let landed = repository.land(&workspace, landing, title, &means).map_err(|error| problem(&error))?;
    rooms.audit.note_here(about.landed(&landed));
    Ok(told(landed))
}

/// What the audit log is told of a landing.
struct About<'a> {
    run: &'a Run,
    repository: &'a Repository,
    workspace: &'a Workspace,
}

impl About<'_> {
    fn landing(&self, landing: &workspaces::Landing) -> Event {
        let (kind, to) = match landing {
            workspaces::Landing::Leave => (LandingKind::Leave, None),
            workspaces::Landing::Push { remote } => (LandingKind::Push, self.address(remote)),
            workspaces::Landing::PullRequest { remote, .. } => {
                (LandingKind::PullRequest, self.address(remote))
            }
            workspaces::Landing::Merge { into } => (LandingKind::Merge, Some(into.clone())),
        };
        Event::Landing {
            run: self.run.id.0.clone(),
            landing: kind.name().to_owned(),
            repository: self.run.plan.as_ref().map(|plan| plan.repository.clone()).unwrap_or_default(),
            branch: self.workspace.order.branch.clone(),
            to,
        }
    }

    /// A remote without an address fails the landing itself, with its reason.
    fn address(&self, remote: &str) -> Option<String> {
        self.repository.lands_at(self.workspace, remote).map(|address| address.to_string()).ok()
    }

    fn landed(&self, landed: &workspaces::Landed) -> Event {
        Event::Landed {
            run: self.run.id.0.clone(),
            landing: kind_of(landed.kind).to_owned(),
            head: landed.head.map(|head| head.to_string()),
            url: landed.url.clone(),
        }
    }
}

/// The policy may have changed since the plan was made, and the remote since the start.
fn may_land(rooms: &Rooms, run: &Run, policies: &Policies, place: &Place) -> Result<(), Problem> {
    let kind = run.plan.as_ref().map_or(LandingKind::Leave, |plan| plan.landing.kind());
    allowed(&policies.landing(kind), || format!("work to land by `{kind}`"))
        .and_then(|()| rooms.organisation.check_place(place))
        .map_err(|why| {
            rooms.refused(rooms.tracker.name(), Refusal::Landing(Lack::Ceiling));
            Problem::permanent(format!("{why}."))
        })
}

fn problem(error: &LandingError) -> Problem {
    let message = format!("{error}.");
    if error.is_temporary() { Problem::transient(message) } else { Problem::permanent(message) }
}

fn told(landed: workspaces::Landed) -> Landed {
    Landed {
        kind: kind_of(landed.kind).to_owned(),
        url: landed.url,
        number: landed.number,
        head: landed.head.map(|head| head.to_string()),
        note: landed.note,
    }
}

const fn kind_of(kind: LandedKind) -> &'static str {
    match kind {
        LandedKind::Left => "branch",
        LandedKind::Pushed => "pushed",
        LandedKind::PullRequest => "pull-request",
        LandedKind::Merged => "merged",
    }
}

/// The ref that holds all work of a run, if that has landed as far as it should: a
/// branch whose pull request is not open yet is still worked with by a person.
pub fn landed_in(run: &Run) -> Option<String> {
    let (plan, landed, workspace) = (run.plan.as_ref()?, run.landed.as_ref()?, run.workspace.as_ref()?);
    match (&plan.landing, landed.kind.as_str()) {
        (Landing::Push, "pushed") | (Landing::PullRequest(_), "pull-request") => {
            Some(format!("refs/remotes/{REMOTE}/{}", workspace.branch))
        }
        (Landing::Merge(into), "merged") => Some(format!("refs/heads/{into}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_has_the_preface_first_and_says_who_made_it() {
        let request = PullRequest { preface: Some("Closes #7.\n".to_owned()), ..PullRequest::default() };
        assert_eq!(
            body(&request, "Fixed it.", "fix-login"),
            "Closes #7.\n\nFixed it.\n\nMade by Hostler for the task fix-login."
        );
        assert_eq!(body(&PullRequest::default(), " ", "x"), "Made by Hostler for the task x.");
    }
}
