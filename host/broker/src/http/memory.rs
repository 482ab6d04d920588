//! Remembers answers that carry an `ETag`, so that an unchanged one need not be sent
//! again. The server is asked every time and decides.
//!
//! An answer is only replayed for a request that is the same in all that the plugin
//! said, credential included; it is kept as the plugin got it, without secrets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use hostler_engine::request::HttpResponse;
use hostler_engine::rights::Origin;
use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};

use super::admit::Admitted;

/// Answers remembered of one origin: what a plugin polls in turn.
pub const REMEMBERED: usize = 32;
/// Bytes in the body of a remembered answer: lists of tasks; with [`REMEMBERED`] this
/// bounds the memory at 8 MiB for each granted origin.
pub const REMEMBERED_BYTES: usize = 256 << 10;

/// By these a plugin has its own way with caches: then it gets what the server sends.
const OWN_WAY: [&str; 6] =
    ["cache-control", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range"];

/// What describes the body that came with an answer, not the one it stands for.
const OF_THE_BODY: [&str; 3] = ["content-length", "content-type", "transfer-encoding"];

/// What makes two requests the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    origin: Origin,
    url: String,
    credential: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Asked {
    /// Of a granted request whose answer may be remembered; before the host adds to its
    /// headers.
    pub(super) fn of(admitted: &Admitted<'_>) -> Option<Self> {
        let own_way = OWN_WAY.iter().any(|header| admitted.headers.contains_key(*header));
        let plain = admitted.method == Method::GET && admitted.body.is_empty() && admitted.missing.is_none();
        if !plain || own_way {
            return None;
        }
        let headers = admitted.headers.iter();
        Some(Self {
            origin: admitted.origin.clone(),
            url: admitted.url.to_string(),
            credential: admitted.credential.map(|credential| credential.handle.clone()),
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        })
    }
}

/// An answer worth asking about.
#[derive(Clone, Debug)]
pub(super) struct Known {
    tag: HeaderValue,
    answer: HttpResponse,
}

impl Known {
    /// Has the server answer 304 if nothing changed.
    pub(super) fn ask_for_changes(&self, headers: &mut HeaderMap) {
        headers.insert(IF_NONE_MATCH, self.tag.clone());
    }

    /// The remembered answer, with the headers of the 304 where it has any.
    pub(super) fn unchanged(self, not_modified: HttpResponse) -> HttpResponse {
        let fresh: Vec<(String, String)> = not_modified
            .headers
            .into_iter()
            .filter(|(name, _)| !OF_THE_BODY.contains(&name.as_str()))
            .collect();
        let mut answer = self.answer;
        answer.headers.retain(|(name, _)| !fresh.iter().any(|(newer, _)| newer == name));
        answer.headers.extend(fresh);
        answer
    }
}

/// The answers one gate remembers, the latest last. Never on disk, never shared.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<BTreeMap<Origin, VecDeque<(Asked, Known)>>>);

impl Memory {
    /// What is known about this request.
    pub(super) fn recall(&self, asked: &Asked) -> Option<Known> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_origin = memory.get(&asked.origin)?;
        of_origin.iter().find(|(other, _)| other == asked).map(|(_, known)| known.clone())
    }

    /// Remembers an answer, or forgets the earlier one if this cannot be asked about.
    pub(super) fn learn(&self, asked: Asked, answer: &HttpResponse) {
        let tag = tag(answer);
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_origin = memory.entry(asked.origin.clone()).or_default();
        of_origin.retain(|(other, _)| *other != asked);
        let Some(tag) = tag else { return };
        if of_origin.len() >= REMEMBERED {
            of_origin.pop_front();
        }
        of_origin.push_back((asked, Known { tag, answer: answer.clone() }));
    }
}

/// The tag of an answer that may be remembered.
fn tag(answer: &HttpResponse) -> Option<HeaderValue> {
    let header = |name: &str| answer.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let forbidden = header(CACHE_CONTROL.as_str()).is_some_and(|value| value.contains("no-store"));
    if answer.status != 200 || answer.body.len() > REMEMBERED_BYTES || forbidden {
        return None;
    }
    header("etag").and_then(|tag| HeaderValue::try_from(tag).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked(url: &str) -> Asked {
        let origin = Origin::of("https://a.example").unwrap();
        Asked { origin, url: url.to_owned(), credential: None, headers: Vec::new() }
    }

    fn answer(bytes: usize) -> HttpResponse {
        let headers = vec![("etag".to_owned(), "\"1\"".to_owned())];
        HttpResponse { status: 200, headers, body: vec![b'x'; bytes] }
    }

    #[test]
    fn answers_are_remembered_up_to_a_size() {
        let memory = Memory::default();
        memory.learn(asked("fits"), &answer(REMEMBERED_BYTES));
        memory.learn(asked("too large"), &answer(REMEMBERED_BYTES + 1));
        assert!(memory.recall(&asked("fits")).is_some());
        assert!(memory.recall(&asked("too large")).is_none());
    }

    #[test]
    fn the_oldest_answer_of_an_origin_makes_room() {
        let memory = Memory::default();
        for number in 0..REMEMBERED {
            memory.learn(asked(&number.to_string()), &answer(1));
        }
        assert!(memory.recall(&asked("0")).is_some());
        memory.learn(asked("one more"), &answer(1));
        assert!(memory.recall(&asked("0")).is_none());
        assert!(memory.recall(&asked("1")).is_some() && memory.recall(&asked("one more")).is_some());
    }

    #[test]
    fn an_answer_that_may_not_be_kept_replaces_one_that_was() {
        let memory = Memory::default();
        let mut secret = answer(1);
        secret.headers.push(("cache-control".to_owned(), "private, no-store".to_owned()));
        for later in
            [secret, HttpResponse { status: 404, ..answer(1) }, HttpResponse { headers: vec![], ..answer(1) }]
        {
            memory.learn(asked("a"), &answer(1));
            memory.learn(asked("a"), &later);
            assert!(memory.recall(&asked("a")).is_none(), "{later:?}");
        }
    }

    #[test]
    fn another_credential_or_header_is_another_request() {
        let memory = Memory::default();
        memory.learn(asked("a"), &answer(1));
        let with_token = Asked { credential: Some("token".to_owned()), ..asked("a") };
        let accept = (HeaderName::from_static("accept"), HeaderValue::from_static("text/plain"));
        let as_text = Asked { headers: vec![accept], ..asked("a") };
        assert!(memory.recall(&with_token).is_none() && memory.recall(&as_text).is_none());
    }

    #[test]
    fn a_304_brings_its_headers_and_not_those_of_its_empty_body() {
        let known = Known { tag: HeaderValue::from_static("\"1\""), answer: answer(3) };
        let headers = [("x-left", "7"), ("content-length", "0"), ("etag", "\"1\"")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let replayed = known.unchanged(HttpResponse { status: 304, headers, body: Vec::new() });
        assert_eq!((replayed.status, replayed.body.len()), (200, 3));
        let names: Vec<&str> = replayed.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-left", "etag"]);
    }
}
