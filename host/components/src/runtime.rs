//! The engines, their clock and the cache: made once per host, shared by all
//! plugins.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::admission::Admitted;
use crate::bindings::{provider, tracker};
use crate::cache::{Cache, CacheError};
use crate::call_error::{CallError, Fault};
use crate::guest_text;
use crate::limits::{CORE_INSTANCES, LOG_LINE_BYTES, Limits, MEMORIES, STACK_BYTES, TABLE_ELEMENTS, TABLES};
use crate::plugin::Plugin;
use crate::refusal::{LoadError, Refusal};
use crate::sandbox::{Prepared, Source};
use crate::ticker::Ticker;

/// How a host wants its plugins run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder for native code, private to this user. Made if it is missing;
    /// may be deleted whenever the host is not running.
    pub cache: PathBuf,
    /// What one call may cost.
    pub limits: Limits,
}

/// Loads plugins. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    core: Arc<Core>,
}

/// What all plugins share.
pub(crate) struct Core {
    /// Absent where its address space could not be reserved.
    pooled: Option<Engine>,
    on_demand: Engine,
    pub(crate) ticker: Ticker,
    cache: Cache,
    pub(crate) limits: Limits,
}

/// The runtime cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The compiler or its settings do not work on this machine.
    #[error("plugins cannot be run on this machine ({0}); report this with the processor's name")]
    Engine(String),
    /// No thread could be started.
    #[error("no thread for the plugins' clock could be started ({0}); raise the limit on processes")]
    Ticker(#[source] std::io::Error),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Components in the pool at once: far more than a host has agents.
const POOLED_COMPONENTS: u32 = 64;

/// Core instances, memories and tables in the pool at once: a few per component.
const POOLED_PARTS: u32 = 256;

/// Memory of a slot that stays mapped for its next user, in bytes: what a small
/// plugin touches, so that most calls cause no page faults.
const RESIDENT_BYTES: usize = 256 * 1024;

/// The same for a table.
const RESIDENT_TABLE_BYTES: usize = 16 * 1024;

/// Address space per memory. With all of 4 GiB reserved the guest's code needs no
/// bounds checks, which makes parsing a quarter faster.
const RESERVATION: u64 = 4 << 30;

/// The same where address space is limited: room for the largest guest's growth.
const SMALL_RESERVATION: u64 = 64 << 20;

/// With less address space than this, full reservations could not hold even a few
/// dozen instances.
const PLENTY_OF_ADDRESS_SPACE: u64 = 1 << 40;

impl Runtime {
    /// Sets up the engines, the clock and the cache.
    pub fn new(settings: Settings) -> Result<Self, RuntimeError> {
        let reservation = reservation(rustix::process::getrlimit(rustix::process::Resource::As).current);
        let engine_failed = |error: wasmtime::Error| RuntimeError::Engine(format!("{error:#}"));
        let on_demand = Engine::new(&config(reservation)).map_err(engine_failed)?;
        let pooled = pooled_engine(reservation, &settings.limits);
        let engines: Vec<&Engine> = pooled.iter().chain([&on_demand]).collect();
        let ticker = Ticker::start(&engines).map_err(RuntimeError::Ticker)?;
        let cache = Cache::open(settings.cache, &on_demand)?;
        Ok(Self { core: Arc::new(Core { pooled, on_demand, ticker, cache, limits: settings.limits }) })
    }

    /// Loads a plugin file: checks it, compiles it or takes its native code from
    /// the cache, and makes one instance to see that it starts.
    ///
    /// Takes up to seconds for a large plugin that was never seen before.
    pub fn load(&self, path: &Path) -> Result<Arc<Plugin>, LoadError> {
        crate::admission::read_file(path)
            .and_then(|bytes| self.load_bytes(&bytes))
            .map(Arc::new)
            .map_err(|refusal| refusal.of(path))
    }

    fn load_bytes(&self, bytes: &[u8]) -> Result<Plugin, Refusal> {
        let admitted = Admitted::check(bytes)?;
        let native = self.core.native_code(&admitted, bytes)?;
        let on_demand = prepare(&self.core.on_demand, &native).map_err(Refusal::Shape)?;
        let pooled = self.core.pooled.as_ref().and_then(|engine| prepare(engine, &native).ok());
        let source = Source {
            core: Arc::clone(&self.core),
            id: Arc::from(admitted.manifest.plugin.id.as_str()),
            pooled,
            on_demand,
        };
        match source.open("start", self.core.limits.tracker) {
            Ok(_works) => Ok(Plugin::new(admitted, source)),
            Err(CallError { fault: Fault::WrongTypes(what), .. }) => Err(Refusal::WrongTypes(what)),
            Err(error) => Err(Refusal::Start(error)),
        }
    }
}

impl Core {
    /// From the cache if possible, else from the compiler.
    fn native_code(&self, admitted: &Admitted, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        if let Some(native) = self.cache.read(&admitted.digest) {
            return Ok(native);
        }
        let native = self
            .on_demand
            .precompile_component(bytes)
            .map_err(|error| Refusal::Compile(guest_text::clean(&format!("{error:#}"), LOG_LINE_BYTES)))?;
        self.cache.write(&admitted.digest, &native);
        Ok(native)
    }
}

/// Makes a component of native code that [`Core::native_code`] returned.
fn prepare(engine: &Engine, native: &[u8]) -> Result<Prepared, String> {
    // SAFETY: the bytes are what `precompile_component` of an engine with the same
    // settings returned: either a moment ago in this process, or in an earlier one
    // that wrote them to a folder only this user can write to, with a digest that
    // was checked over exactly these bytes. They are copied out of the slice, so
    // nothing can change them afterwards.
    let component = unsafe { Component::deserialize(engine, native) };
    let pre = component.and_then(|component| Linker::new(engine).instantiate_pre(&component));
    let pre = pre.map_err(|error| guest_text::clean(&format!("{error:#}"), LOG_LINE_BYTES))?;
    let tracker = tracker::GuestIndices::new(&pre).ok();
    let provider = provider::GuestIndices::new(&pre).ok();
    Ok(Prepared { pre, tracker, provider })
}

/// How much address space each memory reserves, given the limit on this process.
fn reservation(limit: Option<u64>) -> u64 {
    match limit {
        Some(limit) if limit < PLENTY_OF_ADDRESS_SPACE => SMALL_RESERVATION,
        _ => RESERVATION,
    }
}

/// Settings that native code depends on: the same for both engines.
fn config(reservation: u64) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .memory_reservation(reservation)
        // A backtrace through a stripped plugin tells nobody anything.
        .wasm_backtrace_max_frames(None);
    config
}

/// The engine that takes memories from a pool, if the system lets us reserve it.
fn pooled_engine(reservation: u64, limits: &Limits) -> Option<Engine> {
    let per_component = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOLED_COMPONENTS)
        .total_core_instances(POOLED_PARTS)
        .total_memories(POOLED_PARTS / 2)
        .total_tables(POOLED_PARTS)
        .max_core_instances_per_component(per_component(CORE_INSTANCES))
        .max_memories_per_component(per_component(MEMORIES))
        .max_tables_per_component(per_component(TABLES))
        .max_memory_size(limits.largest_memory())
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(16)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_TABLE_BYTES);
    let mut config = config(reservation);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    match Engine::new(&config) {
        Ok(engine) => Some(engine),
        Err(error) => {
            tracing::info!(%error, "no pool for plugins; each instance is made on demand");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    fn key(engine: &Engine) -> u64 {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn native_code_of_one_engine_fits_the_other() {
        for reservation in [RESERVATION, SMALL_RESERVATION] {
            let pooled = pooled_engine(reservation, &Limits::default()).unwrap();
            let on_demand = Engine::new(&config(reservation)).unwrap();
            assert_eq!(key(&pooled), key(&on_demand));
        }
    }

    #[test]
    fn little_address_space_means_small_reservations() {
        assert_eq!(reservation(None), RESERVATION);
        assert_eq!(reservation(Some(PLENTY_OF_ADDRESS_SPACE)), RESERVATION);
        assert_eq!(reservation(Some(PLENTY_OF_ADDRESS_SPACE - 1)), SMALL_RESERVATION);
    }

    #[test]
    fn a_pool_that_cannot_be_reserved_is_done_without() {
        assert!(pooled_engine(1 << 45, &Limits::default()).is_none());
    }
}
