//! What forges answered, for those who ask the same again every minute: what has not
//! changed is not sent again, and GitHub does not count it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hostler_engine::request::HttpResponse;
use hostler_workspaces::ForgeAnswer;

/// So many answers are remembered: a look at a pull request asks for about six.
const MAX_ANSWERS: usize = 400;

/// Longer ones are fetched anew each time: with [`MAX_ANSWERS`] it bounds the memory.
const MAX_ANSWER_BYTES: usize = 128 * 1024;

/// An answer, and the tag by which the forge knows it.
struct Known {
    url: String,
    tag: String,
    body: Vec<u8>,
}

/// Answers to `GET`, in the order in which they came. Each address has one token, so that
/// nothing is shared between accounts.
#[derive(Default)]
pub struct Answers(Mutex<VecDeque<Known>>);

impl Answers {
    /// The tag of what is remembered of an address.
    pub fn tag(&self, url: &str) -> Option<String> {
        self.locked().iter().find(|known| known.url == url).map(|known| known.tag.clone())
    }

    /// What the forge means: an answer that has not changed is the one from before.
    pub fn settle(&self, url: &str, answer: HttpResponse) -> ForgeAnswer {
        let mut answers = self.locked();
        let known = answers.iter().position(|known| known.url == url);
        if let (304, Some(known)) = (answer.status, known.and_then(|index| answers.get(index))) {
            return ForgeAnswer { status: 200, body: known.body.clone() };
        }
        let tag = answer.headers.iter().find(|(name, _)| name == "etag").map(|(_, tag)| tag.clone());
        if let (200, Some(tag)) = (answer.status, tag.filter(|_| answer.body.len() <= MAX_ANSWER_BYTES)) {
            known.and_then(|index| answers.remove(index));
            answers.push_back(Known { url: url.to_owned(), tag, body: answer.body.clone() });
            if answers.len() > MAX_ANSWERS {
                answers.pop_front();
            }
        }
        ForgeAnswer { status: answer.status, body: answer.body }
    }

    /// A panic elsewhere leaves whole answers behind.
    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, tag: Option<&str>, body: Vec<u8>) -> HttpResponse {
        let headers = tag.map(|tag| ("etag".to_owned(), tag.to_owned())).into_iter().collect();
        HttpResponse { status, headers, body }
    }

    #[test]
    fn what_has_not_changed_is_what_it_was_and_what_has_takes_its_place() {
        let answers = Answers::default();
        assert_eq!(answers.tag("u"), None);
        answers.settle("u", answer(200, Some("a"), b"one".to_vec()));
        assert_eq!(answers.tag("u").as_deref(), Some("a"));
        let same = answers.settle("u", answer(304, None, Vec::new()));
        assert_eq!((same.status, same.body.as_slice()), (200, b"one".as_slice()));
        answers.settle("u", answer(200, Some("b"), b"two".to_vec()));
        let same = answers.settle("u", answer(304, None, Vec::new()));
        assert_eq!(same.body, b"two");
    }

    #[test]
    fn a_failure_and_an_answer_without_a_tag_are_not_remembered() {
        let answers = Answers::default();
        answers.settle("u", answer(502, Some("a"), b"one".to_vec()));
        answers.settle("u", answer(200, None, b"one".to_vec()));
        assert_eq!(answers.tag("u"), None);
        assert_eq!(answers.settle("u", answer(304, None, Vec::new())).status, 304);
    }

    #[test]
    fn answers_at_the_limits_are_remembered_and_beyond_them_the_oldest_and_the_longest_are_not() {
        let answers = Answers::default();
        for count in 0..=MAX_ANSWERS {
            answers.settle(&count.to_string(), answer(200, Some("a"), Vec::new()));
            assert_eq!(answers.tag("0").is_some(), count < MAX_ANSWERS, "{count}");
        }
        answers.settle("whole", answer(200, Some("a"), vec![0; MAX_ANSWER_BYTES]));
        answers.settle("longer", answer(200, Some("a"), vec![0; MAX_ANSWER_BYTES + 1]));
        assert!(answers.tag("whole").is_some() && answers.tag("longer").is_none());
    }
}
