//! A working day in one test: six tasks at once, and everything that can happen to them.

use hostler_tests::scripted_agent::{Script, Step, transcript};
use hostler_tests::{PATIENCE, wait_until};
use standin_trakkar::Endpoint;
use standin_trakkar::board::Agent;

use super::scene::{STEP, Scene, works_on};

/// What the agent does in one task's folder.
struct Day(Script);

impl Day {
    fn task(self, id: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        let folder = format!("{}-", id.replace('_', "-"));
        Self(self.0.attempt_when(&folder, steps))
    }
}

fn waits_for(file: &str, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let begins = [Step::first_lines(3, transcript("claude-success")), Step::wait_for(file)];
    begins.into_iter().chain(then).collect()
}

fn is_stopped() -> [Step; 3] {
    [
        Step::write("half.txt", "written by the agent\n"),
        Step::first_lines(3, transcript("claude-success")),
        Step::hang(),
    ]
}

/// The agent speaks while the server is away, and again when it is back.
fn speaks_during_the_outage() -> Vec<Step> {
    let speaks = [Step::first_lines(2, transcript("claude-success")), Step::mark("spoke")];
    waits_for("outage", speaks).into_iter().chain(waits_for("back", works_on("six.txt"))).collect()
}

#[test]
fn six_tasks_two_stops_a_failed_verification_a_moved_branch_an_outage_and_a_killed_host_leave_exactly_what_is_right()
 {
    let agent = Agent { verify_command: Some("test ! -f broken.txt".to_owned()), ..Agent::default() };
    let scene = Scene::with(agent, &Script::new());
    let tasks: Vec<(String, String)> =
        (1..=6).map(|number| scene.delegate(&format!("Task {number}"))).collect();
    let [plain, stopped, stopped_too, broken, conflicting, late] = &tasks[..] else { panic!("{tasks:?}") };
    let mends = [Step::Delete { path: "broken.txt".into() }].into_iter().chain(works_on("mended.txt"));
    let day = Day(Script::new().count_per_folder())
        .task(&plain.0, waits_for("go", works_on("one.txt")))
        .task(&stopped.0, is_stopped())
        .task(&stopped_too.0, is_stopped())
        .task(&broken.0, waits_for("go", works_on("broken.txt")))
        .task(&broken.0, mends)
        .task(&conflicting.0, waits_for("go", works_on("README.md")))
        .task(&late.0, speaks_during_the_outage());
    scene.stage.sandbox.install_agent("claude", &day.0);

    let mut host = scene.start(&[]);
    wait_until(PATIENCE, "six agents work at once", || match scene.starts().len() {
        6 => Ok(()),
        started => Err(format!("{started}\n{}", host.stdout())),
    });
    let moved = scene.commit_at_the_forge("README.md", "# Written by a colleague\n");
    for task in [stopped, stopped_too] {
        scene.server.stop(&task.0).unwrap();
    }
    scene.pass(STEP);
    for task in [stopped, stopped_too] {
        scene.wait_for(&task.1, "stopped", &host);
    }
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&plain.1, "pr_opened", &host);
    scene.wait_for(&conflicting.1, "pr_opened", &host);
    scene.wait_for(&broken.1, "verify_failed", &host);
    let continued = scene.reply(&broken.0, "Remove broken.txt.");
    scene.wait_for(&continued, "pr_opened", &host);

    scene.server.go_down();
    scene.agent.let_go("outage").unwrap();
    scene.agent.wait_for_mark("spoke");
    (0..40).for_each(|_| scene.pass(STEP));
    host.kill_9();
    let host = scene.start(&[]);
    scene.stage.wait_for_state(&late.0, "running");
    (0..20).for_each(|_| scene.pass(STEP));
    scene.server.come_up();
    scene.agent.let_go("back").unwrap();
    scene.pass_until("the last run is over", || match scene.server.run(&late.1).unwrap().ending() {
        Some(ending) if ending.outcome == "pr_opened" => Ok(()),
        other => Err(format!("{other:?}\n{}", host.stdout())),
    });
    let left = scene.wait_for_worktrees(2);
    scene.drain(host);

    // The server.
    let outcomes: Vec<&str> = tasks.iter().map(|task| scene.server.status(&task.0)).collect();
    assert_eq!(outcomes, ["pr_opened", "stopped", "stopped", "pr_opened", "pr_opened", "pr_opened"]);
    assert_eq!(scene.server.board(|board| board.runs().len()), 7);
    for run in scene.server.board(|board| board.runs().to_vec()) {
        let counted: Vec<u64> = (1..).take(run.seqs.len()).collect();
        assert_eq!(run.seqs, counted, "{}", run.id);
        assert_eq!(run.pr.is_some(), run.ending().unwrap().outcome == "pr_opened", "{}", run.id);
    }
    assert_eq!(scene.sent(Endpoint::Finish).len() - cut(&scene), 7, "each end was told once");

    // The forge.
    let branch = |task: &(String, String), number: u32| format!("trakkar/{}-task-{number}", task.0);
    let [one, four, five, six] =
        [branch(plain, 1), branch(broken, 4), branch(conflicting, 5), branch(late, 6)];
    let mut expected = vec!["main".to_owned(), one.clone(), four.clone(), five.clone(), six.clone()];
    expected.sort();
    assert_eq!(scene.branches_at_the_forge(), expected);
    let mut heads: Vec<String> = scene.pull_requests().into_iter().map(|request| request.head).collect();
    heads.sort();
    assert_eq!(heads, expected[1..], "one pull request each");
    for (branch, file) in [(&one, "one.txt"), (&four, "mended.txt"), (&five, "README.md"), (&six, "six.txt")]
    {
        assert_eq!(scene.at_the_forge(branch, file), "written by the agent\n");
    }
    assert_eq!(scene.at_the_forge("main", "README.md"), "# Written by a colleague\n");
    let main = scene.stage.repository.try_git(&scene.bare, &["rev-parse", "main"]).stdout;
    assert_eq!(String::from_utf8_lossy(&main).trim(), moved, "nobody merged anything");

    // The disk.
    let is_of = |task: &(String, String)| {
        let folder = format!("{}-", task.0.replace('_', "-"));
        left.iter().filter(|name| name.starts_with(&folder)).count()
    };
    assert_eq!((is_of(stopped), is_of(stopped_too)), (1, 1), "{left:?}");
    let listed = scene.stage.repository.git(&["worktree", "list", "--porcelain"]);
    assert_eq!(listed.matches("worktree ").count(), 3, "the checkout and the two: {listed}");
    let folders: Vec<_> = scene.starts().into_iter().map(|start| start.cwd).collect();
    assert_eq!(folders.len(), 7, "six tasks and one reply");
}

/// How many tellings of an end did not arrive.
fn cut(scene: &Scene) -> usize {
    use standin_trakkar::Answered;
    scene.sent(Endpoint::Finish).iter().filter(|told| told.answer == Answered::Cut).count()
}
