//! Starting, failing to start, and what the agent finds around it.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hostler_agents::{Agents, Ending, ProgramError, RECORD_FILE, StartError, Stdin, TreeProof};
use hostler_engine::redaction::MOST_SECRETS;
use support::{Bench, hear};

#[tokio::test]
async fn the_environment_is_exactly_the_list_and_the_marker() {
    let bench = Bench::new();
    let mut launch = bench.launch("exec env");
    launch.env.push(("HOSTLER_RUN".into(), "somebody-else".into()));
    launch.env.push(("GREETING".into(), "hello".into()));
    let path = launch.env[0].1.clone().into_string().unwrap();
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;

    let mut env = heard.stdout;
    // What a shell adds by itself.
    env.retain(|entry| !["PWD=", "SHLVL=", "_="].iter().any(|own| entry.starts_with(own)));
    env.sort();
    let run = format!("HOSTLER_RUN={}", bench.run);
    assert_eq!(env, ["GREETING=hello", "HOSTLER_ATTEMPT=1", run.as_str(), format!("PATH={path}").as_str()]);
}

#[tokio::test]
async fn the_agent_holds_its_three_streams_and_nothing_else() {
    let bench = Bench::new();
    // As whoever started the host may have left one open.
    let leak = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let mut launch = bench.launch("");
    launch.program = "ls".into();
    launch.args = vec!["/proc/self/fd".into()];
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    // The fourth is the folder that `ls` reads.
    assert_eq!(heard.stdout, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn the_agent_works_in_its_folder_with_its_arguments() {
    let bench = Bench::new();
    let mut launch = bench.launch("pwd; printf '%s\\n' \"$@\"");
    launch.args.extend(["agent".into(), "a b".into(), "--x=ü".into(), "".into()]);
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    let cwd = bench.home.path().canonicalize().unwrap();
    assert_eq!(heard.stdout, [cwd.to_str().unwrap(), "a b", "--x=ü", ""]);
    assert_eq!(heard.exit().ending, Ending::Code(0));
}

#[tokio::test]
async fn the_record_on_disk_names_shim_and_agent() {
    let bench = Bench::new();
    let mut agent = bench.start("exec sleep 30").await;
    let on_disk = serde_json::from_slice(&fs::read(bench.folder().join(RECORD_FILE)).unwrap()).unwrap();
    assert_eq!(agent.record, on_disk);
    assert!(on_disk.shim.is_alive());
    assert!(on_disk.agent.as_ref().unwrap().is_alive());
    agent.handle().end(hostler_engine::outcome::EndReason::Stopping, std::time::Duration::ZERO).await;
    hear(&mut agent).await;
    assert!(!on_disk.shim.is_alive());
}

#[tokio::test]
async fn a_missing_program_is_told_with_the_path_searched() {
    let bench = Bench::new();
    let mut launch = bench.launch("");
    launch.program = "no-such-agent".into();
    launch.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let error = bench.agents.start(launch).await.unwrap_err();
    assert!(matches!(error, StartError::Program(ProgramError::NotFound { .. })));
    assert!(error.to_string().contains("not found in /usr/bin, /bin"), "{error}");
    assert!(!bench.folder().exists());
}

#[tokio::test]
async fn a_file_without_the_right_to_run_is_told() {
    let bench = Bench::new();
    let program = bench.home.path().join("agent");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    let mut launch = bench.launch("");
    launch.program = program;
    let error = bench.agents.start(launch).await.unwrap_err();
    assert!(error.to_string().contains("is not an executable file"), "{error}");
}

#[tokio::test]
async fn what_the_system_cannot_run_is_told() {
    for content in ["#!/no/such/interpreter\n", "\u{1}\u{2}\u{3} no program at all"] {
        let bench = Bench::new();
        let program = bench.home.path().join("agent");
        fs::write(&program, content).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut launch = bench.launch("");
        launch.program = program;
        let error = bench.agents.start(launch).await.unwrap_err();
        assert!(matches!(error, StartError::NotRunnable { .. }), "{error}");
        assert_eq!(bench.marked(), Vec::<i32>::new());
    }
}

#[tokio::test]
async fn a_missing_folder_to_work_in_is_told() {
    let bench = Bench::new();
    let mut launch = bench.launch("true");
    launch.cwd = bench.home.path().join("gone");
    let error = bench.agents.start(launch).await.unwrap_err();
    assert!(error.to_string().contains("gone` is not a folder to start the agent in"), "{error}");
}

#[tokio::test]
async fn a_command_line_that_is_too_long_is_told() {
    const HOST_LIMIT: usize = 6 * 1024 * 1024;
    // The system refuses the first, the host the second.
    for total in [HOST_LIMIT, HOST_LIMIT + 1] {
        let bench = Bench::new();
        let mut launch = bench.launch("true");
        launch.env[0].1 = "/usr/bin:/bin".into();
        let run = format!("HOSTLER_RUN={}", bench.run);
        let others: usize = ["-c", "true", "PATH=/usr/bin:/bin", &run, "HOSTLER_ATTEMPT=1", ""]
            .iter()
            .map(|word| word.len() + 1)
            .sum();
        launch.args.push("x".repeat(total - others).into());
        let error = bench.agents.start(launch).await.unwrap_err();
        assert!(matches!(error, StartError::ArgumentsTooLong { bytes, .. } if bytes == total), "{error}");
        assert_eq!(bench.folder().exists(), total == HOST_LIMIT);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let bench = Bench::new();
    fs::write(bench.home.path().join("file"), "").unwrap();
    let mut launch = bench.launch("true");
    launch.folder = bench.home.path().join("file/attempt");
    let error = bench.agents.start(launch).await.unwrap_err();
    assert!(matches!(error, StartError::FolderNotWritable { .. }), "{error}");
}

#[tokio::test]
async fn no_attempt_is_started_twice_in_one_folder() {
    let bench = Bench::new();
    hear(&mut bench.start("echo once").await).await;
    let error = bench.agents.start(bench.launch("echo twice")).await.unwrap_err();
    assert!(matches!(error, StartError::StartedBefore { .. }), "{error}");
    assert_eq!(fs::read_to_string(bench.folder().join("stdout.log")).unwrap(), "once\n");
}

#[tokio::test]
async fn a_supervisor_that_is_none_is_told() {
    let mut bench = Bench::new();
    for shim in ["/bin/true", "/no/such/host"] {
        bench.agents = Agents::new(shim.into(), Vec::new());
        let mut launch = bench.launch("true");
        launch.folder = bench.home.path().join(shim.replace('/', "-"));
        let error = bench.agents.start(launch).await.unwrap_err();
        assert!(matches!(error, StartError::Shim { .. }), "{error}");
    }
}

#[tokio::test]
async fn exit_code_and_signal_are_told_apart() {
    for (script, ending) in
        [("exit 0", Ending::Code(0)), ("exit 143", Ending::Code(143)), ("kill -TERM $$", Ending::Signal(15))]
    {
        let bench = Bench::new();
        let heard = hear(&mut bench.start(script).await).await;
        assert_eq!(heard.exit().ending, ending, "{script}");
        assert_eq!(heard.exit().tree, TreeProof::Empty { killed: 0 });
        assert_eq!(heard.exit().ended_by_host(), None);
        assert_eq!(*heard.exit(), support::read_exit(&bench.folder()));
    }
}

#[tokio::test]
async fn a_start_that_is_given_up_half_way_is_found_by_the_next_host() {
    let bench = Bench::new();
    let start = bench.agents.start(bench.launch("exec sleep 60"));
    // Long enough for the orders to be on their way, too short for an answer to
    // be taken: whatever was reached, the next host finds it.
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(1), start).await;
    drop(given_up);
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert!(reaped.tree.is_empty());
    assert_eq!(bench.marked(), Vec::<i32>::new());
}

#[tokio::test]
async fn standard_input_is_at_its_end_unless_it_is_used() {
    let bench = Bench::new();
    let heard = hear(&mut bench.start("cat; echo end").await).await;
    assert_eq!(heard.stdout, ["end"]);

    let bench = Bench::new();
    let mut launch = bench.launch("cat; echo end");
    launch.stdin = Stdin::Bytes(b"prompt\n".to_vec());
    assert_eq!(hear(&mut bench.agents.start(launch).await.unwrap()).await.stdout, ["prompt", "end"]);
}

#[tokio::test]
async fn as_many_secrets_as_can_be_hidden_are_taken_and_one_byte_more_starts_nothing() {
    let bench = Bench::new();
    let mut launch = bench.launch("echo $SECRET");
    let most = "x".repeat(MOST_SECRETS);
    launch.env.push(("SECRET".into(), most.clone().into()));
    launch.secrets = vec![most.clone().into()];
    let mut more = launch.clone();
    more.secrets = vec![format!("{most}x").into()];
    let refused = bench.agents.start(more).await.unwrap_err();
    assert!(matches!(refused, StartError::Secrets(_)), "{refused}");
    assert!(!bench.folder().exists());
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    assert_eq!(heard.stdout, ["*".repeat(MOST_SECRETS)]);
}
