//! One policy: what one file says about each thing that can be asked.

use std::path::Path;

use hostler_engine::landing::LandingKind;
use hostler_engine::plan::Permission;
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::{Destination, Endpoint, Tier};

use crate::document;
use crate::error::PolicyError;
use crate::line::Text;
use crate::origins::OriginRule;
use crate::plugins::{PluginFacts, PluginRules, PublisherKey, Signatures, permitted};
use crate::programs::{Program, ProgramRule};
use crate::repositories::{RepositoryFacts, RepositoryRule};
use crate::verdict::{Bound, List, Setting, Verdict, judge};

/// What one policy file says. What it does not speak of, it does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub(crate) observe: Option<Setting<bool>>,
    pub(crate) plugins: PluginRules,
    pub(crate) origins: Option<List<OriginRule>>,
    pub(crate) programs: Option<List<ProgramRule>>,
    pub(crate) permission: Option<Setting<Permission>>,
    pub(crate) sandbox: Option<Setting<Tier>>,
    pub(crate) environment: Option<List<String>>,
    pub(crate) network: Option<List<Destination>>,
    pub(crate) repositories: Option<List<RepositoryRule>>,
    pub(crate) landings: Option<List<LandingKind>>,
}

impl Policy {
    /// Reads the text of the policy that stands in `file`.
    pub fn parse(file: &Path, text: &str) -> Result<Self, PolicyError> {
        document::parse(&Text { file: file.into(), text })
    }

    pub(crate) fn publishers(&self) -> impl Iterator<Item = &str> {
        let keys = self.plugins.publishers.iter().flat_map(|list| &list.entries);
        keys.map(|PublisherEntry { value: PublisherKey(key), .. }| key.as_str())
    }

    pub(crate) fn plugin(&self, plugin: &PluginFacts<'_>) -> Verdict {
        self.plugins.judge(plugin)
    }

    pub(crate) fn origin(&self, origin: &Origin) -> Verdict {
        judge(self.origins.as_ref(), |rule| rule.covers(origin))
    }

    pub(crate) fn program(&self, program: Program<'_>) -> Verdict {
        judge(self.programs.as_ref(), |rule| rule.covers(program))
    }

    pub(crate) fn environment(&self, name: &str) -> Verdict {
        judge(self.environment.as_ref(), |allowed| allowed == name)
    }

    pub(crate) fn network(&self, to: &Endpoint) -> Verdict {
        judge(self.network.as_ref(), |rule| rule.covers(to))
    }

    pub(crate) fn repository(&self, repository: &RepositoryFacts<'_>) -> Verdict {
        judge(self.repositories.as_ref(), |rule| rule.covers(repository))
    }

    /// Work may stay on its branch in any case: nothing is done to the repository.
    pub(crate) fn landing(&self, kind: LandingKind) -> Verdict {
        if kind == LandingKind::Leave {
            return Verdict::UNRESTRICTED;
        }
        judge(self.landings.as_ref(), |allowed| *allowed == kind)
    }

    pub(crate) fn observing(&self) -> Verdict {
        permitted(self.observe.as_ref(), true)
    }

    pub(crate) fn permission(&self) -> Bound<Permission> {
        self.permission.as_ref().map_or(Bound::open(Permission::FullAuto), Setting::bound)
    }

    pub(crate) fn sandbox(&self) -> Bound<Tier> {
        self.sandbox.as_ref().map_or(Bound::open(Tier::None), Setting::bound)
    }

    pub(crate) fn signatures(&self) -> Bound<Signatures> {
        self.plugins.signatures.as_ref().map_or(Bound::open(Signatures::Off), Setting::bound)
    }
}

type PublisherEntry = Setting<PublisherKey>;
