//! Processes: steps of a replica, its effects one after another, and what ends or holds up an incarnation.
//!
//! A crash may come between any two effects of a step. The order of effects is the protocol's promise about durability,
//! and only a world that stops in the middle puts it to the test.

use crate::machine::Machine;
use crate::node::Process;
use crate::options::Rate;
use crate::recorder::{convert, transitions};
use crate::timers::{Due, Timers};
use crate::world::{Event, World};
use vopr_schema::{Fate, FaultFamily, FaultKind, TransitionEvent};
use vsr::Replica;
use vsr::io::{Effect, Input, Note, Timer};
use vsr::message::{Body, Message};

/// Timers run up to this many thousandths longer than asked, so that replicas do not time out in step.
const JITTER_THOUSANDTHS: u64 = 100;

impl World {
    /// The first start of a replica, with an empty disk.
    pub(crate) fn start(&mut self, node: usize) {
        let machine = Machine::new(&self.options.cluster, self.kernel_bug);
        self.nodes[node].replica = Some(Replica::new(self.config(node), machine));
        self.nodes[node].process = Process::Up;
        self.step(node, Input::Start);
    }

    /// Hands an input to a replica that runs, and carries out what it asks for.
    pub(crate) fn step(&mut self, node: usize, input: Input) {
        let mut effects = core::mem::take(&mut self.effects);
        let machine = &mut self.nodes[node];
        let now = machine.clock.now(self.now_ns);
        machine.replica.as_mut().expect("only replicas that run are stepped").step(now, input, &mut effects);
        let mut crashed = None;
        for index in 0..effects.len() {
            let effect = core::mem::replace(&mut effects[index], Effect::CancelTimer(Timer::Scrub));
            let point = crash_point(&effect);
            self.carry_out(node, effect);
            if let Some(kind) = point
                && (kind != FaultKind::CrashDuringStartView || effects[index + 1..].iter().any(is_start_view))
                && self.crash_strikes(node, kind)
            {
                crashed = Some(kind);
                break;
            }
        }
        effects.clear();
        self.effects = effects;
        if let Some(kind) = crashed {
            self.crash_at_step(node, kind);
        } else {
            let machine = &mut self.nodes[node];
            let replica = machine.replica.as_ref().expect("it has just been stepped");
            machine.summary = replica.summary();
            // What was lost with a disk is back when its replica votes again and has written whatever it lacked.
            if self.atlas.is_blank(machine.id) && replica.is_voter() && replica.is_complete() && machine.disk.is_idle() {
                self.atlas.release_blank(machine.id);
            }
        }
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send(message) => self.send_from_replica(node, message),
            Effect::Persist { write, what } => self.begin_write(node, write, what),
            Effect::Read { read, slot } => self.begin_read(node, read, slot),
            Effect::Scan { read, places } => self.begin_scan(node, read, places),
            Effect::SetTimer { timer, after_ns } => self.set_timer(node, timer, after_ns),
            Effect::CancelTimer(timer) => self.nodes[node].timers.cancel(timer),
            Effect::Note { state, note } => {
                self.nodes[node].summary = state;
                self.noted(node, &note);
            }
            Effect::Reject(reason) => self.refused(node, reason),
        }
    }

    fn noted(&mut self, node: usize, what: &Note) {
        if matches!(what, Note::Committed { .. }) {
            self.last_commit_ns = self.now_ns;
        }
        if let Note::EpochEntered(entered) = what
            && entered.epoch > self.membership.epoch
        {
            self.membership = *entered;
            self.reassess();
        }
        if self.recorder.is_on() {
            let row = transitions::of_note(&self.nodes[node].summary, what);
            self.record_transition(node, row);
        }
    }

    /// Writes a transition of `node`, caused by the message that it is being given, if any.
    pub(crate) fn record_transition(&mut self, node: usize, mut row: vopr_schema::TransitionRow) {
        row.replica = self.nodes[node].id;
        row.incarnation = self.nodes[node].incarnation;
        row.cause = self.current.map(|current| current.id);
        self.recorder.transition(row);
    }

    fn refused(&mut self, node: usize, reason: vsr::message::RejectReason) {
        let Some(current) = self.current else {
            return;
        };
        if self.recorder.is_on() {
            self.recorder.rejected(current.row, convert::reject_reason(reason));
            let row = transitions::base(&self.nodes[node].summary, TransitionEvent::Rejected);
            self.record_transition(node, row);
        }
    }

    fn set_timer(&mut self, node: usize, timer: Timer, after_ns: u64) {
        let machine = &mut self.nodes[node];
        // Scrubbers disturb nobody by ticking in step, and without them all other timers are late by the same draws.
        let late_ns = if timer == Timer::Scrub { 0 } else { after_ns / 1_000 * machine.jitter.below(JITTER_THOUSANDTHS + 1) };
        let deadline_ns = self.now_ns + machine.clock.true_duration_ns(after_ns + late_ns);
        if machine.timers.set(timer, deadline_ns) {
            let event = Event::Timer { node: machine.id, timer, incarnation: machine.incarnation };
            self.queue.push(deadline_ns, event);
        }
    }

    /// The event of a timer has come up; false when the timer does not run out now.
    pub(crate) fn timer_event(&mut self, event: Event, node: usize, timer: Timer, incarnation: u32) -> bool {
        let machine = &mut self.nodes[node];
        // A paused process finds out when it resumes.
        if machine.process != Process::Up || machine.incarnation != incarnation {
            return false;
        }
        match machine.timers.due(timer, self.now_ns) {
            Due::Not => return false,
            Due::Later(deadline_ns) => {
                self.queue.push(deadline_ns, event);
                return false;
            }
            Due::Now => self.step(node, Input::Timer(timer)),
        }
        true
    }

    /// Whether the scenario wants a crash at this step of the protocol.
    fn crash_strikes(&mut self, node: usize, kind: FaultKind) -> bool {
        let rate = match kind {
            // Two places of one commit share its rate.
            FaultKind::CrashBeforeApply | FaultKind::CrashBeforeReply => Rate(self.options.crash.per_commit.0.div_ceil(2)),
            _ => self.options.crash.per_view_change_step,
        };
        if self.healed || rate == Rate::NEVER || !self.nodes[node].crash.hit(rate) {
            return false;
        }
        let down = self.nodes.iter().filter(|other| other.process != Process::Up).count();
        down < usize::from(self.options.crash.down_max)
    }

    pub(crate) fn crash_at_step(&mut self, node: usize, kind: FaultKind) {
        self.record_fault(FaultFamily::Crash, kind, node, 0.0);
        self.crash(node);
        self.reassess();
        let nominal = self.nodes[node].crash.range(self.options.crash.restart_ns_min..=self.options.crash.restart_ns_max);
        let incarnation = self.nodes[node].incarnation;
        let event = Event::Restart { node: self.nodes[node].id, incarnation };
        self.queue.push(self.now_ns + self.options.compress(nominal), event);
    }

    /// The process dies: its memory is gone, and what its disk had not flushed may be.
    pub(crate) fn crash(&mut self, node: usize) {
        let row = transitions::world(&self.nodes[node].summary, TransitionEvent::Crashed);
        self.record_transition(node, row);
        self.lose_unflushed(node);
        let machine = &mut self.nodes[node];
        machine.process = Process::Down;
        machine.replica = None;
        machine.stopped_by = None;
        machine.timers = Timers::default();
        for event in core::mem::take(&mut self.nodes[node].deferred) {
            if let Event::Arrival { flight } = event {
                let flight = self.flights.take(flight);
                self.recorder.fate(flight.row, Fate::ReceiverDown);
            }
        }
    }

    /// A crashed replica comes back as its next incarnation, with what its disk still holds.
    pub(crate) fn restart(&mut self, node: usize) {
        self.record_fault(FaultFamily::Crash, FaultKind::Restart, node, 0.0);
        self.nodes[node].incarnation += 1;
        self.nodes[node].stopped_by = None;
        let image = self.read_disk(node);
        let machine = Machine::new(&self.options.cluster, self.kernel_bug);
        self.nodes[node].replica = Some(Replica::restart(self.config(node), machine, image));
        self.nodes[node].process = Process::Up;
        self.step(node, Input::Start);
    }

    /// The process is not scheduled any more; what reaches it waits.
    pub(crate) fn pause(&mut self, node: usize) {
        self.nodes[node].process = Process::Paused;
        let row = transitions::world(&self.nodes[node].summary, TransitionEvent::Paused);
        self.record_transition(node, row);
    }

    /// A paused process goes on: it finds its timers run out and its messages waiting.
    pub(crate) fn resume(&mut self, node: usize) {
        self.nodes[node].process = Process::Up;
        self.nodes[node].stopped_by = None;
        let row = transitions::world(&self.nodes[node].summary, TransitionEvent::Resumed);
        self.record_transition(node, row);
        let (id, incarnation) = (self.nodes[node].id, self.nodes[node].incarnation);
        for timer in Timer::ALL {
            if let Some(deadline_ns) = self.nodes[node].timers.missed(timer, self.now_ns) {
                self.queue.push(deadline_ns, Event::Timer { node: id, timer, incarnation });
            }
        }
        for event in core::mem::take(&mut self.nodes[node].deferred) {
            self.queue.push(self.now_ns, event);
        }
    }
}

fn is_start_view(effect: &Effect) -> bool {
    matches!(effect, Effect::Send(Message { body: Body::StartView(_), .. }))
}

/// After which effects the scenarios crash a replica.
fn crash_point(effect: &Effect) -> Option<FaultKind> {
    match effect {
        Effect::Note { note: Note::Committed { .. }, .. } => Some(FaultKind::CrashBeforeApply),
        Effect::Note { note: Note::Applied { .. }, .. } => Some(FaultKind::CrashBeforeReply),
        Effect::Send(message) => match message.body {
            Body::StartViewChange => Some(FaultKind::CrashAfterStartViewChange),
            Body::DoViewChange(_) => Some(FaultKind::CrashAfterDoViewChange),
            Body::StartView(_) => Some(FaultKind::CrashDuringStartView),
            _ => None,
        },
        _ => None,
    }
}
