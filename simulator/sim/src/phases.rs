//! The two phases of a run: faults while clients work, then quiet, in which everything must settle.
//!
//! Safety is asked for at all times, liveness only of a cluster that is left in peace: so the second phase ends every fault
//! and then says in words what, if anything, never came to rest.

use crate::node::Process;
use crate::options::{MILLISECOND, SECOND};
use crate::world::{Event, World};
use std::fmt::Write as _;
use vopr_schema::{Dictionary, Ended};
use vsr::io::Status;

/// The heal phase looks this often whether everything has settled, nominal nanoseconds.
const SETTLE_TICK_NS: u64 = 50 * MILLISECOND;
/// Without any progress for so long the run is stuck, nominal nanoseconds: many times every timer of the protocol.
const STUCK_NS: u64 = 30 * SECOND;
/// With progress, the heal phase still ends after so long, nominal nanoseconds.
const HEAL_NS_MAX: u64 = 120 * SECOND;
/// So many events in the heal phase are a storm of messages, whatever the clock says.
const HEAL_EVENTS_MAX: u64 = 3_000_000;

/// Why the safety phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SafetyEnd {
    Time,
    Events,
}

/// What can only grow while a cluster gets on; the view is left out, because a cluster can change views for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    committed: u64,
    applied: u64,
    operations: u64,
}

impl World {
    /// Runs both phases; answers how the run ended.
    pub(crate) fn run(&mut self) -> (Ended, Option<String>) {
        self.begin();
        let end = self.safety_phase();
        self.begin_healing();
        match (self.heal_phase(), end) {
            (Ok(()), SafetyEnd::Time) => (Ended::Completed, None),
            (Ok(()), SafetyEnd::Events) => (Ended::EventLimit, None),
            (Err((ended, reason)), _) => (ended, Some(reason)),
        }
    }

    fn begin(&mut self) {
        self.record_rates();
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        for client in 0..self.clients.len() {
            self.start_client(client);
        }
        self.reassess();
        self.queue_watch();
        if let Some(first) = self.plan.0.first() {
            self.queue.push(first.time_ns, Event::FaultBegins { index: 0 });
        }
    }

    fn safety_phase(&mut self) -> SafetyEnd {
        let limits = self.options.limits;
        while let Some(time_ns) = self.queue.next_time_ns() {
            if self.events >= limits.events_max {
                return SafetyEnd::Events;
            }
            if time_ns > limits.time_ns_max || self.workload_is_over() {
                break;
            }
            self.next_event();
        }
        SafetyEnd::Time
    }

    fn workload_is_over(&self) -> bool {
        self.clients_working == 0
    }

    fn begin_healing(&mut self) {
        self.healed = true;
        self.heal_time_ns = Some(self.now_ns);
        self.network.heal();
        self.mutator.heal();
        self.attacks.heal();
        self.load_bursts = 0;
        for node in 0..self.nodes.len() {
            self.nodes[node].gray.heal();
            self.nodes[node].disk.heal();
            self.nodes[node].clock.heal(self.now_ns);
            match self.nodes[node].process {
                Process::Up => {}
                Process::Paused => self.resume(node),
                Process::Down => self.restart(node),
            }
        }
        self.queue_settle_tick();
    }

    fn queue_settle_tick(&mut self) {
        self.queue.push(self.now_ns + self.options.compress(SETTLE_TICK_NS), Event::Settled);
    }

    fn heal_phase(&mut self) -> Result<(), (Ended, String)> {
        let (begin_ns, begin_events) = (self.now_ns, self.events);
        let (stuck_ns, limit_ns) = (self.options.compress(STUCK_NS), self.options.compress(HEAL_NS_MAX));
        let (mut progress, mut progress_ns) = (Progress::default(), self.now_ns);
        loop {
            let event = self.next_event();
            if event != Some(Event::Settled) {
                if self.events - begin_events > HEAL_EVENTS_MAX {
                    return Err((Ended::Stuck, format!("a storm of events: {}", self.unsettled())));
                }
                continue;
            }
            if self.is_settled() {
                return Ok(());
            }
            let now = self.progress();
            if now != progress {
                (progress, progress_ns) = (now, self.now_ns);
            }
            if self.now_ns - progress_ns > stuck_ns {
                return Err((Ended::Stuck, self.unsettled()));
            }
            if self.now_ns - begin_ns > limit_ns {
                return Err((Ended::TimeLimit, self.unsettled()));
            }
            self.queue_settle_tick();
        }
    }

    fn progress(&self) -> Progress {
        let replicas = || self.nodes.iter().filter_map(|node| node.replica.as_ref());
        Progress {
            committed: replicas().map(|replica| replica.summary().commit.0).sum(),
            applied: replicas().map(|replica| replica.applied().0).sum(),
            operations: self.operations_ok + self.operations_error,
        }
    }

    /// Whether every operation has returned, all replicas hold, and have applied, the same log, and nothing is left to repair.
    fn is_settled(&self) -> bool {
        let Some(primary) = self.nodes.get(self.primary()).and_then(|node| node.replica.as_ref()) else {
            return false;
        };
        let reference = primary.summary();
        self.clients.iter().all(|client| client.waiting_since_ns().is_none())
            && self.administrators.iter().all(|administrator| administrator.wanted().is_none())
            && self.nodes.iter().all(|node| node.replica.is_none() || node.disk.is_idle())
            && self.nodes.iter().filter_map(|node| node.replica.as_ref()).all(|replica| {
                let summary = replica.summary();
                summary.status == Status::Normal
                    && (summary.view, summary.op, summary.commit) == (reference.view, reference.op, reference.commit)
                    && summary.op == summary.commit
                    && replica.applied() == summary.commit
                    && replica.is_mended()
            })
    }

    /// What keeps the cluster from settling, in words.
    fn unsettled(&self) -> String {
        let mut words = String::new();
        let newest = self.primary_view();
        if newest.is_none() {
            words.push_str("no replica is in a normal view; ");
        }
        let head = self.nodes.iter().map(|node| node.summary.commit.0).max().unwrap_or(0);
        for node in &self.nodes {
            let Some(replica) = node.replica.as_ref() else {
                continue;
            };
            let (summary, applied) = (replica.summary(), replica.applied().0);
            let status = crate::recorder::convert::status(summary.status).name().replace('_', " ");
            let _ = write!(
                words,
                "replica {} is {status} in view {} with op {}, commit {} of {head}, applied {applied}; ",
                node.id, summary.view, summary.op, summary.commit
            );
        }
        for client in &self.clients {
            if let Some(pending) = client.pending() {
                let _ = write!(words, "{pending}; ");
            }
        }
        for pending in self.administrators.iter().filter_map(crate::administrator::Administrator::pending) {
            let _ = write!(words, "{pending}; ");
        }
        words.truncate(words.trim_end_matches("; ").len());
        words
    }

    /// The newest view in which some replica that runs is normal.
    pub(crate) fn primary_view(&self) -> Option<u64> {
        let normal = |node: &&crate::node::Node| node.process == Process::Up && node.summary.status == Status::Normal;
        self.nodes.iter().filter(normal).map(|node| node.summary.view.0).max()
    }

    /// The member that leads that view.
    pub(crate) fn primary(&self) -> usize {
        let members = self.nodes.len().max(1) as u64;
        usize::try_from(self.primary_view().unwrap_or(0) % members).expect("below the number of members")
    }
}
