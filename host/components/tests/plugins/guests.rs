//! A host for small plugins.

#![allow(dead_code)] // each test program uses its part

use std::path::Path;
use std::sync::Arc;

use hostler_components::{Limits, LoadError, Plugin, Runtime, Settings};

use crate::guest::Guest;

/// A runtime with a cache of its own.
pub struct Host {
    pub runtime: Runtime,
    pub folder: tempfile::TempDir,
}

impl Host {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { runtime: runtime(&folder.path().join("cache")), folder }
    }

    /// Writes a file and loads it.
    pub fn load_bytes(&self, bytes: &[u8]) -> Result<Arc<Plugin>, LoadError> {
        let path = self.folder.path().join("plugin.wasm");
        std::fs::write(&path, bytes).unwrap();
        self.runtime.load(&path)
    }

    /// Builds and loads a plugin that is expected to load.
    pub fn load(&self, guest: &Guest) -> Arc<Plugin> {
        self.load_bytes(&guest.build()).unwrap()
    }
}

/// A runtime with default limits.
pub fn runtime(cache: &Path) -> Runtime {
    Runtime::new(Settings { cache: cache.to_owned(), limits: Limits::default() }).unwrap()
}

/// A job.
pub fn job() -> hostler_components::job::Job {
    hostler_components::job::Job {
        prompt: "Do it.".to_owned(),
        prompt_file: "/run/prompt.md".to_owned(),
        cwd: "/home/me/project".to_owned(),
        session: None,
        permission: hostler_engine::plan::Permission::Safe,
        model: None,
        attempt: 1,
        config: "{}".to_owned(),
    }
}
