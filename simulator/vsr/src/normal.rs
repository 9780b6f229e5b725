//! Normal operation: the primary puts requests into the log, backups store them and vote, a quorum commits.
//!
//! Viewstamped Replication Revisited, section 4.1, with a durable vote: nobody, the primary included, votes for an entry that
//! is not on its disk.

use crate::bug::Bug;
use crate::entry::{Entry, EntryFields};
use crate::ids::{Hash, Op, ReplicaId, View};
use crate::io::{AbdicationCause, Effect, EntryName, Note, Status, Timer};
use crate::message::{Body, RejectReason};
use crate::quorum::Members;
use crate::reads::Reads;
use crate::replica::{Handled, Replica};
use crate::state_machine::StateMachine;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What only a primary keeps.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Primary {
    /// Voters heard since the abdication timer was last looked at.
    heard: Members,
    /// Voters heard since the last heartbeat: the others are asked for a sign of life.
    recent: Members,
    /// Head of the log when the prepare timer was set: only older entries are sent again.
    prepare_mark: Op,
    /// Head of the log that the view began with, where reads are answered without an entry.
    pub inherited: Op,
    /// Reads that are answered without an entry.
    pub reads: Reads,
}

impl<S: StateMachine> Replica<S> {
    /// Primary: gives an entry its place, sends it, writes it.
    pub(crate) fn prepare(&mut self, mut fields: EntryFields, fx: &mut Vec<Effect>) {
        let head = self.log.head();
        fields.op = Op(head.0 + 1);
        fields.view = self.view;
        fields.previous_hash = self.log.head_hash();
        let (timestamp, is_fallback) = self.next_timestamp();
        fields.timestamp = timestamp;
        let entry = Arc::new(Entry::new(fields));
        self.note(fx, Note::TimestampAssigned { op: entry.op, timestamp, is_fallback });
        self.append(Arc::clone(&entry), fx);
        for backup in self.other_members() {
            self.send(backup, Body::Prepare { entry: Arc::clone(&entry), commit: self.commit }, fx);
        }
        if !self.timer_runs(Timer::Prepare) {
            self.primary.prepare_mark = entry.op;
            self.set_timer(Timer::Prepare, fx);
        }
    }

    /// Puts the next entry into the log in memory and on its way to the disk.
    pub(crate) fn append(&mut self, entry: Arc<Entry>, fx: &mut Vec<Effect>) {
        let op = entry.op;
        self.log.append(Arc::clone(&entry));
        self.note(fx, Note::EntryAppended(entry));
        self.write_entry(op, fx);
        if self.has_bug(Bug::AcksBeforeDurable) {
            self.advance_votes(fx);
        }
    }

    /// Votes for whatever has become durable, in order: a vote says that everything before is on disk too.
    pub(crate) fn advance_votes(&mut self, fx: &mut Vec<Effect>) {
        if self.pending.is_some() || self.status != Status::Normal || !self.may_acknowledge(self.config.replica, self.log.head()) {
            return;
        }
        if !self.is_voter() {
            // What was committed without this member needs no vote of it.
            self.acked = self.acked.max(self.commit);
        }
        let before = self.acked;
        while self.acked < self.log.head() {
            let next = Op(self.acked.0 + 1);
            // The guard: a vote leaves only after its entry is durable.
            let is_ready = self.log.is_durable(next) && !self.log.is_damaged(next)
                || self.has_bug(Bug::AcksBeforeDurable) && self.log.get(next).is_some();
            if !is_ready {
                break;
            }
            self.acked = next;
            if self.may_acknowledge(self.config.replica, next) {
                self.vote(next, fx);
            }
        }
        if self.acked > before && self.is_primary() {
            self.advance_commit(fx);
        }
    }

    fn vote(&mut self, op: Op, fx: &mut Vec<Effect>) {
        // What the primary has committed needs no votes.
        if op <= self.primary_commit {
            return;
        }
        let hash = self.log.hash_of(op).expect("votes are for entries in the log");
        self.note(fx, Note::Acknowledged(EntryName { op, hash }));
        if self.is_primary() {
            let own = self.config.replica;
            let slot = self.log.slot_mut(op).expect("votes are for entries in the log");
            slot.votes.insert(own);
            slot.vote_count += 1;
        } else {
            let checkpoint = self.checkpoints.named.op;
            self.send(self.config.primary_of(self.view), Body::PrepareOk { op, hash, checkpoint }, fx);
        }
    }

    pub(crate) fn on_prepare(&mut self, from: ReplicaId, view: View, entry: Arc<Entry>, commit: Op, fx: &mut Vec<Effect>) -> Handled {
        self.follow(from, view, fx)?;
        if entry.op == Op(0) || self.contradicts_header(entry.view > view || commit > entry.op) {
            return Err(RejectReason::InvalidMetadata);
        }
        self.heard_primary();
        match self.store_prepare(entry, fx) {
            // Nothing new but the commit number, perhaps.
            Err(RejectReason::Duplicate) if commit > self.commit_max => {}
            refused @ Err(_) => return refused,
            Ok(()) => {}
        }
        self.learn_commit(commit, fx);
        Ok(())
    }

    /// Whether a message comes from the primary of the view in which this replica is a normal backup. A higher view is only a
    /// reason to ask its primary.
    pub(crate) fn follow(&mut self, from: ReplicaId, view: View, fx: &mut Vec<Effect>) -> Handled {
        if self.config.primary_of(view) != from {
            return Err(RejectReason::NotPrimary);
        }
        self.refuse_old(view)?;
        if view > self.view {
            self.ask_view(view, fx);
            return Err(RejectReason::NewerView);
        }
        match self.status {
            Status::Normal => return Ok(()),
            Status::StateTransfer => self.heard_primary(),
            // The view has started without this replica.
            Status::ViewChange | Status::Recovering => self.ask_view(view, fx),
        }
        Err(RejectReason::WrongStatus)
    }

    /// The guard: an entry that contradicts the header of its prepare is refused.
    fn contradicts_header(&self, contradicts: bool) -> bool {
        contradicts && !self.has_bug(Bug::SkipsPrepareMetadataCheck)
    }

    fn store_prepare(&mut self, entry: Arc<Entry>, fx: &mut Vec<Effect>) -> Handled {
        let op = entry.op;
        let head = self.log.head();
        if op <= head {
            return self.store_again(&entry, fx);
        }
        if self.contradicts_header(entry.view != self.view) {
            return Err(RejectReason::InvalidMetadata);
        }
        if !self.has_room(op) {
            self.want_log(op, entry.hash, fx);
            return Err(RejectReason::PipelineFull);
        }
        if op.0 > head.0 + 1 {
            self.keep_ahead(entry, fx);
            return Ok(());
        }
        if entry.previous_hash != self.log.head_hash() {
            return Err(RejectReason::BrokenChain);
        }
        self.append(entry, fx);
        self.connect_ahead(fx);
        Ok(())
    }

    /// A prepare that came before: the vote may have been lost.
    fn store_again(&mut self, entry: &Arc<Entry>, fx: &mut Vec<Effect>) -> Handled {
        let op = entry.op;
        if self.log.hash_of(op).is_some_and(|hash| hash != entry.hash) {
            return Err(RejectReason::HashMismatch);
        }
        if self.fill_hole(entry, fx) {
            self.advance_commit(fx);
            return Ok(());
        }
        // A vote says that the entry is on disk: what is known to be damaged there gets none, not even again.
        let may_vote = self.may_acknowledge(self.config.replica, op) && !self.log.is_damaged(op);
        if op > self.primary_commit && op <= self.acked && may_vote {
            self.vote(op, fx);
            return Ok(());
        }
        Err(RejectReason::Duplicate)
    }

    pub(crate) fn on_prepare_ok(
        &mut self,
        from: ReplicaId,
        view: View,
        op: Op,
        hash: Hash,
        checkpoint: Op,
        fx: &mut Vec<Effect>,
    ) -> Handled {
        self.backup_of_own_view(from, view, op)?;
        self.heard_backup(from, checkpoint, fx);
        if op > self.log.head() {
            return Err(RejectReason::InvalidRange);
        }
        if op <= self.commit {
            return Err(RejectReason::Stale);
        }
        if self.log.hash_of(op) != Some(hash) {
            return Err(RejectReason::HashMismatch);
        }
        let counts_twice = self.has_bug(Bug::CountsDuplicateVotes);
        let slot = self.log.slot_mut(op).ok_or(RejectReason::Stale)?;
        // The guard: voters are counted, not votes.
        if !slot.votes.insert(from) && !counts_twice {
            return Err(RejectReason::Duplicate);
        }
        slot.vote_count += 1;
        self.advance_commit(fx);
        Ok(())
    }

    fn backup_of_own_view(&self, from: ReplicaId, view: View, op: Op) -> Handled {
        if !self.may_acknowledge(from, op) {
            return Err(RejectReason::NotMember);
        }
        self.refuse_old(view)?;
        if view > self.view {
            return Err(RejectReason::NewerView);
        }
        self.primary_only()
    }

    /// Primary: a backup is alive and hears us.
    pub(crate) fn heard_backup(&mut self, from: ReplicaId, checkpoint: Op, fx: &mut Vec<Effect>) {
        self.primary.heard.insert(from);
        self.primary.recent.insert(from);
        if self.checkpoints.heard(from, checkpoint) {
            self.advance_trim(fx);
        }
    }

    pub(crate) fn on_commit(
        &mut self,
        from: ReplicaId,
        view: View,
        (commit, commit_hash): (Op, Hash),
        trim: Op,
        asked: Option<u64>,
        fx: &mut Vec<Effect>,
    ) -> Handled {
        self.follow(from, view, fx)?;
        if trim > commit {
            return Err(RejectReason::InvalidMetadata);
        }
        self.heard_primary();
        if let Some(round) = asked {
            self.send_pong(from, 0, round, fx);
        }
        if commit <= self.log.head() && self.log.hash_of(commit).is_some_and(|hash| hash != commit_hash) {
            return Err(RejectReason::HashMismatch);
        }
        self.trim = self.trim.max(trim);
        self.note_trim(fx);
        if commit > self.log.head() {
            self.want_log(commit, commit_hash, fx);
        }
        self.learn_commit(commit, fx);
        Ok(())
    }

    /// The primary of this view says that everything up to `commit` is committed.
    pub(crate) fn learn_commit(&mut self, commit: Op, fx: &mut Vec<Effect>) {
        self.primary_commit = self.primary_commit.max(commit);
        self.commit_max = self.commit_max.max(commit);
        self.advance_commit(fx);
    }

    /// Primary: entries that were outstanding when the timer was set go once more to those that have not voted.
    pub(crate) fn on_prepare_timer(&mut self, fx: &mut Vec<Effect>) {
        if !self.is_primary() || self.commit == self.log.head() {
            return;
        }
        if self.primary.prepare_mark > self.commit {
            self.note(fx, Note::TimerFired(Timer::Prepare));
        }
        let named = self.named_by_change();
        for number in self.commit.0 + 1..=self.primary.prepare_mark.0.min(self.log.head().0) {
            let Some(slot) = self.log.slot(Op(number)) else { continue };
            let (votes, Some(entry)) = (slot.votes, self.log.get(Op(number)).map(Arc::clone)) else { continue };
            let wanted = self.membership.voters.or(named).without(votes);
            for backup in self.other_members().filter(|backup| wanted.contains(*backup)) {
                self.send(backup, Body::Prepare { entry: Arc::clone(&entry), commit: self.commit }, fx);
            }
        }
        self.primary.prepare_mark = self.log.head();
        self.set_timer(Timer::Prepare, fx);
    }

    pub(crate) fn on_heartbeat_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.is_primary() && !self.abdicate_without_time(fx) {
            self.send_heartbeats(fx);
            self.set_timer(Timer::Heartbeat, fx);
        }
    }

    /// Tells all members the commit number; those that were silent since the last time are asked for a sign of life.
    pub(crate) fn send_heartbeats(&mut self, fx: &mut Vec<Effect>) {
        let (commit, commit_hash, trim) = (self.commit, self.commit_hash(), self.trim.min(self.commit));
        // Without room in the ring everybody is asked: an answer also says which checkpoint is durable there.
        let is_full = !self.has_room(Op(self.log.head().0 + 1));
        for member in self.other_members() {
            let (round, is_missed) = self.primary.reads.wanted_from(member);
            let is_missed = is_missed && self.votes(member);
            let ask = self.votes(member) && (is_full || !self.primary.recent.contains(member));
            self.send(member, Body::Commit { commit, commit_hash, trim, ask: ask || is_missed, round }, fx);
        }
        self.primary.recent = Members::default();
    }

    /// Primary: without a quorum that answers, another one must lead. A primary that is only heard would lead for ever.
    pub(crate) fn on_abdication_timer(&mut self, fx: &mut Vec<Effect>) {
        if !self.is_primary() {
            return;
        }
        let own = self.config.replica;
        let mut heard = core::mem::take(&mut self.primary.heard);
        heard.insert(own);
        // The guard: who hears no quorum must not keep the others waiting.
        if self.membership.has_quorum(heard) || self.has_bug(Bug::PrimaryNeverAbdicates) {
            self.set_timer(Timer::Abdication, fx);
        } else {
            self.note(fx, Note::TimerFired(Timer::Abdication));
            self.abdicate(AbdicationCause::NoQuorum, fx);
        }
    }

    pub(crate) fn abdicate(&mut self, cause: AbdicationCause, fx: &mut Vec<Effect>) {
        self.note(fx, Note::Abdicated(cause));
        let view = self.next_view();
        self.leave_view(view, fx);
    }

    /// Primary: starts a view with nobody heard yet, and what is left to commit to be sent again in time.
    pub(crate) fn start_primary(&mut self, fx: &mut Vec<Effect>) {
        self.primary = Primary { prepare_mark: self.log.head(), ..Primary::default() };
        if self.answers_reads_from_state() {
            self.primary.inherited = self.log.head();
        }
        self.clock_leads();
        self.reconfiguration.forget();
        self.run_timers(&[Timer::Heartbeat, Timer::Abdication], fx);
        if self.commit < self.log.head() {
            self.set_timer(Timer::Prepare, fx);
        }
        self.advance_trim(fx);
    }
}
