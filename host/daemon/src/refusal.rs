//! What the host itself refuses a plugin, beside what its gate does.

use hostler_engine::landing::LandingKind;
use hostler_engine::plan::Wish;
use hostler_engine::rights::Rights;

/// Something that a plugin wanted and does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A command line that is none of those that were granted.
    CommandLine,
    /// To start an agent.
    Launch(Lack),
    /// To bring work somewhere.
    Landing(Lack),
    /// To judge work by a command.
    Verify(Lack),
    /// To give agents variables.
    Environment(Lack),
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// A part of the grant.
    Grant,
    /// The leave to use the plugin, which it had.
    Leave,
    /// The organisation's word.
    Ceiling,
}

impl Refusal {
    /// The kind of effect, as the audit log calls it.
    pub const fn effect(self) -> &'static str {
        match self {
            Self::CommandLine | Self::Launch(_) => "launch",
            Self::Landing(_) => "landing",
            Self::Verify(_) => "verify",
            Self::Environment(_) => "environment",
        }
    }

    /// The short name it is counted under.
    pub fn reason(self) -> String {
        match self {
            Self::CommandLine => "command-line".to_owned(),
            Self::Launch(lack) | Self::Landing(lack) | Self::Verify(lack) | Self::Environment(lack) => {
                format!("{}-{}", self.effect(), lack.name())
            }
        }
    }
}

impl Lack {
    const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Leave => "withdrawn",
            Self::Ceiling => "ceiling",
        }
    }
}

/// What a tracker wishes for a run beyond what it was granted.
pub fn beyond(wish: &Wish, granted: &Rights) -> Vec<Refusal> {
    let right = granted.repository.as_ref();
    let landing = wish.landing.kind();
    let lands = landing == LandingKind::Leave || right.is_some_and(|right| right.landings.contains(&landing));
    let judges = wish.verify.is_none() || right.is_some_and(|right| right.verify);
    let parts = [(lands, Refusal::Landing(Lack::Grant)), (judges, Refusal::Verify(Lack::Grant))];
    parts.into_iter().filter(|(covered, _)| !covered).map(|(_, refusal)| refusal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_engine::landing::{Landing, Verify};
    use hostler_engine::rights::RepositoryRight;

    fn granted(landings: &[LandingKind], verify: bool) -> Rights {
        let right = RepositoryRight { landings: landings.to_vec(), verify, ..RepositoryRight::default() };
        Rights { repository: Some(right), ..Rights::default() }
    }

    #[test]
    fn a_wish_beyond_the_grant_is_refused_for_each_part_of_it() {
        let verify = Verify { command: "make".to_owned(), time: None, feed_back: 0 };
        let wish = Wish { landing: Landing::Push, verify: Some(verify), ..Wish::default() };
        let both = [Refusal::Landing(Lack::Grant), Refusal::Verify(Lack::Grant)];
        assert_eq!(beyond(&wish, &Rights::default()), both);
        assert_eq!(beyond(&wish, &granted(&[LandingKind::Merge], true)), both[..1]);
        assert_eq!(beyond(&wish, &granted(&[LandingKind::Push], false)), both[1..]);
        assert_eq!(beyond(&wish, &granted(&[LandingKind::Push], true)), []);
        assert_eq!(
            beyond(&Wish::default(), &Rights::default()),
            [],
            "leaving work and judging nothing is free"
        );
    }

    #[test]
    fn a_reason_names_the_effect_and_what_is_missing() {
        assert_eq!(Refusal::Launch(Lack::Ceiling).reason(), "launch-ceiling");
        assert_eq!(Refusal::Verify(Lack::Leave).reason(), "verify-withdrawn");
        assert_eq!(
            (Refusal::CommandLine.effect(), Refusal::CommandLine.reason().as_str()),
            ("launch", "command-line")
        );
    }
}
