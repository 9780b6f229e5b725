//! A state machine small enough to check by eye: a counter.
//!
//! Every write returns another number, and numbers only rise, so that lost, doubled and stale results show from outside.

use vsr::ids::{ClientKey, TenantId};
use vsr::state_machine::{ApplyContext, StateMachine};

/// Counts commands and hashes them in their order; commands that begin with `r` are reads of the count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    count: u64,
    hash: u64,
}

fn mix(hash: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(7);
    bytes.iter().fold(hash ^ 0xcbf2_9ce4_8422_2325, step)
}

impl StateMachine for Machine {
    fn apply(&mut self, context: ApplyContext, command: &[u8]) -> Vec<u8> {
        if !self.is_read(command) {
            self.count += 1;
            self.hash = mix(mix(self.hash, command), &context.timestamp.to_le_bytes());
        }
        self.count.to_string().into_bytes()
    }

    fn state_hash(&self) -> u64 {
        self.hash.wrapping_add(self.count)
    }

    fn snapshot(&self) -> Vec<u8> {
        [self.count.to_le_bytes(), self.hash.to_le_bytes()].concat()
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let Some((count, hash)) = snapshot.split_first_chunk::<8>() else { return false };
        let Ok(hash) = <[u8; 8]>::try_from(hash) else { return false };
        *self = Self { count: u64::from_le_bytes(*count), hash: u64::from_le_bytes(hash) };
        true
    }

    fn is_read(&self, command: &[u8]) -> bool {
        command.first() == Some(&b'r')
    }

    fn query(&self, _tenant: TenantId, _command: &[u8], pending: &mut dyn Iterator<Item = (ClientKey, &[u8])>) -> Vec<u8> {
        let writes = pending.filter(|(_, command)| !self.is_read(command)).count() as u64;
        (self.count + writes).to_string().into_bytes()
    }

    fn prepare(&self, _tenant: TenantId, _command: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
