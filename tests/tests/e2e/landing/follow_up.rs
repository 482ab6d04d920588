//! What comes back from a pull request, asked for with a token, has a task file go on.

use std::time::{Duration, Instant};

use hostler_tests::host_clock;
use hostler_tests::scripted_agent::Script;
use hostler_tests::wait_until;

use super::{LONG, PULL_REQUEST, REPOSITORY, Scene, work};

/// A pull request is looked at this often while it is young.
const MINUTE: Duration = Duration::from_mins(1);

/// What a minute leads to has happened within this time, unless the machine is very busy:
/// then more minutes pass than are needed.
const FOR_ONE_MINUTE: Duration = Duration::from_millis(500);

impl Scene {
    /// Lets minutes pass until the task has so many reports.
    fn minutes_pass_until_reported(&self, reports: usize) {
        let mut next = Instant::now();
        wait_until(LONG, &format!("{reports} reports"), || {
            let file = self.stage.task_file("hello");
            if file.reports() == reports && file.status().as_deref() == Some("done") {
                return Ok(());
            }
            if Instant::now() >= next {
                host_clock::advance(&self.stage.sandbox, MINUTE).map_err(|error| error.to_string())?;
                next = Instant::now() + FOR_ONE_MINUTE;
            }
            Err(file.text)
        });
    }
}

#[test]
fn a_review_asked_for_with_a_token_has_the_task_go_on_in_the_same_pull_request() {
    let scene = Scene::with(&Script::new().attempt(work(&["hello.txt"])).attempt(work(&["fixed.txt"])));
    let scene = Scene { stage: scene.stage.variable(host_clock::TEST_CLOCK, "1"), ..scene };
    scene.task(PULL_REQUEST);
    let mut host = scene.stage.start(&["--follow-up", "reviews"]);
    scene.minutes_pass_until_reported(1);
    scene.forge.with_pulls(|pulls| {
        pulls.add_member("mina");
        pulls.add_to_conversation(REPOSITORY, 1, "mina", "Please add fixed.txt.");
    });
    scene.minutes_pass_until_reported(2);
    host.terminate();
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());

    let text = scene.stage.task_file("hello").text;
    assert!(text.contains("Taken up again: 1 comment on #1 by mina."), "{text}");
    let prompt = scene.agent.wait_for_start(2).stdin.unwrap();
    assert!(prompt.contains("mina commented.\n\nPlease add fixed.txt."), "{prompt}");
    let [request] = &scene.forge.pull_requests(REPOSITORY)[..] else { panic!("not one pull request") };
    for file in ["hello.txt", "fixed.txt"] {
        assert_eq!(scene.at_forge(&request.head, file), "done\n");
    }
    let asked = scene.forge.calls().into_iter().filter(|call| call.path.starts_with("/api/"));
    assert!(asked.clone().all(|call| call.authorized && call.status != Some(404)), "{asked:?}");
}
