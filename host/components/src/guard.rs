//! What watches over one instance: how much it may take, and for how long it may
//! run. Remembers refusals, so that the crash that follows gets its true name.

use wasmtime::{ResourceLimiter, Trap};

use crate::call_error::Fault;
use crate::deadline::{Deadline, Reading};
use crate::guest_text;
use crate::limits::{CORE_INSTANCES, CallLimits, LOG_LINE_BYTES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// The data of every store.
pub(crate) struct Guard {
    limits: CallLimits,
    deadline: Deadline,
    memory: Gauge,
    table: Gauge,
}

/// Something that only grows up to a limit.
struct Gauge {
    limit: usize,
    taken: usize,
    /// The size that was last refused within this call.
    refused: Option<usize>,
}

impl Gauge {
    fn new(limit: usize) -> Self {
        Self { limit, taken: 0, refused: None }
    }

    /// Takes the growth of one part, if all parts together stay within the limit.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let wanted = self.taken.saturating_add(desired.saturating_sub(current));
        if wanted > self.limit {
            self.refused = Some(wanted);
            return false;
        }
        self.taken = wanted;
        true
    }
}

impl Guard {
    /// Watches a call that starts now.
    pub(crate) fn new(limits: CallLimits) -> Self {
        Self {
            limits,
            deadline: Deadline::new(limits.time, Reading::now()),
            memory: Gauge::new(limits.memory),
            table: Gauge::new(TABLE_ELEMENTS),
        }
    }

    /// Another call into the same instance starts now.
    pub(crate) fn begin_call(&mut self) {
        self.deadline = Deadline::new(self.limits.time, Reading::now());
        self.memory.refused = None;
        self.table.refused = None;
    }

    /// Whether the running call must end.
    pub(crate) fn time_is_up(&self) -> bool {
        self.deadline.has_passed(Reading::now())
    }

    /// The true name of an error that making the instance ended with.
    pub(crate) fn start_fault(&self, error: &wasmtime::Error) -> Fault {
        let guest_did_it =
            error.is::<Trap>() || self.memory.refused.is_some() || self.table.refused.is_some();
        if guest_did_it {
            self.fault(error)
        } else {
            Fault::NoInstance(guest_text::clean(&format!("{error:#}"), LOG_LINE_BYTES))
        }
    }

    /// The true name of an error that a call ended with.
    pub(crate) fn fault(&self, error: &wasmtime::Error) -> Fault {
        let trap = error.downcast_ref::<Trap>();
        match trap {
            Some(Trap::Interrupt) => {
                return Fault::TimedOut { limit: self.limits.time };
            }
            Some(Trap::StackOverflow) => return Fault::StackOverflow,
            _ => {}
        }
        if let Some(wanted) = self.memory.refused {
            let limit = self.memory.limit;
            return Fault::OutOfMemory { limit, wanted };
        }
        if let Some(wanted) = self.table.refused {
            let limit = self.table.limit;
            return Fault::TableTooLarge { limit, wanted };
        }
        let cause = guest_text::clean(&error.root_cause().to_string(), LOG_LINE_BYTES);
        if trap.is_some() {
            Fault::Trapped(cause)
        } else if cause.contains(FLOOD) {
            Fault::OutputTooLarge { limit: self.limits.output }
        } else if cause.contains(HANDLE_LEAK) {
            Fault::TooManyHandles
        } else {
            Fault::Garbage(cause)
        }
    }
}

/// wasmtime has no public types for these two; tests notice if the words change.
const FLOOD: &str = "fuel allocated for hostcalls has been exhausted";
const HANDLE_LEAK: &str = "store handle limit exceeded";

impl ResourceLimiter for Guard {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table.grow(current, desired))
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_may_reach_the_limit_and_not_pass_it() {
        let mut gauge = Gauge::new(100);
        assert!(gauge.grow(0, 60));
        assert!(gauge.grow(0, 40));
        assert_eq!(gauge.refused, None);
        assert!(!gauge.grow(60, 61));
        assert_eq!(gauge.refused, Some(101));
    }
}
