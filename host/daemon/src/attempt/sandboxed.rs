//! The sandbox of an agent, or of the command that judges its work, from what is known
//! of their run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hostler_engine::run::Run;
use hostler_engine::sandbox::{NoTier, SandboxNeeds, Tier};

use super::records::prompt_file;
use crate::place::Place;
use crate::plugins::providers::Provider;
use crate::rooms::Rooms;
use crate::sandbox::{Occupant, Ready};

type Environment = Vec<(OsString, OsString)>;

/// The tier that agents of a provider get now.
pub fn tier_of(rooms: &Rooms, provider: &Provider) -> Result<Tier, NoTier> {
    rooms.sandboxes.tier(provider.needs(), rooms.organisation.now().minimum_sandbox().value)
}

/// The sandbox of an agent. The same agent gets the same again, also from a later host.
pub fn around_agent(
    rooms: &Rooms,
    run: &Run,
    attempt: u32,
    provider: &Provider,
    tier: Tier,
    environment: Environment,
) -> Result<Ready, String> {
    let folder = rooms.home.attempt(&run.id, attempt);
    let program = std::fs::canonicalize(provider.program()).ok();
    let program = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    let occupant = Occupant {
        run,
        folder: &folder,
        workspace: workspace(run)?,
        prompt_file: Some(prompt_file(&folder)),
        needs: provider.needs(),
        readable: readable(rooms, run, &environment).chain(program).collect(),
        environment,
    };
    rooms.sandboxes.ready(&rooms.home, tier, occupant).map_err(|error| error.to_string())
}

/// The sandbox of a command that runs what an agent wrote: as tight as the agent's, and
/// without what only the agent was granted.
pub fn around_verify(
    rooms: &Rooms,
    run: &Run,
    folder: &Path,
    environment: Environment,
) -> Result<Ready, String> {
    let provider = rooms.provider_of(run).ok_or("its provider is not configured any more")?;
    let tier = tier_of(rooms, &provider).map_err(|error| error.to_string())?;
    let nothing = SandboxNeeds::default();
    let occupant = Occupant {
        run,
        folder,
        workspace: workspace(run)?,
        prompt_file: None,
        needs: &nothing,
        readable: readable(rooms, run, &environment).collect(),
        environment,
    };
    rooms.sandboxes.ready(&rooms.home, tier, occupant).map_err(|error| error.to_string())
}

fn workspace(run: &Run) -> Result<&Path, String> {
    let workspace = run.workspace.as_ref().ok_or("it has no workspace")?;
    Ok(Path::new(&workspace.path))
}

/// The repository, whose objects and ignored folders a workspace borrows, and what is on
/// `PATH`.
fn readable(rooms: &Rooms, run: &Run, environment: &Environment) -> impl Iterator<Item = PathBuf> {
    let repository = match rooms.place_of(run) {
        Some(Place::Git(repository)) => {
            vec![repository.checkout().to_owned(), repository.common_dir().to_owned()]
        }
        Some(Place::Folder(folder)) => vec![folder],
        None => Vec::new(),
    };
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let programs: Vec<PathBuf> = path.iter().flat_map(std::env::split_paths).collect();
    repository.into_iter().chain(programs.into_iter().filter(|path| path.is_absolute()))
}
