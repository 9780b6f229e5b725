//! The smallest state machine that tells orders of commands apart.

use vsr::ids::{ClientKey, TenantId};
use vsr::state_machine::{ApplyContext, StateMachine};

/// Hashes the commands in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Machine {
    hash: u64,
}

impl StateMachine for Machine {
    fn apply(&mut self, context: ApplyContext, command: &[u8]) -> Vec<u8> {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(7);
        self.hash = command.iter().chain(&context.op.0.to_le_bytes()).fold(self.hash, mix);
        Vec::new()
    }

    fn state_hash(&self) -> u64 {
        self.hash
    }

    fn snapshot(&self) -> Vec<u8> {
        self.hash.to_le_bytes().to_vec()
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let Ok(hash) = snapshot.try_into() else { return false };
        self.hash = u64::from_le_bytes(hash);
        true
    }

    fn is_read(&self, _command: &[u8]) -> bool {
        false
    }

    fn query(&self, _tenant: TenantId, _command: &[u8], _pending: &mut dyn Iterator<Item = (ClientKey, &[u8])>) -> Vec<u8> {
        Vec::new()
    }

    fn prepare(&self, _tenant: TenantId, _command: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
