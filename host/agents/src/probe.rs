//! Which sandboxes this machine can build, found out by building them.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_engine::outcome::EndReason;
use hostler_engine::sandbox::Tier;
use rustix::io::Errno;
use tokio::time::timeout;

use crate::agent::{Agent, Output};
use crate::agents::{Agents, Launch};
use crate::containment::Containment;
use crate::limits::Limits;
use crate::process::boot_time;
use crate::removal::remove_tree;
use crate::sandbox::{Network, Sandbox, Walls};
use crate::start_error::StartError;
use crate::stdin::Stdin;

/// How long a trial may take; it writes two files.
const TRIAL_LIMIT: Duration = Duration::from_secs(10);

/// Where a trial's only way out is; it has a network of its own, so any port is free.
const PORT: u16 = 1;

/// What a trial does: writes where it may, and tries to where it may not.
/// It begins when it is told to: by then its way out was asked for.
const TRIAL: &str = "read -r _; echo written > inside; echo written > \"$0\"";

/// Which sandboxes a machine can build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The strongest.
    pub possible: Tier,
    /// What is in the way of each stronger one, and what to do about it.
    pub missing: Vec<(Tier, String)>,
}

impl Agents {
    /// Builds the sandboxes for real, the strongest first, each around a shell that
    /// tries to get out, until one holds. Every time in a new folder below `within`,
    /// which is gone afterwards.
    pub async fn probe(&self, within: &Path) -> Probed {
        let mut missing = Vec::new();
        for tier in [Tier::Contained, Tier::Basic] {
            match self.try_out(tier, within).await {
                Ok(()) => return Probed { possible: tier, missing },
                Err(why) => missing.push((tier, why)),
            }
        }
        Probed { possible: Tier::None, missing }
    }

    async fn try_out(&self, tier: Tier, within: &Path) -> Result<(), String> {
        let name = format!("hostler-probe-{}-{}", std::process::id(), boot_time().as_nanos());
        let place = within.join(name);
        let tried = match prepare(&place) {
            Ok(()) => self.build(tier, &place).await,
            Err(error) => Err(format!("`{}` cannot be written: {error}", place.display())),
        };
        // What stays is a few small files that the next clean-up of temporary files takes.
        let _ = remove_tree(&place);
        tried
    }

    async fn build(&self, tier: Tier, place: &Path) -> Result<(), String> {
        let mut agent = self.start(launch(tier, place)).await.map_err(|error| why(&error))?;
        let way_out = agent.listener().await;
        // One that does not hear it ends too late, and is told as one that could not write.
        let _ = agent.handle().write_stdin(1, b"\n".to_vec()).await;
        if timeout(TRIAL_LIMIT, ended(&mut agent)).await.is_err() {
            agent.handle().end(EndReason::TimedOut, Duration::ZERO).await;
            ended(&mut agent).await;
        }
        let written = |path: PathBuf| fs::read(path).is_ok_and(|text| !text.is_empty());
        let reached = matches!(way_out, Ok(Some(_)));
        verdict(tier, written(place.join("work/inside")), written(outside(place)), reached)
    }
}

/// What a trial shows: what it wrote inside and outside, and whether it could be reached.
/// Whoever got out is told first, whatever else is wrong.
fn verdict(tier: Tier, inside: bool, outside: bool, reached: bool) -> Result<(), String> {
    let why = match (inside, outside) {
        (_, true) => "an agent in it wrote a file outside; do not use it",
        _ if tier == Tier::Contained && !reached => "an agent in it could not reach the host",
        (false, false) => "an agent in it could not write its own files",
        (true, false) => return Ok(()),
    };
    Err(why.to_owned())
}

fn outside(place: &Path) -> PathBuf {
    place.join("outside")
}

fn prepare(place: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(place)?;
    fs::create_dir(place.join("work"))?;
    fs::create_dir(place.join("home"))?;
    fs::write(outside(place), "")
}

fn launch(tier: Tier, place: &Path) -> Launch {
    let walls =
        Walls { writable: vec![place.join("work")], private: place.join("private"), ..Walls::default() };
    Launch {
        // Nobody else's, should it have to be swept up.
        run: place.to_string_lossy().into_owned(),
        attempt: 1,
        program: "/bin/sh".into(),
        args: vec!["-c".into(), TRIAL.into(), outside(place).into()],
        env: vec![("HOME".into(), place.join("home").into())],
        cwd: place.join("work"),
        folder: place.join("attempt"),
        stdin: Stdin::Open(Vec::new()),
        limits: Limits::default(),
        containment: Containment::Auto,
        sandbox: match tier {
            Tier::None => Sandbox::None,
            Tier::Basic => Sandbox::Basic(walls),
            Tier::Contained => Sandbox::Contained(walls, Network::OnlyThrough { port: PORT }),
        },
        secrets: Vec::new(),
    }
}

async fn ended(agent: &mut Agent) {
    while let Some(output) = agent.next().await {
        if matches!(output, Output::Exited(_)) {
            return;
        }
    }
}

/// What is missing, and what somebody can do who may change the machine.
fn why(error: &StartError) -> String {
    let StartError::Sandbox { doing, source, .. } = error else { return error.to_string() };
    let remedy = match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM | Errno::ACCESS) => {
            "let ordinary users make namespaces (`kernel.unprivileged_userns_clone`, or on Ubuntu \
             `kernel.apparmor_restrict_unprivileged_userns`); in a container, give it a seccomp profile that \
             allows them"
        }
        Some(Errno::NOSPC) => "raise `user.max_user_namespaces`",
        Some(Errno::NOSYS | Errno::INVAL) => "run a Linux of version 5.12 or newer",
        _ => "run agents without a sandbox, or on another machine",
    };
    format!("{doing}: {source}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_that_lets_an_agent_out_is_told_as_such_whatever_else_it_lacks() {
        let told = |tier, inside, outside, reached| {
            verdict(tier, inside, outside, reached).err().unwrap_or_default()
        };
        for (inside, reached) in [(true, true), (true, false), (false, true), (false, false)] {
            for tier in [Tier::Basic, Tier::Contained] {
                assert!(told(tier, inside, true, reached).contains("wrote a file outside"));
            }
        }
        assert!(told(Tier::Contained, true, false, false).contains("could not reach the host"));
        assert!(told(Tier::Basic, false, false, false).contains("could not write its own"));
        assert_eq!(told(Tier::Basic, true, false, false), "", "it has the network of the machine");
        assert_eq!(told(Tier::Contained, true, false, true), "");
    }

    #[test]
    fn what_is_missing_is_told_with_what_to_do_about_it() {
        let told = |errno: Errno| {
            let (tier, doing) = (Tier::Basic, "making namespaces".to_owned());
            why(&StartError::Sandbox { tier, doing, source: errno.into() })
        };
        assert!(told(Errno::PERM).starts_with("making namespaces: Operation not permitted"));
        assert!(told(Errno::PERM).contains("kernel.unprivileged_userns_clone"));
        assert!(told(Errno::NOSPC).ends_with("raise `user.max_user_namespaces`"));
        assert!(told(Errno::NOSYS).contains("5.12"));
    }
}
