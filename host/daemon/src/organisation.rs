//! The organisation's ceiling while a host runs: read again whenever its files change,
//! and asked at every use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_agents::is_always_seen;
use hostler_broker::Ceiling;
use hostler_engine::policy::Policy;
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::{Endpoint, Tier};
use hostler_policy::{Line, Places, Policies, Program, RepositoryFacts, Stamp, Verdict};
use hostler_workspaces::Repository;

use crate::failure::Failure;
use crate::place::{Place, REMOTE};

/// Names and values.
type Variables = Vec<(OsString, OsString)>;

/// The policies in force on this machine.
#[derive(Debug)]
pub struct Organisation {
    places: Places,
    seen: Mutex<(Stamp, Arc<Policies>)>,
}

impl Organisation {
    /// Reads them. Blocks, shortly.
    pub fn new(places: Places) -> Self {
        let seen = Mutex::new(look(&places));
        Self { places, seen }
    }

    /// Those on this machine and what they say, if all of them can be used.
    pub fn in_force(places: Places) -> Result<(Arc<Self>, Arc<Policies>), Failure> {
        let organisation = Self::new(places);
        let policies = organisation.now();
        policies.soundness().map_err(|error| Failure::Policy(error.clone()))?;
        Ok((Arc::new(organisation), policies))
    }

    /// What they say now: one look at each file tells whether it has to be read again.
    pub fn now(&self) -> Arc<Policies> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.places.stamp() != seen.0 {
            *seen = look(&self.places);
        }
        Arc::clone(&seen.1)
    }

    /// Whether a program may be started.
    pub fn check_program(&self, path: &Path) -> Result<(), Failure> {
        let real = std::fs::canonicalize(path).ok();
        let verdict = self.now().program(Program { path, real: real.as_deref() });
        allowed(&verdict, || format!("the program {}", path.display()))
    }

    /// Whether an agent may be started in a sandbox of this tier.
    pub fn check_sandbox(&self, tier: Tier) -> Result<(), Failure> {
        allowed(&self.now().sandbox(tier), || format!("agents in the sandbox `{tier}`"))
    }

    /// The variables that agents may see: those that every program needs, those whose
    /// values the plugin fixes as it does the words of its command line, and of the others
    /// those that the policies allow.
    pub fn allowed_environment(
        &self,
        mut variables: Variables,
        fixed: &BTreeMap<String, String>,
    ) -> Variables {
        let policies = self.now();
        let allowed = |name: &OsString| {
            // A name that is no text is in no policy.
            let name_in_policy = name.to_str().unwrap_or_default();
            is_always_seen(name)
                || fixed.contains_key(name_in_policy)
                || policies.environment(name_in_policy).denied_by().is_none()
        };
        variables.retain(|(name, _)| allowed(name));
        variables
    }

    /// Whether work may be done at every place of a host.
    pub fn check_places(&self, places: &BTreeMap<String, Place>) -> Result<(), Failure> {
        places.values().try_for_each(|place| self.check_place(place))
    }

    /// Whether work may be done at a place.
    pub fn check_place(&self, place: &Place) -> Result<(), Failure> {
        let policies = self.now();
        let (verdict, shown) = match place {
            Place::Git(repository) => (judge_repository(&policies, repository), repository.checkout()),
            Place::Folder(path) => (judge_folder(&policies, path), path.as_path()),
        };
        allowed(&verdict, || format!("work in {}", shown.display()))
    }
}

/// Whether work may be done in a repository. Blocks, shortly.
pub fn judge_repository(policies: &Policies, repository: &Repository) -> Verdict {
    let paths = [repository.checkout().to_owned(), main_folder(repository).to_owned()];
    // A remote whose address cannot be used is none that a policy could name.
    let remotes = repository.remote_addresses(REMOTE).unwrap_or_default();
    policies.repository(&RepositoryFacts { paths: &paths, remotes: &remotes })
}

/// Whether work may be done in a folder that is in no repository.
pub fn judge_folder(policies: &Policies, path: &Path) -> Verdict {
    let paths = [path.canonicalize().unwrap_or_else(|_| path.to_owned())];
    policies.repository(&RepositoryFacts { paths: &paths, remotes: &[] })
}

/// Where the work of all worktrees is committed to.
fn main_folder(repository: &Repository) -> &Path {
    let git = repository.common_dir();
    git.parent().filter(|_| git.ends_with(".git")).unwrap_or(git)
}

/// Before the files are read, so that a change in between is noticed at the next look.
fn look(places: &Places) -> (Stamp, Arc<Policies>) {
    (places.stamp(), Arc::new(places.read()))
}

/// Turns a denial into a sentence.
pub fn allowed(verdict: &Verdict, what: impl FnOnce() -> String) -> Result<(), Failure> {
    let denied = |by: &Line| Failure::Ceiling { what: what(), by: by.clone() };
    verdict.denied_by().map_or(Ok(()), |by| Err(denied(by)))
}

/// What the operator allows, cut down to what the policies allow.
pub fn cut(policy: &Policy, policies: &Policies) -> Policy {
    let bound = policies.permission();
    let may_land = |kind| policies.landing(kind).denied_by().is_none();
    Policy {
        organisation: bound.by.map(|_| bound.value),
        landings: policy.landings.iter().copied().filter(|kind| may_land(*kind)).collect(),
        ..policy.clone()
    }
}

impl Ceiling for Organisation {
    fn admits(&self, origin: &Origin) -> Result<(), String> {
        self.now().origin(origin).denied_by().map_or(Ok(()), |by| Err(by.to_string()))
    }

    fn connects(&self, to: &Endpoint) -> Result<(), String> {
        let verdict = self.now().network(to);
        verdict.denied_by().map_or(Ok(()), |by| Err(by.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    use hostler_engine::landing::LandingKind;
    use hostler_engine::plan::Permission;

    fn organisation(text: &str) -> (tempfile::TempDir, PathBuf, Organisation) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        let system = place.path().join("none.toml");
        let organisation = Organisation::new(Places { system, further: Some(path.clone()) });
        (place, path, organisation)
    }

    #[test]
    fn a_policy_that_changes_counts_from_the_next_question_on() {
        let (_place, path, organisation) = organisation("");
        let origin = Origin::of("https://a.example").unwrap();
        assert_eq!(organisation.admits(&origin), Ok(()));
        let before = organisation.now();
        assert!(Arc::ptr_eq(&before, &organisation.now()), "what did not change is not read again");
        std::fs::write(&path, "[http]\norigins = []\n").unwrap();
        let by = organisation.admits(&origin).unwrap_err();
        assert!(by.starts_with("line 2 of ") && by.ends_with("policy.toml"), "{by}");
        std::fs::remove_file(&path).unwrap();
        assert!(organisation.admits(&origin).is_err(), "a policy that is gone allows nothing");
    }

    #[test]
    fn the_least_of_operator_and_organisation_is_left() {
        let operators = Policy { landings: vec![LandingKind::Push, LandingKind::Merge], ..Policy::default() };
        let (_place, _, none) = organisation("");
        assert_eq!(cut(&operators, &none.now()), operators);
        let text =
            "[agents]\npermission-ceiling = \"safe\"\n[landing]\nallow = [\"merge\", \"pull-request\"]\n";
        let (_place, _, strict) = organisation(text);
        let cut = cut(&operators, &strict.now());
        assert_eq!((cut.organisation, cut.landings), (Some(Permission::Safe), vec![LandingKind::Merge]));
    }

    #[test]
    fn no_agent_starts_in_less_of_a_sandbox_than_the_organisation_asks_for() {
        let (_place, _, organisation) = organisation("[agents]\nminimum-sandbox = \"basic\"\n");
        let told = organisation.check_sandbox(Tier::None).unwrap_err().to_string();
        assert!(told.contains("the sandbox `none`") && told.contains("line 2 of "), "{told}");
        assert!(organisation.check_sandbox(Tier::Basic).is_ok());
        assert!(organisation.check_sandbox(Tier::Contained).is_ok());
    }

    #[test]
    fn agents_see_what_everyone_needs_what_is_fixed_and_what_a_policy_names() {
        let (_place, _, organisation) = organisation("[agents]\nenvironment = [\"A_KEY\"]\n");
        let given = ["PATH", "LC_ALL", "TERM", "A_KEY", "B_KEY", "FIXED"];
        let given = given.map(|name| (OsString::from(name), OsString::from("x"))).to_vec();
        let fixed = BTreeMap::from([("FIXED".to_owned(), "x".to_owned())]);
        let seen = organisation.allowed_environment(given, &fixed);
        let seen: Vec<OsString> = seen.into_iter().map(|(name, _)| name).collect();
        assert_eq!(seen, ["PATH", "LC_ALL", "TERM", "A_KEY", "FIXED"]);
    }

    #[test]
    fn a_program_and_a_folder_are_known_by_what_they_really_are() {
        let (place, _, organisation) =
            organisation("[programs]\nallow = [\"sh\"]\n[repositories]\nallow = [\"/srv/\"]\n");
        assert!(organisation.check_program(Path::new("/bin/sh")).is_ok());
        let told = organisation.check_program(Path::new("/bin/cat")).unwrap_err().to_string();
        assert!(told.contains("/bin/cat") && told.contains("line 2 of "), "{told}");
        let told = organisation.check_place(&Place::Folder(place.path().to_owned())).unwrap_err().to_string();
        assert!(told.contains("line 4 of "), "{told}");
    }
}
