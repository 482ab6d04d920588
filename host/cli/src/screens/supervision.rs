//! What holds agents together and to their limits, and what is left of them, in words.

use hostler_daemon::engine::sandbox::Tier;
use hostler_daemon::supervision::Supervision;
use hostler_daemon::view::RunView;
use hostler_daemon::{ContainedBy, CpuLimiter, LimitedBy, MemoryLimiter, Survivor, TreeProof};

use crate::text::one_line;

/// How an agent was held: by walls, together, and to limits if it had some.
pub fn held(found: &Supervision) -> String {
    let walls = match found.sandbox {
        Tier::None => "no sandbox".to_owned(),
        tier => format!("{tier} sandbox"),
    };
    let together = match found.contained_by {
        ContainedBy::PidNamespace => "in a PID namespace",
        ContainedBy::Cgroup => "in a control group",
        ContainedBy::Sweep => "held together by its supervisor",
    };
    let LimitedBy { memory, cpus } = found.limited_by;
    let memory = memory.map(|MemoryLimiter::Watch| "its memory is looked at each second");
    let cpus = cpus.map(|CpuLimiter::Affinity| "bound to its processors");
    let rest = [Some(together), memory, cpus].into_iter().flatten();
    std::iter::once(walls.as_str()).chain(rest).collect::<Vec<_>>().join("; ")
}

/// What is known of the processes of a run's last attempt. The host takes an attempt
/// for over only when it is proven that nothing of it lives.
pub fn left(run: &RunView, found: &Supervision) -> String {
    let over = run.attempts.iter().any(|attempt| attempt.number == run.attempt);
    match (over, &found.end) {
        (_, Some(TreeProof::Empty { killed: 0 })) => "nothing is left".to_owned(),
        (_, Some(TreeProof::Empty { killed })) => {
            format!("nothing is left; {} besides the agent had to be killed", count_processes(*killed))
        }
        (true, Some(TreeProof::Survivors(those))) => {
            format!("nothing is left; {} took longer to end", names(those))
        }
        (false, Some(TreeProof::Survivors(those))) => {
            format!("{} cannot be ended; tried again every few seconds", names(those))
        }
        (true, None) => "nothing is left; the supervisor was killed, so the host looked".to_owned(),
        (false, None) => String::new(),
    }
}

/// What a trial showed of this machine.
pub fn on_this_machine(found: &Supervision) -> String {
    let together = match found.contained_by {
        ContainedBy::PidNamespace => "run in a PID namespace each",
        ContainedBy::Cgroup => "run in a control group each",
        ContainedBy::Sweep => {
            "are held together by their supervisors, with no PID namespace or control group"
        }
    };
    let memory = match found.limited_by.memory {
        Some(MemoryLimiter::Watch) => "memory limits are kept by looking each second",
        None => "memory is not limited",
    };
    let cpus = match found.limited_by.cpus {
        Some(CpuLimiter::Affinity) => "processors by choosing them",
        None => "processors are not limited",
    };
    format!("{together}; {memory}, {cpus}")
}

fn count_processes(number: u32) -> String {
    match number {
        1 => "1 process".to_owned(),
        many => format!("{many} processes"),
    }
}

fn names(survivors: &[Survivor]) -> String {
    let name = |survivor: &Survivor| format!("{} ({})", one_line(&survivor.name), survivor.pid);
    survivors.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::examples;

    fn found(contained_by: ContainedBy, limited: bool, end: Option<TreeProof>) -> Supervision {
        let limited_by = LimitedBy {
            memory: limited.then_some(MemoryLimiter::Watch),
            cpus: limited.then_some(CpuLimiter::Affinity),
        };
        Supervision { contained_by, sandbox: Tier::None, limited_by, end }
    }

    #[test]
    fn how_an_agent_is_held_and_what_a_machine_allows_is_said_in_one_line() {
        let all = [ContainedBy::PidNamespace, ContainedBy::Cgroup, ContainedBy::Sweep];
        let lines = all.into_iter().zip([true, false, true]).flat_map(|(contained_by, limited)| {
            let found = found(contained_by, limited, None);
            [held(&found), on_this_machine(&found)]
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn nothing_is_left_only_of_an_attempt_whose_end_is_proven() {
        let survivor = Survivor { pid: 812, name: "sudo\u{1b}[31m".to_owned() };
        let ends = [
            Some(TreeProof::Empty { killed: 0 }),
            Some(TreeProof::Empty { killed: 1 }),
            Some(TreeProof::Empty { killed: 3 }),
            Some(TreeProof::Survivors(vec![survivor])),
            None,
        ];
        let (over, working) = (examples::succeeded(), examples::running());
        let lines = ends.into_iter().flat_map(|end| {
            let found = found(ContainedBy::Sweep, false, end);
            [format!("over: {}", left(&over, &found)), format!("under way: {}", left(&working, &found))]
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }
}
