//! Processors by the kernel's scheduler.

use std::io;
use std::mem::zeroed;

/// A choice of processors.
#[derive(Clone)]
pub(in super::super) struct Processors(libc::cpu_set_t);

impl std::fmt::Debug for Processors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(numbers(&self.0)).finish()
    }
}

/// The processors this process may run on; `None` on a machine with more than
/// the kernel's old interface can name.
pub(in super::super) fn allowed() -> Option<Vec<usize>> {
    let mut set = none();
    // SAFETY: the set is a local of the size that is told, and lives through
    // the call.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    (result == 0).then(|| numbers(&set))
}

impl Processors {
    pub(in super::super) fn of(numbers: &[usize]) -> Self {
        let mut set = none();
        for number in numbers.iter().filter(|number| **number < capacity()) {
            // SAFETY: the number is within the set.
            unsafe { libc::CPU_SET(*number, &mut set) };
        }
        Self(set)
    }

    /// This process, and all it starts, runs on these from now on.
    pub(in super::super) fn stay_on(&self) -> io::Result<()> {
        // SAFETY: the set is read for the size that is told.
        let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn capacity() -> usize {
    size_of::<libc::cpu_set_t>() * 8
}

fn none() -> libc::cpu_set_t {
    // SAFETY: a set is an array of bits, and no bit set is the empty set.
    unsafe { zeroed() }
}

fn numbers(set: &libc::cpu_set_t) -> Vec<usize> {
    // SAFETY: every number asked for is within the set.
    (0..capacity()).filter(|number| unsafe { libc::CPU_ISSET(*number, set) }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_choice_holds_what_was_chosen_and_nothing_beyond_the_set() {
        assert_eq!(
            numbers(&Processors::of(&[1, 63, 64, capacity() - 1, capacity()]).0),
            [1, 63, 64, capacity() - 1]
        );
    }

    #[test]
    fn a_process_may_stay_where_it_is() {
        let before = allowed().unwrap();
        assert!(!before.is_empty());
        Processors::of(&before).stay_on().unwrap();
        assert_eq!(allowed().unwrap(), before);
    }
}
