//! One warm connection to one tracker.

use hostler_engine::problem::Problem;
use hostler_engine::request::PluginReply;
use hostler_engine::time::Timestamp;
use wasmtime::component::ResourceAny;

use crate::bindings::tracker as wit;
use crate::call_error::{CallError, Fault};
use crate::convert;
use crate::limits::{CONNECTION_STEPS, SAVED_BYTES};
use crate::operation::{CallId, Frame, Operation, OperationId, TrackerOutput};
use crate::plugin::{Answer, check_input};
use crate::sandbox::Sandbox;

/// A tracker's protocol, between its steps. After a [`CallError`] every later call
/// fails as well: open a new connection with what the last one saved.
pub struct Connection {
    sandbox: Sandbox,
    resource: ResourceAny,
    steps: u32,
}

impl Connection {
    pub(crate) fn open(mut sandbox: Sandbox, config: &str, saved: Option<&[u8]>) -> Answer<Self> {
        let opened = sandbox.call("connection.open", |live| {
            check_input(config.len())?;
            check_input(saved.map_or(0, <[u8]>::len))?;
            let config = config.to_owned();
            live.enter(|store, plugin| Ok(plugin.tracker()?.connection().call_open(store, &config, saved)))
        })?;
        Ok(match opened {
            Ok(resource) => Ok(Self { sandbox, resource, steps: 0 }),
            Err(problem) => Err(convert::problem(&problem)),
        })
    }

    /// Whether it has done so many steps that it should be replaced by a new one
    /// as soon as nothing is under way. Costs nothing but a call of
    /// [`Connection::save`].
    pub fn worn_out(&self) -> bool {
        self.steps >= CONNECTION_STEPS
    }

    /// Starts an operation.
    pub fn begin(
        &mut self,
        id: OperationId,
        operation: Operation,
        now: Timestamp,
    ) -> Result<Vec<TrackerOutput>, CallError> {
        self.step("connection.begin", 0, |connection, store, resource| {
            connection.call_begin(store, resource, id.0, &operation.into(), convert::instant(now))
        })
    }

    /// Goes on after an effect.
    pub fn resume(
        &mut self,
        call: CallId,
        reply: Result<PluginReply, Problem>,
        now: Timestamp,
    ) -> Result<Vec<TrackerOutput>, CallError> {
        let bytes = convert::reply_bytes(&reply);
        self.step("connection.resume", bytes, |connection, store, resource| {
            let reply = convert::reply(reply);
            let reply = reply.as_ref();
            connection.call_resume(store, resource, call.0, reply, convert::instant(now))
        })
    }

    /// A frame has arrived.
    pub fn receive(&mut self, frame: Frame, now: Timestamp) -> Result<Vec<TrackerOutput>, CallError> {
        let bytes = convert::frame_bytes(&frame);
        self.step("connection.receive", bytes, |connection, store, resource| {
            connection.call_receive(store, resource, &convert::frame(frame), convert::instant(now))
        })
    }

    /// What the next connection should know.
    pub fn save(&mut self) -> Result<Vec<u8>, CallError> {
        let resource = self.resource;
        self.sandbox.call("connection.save", |live| {
            let saved =
                live.enter(|store, plugin| Ok(plugin.tracker()?.connection().call_save(store, resource)))?;
            if saved.len() > SAVED_BYTES { Err(Fault::SavedTooLarge(saved.len())) } else { Ok(saved) }
        })
    }

    fn step(
        &mut self,
        call: &'static str,
        input_bytes: usize,
        function: impl FnOnce(
            wit::GuestConnection<'_>,
            &mut crate::sandbox::GuardedStore,
            ResourceAny,
        ) -> wasmtime::Result<Vec<wit::Output>>,
    ) -> Result<Vec<TrackerOutput>, CallError> {
        let resource = self.resource;
        self.steps = self.steps.saturating_add(1);
        self.sandbox.call(call, |live| {
            check_input(input_bytes)?;
            let found =
                live.enter(|store, plugin| Ok(function(plugin.tracker()?.connection(), store, resource)))?;
            convert::tracker_outputs(found)
        })
    }
}
