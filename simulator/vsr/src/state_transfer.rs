//! State transfer: a checkpoint and the log after it, for a replica that the others' logs do not reach back to.
//!
//! The old log stays until the new state is durable, so the replica can still take part in a view change with what it has; it
//! votes for no entry meanwhile.

use crate::bug::Bug;
use crate::ids::{Op, ReplicaId, View};
use crate::io::{Effect, Note, Status, Timer};
use crate::message::{Body, NackReason, RejectReason, StateTransfer};
use crate::replica::{Handled, Replica};
use crate::start_view::{EnterView, check_tail};
use crate::state_machine::StateMachine;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<S: StateMachine> Replica<S> {
    /// Asks the primary of a view for its state.
    pub(crate) fn begin_state_transfer(&mut self, from: ReplicaId, view: View, fx: &mut Vec<Effect>) {
        self.repair.pause();
        // The guard: the old log stays until the new state is there.
        if self.has_bug(Bug::TruncatesBeforeNewStateArrives) {
            self.drop_uncommitted(fx);
        }
        self.repair.transfer_view = view;
        if self.status != Status::StateTransfer {
            self.repair.before_transfer = self.status;
        }
        self.set_status(Status::StateTransfer, fx);
        self.run_timers(&[Timer::ViewChange, Timer::StateTransfer], fx);
        self.send_in(view, from, Body::StateTransferRequest { commit: self.commit }, fx);
    }

    fn drop_uncommitted(&mut self, fx: &mut Vec<Effect>) {
        let mut removed = Vec::new();
        self.log.truncate(self.commit, |name| removed.push(name));
        for name in removed {
            self.note(fx, Note::EntryTruncated(name));
        }
        self.pin_head = self.pin_head.min(self.commit);
        self.acked = self.acked.min(self.commit);
    }

    pub(crate) fn on_state_transfer_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.status != Status::StateTransfer {
            return;
        }
        self.note(fx, Note::TimerFired(Timer::StateTransfer));
        let view = self.repair.transfer_view.max(self.view);
        let primary = self.config.primary_of(view);
        if primary != self.config.replica && self.checkpoints.place_is_free() {
            self.send_in(view, primary, Body::StateTransferRequest { commit: self.commit }, fx);
        }
        self.set_timer(Timer::StateTransfer, fx);
    }

    pub(crate) fn on_state_transfer_request(&mut self, from: ReplicaId, view: View, commit: Op, fx: &mut Vec<Effect>) -> Handled {
        self.primary_only()?;
        if view > self.view {
            return Err(RejectReason::NewerView);
        }
        let content = self.checkpoints.content.as_ref().filter(|checkpoint| checkpoint.op > commit);
        let Some(checkpoint) = content.map(Arc::clone) else {
            let (first, last) = (Op(commit.0 + 1), self.log.head());
            self.send(from, Body::Nack { first, last, reason: NackReason::NeverPrepared }, fx);
            return Ok(());
        };
        let tail = (checkpoint.op.0 + 1..=self.log.head().0).map(|op| self.log.get(Op(op)).cloned());
        let Some(entries) = tail.collect::<Option<Vec<_>>>() else { return Err(RejectReason::WrongStatus) };
        let (known, _) = self.known_commit();
        let commit = known.max(checkpoint.op);
        let trim = self.trim.min(commit);
        let transfer = StateTransfer { checkpoint, commit, op: self.log.head(), hash: self.log.head_hash(), trim, entries };
        self.send(from, Body::StateTransferResponse(Box::new(transfer)), fx);
        Ok(())
    }

    pub(crate) fn on_state_transfer_response(
        &mut self,
        from: ReplicaId,
        view: View,
        transfer: StateTransfer,
        fx: &mut Vec<Effect>,
    ) -> Handled {
        if self.config.primary_of(view) != from {
            return Err(RejectReason::NotPrimary);
        }
        if view < self.view {
            return Err(RejectReason::OldView);
        }
        if self.status != Status::StateTransfer || !self.checkpoints.place_is_free() {
            return Err(RejectReason::WrongStatus);
        }
        let base = (transfer.checkpoint.op, transfer.checkpoint.hash);
        check_tail(base, (transfer.op, transfer.hash), view, &transfer.entries, self.config.bug)?;
        if transfer.commit > transfer.op || transfer.commit < base.0 || transfer.trim > transfer.commit {
            return Err(RejectReason::CommitBeyondLog);
        }
        let gives_up_own = view == self.last_normal_view && transfer.op < self.log.head();
        if base.0 <= self.commit || gives_up_own {
            return Err(RejectReason::Stale);
        }
        self.heard_primary();
        let enter = Box::new(EnterView {
            view,
            commit: transfer.commit,
            base: base.0,
            base_hash: base.1,
            entries: transfer.entries,
            trim: transfer.trim,
            checkpoint: None,
            quorum: None,
        });
        self.write_checkpoint(transfer.checkpoint, Some(enter), fx);
        Ok(())
    }

    /// The primary has no checkpoint beyond the own commit number: its log reaches back far enough.
    pub(crate) fn on_transfer_refused(&mut self, fx: &mut Vec<Effect>) -> Handled {
        if !self.checkpoints.place_is_free() {
            return Err(RejectReason::Stale);
        }
        if self.repair.before_transfer == Status::Normal {
            self.set_status(Status::Normal, fx);
            self.run_timers(&[Timer::ViewChange], fx);
            self.repair_if_needed(fx);
        } else {
            self.rejoin(fx);
        }
        Ok(())
    }
}
