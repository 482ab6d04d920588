//! Output and input of running agents.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::Duration;

use hostler_agents::{LINE_LIMIT, STDERR_FILE, STDOUT_FILE, Stdin, StdinClosed};
use support::{Bench, hear, hear_line};

#[tokio::test]
async fn both_streams_come_as_lines_and_lie_in_the_logs_as_they_came() {
    let bench = Bench::new();
    let heard = hear(&mut bench.start(r"printf 'one\r\ntwo\377\n\nlast'; printf 'oops\n' >&2").await).await;
    assert_eq!(heard.stdout, ["one", "two\u{fffd}", "", "last"]);
    assert_eq!(heard.stderr, ["oops"]);
    assert_eq!(fs::read(bench.folder().join(STDOUT_FILE)).unwrap(), b"one\r\ntwo\xff\n\nlast");
    assert_eq!(fs::read(bench.folder().join(STDERR_FILE)).unwrap(), b"oops\n");
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_cut_and_the_next_is_whole() {
    let bench = Bench::new();
    let heard =
        hear(&mut bench.start("head -c 10485760 /dev/zero | tr '\\0' x; echo; echo next").await).await;
    assert_eq!(heard.stdout.iter().map(String::len).collect::<Vec<_>>(), [LINE_LIMIT, 4]);
    assert_eq!(heard.cut, 1);
    assert_eq!(fs::metadata(bench.folder().join(STDOUT_FILE)).unwrap().len(), 10_485_760 + 6);
}

#[tokio::test]
async fn every_line_of_a_fast_talker_arrives_in_order() {
    let bench = Bench::new();
    let heard = hear(&mut bench.start("seq 1 200000").await).await;
    assert_eq!(heard.stdout.len(), 200_000);
    assert!(heard.stdout.iter().zip(1..).all(|(line, number)| *line == number.to_string()));
}

#[tokio::test]
async fn a_long_prompt_and_a_lot_of_output_do_not_block_each_other() {
    let bench = Bench::new();
    let mut launch = bench.launch("head -c 4194304 /dev/zero | tr '\\0' '\\n'; cat | wc -c; echo done >&2");
    launch.stdin = Stdin::Bytes(vec![b'p'; 1024 * 1024]);
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    assert_eq!(heard.stdout.len(), 4_194_304 + 1);
    assert_eq!(heard.stdout.last().unwrap().trim(), "1048576");
    assert_eq!(heard.stderr, ["done"]);
}

#[tokio::test]
async fn a_prompt_that_nobody_reads_does_not_hold_up_the_end() {
    let bench = Bench::new();
    let mut launch = bench.launch("exit 7");
    launch.stdin = Stdin::Bytes(vec![b'p'; 1024 * 1024]);
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    assert_eq!(heard.exit().code(), Some(7));
}

#[tokio::test]
async fn a_conversation_goes_on_until_the_input_is_closed() {
    let bench = Bench::new();
    let mut launch = bench.launch("while read -r line; do echo \"heard $line\"; done; echo bye");
    launch.stdin = Stdin::Open(b"one\n".to_vec());
    let mut agent = bench.agents.start(launch).await.unwrap();
    let handle = agent.handle();
    hear_line(&mut agent, "heard one").await;
    handle.write_stdin(1, b"two\n".to_vec()).await.unwrap();
    hear_line(&mut agent, "heard two").await;
    handle.close_stdin(2).await;
    let heard = hear(&mut agent).await;
    assert_eq!(heard.stdout, ["bye"]);
    assert_eq!(handle.write_stdin(3, b"three\n".to_vec()).await, Err(StdinClosed));
}

#[tokio::test]
async fn an_agent_that_closes_its_output_is_still_waited_for() {
    let bench = Bench::new();
    let heard = hear(&mut bench.start("echo first; exec >&- 2>&-; read -r never; exit 5").await).await;
    assert_eq!(heard.stdout, ["first"]);
    assert_eq!(heard.exit().code(), Some(5));
}

#[tokio::test]
async fn giving_up_a_wait_loses_no_line() {
    let bench = Bench::new();
    let mut agent = bench.start("seq 1 50000").await;
    let mut numbers = Vec::new();
    loop {
        // Zero time: the wait is given up as soon as it would have to wait.
        match tokio::time::timeout(Duration::ZERO, agent.next()).await {
            Ok(Some(hostler_agents::Output::Lines { lines, .. })) => {
                numbers.extend(lines.into_iter().map(|line| line.text.parse::<u32>().unwrap()));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => tokio::task::yield_now().await,
        }
    }
    assert_eq!(numbers, (1..=50_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_secret_is_in_no_line_and_no_log_however_it_is_cut_and_written() {
    let bench = Bench::new();
    let mut launch = bench.launch(
        "printf 'key s3c'; sleep 0.05; printf 'r3t, '; printf s3cr3t | base64; echo s3cr3t >&2; printf 's3cr'",
    );
    launch.secrets = vec!["s3cr3t".into()];
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    assert_eq!(heard.stdout, ["key ******, ********", "s3cr"]);
    assert_eq!(heard.stderr, ["******"]);
    assert!(!heard.exit().truncated);
    assert_eq!(fs::read(bench.folder().join(STDOUT_FILE)).unwrap(), b"key ******, ********\ns3cr");
    assert_eq!(fs::read(bench.folder().join(STDERR_FILE)).unwrap(), b"******\n");
}

#[tokio::test]
async fn a_line_comes_at_once_though_it_could_begin_a_secret() {
    let bench = Bench::new();
    let mut launch = bench.launch("echo s3cr; read -r _; echo 3t");
    launch.secrets = vec!["s3cr3t".into()];
    launch.stdin = Stdin::Open(Vec::new());
    let mut agent = bench.agents.start(launch).await.unwrap();
    hear_line(&mut agent, "s3cr").await;
    agent.handle().write_stdin(1, b"\n".to_vec()).await.unwrap();
    assert_eq!(hear(&mut agent).await.stdout, ["3t"]);
}
