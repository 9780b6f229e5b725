//! Latent damage: stored copies go bad where nobody looks.
//!
//! A scrubber proves itself only on what no request reads: entries that were committed long ago, and copies that lie in reserve.

use super::Planner;
use crate::fault_plan::{Fault, Place, Target};
use crate::options::{MILLISECOND, Rate};
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES};

/// Entries in the older part of a ring count as cold.
const COLD: Rate = Rate::percent(60);

impl Planner<'_> {
    /// One copy after another over the whole horizon; eight of ten are entries.
    pub(super) fn cold_damage(&mut self) {
        let mut start = self.duration(500 * MILLISECOND, 1_000 * MILLISECOND);
        while start < self.horizon() {
            let target = Target::Replica(self.any_replica());
            let place = match self.stream.below(10) {
                0 => Place::Superblock { copy: self.stream.below_u8(SUPERBLOCK_COPIES) },
                1 => Place::Checkpoint { place: self.stream.below_u8(CHECKPOINT_PLACES) },
                _ => Place::Entry { position: Rate(self.stream.range_u32(0..=COLD.0)) },
            };
            let bits = 1 + self.stream.below_u8(8);
            self.push_if_on(start, None, Fault::Corruption { target, place, bits });
            start += self.duration(150 * MILLISECOND, 600 * MILLISECOND);
        }
    }
}
