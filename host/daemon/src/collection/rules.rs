//! What may go and what stays. Pure.

use hostler_engine::time::{Millis, Timestamp};
use hostler_workspaces::RemovalProof;

use super::Fate;

/// How far a run got that something belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is over, since then.
    Closed(Timestamp),
    /// It is not.
    Open,
    /// The record knows nothing of it.
    Unknown,
}

/// How the operator chose a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Not at all: age decides.
    No,
    /// By name: its age does not matter, a proof does.
    Yes,
    /// With all the work in it.
    Discard,
}

/// What becomes of something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Stays or goes.
    pub fate: Fate,
    /// Part of a sentence.
    pub why: String,
}

impl Decision {
    /// It stays.
    pub fn stays(why: impl Into<String>) -> Self {
        Self { fate: Fate::Stays, why: why.into() }
    }

    /// It may go.
    pub fn goes(why: impl Into<String>) -> Self {
        Self { fate: Fate::Goes, why: why.into() }
    }
}

/// Whether something of these runs is due to go, for its age or because it was named;
/// otherwise why it stays. `users`: every run that worked with it.
pub fn due(
    users: &[Standing],
    keep: Option<Millis>,
    named: Named,
    now: Timestamp,
) -> Result<String, Decision> {
    if users.contains(&Standing::Open) {
        return Err(Decision::stays("a run that is not over needs it"));
    }
    if named == Named::Discard {
        return Ok("you said so".to_owned());
    }
    let mut ended = Timestamp(i64::MIN);
    for user in users {
        match user {
            Standing::Closed(at) => ended = ended.max(*at),
            Standing::Open | Standing::Unknown => return Err(unknown()),
        }
    }
    if users.is_empty() {
        return Err(unknown());
    }
    let age = now.since(ended);
    match keep {
        _ if named == Named::Yes => Ok(format!("its run ended {age} ago")),
        Some(keep) if age >= keep => Ok(format!("its run ended {age} ago")),
        Some(keep) => Err(Decision::stays(format!("its run ended {age} ago, and it is kept for {keep}"))),
        None => Err(Decision::stays("your settings keep it for ever")),
    }
}

fn unknown() -> Decision {
    Decision::stays("the record knows no run of it; `host gc --run ID --discard` removes it")
}

/// A worktree that is due goes only if its work is safe, or the operator gave it up.
pub fn worktree(
    due: Result<String, Decision>,
    named: Named,
    proof: impl FnOnce() -> Result<RemovalProof, String>,
) -> (Decision, Option<RemovalProof>) {
    let age = match due {
        Ok(age) => age,
        Err(stays) => return (stays, None),
    };
    if named == Named::Discard {
        let why = "you gave up what is in it; commits stay on its branch";
        return (Decision::goes(why), Some(RemovalProof::OperatorSaid));
    }
    match proof() {
        Ok(proof) => (Decision::goes(format!("{age}, and {}", said(&proof))), Some(proof)),
        Err(reason) => (Decision::stays(reason), None),
    }
}

fn said(proof: &RemovalProof) -> String {
    match proof {
        RemovalProof::Merged { into } => {
            let name = into.trim_start_matches("refs/heads/").trim_start_matches("refs/remotes/");
            format!("its work is in `{name}`")
        }
        RemovalProof::Pushed { into } => {
            format!("its work is in `{}`; its branch stays", into.trim_start_matches("refs/remotes/"))
        }
        RemovalProof::NoChanges => "nothing was changed in it".to_owned(),
        RemovalProof::Preserved => "its work is kept".to_owned(),
        RemovalProof::OperatorSaid => "you said so".to_owned(),
    }
}

/// The folder of a run.
pub fn logs(due: Result<String, Decision>) -> Decision {
    due.map_or_else(|stays| stays, Decision::goes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;
    const NOW: Timestamp = Timestamp(100 * DAY);

    fn closed(days_ago: i64) -> Standing {
        Standing::Closed(Timestamp(NOW.0 - days_ago * DAY))
    }

    fn days(days: u64) -> Option<Millis> {
        Some(Millis::minutes(days * 24 * 60))
    }

    fn stays(users: &[Standing], keep: Option<Millis>, named: Named) -> String {
        let decision = due(users, keep, named, NOW).unwrap_err();
        assert_eq!(decision.fate, Fate::Stays);
        decision.why
    }

    #[test]
    fn what_is_as_old_as_the_limit_goes_and_what_is_a_moment_younger_stays() {
        assert!(due(&[closed(14)], days(14), Named::No, NOW).is_ok());
        let younger = Standing::Closed(Timestamp(NOW.0 - 14 * DAY + 1));
        assert!(stays(&[younger], days(14), Named::No).contains("kept for"));
        assert!(stays(&[closed(90)], None, Named::No).contains("for ever"));
    }

    #[test]
    fn the_youngest_run_that_worked_with_it_counts() {
        assert!(due(&[closed(20), closed(15)], days(14), Named::No, NOW).is_ok());
        assert!(stays(&[closed(20), closed(2)], days(14), Named::No).contains("kept for"));
    }

    #[test]
    fn an_open_run_keeps_it_whatever_anybody_says() {
        for named in [Named::No, Named::Yes, Named::Discard] {
            assert!(stays(&[closed(20), Standing::Open], days(14), named).contains("not over"));
        }
    }

    #[test]
    fn what_the_record_does_not_know_goes_only_by_the_operators_word() {
        for users in [&[Standing::Unknown][..], &[closed(99), Standing::Unknown], &[]] {
            for named in [Named::No, Named::Yes] {
                assert!(stays(users, days(14), named).contains("--discard"));
            }
        }
        assert!(due(&[Standing::Unknown], days(14), Named::Discard, NOW).is_ok());
    }

    #[test]
    fn a_run_that_was_named_is_due_at_any_age_but_still_needs_a_proof() {
        let due = || due(&[closed(0)], days(14), Named::Yes, NOW);
        let (decision, proof) = worktree(due(), Named::Yes, || Err("it could not be checked".to_owned()));
        assert_eq!((decision, proof), (Decision::stays("it could not be checked"), None));
        let into = "refs/remotes/origin/main".to_owned();
        let (decision, _) = worktree(due(), Named::Yes, || Ok(RemovalProof::Merged { into }));
        assert_eq!(decision.fate, Fate::Goes);
        assert!(decision.why.ends_with("its work is in `origin/main`"), "{}", decision.why);
    }

    #[test]
    fn no_proof_is_looked_for_where_it_could_not_matter() {
        let never = || -> Result<RemovalProof, String> { panic!("asked") };
        let (decision, _) = worktree(due(&[closed(1)], days(14), Named::No, NOW), Named::No, never);
        assert_eq!(decision.fate, Fate::Stays);
        let (decision, proof) =
            worktree(due(&[closed(1)], days(14), Named::Discard, NOW), Named::Discard, never);
        assert_eq!((decision.fate, proof), (Fate::Goes, Some(RemovalProof::OperatorSaid)));
    }
}
