//! One host per state folder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};

use crate::failure::Failure;
use crate::home::Home;

/// A child that a host had forked when it was killed shares its lock until it becomes
/// another program: milliseconds, on a machine that is not stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a lock that belongs to nobody alive is tried again.
const LOOK: Duration = Duration::from_millis(5);

/// Held as long as the host runs; the system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the lock, or says who has it.
    pub fn take(home: &Home) -> Result<Self, Failure> {
        Self::take_within(home, PATIENCE)
    }

    fn take_within(home: &Home, patience: Duration) -> Result<Self, Failure> {
        let path = home.lock();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Failure::folder(&path))?;
        let since = Instant::now();
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let pid = holder(&mut file);
            if pid.is_none_or(is_alive) || since.elapsed() >= patience {
                return Err(Failure::Busy { pid, state: home.state.clone() });
            }
            std::thread::sleep(LOOK);
        }
        // The number is a courtesy to the next one who asks; the lock is what counts.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// Who said that it holds the lock.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn home(place: &std::path::Path) -> Home {
        let here = place.to_owned();
        Home { state: here.clone(), config: here.clone(), cache: here.clone(), data: here }
    }

    /// A lock that a host seems to hold which has ended.
    fn left_by_the_dead(home: &Home) -> File {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        std::fs::write(home.lock(), child.id().to_string()).unwrap();
        child.wait().unwrap();
        let file = File::open(home.lock()).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    }

    #[test]
    fn a_lock_that_a_killed_host_shared_with_a_child_is_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let home = home(place.path());
        let left = left_by_the_dead(&home);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| StateLock::take_within(&home, Duration::from_secs(30)));
            drop(left);
            taken.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_lock_that_is_never_let_go_of_is_not_waited_for_for_ever() {
        let place = tempfile::tempdir().unwrap();
        let home = home(place.path());
        let _left = left_by_the_dead(&home);
        let refused = StateLock::take_within(&home, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(refused, Failure::Busy { .. }), "{refused}");
    }

    #[test]
    fn the_second_host_on_a_state_folder_is_told_who_runs_there() {
        let place = tempfile::tempdir().unwrap();
        let home = home(place.path());
        let first = StateLock::take(&home).unwrap();
        let refused = StateLock::take(&home).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        StateLock::take(&home).unwrap();
    }
}
