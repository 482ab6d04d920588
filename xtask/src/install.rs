//! `cargo xtask install`: the program and the plugins, for whoever runs it.

use std::path::Path;

use anyhow::{Context, bail};

use crate::cargo::{cargo, succeed};
use crate::plugins;

/// What `host plugin install` ends with when a plugin asks for more than the one that is
/// installed, which keeps running.
const WAITS: i32 = 13;

/// Installs `host` with cargo, and the plugins with `host`.
pub fn install(root: &Path) -> anyhow::Result<()> {
    plugins::build(root)?;
    succeed(&mut cargo(root, &["install", "--path", "host/cli", "--locked"]))?;
    // The same build that was just installed, wherever cargo has put it.
    let host = ["run", "--quiet", "--release", "--locked", "--package", "hostler", "--bin", "host", "--"];
    let mut install = cargo(root, &host);
    install.args(["plugin", "install", "--ask-later"]).arg(root.join("target/plugins"));
    let status = install.status().context("starting host")?;
    match status.code() {
        Some(0) => {}
        Some(WAITS) => println!("What waits is in no hurry: the builds before it keep running."),
        _ => bail!("the plugins were not all installed ({status}), see above"),
    }
    println!("`host run` asks for your consent to plugins that are new, or see `host plugin allow`.");
    Ok(())
}
