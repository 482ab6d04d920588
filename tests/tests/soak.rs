//! A short soak; `cargo xtask soak` plays the full one.

use hostler_tests::soak::{Plan, soak};

/// Takes between five and thirty seconds, by the number of slow answers that the dice
/// give: forty tasks are the fewest that meet about ten faults and leave enough looks
/// at the host to see it grow, and each is a worktree with an agent that lives.
#[test]
fn forty_tasks_of_a_misbehaving_server_end_exactly_once_and_leave_nothing_behind() {
    let account = soak(Plan { tasks: 40, parallel: 8, faults: 5.0, seed: 1 });
    let account = account.unwrap_or_else(|error| panic!("{error}"));
    println!("{account}");
    assert!(account.wrong.is_empty(), "{account}");
}
