//! Promises: the superblock is written first, and only then does the replica turn to what it promises.
//!
//! While such a write is on its way the replica takes part in nothing. So the superblock's picture of the log stays true until
//! it is durable, and no view is ever shown to anybody, not even to the record, that a crash could take back.

use crate::bug::Bug;
use crate::constants::SUPERBLOCK_PAIR;
use crate::ids::{Hash, Op, View};
use crate::io::{Effect, EntryName, Note, Status, Write, WriteId};
use crate::log::SlotWrite;
use crate::readmission;
use crate::reconfiguration::Membership;
use crate::replica::{Config, Replica};
use crate::start_view::EnterView;
use crate::state_machine::StateMachine;
use crate::superblock::Superblock;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Slots of a ring, at most: the number of a slot is a part of the names of its writes.
pub(crate) const SLOTS_MAX: u32 = SUPERBLOCK_CODE;
const CODE_BITS: u32 = 24;
const SUPERBLOCK_CODE: u32 = 0xFF_FF00;
const CHECKPOINT_CODE: u32 = 0xFF_FF80;

/// What a replica turns to once its superblock is durable.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Pending {
    /// After a restart: asks for the current view.
    Rejoin,
    /// After a restart within a view change: goes on with it.
    Resume,
    /// Leaves its view for a higher one, with its log up to `keep`.
    Raise {
        /// The view voted for.
        view: View,
        /// Last entry that it brings along.
        keep: Op,
    },
    /// Becomes normal in a view.
    Enter(Box<EnterView>),
    /// Enters an epoch.
    Epoch(Membership),
}

/// A superblock on its way to the disk.
#[derive(Clone, Debug, Hash)]
struct SuperblockWrite {
    superblock: Superblock,
    left: [Option<WriteId>; SUPERBLOCK_PAIR as usize],
    with_pending: bool,
}

/// The state of the superblock.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Promises {
    /// The last one that is durable.
    pub durable: Superblock,
    writing: Option<SuperblockWrite>,
    wanted: bool,
    writes: u64,
}

impl Promises {
    /// Of a formatted disk: view 0, empty log.
    pub fn formatted(config: &Config) -> Self {
        let membership = Membership::first(config);
        let (sequence, voter_from) = readmission::formatted(config);
        let (cluster, replica) = (config.cluster, config.replica.0);
        let durable = Superblock { sequence, cluster, replica, membership, voter_from, ..Superblock::default() };
        Self::recovered(durable)
    }

    /// Of a disk whose superblock was read.
    pub fn recovered(durable: Superblock) -> Self {
        Self { durable, writing: None, wanted: false, writes: 0 }
    }
}

impl<S: StateMachine> Replica<S> {
    fn write_id(&mut self, code: u32) -> WriteId {
        self.promises.writes += 1;
        WriteId((self.promises.writes << CODE_BITS) | u64::from(code))
    }

    pub(crate) fn checkpoint_write_id(&mut self, place: u8) -> WriteId {
        self.write_id(CHECKPOINT_CODE + u32::from(place))
    }

    /// Turns to something as soon as the superblock says so.
    pub(crate) fn promise(&mut self, pending: Pending, fx: &mut Vec<Effect>) {
        assert!(self.pending.is_none(), "one thing at a time");
        self.pending = Some(pending);
        self.want_superblock(fx);
    }

    /// Writes the superblock, after the write that is on its way.
    pub(crate) fn want_superblock(&mut self, fx: &mut Vec<Effect>) {
        self.promises.wanted = true;
        self.write_superblock(fx);
    }

    fn write_superblock(&mut self, fx: &mut Vec<Effect>) {
        if self.promises.writing.is_some() || !self.promises.wanted {
            return;
        }
        self.promises.wanted = false;
        let superblock = self.next_superblock();
        let first = Self::first_copy(superblock.sequence);
        let mut left = [None; SUPERBLOCK_PAIR as usize];
        for (copy, write) in (first..).zip(&mut left) {
            let id = self.write_id(SUPERBLOCK_CODE + u32::from(copy));
            *write = Some(id);
            fx.push(Effect::Persist { write: id, what: Write::Superblock { copy, superblock: superblock.clone() } });
        }
        self.promises.writing = Some(SuperblockWrite { superblock, left, with_pending: self.pending.is_some() });
    }

    pub(crate) fn is_writing_superblock(&self) -> bool {
        self.promises.writing.is_some()
    }

    /// Whether the superblock on disk says which entry belongs to an op, so that a write over its slot may be cut short.
    pub(crate) fn may_write_over(&self, op: Op) -> bool {
        let durable = &self.promises.durable;
        let pin = op.0.checked_sub(durable.commit.0 + 1).and_then(|index| durable.pins.get(usize::try_from(index).ok()?));
        let is_pinned = pin.is_some_and(|pin| pin.is_some() && *pin == self.log.hash_of(op));
        op <= durable.commit || is_pinned && durable.last_normal_view == self.last_normal_view
    }

    /// Pairs of copies are written in turn.
    pub(crate) fn first_copy(sequence: u64) -> u8 {
        if sequence.is_multiple_of(2) { 0 } else { SUPERBLOCK_PAIR }
    }

    /// The highest op that is known to be committed and lies in the log, and its hash.
    pub(crate) fn known_commit(&self) -> (Op, Hash) {
        let known = self.commit_max.min(self.log.head());
        match self.log.hash_of(known) {
            Some(hash) => (known, hash),
            None => (self.commit, self.commit_hash()),
        }
    }

    /// Hash of the last applied entry.
    pub(crate) fn commit_hash(&self) -> Hash {
        // Only a commit number that was taken over without its entries lies beyond the log.
        let beyond = || self.has_bug(Bug::CommitAppliesPastGap).then(|| self.log.head_hash());
        self.log.hash_of(self.commit).or_else(beyond).expect("the commit number never falls below the named checkpoint")
    }

    fn next_superblock(&self) -> Superblock {
        let (commit, commit_hash) = self.known_commit();
        let mut next = Superblock {
            sequence: self.promises.durable.sequence + 1,
            cluster: self.config.cluster,
            replica: self.config.replica.0,
            membership: self.membership,
            view: self.view,
            last_normal_view: self.last_normal_view,
            voter_from: self.voter_from,
            commit,
            commit_hash,
            pins: Vec::new(),
            uncertain: self.uncertain,
            checkpoint: self.checkpoints.to_name(),
        };
        let mut pin_head = self.pin_head;
        match &self.pending {
            None | Some(Pending::Rejoin | Pending::Resume) => {}
            Some(Pending::Raise { view, keep }) => {
                // The guard: the view is durable before a vote for it leaves.
                if !self.has_bug(Bug::ForgetsViewOnRestart) {
                    next.view = *view;
                }
                pin_head = *keep;
            }
            Some(Pending::Epoch(membership)) => {
                next.membership = *membership;
                next.voter_from = self.voter_from_in_new_epoch();
            }
            Some(Pending::Enter(enter)) => {
                self.pin_entered(&mut next, enter);
                return next;
            }
        }
        next.pins = (commit.0 + 1..=pin_head.0).map(|op| self.log.hash_of(Op(op))).collect();
        next
    }

    /// The log that is entered is pinned whole: from now on it is what the replica claims, although it is not written yet.
    fn pin_entered(&self, next: &mut Superblock, enter: &EnterView) {
        next.view = enter.view;
        next.last_normal_view = enter.view;
        next.uncertain = 0;
        next.commit = enter.commit.max(self.commit);
        let known = usize::try_from(next.commit.0 - enter.base.0).expect("the log that is entered reaches the commit number");
        next.commit_hash = if known == 0 { enter.base_hash } else { enter.entries[known - 1].hash };
        next.pins = enter.entries[known..].iter().map(|entry| Some(entry.hash)).collect();
        if let Some((place, checkpoint)) = &enter.checkpoint {
            next.checkpoint = crate::superblock::CheckpointRef { op: checkpoint.op, hash: checkpoint.hash, place: *place };
        }
    }

    pub(crate) fn on_written(&mut self, write: WriteId, fx: &mut Vec<Effect>) {
        match Self::code_of(write) {
            CHECKPOINT_CODE.. => self.on_checkpoint_written(write, fx),
            SUPERBLOCK_CODE..CHECKPOINT_CODE => self.on_superblock_written(write, fx),
            slot => self.on_entry_written(slot as usize, write, fx),
        }
    }

    pub(crate) fn on_write_failed(&mut self, write: WriteId, fx: &mut Vec<Effect>) {
        let what = match Self::code_of(write) {
            CHECKPOINT_CODE.. => self.checkpoints.write_again(write),
            code @ SUPERBLOCK_CODE..CHECKPOINT_CODE => {
                let copy = u8::try_from(code - SUPERBLOCK_CODE).expect("copies are few");
                let writing = self.promises.writing.as_ref().filter(|writing| writing.left.contains(&Some(write)));
                writing.map(|writing| Write::Superblock { copy, superblock: writing.superblock.clone() })
            }
            slot => {
                self.on_entry_write_failed(slot as usize, write, fx);
                return;
            }
        };
        if let Some(what) = what {
            fx.push(Effect::Persist { write, what });
        }
    }

    fn code_of(write: WriteId) -> u32 {
        u32::try_from(write.0 & ((1 << CODE_BITS) - 1)).expect("24 bits")
    }

    fn on_superblock_written(&mut self, write: WriteId, fx: &mut Vec<Effect>) {
        let Some(writing) = &mut self.promises.writing else { return };
        for left in &mut writing.left {
            if *left == Some(write) {
                *left = None;
            }
        }
        if writing.left.iter().any(Option::is_some) {
            return;
        }
        let written = self.promises.writing.take().expect("looked at above");
        let was_voter = self.is_voter();
        self.promises.durable = written.superblock;
        if written.with_pending {
            let pending = self.pending.take().expect("nothing but this takes it");
            self.turn_to(pending, fx);
        }
        if !was_voter {
            self.advance_votes(fx);
        }
        self.on_checkpoint_named(fx);
        self.rewrite_damaged(fx);
        self.write_superblock(fx);
    }

    fn turn_to(&mut self, pending: Pending, fx: &mut Vec<Effect>) {
        match pending {
            Pending::Rejoin => self.rejoin(fx),
            Pending::Resume => self.resume_view_change(fx),
            Pending::Raise { view, keep } => self.raise_view(view, keep, fx),
            Pending::Enter(enter) => self.enter_view(*enter, fx),
            Pending::Epoch(membership) => self.enter_epoch(membership, fx),
        }
    }

    pub(crate) fn set_status(&mut self, status: Status, fx: &mut Vec<Effect>) {
        if self.status != status {
            self.status = status;
            self.note(fx, Note::StatusChanged);
        }
    }

    /// Writes the entry at an op into its slot, after the write that is on its way there.
    ///
    /// A slot is written over only while the superblock says what belongs there: an op that was never written in this log, a
    /// pinned one, or one below a durable commit number. So a torn slot that is neither was never acknowledged.
    pub(crate) fn write_entry(&mut self, op: Op, fx: &mut Vec<Effect>) {
        let index = u32::try_from(self.log.index(op)).expect("slots are limited");
        let Some(entry) = self.log.get(op).map(Arc::clone) else { return };
        // The guard: what was found damaged is written over.
        if self.has_bug(Bug::LeavesDamageLying) && self.serving.left_lying.contains(&op) {
            return;
        }
        if self.log.slot(op).is_some_and(|slot| slot.write.is_some()) {
            return;
        }
        let id = self.write_id(index);
        self.scrub.supersede(index);
        if let Some(slot) = self.log.slot_mut(op) {
            slot.write = Some(SlotWrite { id, op, hash: entry.hash });
        }
        fx.push(Effect::Persist { write: id, what: Write::Entry(entry) });
    }

    fn on_entry_written(&mut self, index: usize, write: WriteId, fx: &mut Vec<Effect>) {
        let Some(done) = self.log.slot_at(index).and_then(|slot| slot.write.take_if(|current| current.id == write)) else { return };
        if self.log.held(done.op, done.hash).is_none() {
            self.write_newcomer(index, fx);
            return;
        }
        let name = EntryName { op: done.op, hash: done.hash };
        let Some(slot) = self.log.slot_mut(done.op) else { return };
        (slot.durable, slot.damaged) = (true, false);
        let repaired = core::mem::take(&mut slot.repaired);
        self.note(fx, Note::EntryDurable(name));
        if repaired {
            self.note(fx, Note::Repaired(name));
        }
        self.advance_votes(fx);
    }

    /// The same bytes again under the same name, unless the slot belongs to another entry by now.
    fn on_entry_write_failed(&mut self, index: usize, write: WriteId, fx: &mut Vec<Effect>) {
        let Some(failed) = self.log.slot_at(index).and_then(|slot| slot.write) else { return };
        if failed.id != write {
            return;
        }
        if let Some(entry) = self.log.held(failed.op, failed.hash) {
            fx.push(Effect::Persist { write, what: Write::Entry(Arc::clone(entry)) });
            return;
        }
        self.log.slot_at(index).expect("it has just been looked at").write = None;
        self.write_newcomer(index, fx);
    }

    /// The slot has got another entry while its old one was on its way: now that one is written.
    fn write_newcomer(&mut self, index: usize, fx: &mut Vec<Effect>) {
        let Some(op) = self.log.op_at(index) else { return };
        if self.log.slot(op).is_some_and(|slot| !slot.durable && slot.write.is_none()) {
            self.write_entry(op, fx);
        }
    }
}
