//! Scrubber: reads what lies on the disk again and again, so that damage is found while there are good copies left.
//!
//! A tour goes once over all slots of the log, the checkpoint in force and the newest copies of the superblock, a few reads per tick. What
//! is read is compared with what was last written there. Damaged entries are asked for at a peer by their hash, whether a checkpoint
//! covers them or not; only when nobody has one the copy in memory, which a machine with less memory would not have, is written
//! instead. A damaged checkpoint is written again to its other place, a damaged superblock by the next one.

use crate::bug::Bug;
use crate::checkpoint::Checkpoint;
use crate::constants::{SCRUB_READS_MAX, SUPERBLOCK_PAIR};
use crate::entry::{Checks, Entry};
use crate::ids::{Hash, Op};
use crate::io::{Damage, Effect, EntryName, Note, Place, PlaceContent, ReadId, Stored, Timer};
use crate::replica::Replica;
use crate::state_machine::StateMachine;
use crate::superblock::Superblock;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Places of a tour that are no slots of the log: the checkpoint in force, and the newest copies of the superblock.
const PLACES_BEHIND_THE_LOG: u64 = 1 + SUPERBLOCK_PAIR as u64;

/// What a place must hold when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sought {
    Entry { name: EntryName, slot: u32 },
    Checkpoint { op: Op, hash: Hash, place: u8 },
    Superblock { sequence: u64, copy: u8 },
}

impl Sought {
    const fn place(self) -> Place {
        match self {
            Self::Entry { slot, .. } => Place::Slot(slot),
            Self::Checkpoint { place, .. } => Place::Checkpoint(place),
            Self::Superblock { copy, .. } => Place::Superblock(copy),
        }
    }
}

/// A read that has been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reading {
    sought: Sought,
    /// A write to the same place has begun since: whatever the read finds says nothing of what the place holds now.
    is_superseded: bool,
}

/// The scrubber's state.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Scrub {
    /// The place of the tour that is looked at next.
    next: u64,
    /// Whether the tour has read anything.
    has_read: bool,
    scans: u64,
    reading: Option<(ReadId, Vec<Reading>)>,
    /// Places whose read failed.
    again: Vec<Sought>,
    /// Entries found damaged, not yet asked for in vain.
    findings: Vec<EntryName>,
    /// How often the first finding has been asked for.
    pub attempts: u32,
    rewrites_checkpoint: bool,
}

impl Scrub {
    /// A write to a slot begins.
    pub fn supersede(&mut self, index: u32) {
        let readings = self.reading.iter_mut().flat_map(|(_, readings)| readings);
        for reading in readings {
            reading.is_superseded |= reading.sought.place() == Place::Slot(index);
        }
    }

    /// The damaged entry to ask for next.
    pub fn finding(&self) -> Option<EntryName> {
        self.findings.first().copied()
    }

    pub fn findings(&self) -> usize {
        self.findings.len()
    }

    /// Whether an entry was found damaged: then it is no finding any more.
    pub fn take_finding(&mut self, name: EntryName) -> bool {
        let before = self.findings.len();
        self.findings.retain(|finding| *finding != name);
        let was_there = self.findings.len() < before;
        if was_there {
            self.attempts = 0;
        }
        was_there
    }

    pub fn is_finding(&self, name: EntryName) -> bool {
        self.findings.contains(&name)
    }
}

impl<S: StateMachine> Replica<S> {
    /// Begins to scrub, if that is wanted at all.
    pub(crate) fn start_scrubbing(&mut self, fx: &mut Vec<Effect>) {
        if self.config.scrub_tick_ns > 0 {
            self.set_timer(Timer::Scrub, fx);
        }
    }

    pub(crate) fn on_scrub_timer(&mut self, fx: &mut Vec<Effect>) {
        self.set_timer(Timer::Scrub, fx);
        self.rewrite_damaged(fx);
        self.repair_if_needed(fx);
        // A disk that has not answered yet gets no more to do.
        if self.scrub.reading.is_none() {
            self.scan(fx);
        }
    }

    fn places(&self) -> u64 {
        self.log.capacity() + PLACES_BEHIND_THE_LOG
    }

    fn scan(&mut self, fx: &mut Vec<Effect>) {
        if self.scrub.next >= self.places() && self.scrub.again.is_empty() {
            self.scrub.next = 0;
            if core::mem::take(&mut self.scrub.has_read) {
                self.note(fx, Note::TourCompleted);
            }
        }
        // The guard: so many reads per tick and no more.
        let limit = if self.has_bug(Bug::ScrubsWithoutLimit) { usize::MAX } else { SCRUB_READS_MAX };
        let mut wanted = Vec::new();
        while wanted.len() < limit {
            let sought = match self.scrub.again.pop() {
                Some(sought) => self.still_there(sought),
                None if self.scrub.next < self.places() => {
                    self.scrub.next += 1;
                    self.sought_at(self.scrub.next - 1)
                }
                None => break,
            };
            wanted.extend(sought);
        }
        if wanted.is_empty() {
            return;
        }
        self.scrub.has_read = true;
        self.scrub.scans += 1;
        let read = ReadId(self.scrub.scans);
        let places = wanted.iter().map(|sought| sought.place()).collect();
        self.scrub.reading = Some((read, wanted.into_iter().map(|sought| Reading { sought, is_superseded: false }).collect()));
        self.note(fx, Note::TimerFired(Timer::Scrub));
        fx.push(Effect::Scan { read, places });
    }

    /// What lies at a place of the tour; nothing where nothing was written, or something is being written now.
    fn sought_at(&self, number: u64) -> Option<Sought> {
        let slots = self.log.capacity();
        if number < slots {
            let op = self.log.op_at(usize::try_from(number).expect("slots are limited"))?;
            let slot = self.log.slot(op)?;
            // The guard: what was committed long ago is looked at like all the rest.
            let is_cold = self.has_bug(Bug::ScrubSkipsColdEntries) && op <= self.checkpoints.named.op;
            if !slot.durable || slot.damaged || slot.write.is_some() || is_cold {
                return None;
            }
            let slot = u32::try_from(number).expect("slots are limited");
            return Some(Sought::Entry { name: self.log.lying_at(op)?, slot });
        }
        if number == slots {
            let named = self.checkpoints.named;
            let is_there = named.op > Op(0) && !self.scrub.rewrites_checkpoint;
            return is_there.then_some(Sought::Checkpoint { op: named.op, hash: named.hash, place: named.place });
        }
        let sequence = self.promises.durable.sequence;
        let copy = Self::first_copy(sequence) + u8::try_from(number - slots - 1).expect("copies are few");
        (sequence > 0 && !self.is_writing_superblock()).then_some(Sought::Superblock { sequence, copy })
    }

    /// A place whose read failed, unless something else lies there by now.
    fn still_there(&self, sought: Sought) -> Option<Sought> {
        let number = match sought {
            Sought::Entry { slot, .. } => u64::from(slot),
            Sought::Checkpoint { .. } => self.log.capacity(),
            Sought::Superblock { sequence, copy } => self.log.capacity() + 1 + u64::from(copy - Self::first_copy(sequence)),
        };
        self.sought_at(number)
    }

    pub(crate) fn on_scanned(&mut self, read: ReadId, contents: Vec<PlaceContent>, fx: &mut Vec<Effect>) {
        let Some((_, readings)) = self.scrub.reading.take_if(|(id, _)| *id == read) else { return };
        for (reading, content) in readings.into_iter().zip(contents) {
            match (reading.sought, content) {
                (Sought::Entry { .. }, PlaceContent::Slot(Stored::Failed))
                | (Sought::Checkpoint { .. }, PlaceContent::Checkpoint(Stored::Failed))
                | (Sought::Superblock { .. }, PlaceContent::Superblock(Stored::Failed)) => self.scrub.again.push(reading.sought),
                (Sought::Entry { name, .. }, PlaceContent::Slot(stored)) => {
                    self.note(fx, Note::ScrubRead(Some(name.op)));
                    let damage = self.damage_of_entry(name, &stored, reading.is_superseded);
                    self.entry_scrubbed(name, damage, reading.is_superseded, fx);
                }
                (Sought::Checkpoint { op, hash, place }, PlaceContent::Checkpoint(stored)) => {
                    self.note(fx, Note::ScrubRead(None));
                    // The place is written again only after another one has been named.
                    let is_named = (self.checkpoints.named.op, self.checkpoints.named.place) == (op, place);
                    if is_named && !holds_checkpoint(op, hash, &stored) {
                        self.note(fx, Note::CorruptionDetected { op: None, what: Damage::Checkpoint });
                        self.scrub.rewrites_checkpoint = !self.has_bug(Bug::IgnoresScrubFinding);
                    }
                }
                (Sought::Superblock { sequence, .. }, PlaceContent::Superblock(stored)) => {
                    self.note(fx, Note::ScrubRead(None));
                    let is_newest = self.promises.durable.sequence == sequence && !self.is_writing_superblock();
                    if is_newest && !holds_superblock(sequence, &stored) {
                        self.note(fx, Note::CorruptionDetected { op: None, what: Damage::Superblock });
                        self.superblock_damaged(fx);
                    }
                }
                _ => {}
            }
        }
        self.rewrite_checkpoint(fx);
        self.repair_if_needed(fx);
    }

    /// What is wrong with what a slot answered. Of a slot that has been written meanwhile only broken bytes are told.
    fn damage_of_entry(&self, name: EntryName, stored: &Stored<Arc<Entry>>, is_superseded: bool) -> Option<Damage> {
        let checks = if self.has_bug(Bug::SkipsEntryChecksum) { Checks::Skipped } else { Checks::Enforced };
        let misplaced = (!is_superseded).then_some(Damage::MisplacedEntry);
        match stored {
            Stored::Value(entry) if entry.hash == name.hash => None,
            Stored::Value(_) | Stored::Blank => misplaced,
            Stored::Failed => None,
            Stored::Bytes(bytes) => match Entry::decode_stored(bytes, checks) {
                Ok(entry) if entry.hash == name.hash || checks == Checks::Skipped => None,
                Ok(_) => misplaced,
                Err(damage) => Some(damage),
            },
        }
    }

    fn entry_scrubbed(&mut self, name: EntryName, damage: Option<Damage>, is_superseded: bool, fx: &mut Vec<Effect>) {
        let Some(what) = damage else { return };
        self.note(fx, Note::CorruptionDetected { op: Some(name.op), what });
        // The guard: what is found is repaired. A place that is being written, or has been given up, will be whole without that.
        if is_superseded || self.log.lying_at(name.op) != Some(name) || self.has_bug(Bug::IgnoresScrubFinding) {
            return;
        }
        if let Some(slot) = self.log.slot_mut(name.op) {
            slot.damaged = true;
        }
        self.scrub.findings.push(name);
    }

    /// The next superblock goes to the other pair of copies, and the one after it over the damaged copy.
    fn superblock_damaged(&mut self, fx: &mut Vec<Effect>) {
        if !self.has_bug(Bug::IgnoresScrubFinding) {
            self.want_superblock(fx);
        }
    }

    /// Writes the checkpoint in force to the other place, which the superblock names afterwards.
    fn rewrite_checkpoint(&mut self, fx: &mut Vec<Effect>) {
        if !self.scrub.rewrites_checkpoint || !self.checkpoints.place_is_free() {
            return;
        }
        if let Some(content) = self.checkpoints.content.clone() {
            self.write_checkpoint(content, None, fx);
        }
    }

    /// The place that the superblock names is another one now.
    pub(crate) fn checkpoint_rewritten(&mut self) {
        self.scrub.rewrites_checkpoint = false;
    }

    /// Whether nothing that is known to be damaged waits for its repair.
    #[must_use]
    pub fn is_mended(&self) -> bool {
        self.scrub.findings.is_empty() && self.serving_is_mended() && !self.scrub.rewrites_checkpoint
    }
}

fn holds_checkpoint(op: Op, hash: Hash, stored: &Stored<Arc<Checkpoint>>) -> bool {
    let is_it = |checkpoint: &Checkpoint| checkpoint.op == op && checkpoint.hash == hash;
    match stored {
        Stored::Value(checkpoint) => is_it(checkpoint),
        Stored::Bytes(bytes) => Checkpoint::decode_stored(bytes).is_ok_and(|checkpoint| is_it(&checkpoint)),
        Stored::Blank | Stored::Failed => false,
    }
}

fn holds_superblock(sequence: u64, stored: &Stored<Superblock>) -> bool {
    match stored {
        Stored::Value(superblock) => superblock.sequence == sequence,
        Stored::Bytes(bytes) => Superblock::decode_stored(bytes).is_ok_and(|superblock| superblock.sequence == sequence),
        Stored::Blank | Stored::Failed => false,
    }
}
