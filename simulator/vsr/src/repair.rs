//! Repair: missing and damaged entries are asked for by op number and hash, and believed only if the hashes connect.
//!
//! What is wanted is always an entry that the primary of the view has vouched for: it lies below the head, in a hole, or between
//! the head and an op that the primary has named. Entries of the second kind wait beside the log until they connect.

use crate::bug::Bug;
use crate::constants::{
    LAGGING_INTERVALS, REPAIR_ATTEMPTS_LAGGING, REPAIR_ATTEMPTS_MAX, REPAIR_ENTRIES_MAX, REPAIR_SERVED_MAX, REPAIR_TIMEOUT_NS,
};
use crate::entry::{Checks, Entry};
use crate::ids::{Hash, Op, ReplicaId, View};
use crate::io::{AbdicationCause, Damage, Effect, EntryName, Note, ReadId, Status, Stored, Timer};
use crate::message::{Body, NackReason, RejectReason};
use crate::peers::Peers;
use crate::quorum::Members;
use crate::replica::{Config, Handled, Replica};
use crate::state_machine::StateMachine;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A range that has been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    first: Op,
    last: Op,
    hash: Hash,
}

/// What this replica wants from others.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Repair {
    /// The highest op beyond the head that the primary has named.
    target: Option<(Op, Hash)>,
    /// Entries beyond the head, a ring like the log's.
    ahead: Vec<Option<Arc<Entry>>>,
    /// How many there are.
    ahead_count: u32,
    asked: Option<Wanted>,
    /// Requests since the last entry that came.
    attempts: u32,
    /// The end of the range that was asked for last, answered or not.
    question: Option<(Op, Hash)>,
    peers: Peers,
    /// The view whose primary is asked for its state.
    pub transfer_view: View,
    /// What the replica was before it asked for a state.
    pub before_transfer: Status,
}

impl Repair {
    pub fn new(config: &Config) -> Self {
        let ahead = (0..config.log_slots).map(|_| None).collect();
        Self {
            target: None,
            ahead,
            ahead_count: 0,
            asked: None,
            attempts: 0,
            question: None,
            peers: Peers::default(),
            transfer_view: View(0),
            before_transfer: Status::Normal,
        }
    }

    /// A message of a peer has come.
    pub fn heard(&mut self, from: ReplicaId) {
        self.peers.heard(from);
    }

    /// A checkpoint is asked for instead. What waits beside the log stays: if there is no such checkpoint, it is still wanted.
    pub fn pause(&mut self) {
        self.peers.forget_question();
        self.asked = None;
        self.attempts = 0;
    }

    /// Another view, another log: nothing that was wanted is wanted any more.
    pub fn forget(&mut self) {
        self.peers.forget_question();
        self.target = None;
        self.asked = None;
        self.attempts = 0;
        if self.ahead_count > 0 {
            self.ahead.fill(None);
            self.ahead_count = 0;
        }
    }

    fn index(&self, op: Op) -> usize {
        usize::try_from(op.0 % self.ahead.len() as u64).expect("less than the number of slots")
    }

    fn ahead(&self, op: Op) -> Option<&Arc<Entry>> {
        self.ahead[self.index(op)].as_ref().filter(|entry| entry.op == op)
    }

    fn keep(&mut self, entry: Arc<Entry>) {
        let index = self.index(entry.op);
        if self.ahead[index].replace(entry).is_none() {
            self.ahead_count += 1;
        }
    }

    fn take(&mut self, op: Op) -> Option<Arc<Entry>> {
        let index = self.index(op);
        let taken = self.ahead[index].take_if(|entry| entry.op == op)?;
        self.ahead_count -= 1;
        Some(taken)
    }
}

/// A request of a peer that waits for the disk.
#[derive(Clone, Debug, Hash)]
struct Served {
    to: ReplicaId,
    first: Op,
    last: Op,
    entries: Vec<Option<Arc<Entry>>>,
    reads: Vec<(ReadId, Op)>,
}

/// What others want from this replica.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Serving {
    served: Vec<Served>,
    reads: u64,
    /// Damaged slots that wait for a superblock whose commit number covers them.
    damaged: Vec<Op>,
    /// Damage that is never written over: only when that guard is switched off.
    pub left_lying: Vec<Op>,
}

impl<S: StateMachine> Replica<S> {
    /// The primary has named an entry beyond the head.
    pub(crate) fn want_log(&mut self, op: Op, hash: Hash, fx: &mut Vec<Effect>) {
        if self.repair.target.is_none_or(|(target, _)| op > target) {
            self.repair.target = Some((op, hash));
        }
        if self.repair.asked.is_none() {
            self.ensure_timer(Timer::Repair, fx);
        }
    }

    /// A prepare that came before its predecessors.
    pub(crate) fn keep_ahead(&mut self, entry: Arc<Entry>, fx: &mut Vec<Effect>) {
        let (op, hash) = (entry.op, entry.hash);
        if op.0 <= self.log.head().0 + self.log.capacity() {
            self.repair.keep(entry);
        }
        self.want_log(op, hash, fx);
    }

    /// Appends what waits beside the log and now connects.
    pub(crate) fn connect_ahead(&mut self, fx: &mut Vec<Effect>) {
        if self.pending.is_some() || self.status != Status::Normal {
            return;
        }
        while self.repair.ahead_count > 0 {
            let next = Op(self.log.head().0 + 1);
            if !self.has_room(next) || self.repair.ahead(next).is_none_or(|entry| entry.previous_hash != self.log.head_hash()) {
                break;
            }
            let entry = self.repair.take(next).expect("looked at above");
            self.append(entry, fx);
        }
        let head = self.log.head();
        self.repair.target.take_if(|(target, _)| *target <= head);
    }

    /// Fills a hole; false if there is none for this entry.
    pub(crate) fn fill_hole(&mut self, entry: &Arc<Entry>, fx: &mut Vec<Effect>) -> bool {
        if self.log.holes() == 0 {
            return false;
        }
        let Some(filled) = self.log.fill(entry) else { return false };
        for name in filled.removed {
            self.note(fx, Note::EntryTruncated(name));
        }
        if filled.is_new {
            self.note(fx, Note::EntryAppended(Arc::clone(entry)));
            self.write_entry(entry.op, fx);
        }
        self.candidates_proven(filled.proven, fx);
        true
    }

    /// Candidates have become entries: the disk holds them, or will.
    pub(crate) fn candidates_proven(&mut self, proven: Vec<Op>, fx: &mut Vec<Effect>) {
        for op in proven {
            if !self.log.is_durable(op) || self.log.is_damaged(op) {
                self.write_entry(op, fx);
            } else if let Some(entry) = self.log.get(op) {
                self.note(fx, Note::EntryDurable(EntryName { op, hash: entry.hash }));
            }
        }
    }

    pub(crate) fn repair_if_needed(&mut self, fx: &mut Vec<Effect>) {
        if (self.log.holes() > 0 || self.scrub.findings() > 0) && self.repair.asked.is_none() {
            self.ask_for_missing(fx);
        }
    }

    /// The highest range that is missing and whose last hash is known.
    fn missing(&self) -> Option<Wanted> {
        let head = self.log.head();
        if let Some((target, hash)) = self.repair.target.filter(|(target, _)| *target > head) {
            let ahead = |op: Op| self.repair.ahead(op);
            let is_blank = |op| ahead(op).is_none();
            if let Some(wanted) = first_missing(head, target, hash, ahead, is_blank) {
                return Some(wanted);
            }
        }
        if self.log.holes() == 0 {
            return None;
        }
        let below = |op: Op| self.log.get(op);
        first_missing(self.commit, head, self.log.head_hash(), below, |op| self.log.is_blank(op))
    }

    fn ask_for_missing(&mut self, fx: &mut Vec<Effect>) {
        self.repair.asked = None;
        if self.status != Status::Normal || self.pending.is_some() {
            return;
        }
        if self.repair.target.is_some_and(|(target, _)| target.0 > self.log.head().0 + self.log.capacity()) {
            self.transfer_or_abdicate(fx);
            return;
        }
        let Some(wanted) = self.missing() else {
            self.repair.attempts = 0;
            self.ask_for_damaged(fx);
            return;
        };
        let patience = if self.lags_far() { REPAIR_ATTEMPTS_LAGGING } else { REPAIR_ATTEMPTS_MAX };
        if self.repair.attempts >= patience {
            self.repair.attempts = 0;
            self.transfer_or_abdicate(fx);
            return;
        }
        self.repair.attempts += 1;
        self.ask_peer(wanted, fx);
    }

    /// Whether a checkpoint of the primary, with the log behind it in one message, would bring what takes many requests otherwise. Where
    /// messages get lost, each of those is another chance to wait for a timeout.
    fn lags_far(&self) -> bool {
        self.commit_max.0 > self.commit.0 + LAGGING_INTERVALS * self.config.checkpoint_interval
    }

    /// What the scrubber has found damaged comes from a peer; from memory when nobody hands it over.
    fn ask_for_damaged(&mut self, fx: &mut Vec<Effect>) {
        let peers = self.other_voters().count();
        while let Some(name) = self.scrub.finding() {
            if self.log.held(name.op, name.hash).is_none() {
                self.scrub.take_finding(name);
            } else if self.scrub.attempts as usize >= 2 * peers {
                self.scrub.take_finding(name);
                self.write_over_damage(name.op, fx);
            } else {
                self.scrub.attempts += 1;
                self.ask_peer(Wanted { first: name.op, last: name.op, hash: name.hash }, fx);
                return;
            }
        }
        self.cancel_timer(Timer::Repair, fx);
    }

    fn ask_peer(&mut self, wanted: Wanted, fx: &mut Vec<Effect>) {
        self.repair.asked = Some(wanted);
        if self.repair.question != Some((wanted.last, wanted.hash)) {
            self.repair.question = Some((wanted.last, wanted.hash));
            self.repair.peers.begin_question();
        }
        // The guard: the quickest peer is asked, not whoever comes next.
        let in_turn = self.has_bug(Bug::RepairsFromAnybody);
        let (voters, own) = (self.membership.voters, self.config.replica);
        let asked = if self.are_voters_asked() { Members::first(self.config.members()) } else { voters };
        let Some(peer) = self.repair.peers.choose(asked, own, self.clock.now_ns(), in_turn) else { return };
        for op in (wanted.first.0..=wanted.last.0).map(Op) {
            let hash = (op == wanted.last).then_some(wanted.hash);
            self.note(fx, Note::RepairRequested { op, hash });
        }
        // The guard: one peer is asked, and the next one only when it has not answered.
        let everybody = self.has_bug(Bug::UnlimitedRepair);
        for peer in self.other_members().filter(|member| *member == peer || everybody && voters.contains(*member)) {
            self.send(peer, Body::RepairRequest { first: wanted.first, last: wanted.last, hash: wanted.hash }, fx);
        }
        self.set_timer_for(Timer::Repair, REPAIR_TIMEOUT_NS, fx);
    }

    /// Whether all voters have been asked for what is missing. Then whoever does not vote is asked too: after a change of membership
    /// the last copies of an entry may lie with members that have stopped voting, and its hash says whether theirs is the right one.
    fn are_voters_asked(&self) -> bool {
        self.repair.attempts.max(self.scrub.attempts) > self.membership.voters.len()
    }

    fn transfer_or_abdicate(&mut self, fx: &mut Vec<Effect>) {
        let primary = self.config.primary_of(self.view);
        if primary == self.config.replica {
            self.abdicate(AbdicationCause::NoQuorum, fx);
        } else {
            self.begin_state_transfer(primary, self.view, fx);
        }
    }

    pub(crate) fn on_repair_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.status != Status::Normal || self.missing().is_none() && self.scrub.findings() == 0 {
            // What was asked for has come by another way.
            if self.repair.asked.take().is_some() {
                self.repair.peers.timed_out(self.clock.now_ns());
                self.note(fx, Note::TimerFired(Timer::Repair));
            }
            return;
        }
        self.note(fx, Note::TimerFired(Timer::Repair));
        self.repair.peers.timed_out(self.clock.now_ns());
        self.ask_for_missing(fx);
    }

    pub(crate) fn on_repair_response(&mut self, from: ReplicaId, entries: Vec<Arc<Entry>>, fx: &mut Vec<Effect>) -> Handled {
        let asked = self.repair.asked.ok_or(RejectReason::Stale)?;
        if self.status != Status::Normal {
            return Err(RejectReason::WrongStatus);
        }
        check_answer(&asked, &entries)?;
        self.repair.peers.answered(from, self.clock.now_ns());
        self.repair.asked = None;
        let before = (self.log.holes(), self.repair.ahead_count, self.log.head(), self.scrub.findings());
        for entry in entries.into_iter().rev() {
            if entry.op > self.log.head() {
                self.repair.keep(entry);
            } else if self.scrub.take_finding(EntryName { op: entry.op, hash: entry.hash }) {
                self.write_over_damage(entry.op, fx);
            } else {
                self.fill_hole(&entry, fx);
            }
        }
        self.connect_ahead(fx);
        // An answer that brings nothing on counts as none, or the same question would be asked for ever.
        if before != (self.log.holes(), self.repair.ahead_count, self.log.head(), self.scrub.findings()) {
            self.repair.attempts = 0;
        }
        self.advance_votes(fx);
        self.advance_commit(fx);
        if self.pending.is_none() {
            self.ask_for_missing(fx);
        }
        Ok(())
    }

    pub(crate) fn on_nack(&mut self, from: ReplicaId, first: Op, last: Op, reason: NackReason, fx: &mut Vec<Effect>) -> Handled {
        if self.status == Status::StateTransfer {
            return self.on_transfer_refused(fx);
        }
        let asked = self.repair.asked.filter(|asked| asked.first == first && asked.last == last);
        let Some(asked) = asked.filter(|_| self.status == Status::Normal) else { return Err(RejectReason::Stale) };
        self.repair.peers.answered(from, self.clock.now_ns());
        let is_held = self.scrub.is_finding(EntryName { op: asked.last, hash: asked.hash });
        match reason {
            NackReason::Trimmed if !is_held => {
                self.repair.asked = None;
                self.transfer_or_abdicate(fx);
            }
            // The next peer, at once while there is one that has not been asked, else after the timeout.
            _ if self.repair.attempts < self.membership.voters.len() => self.ask_for_missing(fx),
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn on_repair_request(&mut self, from: ReplicaId, first: Op, last: Op, hash: Hash, fx: &mut Vec<Effect>) -> Handled {
        let nack = |reason| Body::Nack { first, last, reason };
        // The guard: a range begins in the log, ends where it begins or later, and is not longer than a request may be.
        let is_range = first > Op(0) && first <= last && last.0 - first.0 < REPAIR_ENTRIES_MAX;
        if !is_range && !self.has_bug(Bug::ServesInvalidRepairRange) {
            self.send(from, nack(NackReason::InvalidRange), fx);
            return Err(RejectReason::InvalidRange);
        }
        if last > self.log.head() {
            // A slot of which this replica does not know what it held is not denied.
            let is_certain = last.0 > self.log.head().0 + u64::from(self.uncertain) && !self.awaits_readmission();
            self.send(from, nack(if is_certain { NackReason::NeverPrepared } else { NackReason::Missing }), fx);
            return Ok(());
        }
        if last <= self.log.floor() {
            self.send(from, nack(NackReason::Trimmed), fx);
            return Ok(());
        }
        if self.log.held(last, hash).is_none() {
            self.send(from, nack(NackReason::Missing), fx);
            return Ok(());
        }
        if self.serving.served.len() >= REPAIR_SERVED_MAX {
            return Err(RejectReason::PipelineFull);
        }
        self.serve(from, first, (last, hash), fx);
        Ok(())
    }

    /// Collects a range downwards as far as it is held; what is committed comes from the disk, so that its damage is found.
    fn serve(&mut self, to: ReplicaId, first: Op, (last, hash): (Op, Hash), fx: &mut Vec<Effect>) {
        let mut served = Served { to, first, last, entries: Vec::new(), reads: Vec::new() };
        let mut expected = hash;
        for op in (first.0..=last.0).rev().map(Op) {
            let Some(entry) = self.log.held(op, expected) else { break };
            expected = entry.previous_hash;
            served.entries.push(Some(Arc::clone(entry)));
            let from_disk = op <= self.commit && self.log.slot(op).is_some_and(|slot| slot.durable && slot.write.is_none());
            if from_disk {
                self.serving.reads += 1;
                let read = ReadId(self.serving.reads);
                served.reads.push((read, op));
                let slot = u32::try_from(self.log.index(op)).expect("slots are limited");
                fx.push(Effect::Read { read, slot });
            }
        }
        served.entries.reverse();
        if served.reads.is_empty() {
            self.answer_repair(served, fx);
        } else {
            self.serving.served.push(served);
        }
    }

    /// The longest part of what was collected that ends at the last entry wanted.
    fn answer_repair(&self, served: Served, fx: &mut Vec<Effect>) {
        let mut entries: Vec<_> = served.entries.into_iter().rev().map_while(|entry| entry).collect();
        entries.reverse();
        let body = if entries.is_empty() {
            Body::Nack { first: served.first, last: served.last, reason: NackReason::Missing }
        } else {
            Body::RepairResponse { entries }
        };
        self.send(served.to, body, fx);
    }

    pub(crate) fn on_read(&mut self, read: ReadId, content: Stored<Arc<Entry>>, fx: &mut Vec<Effect>) {
        let position = |served: &Served| served.reads.iter().position(|(id, _)| *id == read);
        let Some(index) = self.serving.served.iter().position(|served| position(served).is_some()) else { return };
        let served = &mut self.serving.served[index];
        let Some((_, op)) = position(served).map(|place| served.reads.swap_remove(place)) else { return };
        let entry = self.judge_read(op, content, fx);
        let served = &mut self.serving.served[index];
        let held = served.last.0 + 1 - served.entries.len() as u64;
        let place = usize::try_from(op.0 - held).expect("reads are for collected entries");
        served.entries[place] = entry;
        if served.reads.is_empty() {
            let served = self.serving.served.swap_remove(index);
            self.answer_repair(served, fx);
        }
    }

    /// What a slot answered, or what it should have answered: damage is noted, and the memory's copy written over it.
    fn judge_read(&mut self, op: Op, content: Stored<Arc<Entry>>, fx: &mut Vec<Effect>) -> Option<Arc<Entry>> {
        let expected = self.log.get(op).cloned();
        let checks = if self.has_bug(Bug::SkipsEntryChecksum) { Checks::Skipped } else { Checks::Enforced };
        let is_wanted = |found: &Entry| expected.as_ref().is_some_and(|expected| expected.hash == found.hash);
        let damage = match content {
            Stored::Failed => return expected,
            Stored::Value(entry) if is_wanted(&entry) => return Some(entry),
            // The slot has been used again since, or will be.
            Stored::Value(entry) if entry.op > op || expected.is_none() => return None,
            Stored::Value(_) | Stored::Blank => Damage::MisplacedEntry,
            Stored::Bytes(bytes) => match Entry::decode_stored(&bytes, checks) {
                Ok(entry) if checks == Checks::Skipped => return Some(Arc::new(entry)),
                Ok(entry) if is_wanted(&entry) => return expected,
                Ok(entry) if entry.op > op || expected.is_none() => return None,
                Ok(_) => Damage::MisplacedEntry,
                Err(damage) => damage,
            },
        };
        self.note(fx, Note::CorruptionDetected { op: Some(op), what: damage });
        if let Some(slot) = self.log.slot_mut(op).filter(|_| expected.is_some()) {
            slot.damaged = true;
            self.write_over_damage(op, fx);
        }
        expected
    }

    /// Writes an entry over its damaged slot, once the superblock says that it belongs there: an entry that was voted for must not be
    /// torn by the write that is to save it.
    pub(crate) fn write_over_damage(&mut self, op: Op, fx: &mut Vec<Effect>) {
        if !self.serving.damaged.contains(&op) {
            self.serving.damaged.push(op);
        }
        if !self.may_write_over(op) {
            if op > self.commit_max && self.status == Status::Normal && self.pending.is_none() {
                self.pin_head = self.pin_head.max(op);
            }
            self.want_superblock(fx);
        }
        self.rewrite_damaged(fx);
    }

    /// Writes entries over damaged slots, as far as the superblock says what belongs there.
    pub(crate) fn rewrite_damaged(&mut self, fx: &mut Vec<Effect>) {
        for op in core::mem::take(&mut self.serving.damaged) {
            if self.log.is_damaged(op) && self.log.get(op).is_some() && !self.may_write_over(op) {
                self.serving.damaged.push(op);
            } else if let Some(slot) = self.log.slot_mut(op).filter(|slot| slot.damaged) {
                slot.repaired = true;
                self.write_entry(op, fx);
            }
        }
    }

    /// Whether no damaged slot waits for a superblock, or for its write.
    pub(crate) fn serving_is_mended(&self) -> bool {
        self.serving.damaged.is_empty()
    }
}

/// Walks down from `last`, whose hash is known, to the first op that is not held; the range ends where something lies again.
fn first_missing<'a>(
    above: Op,
    last: Op,
    hash: Hash,
    held: impl Fn(Op) -> Option<&'a Arc<Entry>>,
    is_blank: impl Fn(Op) -> bool,
) -> Option<Wanted> {
    let (mut op, mut hash) = (last, hash);
    while op > above {
        match held(op).filter(|entry| entry.hash == hash) {
            Some(entry) => hash = entry.previous_hash,
            None => break,
        }
        op.0 -= 1;
    }
    if op <= above {
        return None;
    }
    let mut first = op;
    while first.0 - 1 > above.0 && op.0 - first.0 + 1 < REPAIR_ENTRIES_MAX && is_blank(Op(first.0 - 1)) {
        first.0 -= 1;
    }
    Some(Wanted { first, last: op, hash })
}

/// Checks that an answer is what was asked for, or the upper part of it.
fn check_answer(asked: &Wanted, entries: &[Arc<Entry>]) -> Handled {
    let mut expected = EntryName { op: asked.last, hash: asked.hash };
    if entries.last().is_some_and(|entry| EntryName { op: entry.op, hash: entry.hash } != expected) {
        // The answer to an earlier question.
        return Err(RejectReason::Stale);
    }
    // More than was asked for is the answer to an earlier question that ended at the same op; the hashes prove it as well.
    if entries.is_empty() || entries.len() as u64 > REPAIR_ENTRIES_MAX {
        return Err(RejectReason::TailLengthMismatch);
    }
    for entry in entries.iter().rev() {
        if entry.op != expected.op || entry.hash != expected.hash {
            return Err(RejectReason::HashMismatch);
        }
        expected = EntryName { op: Op(entry.op.0 - 1), hash: entry.previous_hash };
    }
    Ok(())
}
