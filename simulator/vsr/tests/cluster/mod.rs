//! What both kinds of cluster tests share: a small state machine, a disk that may forget, and the facts that must never be
//! contradicted.

pub mod facts;

use std::sync::Arc;
use vsr::checkpoint::Checkpoint;
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES};
use vsr::entry::Entry;
use vsr::ids::{ClientKey, TenantId};
use vsr::io::{DiskImage, Stored, Write};
use vsr::state_machine::{ApplyContext, StateMachine};
use vsr::superblock::Superblock;

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

/// What one replica has written and flushed.
#[derive(Clone, Debug)]
pub struct Disk {
    pub image: DiskImage,
}

impl Disk {
    pub fn formatted(log_slots: u32) -> Self {
        let superblocks = (0..SUPERBLOCK_COPIES).map(|_| Stored::Blank).collect();
        let log = (0..log_slots).map(|_| Stored::Blank).collect();
        let checkpoints = (0..CHECKPOINT_PLACES).map(|_| Stored::Blank).collect();
        Self { image: DiskImage { superblocks, log, checkpoints } }
    }

    pub fn slot_of(&self, entry: &Entry) -> usize {
        usize::try_from(entry.op.0 % self.image.log.len() as u64).unwrap()
    }

    /// A write that reaches the disk.
    pub fn write(&mut self, what: &Write) {
        match what {
            Write::Superblock { copy, superblock } => {
                self.image.superblocks[usize::from(*copy)] = Stored::Value(superblock.clone());
            }
            Write::Entry(entry) => {
                let slot = self.slot_of(entry);
                self.image.log[slot] = Stored::Value(Arc::clone(entry));
            }
            Write::Checkpoint { place, checkpoint } => {
                self.image.checkpoints[usize::from(*place)] = Stored::Value(Arc::clone(checkpoint));
            }
        }
    }

    /// A write that a crash cuts short: `share` of 256 of it reaches the disk.
    pub fn tear(&mut self, what: &Write, share: usize) {
        let cut = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.len() * share / 256);
            bytes
        };
        match what {
            Write::Superblock { copy, superblock } => {
                self.image.superblocks[usize::from(*copy)] = Stored::Bytes(cut(superblock.encode_stored()));
            }
            Write::Entry(entry) => {
                let slot = self.slot_of(entry);
                self.image.log[slot] = Stored::Bytes(cut(entry.encode_stored()));
            }
            Write::Checkpoint { place, checkpoint } => {
                self.image.checkpoints[usize::from(*place)] = Stored::Bytes(cut(checkpoint.encode_stored()));
            }
        }
    }

    /// Flips one bit of a slot; false if there is nothing in it.
    pub fn corrupt_slot(&mut self, slot: usize, bit: usize) -> bool {
        let Stored::Value(entry) = &self.image.log[slot] else { return false };
        let bytes = entry.encode_stored();
        self.image.log[slot] = Stored::Bytes(flip(bytes, bit));
        true
    }

    /// Flips one bit of a copy of the superblock, unless another one is damaged.
    pub fn corrupt_superblock(&mut self, copy: usize, bit: usize) {
        if self.image.superblocks.iter().any(|copy| matches!(copy, Stored::Bytes(_))) {
            return;
        }
        if let Stored::Value(superblock) = &self.image.superblocks[copy] {
            let bytes = Superblock::encode_stored(superblock);
            self.image.superblocks[copy] = Stored::Bytes(flip(bytes, bit));
        }
    }

    /// Flips one bit of a checkpoint.
    pub fn corrupt_checkpoint(&mut self, place: usize, bit: usize) {
        if let Stored::Value(checkpoint) = &self.image.checkpoints[place] {
            let bytes = Checkpoint::encode_stored(checkpoint);
            self.image.checkpoints[place] = Stored::Bytes(flip(bytes, bit));
        }
    }
}

fn flip(mut bytes: Vec<u8>, bit: usize) -> Vec<u8> {
    let place = bit % (bytes.len() * 8);
    bytes[place / 8] ^= 1 << (place % 8);
    bytes
}
