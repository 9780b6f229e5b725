//! The fault atlas: which stored copies are damaged, so that storage faults stay recoverable.
//!
//! No protocol survives the loss of every copy of what it promised. The world asks here before it damages anything; what is
//! refused is counted. The rule for entries comes from `TigerBeetle`'s fault atlas: a committed entry is on a quorum of disks, so
//! with at most quorum - 1 bad copies of one slot a good one is left.

use std::collections::BTreeMap;

/// What is damaged on all disks of a cluster.
#[derive(Clone, Debug)]
pub struct Atlas {
    /// Bad copies of one slot over the cluster, at most.
    copies_max: u32,
    /// Disks that may be blank at a time: a minority.
    blank_max: u32,
    /// Bit set of the replicas whose disk was replaced, and who have not got everything back yet.
    blank: u32,
    /// Bit set of the replicas whose copy is bad, by slot of the log ring.
    entries: BTreeMap<u32, u32>,
    /// Bit set of the bad copies of the superblock, by replica.
    superblocks: BTreeMap<u8, u32>,
    /// The one replica, and place, whose checkpoint is bad.
    checkpoint: Option<(u8, u8)>,
    granted: u64,
    refused: u64,
}

impl Atlas {
    /// Everything is whole.
    #[must_use]
    pub fn new(replicas: u8) -> Self {
        Self {
            // A quorum is a majority: replicas / 2 + 1.
            copies_max: u32::from(replicas / 2),
            blank_max: u32::from(replicas.saturating_sub(1) / 2),
            blank: 0,
            entries: BTreeMap::new(),
            superblocks: BTreeMap::new(),
            checkpoint: None,
            granted: 0,
            refused: 0,
        }
    }

    /// Whether `replica`'s copy of a slot of the log ring may be damaged now; if so, it is taken for damaged until it is released.
    pub fn may_damage_entry(&mut self, replica: u8, slot: u32) -> bool {
        let bad = self.entries.get(&slot).copied().unwrap_or(0) | 1 << replica;
        let admitted = (bad | self.blank).count_ones() <= self.copies_max;
        if admitted {
            self.entries.insert(slot, bad);
        }
        self.count(admitted)
    }

    /// The same for a copy of the superblock. `sequences` are the sequence numbers that `replica`'s copies hold on disk: another
    /// good copy must be as new as this one, or promises would be forgotten that were kept by nothing else.
    pub fn may_damage_superblock(&mut self, replica: u8, copy: u8, sequences: &[Option<u64>]) -> bool {
        let bad = self.superblocks.get(&replica).copied().unwrap_or(0);
        let own = sequences.get(usize::from(copy)).copied().flatten();
        let admitted = (0_u32..)
            .zip(sequences)
            .any(|(other, sequence)| other != u32::from(copy) && bad & 1 << other == 0 && sequence.is_some() && *sequence >= own);
        if admitted {
            self.superblocks.insert(replica, bad | 1 << copy);
        }
        self.count(admitted)
    }

    /// The same for a checkpoint: only one place of one replica is damaged at a time, so that every peer can send its own.
    pub fn may_damage_checkpoint(&mut self, replica: u8, place: u8) -> bool {
        let admitted = self.blank == 0 && self.checkpoint.is_none_or(|damaged| damaged == (replica, place));
        if admitted {
            self.checkpoint = Some((replica, place));
        }
        self.count(admitted)
    }

    /// Whether `replica`'s disk may be replaced by an empty one: every slot must keep a good copy on each quorum, and a checkpoint that
    /// is left must be good. If so, all of it is taken for bad until it is released.
    pub fn may_reformat(&mut self, replica: u8) -> bool {
        let blank = self.blank | 1 << replica;
        let admitted = blank.count_ones() <= self.blank_max
            && self.entries.values().all(|bad| (bad | blank).count_ones() <= self.copies_max)
            && self.checkpoint.is_none_or(|(damaged, _)| damaged == replica);
        if admitted {
            self.blank = blank;
            self.entries.values_mut().for_each(|bad| *bad &= !(1 << replica));
            self.entries.retain(|_, bad| *bad != 0);
            self.superblocks.remove(&replica);
            self.checkpoint = self.checkpoint.filter(|(damaged, _)| *damaged != replica);
        }
        self.count(admitted)
    }

    /// Whether a replica has not got back what it lost with its disk.
    #[must_use]
    pub fn is_blank(&self, replica: u8) -> bool {
        self.blank & 1 << replica != 0
    }

    /// A replica has got everything back.
    pub fn release_blank(&mut self, replica: u8) {
        self.blank &= !(1 << replica);
    }

    /// A whole entry is durable in the slot: written anew, or repaired.
    pub fn release_entry(&mut self, replica: u8, slot: u32) {
        if let Some(bad) = self.entries.get_mut(&slot) {
            *bad &= !(1 << replica);
            if *bad == 0 {
                self.entries.remove(&slot);
            }
        }
    }

    /// A whole superblock is durable in this copy.
    pub fn release_superblock(&mut self, replica: u8, copy: u8) {
        if let Some(bad) = self.superblocks.get_mut(&replica) {
            *bad &= !(1 << copy);
        }
    }

    /// A whole checkpoint is durable in this place.
    pub fn release_checkpoint(&mut self, replica: u8, place: u8) {
        if self.checkpoint == Some((replica, place)) {
            self.checkpoint = None;
        }
    }

    /// Whether this copy is damaged.
    #[must_use]
    pub fn is_damaged_entry(&self, replica: u8, slot: u32) -> bool {
        self.entries.get(&slot).is_some_and(|bad| bad & 1 << replica != 0)
    }

    /// How often damage was granted, and how often refused.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.granted, self.refused)
    }

    fn count(&mut self, admitted: bool) -> bool {
        *(if admitted { &mut self.granted } else { &mut self.refused }) += 1;
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_a_good_copy_on_every_quorum() {
        for (replicas, copies_max) in [(1, 0), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3)] {
            let mut atlas = Atlas::new(replicas);
            let granted = (0..replicas).filter(|replica| atlas.may_damage_entry(*replica, 9)).count();
            assert_eq!(granted, copies_max, "{replicas} replicas");
            let quorum = usize::from(replicas / 2 + 1);
            assert!(granted < quorum, "any quorum of {replicas} has a good copy");
            assert_eq!(atlas.counts(), (granted as u64, u64::from(replicas) - granted as u64));
        }
    }

    #[test]
    fn a_rewritten_copy_makes_room_and_slots_are_independent() {
        let mut atlas = Atlas::new(3);
        assert!(atlas.may_damage_entry(0, 1) && atlas.may_damage_entry(1, 2));
        assert!(!atlas.may_damage_entry(1, 1));
        assert!(atlas.may_damage_entry(0, 1), "a bad copy may get worse");
        atlas.release_entry(0, 1);
        assert!(!atlas.is_damaged_entry(0, 1) && atlas.is_damaged_entry(1, 2));
        assert!(atlas.may_damage_entry(1, 1));
    }

    #[test]
    fn the_newest_superblock_is_never_lost() {
        let mut atlas = Atlas::new(3);
        assert!(!atlas.may_damage_superblock(0, 1, &[Some(4), Some(5)]), "the only copy of sequence 5");
        assert!(atlas.may_damage_superblock(0, 0, &[Some(4), Some(5)]));
        assert!(!atlas.may_damage_superblock(0, 1, &[Some(5), Some(5)]), "copy 0 is bad");
        assert!(atlas.may_damage_superblock(1, 1, &[Some(5), Some(5)]), "another replica");
        atlas.release_superblock(0, 0);
        assert!(atlas.may_damage_superblock(0, 1, &[Some(6), Some(5)]));
        assert!(!atlas.may_damage_superblock(2, 0, &[Some(1), None]));
    }

    #[test]
    fn a_minority_of_disks_is_blank_and_counts_as_damaged_everywhere() {
        for (replicas, blank_max) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)] {
            let mut atlas = Atlas::new(replicas);
            assert_eq!((0..replicas).filter(|replica| atlas.may_reformat(*replica)).count(), blank_max, "{replicas} replicas");
        }
        let mut atlas = Atlas::new(3);
        assert!(atlas.may_damage_entry(1, 4) && !atlas.may_reformat(0) && atlas.may_reformat(1), "the other good copy of slot 4");
        assert!(!atlas.may_damage_entry(0, 9) && !atlas.may_damage_checkpoint(2, 0) && atlas.is_blank(1));
        atlas.release_blank(1);
        assert!(!atlas.is_damaged_entry(1, 4) && atlas.may_damage_entry(0, 9) && atlas.may_damage_checkpoint(2, 0));
        assert!(!atlas.may_reformat(0), "the checkpoint of 2 is bad");
    }

    #[test]
    fn one_checkpoint_at_a_time_is_bad() {
        let mut atlas = Atlas::new(5);
        assert!(atlas.may_damage_checkpoint(2, 0) && atlas.may_damage_checkpoint(2, 0));
        assert!(!atlas.may_damage_checkpoint(2, 1) && !atlas.may_damage_checkpoint(1, 0));
        atlas.release_checkpoint(1, 0);
        assert!(!atlas.may_damage_checkpoint(1, 0));
        atlas.release_checkpoint(2, 0);
        assert!(atlas.may_damage_checkpoint(1, 0));
    }
}
