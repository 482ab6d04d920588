//! A resolver that answers as the test says.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use hostler_broker::{Network, Resolver, Resolving};

/// Gives one answer after the other, and the last one from then on.
#[derive(Clone, Debug)]
pub struct Names {
    answers: Arc<Vec<Vec<IpAddr>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub fn answering(answers: &[&[&str]]) -> Self {
        let parsed = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Self { answers: Arc::new(answers.iter().map(parsed).collect()), asked: Arc::default() }
    }

    /// Every name that was looked up, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A network on which names are looked up here.
    pub fn network(&self) -> Network {
        Network { resolver: Arc::new(self.clone()), ..Network::default() }
    }
}

impl Resolver for Names {
    fn resolve<'r>(&'r self, host: &'r str) -> Resolving<'r> {
        Box::pin(async move {
            let mut asked = self.asked.lock().unwrap();
            asked.push(host.to_owned());
            let answer = self.answers.get(asked.len() - 1).or(self.answers.last());
            answer.cloned().ok_or_else(|| io::Error::other("no such name"))
        })
    }
}
