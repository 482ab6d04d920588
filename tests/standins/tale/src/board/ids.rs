//! Opaque document ids, as the server's database makes them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Characters of an id.
const LENGTH: usize = 24;

/// Lower-case letters and digits: fit for a branch and a folder name.
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A task's opaque id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

/// A run's opaque id: `externalRunId` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// An id from a path; `None` if no id of the server looks like this.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        well_formed.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes ids that look random and are the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    random: Random,
    made: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), made: 0 }
    }

    /// The last ten characters are unique too: daemons name branches after them.
    /// They hold the count of ids made, which is what makes them so.
    pub(crate) fn next(&mut self) -> String {
        let mut id = vec![b'k'];
        let count = base36(self.made);
        self.made += 1;
        while id.len() < LENGTH - count.len() {
            id.push(digit(self.random.next()));
        }
        id.extend(count);
        id.into_iter().map(char::from).collect()
    }
}

/// At least four digits, the most significant one first.
fn base36(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    while number > 0 || digits.len() < 4 {
        digits.push(digit(number));
        number /= 36;
    }
    digits.reverse();
    digits
}

fn digit(number: u64) -> u8 {
    ALPHABET[usize::try_from(number % 36).unwrap_or_default()]
}

/// The `SplitMix64` generator: small, and the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whether something of this probability happens now.
    pub(crate) fn happens(&mut self, chance: f64) -> bool {
        // 2^-53 steps are the finest that an `f64` below one can tell apart.
        #[allow(clippy::cast_precision_loss)]
        let drawn = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < chance
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_well_formed_and_their_last_ten_characters_unique() {
        let mut ids = Ids::new(7);
        let made: Vec<String> = (0..2_000).map(|_| ids.next()).collect();
        assert!(made.iter().all(|id| RunId::parse(id).is_some()), "{}", made[0]);
        let tails: HashSet<&str> = made.iter().map(|id| &id[LENGTH - 10..]).collect();
        assert_eq!(tails.len(), made.len());
    }

    #[test]
    fn the_same_seed_makes_the_same_ids() {
        assert_eq!(Ids::new(1).next(), Ids::new(1).next());
        assert_ne!(Ids::new(1).next(), Ids::new(2).next());
    }

    #[test]
    fn an_id_of_another_length_or_alphabet_is_malformed() {
        let id = Ids::new(1).next();
        assert!(RunId::parse(&id).is_some());
        for wrong in [&id[1..], &format!("{id}x"), "", &id.to_uppercase(), &id.replace('k', "/")] {
            assert_eq!(RunId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_certain_happens_and_what_is_impossible_does_not() {
        let mut random = Random::new(3);
        assert!((0..100).all(|_| random.happens(1.0)));
        assert!(!(0..100).any(|_| random.happens(0.0)));
    }
}
