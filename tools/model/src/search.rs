//! Every state within bounds, breadth first, so that the way to a violation is the shortest.
//!
//! Two things keep the number of states down without leaving anything out ([`Reductions`]):
//!
//! * of two states that differ only in their networks and in how much has gone wrong, the one with fewer messages and less left to go
//!   wrong can do nothing that the other cannot, because a message need never arrive;
//! * a message that means nothing any more is forgotten ([`Tables::is_past`], [`Tables::is_settled`]).
//!
//! Clients differ in nothing but their numbers, so the one that is heard first is called the first one.

use crate::bounds::{Bounds, REPLICAS_MAX};
use crate::facts::{Broken, Facts};
use crate::tables::{Event, Tables, fingerprint};
use std::collections::HashMap;
use vsr::ids::View;

/// What is left out because something else that is followed does as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reductions {
    /// States that another one covers.
    pub covered: bool,
    /// Messages that mean nothing any more to a replica that will not crash.
    pub settled: bool,
}

impl Reductions {
    /// Every one.
    pub const ALL: Self = Self { covered: true, settled: true };
    /// None: only equal states are one.
    pub const NONE: Self = Self { covered: false, settled: false };
}

/// A property that a state does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// Notes that contradict each other.
    Noted(Broken),
    /// A committed entry lies on fewer disks than a quorum.
    OnQuorumOfDisks,
}

impl Violation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Noted(Broken::Agreement),
        Self::Noted(Broken::Prefix),
        Self::Noted(Broken::Durability),
        Self::Noted(Broken::Promise),
        Self::Noted(Broken::Votes),
        Self::Noted(Broken::Agreed),
        Self::OnQuorumOfDisks,
    ];

    /// Of the property.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noted(Broken::Agreement) => "agreement",
            Self::Noted(Broken::Prefix) => "prefix",
            Self::Noted(Broken::Durability) => "durability",
            Self::Noted(Broken::Promise) => "promise",
            Self::Noted(Broken::Votes) => "votes of the view",
            Self::Noted(Broken::Agreed) => "agreed departure",
            Self::OnQuorumOfDisks => "on a quorum of disks",
        }
    }
}

/// What has gone wrong so far, of what may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spent {
    timers: u8,
    crashes: u8,
    duplicates: u8,
    damage: u8,
}

impl Spent {
    fn is_within(self, other: Self) -> bool {
        self.timers <= other.timers && self.crashes <= other.crashes && self.duplicates <= other.duplicates && self.damage <= other.damage
    }
}

/// A state without its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Core {
    nodes: [u32; REPLICAS_MAX],
    facts: u32,
    /// A bit for each client of which something has arrived.
    heard: u8,
}

/// A state that was reached.
#[derive(Clone, Copy, Debug)]
struct Reached {
    core: Core,
    spent: Spent,
    /// Messages under way.
    messages: u16,
    /// Replica to which the last thing happened.
    replica: u8,
    event: Event,
    /// Where its messages begin in the pool.
    pool: u32,
    /// The state before.
    before: u32,
}

/// A state that was reached, among those with the same core.
#[derive(Clone, Copy, Debug)]
struct Twin {
    /// A bit for each of its messages, several messages sharing one: whose bits are not all here cannot be a part of this network.
    signature: u32,
    state: u32,
}

const NONE: u32 = u32::MAX;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All states of the bounds were visited, and every property holds in each.
    Complete,
    /// It was told to stop.
    Stopped,
    /// The last state that was reached lacks a property.
    Violated(Violation),
}

/// The search.
pub struct Search {
    bounds: Bounds,
    reductions: Reductions,
    tables: Tables,
    states: Vec<Reached>,
    /// Numbers of messages, those of one link together and in order.
    pool: Vec<u16>,
    /// By fingerprint of a core, the states that have it.
    twins: HashMap<u64, Vec<Twin>>,
    visited: usize,
    transitions: u64,
    violation: Option<Violation>,
    all_commit: bool,
    later_view_commits: bool,
}

/// Whether everything in `small` occurs in `large`, in the same order.
fn is_part(small: &[u16], large: &[u16]) -> bool {
    let mut rest = large.iter();
    small.len() <= large.len() && small.iter().all(|message| rest.any(|other| other == message))
}

impl Search {
    /// The beginning of a search.
    #[must_use]
    pub fn new(bounds: &Bounds, reductions: Reductions) -> Self {
        let mut search = Self {
            bounds: bounds.clone(),
            reductions,
            tables: Tables::new(bounds),
            states: Vec::new(),
            pool: Vec::new(),
            twins: HashMap::new(),
            visited: 0,
            transitions: 0,
            violation: None,
            all_commit: false,
            later_view_commits: false,
        };
        let facts = search.tables.number_facts(Facts::new(usize::from(bounds.replicas)));
        let mut core = Core { nodes: [NONE; REPLICAS_MAX], facts, heard: 0 };
        let mut network = Vec::new();
        for (replica, step) in (0u8..).zip(search.tables.start()) {
            core.nodes[usize::from(replica)] = step.node;
            core.facts = search.tables.learn(core.facts, replica, &step);
            step.sent.iter().for_each(|message| search.send(&mut network, *message));
        }
        for request in bounds.requests() {
            let request = search.tables.number_message(request);
            search.send(&mut network, request);
        }
        search.reach(
            Reached { core, spent: Spent::default(), messages: 0, replica: 0, event: Event::WriteCompletes, pool: 0, before: NONE },
            &network,
        );
        search
    }

    /// Visits states until all are visited, one lacks a property, or `stop` says so; it is asked after each state.
    pub fn run(&mut self, mut stop: impl FnMut(&Self) -> bool) -> End {
        while self.visited < self.states.len() && self.violation.is_none() {
            if stop(self) {
                return End::Stopped;
            }
            let state = self.states[self.visited];
            for (replica, event, stays) in self.events(&state) {
                self.follow(&state, replica, event, stays);
                if self.violation.is_some() {
                    break;
                }
            }
            self.visited += 1;
        }
        self.violation.map_or(End::Complete, End::Violated)
    }

    /// Different states reached so far.
    #[must_use]
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// States whose every continuation has been followed.
    #[must_use]
    pub fn visited(&self) -> usize {
        self.visited
    }

    /// Steps from one state to another so far, to known ones too.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// Different replicas, messages and sets of facts so far.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        self.tables.sizes()
    }

    /// Whether all operations commit in some state, and whether an entry is committed in a view after the first one in some: bounds
    /// in which nothing happens must not pass for a proof.
    #[must_use]
    pub fn happened(&self) -> (bool, bool) {
        (self.all_commit, self.later_view_commits)
    }

    /// Fingerprints of replicas and facts in every state that was reached, without networks and what is left to go wrong.
    #[must_use]
    pub fn cores(&self) -> std::collections::BTreeSet<u64> {
        let of = |core: &Core| {
            let nodes = core.nodes.iter().filter(|node| **node != NONE).map(|node| self.tables.node(*node).print);
            fingerprint(&(nodes.collect::<Vec<_>>(), self.tables.facts(core.facts)))
        };
        self.states.iter().map(|state| of(&state.core)).collect()
    }

    /// What has happened on the way to the last state that was reached, in words.
    #[must_use]
    pub fn way(&self) -> Vec<String> {
        let mut way = Vec::new();
        let mut at = self.states.last();
        while let Some(state) = at.filter(|state| state.before != NONE) {
            way.push(self.tables.describe(state.replica, state.event));
            at = self.states.get(state.before as usize);
        }
        way.reverse();
        way
    }

    fn network(&self, state: &Reached) -> &[u16] {
        &self.pool[state.pool as usize..][..usize::from(state.messages)]
    }

    /// Everything that may happen: to which replica, what, and whether the message that arrives stays under way.
    fn events(&self, state: &Reached) -> Vec<(u8, Event, bool)> {
        let (bounds, spent) = (&self.bounds, state.spent);
        let mut events = Vec::new();
        for number in self.network(state) {
            let message = self.tables.message(*number);
            let is_next = message.client.is_none_or(|key| key.client.0 == 0 || state.core.heard >> (key.client.0 - 1) & 1 == 1);
            if is_next {
                events.push((message.to, Event::Message(*number), false));
                if spent.duplicates < bounds.duplicates {
                    events.push((message.to, Event::Message(*number), true));
                }
            }
        }
        for replica in 0..bounds.replicas {
            let node = &self.tables.node(state.core.nodes[usize::from(replica)]).node;
            if !node.writes.is_empty() {
                events.push((replica, Event::WriteCompletes, false));
            }
            if spent.timers < bounds.timers {
                let may = |timer: &&_| bounds.kinds.is_empty() || bounds.kinds.contains(timer);
                events.extend(node.timers.iter().filter(may).map(|timer| (replica, Event::Fires(*timer), false)));
            }
            if spent.crashes < bounds.crashes {
                let kept = 0..=u8::try_from(node.writes.len()).expect("few writes");
                events.extend(kept.map(|kept| (replica, Event::Crash { kept, damaged: false }, false)));
                if spent.damage < bounds.damage && node.newest().is_some() {
                    events.push((replica, Event::Crash { kept: 0, damaged: true }, false));
                }
            }
        }
        events
    }

    fn follow(&mut self, state: &Reached, replica: u8, event: Event, stays: bool) {
        let index = usize::from(replica);
        let node = state.core.nodes[index];
        let step = self.tables.after(node, replica, event);
        let (mut core, mut spent) = (state.core, state.spent);
        let mut network = self.network(state).to_vec();
        match event {
            Event::Message(message) => {
                if let Some(key) = self.tables.message(message).client {
                    core.heard |= 1 << key.client.0;
                }
                spent.duplicates += u8::from(stays);
                self.receive(&mut network, message, stays);
            }
            Event::Fires(_) => spent.timers += 1,
            Event::Crash { damaged, .. } => {
                spent.crashes += 1;
                spent.damage += u8::from(damaged);
            }
            Event::WriteCompletes => {}
        }
        core.nodes[index] = step.node;
        let before = network.len();
        for message in &step.sent {
            if !self.tables.is_past(*message, core.nodes[usize::from(self.tables.message(*message).to)]) {
                self.send(&mut network, *message);
            }
        }
        // A message that changes nothing where it arrives might as well be lost.
        let changes_something = node != step.node || network.len() != before || matches!(event, Event::Crash { .. });
        let is_inside = self.tables.node(step.node).view.0 < self.bounds.views;
        if !changes_something || !is_inside {
            return;
        }
        core.facts = self.tables.learn(core.facts, replica, &step);
        self.forget(&mut network, &core, spent);
        let before = u32::try_from(self.visited).expect("fewer than 2^32 states");
        self.transitions += 1;
        self.reach(Reached { core, spent, messages: 0, replica, event, pool: 0, before }, &network);
    }

    /// Puts a message behind those of its link. Right behind its like it makes no difference.
    fn send(&self, network: &mut Vec<u16>, message: u16) {
        let link = self.tables.message(message).link;
        let place = network.partition_point(|other| self.tables.message(*other).link <= link);
        if place.checked_sub(1).is_none_or(|last| network[last] != message) {
            network.insert(place, message);
        }
    }

    /// Takes a message out that arrives, unless it stays, and those that it has overtaken on its link: they are lost.
    fn receive(&self, network: &mut Vec<u16>, message: u16, stays: bool) {
        let link = self.tables.message(message).link;
        let first = network.partition_point(|other| self.tables.message(*other).link < link);
        let place = first + network[first..].iter().position(|other| *other == message).expect("it is under way");
        network.drain(first..place + usize::from(!stays));
    }

    /// Takes messages out that mean nothing any more.
    fn forget(&mut self, network: &mut Vec<u16>, core: &Core, spent: Spent) {
        let nobody_crashes = spent.crashes == self.bounds.crashes;
        let (tables, settled) = (&mut self.tables, self.reductions.settled && nobody_crashes);
        network.retain(|message| {
            let receiver = core.nodes[usize::from(tables.message(*message).to)];
            let is_over = tables.is_past(*message, receiver) || (settled && tables.is_settled(*message, receiver));
            !is_over
        });
    }

    /// Keeps a state, unless it is known or another one covers it.
    fn reach(&mut self, mut state: Reached, network: &[u16]) {
        let signature = network.iter().fold(0, |bits, message| bits | 1u32 << (message % 32));
        let key = fingerprint(&state.core);
        let does_as_much = |twin: &&Twin| {
            let other = &self.states[twin.state as usize];
            let covers = if self.reductions.covered {
                other.spent.is_within(state.spent) && is_part(network, self.network(other))
            } else {
                other.spent == state.spent && network == self.network(other)
            };
            covers && other.core == state.core
        };
        let twins = self.twins.get(&key).map_or(&[][..], Vec::as_slice);
        if twins.iter().filter(|twin| signature & !twin.signature == 0).any(|twin| does_as_much(&twin)) {
            return;
        }
        let number = u32::try_from(self.states.len()).expect("fewer than 2^32 states");
        self.twins.entry(key).or_default().push(Twin { signature, state: number });
        state.pool = u32::try_from(self.pool.len()).expect("fewer than 2^32 messages");
        state.messages = u16::try_from(network.len()).expect("few messages");
        self.pool.extend_from_slice(network);
        self.judge(&state);
        self.states.push(state);
    }

    fn judge(&mut self, state: &Reached) {
        let facts = self.tables.facts(state.core.facts);
        let on_disks = |(op, entry): (&vsr::ids::Op, &crate::facts::Commitment)| {
            let nodes = state.core.nodes.iter().take(usize::from(self.bounds.replicas));
            let holders = nodes.filter(|node| self.tables.node(**node).node.holds(*op, entry.hash)).count();
            holders + usize::from(state.spent.damage) >= self.bounds.quorum()
        };
        self.violation = match facts.broken {
            Some(broken) => Some(Violation::Noted(broken)),
            None => (!facts.committed.iter().all(on_disks)).then_some(Violation::OnQuorumOfDisks),
        };
        self.all_commit |= facts.committed.len() >= usize::from(self.bounds.operations);
        self.later_view_commits |= facts.committed.values().any(|entry| entry.view > View(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_keeps_the_order() {
        assert!(is_part(&[], &[]) && is_part(&[], &[1]) && is_part(&[1, 3], &[1, 2, 3]) && is_part(&[2, 2], &[2, 1, 2]));
        assert!(!is_part(&[1], &[]) && !is_part(&[3, 1], &[1, 2, 3]) && !is_part(&[2, 2], &[1, 2]));
    }
}
