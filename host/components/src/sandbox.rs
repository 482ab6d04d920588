//! One instance of a plugin in a store of its own. The store is the unit of
//! failure: whatever goes wrong in a call, the store is dropped with everything
//! in it, and nothing else notices.

use std::sync::Arc;

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline};

use crate::bindings::{provider, tracker};
use crate::call_error::{CallError, Fault};
use crate::contract::Kind;
use crate::guard::Guard;
use crate::guest_text;
use crate::limits::{CallLimits, HANDLES, LOG_LINE_BYTES};
use crate::runtime::Core;

/// A store with its guard.
pub(crate) type GuardedStore = Store<Guard>;

/// A component, linked (to nothing) and ready to be instantiated.
pub(crate) struct Prepared {
    pub(crate) pre: InstancePre<Guard>,
    pub(crate) tracker: Option<tracker::GuestIndices>,
    pub(crate) provider: Option<provider::GuestIndices>,
}

/// The one or two ways to make instances of a plugin: from the pool, which is
/// fast and can be exhausted, and on demand.
pub(crate) struct Source {
    pub(crate) core: Arc<Core>,
    pub(crate) id: Arc<str>,
    pub(crate) pooled: Option<Prepared>,
    pub(crate) on_demand: Prepared,
}

impl Source {
    /// Makes an instance. Runs the guest's start functions, under `limits`.
    pub(crate) fn open(&self, call: &'static str, limits: CallLimits) -> Result<Sandbox, CallError> {
        let pooled = self.pooled.as_ref().map(|prepared| (prepared, self.instantiate(prepared, limits)));
        let (prepared, (mut store, made)) = match pooled {
            Some((prepared, (store, made))) if !is_exhausted(&made) => (prepared, (store, made)),
            _ => (&self.on_demand, self.instantiate(&self.on_demand, limits)),
        };
        let failed = |fault| CallError { plugin: Arc::clone(&self.id), call, fault };
        let instance = made.map_err(|error| failed(store.data().start_fault(&error)))?;
        let interfaces = Interfaces::of(&mut store, &instance, prepared).map_err(|error| {
            failed(Fault::WrongTypes(guest_text::clean(&format!("{error:#}"), LOG_LINE_BYTES)))
        })?;
        let live = Live { store, interfaces };
        Ok(Sandbox { core: Arc::clone(&self.core), plugin: Arc::clone(&self.id), live: Some(live) })
    }

    fn instantiate(
        &self,
        prepared: &Prepared,
        limits: CallLimits,
    ) -> (GuardedStore, wasmtime::Result<Instance>) {
        let _ticking = self.core.ticker.during_call();
        let mut store = Store::new(prepared.pre.component().engine(), Guard::new(limits));
        store.limiter(|guard| guard);
        store.set_hostcall_fuel(limits.output);
        store.set_max_component_handles(HANDLES);
        store.epoch_deadline_callback(|store| {
            let time_is_up = store.data().time_is_up();
            Ok(if time_is_up { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        store.set_epoch_deadline(1);
        let made = prepared.pre.instantiate(&mut store);
        (store, made)
    }
}

/// Whether the pool has no room left, so that another way must be taken.
fn is_exhausted(made: &wasmtime::Result<Instance>) -> bool {
    made.as_ref().is_err_and(wasmtime::Error::is::<PoolConcurrencyLimitError>)
}

/// The functions an instance offers.
pub(crate) struct Interfaces {
    tracker: Option<tracker::Guest>,
    provider: Option<provider::Guest>,
}

impl Interfaces {
    fn of(store: &mut GuardedStore, instance: &Instance, prepared: &Prepared) -> wasmtime::Result<Self> {
        let tracker = prepared.tracker.as_ref().map(|found| found.load(&mut *store, instance));
        let provider = prepared.provider.as_ref().map(|found| found.load(&mut *store, instance));
        Ok(Self { tracker: tracker.transpose()?, provider: provider.transpose()? })
    }

    pub(crate) fn tracker(&self) -> Result<&tracker::Guest, Fault> {
        self.tracker.as_ref().ok_or(Fault::NotExported(Kind::Tracker.name()))
    }

    pub(crate) fn provider(&self) -> Result<&provider::Guest, Fault> {
        self.provider.as_ref().ok_or(Fault::NotExported(Kind::Provider.name()))
    }
}

/// One instance that calls go to.
pub(crate) struct Sandbox {
    core: Arc<Core>,
    plugin: Arc<str>,
    /// `None` once a call has failed.
    live: Option<Live>,
}

/// A store in which nothing has failed yet.
pub(crate) struct Live {
    pub(crate) store: GuardedStore,
    pub(crate) interfaces: Interfaces,
}

impl Live {
    /// Calls the guest, and gives an error its true name.
    pub(crate) fn enter<T>(
        &mut self,
        function: impl FnOnce(&mut GuardedStore, &Interfaces) -> Result<wasmtime::Result<T>, Fault>,
    ) -> Result<T, Fault> {
        function(&mut self.store, &self.interfaces)?.map_err(|error| self.store.data().fault(&error))
    }
}

impl Sandbox {
    /// Runs one call: into the guest, and back with its answer checked. Any
    /// failure, of the guest or of its answer, drops the store.
    pub(crate) fn call<T>(
        &mut self,
        call: &'static str,
        run: impl FnOnce(&mut Live) -> Result<T, Fault>,
    ) -> Result<T, CallError> {
        let failed = |plugin: &Arc<str>, fault| CallError { plugin: Arc::clone(plugin), call, fault };
        let Some(mut live) = self.live.take() else {
            return Err(failed(&self.plugin, Fault::Poisoned));
        };
        let _ticking = self.core.ticker.during_call();
        live.store.data_mut().begin_call();
        live.store.set_epoch_deadline(1);
        let answer = run(&mut live).map_err(|fault| failed(&self.plugin, fault))?;
        self.live = Some(live);
        Ok(answer)
    }
}
