//! View change: who may ask for one, how a new primary finds the log, how it ends.
//!
//! Viewstamped Replication Revisited, section 4.2, with three additions. A backup that has lost its primary first asks the
//! others whether they have too (a ping that says so): one flapping link moves nobody. A vote leaves only after the view is in
//! the superblock, together with the log that every later message of that view will carry. Damaged slots take part as what they
//! are: unknown, neither held nor denied (Alagappan et al., Protocol-Aware Recovery, FAST'18).

use crate::bug::Bug;
use crate::constants::{TAIL_ENTRIES_MAX, VIEW_CHANGE_TICKS, VIEW_CHANGE_WINDOW_FACTOR_MAX, VIEW_CHANGE_WINDOW_NS};
use crate::ids::{Hash, Op, ReplicaId, View};
use crate::io::{Effect, Note, Status, Timer};
use crate::message::{Body, DoViewChange, RejectReason, TailSlot};
use crate::promise::Pending;
use crate::quorum::Members;
use crate::replica::{Config, Handled, Replica};
use crate::selection::{self, Rules};
use crate::state_machine::StateMachine;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The state of view changes.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ViewChange {
    /// Highest view for which each member has left its own.
    left_for: Vec<View>,
    /// The view that `logs` are for.
    logs_view: View,
    /// The members' logs.
    logs: Vec<Option<Box<DoViewChange>>>,
    /// Whose log came last.
    last_log: ReplicaId,
    /// The highest commit number that was claimed beyond a log: only where the guard against it is switched off.
    pub claimed_commit: Op,
    /// The own log, once it has been sent.
    own: Option<Box<DoViewChange>>,
    /// Views tried since the last one that was entered: each gets more time.
    attempts: u64,
    /// Something was heard from the primary since the last tick.
    heard: bool,
    /// Ticks without a word.
    silent_ticks: u32,
    /// Voters that have lost their primary too.
    canvass: Members,
    /// The view whose primary was asked for its `start_view`.
    pub asked_view: Option<View>,
}

impl ViewChange {
    pub fn new(config: &Config) -> Self {
        let members = usize::from(config.members());
        Self {
            left_for: (0..members).map(|_| View(0)).collect(),
            logs_view: View(0),
            logs: (0..members).map(|_| None).collect(),
            last_log: config.replica,
            claimed_commit: Op(0),
            own: None,
            attempts: 0,
            heard: true,
            silent_ticks: 0,
            canvass: Members::default(),
            asked_view: None,
        }
    }

    /// A voter has left its view for another one, and never comes back.
    pub fn saw(&mut self, from: ReplicaId, view: View) {
        let left_for = &mut self.left_for[usize::from(from.0)];
        *left_for = view.max(*left_for);
    }

    /// Members that vote for a view.
    fn votes_for(&self, view: View) -> Members {
        let mut votes = Members::default();
        for (replica, left_for) in (0..).map(ReplicaId).zip(&self.left_for) {
            if *left_for == view {
                votes.insert(replica);
            }
        }
        votes
    }

    /// A view has been entered: what was collected for it, or for older ones, is of no use any more.
    pub fn forget(&mut self) {
        for log in &mut self.logs {
            *log = None;
        }
        self.claimed_commit = Op(0);
        self.own = None;
        self.attempts = 0;
        self.asked_view = None;
    }

    /// Members whose log for the view that was collected last has come.
    pub fn senders(&self) -> Members {
        let mut senders = Members::default();
        for (replica, _) in (0..).map(ReplicaId).zip(&self.logs).filter(|(_, log)| log.is_some()) {
            senders.insert(replica);
        }
        senders
    }

    /// Voters whose log holds an entry.
    pub fn holders_of(&self, op: Op, hash: Hash) -> Members {
        let mut holders = Members::default();
        for (replica, log) in (0..).map(ReplicaId).zip(&self.logs) {
            let place = log.as_ref().and_then(|log| log.tail.get(usize::try_from(op.0.checked_sub(log.commit.0 + 1)?).ok()?));
            if matches!(place, Some(TailSlot::Present(entry)) if entry.hash == hash) {
                holders.insert(replica);
            }
        }
        holders
    }

    fn keep_log(&mut self, from: ReplicaId, view: View, vote: Box<DoViewChange>) -> Handled {
        if view < self.logs_view {
            return Err(RejectReason::OldView);
        }
        if view > self.logs_view {
            self.logs_view = view;
            self.claimed_commit = Op(0);
            for log in &mut self.logs {
                *log = None;
            }
        }
        let kept = &mut self.logs[usize::from(from.0)];
        if kept.is_some() {
            return Err(RejectReason::Duplicate);
        }
        *kept = Some(vote);
        self.last_log = from;
        Ok(())
    }
}

impl<S: StateMachine> Replica<S> {
    /// The primary of the own view is there.
    pub(crate) fn heard_primary(&mut self) {
        self.view_change.heard = true;
        self.view_change.silent_ticks = 0;
        self.view_change.canvass = Members::default();
    }

    /// Whether this replica sees no primary at work in its view.
    pub(crate) fn suspects(&self) -> bool {
        self.status == Status::ViewChange || self.view_change.silent_ticks >= VIEW_CHANGE_TICKS
    }

    /// Looks several times within the timeout, so that hearing the primary costs no timer.
    pub(crate) fn on_view_change_timer(&mut self, fx: &mut Vec<Effect>) {
        self.view_change.asked_view = None;
        if self.status == Status::ViewChange || self.is_primary() {
            return;
        }
        self.set_timer(Timer::ViewChange, fx);
        if core::mem::take(&mut self.view_change.heard) {
            self.view_change.silent_ticks = 0;
            return;
        }
        self.view_change.silent_ticks += 1;
        if !self.suspects() {
            return;
        }
        if self.view_change.silent_ticks == VIEW_CHANGE_TICKS {
            self.note(fx, Note::TimerFired(Timer::ViewChange));
        }
        if self.is_voter() {
            self.canvass(fx);
        } else {
            self.ask_everybody(fx);
        }
    }

    /// Asks all voters whether they have lost their primary too.
    fn canvass(&mut self, fx: &mut Vec<Effect>) {
        for voter in self.other_voters() {
            self.send(voter, Body::Ping { sent_ns: self.clock.now_ns(), suspects: true }, fx);
        }
        let own = self.config.replica;
        self.count_suspicion(own, fx);
    }

    fn count_suspicion(&mut self, replica: ReplicaId, fx: &mut Vec<Effect>) {
        self.view_change.canvass.insert(replica);
        if self.membership.has_quorum(self.view_change.canvass) {
            let view = self.next_view();
            self.leave_view(view, fx);
        }
    }

    pub(crate) fn on_ping(&mut self, from: ReplicaId, view: View, sent_ns: u64, suspects: bool, fx: &mut Vec<Effect>) {
        self.send_pong(from, sent_ns, 0, fx);
        if self.is_primary() && suspects && view <= self.view {
            let (commit, commit_hash) = (self.commit, self.commit_hash());
            self.send(from, Body::Commit { commit, commit_hash, trim: self.trim.min(commit), ask: false, round: 0 }, fx);
        }
        // Who only asks for the time need not be in a view that has started.
        if suspects && view > self.view {
            self.ask_view(view, fx);
        }
        self.count_if_suspicious(from, view, suspects, fx);
    }

    /// A sign of life, and what the clock reads, in answer to a ping or to a round of heartbeats.
    pub(crate) fn send_pong(&self, to: ReplicaId, sent_ns: u64, round: u64, fx: &mut Vec<Effect>) {
        let (clock_ns, synchronised) = (self.clock_ns, self.claims_time());
        let (votes, checkpoint) = (self.is_voter(), self.checkpoints.named.op);
        let suspects = self.suspects() && votes;
        // Who may not vote yet confirms nobody's leadership: its former self may have voted for another one.
        let round = if votes { round } else { 0 };
        self.send(to, Body::Pong { sent_ns, clock_ns, synchronised, round, suspects, votes, checkpoint }, fx);
    }

    /// Who does not vote keeps no primary in its place: with those alone it would lead for ever, and commit nothing.
    pub(crate) fn on_pong(&mut self, from: ReplicaId, view: View, (suspects, votes): (bool, bool), checkpoint: Op, fx: &mut Vec<Effect>) {
        if self.is_primary() && view == self.view {
            if votes && self.votes(from) {
                self.heard_backup(from, checkpoint, fx);
            } else {
                self.heard_standby(from, checkpoint);
            }
        }
        self.count_if_suspicious(from, view, suspects, fx);
    }

    /// A voter in an older view counts too: whatever its primary was, it is not ours. One in a newer view does not: there is a
    /// view to join.
    fn count_if_suspicious(&mut self, from: ReplicaId, view: View, suspects: bool, fx: &mut Vec<Effect>) {
        let counts = suspects && view <= self.view && self.votes(from) && self.is_voter();
        if counts && self.status != Status::ViewChange && !self.is_primary() && self.suspects() {
            let own = self.config.replica;
            self.view_change.canvass.insert(own);
            self.count_suspicion(from, fx);
        }
    }

    /// Leaves the own view for a higher one: first in the superblock.
    pub(crate) fn leave_view(&mut self, view: View, fx: &mut Vec<Effect>) {
        assert!(view > self.view, "members leave their view for a higher one");
        self.checkpoints.abandon_transfer();
        let keep = self.kept_tail();
        self.promise(Pending::Raise { view, keep }, fx);
    }

    /// What a replica claims in a view change is on its disk: an entry that never became durable was never acknowledged, and
    /// leaves. What the last `start_view` brought is pinned, and stays in any case.
    fn kept_tail(&self) -> Op {
        let (known, _) = self.known_commit();
        let mut keep = self.pin_head.max(known).min(self.log.head());
        while keep < self.log.head() && self.log.is_durable(Op(keep.0 + 1)) {
            keep.0 += 1;
        }
        keep
    }

    /// The superblock says so: votes for the view.
    pub(crate) fn raise_view(&mut self, view: View, keep: Op, fx: &mut Vec<Effect>) {
        self.view = view;
        self.set_status(Status::ViewChange, fx);
        let mut removed = Vec::new();
        self.log.truncate(keep, |name| removed.push(name));
        for name in removed {
            self.note(fx, Note::EntryTruncated(name));
        }
        self.pin_head = keep;
        self.resume_view_change(fx);
    }

    /// In a view change, at its beginning or after a restart.
    pub(crate) fn resume_view_change(&mut self, fx: &mut Vec<Effect>) {
        self.set_status(Status::ViewChange, fx);
        self.repair.forget();
        self.view_change.own = None;
        self.view_change.asked_view = None;
        self.view_change.silent_ticks = 0;
        self.view_change.canvass = Members::default();
        self.reconfiguration.named = Members::default();
        if self.is_voter() {
            self.view_change.saw(self.config.replica, self.view);
            self.note(fx, Note::VoteCast { view: self.view, head: None });
            self.send_start_view_change(fx);
        }
        self.run_timers(&[Timer::ViewChangeResend], fx);
        let factor = (self.view_change.attempts + 1).min(VIEW_CHANGE_WINDOW_FACTOR_MAX);
        self.set_timer_for(Timer::ViewChangeWindow, VIEW_CHANGE_WINDOW_NS * factor, fx);
        self.vote_if_agreed(fx);
        self.select_log(fx);
    }

    fn send_start_view_change(&self, fx: &mut Vec<Effect>) {
        for voter in self.other_voters() {
            self.send(voter, Body::StartViewChange, fx);
        }
    }

    pub(crate) fn on_start_view_change(&mut self, from: ReplicaId, view: View, fx: &mut Vec<Effect>) -> Handled {
        // Who has forgotten its promises has no log to show.
        if self.awaits_readmission() {
            return Err(RejectReason::NotMember);
        }
        if !self.is_voter() {
            return self.on_call_for_log(from, view, fx);
        }
        if !self.votes(from) {
            return Err(RejectReason::NotMember);
        }
        self.refuse_old(view)?;
        let known = self.view_change.votes_for(view).contains(from);
        self.view_change.saw(from, view);
        if view > self.view {
            if self.joins(from) {
                self.leave_view(view, fx);
            }
            return Ok(());
        }
        if self.is_primary() {
            self.send_start_view(from, fx);
            return Ok(());
        }
        if self.status != Status::ViewChange {
            return Err(RejectReason::WrongStatus);
        }
        if known {
            return Err(RejectReason::Duplicate);
        }
        self.vote_if_agreed(fx);
        Ok(())
    }

    /// Whether to leave the own view because another voter has. One voter is reason enough if this replica sees no primary, if it
    /// is the primary, or if the voter was: otherwise the primary is at work, and only a quorum of others ends its view.
    fn joins(&self, from: ReplicaId) -> bool {
        let primary = self.config.primary_of(self.view);
        if self.suspects() || primary == self.config.replica || primary == from {
            return true;
        }
        let left_for = (0..).map(ReplicaId).zip(&self.view_change.left_for);
        let gone = left_for.filter(|(replica, left_for)| self.votes(*replica) && **left_for > self.view).count();
        gone >= self.quorums.view_change as usize
    }

    /// Sends the own log to the new primary once a quorum has left for this view.
    fn vote_if_agreed(&mut self, fx: &mut Vec<Effect>) {
        let agree = self.membership.has_quorum(self.view_change.votes_for(self.view));
        // Who has sent its log has seen a quorum leave, and so has the primary that calls for the log of a member that does not vote.
        let has_log = self.view_change.logs_view == self.view && self.view_change.logs.iter().any(Option::is_some);
        // The guard: one replica alone ends no view.
        let agreed = agree || has_log || !self.is_voter() || self.has_bug(Bug::UnilateralViewChange);
        if agreed && self.status == Status::ViewChange && self.view_change.own.is_none() {
            self.cast_do_view_change(fx);
        }
    }

    fn cast_do_view_change(&mut self, fx: &mut Vec<Effect>) {
        let vote = Box::new(self.do_view_change());
        self.note(fx, Note::VoteCast { view: self.view, head: Some(vote.hash) });
        self.view_change.own = Some(vote.clone());
        let primary = self.config.primary_of(self.view);
        if primary == self.config.replica {
            // It cannot be refused: an older vote of its own is not there.
            let _ = self.view_change.keep_log(primary, self.view, vote);
            self.select_log(fx);
        } else {
            self.send(primary, Body::DoViewChange(vote), fx);
        }
    }

    /// The own log. It does not change while the replica is in this view, nor by a restart.
    fn do_view_change(&self) -> DoViewChange {
        let (commit, commit_hash) = self.known_commit();
        let slot = |op| match self.log.get(op) {
            Some(entry) => TailSlot::Present(Arc::clone(entry)),
            None => TailSlot::Missing(self.log.hash_of(op)),
        };
        DoViewChange {
            last_normal_view: self.last_normal_view,
            commit,
            commit_hash,
            op: self.log.head(),
            hash: self.log.head_hash(),
            uncertain: self.uncertain,
            retained: self.log.floor(),
            checkpoint: self.checkpoints.named.op,
            tail: (commit.0 + 1..=self.log.head().0).map(|op| slot(Op(op))).collect(),
        }
    }

    pub(crate) fn on_do_view_change(&mut self, from: ReplicaId, view: View, vote: Box<DoViewChange>, fx: &mut Vec<Effect>) -> Handled {
        if view == self.view && self.is_primary() {
            self.check_do_view_change(view, vote)?;
            // The view has started: the sender has not heard.
            self.send_start_view(from, fx);
            return Ok(());
        }
        self.keep_do_view_change(from, view, vote)?;
        if view > self.view {
            // A quorum has left for this view.
            self.leave_view(view, fx);
            return Ok(());
        }
        self.vote_if_agreed(fx);
        self.select_log(fx);
        Ok(())
    }

    /// Validates a log, the whole of it, and keeps it for the view that it is for.
    pub(crate) fn keep_do_view_change(&mut self, from: ReplicaId, view: View, vote: Box<DoViewChange>) -> Handled {
        let counts = self.votes(from) || self.reconfiguration.named.contains(from);
        if !counts || !self.is_voter() {
            return Err(RejectReason::NotMember);
        }
        if self.config.primary_of(view) != self.config.replica {
            return Err(RejectReason::NotPrimary);
        }
        self.refuse_old(view)?;
        if view == self.view && self.status != Status::ViewChange {
            return Err(RejectReason::WrongStatus);
        }
        let claimed_commit = vote.commit;
        let vote = self.check_do_view_change(view, vote)?;
        self.view_change.saw(from, view);
        self.view_change.keep_log(from, view, vote)?;
        self.view_change.claimed_commit = claimed_commit.max(self.view_change.claimed_commit);
        Ok(())
    }

    /// The guard: what belongs to an older view than the own one is refused.
    pub(crate) fn refuse_old(&self, view: View) -> Handled {
        if view < self.view && !self.has_bug(Bug::AcceptsOldView) { Err(RejectReason::OldView) } else { Ok(()) }
    }

    /// Checks a log before any part of it is used; hands it back as it may be used.
    fn check_do_view_change(&self, view: View, mut vote: Box<DoViewChange>) -> Result<Box<DoViewChange>, RejectReason> {
        if vote.tail.len() > TAIL_ENTRIES_MAX {
            return Err(RejectReason::TooLarge);
        }
        // The guard: nobody can know that something is committed beyond its own log.
        if vote.commit > vote.op {
            if !self.has_bug(Bug::TrustsInflatedCommit) {
                return Err(RejectReason::CommitBeyondLog);
            }
            vote.read_from_head();
        }
        // The guard: a log has as many entries as it claims.
        if vote.tail.len() as u64 != vote.op.0 - vote.commit.0 {
            if !self.has_bug(Bug::IgnoresTailLength) {
                return Err(RejectReason::TailLengthMismatch);
            }
            vote.op = Op(vote.commit.0 + vote.tail.len() as u64);
        }
        if vote.last_normal_view >= view || vote.checkpoint > vote.commit {
            return Err(RejectReason::InvalidMetadata);
        }
        // The guard: a log is a chain.
        if !self.has_bug(Bug::UnvalidatedViewChangeLog) {
            check_chain(&vote)?;
        }
        Ok(vote)
    }

    /// New primary: enters the view with the log that a quorum of logs proves, if they do already.
    fn select_log(&mut self, fx: &mut Vec<Effect>) {
        let is_collecting = self.status == Status::ViewChange && self.pending.is_none() && self.view_change.own.is_some();
        if !is_collecting || self.config.primary_of(self.view) != self.config.replica || self.view_change.logs_view != self.view {
            return;
        }
        let rules = Rules {
            voters: self.membership.voters,
            quorums: self.quorums,
            is_chain_checked: !self.has_bug(Bug::UnvalidatedViewChangeLog),
            favourite: self.has_bug(Bug::ArbitraryTieBreak).then_some(self.view_change.last_log),
            is_unknown_denied: self.has_bug(Bug::NacksCorruptEntry),
        };
        let Some(mut enter) = selection::select(self.view, &self.view_change.logs, rules) else { return };
        if self.has_bug(Bug::TrustsInflatedCommit) {
            enter.commit = self.view_change.claimed_commit.max(enter.commit).min(enter.head());
        }
        if !self.change_is_backed(&enter, fx) {
            return;
        }
        let agrees = self.log.agrees(self.commit, enter.base, enter.base_hash, &enter.entries);
        let has_room = self.reaches(enter.head());
        // A replica that lags so far that nobody can repair it, or not soon, lets the next one lead.
        if agrees && has_room && self.can_be_repaired(enter.base) && !self.lets_the_next_one_lead(enter.base) {
            for (replica, log) in (0..).map(ReplicaId).zip(&self.view_change.logs) {
                if let Some(log) = log {
                    self.checkpoints.heard(replica, log.checkpoint);
                }
            }
            enter.trim = self.trim;
            self.promise(Pending::Enter(Box::new(enter)), fx);
        }
    }

    /// Whether each committed entry up to `base` that this replica lacks is still held by one of the voters, as far as their
    /// votes tell: not the same one for all of them.
    fn can_be_repaired(&self, base: Op) -> bool {
        let own = usize::from(self.config.replica.0);
        let others = || (0..).zip(&self.view_change.logs).filter(|(replica, _)| *replica != own).filter_map(|(_, log)| log.as_ref());
        let mut missing = (self.commit.0 + 1..=base.0).map(Op).filter(|op| self.log.get(*op).is_none());
        missing.all(|op| others().any(|log| log.retained < op && op <= log.op))
    }

    /// A primary serves nobody before it has whatever was committed: who lacks more than a checkpoint would bring waits for the next view,
    /// unless that has been tried as often as there are voters.
    fn lets_the_next_one_lead(&self, base: Op) -> bool {
        let missing = (self.commit.0 + 1..=base.0).filter(|op| self.log.get(Op(*op)).is_none()).count() as u64;
        missing > self.config.checkpoint_interval && self.view_change.attempts < u64::from(self.membership.voters.len())
    }

    /// The view change takes too long. If a quorum has left for this view, the next one is tried; else there is nobody to try
    /// it with.
    pub(crate) fn on_window_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.status != Status::ViewChange {
            return;
        }
        self.note(fx, Note::TimerFired(Timer::ViewChangeWindow));
        let agreed = self.membership.has_quorum(self.view_change.votes_for(self.view)) || self.view_change.own.is_some();
        if agreed && self.is_voter() {
            self.view_change.attempts += 1;
            let view = self.next_view();
            self.leave_view(view, fx);
        } else {
            self.set_timer(Timer::ViewChangeWindow, fx);
        }
    }

    pub(crate) fn on_resend_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.status != Status::ViewChange {
            return;
        }
        self.view_change.asked_view = None;
        if self.is_voter() {
            self.send_start_view_change(fx);
        }
        let primary = self.config.primary_of(self.view);
        if let Some(vote) = self.view_change.own.clone().filter(|_| primary != self.config.replica) {
            self.send(primary, Body::DoViewChange(vote), fx);
        }
        if !self.reconfiguration.named.is_empty() {
            self.select_log(fx);
        }
        self.set_timer(Timer::ViewChangeResend, fx);
    }
}

/// Checks that the entries of a tail belong where they stand, and to views that the log can have seen, and connect.
fn check_chain(vote: &DoViewChange) -> Handled {
    let mut below: Option<Hash> = Some(vote.commit_hash);
    for (number, slot) in (vote.commit.0 + 1..).zip(&vote.tail) {
        if let TailSlot::Present(entry) = slot {
            if entry.op != Op(number) || entry.view > vote.last_normal_view {
                return Err(RejectReason::InvalidMetadata);
            }
            if below.is_some_and(|below| below != entry.previous_hash) {
                return Err(RejectReason::BrokenChain);
            }
        }
        below = slot.hash();
    }
    if below == Some(vote.hash) { Ok(()) } else { Err(RejectReason::BrokenChain) }
}
