//! The stand-in as a program, for trying out a runner without an account.

use std::process::ExitCode;

use clap::Parser;
use standin_trakkar::board::Agent;
use standin_trakkar::{Clock, Options, Standin, demo};

/// A stand-in for a Trakkar server, on 127.0.0.1 only. Keeps nothing on disk.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on.
    #[arg(long, default_value_t = 4020)]
    port: u16,
    /// Token that runners must use.
    #[arg(long, default_value = "trk_agent_standin")]
    token: String,
    /// At most so many tasks at once, as the agent's setting.
    #[arg(long)]
    max_concurrency: Option<u32>,
    /// Command that judges the work, as the agent's setting.
    #[arg(long)]
    verify_command: Option<String>,
    /// Delegate a few tasks.
    #[arg(long)]
    demo: bool,
    /// Let time stand still until POST /standin/clock/advance.
    #[arg(long)]
    fake_clock: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let agent = Agent {
        token: arguments.token,
        max_concurrency: arguments.max_concurrency,
        verify_command: arguments.verify_command,
        ..Agent::default()
    };
    let clock = if arguments.fake_clock { Clock::fake() } else { Clock::real() };
    match Standin::start(Options { port: arguments.port, agent, clock }) {
        Ok(standin) => serve(&standin, arguments.demo),
        Err(error) => {
            eprintln!("standin-trakkar: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Goes on until the program is ended.
fn serve(standin: &Standin, with_demo: bool) -> ! {
    if with_demo {
        demo::fill(standin);
    }
    print!("{}", welcome(&standin.url(), standin.token(), standin.agent(), with_demo));
    loop {
        std::thread::park();
    }
}

fn welcome(url: &str, token: &str, agent: &str, with_demo: bool) -> String {
    let tasks = if with_demo {
        "Three tasks wait for it.\n".to_owned()
    } else {
        format!(
            "Give it a task:\n\n  \
             curl {url}/standin/tasks --json '{{\"title\":\"Write hello.txt\",\"delegate\":\"{agent}\"}}'\n"
        )
    };
    format!(
        "A stand-in for Trakkar is at {url} (the board is a page there). Connect a host, in a repository with a remote:\n\n  \
         export TRAKKAR_TOKEN={token} TRAKKAR_API_URL={url}\n  \
         host run --plugin trakkar\n\n\
         {tasks}Ctrl-C ends it; nothing is kept.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_says_what_to_type() {
        let text = welcome("http://127.0.0.1:4020", "t", "ag_1", false);
        assert!(text.contains("export TRAKKAR_TOKEN=t TRAKKAR_API_URL=http://127.0.0.1:4020\n"), "{text}");
        assert!(text.contains("\"delegate\":\"ag_1\""), "{text}");
    }
}
