//! The wall between protocol and state machine: commands are bytes, results are bytes.

use crate::ids::{ClientKey, Op, TenantId};
use alloc::vec::Vec;

/// What a command may know of its place.
#[derive(Clone, Copy, Debug)]
pub struct ApplyContext {
    /// Position in the log.
    pub op: Op,
    /// The entry's timestamp, nanoseconds: the only time that execution may use.
    pub timestamp: u64,
    /// Who asked.
    pub client: ClientKey,
    /// The local clock, nanoseconds. Using it is a bug that can be planted.
    pub local_clock_ns: u64,
}

/// A deterministic state machine.
pub trait StateMachine {
    /// Executes a committed command. A command that it refuses returns an encoded error and changes nothing.
    fn apply(&mut self, context: ApplyContext, command: &[u8]) -> Vec<u8>;
    /// Hash of the state, kept incrementally.
    fn state_hash(&self) -> u64;
    /// The whole state as bytes; equal states give equal bytes.
    fn snapshot(&self) -> Vec<u8>;
    /// Replaces the state by a snapshot's. Returns false, leaving the state as it was, when the bytes make no sense.
    fn restore(&mut self, snapshot: &[u8]) -> bool;
    /// Whether a command changes nothing: only these may be served outside the log.
    fn is_read(&self, command: &[u8]) -> bool;
    /// Answers a read from the current state as if `pending` (oldest first) had been applied too.
    fn query(&self, tenant: TenantId, command: &[u8], pending: &mut dyn Iterator<Item = (ClientKey, &[u8])>) -> Vec<u8>;
    /// Whether a result says that the command was refused.
    fn is_refusal(&self, _result: &[u8]) -> bool {
        false
    }
    /// What the primary puts into the log for a request; `None` leaves it as it is.
    fn prepare(&self, tenant: TenantId, command: &[u8]) -> Option<Vec<u8>>;
}
