//! Single questions to plugins, asked again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_components::{Plugin, Runtime};

use super::{Compared, Comparison, Difference, Part, same};
use crate::failure::Failure;
use crate::home::Home;
use crate::plugins::Kind;
use crate::plugins::store::{Build, Store};
use crate::record::calls::{self, Call};

/// Loads kept builds, each once. No grant is needed: nothing is started or sent.
#[derive(Clone)]
pub struct Loader {
    runtime: Runtime,
    home: Home,
    loaded: Arc<Mutex<BTreeMap<String, Arc<Plugin>>>>,
}

impl Loader {
    /// Loads from the store of an installation.
    pub fn new(home: &Home, runtime: Runtime) -> Self {
        Self { runtime, home: home.clone(), loaded: Arc::default() }
    }

    /// The build, or why it is not there. Blocks.
    pub fn load(&self, build: &Build) -> Result<Arc<Plugin>, String> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&build.digest) {
            return Ok(Arc::clone(plugin));
        }
        let gone = || format!("the build of `{}` that was asked is not kept any more", build.id);
        let file = Store::of(&self.home).find(&build.digest).ok_or_else(gone)?;
        let plugin = self.runtime.load(&file).map_err(|error| error.to_string())?;
        if plugin.digest().to_string() != build.digest {
            return Err(format!("{} is not the build that its name says", file.display()));
        }
        loaded.insert(build.digest.clone(), Arc::clone(&plugin));
        Ok(plugin)
    }
}

/// Asks every recorded question again, by kind. Blocks.
pub fn replay(loader: &Loader, run_folder: &Path) -> Result<Vec<Part>, Failure> {
    let calls = calls::read(run_folder).map_err(Failure::folder(run_folder))?;
    let mut kinds: BTreeMap<(&'static str, Build), Vec<Call>> = BTreeMap::new();
    for call in calls {
        kinds.entry((call.question.function(), call.plugin.clone())).or_default().push(call);
    }
    let order =
        |function: &str| ["plan", "prompt", "launch", "retry"].iter().position(|name| *name == function);
    let mut parts: Vec<_> = kinds
        .into_iter()
        .map(|((function, build), calls)| {
            let result = match loader.load(&build) {
                Ok(plugin) => again(&plugin, &calls),
                Err(why) => Compared::Impossible(why),
            };
            (
                order(function),
                Part { what: function.to_owned(), plugin: Some(build), count: calls.len(), result },
            )
        })
        .collect();
    parts.sort_by_key(|(order, _)| *order);
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

fn again(plugin: &Plugin, calls: &[Call]) -> Compared {
    for (number, call) in calls.iter().enumerate() {
        let (recorded, replayed) = (call.output.to_string(), call.question.ask(plugin).to_string());
        if !same(&recorded, &replayed) {
            let place = format!("{} number {}", call.question.function(), number + 1);
            return Compared::Differs(Difference { place, recorded, replayed });
        }
    }
    Compared::Equal
}

/// Asks another version every question that one of its kind was asked. Blocks.
pub fn compare(plugin: &Plugin, run_folder: &Path) -> Result<Vec<Comparison>, Failure> {
    let calls = calls::read(run_folder).map_err(Failure::folder(run_folder))?;
    let can = |kind: Kind| plugin.kinds().contains(&kind);
    let for_it = calls.into_iter().filter(|call| {
        call.plugin.id == plugin.id()
            && can(if call.question.is_for_tracker() { Kind::Tracker } else { Kind::Provider })
    });
    let compared = for_it.map(|call| {
        let (old, new) = (call.output.to_string(), call.question.ask(plugin).to_string());
        Comparison { what: call.question.function().to_owned(), same: same(&old, &new), old, new }
    });
    Ok(compared.collect())
}
