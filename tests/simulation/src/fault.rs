//! Everything that can go wrong, as data. Faults that strike at a count ("at the
//! seventh write") reach every write and effect; others strike at a time.

use hostler_engine::problem::ProblemKind;
use hostler_engine::time::{Millis, Timestamp};

use crate::random::Random;
use crate::scenario::BEGINNING;

/// Where in its work a host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// An input was applied, and its entry is on the way to the disk.
    Applied,
    /// The entry is on the disk, none of its effects is carried out.
    Durable,
    /// Between the effects of one entry.
    BeforeEffect,
    /// The effect is done, its answer is not told.
    AfterEffect,
}

/// What befalls one request to the tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFault {
    /// It never arrives.
    RequestLost,
    /// The tracker acts on it; the answer is lost.
    ReplyLost,
    /// It arrives after the host has given up.
    RequestLate(Millis),
    /// The answer takes this long.
    ReplyLate(Millis),
    /// It arrives a second time after this long.
    Twice(Millis),
    /// The tracker answers with an error of its own.
    Refused(ProblemKind),
}

/// A word about a run under a fence that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleWord {
    /// Renewed.
    Renewed,
    /// Cancelled.
    Cancel,
    /// Lost.
    LeaseLost,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A host dies and is started again.
    Crash {
        /// Which.
        host: usize,
        /// Where in its work.
        point: CrashPoint,
        /// At which of these points, counted over all its lives.
        nth: u32,
        /// How long it stays down.
        down: Millis,
        /// The whole machine goes down, with all agents.
        machine: bool,
        /// How far the wall clock has moved, in milliseconds, when it is back.
        clock: i64,
        /// It is started without its tracker first.
        without_tracker: bool,
    },
    /// A write fails: the host stops at once, and again until there is room.
    DiskFull {
        /// Which host.
        host: usize,
        /// At which entry, counted over all its lives.
        nth: u32,
        /// For how long.
        lasts: Millis,
    },
    /// A request to the tracker does not go as it should.
    Message {
        /// Which, counted over all hosts.
        nth: u32,
        /// What befalls it.
        how: MessageFault,
    },
    /// Nothing passes between a host and the tracker.
    Partition {
        /// Which host.
        host: usize,
        /// From then on.
        from: Timestamp,
        /// For so long.
        lasts: Millis,
        /// Before that, answers take so long for a while.
        slow: Millis,
    },
    /// The machine sleeps: nothing on it moves, its clock goes on.
    Sleep {
        /// Which.
        host: usize,
        /// From then on.
        from: Timestamp,
        /// For so long.
        lasts: Millis,
    },
    /// The tracker takes a task back before its lease is over.
    Theft {
        /// Which task.
        task: usize,
        /// When.
        at: Timestamp,
    },
    /// The tracker wants a task to end.
    Cancel {
        /// Which task.
        task: usize,
        /// When.
        at: Timestamp,
    },
    /// A person at a host ends its first open run.
    Stop {
        /// Which host.
        host: usize,
        /// When.
        at: Timestamp,
    },
    /// A person ends a host's first open run at any step of its work.
    Interject {
        /// Which host.
        host: usize,
        /// After which entry, counted over all its lives.
        nth: u32,
        /// The host dies as soon as that is written down.
        dies: bool,
    },
    /// A person ends a host, and starts it again later.
    Shutdown {
        /// Which.
        host: usize,
        /// When.
        at: Timestamp,
        /// Without waiting for what runs.
        at_once: bool,
        /// How long it stays down.
        down: Millis,
    },
    /// A plugin crashes.
    Trap {
        /// At which call, counted over all hosts.
        nth: u32,
    },
    /// Git fails.
    Git {
        /// At which call, counted over all hosts.
        nth: u32,
    },
    /// An answer reaches the engine a second time.
    Echo {
        /// Which answer, counted over all hosts.
        nth: u32,
        /// How much later.
        after: Millis,
    },
    /// A word under a wrong fence comes for the first open run.
    Stale {
        /// At which host.
        host: usize,
        /// When.
        at: Timestamp,
        /// What.
        word: StaleWord,
    },
}

impl Fault {
    /// When it strikes, for those that strike at a time.
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Partition { from: at, .. }
            | Self::Sleep { from: at, .. }
            | Self::Theft { at, .. }
            | Self::Cancel { at, .. }
            | Self::Stop { at, .. }
            | Self::Shutdown { at, .. }
            | Self::Stale { at, .. } => Some(*at),
            _ => None,
        }
    }
}

impl Fault {
    /// The host it befalls, if it befalls one.
    pub const fn host(&self) -> Option<usize> {
        match self {
            Self::Crash { host, .. }
            | Self::DiskFull { host, .. }
            | Self::Partition { host, .. }
            | Self::Sleep { host, .. }
            | Self::Stop { host, .. }
            | Self::Interject { host, .. }
            | Self::Shutdown { host, .. }
            | Self::Stale { host, .. } => Some(*host),
            _ => None,
        }
    }
}

/// How long a network is slow before it is cut.
pub const SLOW_BEFORE: Millis = Millis::minutes(2);

/// The longest time an operation of the daemon may take, so the latest a reply comes.
const LATEST_REPLY: u64 = 280;

/// Draws the faults of a scenario: none in one of ten, else up to fourteen.
pub fn draw_faults(random: &mut Random, hosts: usize, tasks: usize, calm: Timestamp) -> Vec<Fault> {
    let count = if random.one_in(10) { 0 } else { random.below(14) + 1 };
    let mut faults: Vec<Fault> = (0..count).map(|_| draw(random, hosts, tasks, calm)).collect();
    // People who end a host also end runs, in the moments while it ends.
    let shutdown = faults.iter().find_map(|fault| match *fault {
        Fault::Shutdown { host, at, .. } => Some((host, at)),
        _ => None,
    });
    if let Some((host, at)) = shutdown.filter(|_| random.one_in(2)) {
        faults.push(Fault::Stop { host, at: at + random.millis(1, 8000) });
    }
    faults
}

fn draw(random: &mut Random, hosts: usize, tasks: usize, calm: Timestamp) -> Fault {
    let host = random.index(hosts);
    let task = random.index(tasks);
    let at = BEGINNING + random.millis(0, calm.since(BEGINNING).0);
    match random.below(24) {
        0..=6 => crash(random, host),
        7 => Fault::DiskFull { host, nth: random.count(1, 60), lasts: random.seconds(1, 120) },
        8..=11 => Fault::Message { nth: random.count(1, 120), how: message_fault(random) },
        12 | 13 => Fault::Partition {
            host,
            from: at,
            lasts: random.seconds(5, 300),
            slow: if random.one_in(2) { random.seconds(5, 40) } else { Millis(0) },
        },
        14 | 15 => Fault::Sleep { host, from: at, lasts: sleep(random) },
        16 => Fault::Theft { task, at },
        17 => Fault::Cancel { task, at },
        18 => Fault::Interject { host, nth: random.count(3, 60), dies: random.one_in(2) },
        19 => Fault::Shutdown { host, at, at_once: random.one_in(2), down: random.seconds(1, 200) },
        20 => Fault::Trap { nth: random.count(1, 12) },
        21 => Fault::Git { nth: random.count(1, 12) },
        22 => Fault::Echo { nth: random.count(1, 80), after: random.millis(1, 60_000) },
        _ => Fault::Stale {
            host,
            at,
            word: [StaleWord::Renewed, StaleWord::Cancel, StaleWord::LeaseLost][random.index(3)],
        },
    }
}

/// Minutes mostly; now and then a night.
fn sleep(random: &mut Random) -> Millis {
    if random.one_in(4) { random.seconds(3600, 8 * 3600) } else { random.seconds(10, 300) }
}

fn crash(random: &mut Random, host: usize) -> Fault {
    let points =
        [CrashPoint::Applied, CrashPoint::Durable, CrashPoint::BeforeEffect, CrashPoint::AfterEffect];
    let point = points[random.index(points.len())];
    let most = if matches!(point, CrashPoint::Applied | CrashPoint::Durable) { 80 } else { 25 };
    Fault::Crash {
        host,
        point,
        nth: random.count(1, most),
        down: if random.one_in(2) { random.millis(100, 5000) } else { random.seconds(5, 240) },
        machine: random.one_in(6),
        clock: [0, 0, 0, -3_600_000, -20_000, 45_000, 3_600_000][random.index(7)],
        without_tracker: random.one_in(10),
    }
}

fn message_fault(random: &mut Random) -> MessageFault {
    match random.below(8) {
        0 | 1 => MessageFault::RequestLost,
        2 | 3 => MessageFault::ReplyLost,
        4 => MessageFault::RequestLate(random.seconds(31, 400)),
        5 => MessageFault::ReplyLate(random.seconds(1, LATEST_REPLY)),
        6 => MessageFault::Twice(random.seconds(0, 400)),
        _ => MessageFault::Refused(
            [ProblemKind::Transient, ProblemKind::RateLimited, ProblemKind::Permanent][random.index(3)],
        ),
    }
}
