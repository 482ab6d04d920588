//! A body on its way to an agent, with every byte of a secret masked. It stays as long as
//! it was, and nothing is held back but what may be the beginning of the secret.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hostler_engine::redaction::{Redaction, Redactor};
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// A body in which a secret is masked. What some servers send behind the body is left out.
pub(super) struct Redacted<B> {
    body: B,
    redactor: Redactor,
    held: u64,
    ended: bool,
}

impl<B> Redacted<B> {
    pub(super) fn new(body: B, redaction: &Redaction) -> Self {
        Self { body, redactor: redaction.stream(), held: 0, ended: false }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Redacted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut out = Vec::new();
        while !self.ended && out.is_empty() {
            if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? {
                let Ok(data) = frame.into_data() else { continue };
                self.redactor.push(&data, &mut out);
                self.held += data.len() as u64;
            } else {
                self.redactor.finish(&mut out);
                self.ended = true;
            }
        }
        self.held -= out.len() as u64;
        Poll::Ready((!out.is_empty()).then(|| Ok(Frame::data(out.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.held == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + self.held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + self.held);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body_util::BodyExt;

    use super::*;

    /// Gives these pieces, one after the other.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0.iter().filter_map(|frame| Some(frame.data_ref()?.len() as u64)).sum())
        }
    }

    /// The pieces as they come out, each with what is still to come.
    async fn redacted(pieces: &[&str]) -> Vec<(String, u64)> {
        let mut frames: VecDeque<_> =
            pieces.iter().map(|piece| Frame::data(Bytes::copy_from_slice(piece.as_bytes()))).collect();
        frames.push_back(Frame::trailers(hyper::HeaderMap::new()));
        let mut body = Redacted::new(Pieces(frames), &Redaction::of(["sk-secret"]).unwrap());
        let mut out = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            out.push((String::from_utf8(data.to_vec()).unwrap(), body.size_hint().exact().unwrap()));
        }
        assert!(body.is_end_stream());
        out
    }

    #[tokio::test]
    async fn a_secret_is_masked_however_it_is_cut_and_the_length_stays() {
        let out = redacted(&["key sk-", "sec", "ret! key sk-secret"]).await;
        assert_eq!(out, [("key ".to_owned(), 24), ("*********! key *********".to_owned(), 0)]);
    }

    #[tokio::test]
    async fn what_cannot_begin_a_secret_is_not_held_back_and_what_turns_out_to_be_none_comes_at_the_end() {
        let out = redacted(&["data: 1\n\n", "data: 2\n\n", "sk-se"]).await;
        let expected = [("data: 1\n\n", 14), ("data: 2\n\n", 5), ("sk-se", 0)];
        assert_eq!(out, expected.map(|(text, left)| (text.to_owned(), left)));
    }
}
