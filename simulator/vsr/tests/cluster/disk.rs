//! A disk that keeps what was flushed, and may tear or damage it.

use std::sync::Arc;
use vsr::checkpoint::Checkpoint;
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES};
use vsr::entry::Entry;
use vsr::io::{DiskImage, Place, PlaceContent, Stored, Write};
use vsr::superblock::Superblock;

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

    pub fn content(&self, place: Place) -> PlaceContent {
        match place {
            Place::Slot(slot) => PlaceContent::Slot(self.image.log[slot as usize].clone()),
            Place::Checkpoint(place) => PlaceContent::Checkpoint(self.image.checkpoints[usize::from(place)].clone()),
            Place::Superblock(copy) => PlaceContent::Superblock(self.image.superblocks[usize::from(copy)].clone()),
        }
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

    /// Flips one bit of a slot that holds something.
    pub fn corrupt_slot(&mut self, slot: usize, bit: usize) {
        if let Stored::Value(entry) = &self.image.log[slot] {
            let bytes = entry.encode_stored();
            self.image.log[slot] = Stored::Bytes(flip(bytes, bit));
        }
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
