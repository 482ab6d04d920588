//! Bodies on their way: passed on piece by piece as they come, and counted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::task::JoinSet;

use super::passage::Underway;

/// What can go wrong in the middle of a body.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What an agent is answered.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, BodyError>>;

/// A sentence as an answer.
pub(super) fn sentence(status: StatusCode, told: &str) -> Answer {
    let body = Full::from(format!("{told}\n")).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// An answer without a body.
pub(super) fn established() -> Answer {
    Response::new(Full::default().map_err(|never| match never {}).boxed_unsync())
}

/// Which way a body goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Up,
    Down,
}

/// A body whose bytes are counted.
pub(super) struct Counted<B> {
    body: B,
    direction: Direction,
    passage: Arc<Underway>,
    /// What moves the connection that the body comes from; ends with it.
    _driving: JoinSet<()>,
}

impl<B> Counted<B> {
    pub(super) fn new(body: B, direction: Direction, passage: Arc<Underway>) -> Self {
        Self::driven(body, direction, passage, JoinSet::new())
    }

    pub(super) fn driven(
        body: B,
        direction: Direction,
        passage: Arc<Underway>,
        driving: JoinSet<()>,
    ) -> Self {
        Self { body, direction, passage, _driving: driving }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.direction {
                Direction::Up => self.passage.sent(data.len()),
                Direction::Down => self.passage.received(data.len()),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
