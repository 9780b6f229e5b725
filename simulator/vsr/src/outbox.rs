//! Short names for the effects that every sub-protocol uses: send, note, timers.
//!
//! Message headers are filled in here only, so that no sub-protocol can forget one of their fields.

use crate::constants::{
    ABDICATION_TIMEOUT_NS, HEARTBEAT_NS, PING_NS, PREPARE_TIMEOUT_NS, RECOVERY_RETRY_NS, REPAIR_DELAY_NS, STATE_TRANSFER_TIMEOUT_NS,
    VIEW_CHANGE_RESEND_NS, VIEW_CHANGE_TICKS, VIEW_CHANGE_TIMEOUT_NS, VIEW_CHANGE_WINDOW_NS,
};
use crate::ids::{ClientKey, Peer, ReplicaId, View};
use crate::io::{Effect, Note, Timer};
use crate::message::{Body, Message};
use crate::replica::Replica;
use crate::state_machine::StateMachine;
use alloc::vec::Vec;

impl<S: StateMachine> Replica<S> {
    pub(crate) fn note(&self, fx: &mut Vec<Effect>, note: Note) {
        fx.push(Effect::Note { state: self.summary(), note });
    }

    /// Sends under the own view.
    pub(crate) fn send(&self, to: ReplicaId, body: Body, fx: &mut Vec<Effect>) {
        self.send_in(self.view, to, body, fx);
    }

    /// Sends under another view: one that is asked for.
    pub(crate) fn send_in(&self, view: View, to: ReplicaId, body: Body, fx: &mut Vec<Effect>) {
        self.send_to(view, Peer::Replica(to), body, fx);
    }

    pub(crate) fn send_client(&self, to: ClientKey, body: Body, fx: &mut Vec<Effect>) {
        self.send_client_in(self.view, to, body, fx);
    }

    /// Sends to a client under another view.
    pub(crate) fn send_client_in(&self, view: View, to: ClientKey, body: Body, fx: &mut Vec<Effect>) {
        self.send_to(view, Peer::Client(to), body, fx);
    }

    fn send_to(&self, view: View, to: Peer, body: Body, fx: &mut Vec<Effect>) {
        let message = Message { epoch: self.membership.epoch, view, from: Peer::Replica(self.config.replica), to, body };
        fx.push(Effect::Send(message));
    }

    /// All voters but this replica.
    pub(crate) fn other_voters(&self) -> impl Iterator<Item = ReplicaId> + use<S> {
        let voters = self.membership.voters;
        self.other_members().filter(move |replica| voters.contains(*replica))
    }

    /// All members but this replica, standbys included.
    pub(crate) fn other_members(&self) -> impl Iterator<Item = ReplicaId> + use<S> {
        let own = self.config.replica;
        (0..self.config.members()).map(ReplicaId).filter(move |replica| *replica != own)
    }

    /// Starts a timer with its usual time.
    pub(crate) fn set_timer(&mut self, timer: Timer, fx: &mut Vec<Effect>) {
        let after_ns = match timer {
            Timer::Prepare => PREPARE_TIMEOUT_NS,
            Timer::Heartbeat => HEARTBEAT_NS,
            Timer::ViewChange => VIEW_CHANGE_TIMEOUT_NS / u64::from(VIEW_CHANGE_TICKS),
            Timer::ViewChangeWindow => VIEW_CHANGE_WINDOW_NS,
            Timer::ViewChangeResend => VIEW_CHANGE_RESEND_NS,
            Timer::Recovery => RECOVERY_RETRY_NS,
            Timer::Repair => REPAIR_DELAY_NS,
            Timer::StateTransfer => STATE_TRANSFER_TIMEOUT_NS,
            Timer::Abdication => ABDICATION_TIMEOUT_NS,
            Timer::Ping => PING_NS,
            Timer::Scrub => self.config.scrub_tick_ns,
        };
        self.set_timer_for(timer, after_ns, fx);
    }

    /// Starts a timer with a time of its own, before division.
    pub(crate) fn set_timer_for(&mut self, timer: Timer, after_ns: u64, fx: &mut Vec<Effect>) {
        self.timers |= 1 << timer as u16;
        fx.push(Effect::SetTimer { timer, after_ns: self.config.timeout(after_ns) });
    }

    /// Starts a timer unless it runs.
    pub(crate) fn ensure_timer(&mut self, timer: Timer, fx: &mut Vec<Effect>) {
        if !self.timer_runs(timer) {
            self.set_timer(timer, fx);
        }
    }

    pub(crate) fn timer_runs(&self, timer: Timer) -> bool {
        self.timers & (1 << timer as u16) != 0
    }

    /// Lets exactly these of the timers that belong to a status run; the others stop. Clocks are compared in any status, and the
    /// scrubber's timer belongs to none.
    pub(crate) fn run_timers(&mut self, wanted: &[Timer], fx: &mut Vec<Effect>) {
        for timer in Timer::ALL.into_iter().filter(|timer| !matches!(timer, Timer::Ping | Timer::Scrub)) {
            // A replica that may not vote yet goes on asking, whatever else it does.
            if wanted.contains(&timer) || timer == Timer::Recovery && self.awaits_readmission() {
                self.ensure_timer(timer, fx);
            } else {
                self.cancel_timer(timer, fx);
            }
        }
    }

    /// Stops a timer if it runs.
    pub(crate) fn cancel_timer(&mut self, timer: Timer, fx: &mut Vec<Effect>) {
        if self.timer_runs(timer) {
            self.timers &= !(1 << timer as u16);
            fx.push(Effect::CancelTimer(timer));
        }
    }
}
