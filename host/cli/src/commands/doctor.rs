//! `host doctor`.

mod installed;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hostler_daemon::control::Client;
use hostler_daemon::engine::sandbox::{Tier, Wish};
use hostler_daemon::grants::Grants;
use hostler_daemon::plugins::Kind;
use hostler_daemon::sandbox::probe;
use hostler_daemon::supervision::try_out;
use hostler_daemon::{ForgeKind, Repository, RepositorySettings, WorkspaceError};
use rustix::fs::Access;

use super::standing;
use crate::arguments::DoctorArgs;
use crate::config::NetworkConfiguration;
use crate::config::fields::Role;
use crate::config::forges::NamedForge;
use crate::config::secret_field::Sources;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::grant;
use crate::keyring::SecretName;
use crate::output;
use crate::screens::doctor::{Check, Health, draw_checks};
use crate::screens::inspect::Allowed;
use crate::screens::observed::OBSERVING;
use crate::screens::supervision;
use crate::setup::{Chosen, Setup};

/// Less room than this in bytes is worth a warning: a few worktrees fill it.
const LITTLE_ROOM: u64 = 2 * 1024 * 1024 * 1024;

/// Less room than this in bytes, and the record itself is in danger.
const NO_ROOM: u64 = 200 * 1024 * 1024;

/// The file that all programs take for the system's certificates, if it is set.
const SYSTEM_CERTIFICATES: &str = "SSL_CERT_FILE";

/// Looks at everything that `host run` needs.
pub async fn doctor(args: &DoctorArgs, context: &Context) -> Result<ExitCode, Failure> {
    let checks = check(args, context).await;
    if args.json {
        output::json(&checks)?;
    } else {
        output::print(&draw_checks(&context.page(), &checks))?;
    }
    let failed = checks.iter().any(|check| check.health == Health::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Ok }.into())
}

async fn check(args: &DoctorArgs, context: &Context) -> Vec<Check> {
    let mut checks = vec![
        folder("state", &context.home.state),
        folder("config", &context.home.config),
        room(&context.home.state),
        running(context).await,
        policy(context),
    ];
    let setup = match Setup::read(&args.settings, context) {
        Ok(setup) => setup,
        Err(failure) => {
            checks.push(Check::new("settings", Health::Fail, failure));
            return checks;
        }
    };
    checks.push(settings(&setup));
    checks.extend(network(&setup, context));
    checks.push(supervisor(&setup, context).await);
    checks.push(sandbox(&setup, context).await);
    match setup.keyed_repositories() {
        Ok(repositories) => checks.extend(repositories.iter().map(|one| repository(one, context))),
        Err(failure) => checks.push(Check::new("repository", Health::Fail, failure)),
    }
    checks.extend(setup.forges.iter().map(|named| forge(named, context)));
    checks.extend(installed::installed(context));
    checks.push(match setup.tracker(context) {
        Ok(tracker) => plugin(&setup, Role::Tracker, &tracker, context),
        Err(failure) => unchosen("tracker", failure),
    });
    match setup.providers(context) {
        Ok(providers) => {
            for chosen in &providers {
                let ready = plugin(&setup, Role::Provider, chosen, context);
                let installed = ready.health == Health::Ok;
                checks.push(ready);
                if installed {
                    checks.push(program(&setup, chosen, context).await);
                }
            }
        }
        Err(failure) => checks.push(unchosen("provider", failure)),
    }
    checks
}

/// Nothing chosen is no illness; anything else is.
fn unchosen(what: &str, failure: Failure) -> Check {
    let health = if failure.exit == Exit::Configuration { Health::Warn } else { Health::Fail };
    Check::new(what, health, failure)
}

fn folder(name: &str, path: &Path) -> Check {
    let existing = nearest(path);
    match rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Check::new(name, Health::Ok, path.display()),
        Err(error) => Check::new(
            name,
            Health::Fail,
            format!("{} cannot be written ({error}); change its owner or permissions", existing.display()),
        ),
    }
}

/// The folder itself, or the nearest above it that is there.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.exists()).unwrap_or(path)
}

fn room(state: &Path) -> Check {
    match rustix::fs::statvfs(nearest(state)) {
        Ok(disk) => enough(disk.f_bavail.saturating_mul(disk.f_frsize), state),
        Err(error) => Check::new("disk", Health::Warn, format!("the free room cannot be told ({error})")),
    }
}

fn enough(free: u64, state: &Path) -> Check {
    let tenths = free / (1024 * 1024 * 1024 / 10);
    let free_text = format!("{}.{} GiB free for {}", tenths / 10, tenths % 10, state.display());
    let remedy = "; make room, or set XDG_STATE_HOME to another disk";
    match free {
        0..NO_ROOM => Check::new("disk", Health::Fail, free_text + remedy),
        NO_ROOM..LITTLE_ROOM => Check::new("disk", Health::Warn, free_text + remedy),
        _ => Check::new("disk", Health::Ok, free_text),
    }
}

async fn running(context: &Context) -> Check {
    let Ok(client) = Client::connect(&context.home) else {
        return Check::new("host", Health::Ok, "none is running");
    };
    match client.status().await {
        Ok(host) => {
            Check::new("host", Health::Ok, format!("running as process {} ({})", host.pid, host.mode))
        }
        Err(error) => Check::new("host", Health::Warn, error),
    }
}

fn settings(setup: &Setup) -> Check {
    let there: Vec<_> = setup.files.iter().filter(|(_, there)| *there).map(|(path, _)| path).collect();
    if there.is_empty() {
        return Check::new("settings", Health::Ok, "no files, defaults only");
    }
    let own = setup.files.first().filter(|(_, there)| *there);
    if let Some((path, _)) = own
        && std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0)
    {
        let finding =
            format!("{0} can be read by others; if it holds secrets, run `chmod 600 {0}`", path.display());
        return Check::new("settings", Health::Warn, finding);
    }
    let names: Vec<String> = there.iter().map(|path| path.display().to_string()).collect();
    Check::new("settings", Health::Ok, names.join(", "))
}

/// The way out, where it is not just the system's.
fn network(setup: &Setup, context: &Context) -> Vec<Check> {
    let NetworkConfiguration { proxy, ca, observe } = &setup.network;
    let mut checks = Vec::new();
    if let Some(way) = &proxy.value {
        checks.push(Check::new("proxy", Health::Ok, format!("{way} ({})", proxy.origin)));
    }
    if let Some(path) = &ca.value {
        checks.push(match setup.network.settings().extra_certificates() {
            Ok(number) => {
                let found = format!("{number} in {} besides the system's ({})", path.display(), ca.origin);
                Check::new("certificates", Health::Ok, found)
            }
            Err(error) => Check::new("certificates", Health::Fail, error),
        });
    }
    if let Some(file) = context.environment.get(SYSTEM_CERTIFICATES).filter(|file| !file.is_empty()) {
        checks.push(if Path::new(file).is_file() {
            let found = format!("{file} instead of the system's ({SYSTEM_CERTIFICATES})");
            Check::new("certificates", Health::Ok, found)
        } else {
            let missing =
                format!("{SYSTEM_CERTIFICATES} names {file}, which is no file; correct or unset it");
            Check::new("certificates", Health::Fail, missing)
        });
    }
    if observe.value {
        checks.push(Check::new("observe", Health::Warn, format!("{OBSERVING} ({})", observe.origin)));
    }
    checks
}

/// What stands above the settings.
fn policy(context: &Context) -> Check {
    let policies = context.policies.read();
    let files: Vec<String> = policies.members().iter().map(|one| one.path.display().to_string()).collect();
    match policies.soundness() {
        Err(error) => Check::new("policy", Health::Fail, error),
        Ok(()) if files.is_empty() => Check::new("policy", Health::Ok, "none"),
        Ok(()) => Check::new(
            "policy",
            Health::Ok,
            format!("{}; `host policy check` tells what it allows", files.join(", ")),
        ),
    }
}

/// A trial start tells what holds agents here.
async fn supervisor(setup: &Setup, context: &Context) -> Check {
    let containment = setup.configuration.containment.value;
    let trial = try_out(&context.shim(), &context.program, containment, &std::env::temp_dir()).await;
    match trial {
        Ok(found) => Check::new("agents", Health::Ok, supervision::on_this_machine(&found)),
        Err(error) => Check::new("agents", Health::Fail, format!("none can be started: {error}")),
    }
}

/// What this machine can do to wall agents in, by trying it.
async fn sandbox(setup: &Setup, context: &Context) -> Check {
    let found = probe(&context.shim(), &std::env::temp_dir()).await;
    let missing: Vec<String> = found.missing.iter().map(|(tier, why)| format!("`{tier}`: {why}")).collect();
    match (setup.configuration.sandbox.value, found.possible) {
        (Wish::Exactly(wanted), possible) if wanted > possible => {
            let finding = format!("`{wanted}` cannot be had: {}", missing.join("; "));
            Check::new("sandbox", Health::Fail, finding)
        }
        (_, Tier::Contained) => Check::new("sandbox", Health::Ok, "up to `contained`".to_owned()),
        (_, possible) => {
            let finding = format!("up to `{possible}`; {}", missing.join("; "));
            Check::new("sandbox", Health::Warn, finding)
        }
    }
}

fn repository(settings: &RepositorySettings, context: &Context) -> Check {
    let name = format!("repo {}", settings.key);
    let state = context.home.state.join("workspaces");
    let found = Repository::open(&settings.path, &state)
        .and_then(|repository| Ok((repository.condition()?, repository.checkout().to_owned())));
    match found {
        Ok((condition, checkout)) => {
            let place = checkout.display();
            let branch = condition.head_branch.unwrap_or_else(|| "no branch".to_owned());
            if condition.dirty {
                let note = "has uncommitted changes, which agents do not see";
                return Check::new(
                    name,
                    Health::Warn,
                    format!("{place} on {branch}; it {note}: commit them"),
                );
            }
            Check::new(name, Health::Ok, format!("{place} on {branch}"))
        }
        Err(WorkspaceError::NotARepository { .. }) if settings.in_place => {
            let note = "is in no git repository; agents work in the folder itself";
            Check::new(name, Health::Warn, format!("{} {note}", settings.path.display()))
        }
        Err(error) => Check::new(name, Health::Fail, error),
    }
}

/// Who opens pull requests there. Nobody is asked: a token shows its worth at its use.
fn forge(named: &NamedForge, context: &Context) -> Check {
    let host = &named.host;
    let name = format!("forge {host}");
    let path = context.environment.get("PATH").cloned().unwrap_or_default();
    let gh = gh_in(&path).filter(|_| named.kind.value == ForgeKind::GitHub);
    let variable = named.token_env.as_ref().map(|variable| &variable.value);
    match (variable, named.settings(&context.environment).token, gh) {
        (Some(variable), Some(_), Some(gh)) => Check::new(
            name,
            Health::Ok,
            format!("{} if it is signed in there, else the token in {variable}", gh.display()),
        ),
        (Some(variable), Some(_), None) => {
            Check::new(name, Health::Ok, format!("the token in {variable} opens pull requests"))
        }
        (_, None, Some(gh)) => Check::new(
            name,
            Health::Ok,
            format!("{} if it is signed in there; see `gh auth status --hostname {host}`", gh.display()),
        ),
        (Some(variable), ..) => Check::new(
            name,
            Health::Warn,
            format!("{variable} has no value, so no pull request can be opened there; set it"),
        ),
        (None, ..) => Check::new(
            name,
            Health::Warn,
            "nothing may open pull requests there; set `token-env` to the name of a variable with a token",
        ),
    }
}

/// Where the host would find `gh`. What a relative entry means depends on where one
/// stands, so the host takes none.
fn gh_in(path: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join("gh")).find(|file| file.is_file())
}

/// A plugin: of the right kind, configured, allowed.
fn plugin(setup: &Setup, role: Role, chosen: &Chosen, context: &Context) -> Check {
    let wanted = match role {
        Role::Tracker => Kind::Tracker,
        Role::Provider => Kind::Provider,
    };
    let id = &chosen.manifest.plugin.id;
    let name = format!("{} {id}", wanted.name());
    let file = chosen.file.display();
    if !chosen.inspection.kinds.contains(&wanted) {
        let finding =
            format!("{file} is no {} plugin; `host plugin list` shows what there is", wanted.name());
        return Check::new(name, Health::Fail, finding);
    }
    let fields = setup.fields(role, chosen, context);
    let secrets = match fields.and_then(|_| sources(setup, role, chosen)) {
        Ok(secrets) => secrets,
        Err(failure) => return Check::new(name, Health::Fail, failure),
    };
    match Grants::load(&context.home.grants()).map(|grants| grant::standing(&grants, chosen)) {
        Ok(Allowed::Yes) => Check::new(
            name,
            Health::Ok,
            format!("version {}, allowed ({file}){secrets}", chosen.manifest.plugin.version),
        ),
        Ok(_) => {
            Check::new(name, Health::Warn, format!("not allowed yet; run `host plugin allow {id}`{secrets}"))
        }
        Err(error) => Check::new(name, Health::Fail, error),
    }
}

/// Where each secret of a plugin comes from, and what that takes the place of; never
/// what it is.
fn sources(setup: &Setup, role: Role, chosen: &Chosen) -> Result<String, Failure> {
    let secrets = setup.secrets(role, chosen)?;
    let source = |(name, sources): &(SecretName, Sources)| format!("; {name} from {sources}");
    Ok(secrets.iter().map(source).collect::<Vec<_>>().concat())
}

/// The CLI of a provider that is allowed.
async fn program(setup: &Setup, chosen: &Chosen, context: &Context) -> Check {
    let name = format!("program of {}", chosen.manifest.plugin.id);
    match standing::detect(setup, chosen, context).await {
        Ok(provider) => {
            let place = provider.view.program.clone().unwrap_or_default();
            match &provider.view.problem {
                Some(problem) => Check::new(name, Health::Warn, format!("{place}: {problem}")),
                None => Check::new(name, Health::Ok, format!("{} {place}", provider.view.version)),
            }
        }
        Err(failure) => Check::new(name, Health::Fail, failure),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gh_counts_only_below_an_absolute_folder() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("gh"), "").unwrap();
        let absolute = place.path().display().to_string();
        // As many steps up as reach the root from anywhere, then down again.
        let relative = format!("{}{absolute}", "../".repeat(64).trim_end_matches('/'));
        assert!(Path::new(&relative).join("gh").is_file());
        assert_eq!(gh_in(&relative), None);
        assert_eq!(gh_in(&format!("{relative}:{absolute}")), Some(place.path().join("gh")));
    }

    #[test]
    fn room_on_the_disk_is_judged_at_its_limits() {
        let health = |free| enough(free, Path::new("/s")).health;
        assert_eq!((health(NO_ROOM - 1), health(NO_ROOM)), (Health::Fail, Health::Warn));
        assert_eq!((health(LITTLE_ROOM - 1), health(LITTLE_ROOM)), (Health::Warn, Health::Ok));
        assert_eq!(enough(LITTLE_ROOM, Path::new("/s")).finding, "2.0 GiB free for /s");
    }
}
