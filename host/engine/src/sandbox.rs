//! How far an agent is walled in, as people choose it and as a run reports it.

use serde::{Deserialize, Serialize};

mod endpoint;
mod needs;

pub use endpoint::{Destination, DestinationError, Endpoint};
pub use needs::{HomePath, ModelKey, NoHomePath, SandboxNeeds};

/// What holds an agent besides its process tree. A later one holds more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Nothing: it works as the user who started the host.
    #[default]
    None,
    /// It writes in its workspace only, and some system calls are closed to it.
    Basic,
    /// It also has a home, processes and a network of its own: what it reaches
    /// outside goes through the host.
    Contained,
}

impl Tier {
    /// Every tier, the weakest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Basic, Self::Contained];

    /// As it is written in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Contained => "contained",
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which tier is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// The highest that the system and the provider support.
    #[default]
    Auto,
    /// Exactly this one, or no start.
    Exactly(Tier),
}

/// Why an agent may not start in any tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTier {
    /// The system cannot do what somebody asks for.
    #[error(
        "the sandbox `{wanted}` is asked for, but this system can do no more than `{possible}`: \
         `host doctor` says what is missing"
    )]
    NotHere {
        /// What is asked for.
        wanted: Tier,
        /// The highest there is.
        possible: Tier,
    },
    /// The operator wants less than the organisation does.
    #[error("the sandbox `{wanted}` is less than the `{least}` that the organisation's policy asks for")]
    TooLittle {
        /// What the operator chose.
        wanted: Tier,
        /// What the policy asks for.
        least: Tier,
    },
}

/// The tier for an attempt: what is wanted, never less than `least`, or none at all.
/// `known` is the highest in which the CLI is known to work, `possible` the highest
/// that the system can do.
pub fn choose(wish: Wish, least: Tier, known: Tier, possible: Tier) -> Result<Tier, NoTier> {
    let wanted = match wish {
        Wish::Auto => known.min(possible).max(least),
        Wish::Exactly(tier) if tier < least => return Err(NoTier::TooLittle { wanted: tier, least }),
        Wish::Exactly(tier) => tier,
    };
    if wanted <= possible { Ok(wanted) } else { Err(NoTier::NotHere { wanted, possible }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Tier::{Basic, Contained, None};

    #[test]
    fn the_highest_tier_that_works_is_taken_unless_somebody_says_otherwise() {
        assert_eq!(choose(Wish::Auto, None, Contained, Basic), Ok(Basic));
        assert_eq!(choose(Wish::Auto, None, Basic, Contained), Ok(Basic));
        assert_eq!(choose(Wish::Exactly(None), None, Contained, Contained), Ok(None));
        assert_eq!(choose(Wish::Exactly(Contained), None, None, Contained), Ok(Contained));
    }

    #[test]
    fn a_tier_is_never_lowered_it_is_refused() {
        let too_much = Err(NoTier::NotHere { wanted: Contained, possible: Basic });
        assert_eq!(choose(Wish::Auto, Contained, None, Basic), too_much);
        assert_eq!(choose(Wish::Exactly(Contained), None, Contained, Basic), too_much);
        assert_eq!(
            choose(Wish::Exactly(None), Basic, Contained, Contained),
            Err(NoTier::TooLittle { wanted: None, least: Basic })
        );
        assert_eq!(choose(Wish::Auto, Contained, None, Contained), Ok(Contained));
    }

    #[test]
    fn every_tier_is_written_as_it_is_named() {
        for tier in Tier::ALL {
            assert_eq!(serde_json::to_string(&tier).ok(), Some(format!("\"{tier}\"")));
        }
    }
}
