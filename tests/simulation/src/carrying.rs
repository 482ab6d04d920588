//! How effects are carried out, as in `host/daemon`: each answers with an input, and
//! a host that dies on the way answers nothing.

use hostler_engine::effect::WorkspaceOrder;
use hostler_engine::landing::{Landed, Landing, Verification, Verify};
use hostler_engine::outcome::{Class, Outcome};
use hostler_engine::plan::Wish;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::report::{ChangeKind, Changes, FileChange};
use hostler_engine::run::{Run, Workspace};
use hostler_engine::step::Step;
use hostler_engine::task::RunId;
use hostler_engine::time::Millis;
use hostler_engine::verdict::Verdict;
use hostler_engine::{Action, Effect, Input};

use crate::agent::{Cause, interrupted};
use crate::event::{Event, Work};
use crate::fault::{CrashPoint, Fault};
use crate::network::Call;
use crate::world::World;

impl World {
    /// Carries out one effect; the host may die just before or just after.
    pub(crate) fn carry_out(&mut self, host: usize, effect: Effect, run: Run) {
        self.hosts[host].effects += 1;
        let (life, nth) = (self.hosts[host].life, self.hosts[host].effects);
        self.maybe_crash(host, CrashPoint::BeforeEffect, nth);
        if self.hosts[host].life != life {
            return;
        }
        self.act(host, effect, run);
        self.maybe_crash(host, CrashPoint::AfterEffect, nth);
    }

    fn act(&mut self, host: usize, Effect { at, action }: Effect, run: Run) {
        let has_tracker = self.hosts[host].process.as_ref().is_some_and(|process| process.has_tracker);
        if !has_tracker && needs_tracker(&action) {
            return;
        }
        match action {
            Action::Claim => self.send(host, Call::Claim(at, Box::new(run.reference()))),
            Action::Report { report } => {
                self.send(host, Call::Report(at, Box::new(run.reference()), report));
            }
            Action::Release => self.send(host, Call::Release(at, Box::new(run.reference()))),
            Action::Plan => self.judge_plan(host, at, &run),
            Action::Advise => self.judge_failure(host, at),
            Action::Prepare { order } => self.begin(host, 400, Work::Make(at, Box::new(order))),
            Action::Start { attempt, .. } => self.begin_start(host, at, attempt),
            Action::Adopt { attempt } => self.begin(host, 60, Work::Look(at, attempt)),
            Action::Reap { attempt } => {
                if let Some(agent) = self.living(host, &run.id, attempt) {
                    self.end_agent(agent, Cause::Host);
                }
                self.begin(host, 60, Work::Prove(Box::new(run), attempt));
            }
            // One that is not there has just ended by itself; its end is on its way.
            Action::End { attempt, .. } => {
                let listens = self.hosts[host]
                    .process
                    .as_ref()
                    .is_some_and(|process| process.listens.contains(&(run.id.clone(), attempt)));
                if let Some(agent) = self.living(host, &run.id, attempt).filter(|_| listens) {
                    self.end_agent(agent, Cause::Host);
                }
            }
            Action::Collect => self.begin(host, 200, Work::Collect(at)),
            Action::Verify { .. } => self.begin(host, 20_000, Work::Judge(at)),
            Action::Land => self.begin(host, 3000, Work::Land(at)),
            Action::Tidy => self.begin(host, 100, Work::Remove(Box::new(run))),
            // Nothing here lands in a pull request.
            Action::FollowUp { .. } | Action::Say { .. } => {}
        }
    }

    /// Something that takes up to so many milliseconds.
    pub(crate) fn begin(&mut self, host: usize, most: u64, work: Work) {
        let (life, takes) = (self.hosts[host].life, self.random.millis(1, most));
        if let Work::Make(_, order) = &work {
            // Half of it is there at once; a crash now leaves that behind.
            self.hosts[host].folders.entry(order.folder.clone()).or_default();
        }
        self.plan(takes, Event::Work { host, life, work });
    }

    /// An input to this life of the host, soon.
    pub(crate) fn tell(&mut self, host: usize, most: u64, input: Input) {
        let (life, takes) = (self.hosts[host].life, self.random.millis(1, most));
        self.plan(takes, Event::Arrive { host, life, input: Box::new(input) });
    }

    /// Work on a machine is done.
    pub(crate) fn work_done(&mut self, host: usize, work: Work) {
        match work {
            Work::Make(at, order) => self.made(host, at, &order),
            Work::Spawn(at, attempt) => self.spawn(host, at, attempt),
            Work::Look(at, attempt) => self.look(host, at, attempt),
            Work::Prove(run, attempt) => self.prove(host, run, attempt),
            Work::Collect(at) => self.collected(host, at),
            Work::Judge(at) => self.judged(host, at),
            Work::Land(at) => self.landed(host, at),
            Work::Remove(run) => self.remove(host, &run),
        }
    }

    fn traps(&mut self) -> bool {
        self.counts.plugin_calls += 1;
        let nth = self.counts.plugin_calls;
        self.fault(|fault| (*fault == Fault::Trap { nth }).then_some(())).is_some()
    }

    fn git_fails(&mut self) -> bool {
        self.counts.git_calls += 1;
        let nth = self.counts.git_calls;
        self.fault(|fault| (*fault == Fault::Git { nth }).then_some(())).is_some()
    }

    fn judge_plan(&mut self, host: usize, at: Step, run: &Run) {
        let wish = if self.traps() {
            Err(Problem::permanent("A plugin failed: it trapped."))
        } else {
            Ok(wish_for(&run.task.data))
        };
        self.tell(host, 30, Input::Planned { at, wish });
    }

    fn judge_failure(&mut self, host: usize, at: Step) {
        let verdict = if self.traps() {
            None
        } else {
            let (after, fresh) = (self.random.millis(0, 60_000), self.random.one_in(2));
            Some(match self.random.below(8) {
                0 => Verdict::Finish,
                1 => Verdict::Park("a question".to_owned()),
                _ => Verdict::Retry { after, fresh },
            })
        };
        self.tell(host, 30, Input::Advised { at, verdict });
    }

    fn made(&mut self, host: usize, at: Step, order: &WorkspaceOrder) {
        if self.git_fails() {
            let kind = if self.random.one_in(2) { ProblemKind::Transient } else { ProblemKind::Permanent };
            let workspace = Err(Problem::new(kind, "The workspace could not be used: git failed."));
            return self.arrive(host, Input::Prepared { at, workspace });
        }
        let plain = order.repository == "plain";
        let name = if plain { "plain".to_owned() } else { order.folder.clone() };
        let folder = self.hosts[host].folders.entry(name.clone()).or_default();
        folder.whole = true;
        if folder.made_for.is_none() {
            folder.made_for = Some((at.run.clone(), order.number));
        }
        let empty = String::new;
        let workspace = Workspace {
            path: name.clone(),
            branch: if plain { empty() } else { order.branch.clone() },
            base: if plain { empty() } else { "base".to_owned() },
            number: order.number,
            continued: false,
            record: name,
        };
        self.arrive(host, Input::Prepared { at, workspace: Ok(workspace) });
    }

    fn begin_start(&mut self, host: usize, at: Step, attempt: u32) {
        if self.traps() {
            let outcome = Outcome::failed("plugin", Class::Retryable, "A plugin failed: it trapped.");
            return self.tell(host, 20, Input::AttemptEnded { run: at.run, attempt, outcome });
        }
        self.begin(host, 50, Work::Spawn(at, attempt));
    }

    fn look(&mut self, host: usize, at: Step, attempt: u32) {
        let run = at.run.clone();
        if self.living(host, &run, attempt).is_some() {
            self.listen(host, &run, attempt);
            self.arrive(host, Input::Adopted { at, process: "agent".to_owned() });
        } else {
            self.tell_end(host, run, attempt);
        }
    }

    fn prove(&mut self, host: usize, run: Box<Run>, attempt: u32) {
        if self.living(host, &run.id, attempt).is_some() {
            return self.begin(host, 1000, Work::Prove(run, attempt));
        }
        self.tell_end(host, run.id, attempt);
    }

    /// Tells how an attempt ended, as its record says.
    pub(crate) fn tell_end(&mut self, host: usize, run: RunId, attempt: u32) {
        let of = self.agents.iter().find(|agent| agent.is(host, &run, attempt));
        let outcome = of.map_or_else(
            || interrupted("It was never started."),
            |agent| agent.outcome(self.hosts[host].clock(self.now)),
        );
        if let Some(process) = &mut self.hosts[host].process {
            process.listens.remove(&(run.clone(), attempt));
        }
        self.tell(host, 300, Input::AttemptEnded { run, attempt, outcome });
    }

    fn collected(&mut self, host: usize, at: Step) {
        let changes = if self.git_fails() {
            Err(Problem::permanent("git failed"))
        } else {
            Ok(self.changes(host, &at.run))
        };
        self.arrive(host, Input::Collected { at, changes });
    }

    fn changes(&self, host: usize, run: &RunId) -> Changes {
        let process = self.hosts[host].process.as_ref();
        let workspace = process.and_then(|process| process.engine.run(run)?.workspace.clone());
        let folder = workspace.and_then(|workspace| self.hosts[host].folders.get(&workspace.path));
        let work = folder.map_or(0, |folder| folder.work);
        let file = FileChange { path: "file".to_owned(), kind: ChangeKind::Modified, added: 1, removed: 0 };
        Changes {
            files: (work > 0).then_some(file).into_iter().collect(),
            commits: work,
            ..Changes::default()
        }
    }

    fn judged(&mut self, host: usize, at: Step) {
        let found = if self.random.one_in(10) {
            Err(Problem::permanent("the command could not be run"))
        } else {
            let passed = !self.random.one_in(3);
            Ok(Verification { passed, summary: "It was judged.".to_owned(), tail: String::new() })
        };
        self.arrive(host, Input::Verified { at, found });
    }

    fn landed(&mut self, host: usize, at: Step) {
        let kinds = [ProblemKind::Transient, ProblemKind::RateLimited, ProblemKind::Permanent];
        let landed = if self.git_fails() || self.random.one_in(4) {
            Err(Problem::new(kinds[self.random.index(kinds.len())], "the remote is not there"))
        } else {
            let (kind, note) = ("pushed".to_owned(), String::new());
            Ok(Landed { kind, url: None, number: None, head: None, note })
        };
        self.arrive(host, Input::Landed { at, landed });
    }

    /// The workspace of a closed run goes if nothing is in it; the workspaces room
    /// looks for itself.
    fn remove(&mut self, host: usize, run: &Run) {
        let unchanged = run.changes.files.is_empty() && run.changes.commits == 0;
        if let Some(workspace) =
            run.workspace.as_ref().filter(|workspace| unchanged && !workspace.branch.is_empty())
        {
            self.check_removal(host, run, workspace);
            let empty = self.hosts[host].folders.get(&workspace.path).is_some_and(|folder| folder.work == 0);
            if empty && !self.git_fails() {
                self.hosts[host].folders.remove(&workspace.path);
            }
        }
        self.arrive(host, Input::Tidied { run: run.id.clone() });
    }
}

/// What a tracker plugin wishes: the task says so in words.
fn wish_for(data: &str) -> Wish {
    let says = |word: &str| data.split(' ').any(|said| said == word);
    let verify = Verify {
        command: "test".to_owned(),
        time: Some(Millis::minutes(1)),
        feed_back: u32::from(says("again")),
    };
    Wish {
        repository: Some(if says("plain") { "plain" } else { "main" }.to_owned()),
        verify: says("verify").then_some(verify),
        landing: if says("push") { Landing::Push } else { Landing::Leave },
        ..Wish::default()
    }
}

/// Whether an action speaks to the tracker or asks its plugin.
const fn needs_tracker(action: &Action) -> bool {
    !matches!(action, Action::End { .. } | Action::Reap { .. } | Action::Collect | Action::Tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_can_be_ended_without_its_tracker() {
        assert!(!needs_tracker(&Action::Reap { attempt: 1 }));
        assert!(needs_tracker(&Action::Claim));
    }
}
