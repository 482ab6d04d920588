//! What it costs to ask a plugin one question in a fresh instance.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hostler_components::{Limits, Plugin, Runtime, Settings};

use crate::rounds::{Figure, in_turn};

const CALLS: u32 = 200;

/// Loads a bundled plugin with a runtime of its own.
pub fn plugin(name: &str) -> anyhow::Result<Arc<Plugin>> {
    let cache = tempfile::tempdir()?;
    let runtime = Runtime::new(Settings { cache: cache.path().join("native"), limits: Limits::default() })?;
    let file = bundled(name);
    let plugin = runtime.load(&file).with_context(|| format!("loading {}", file.display()))?;
    Ok(plugin)
}

/// The file of a bundled plugin.
pub fn bundled(name: &str) -> PathBuf {
    hostler_tests::built::target_folder().join("plugins").join(format!("{name}.wasm"))
}

/// Fresh instance, one call, drop; against the same code called natively.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let plugin = plugin("claude-code")?;
    let fresh = || {
        for _ in 0..CALLS {
            black_box(plugin.detect("2.1.328 (Claude Code)")?);
        }
        Ok(())
    };
    let native = || {
        for _ in 0..CALLS {
            black_box(<hostler_plugin_claude_code::ClaudeCode as hostler_sdk::Provider>::detect(black_box(
                "2.1.328 (Claude Code)",
            )));
        }
        Ok(())
    };
    let (guest, native) = in_turn(51, fresh, native)?;
    Ok(vec![Figure {
        name: "instantiate, one call, drop",
        measured: micros(guest),
        floor: micros(native),
        unit: "µs",
        aim: "",
        against: "the same call natively",
    }])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(CALLS)
}
