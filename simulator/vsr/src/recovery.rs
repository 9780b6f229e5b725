//! Recovery: what a restarted replica reads from its disk, what it may conclude, and how it comes back.
//!
//! A slot is present, certainly never voted for, or unknown. Damage is unknown unless it is a torn write at the very end of the
//! log: votes are contiguous, and a write over an entry that was voted for is pinned in the superblock first, so such a write was
//! the newest entry's first, and nobody was told of it (rules 13 and 14; Alagappan et al., FAST'18).

use crate::bug::Bug;
use crate::checkpoint::Checkpoint;
use crate::constants::SUPERBLOCK_PAIR;
use crate::entry::{Checks, Entry};
use crate::ids::{Hash, Op, ReplicaId, View};
use crate::io::{AbdicationCause, Damage, DiskImage, Effect, EntryName, Note, Status, Stored, Timer};
use crate::log::Log;
use crate::message::{Body, RejectReason, StartView};
use crate::promise::{Pending, Promises};
use crate::replica::{Config, Handled, Replica};
use crate::sessions::SessionTable;
use crate::state_machine::StateMachine;
use crate::superblock::{CheckpointRef, Superblock};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A slot of the ring as it was read.
enum Found {
    /// Never written.
    Blank,
    /// An entry of this slot.
    Entry(Arc<Entry>),
    /// An entry of another slot.
    Misplaced(Arc<Entry>),
    /// Damaged.
    Damaged(Damage),
    /// The read failed.
    Unreadable,
}

/// The log as far as the disk proves it.
struct Recovered {
    log: Log,
    uncertain: u32,
    damage: Vec<(Option<Op>, Damage)>,
    /// Entries on disk that the log has replaced: the view was entered, and the crash came before they were written over.
    replaced: Vec<EntryName>,
}

impl<S: StateMachine> Replica<S> {
    /// A replica that comes back: `machine` is blank, `disk` is all that it remembers.
    #[must_use]
    pub fn restart(config: Config, machine: S, disk: DiskImage) -> Self {
        let mut replica = Self::new(config, machine);
        replica.restarted = true;
        // Of the first superblock, which goes to the second pair, a crash may have left nothing that can be read.
        let first_pair = usize::from(SUPERBLOCK_PAIR);
        let is_formatted = disk.superblocks.iter().take(first_pair).all(|copy| *copy == Stored::Blank);
        let superblock = replica.read_superblocks(disk.superblocks);
        replica.is_new_disk = superblock.is_none() && is_formatted && replica.config.format > 0;
        let Some(superblock) = superblock.or_else(|| is_formatted.then(|| replica.promises.durable.clone())) else {
            replica.lost = true;
            replica.status = Status::Recovering;
            return replica;
        };
        replica.read_checkpoints(&superblock, disk.checkpoints);
        let recovered = recover_log(&replica.config, &superblock, replica.checkpoints.named, disk.log);
        replica.found_damage.extend(recovered.damage);
        replica.found_replaced = recovered.replaced;
        replica.log = recovered.log;
        replica.uncertain = recovered.uncertain;
        replica.commit_max = superblock.commit.max(replica.commit);
        replica.drop_damage_if_unguarded();
        replica.pin_head = replica.log.head();
        replica.trim = replica.trim_implied_by(replica.log.head());
        replica.trim_noted = replica.trim;
        replica.membership = superblock.membership;
        replica.quorums = superblock.membership.quorums();
        replica.view = superblock.view;
        replica.last_normal_view = superblock.last_normal_view;
        replica.voter_from = superblock.voter_from;
        replica.status = if superblock.view > superblock.last_normal_view { Status::ViewChange } else { Status::Recovering };
        replica.promises = Promises::recovered(superblock);
        replica
    }

    /// The valid copy with the highest sequence number.
    fn read_superblocks(&mut self, copies: Vec<Stored<Superblock>>) -> Option<Superblock> {
        let mut newest: Option<Superblock> = None;
        for copy in copies {
            let read = match copy {
                Stored::Blank | Stored::Failed => continue,
                Stored::Value(superblock) => Ok(superblock),
                Stored::Bytes(bytes) => Superblock::decode_stored(&bytes),
            };
            match read {
                Ok(found) if found.cluster == self.config.cluster && found.replica == self.config.replica.0 => {
                    if newest.as_ref().is_none_or(|newest| found.sequence > newest.sequence) {
                        newest = Some(found);
                    }
                }
                Ok(_) => self.found_damage.push((None, Damage::Superblock)),
                Err(damage) => self.found_damage.push((None, damage)),
            }
        }
        newest
    }

    /// Starts from the checkpoint that the superblock names; from the older one if that is damaged, or from nothing: then the log
    /// reaches further back, or a peer's checkpoint will be asked for.
    fn read_checkpoints(&mut self, superblock: &Superblock, places: Vec<Stored<Arc<Checkpoint>>>) {
        let mut best: Option<(u8, Arc<Checkpoint>)> = None;
        for (place, stored) in (0_u8..).zip(places) {
            let found = match stored {
                Stored::Blank | Stored::Failed => continue,
                Stored::Value(checkpoint) => checkpoint,
                Stored::Bytes(bytes) => match Checkpoint::decode_stored(&bytes) {
                    Ok(checkpoint) => Arc::new(checkpoint),
                    Err(damage) => {
                        self.found_damage.push((None, damage));
                        continue;
                    }
                },
            };
            // What the superblock does not name yet may have been a peer's, and part of a log that was never entered.
            let is_named = place == superblock.checkpoint.place && found.op == superblock.checkpoint.op;
            let counts = is_named || found.op < superblock.checkpoint.op;
            if counts && best.as_ref().is_none_or(|(_, best)| found.op > best.op) {
                best = Some((place, found));
            }
        }
        let Some((place, checkpoint)) = best.filter(|(_, checkpoint)| self.machine.restore(&checkpoint.state)) else { return };
        self.sessions = SessionTable::restore(checkpoint.sessions.clone(), self.config.sessions_max as usize);
        (self.commit, self.applied) = (checkpoint.op, checkpoint.op);
        self.reconfiguration.applied = checkpoint.membership;
        self.checkpoints.install(place, checkpoint);
        let own = self.config.replica;
        self.checkpoints.heard(own, self.commit);
    }

    /// The guard: what is damaged is asked for at peers. Switched off, the log ends before it.
    fn drop_damage_if_unguarded(&mut self) {
        if !self.has_bug(Bug::TruncatesCommittedOnRecovery) {
            return;
        }
        self.uncertain = 0;
        let first_bad = (self.commit.0 + 1..=self.log.head().0).map(Op).find(|op| self.log.get(*op).is_none());
        if let Some(bad) = first_bad {
            self.log.truncate(Op(bad.0 - 1), |_| {});
            self.commit_max = self.commit_max.min(self.log.head());
        }
    }

    /// The first input of an incarnation.
    pub(crate) fn start(&mut self, fx: &mut Vec<Effect>) {
        if !self.lost {
            self.start_scrubbing(fx);
        }
        if !self.restarted {
            self.note(fx, Note::Started);
            let head = self.log.head_hash();
            self.note(fx, Note::ViewEntered { head, quorum: None });
            if self.is_primary() {
                self.start_primary(fx);
            } else {
                self.start_backup(fx);
            }
            return;
        }
        self.note(fx, if self.is_new_disk { Note::Started } else { Note::Restarted });
        for (op, what) in core::mem::take(&mut self.found_damage) {
            if self.has_bug(Bug::LeavesDamageLying) {
                self.serving.left_lying.extend(op);
            }
            self.note(fx, Note::CorruptionDetected { op, what });
        }
        if self.lost {
            return;
        }
        for name in core::mem::take(&mut self.found_replaced) {
            self.note(fx, Note::EntryTruncated(name));
        }
        // Some of them may have become durable in the very crash, without anybody having been told.
        for op in (self.commit.0 + 1..=self.log.head().0).map(Op) {
            if let Some(entry) = self.log.get(op) {
                self.note(fx, Note::EntryDurable(EntryName { op, hash: entry.hash }));
            }
        }
        self.advance_commit(fx);
        if self.pending.is_some() {
            // It has just learnt of a new epoch, and goes on from there.
            return;
        }
        let leads = self.config.primary_of(self.view) == self.config.replica;
        if self.status == Status::ViewChange && self.is_voter() {
            self.promise(Pending::Resume, fx);
        } else if leads && self.is_voter() {
            // What it was doing as primary is forgotten: nobody may take it for that view's primary again.
            let view = self.next_view();
            self.promise(Pending::Raise { view, keep: self.log.head() }, fx);
        } else {
            self.promise(Pending::Rejoin, fx);
        }
    }

    /// Asks for the current view.
    pub(crate) fn rejoin(&mut self, fx: &mut Vec<Effect>) {
        self.set_status(Status::Recovering, fx);
        self.run_timers(&[Timer::ViewChange, Timer::Recovery], fx);
        self.ask_everybody(fx);
    }

    pub(crate) fn on_recovery_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.awaits_readmission() {
            self.on_readmission_timer(fx);
        } else if self.status == Status::Recovering {
            self.note(fx, Note::TimerFired(Timer::Recovery));
            self.ask_everybody(fx);
            self.set_timer(Timer::Recovery, fx);
        }
    }

    /// The superblock's sequence number rises with each restart, before anything is sent: it names the incarnation.
    pub(crate) fn recovery_nonce(&self) -> u64 {
        self.promises.durable.sequence
    }

    pub(crate) fn ask_everybody(&mut self, fx: &mut Vec<Effect>) {
        let nonce = self.recovery_nonce();
        for voter in self.other_voters() {
            self.send(voter, Body::RecoveryRequest { nonce }, fx);
        }
    }

    pub(crate) fn on_recovery_request(&mut self, from: ReplicaId, view: View, nonce: u64, fx: &mut Vec<Effect>) -> Handled {
        // Who has forgotten its promises is no witness of what a quorum has promised.
        if self.status != Status::Normal || self.awaits_readmission() {
            return Err(RejectReason::WrongStatus);
        }
        if view > self.view {
            // It voted once, for a view that never started, and is no voter any more: nobody follows it there, and it may not come back.
            if self.is_primary() && !self.votes(from) {
                self.abdicate(AbdicationCause::HigherView, fx);
                return Ok(());
            }
            self.ask_view(view, fx);
            return Err(RejectReason::NewerView);
        }
        let start = self.is_primary().then(|| Box::new(self.start_view()));
        self.send(from, Body::RecoveryResponse { nonce, membership: self.membership, start }, fx);
        Ok(())
    }

    pub(crate) fn on_recovery_response(
        &mut self,
        from: ReplicaId,
        view: View,
        nonce: u64,
        start: Option<Box<StartView>>,
        fx: &mut Vec<Effect>,
    ) -> Handled {
        if nonce > self.promises.durable.sequence {
            return Err(RejectReason::Stale);
        }
        self.witnessed(from, view, nonce, fx);
        if view < self.view {
            return Err(RejectReason::OldView);
        }
        match start {
            Some(start) => {
                let fresh = self.status == Status::Recovering && nonce == self.recovery_nonce();
                self.on_start_view(from, view, *start, fresh, fx)
            }
            None if self.status == Status::Recovering || view > self.view => {
                self.ask_view(view, fx);
                Ok(())
            }
            None => Err(RejectReason::Stale),
        }
    }
}

/// The op that a slot of the ring holds when the log ends at `reach`.
fn op_of_slot(slot: usize, slots: u64, reach: Op) -> Op {
    let slot = slot as u64;
    let back = (reach.0 % slots + slots - slot) % slots;
    if back >= reach.0 { Op(reach.0 + slots - back) } else { Op(reach.0 - back) }
}

fn read_slot(slot: usize, slots: u64, stored: Stored<Arc<Entry>>, checks: Checks) -> Found {
    let entry = match stored {
        Stored::Blank => return Found::Blank,
        Stored::Failed => return Found::Unreadable,
        Stored::Value(entry) => entry,
        Stored::Bytes(bytes) => match Entry::decode_stored(&bytes, checks) {
            Ok(entry) => Arc::new(entry),
            Err(damage) => return Found::Damaged(damage),
        },
    };
    if entry.op.0 % slots == slot as u64 { Found::Entry(entry) } else { Found::Misplaced(entry) }
}

/// The ring as read, with what is asked of it.
struct Ring {
    slots: Vec<Found>,
}

impl Ring {
    fn found(&self, op: Op) -> &Found {
        &self.slots[usize::try_from(op.0 % self.slots.len() as u64).expect("less than the number of slots")]
    }

    fn entry(&self, op: Op) -> Option<&Arc<Entry>> {
        match self.found(op) {
            Found::Entry(entry) if entry.op == op => Some(entry),
            _ => None,
        }
    }

    /// Whatever whole entry lies in an op's slot.
    fn whole(&self, op: Op) -> Option<&Arc<Entry>> {
        match self.found(op) {
            Found::Entry(entry) | Found::Misplaced(entry) => Some(entry),
            Found::Blank | Found::Damaged(_) | Found::Unreadable => None,
        }
    }

    /// The last op after `head` that was prepared in `view`, wherever its entry lies.
    fn last_of_view(&self, view: View, head: Op) -> Op {
        let reach = head.0 + self.slots.len() as u64;
        let entries = self.slots.iter().filter_map(|found| match found {
            Found::Entry(entry) | Found::Misplaced(entry) if entry.view == view => Some(entry.op),
            _ => None,
        });
        entries.filter(|op| op.0 <= reach).max().unwrap_or(head).max(head)
    }

    /// The hash of the entry that was prepared at an op in `view`, wherever it lies.
    fn hash_in_view(&self, op: Op, view: View) -> Option<Hash> {
        let of_view = |found: &Found| match found {
            Found::Entry(entry) | Found::Misplaced(entry) if entry.view == view && entry.op == op => Some(entry.hash),
            _ => None,
        };
        of_view(self.found(op)).or_else(|| self.slots.iter().find_map(of_view))
    }

    /// The op before the first one after `pinned` whose write never reached the disk. Votes are contiguous, so nothing from there
    /// on was acknowledged. With peers to ask a hole is asked about, because a disk may also lie about what it holds; a single
    /// replica has nobody to ask.
    fn first_never_written(&self, view: View, pinned: Op, head: Op) -> Op {
        let is_missing = |op: &Op| match self.found(*op) {
            Found::Blank | Found::Damaged(Damage::TornEntry) => true,
            // An entry of an older view was left here when its log was given up.
            Found::Entry(entry) => entry.op != *op || entry.view != view,
            Found::Misplaced(_) | Found::Damaged(_) | Found::Unreadable => false,
        };
        (pinned.0 + 1..=head.0).map(Op).find(is_missing).map_or(head, |missing| Op(missing.0 - 1))
    }

    /// Slots in a row after `head` that may have held an entry which was voted for.
    fn uncertain_after(&self, head: Op) -> u32 {
        let may_have = |op: &Op| {
            let found = self.found(*op);
            matches!(found, Found::Unreadable | Found::Misplaced(_) | Found::Damaged(_))
                && !matches!(found, Found::Damaged(Damage::TornEntry))
        };
        let run = (head.0 + 1..=head.0 + self.slots.len() as u64).map(Op).take_while(may_have).count();
        u32::try_from(run).expect("slots are limited")
    }
}

fn recover_log(config: &Config, superblock: &Superblock, base: CheckpointRef, stored: Vec<Stored<Arc<Entry>>>) -> Recovered {
    let slots = u64::from(config.log_slots);
    // The guard: what is read is checked.
    let checks = match config.bug {
        Some(Bug::SkipsEntryChecksum) => Checks::Skipped,
        Some(Bug::AcceptsTornWrite) => Checks::TornAccepted,
        _ => Checks::Enforced,
    };
    let mut read: Vec<Found> = stored.into_iter().enumerate().map(|(slot, stored)| read_slot(slot, slots, stored, checks)).collect();
    read.resize_with(config.log_slots as usize, || Found::Blank);
    let ring = Ring { slots: read };
    let mut log = Log::new(config.log_slots, base.op, base.hash);
    let is_normal = superblock.view == superblock.last_normal_view;
    let pinned = superblock.pinned_head().max(base.op);
    let mut head = if is_normal { ring.last_of_view(superblock.last_normal_view, pinned) } else { pinned };
    if superblock.membership.voters.len() == 1 {
        head = ring.first_never_written(superblock.last_normal_view, pinned, head);
    }
    let wanted = wanted_hashes(&ring, superblock, base, head);
    let mut replaced = Vec::new();
    for (op, hash) in (base.op.0 + 1..).map(Op).zip(&wanted) {
        if let Some(entry) = ring.entry(op).filter(|entry| Some(entry.hash) == *hash) {
            log.append(Arc::clone(entry));
            log.slot_mut(op).expect("just appended").durable = true;
        } else if let Some(entry) = ring.whole(op).filter(|_| config.bug == Some(Bug::SkipsHashChain)) {
            // The guard: what is whole counts only if its hash connects.
            log.append_unproven(Arc::clone(entry));
        } else {
            // Below a hole nothing is proven until the hole is filled.
            let lying = ring.entry(op);
            log.append_hole(*hash, lying.filter(|_| hash.is_none()).map(Arc::clone));
            replaced.extend(lying.filter(|_| hash.is_some()).map(|entry| EntryName { op, hash: entry.hash }));
        }
    }
    retain_below(&mut log, &ring, base);
    // The guard: what was damaged after the head may have been voted for.
    let trusts_head = config.bug == Some(Bug::HeadAlwaysCertain);
    let uncertain = if is_normal && !trusts_head { ring.uncertain_after(head) } else { superblock.uncertain };
    let reach = Op(head.0 + u64::from(uncertain));
    let damage = ring.slots.iter().enumerate().filter_map(|(slot, found)| match found {
        Found::Damaged(damage) => Some((Some(op_of_slot(slot, slots, reach)), *damage)),
        Found::Misplaced(_) => Some((Some(op_of_slot(slot, slots, reach)), Damage::MisplacedEntry)),
        Found::Blank | Found::Entry(_) | Found::Unreadable => None,
    });
    Recovered { uncertain, damage: damage.collect(), replaced, log }
}

/// The hash of each entry after the checkpoint up to `head`, where it is known: pinned, said by the entry that follows, or that of
/// an entry of the last normal view, in which every op was prepared once.
fn wanted_hashes(ring: &Ring, superblock: &Superblock, base: CheckpointRef, head: Op) -> Vec<Option<Hash>> {
    let pinned = superblock.pinned_head();
    let mut wanted = Vec::new();
    let mut from_above: Option<Hash> = None;
    for op in (base.op.0 + 1..=head.0).rev().map(Op) {
        let pin = op.0.checked_sub(superblock.commit.0 + 1).and_then(|index| superblock.pins.get(usize::try_from(index).ok()?)).copied();
        let own = if op > pinned { ring.hash_in_view(op, superblock.last_normal_view) } else { None };
        let at_commit = (op == superblock.commit).then_some(superblock.commit_hash);
        let hash = from_above.or(pin.flatten()).or(own).or(at_commit);
        from_above = ring.entry(op).filter(|entry| Some(entry.hash) == hash).map(|entry| entry.previous_hash);
        wanted.push(hash);
    }
    wanted.reverse();
    wanted
}

/// What lies below the checkpoint and connects to it can still be handed to peers.
fn retain_below(log: &mut Log, ring: &Ring, base: CheckpointRef) {
    let mut hash = base.hash;
    for op in (1..=base.op.0).rev().map(Op) {
        let reused = op.0 + log.capacity() <= log.head().0;
        let Some(entry) = ring.entry(op).filter(|entry| entry.hash == hash && !reused) else { return };
        hash = entry.previous_hash;
        log.retain_below(Arc::clone(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::op_of_slot;
    use crate::ids::Op;

    #[test]
    fn a_slot_holds_the_highest_op_that_the_log_reaches() {
        assert_eq!(op_of_slot(5, 8, Op(13)), Op(13));
        assert_eq!(op_of_slot(6, 8, Op(13)), Op(6));
        assert_eq!(op_of_slot(4, 8, Op(13)), Op(12));
    }

    #[test]
    fn a_slot_that_the_log_has_not_reached_holds_its_first_op() {
        assert_eq!(op_of_slot(5, 8, Op(2)), Op(5));
        assert_eq!(op_of_slot(0, 8, Op(5)), Op(8));
        assert_eq!(op_of_slot(0, 8, Op(0)), Op(8));
    }
}
