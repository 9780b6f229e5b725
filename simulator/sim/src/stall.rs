//! Watches for stalls while faults are still going on: no commit for long, although enough of the cluster is well.
//!
//! The bound is generous and the condition narrow, because a stall is reported as a violation: the same quorum must have been
//! running, ungray, in time and connected without a clog for the whole bound, and a client that reaches all of it must have
//! waited that long. What is not covered (loss by chance, failing disks) has to be survived within the bound; partitions
//! that leave no such quorum are left to the heal phase.

use crate::administrator::Administrator;
use crate::network::FIRST_CLIENT;
use crate::node::Process;
use crate::options::{MILLISECOND, SECOND};
use crate::recorder::transitions;
use crate::world::{Event, World};
use vopr_schema::TransitionEvent;
use vsr::quorum::Members;

/// No commit for so long is a stall, nominal nanoseconds: several rounds of view changes and of clients' patience.
const STALL_NS: u64 = 8 * SECOND;
/// The watch looks this often, nominal nanoseconds.
const WATCH_NS: u64 = SECOND;
/// A replica whose clock is off by more is left out: it may be right to refuse.
const SKEW_NS_MAX: u64 = 250 * MILLISECOND;

/// What the watch remembers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// Bit set of the quorum that has been well.
    quorum: u32,
    /// Since when.
    since_ns: u64,
    /// The commit that was the last one when a stall was last told.
    told_ns: Option<u64>,
}

impl World {
    /// Queues the next look.
    pub(crate) fn queue_watch(&mut self) {
        self.queue.push(self.now_ns + self.options.compress(WATCH_NS), Event::Watch);
    }

    /// Something about processes, links or clocks has changed: is the quorum still well, or is there another one?
    pub(crate) fn reassess(&mut self) {
        if self.watch.quorum != 0 && self.decides(self.watch.quorum) && self.is_well_connected(self.watch.quorum) {
            return;
        }
        let found = (1_u32..1 << self.nodes.len()).filter(|set| self.decides(*set)).find(|set| self.is_well_connected(*set));
        self.watch.quorum = found.unwrap_or(0);
        self.watch.since_ns = self.now_ns;
    }

    /// Looks whether the cluster has stalled.
    pub(crate) fn watch(&mut self) {
        if self.healed {
            return;
        }
        self.queue_watch();
        let bound_ns = self.options.compress(STALL_NS);
        let quiet_since_ns = self.watch.since_ns.max(self.last_commit_ns);
        let told = self.watch.told_ns == Some(self.last_commit_ns);
        if self.watch.quorum == 0 || told || self.now_ns - quiet_since_ns <= bound_ns || !self.someone_waits(bound_ns) {
            return;
        }
        self.watch.told_ns = Some(self.last_commit_ns);
        let node = self.primary();
        let row = transitions::base(&self.nodes[node].summary, TransitionEvent::Stalled);
        self.stalls += 1;
        self.record_transition(node, row);
    }

    /// Whether these replicas can commit: more than half of the voters, and of those that somebody wants to vote, since a change
    /// needs both.
    fn decides(&self, set: u32) -> bool {
        let is_majority = |voters: Members| 2 * voters.and(Members(set)).len() > voters.len();
        let wanted = self.administrators.iter().filter_map(Administrator::wanted);
        core::iter::once(self.membership.voters).chain(wanted).all(is_majority)
    }

    fn is_well_connected(&self, set: u32) -> bool {
        let members = || (0..self.nodes.len()).filter(|node| set & 1 << node != 0);
        let well = |node: usize| {
            let machine = &self.nodes[node];
            machine.process == Process::Up && machine.gray.is_well() && machine.clock.skew_ns(self.now_ns).unsigned_abs() <= SKEW_NS_MAX
        };
        let clear = |from: usize, to: usize| from == to || self.is_clear(u16::from(self.nodes[from].id), u16::from(self.nodes[to].id));
        members().all(well) && members().all(|from| members().all(|to| clear(from, to)))
    }

    fn is_clear(&self, from: u16, to: u16) -> bool {
        !self.network.is_cut(from, to) && !self.network.is_clogged(from, to) && !self.attacks.withholds(from, to)
    }

    /// Whether a client that reaches the whole quorum has waited for the whole bound.
    fn someone_waits(&self, bound_ns: u64) -> bool {
        let reaches = |client: u16, node: &crate::node::Node| {
            self.watch.quorum & 1 << node.id == 0
                || (self.is_clear(client, u16::from(node.id)) && self.is_clear(u16::from(node.id), client))
        };
        (FIRST_CLIENT..).zip(&self.clients).any(|(endpoint, client)| {
            client.waiting_since_ns().is_some_and(|since_ns| self.now_ns - since_ns > bound_ns)
                && self.network.loss_of_client(endpoint) == crate::options::Rate::NEVER
                && self.nodes.iter().all(|node| reaches(endpoint, node))
        })
    }
}
