//! `cargo xtask install`: the program and the plugins, for whoever runs it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cargo::{cargo, succeed};
use crate::plugins;

/// Installs `host` with cargo, and the plugins where it looks for them by name.
pub fn install(root: &Path) -> anyhow::Result<()> {
    let components = plugins::build(root)?;
    succeed(&mut cargo(root, &["install", "--path", "host/cli", "--locked"]))?;
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let folder = plugins_folder(data, std::env::home_dir())?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for component in &components {
        let name = component.file_name().context("a component is a file")?;
        replace(component, &folder.join(name))?;
    }
    println!("{} plugins are in {}.", components.len(), folder.display());
    println!("A plugin that changed needs your consent again: `host run` asks, or see `host plugin allow`.");
    Ok(())
}

/// Where `host` looks for plugins by name.
fn plugins_folder(data: Option<PathBuf>, home: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let below_home = || home.filter(|home| home.is_absolute()).map(|home| home.join(".local/share"));
    match data.filter(|data| data.is_absolute()).or_else(below_home) {
        Some(data) => Ok(data.join("hostler/plugins")),
        None => bail!("there is no place for the plugins: set HOME or XDG_DATA_HOME"),
    }
}

/// Puts a file in place whole: a host that starts meanwhile reads the old or the new one.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let fresh = to.with_extension("wasm.new");
    fs::copy(from, &fresh).with_context(|| format!("writing {}", fresh.display()))?;
    fs::rename(&fresh, to).with_context(|| format!("writing {}", to.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn plugins_go_where_the_host_looks_for_them() {
        let folder = |data: Option<&str>, home: Option<&str>| {
            plugins_folder(data.map(PathBuf::from), home.map(PathBuf::from))
        };
        assert_eq!(folder(Some("/data"), Some("/home/ada")).unwrap(), Path::new("/data/hostler/plugins"));
        let below_home = Path::new("/home/ada/.local/share/hostler/plugins");
        assert_eq!(folder(None, Some("/home/ada")).unwrap(), below_home);
        assert_eq!(folder(Some("relative"), Some("/home/ada")).unwrap(), below_home);
        assert!(folder(None, None).is_err());
    }
}
