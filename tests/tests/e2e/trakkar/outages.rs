//! The server is away or loses answers; everything arrives all the same, once and in order.

use hostler_tests::scripted_agent::{Script, Step, transcript};
use standin_trakkar::{Answered, Endpoint, Fault};

use super::scene::{STEP, Scene, does_its_task, shown, works_until_let_go};

/// A line of Claude Code that says a word.
fn says(word: &str) -> Step {
    Step::line(
        serde_json::json!({
            "type": "assistant", "session_id": "s",
            "message": { "role": "assistant", "content": [{ "type": "text", "text": word }] }
        })
        .to_string(),
    )
}

#[test]
fn what_was_said_during_an_outage_arrives_afterwards_in_order_and_once() {
    let script = Script::always([
        Step::first_lines(1, transcript("claude-success")),
        says("Before the outage."),
        Step::mark("working"),
        Step::wait_for("outage"),
        says("During the outage."),
        says("Still during it."),
        Step::mark("spoke"),
        Step::wait_for("back"),
        says("After the outage."),
        Step::write("hello.txt", "written by the agent\n"),
        Step::transcript(transcript("claude-success")),
    ]);
    let scene = Scene::playing(&script);
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    scene.pass_until("the first word arrives", || {
        let events = shown(&scene.server.run(&run).unwrap());
        let arrived = events.contains(&"message: Before the outage.".to_owned());
        if arrived { Ok(()) } else { Err(format!("{events:?}")) }
    });
    scene.server.go_down();
    scene.agent.let_go("outage").unwrap();
    scene.agent.wait_for_mark("spoke");
    // Several minutes, in which everything that is tried again is tried again.
    (0..60).for_each(|_| scene.pass(STEP));
    scene.server.come_up();
    scene.agent.let_go("back").unwrap();
    scene.pass_until("the run is over", || match scene.server.run(&run).unwrap().ending() {
        Some(ending) if ending.outcome == "pr_opened" => Ok(()),
        other => Err(format!("{other:?}\n{}", host.stdout())),
    });
    scene.drain(host);
    let done = scene.server.run(&run).unwrap();
    let words: Vec<String> = shown(&done).into_iter().filter(|event| event.contains("outage")).collect();
    assert_eq!(
        words,
        ["Before the outage.", "During the outage.", "After the outage."]
            .map(|word| format!("message: {word}"))
    );
    let counted: Vec<u64> = (1..).take(done.seqs.len()).collect();
    assert_eq!(done.seqs, counted);
    assert_eq!(scene.starts().len(), 1);
}

#[test]
fn progress_whose_answer_was_lost_comes_again_under_its_number_and_is_shown_once() {
    let scene = Scene::playing(&Script::always(works_until_let_go()));
    scene.server.fault(Fault::lost_reply().on(Endpoint::Progress).once());
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    scene.pass_until("a batch comes again", || match scene.server.run(&run).unwrap().repeated {
        0 => Err(host.stdout()),
        _ => Ok(()),
    });
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    let events = shown(&scene.server.run(&run).unwrap());
    // The transcript is played from its start when the agent goes on.
    let said = events.iter().filter(|event| *event == "message: All done: wrote hello.txt.").count();
    assert_eq!(said, 1, "{events:?}");
}

#[test]
fn an_end_whose_answer_was_lost_is_told_once_more_and_counts_once() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.server.fault(Fault::lost_reply().on(Endpoint::Finish).once());
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&run, "pr_opened", &host);
    scene.stage.wait_for_state(&task, "closed");
    scene.drain(host);
    let told = scene.sent(Endpoint::Finish);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((&told[0].answer, &told[0].body), (&Answered::Cut, &told[1].body));
    assert_eq!((scene.pull_requests().len(), scene.sent(Endpoint::Pr).len()), (1, 1));
}

#[test]
fn whatever_happens_to_one_request_of_a_kind_the_task_ends_once_with_one_pull_request() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    // Each one costs a longer pause before the report is tried again.
    for endpoint in [Endpoint::Pr, Endpoint::Finish] {
        scene.server.fault(Fault::server_error().on(endpoint).once());
        scene.server.fault(Fault::not_json().on(endpoint).once());
    }
    for endpoint in [Endpoint::Me, Endpoint::Heartbeat, Endpoint::Progress] {
        let harms =
            [Fault::server_error(), Fault::not_json(), Fault::cut(), Fault::too_many_requests(Some(1))];
        for fault in harms {
            scene.server.fault(fault.on(endpoint).once());
        }
    }
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.pass_until("the run is over", || match scene.server.run(&run).unwrap().ending() {
        Some(ending) => Ok(ending.clone()),
        None => Err(format!("{:?}\n{}\n{}", scene.server.run(&run), host.stdout(), host.stderr())),
    });
    scene.stage.wait_for_state(&task, "closed");
    scene.drain(host);
    assert_eq!((scene.pull_requests().len(), scene.starts().len()), (1, 1));
}

#[test]
fn a_task_that_is_deleted_while_its_agent_works_ends_the_agent() {
    let scene = Scene::playing(&Script::always(works_until_let_go()));
    let (task, _) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    scene.stage.wait_for_state(&task, "running");
    scene.server.change(|board, _| board.delete_task(&task)).unwrap();
    scene.pass(STEP);
    let lost = scene.stage.wait_for_state(&task, "closed");
    assert_eq!(lost["result"], "lost", "{lost}");
    let mut host = host;
    host.terminate();
    assert_eq!(host.wait(crate::stage::LONG).code(), Some(0), "{}", host.stderr());
    scene.stage.wait_until_nothing_lives();
    assert_eq!((scene.pull_requests().len(), scene.sent(Endpoint::Finish).len()), (0, 0));
}
