//! The agent's standard input: written beside everything else, so that neither a
//! long prompt nor an agent that does not read can hold up its output.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many messages may wait for an agent that does not read; the next one
/// waits with its writer.
const QUEUE: usize = 16;

/// What the agent reads. Several CLIs wait for ever on an input that stays open,
/// so open is the exception.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: it is at its end from the start.
    #[default]
    Closed,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then what is written later, until it is closed.
    Open(Vec<u8>),
}

/// The agent's standard input takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent's standard input is closed; send the message to its next attempt")]
pub struct StdinClosed;

#[derive(Debug)]
enum Message {
    Bytes(Vec<u8>),
    Close,
}

/// Where handles put what the agent is to read.
#[derive(Clone, Debug)]
pub(crate) struct StdinQueue(Option<mpsc::Sender<Message>>);

impl StdinQueue {
    pub(crate) async fn write(&self, bytes: Vec<u8>) -> Result<(), StdinClosed> {
        let queue = self.0.as_ref().ok_or(StdinClosed)?;
        queue.send(Message::Bytes(bytes)).await.map_err(|_| StdinClosed)
    }

    pub(crate) async fn close(&self) {
        if let Some(queue) = &self.0 {
            // Already closed is closed.
            let _ = queue.send(Message::Close).await;
        }
    }
}

/// Writes until told to stop; stops at once when dropped.
#[derive(Debug)]
pub(crate) struct StdinWriter(Option<JoinHandle<()>>);

impl Drop for StdinWriter {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Stdin {
    /// The agent's end, and the two ends of ours.
    pub(crate) fn open(self) -> io::Result<(OwnedFd, StdinWriter, StdinQueue)> {
        let (first, stays_open) = match self {
            Self::Closed => {
                let nothing = std::fs::File::open("/dev/null")?;
                return Ok((nothing.into(), StdinWriter(None), StdinQueue(None)));
            }
            Self::Bytes(bytes) => (bytes, false),
            Self::Open(bytes) => (bytes, true),
        };
        let (read, write) = io::pipe()?;
        let pipe = Sender::from_owned_fd(write.into())?;
        let (queue, messages) = mpsc::channel(QUEUE);
        let task = tokio::spawn(write_all(pipe, first, messages));
        Ok((read.into(), StdinWriter(Some(task)), StdinQueue(stays_open.then_some(queue))))
    }
}

/// Ends, and so closes the pipe, when there is nobody left to ask for more, or
/// nobody left to read.
async fn write_all(mut pipe: Sender, first: Vec<u8>, mut messages: mpsc::Receiver<Message>) {
    let mut next = Some(Message::Bytes(first));
    while let Some(Message::Bytes(bytes)) = next {
        if pipe.write_all(&bytes).await.is_err() {
            return;
        }
        next = messages.recv().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_full_queue_makes_the_writer_wait_and_loses_nothing() {
        let (read, _writer, queue) = Stdin::Open(vec![b'x'; 1 << 20]).open().unwrap();
        for _ in 0..QUEUE {
            queue.write(b"y".to_vec()).await.unwrap();
        }
        let one_more = queue.write(b"z".to_vec());
        tokio::pin!(one_more);
        assert!(futures_poll(one_more.as_mut()).await.is_none());

        let reader = std::thread::spawn(move || io::read_to_string(std::fs::File::from(read)).unwrap());
        one_more.await.unwrap();
        queue.close().await;
        let text = tokio::task::spawn_blocking(|| reader.join().unwrap()).await.unwrap();
        assert_eq!(text.len(), (1 << 20) + QUEUE + 1);
        assert_eq!(queue.write(Vec::new()).await, Err(StdinClosed));
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn a_closed_input_refuses_messages() {
        let (_read, _writer, queue) = Stdin::Closed.open().unwrap();
        assert_eq!(queue.write(b"hello".to_vec()).await, Err(StdinClosed));
        let (_read, _writer, queue) = Stdin::Bytes(b"prompt".to_vec()).open().unwrap();
        assert_eq!(queue.write(b"hello".to_vec()).await, Err(StdinClosed));
    }
}
