//! Entering a view: `start_view` from its primary, who asked for it, and what it changes in the log.
//!
//! The one way to become normal. A message is validated whole before any part of it is used, the new log is promised in the
//! superblock, and only then does it replace the old one.

use crate::bug::Bug;
use crate::checkpoint::Checkpoint;
use crate::constants::TAIL_ENTRIES_MAX;
use crate::entry::Entry;
use crate::ids::{Hash, Op, ReplicaId, View};
use crate::io::{Effect, Note, Status, Timer};
use crate::message::{Body, RejectReason, StartView};
use crate::promise::Pending;
use crate::replica::{Handled, Replica};
use crate::state_machine::StateMachine;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A view to enter, and its log.
#[derive(Clone, Debug, Hash)]
pub(crate) struct EnterView {
    pub view: View,
    /// Known to be committed; at or after `base`.
    pub commit: Op,
    /// Op before the first of `entries`.
    pub base: Op,
    pub base_hash: Hash,
    /// The log after `base`, up to its head.
    pub entries: Vec<Arc<Entry>>,
    /// Slots up to this op may be reused.
    pub trim: Op,
    /// A peer's checkpoint at `base`, and where it lies on disk.
    pub checkpoint: Option<(u8, Arc<Checkpoint>)>,
    /// On the view's primary: the members whose logs it was built from.
    pub quorum: Option<u32>,
}

impl EnterView {
    pub fn head(&self) -> Op {
        Op(self.base.0 + self.entries.len() as u64)
    }
}

/// Checks that entries follow `base` without a gap, hash-connected, up to `head`.
pub(crate) fn check_tail(base: (Op, Hash), head: (Op, Hash), view: View, entries: &[Arc<Entry>], bug: Option<Bug>) -> Handled {
    // The guard: tails have a limit.
    if entries.len() > TAIL_ENTRIES_MAX && bug != Some(Bug::UnboundedLogTail) {
        return Err(RejectReason::TooLarge);
    }
    if head.0 < base.0 {
        return Err(RejectReason::CommitBeyondLog);
    }
    if entries.len() as u64 != head.0.0 - base.0.0 {
        return Err(RejectReason::TailLengthMismatch);
    }
    let (mut op, mut hash) = base;
    for entry in entries {
        op.0 += 1;
        if entry.op != op || entry.view > view {
            return Err(RejectReason::InvalidMetadata);
        }
        if entry.previous_hash != hash {
            return Err(RejectReason::BrokenChain);
        }
        hash = entry.hash;
    }
    if hash == head.1 { Ok(()) } else { Err(RejectReason::BrokenChain) }
}

impl<S: StateMachine> Replica<S> {
    /// Asks the primary of a view for its `start_view`, once per view until the next timer.
    pub(crate) fn ask_view(&mut self, view: View, fx: &mut Vec<Effect>) {
        let primary = self.config.primary_of(view);
        if primary == self.config.replica || self.view_change.asked_view == Some(view) {
            return;
        }
        self.view_change.asked_view = Some(view);
        self.send_in(view, primary, Body::GetView, fx);
    }

    pub(crate) fn on_get_view(&mut self, from: ReplicaId, view: View, fx: &mut Vec<Effect>) -> Handled {
        self.primary_only()?;
        if view > self.view {
            return if self.step_down_for(from, view, fx) { Ok(()) } else { Err(RejectReason::NewerView) };
        }
        self.send_start_view(from, fx);
        Ok(())
    }

    pub(crate) fn send_start_view(&self, to: ReplicaId, fx: &mut Vec<Effect>) {
        let start = Box::new(self.start_view());
        self.send(to, Body::StartView(start), fx);
    }

    /// Primary: its log as it vouches for it. Whatever is not known to be committed is present in a primary's log.
    pub(crate) fn start_view(&self) -> StartView {
        let (commit, commit_hash) = self.known_commit();
        let tail = (commit.0 + 1..=self.log.head().0).map(|op| self.log.get(Op(op)));
        let entries: Vec<_> = tail.map(|entry| Arc::clone(entry.expect("a primary holds what is not committed"))).collect();
        StartView { commit, commit_hash, op: self.log.head(), hash: self.log.head_hash(), trim: self.trim.min(commit), entries }
    }

    /// `fresh`: the primary answered a question of this incarnation.
    pub(crate) fn on_start_view(
        &mut self,
        from: ReplicaId,
        view: View,
        mut start: StartView,
        fresh: bool,
        fx: &mut Vec<Effect>,
    ) -> Handled {
        if self.config.primary_of(view) != from {
            return Err(RejectReason::NotPrimary);
        }
        self.refuse_old(view)?;
        if start.trim > start.commit {
            return Err(RejectReason::InvalidMetadata);
        }
        self.take_commit_past_gap(&mut start);
        check_tail((start.commit, start.commit_hash), (start.op, start.hash), view, &start.entries, self.config.bug)?;
        if self.contradicts_committed(view, &start) {
            return Err(RejectReason::ConflictsWithCommitted);
        }
        if view == self.view && self.status == Status::Normal {
            self.on_start_view_again(start, fx);
            return Ok(());
        }
        if view == self.view && self.status == Status::StateTransfer {
            return Err(RejectReason::WrongStatus);
        }
        let is_older = self.uncertain > 0 && !fresh || start.op < self.commit;
        if view == self.last_normal_view && is_older {
            // It may have been sent before an entry that is now unreadable was acknowledged.
            return Err(RejectReason::Stale);
        }
        if !self.log.agrees(self.commit, start.commit, start.commit_hash, &start.entries) {
            return Err(RejectReason::ConflictsWithCommitted);
        }
        if !self.reaches(start.op) {
            self.begin_state_transfer(from, view, fx);
            return Ok(());
        }
        let mut enter = EnterView {
            view,
            commit: start.commit,
            base: start.commit,
            base_hash: start.commit_hash,
            entries: start.entries,
            trim: start.trim,
            checkpoint: None,
            quorum: None,
        };
        if view == self.last_normal_view {
            self.keep_own_tail(&mut enter)?;
        }
        self.promise(Pending::Enter(Box::new(enter)), fx);
        Ok(())
    }

    /// The guard: what is committed never changes. Switched off, the log up to the forged entry is all that is left of it, and what
    /// comes after is committed again.
    fn contradicts_committed(&mut self, view: View, start: &StartView) -> bool {
        if !self.log.contradicts(self.commit, start.commit, start.commit_hash, &start.entries) {
            return false;
        }
        let merges = self.has_bug(Bug::MergeOverwritesCommitted)
            && (view, self.status) != (self.view, Status::Normal)
            && (self.checkpoints.named.op..self.commit).contains(&start.commit)
            && self.log.hash_of(start.commit) == Some(start.commit_hash);
        if merges {
            (self.commit, self.commit_max) = (start.commit, start.commit);
        }
        !merges
    }

    /// The guard: a log that ends before its commit number is refused. Switched off, the number counts all the same.
    fn take_commit_past_gap(&mut self, start: &mut StartView) {
        if start.commit <= start.op || !self.has_bug(Bug::CommitAppliesPastGap) {
            return;
        }
        self.view_change.claimed_commit = start.commit;
        start.commit = Op(start.op.0.saturating_sub(start.entries.len() as u64));
        start.commit_hash = start.entries.first().map_or(start.hash, |entry| entry.previous_hash);
        start.trim = start.trim.min(start.commit);
    }

    /// What [`Self::take_commit_past_gap`] has taken over: nothing, unless its guard is switched off.
    fn commit_past_gap(&mut self, claimed: Op, fx: &mut Vec<Effect>) {
        if self.has_bug(Bug::CommitAppliesPastGap) && claimed > self.commit {
            self.commit = claimed;
            self.note(fx, Note::StatusChanged);
        }
    }

    /// A `start_view` of the own view may be older than what was acknowledged in that view since: nothing of the log is given
    /// up for it.
    fn keep_own_tail(&self, enter: &mut EnterView) -> Handled {
        let head = enter.head();
        if self.log.head() <= head {
            return Ok(());
        }
        let new_hash = enter.entries.last().map_or(enter.base_hash, |entry| entry.hash);
        // With a hole in it, the log waits for a newer answer.
        if self.log.hash_of(head).ok_or(RejectReason::Stale)? != new_hash {
            return Err(RejectReason::BrokenChain);
        }
        for op in head.0 + 1..=self.log.head().0 {
            let entry = self.log.get(Op(op)).ok_or(RejectReason::Stale)?;
            enter.entries.push(Arc::clone(entry));
        }
        Ok(())
    }

    /// In a view that this replica has entered, a `start_view` is as good as the prepares in it.
    fn on_start_view_again(&mut self, start: StartView, fx: &mut Vec<Effect>) {
        self.heard_primary();
        self.trim = self.trim.max(start.trim);
        self.note_trim(fx);
        if start.op > self.log.head() {
            self.want_log(start.op, start.hash, fx);
        }
        for entry in start.entries {
            if entry.op.0 == self.log.head().0 + 1 && entry.previous_hash == self.log.head_hash() && self.has_room(entry.op) {
                self.append(entry, fx);
            } else if entry.op > self.log.head() {
                self.keep_ahead(entry, fx);
            }
        }
        self.connect_ahead(fx);
        self.reset_commit_if_unguarded(start.commit, fx);
        self.learn_commit(start.commit, fx);
    }

    /// The guard: a commit number never falls. Switched off, it is whatever a `start_view` says.
    fn reset_commit_if_unguarded(&mut self, commit: Op, fx: &mut Vec<Effect>) {
        let commit = commit.max(self.log.floor()).max(self.checkpoints.named.op);
        if self.has_bug(Bug::LosesCommitOnStartView) && commit < self.commit && !self.is_primary() {
            (self.commit, self.commit_max) = (commit, commit);
            self.note(fx, Note::StatusChanged);
        }
    }

    /// The superblock says so: the view and its log are entered.
    pub(crate) fn enter_view(&mut self, mut enter: EnterView, fx: &mut Vec<Effect>) {
        let claimed = self.view_change.claimed_commit;
        let is_primary = self.config.primary_of(enter.view) == self.config.replica;
        (self.view, self.last_normal_view) = (enter.view, enter.view);
        self.set_status(Status::Normal, fx);
        self.uncertain = 0;
        self.repair.forget();
        self.trim = self.trim.max(enter.trim).max(self.trim_implied_by(enter.head()));
        self.adopt_log(&mut enter, fx);
        self.pin_head = self.log.head();
        self.commit_max = self.commit_max.max(enter.commit);
        self.primary_commit = enter.commit;
        self.acked = enter.commit;
        self.log.reset_votes(self.commit);
        // The guard: a vote of an older view says nothing of this one.
        if self.has_bug(Bug::OldAcksCountInNewView) && is_primary {
            self.count_old_votes();
        }
        self.view_change.forget();
        self.note(fx, Note::ViewEntered { head: self.log.head_hash(), quorum: enter.quorum });
        self.reset_commit_if_unguarded(enter.commit, fx);
        if is_primary {
            for member in self.other_members() {
                self.send_start_view(member, fx);
            }
            self.start_primary(fx);
        } else {
            self.start_backup(fx);
        }
        for op in self.commit.0 + 1..=self.log.head().0 {
            if self.log.get(Op(op)).is_some() && !self.log.is_durable(Op(op)) {
                self.write_entry(Op(op), fx);
            }
        }
        self.note_trim(fx);
        self.advance_votes(fx);
        self.advance_commit(fx);
        self.repair_if_needed(fx);
        self.commit_past_gap(claimed, fx);
    }

    /// Who has sent a log with an entry had voted for it.
    fn count_old_votes(&mut self) {
        for op in (self.commit.0 + 1..=self.log.head().0).map(Op) {
            let Some(hash) = self.log.hash_of(op) else { continue };
            let voters = self.view_change.holders_of(op, hash);
            if let Some(slot) = self.log.slot_mut(op) {
                (slot.votes, slot.vote_count) = (voters, voters.len());
            }
        }
    }

    fn adopt_log(&mut self, enter: &mut EnterView, fx: &mut Vec<Effect>) {
        if let Some((place, checkpoint)) = enter.checkpoint.take() {
            for name in self.log.start_after(self.commit, checkpoint.op, checkpoint.hash) {
                self.note(fx, Note::EntryTruncated(name));
            }
            self.install_checkpoint(place, checkpoint, fx);
            self.checkpoint_in_force(fx);
        }
        let adopted = self.log.adopt(self.commit, enter.base, enter.base_hash, &enter.entries);
        for name in adopted.removed {
            self.note(fx, Note::EntryTruncated(name));
        }
        for entry in adopted.added {
            self.note(fx, Note::EntryAppended(entry));
        }
        self.candidates_proven(adopted.proven, fx);
    }

    /// Backup: waits for the primary, and looks from time to time whether it is there.
    pub(crate) fn start_backup(&mut self, fx: &mut Vec<Effect>) {
        self.heard_primary();
        self.run_timers(&[Timer::ViewChange], fx);
    }
}
