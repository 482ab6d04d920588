//! All policies of a machine together: whatever one of them denies is denied.

use std::path::PathBuf;

use hostler_engine::landing::LandingKind;
use hostler_engine::plan::Permission;
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::{Endpoint, Tier};

use crate::error::PolicyError;
use crate::plugins::{PluginFacts, Signatures};
use crate::policy::Policy;
use crate::programs::Program;
use crate::repositories::RepositoryFacts;
use crate::verdict::{Bound, Verdict};

/// One policy file that is there, or ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it stands.
    pub path: PathBuf,
    /// SHA-256 of its text in hexadecimal digits, as far as it could be read.
    pub digest: Option<String>,
    /// What it says; one that cannot be used allows nothing.
    pub policy: Result<Policy, PolicyError>,
}

/// Every policy that holds on this machine. Without one, nothing is restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies(Vec<Member>);

impl Policies {
    /// These policies together.
    pub const fn new(members: Vec<Member>) -> Self {
        Self(members)
    }

    /// Each of them.
    pub fn members(&self) -> &[Member] {
        &self.0
    }

    /// Whether all of them can be used; else why not. No work is begun then.
    pub fn soundness(&self) -> Result<(), &PolicyError> {
        self.0.iter().try_for_each(|member| member.policy.as_ref().map(|_| ()))
    }

    /// Every publisher that a policy names, as minisign public keys. Whoever asks
    /// about a plugin finds out first which of them signed it.
    pub fn publishers(&self) -> Vec<String> {
        let sound = self.0.iter().filter_map(|member| member.policy.as_ref().ok());
        let mut keys: Vec<String> = sound.flat_map(Policy::publishers).map(str::to_owned).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Whether a plugin may be used.
    pub fn plugin(&self, plugin: &PluginFacts<'_>) -> Verdict {
        self.all(|policy| policy.plugin(plugin))
    }

    /// Whether plugins may send requests to an origin.
    pub fn origin(&self, origin: &Origin) -> Verdict {
        self.all(|policy| policy.origin(origin))
    }

    /// Whether a program may be started as an agent.
    pub fn program(&self, program: Program<'_>) -> Verdict {
        self.all(|policy| policy.program(program))
    }

    /// Whether agents may see an environment variable that somebody granted them.
    pub fn environment(&self, name: &str) -> Verdict {
        self.all(|policy| policy.environment(name))
    }

    /// Whether contained agents may connect to a host and port.
    pub fn network(&self, to: &Endpoint) -> Verdict {
        self.all(|policy| policy.network(to))
    }

    /// Whether a repository may be worked on.
    pub fn repository(&self, repository: &RepositoryFacts<'_>) -> Verdict {
        self.all(|policy| policy.repository(repository))
    }

    /// Whether finished work may land so.
    pub fn landing(&self, kind: LandingKind) -> Verdict {
        self.all(|policy| policy.landing(kind))
    }

    /// Whether requests that no grant covers may be sent and noted, to find out which
    /// grant a plugin needs.
    pub fn observing(&self) -> Verdict {
        self.all(Policy::observing)
    }

    /// The most that agents may do unasked.
    pub fn permission(&self) -> Bound<Permission> {
        self.strictest(Bound::open(Permission::FullAuto), Policy::permission, Permission::Safe, |new, old| {
            new < old
        })
    }

    /// Whether agents may do so much unasked.
    pub fn permits(&self, permission: Permission) -> Verdict {
        let Bound { value, by } = self.permission();
        match by {
            Some(by) if permission > value => Verdict::Denied { by },
            by => Verdict::Allowed { by },
        }
    }

    /// The least sandbox that agents need.
    pub fn minimum_sandbox(&self) -> Bound<Tier> {
        self.strictest(Bound::open(Tier::None), Policy::sandbox, Tier::Contained, |new, old| new > old)
    }

    /// Whether agents may be started in a sandbox of this tier.
    pub fn sandbox(&self, tier: Tier) -> Verdict {
        let Bound { value, by } = self.minimum_sandbox();
        match by {
            Some(by) if tier < value => Verdict::Denied { by },
            by => Verdict::Allowed { by },
        }
    }

    /// How much signatures matter at least.
    pub fn signatures(&self) -> Bound<Signatures> {
        let open = Bound::open(Signatures::Off);
        self.strictest(open, Policy::signatures, Signatures::Require, |new, old| new > old)
    }

    fn all(&self, judge: impl Fn(&Policy) -> Verdict) -> Verdict {
        let said = self.0.iter().map(|member| match &member.policy {
            Ok(policy) => judge(policy),
            Err(error) => Verdict::Denied { by: error.line() },
        });
        said.fold(Verdict::UNRESTRICTED, Verdict::and)
    }

    /// The strictest of what all say, `worst` for those that cannot be used.
    fn strictest<T: Copy>(
        &self,
        open: Bound<T>,
        ask: impl Fn(&Policy) -> Bound<T>,
        worst: T,
        stricter: impl Fn(T, T) -> bool,
    ) -> Bound<T> {
        let said = self.0.iter().map(|member| match &member.policy {
            Ok(policy) => ask(policy),
            Err(error) => Bound { value: worst, by: Some(error.line()) },
        });
        // Of equals, the first that says anything is told.
        said.fold(open, |so_far, next| {
            let told = so_far.by.is_none() && next.by.is_some() && !stricter(so_far.value, next.value);
            if stricter(next.value, so_far.value) || told { next } else { so_far }
        })
    }
}
