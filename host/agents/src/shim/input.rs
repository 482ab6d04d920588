//! The agent's standard input: a queue, and the pipe it empties into.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::descriptors::do_not_wait;
use crate::control::InputState;
use crate::stdin::Stdin;

/// Numbers start at 1; what the agent is started with is number 0.
#[derive(Debug)]
pub(super) struct Input {
    /// `None` once it is closed.
    pipe: Option<OwnedFd>,
    queue: VecDeque<(u32, Vec<u8>)>,
    /// So much of the first in the queue is written.
    position: usize,
    /// It is closed after what is in the queue.
    closing: bool,
    taken: u32,
    written: u32,
}

impl Input {
    /// The agent's end, and ours.
    pub(super) fn open(stdin: Stdin) -> io::Result<(OwnedFd, Self)> {
        let (first, stays_open) = match stdin {
            Stdin::Closed => {
                let nothing = std::fs::File::open("/dev/null")?;
                return Ok((nothing.into(), Self::new(None, Vec::new(), true)));
            }
            Stdin::Bytes(bytes) => (bytes, false),
            Stdin::Open(bytes) => (bytes, true),
        };
        let (theirs, ours) = io::pipe()?;
        do_not_wait(&ours)?;
        Ok((theirs.into(), Self::new(Some(ours.into()), first, !stays_open)))
    }

    fn new(pipe: Option<OwnedFd>, first: Vec<u8>, closing: bool) -> Self {
        Self { pipe, queue: VecDeque::from([(0, first)]), position: 0, closing, taken: 0, written: 0 }
    }

    pub(super) fn state(&self) -> InputState {
        let open = self.pipe.is_some() && !self.closing;
        InputState { taken: self.taken, written: self.written, open }
    }

    /// Takes a message, unless one of its number was taken.
    pub(super) fn take(&mut self, number: u32, bytes: Vec<u8>) {
        if self.is_new(number) && self.state().open {
            self.queue.push_back((number, bytes));
        }
    }

    /// Closes it after what was taken so far.
    pub(super) fn close(&mut self, number: u32) {
        self.closing |= self.is_new(number);
    }

    fn is_new(&mut self, number: u32) -> bool {
        let new = number > self.taken;
        self.taken = self.taken.max(number);
        new
    }

    /// What to wait for, if anything is to be written.
    pub(super) fn sink(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.queue.is_empty()).map(AsFd::as_fd)
    }

    /// Writes what the pipe takes, without waiting.
    pub(super) fn pump(&mut self) {
        while let (Some(pipe), Some((number, bytes))) = (&self.pipe, self.queue.front()) {
            match rustix::io::write(pipe, &bytes[self.position..]) {
                Ok(count) => self.position += count,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return,
                // Nobody reads any more.
                Err(_) => self.pipe = None,
            }
            if self.position == bytes.len() {
                self.written = *number;
                self.position = 0;
                self.queue.pop_front();
            }
        }
        if self.pipe.is_none() {
            self.queue.clear();
        } else if self.closing {
            self.pipe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::File;
    use std::io::Read;

    use super::*;

    fn read_all(pipe: OwnedFd) -> String {
        let mut text = String::new();
        File::from(pipe).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_number_is_taken_once() {
        let (theirs, mut input) = Input::open(Stdin::Open(b"first ".to_vec())).unwrap();
        for (number, bytes) in [(1, "one "), (2, "two "), (1, "again "), (2, "again "), (3, "three")] {
            input.take(number, bytes.into());
        }
        input.pump();
        assert_eq!(input.state(), InputState { taken: 3, written: 3, open: true });
        input.close(3);
        assert!(input.state().open, "its number was taken by a message");
        input.close(4);
        input.take(5, b"too late".to_vec());
        input.pump();
        assert!(!input.state().open);
        assert_eq!(read_all(theirs), "first one two three");
    }

    #[test]
    fn a_full_pipe_is_not_waited_for_and_loses_nothing() {
        let (theirs, mut input) = Input::open(Stdin::Open(vec![b'x'; 1 << 20])).unwrap();
        input.take(1, b"y".to_vec());
        input.close(2);
        input.pump();
        assert_eq!(input.state(), InputState { taken: 2, written: 0, open: false });
        let reader = std::thread::spawn(move || read_all(theirs));
        while input.sink().is_some() {
            input.pump();
        }
        assert_eq!(reader.join().unwrap().len(), (1 << 20) + 1);
        assert_eq!(input.state().written, 1);
    }

    #[test]
    fn an_agent_that_does_not_read_any_more_closes_it() {
        let (theirs, mut input) = Input::open(Stdin::Open(Vec::new())).unwrap();
        input.pump();
        drop(theirs);
        assert!(input.state().open, "nobody has tried");
        input.take(1, b"hello".to_vec());
        input.pump();
        assert!(!input.state().open);
        assert!(input.sink().is_none());
    }

    #[test]
    fn an_input_that_is_not_used_is_at_its_end() {
        let (theirs, input) = Input::open(Stdin::Closed).unwrap();
        assert!(!input.state().open);
        assert_eq!(read_all(theirs), "");
    }
}
