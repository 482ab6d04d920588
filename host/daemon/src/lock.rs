//! One host per state folder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;
use crate::home::Home;

/// Held as long as the host runs; the system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the lock, or says who has it.
    pub fn take(home: &Home) -> Result<Self, Failure> {
        let path = home.lock();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Failure::folder(&path))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(Failure::Busy { pid, state: home.state.clone() });
        }
        // The number is a courtesy to the next one who asks; the lock is what counts.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_second_host_on_a_state_folder_is_told_who_runs_there() {
        let place = tempfile::tempdir().unwrap();
        let here = place.path().to_owned();
        let home = Home { state: here.clone(), config: here.clone(), cache: here.clone(), data: here };
        let first = StateLock::take(&home).unwrap();
        let refused = StateLock::take(&home).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        StateLock::take(&home).unwrap();
    }
}
