//! Coding CLIs on this machine: found, asked for their version, ready to start.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_agents::{VERSION_LIMIT, agent_environment, find_program, version};
use hostler_components::{Manifest, Plugin};
use hostler_engine::command::{FillError, ProgramRight, Template};
use hostler_engine::sandbox::{SandboxNeeds, Tier};
use hostler_engine::task::ProviderInfo;

use crate::conceal::is_secret;
use crate::failure::Failure;
use crate::organisation::Organisation;
use crate::plugins::Installed;
use crate::plugins::permit::Permit;
use crate::view::ProviderView;

/// Where the program of a provider is on this machine, if it is; nothing is started.
/// `instead` is the operator's own choice, `path` a list as in `PATH`.
pub fn find(manifest: &Manifest, instead: Option<&Path>, path: &str) -> Option<PathBuf> {
    let right = manifest.rights.program.as_ref()?;
    let name = instead.map(Path::as_os_str).or_else(|| right.name.as_ref().map(OsStr::new))?;
    locate(name, path)
}

/// Where a program is on this machine, if it is: a name is looked for in `path`.
pub fn locate(name: &OsStr, path: &str) -> Option<PathBuf> {
    find_program(name, OsStr::new(path)).ok()
}

/// A provider plugin with its program.
pub struct Provider {
    /// The loaded file.
    pub plugin: Arc<Plugin>,
    /// Its configuration, as JSON.
    pub config: String,
    /// How it looks from outside.
    pub view: ProviderView,
    permit: Permit,
    right: ProgramRight,
    template: Option<Template>,
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    withheld: Vec<OsString>,
}

impl Provider {
    /// Finds the program of an installed provider and asks for its version.
    ///
    /// `environment` is the host's; the program only ever sees the granted part, and of
    /// that what the organisation allows.
    pub async fn detect(
        installed: Installed,
        environment: &[(OsString, OsString)],
        organisation: &Organisation,
    ) -> Result<Self, Failure> {
        let id = installed.plugin.id().to_owned();
        let right = installed.rights.program.clone().ok_or_else(|| {
            Failure::Setting(format!("the grant of `{id}` names no program: allow the plugin again"))
        })?;
        let template = match &right.command_from {
            Some(field) => Some(template(&id, field, installed.fields.get(field))?),
            None => None,
        };
        let settings: Vec<_> =
            right.set_env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let environment = agent_environment(environment, &right.env, &settings);
        let named = installed
            .program
            .clone()
            .or_else(|| template.as_ref().map(|template| PathBuf::from(&template.program)))
            .or_else(|| right.name.clone().map(PathBuf::from))
            .unwrap_or_default();
        let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        let program = find_program(named.as_os_str(), &path.unwrap_or_default())
            .map_err(|error| Failure::Program(format!("the provider `{id}` cannot start: {error}")))?;
        organisation.check_program(&program)?;
        let seen = organisation.allowed_environment(environment.clone(), &right.set_env);
        let withheld = environment.into_iter().filter(|given| !seen.contains(given)).map(|(name, _)| name);
        let mut provider = Self {
            view: ProviderView {
                name: id,
                version: String::new(),
                program: Some(program.display().to_string()),
                capabilities: Vec::new(),
                problem: None,
            },
            plugin: installed.plugin,
            permit: installed.permit,
            config: installed.config,
            right,
            template,
            program,
            withheld: withheld.collect(),
            environment: seen,
        };
        provider.ask_version().await?;
        Ok(provider)
    }

    /// A CLI that does not tell its version may still work, so that is only said.
    async fn ask_version(&mut self) -> Result<(), Failure> {
        let args: Vec<OsString> = self.right.version.iter().map(OsString::from).collect();
        let printed = if args.is_empty() {
            String::new()
        } else {
            match version(&self.program, &args, &self.environment, VERSION_LIMIT).await {
                Ok(printed) => printed,
                Err(error) => {
                    self.view.problem = Some(error.to_string());
                    String::new()
                }
            }
        };
        let plugin = Arc::clone(&self.plugin);
        let found = crate::blocking::run(move || plugin.detect(&printed)).await??;
        self.view.version = found.version;
        self.view.capabilities = found.names;
        Ok(())
    }

    /// The words for one command, checked against the grant.
    pub fn words(
        &self,
        command: &str,
        slots: &[(String, String)],
        tier: Tier,
    ) -> Result<Vec<String>, FillError> {
        match (&self.template, tier) {
            (Some(template), _) => self.right.fill_template(template, slots),
            (None, Tier::None) => self.right.fill(command, slots),
            (None, Tier::Basic | Tier::Contained) => self.right.with_own_git().fill(command, slots),
        }
    }

    /// The same CLI, read by another build of the plugin.
    pub fn read_by(&self, plugin: Arc<Plugin>) -> Self {
        Self {
            plugin,
            config: self.config.clone(),
            view: self.view.clone(),
            permit: self.permit.clone(),
            right: self.right.clone(),
            template: self.template.clone(),
            program: self.program.clone(),
            environment: self.environment.clone(),
            withheld: self.withheld.clone(),
        }
    }

    /// The leave to use it.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Absolute path of the program.
    pub fn program(&self) -> PathBuf {
        self.program.clone()
    }

    /// What the organisation keeps from its agents although the operator granted it, in a
    /// sentence: a CLI without its key fails in ways that tell nothing of that.
    pub fn withheld(&self) -> Option<String> {
        let names: Vec<_> = self.withheld.iter().map(|name| name.to_string_lossy()).collect();
        let names = Some(names.join(", ")).filter(|names| !names.is_empty())?;
        Some(format!("Your organisation's policy keeps {names} from the agents of {}.", self.view.name))
    }

    /// Variables whose values the grant fixes.
    pub const fn fixed(&self) -> &BTreeMap<String, String> {
        &self.right.set_env
    }

    /// What its CLI needs of the world outside its sandbox.
    pub const fn needs(&self) -> &SandboxNeeds {
        &self.right.sandbox
    }

    /// What the agent gets to see of the environment.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        self.environment.clone()
    }

    /// Values of the granted variables that hold secrets.
    pub fn secrets(&self) -> impl Iterator<Item = OsString> {
        let holds_secret = |name: &OsString| {
            name.to_str().is_some_and(|name| self.right.env.iter().any(|own| own == name) && is_secret(name))
        };
        self.environment.iter().filter(move |(name, _)| holds_secret(name)).map(|(_, value)| value.clone())
    }

    /// How it is named towards a tracker.
    pub fn info(&self) -> ProviderInfo {
        ProviderInfo {
            name: self.view.name.clone(),
            version: self.view.version.clone(),
            capabilities: self.view.capabilities.clone(),
        }
    }
}

fn template(id: &str, field: &str, value: Option<&String>) -> Result<Template, Failure> {
    let text = value.ok_or_else(|| {
        Failure::Setting(format!(
            "the provider `{id}` needs a command: give it with `--command \"my-agent --task {{prompt_file}}\"`, \
             or as `{field}` under [providers.{id}] in the configuration"
        ))
    })?;
    Ok(Template::parse(text)?)
}
