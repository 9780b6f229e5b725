//! The search against an independent explorer: stateright visits the same cluster as plain values, without tables of numbers and
//! without leaving anything out, and must find exactly as many different states.

use model::bounds::Bounds;
use model::facts::Facts;
use model::node::{Node, Outcome};
use model::search::{End, Reductions, Search};
use model::tables::fingerprint;
use stateright::{Checker, Model, Property};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use vsr::Config;
use vsr::ids::{Peer, View};
use vsr::io::Timer;
use vsr::message::{Command, Message};

/// A cluster as one value. States are compared by fingerprints of their parts.
#[derive(Clone, Debug)]
struct Cluster {
    nodes: Vec<(u64, Arc<Node>)>,
    network: BTreeMap<u64, Arc<Message>>,
    spent: [u8; 3],
    heard: u8,
    facts: Arc<Facts>,
}

impl Hash for Cluster {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nodes.iter().for_each(|(print, _)| state.write_u64(*print));
        self.network.keys().for_each(|print| state.write_u64(*print));
        (self.spent, self.heard, &self.facts).hash(state);
    }
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        fingerprint(self) == fingerprint(other)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    Deliver(u64, bool),
    CompleteWrite(usize),
    Fire(usize, Timer),
    Crash(usize, usize),
}

struct Protocol {
    bounds: Bounds,
    configs: Vec<Config>,
}

impl Cluster {
    fn is_past(&self, message: &Message) -> bool {
        let of_its_view =
            [Command::Prepare, Command::PrepareOk, Command::Commit, Command::StartViewChange, Command::DoViewChange, Command::StartView];
        let Peer::Replica(to) = message.to else { return true };
        of_its_view.contains(&message.command()) && message.view < self.nodes[usize::from(to.0)].1.durable_view()
    }

    /// Puts a replica in its place and carries out what follows; whether anything has changed.
    fn settle(&mut self, replica: usize, (node, outcome): (Node, Outcome)) -> bool {
        let (before, sent) = (self.nodes[replica].0, self.network.len());
        self.nodes[replica] = (fingerprint(&node), Arc::new(node));
        for message in outcome.sent {
            if !self.is_past(&message) {
                self.network.insert(fingerprint(&message), Arc::new(message));
            }
        }
        let changed = self.nodes[replica].0 != before || self.network.len() != sent;
        let past: Vec<u64> = self.network.iter().filter(|(_, message)| self.is_past(message)).map(|(print, _)| *print).collect();
        for print in past {
            self.network.remove(&print);
        }
        for (state, note) in &outcome.notes {
            let is_primary = state.view.0 % self.nodes.len() as u64 == replica as u64;
            Arc::make_mut(&mut self.facts).learn(replica, is_primary, state, note);
        }
        changed
    }
}

impl Model for Protocol {
    type State = Cluster;
    type Action = Action;

    fn init_states(&self) -> Vec<Cluster> {
        let started: Vec<_> = self.configs.iter().map(|config| Node::new(config, self.bounds.eager_disk)).collect();
        let nodes = started.iter().map(|(node, _)| (0, Arc::new(node.clone()))).collect();
        let facts = Arc::new(Facts::new(self.configs.len()));
        let mut cluster = Cluster { nodes, network: BTreeMap::new(), spent: [0; 3], heard: 0, facts };
        for (replica, step) in started.into_iter().enumerate() {
            cluster.settle(replica, step);
        }
        for request in self.bounds.requests() {
            cluster.network.insert(fingerprint(&request), Arc::new(request));
        }
        vec![cluster]
    }

    fn actions(&self, state: &Cluster, actions: &mut Vec<Action>) {
        for (print, message) in &state.network {
            if let Peer::Client(key) = message.from
                && key.client.0 > 0
                && state.heard >> (key.client.0 - 1) & 1 == 0
            {
                continue;
            }
            actions.push(Action::Deliver(*print, false));
            if state.spent[2] < self.bounds.duplicates {
                actions.push(Action::Deliver(*print, true));
            }
        }
        for (replica, (_, node)) in state.nodes.iter().enumerate() {
            if !node.writes.is_empty() {
                actions.push(Action::CompleteWrite(replica));
            }
            if state.spent[0] < self.bounds.timers {
                let may = |timer: &&Timer| self.bounds.kinds.contains(timer);
                actions.extend(node.timers.iter().filter(may).map(|timer| Action::Fire(replica, *timer)));
            }
            if state.spent[1] < self.bounds.crashes {
                actions.extend((0..=node.writes.len()).map(|kept| Action::Crash(replica, kept)));
            }
        }
    }

    fn next_state(&self, state: &Cluster, action: Action) -> Option<Cluster> {
        let (mut next, eager) = (state.clone(), self.bounds.eager_disk);
        let changed = match action {
            Action::Deliver(print, stays) => {
                let message = Arc::clone(&state.network[&print]);
                if let Peer::Client(key) = message.from {
                    next.heard |= 1 << key.client.0;
                }
                if stays {
                    next.spent[2] += 1;
                } else {
                    next.network.remove(&print);
                }
                let Peer::Replica(to) = message.to else { return None };
                let to = usize::from(to.0);
                next.settle(to, state.nodes[to].1.receive(&message, eager))
            }
            Action::CompleteWrite(replica) => next.settle(replica, state.nodes[replica].1.complete_write()),
            Action::Fire(replica, timer) => {
                next.spent[0] += 1;
                next.settle(replica, state.nodes[replica].1.fire(timer, eager))
            }
            Action::Crash(replica, kept) => {
                next.spent[1] += 1;
                next.settle(replica, state.nodes[replica].1.crash(kept, false, &self.configs[replica], eager));
                true
            }
        };
        changed.then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("whole", |_, state: &Cluster| state.facts.broken.is_none())]
    }

    fn within_boundary(&self, state: &Cluster) -> bool {
        state.nodes.iter().all(|(_, node)| node.replica.summary().view < View(self.bounds.views))
    }
}

#[test]
fn the_search_finds_as_many_states_as_stateright() {
    let one_view = Bounds { operations: 2, views: 1, kinds: vec![Timer::Abdication], ..Bounds::CALM };
    let crash = Bounds { operations: 1, crashes: 1, ..one_view.clone() };
    let view_change = Bounds { operations: 0, views: 2, timers: 1, eager_disk: true, ..one_view.clone() };
    for bounds in [one_view.clone(), Bounds { duplicates: 1, ..one_view }, Bounds { duplicates: 1, ..crash.clone() }, crash, view_change] {
        let protocol = Protocol { configs: bounds.configs(), bounds: bounds.clone() };
        let other = protocol.checker().threads(2).spawn_bfs().join();
        other.assert_properties();
        let mut search = Search::new(&bounds, Reductions::NONE);
        assert_eq!(search.run(|_| false), End::Complete);
        assert_eq!(search.states(), other.unique_state_count(), "{bounds:?}");
    }
}
