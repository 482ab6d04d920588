//! The stand-in as a program, for trying out a host without an account.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use standin_tale::board::{CancelAck, Refusal, Rules};
use standin_tale::{Clock, Options, Standin, demo};

/// How often the demo looks whether it can assign a task.
const LOOK: Duration = Duration::from_millis(200);

/// A stand-in for a Tale server, on 127.0.0.1 only. Keeps nothing on disk.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on.
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// API key that hosts must use.
    #[arg(long, default_value = "tale-standin-key")]
    key: String,
    /// Put a few tasks on the board; assign one after the other once a host has registered.
    #[arg(long)]
    demo: bool,
    /// Limit clients as the real server does.
    #[arg(long)]
    rate_limits: bool,
    /// How a run ends whose host acknowledges that it was cancelled.
    #[arg(long, value_enum, default_value_t = Ack::Failed)]
    cancel_ack: Ack,
    /// Let time stand still until POST /standin/clock/advance.
    #[arg(long)]
    fake_clock: bool,
    /// Decides ids, and which requests faults with a chance strike.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// [`CancelAck`] as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ack {
    /// As the real server does.
    Failed,
    /// As its schema says.
    Cancelled,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cancel_ack = match arguments.cancel_ack {
        Ack::Failed => CancelAck::Failed,
        Ack::Cancelled => CancelAck::Cancelled,
    };
    let options = Options {
        port: arguments.port,
        key: arguments.key,
        seed: arguments.seed,
        clock: if arguments.fake_clock { Clock::fake() } else { Clock::real() },
        rate_limits: arguments.rate_limits,
        rules: Rules { cancel_ack },
    };
    match Standin::start(options) {
        Ok(standin) => serve(&standin, arguments.demo),
        Err(error) => {
            eprintln!("standin-tale: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Goes on until the program is ended.
fn serve(standin: &Standin, with_demo: bool) -> ! {
    if with_demo {
        demo::fill(standin);
    }
    print!("{}", welcome(&standin.url(), standin.key(), with_demo));
    if with_demo {
        let refusal = play_demo(standin);
        eprintln!("standin-tale: the next task cannot be assigned ({refusal}); the demo ends here");
    }
    loop {
        std::thread::park();
    }
}

/// Assigns task after task, until one is refused.
fn play_demo(standin: &Standin) -> Refusal {
    loop {
        match demo::assign_next(standin) {
            Some(Ok(run)) => println!("Run {run} waits for the host."),
            Some(Err(refusal)) => return refusal,
            None => std::thread::sleep(LOOK),
        }
    }
}

fn welcome(url: &str, key: &str, with_demo: bool) -> String {
    let tasks = if with_demo {
        "The tasks on the board are assigned one after the other once the host has registered.\n".to_owned()
    } else {
        format!(
            "Give it a task:\n\n  \
             curl {url}/standin/agents --json '{{\"slug\":\"coder\",\"runtime\":{{\"adapterType\":\"claude_code\"}}}}'\n  \
             curl {url}/standin/tasks --json '{{\"project\":\"APP\",\"title\":\"Write hello.txt\",\"assign\":\"coder\"}}'\n"
        )
    };
    format!(
        "A stand-in for Tale is at {url} (the board is a page there). Connect a host, in a repository:\n\n  \
         host setup tale --url {url} --key {key} --yes\n  \
         host run --plugin tale\n\n\
         {tasks}Ctrl-C ends it; nothing is kept.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_says_what_to_type() {
        let text = welcome("http://127.0.0.1:4010", "k", true);
        assert!(text.contains("host setup tale --url http://127.0.0.1:4010 --key k --yes\n"), "{text}");
        assert!(text.contains("host run --plugin tale\n"), "{text}");
    }
}
