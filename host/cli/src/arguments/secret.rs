//! `host secret`.

use clap::{Args, Subcommand};

/// `host secret`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host secret set tale.api-key
  host secret list")]
pub struct SecretArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SecretCommand,
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a secret: asks for it, or reads it from standard input
    #[command(after_help = "Examples:
  host secret set tale.api-key                    asks, and shows nothing of what you type
  pass show tale | host secret set tale.api-key   from another program
  host secret set tale.api-key --file             into secrets.toml, though there is a keyring

It goes into the system's keyring where one answers (Secret Service, Keychain), else
into secrets.toml, which only you can read. Never give it on a command line.")]
    Set {
        /// Which secret: the plugin, by name or file, and its field
        #[arg(value_name = "PLUGIN.FIELD")]
        name: String,
        /// Into secrets.toml, though there is a keyring
        #[arg(long)]
        file: bool,
    },
    /// List the secrets of the plugins here, and where each comes from
    #[command(after_help = "Examples:\n  host secret list")]
    List {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a secret, wherever it is kept
    #[command(after_help = "Examples:\n  host secret remove tale.api-key")]
    Remove {
        /// Which secret: the plugin, by name or file, and its field
        #[arg(value_name = "PLUGIN.FIELD")]
        name: String,
    },
}
