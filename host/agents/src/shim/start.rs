//! From orders to a running agent under supervision.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command as Program;
use std::time::Instant;

use hostler_engine::sandbox::Tier;

use super::confinement::Confinement;
use super::descriptors::{do_not_wait, keep_to_ourselves};
use super::door::Door;
use super::input::Input;
use super::kept_places::KeptPlaces;
use super::log_pump::LogPump;
use super::memory_watch::MemoryWatch;
use super::namespace::{NotInside, start_inside};
use super::seal::Seal;
use super::tree::{Around, Tree};
use super::walls::Breach;
use crate::containment::{ContainedBy, Containment};
use crate::control::{Orders, PROTOCOL, Step};
use crate::control_group::ControlGroup;
use crate::folder::{AgentRecord, Folder};
use crate::limits::LimitedBy;
use crate::process::{ProcessId, become_subreaper, look};
use crate::sandbox::Plan;
use crate::stream::{Both, Stream};

/// Everything that a running agent has.
pub(super) struct Started {
    pub record: AgentRecord,
    pub tree: Tree,
    pub logs: Both<LogPump>,
    pub input: Input,
    pub door: Door,
    pub memory: Option<MemoryWatch>,
    pub kept: KeptPlaces,
}

/// Starts the agent, with a record and a door on disk before there is anything
/// to record: whoever finds the record later finds the processes too, and a
/// supervisor that listens.
pub(super) fn start(orders: &Orders, folder: &Folder) -> Result<Started, (Step, io::Error)> {
    let shim = become_supervisor(folder).map_err(|error| (Step::Supervise, error))?;
    let in_folder = |error| (Step::Record, error);
    // The first log is created new: it is what tells a folder that was used before.
    let (out, their_out) = log(folder, Stream::Stdout).map_err(in_folder)?;
    let (err, their_err) = log(folder, Stream::Stderr).map_err(in_folder)?;
    let mut door = Door::open(shim.clone(), &orders.run, orders.attempt).map_err(in_folder)?;
    let mut record = AgentRecord {
        run: orders.run.clone(),
        attempt: orders.attempt,
        shim: shim.clone(),
        agent: None,
        protocol: PROTOCOL,
        containment: ContainedBy::Sweep,
        cgroup: None,
        limited_by: LimitedBy::default(),
        sandbox: Tier::None,
        listener: None,
    };
    folder.write_record(&record).map_err(in_folder)?;
    let in_input = |error| (Step::Exec, error);
    let started = Input::open(orders.stdin.clone()).map_err(in_input).and_then(|(their_in, input)| {
        let kept = orders.sandbox.as_ref().map(KeptPlaces::hold).transpose().map_err(Breach::into_step)?;
        let confinement = Confinement::new(orders.limits, usize::try_from(shim.pid).unwrap_or(0));
        record.limited_by = confinement.limited_by(orders.limits);
        let streams = Streams { stdin: their_in, stdout: their_out, stderr: their_err };
        Ok((input, kept.unwrap_or_default(), spawn(orders, streams, confinement, &shim)?))
    });
    let (input, kept, (agent, mut around)) = match started {
        Ok(started) => started,
        Err(refused) => {
            door.close();
            return Err(refused);
        }
    };
    door.offer(around.way_out());
    record.listener = orders.sandbox.as_ref().and_then(|plan| plan.port);
    record.sandbox = orders.sandbox.as_ref().map_or(Tier::None, |plan| plan.tier);
    record.containment = match &around {
        Around::Namespace(_) => ContainedBy::PidNamespace,
        Around::Group(_) => ContainedBy::Cgroup,
        Around::Nothing => ContainedBy::Sweep,
    };
    record.cgroup = around.group().map(|group| group.path().to_owned());
    record.agent = look(agent).map(|seen| seen.id);
    // Should this fail, the record on disk still names the shim, which is what
    // a later host asks.
    let _ = folder.write_record(&record);
    let logs = Both { stdout: out, stderr: err };
    let memory = orders.limits.memory.map(|limit| MemoryWatch::new(limit, Instant::now()));
    Ok(Started { record, tree: Tree::new(shim, agent, around), logs, input, door, memory, kept })
}

/// The agent's ends.
struct Streams {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// The agent, in the strongest containment there is. Our copies of the streams
/// are gone afterwards, so their end is seen when the agents' copies are closed.
fn spawn(
    orders: &Orders,
    streams: Streams,
    confinement: Confinement,
    shim: &ProcessId,
) -> Result<(i32, Around), (Step, io::Error)> {
    let mut program = Program::new(&orders.program);
    program
        .args(&orders.args)
        .env_clear()
        .envs(orders.env.iter().map(|(name, value)| (name, value)))
        .current_dir(orders.cwd.as_ref())
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr)
        .process_group(0);
    if let Some(plan) = &orders.sandbox {
        return spawn_walled_in(program, plan, &confinement);
    }
    spawn_unwalled(program, orders.containment, confinement, shim).map_err(|error| (Step::Exec, error))
}

/// Within these walls or not at all.
fn spawn_walled_in(
    mut program: Program,
    plan: &Plan,
    confinement: &Confinement,
) -> Result<(i32, Around), (Step, io::Error)> {
    put_on(&mut program, Seal::new(plan.nests));
    let mut refused = None;
    for user_namespace in [false, true] {
        match start_inside(&mut program, confinement, Some(plan), user_namespace) {
            Ok((init, agent)) => return Ok((agent, Around::Namespace(init))),
            Err(NotInside::NoNamespace(breach)) => refused = Some(breach),
            Err(NotInside::Walls(breach)) => return Err(breach.into_step()),
            Err(NotInside::Agent(error)) => return Err((Step::Exec, error)),
        }
    }
    Err(refused.map_or((Step::Exec, io::ErrorKind::Unsupported.into()), Breach::into_step))
}

/// The last thing that the agent's process does before it becomes the agent.
fn put_on(program: &mut Program, seal: Seal) {
    // SAFETY: `put_on` makes system calls and nothing else: no allocation, no lock.
    unsafe { program.pre_exec(move || seal.put_on()) };
}

/// In the strongest containment there is.
fn spawn_unwalled(
    mut program: Program,
    containment: Containment,
    confinement: Confinement,
    shim: &ProcessId,
) -> io::Result<(i32, Around)> {
    let with_user_namespace: &[bool] = match containment {
        Containment::Auto => &[false],
        Containment::Namespace => &[false, true],
        Containment::Sweep => &[],
    };
    for user_namespace in with_user_namespace {
        match start_inside(&mut program, &confinement, None, *user_namespace) {
            Ok((init, agent)) => return Ok((agent, Around::Namespace(init))),
            Err(NotInside::NoNamespace(_) | NotInside::Walls(_)) => {}
            Err(NotInside::Agent(error)) => return Err(error),
        }
    }
    let group = match containment {
        Containment::Auto | Containment::Namespace => ControlGroup::make(shim),
        Containment::Sweep => None,
    };
    let (around, confinement) = match group {
        Some(group) => {
            let confinement = confinement.inside(group.entrance()?);
            (Around::Group(group), confinement)
        }
        None => (Around::Nothing, confinement),
    };
    // SAFETY: `enter` makes system calls and nothing else: no allocation, no lock.
    let child = unsafe { program.pre_exec(move || confinement.enter()) }.spawn();
    let agent = child.and_then(|child| i32::try_from(child.id()).map_err(io::Error::other));
    match agent {
        Ok(agent) => Ok((agent, around)),
        Err(error) => {
            around.remove();
            Err(error)
        }
    }
}

fn log(folder: &Folder, stream: Stream) -> io::Result<(LogPump, OwnedFd)> {
    let log = folder.create_log(stream.log_name())?;
    let (ours, theirs) = io::pipe()?;
    do_not_wait(&ours)?;
    Ok((LogPump::new(ours.into(), log), theirs.into()))
}

/// Away from the host's terminal and its signals, in the attempt's folder, and
/// parent of last resort.
fn become_supervisor(folder: &Folder) -> io::Result<ProcessId> {
    rustix::process::setsid()?;
    become_subreaper()?;
    keep_to_ourselves()?;
    rustix::process::chdir(folder.path())?;
    let me = rustix::process::getpid().as_raw_nonzero().get();
    look(me).map(|seen| seen.id).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}
