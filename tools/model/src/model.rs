//! The bounds, the actions, and what must hold: the model that is explored.

use crate::cluster::Cluster;
use crate::facts::Broken;
use core::fmt;
use stateright::{Model, Property};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vsr::ids::{ClientId, ClientKey, Epoch, Peer, ReplicaId, TenantId, View};
use vsr::io::{Input, Timer};
use vsr::message::{Body, Message};
use vsr::{Bug, Config};

/// How much may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Voting members.
    pub replicas: u8,
    /// Client operations: each is a client that registers, which puts one entry into the log.
    pub operations: u32,
    /// Views, the first one included.
    pub views: u64,
    /// Timers that fire.
    pub timers: u32,
    /// Which timers may; empty for all.
    pub kinds: Vec<Timer>,
    /// Crashes; a replica comes back at once.
    pub crashes: u32,
    /// Messages that are delivered once more.
    pub duplicates: u32,
    /// Crashes that damage the newest durable entry.
    pub damage: u32,
    /// Writes are durable at once: fewer states, and nothing between a write and its completion.
    pub eager_disk: bool,
    /// The guard that is switched off.
    pub bug: Option<Bug>,
}

/// One thing that happens.
#[derive(Clone, PartialEq)]
pub enum Action {
    /// A message arrives; `stays` if it will arrive once more.
    Deliver {
        /// Its key in the network.
        key: u64,
        /// What it is.
        message: Arc<Message>,
        /// Whether a copy stays under way.
        stays: bool,
    },
    /// The oldest write of a replica becomes durable.
    CompleteWrite(usize),
    /// A timer fires.
    Fire(usize, Timer),
    /// A replica crashes and starts again; the oldest writes under way have reached its disk, so many.
    Crash {
        /// Which replica.
        replica: usize,
        /// Writes that count.
        kept: usize,
        /// Whether the newest durable entry is damaged.
        damaged: bool,
    },
}

impl fmt::Debug for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { message, stays, .. } => {
                let again = if *stays { ", which will arrive once more" } else { "" };
                write!(formatter, "{} -> {}: {}", end(message.from), end(message.to), message.command())?;
                let summary = message.summary();
                let numbers = [
                    ("view", summary.view.map(|view| view.0)),
                    ("op", summary.op.map(|op| op.0)),
                    ("commit", summary.commit.map(|op| op.0)),
                ];
                for (name, number) in numbers {
                    number.map_or(Ok(()), |number| write!(formatter, " {name} {number}"))?;
                }
                write!(formatter, "{again}")
            }
            Self::CompleteWrite(replica) => write!(formatter, "replica {replica}: its oldest write is durable"),
            Self::Fire(replica, timer) => write!(formatter, "replica {replica}: timer {timer:?} fires"),
            Self::Crash { replica, kept, damaged } => {
                write!(formatter, "replica {replica} crashes and comes back; of its writes under way {kept} count")?;
                if *damaged { write!(formatter, "; its newest durable entry is damaged") } else { Ok(()) }
            }
        }
    }
}

fn end(peer: Peer) -> String {
    match peer {
        Peer::Replica(replica) => format!("replica {replica}"),
        Peer::Client(key) => format!("client {}", key.client),
    }
}

/// The protocol within bounds.
#[derive(Clone, Debug)]
pub struct Protocol {
    bounds: Bounds,
    configs: Vec<Config>,
    /// While it is set nothing happens, so that a search comes to its end.
    stop: Arc<AtomicBool>,
}

impl Protocol {
    /// Within these bounds.
    ///
    /// # Panics
    /// With four operations or more: a checkpoint would be taken, whose writing is not part of the model.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let config = |replica| Config {
            log_slots: 10,
            checkpoint_interval: 4,
            pipeline_max: 2,
            sessions_max: 4,
            bug: bounds.bug,
            ..Config::new(ReplicaId(replica), bounds.replicas)
        };
        assert!(bounds.operations < 4, "no checkpoint is taken within the bounds");
        Self { configs: (0..bounds.replicas).map(config).collect(), bounds, stop: Arc::default() }
    }

    /// The switch that ends a search early: the explorer's own time limit is not kept by a single thread. It must be off again when
    /// the ways to what was found are asked for, because they are walked once more.
    #[must_use]
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Every client asks the primary of every view.
    fn requests(&self) -> Vec<Message> {
        let ask = |client: u32, view: u64| Message {
            epoch: Epoch(0),
            view: View(0),
            from: Peer::Client(ClientKey { tenant: TenantId(0), client: ClientId(client) }),
            to: Peer::Replica(ReplicaId(u8::try_from(view % u64::from(self.bounds.replicas)).expect("few replicas"))),
            body: Body::Register { nonce: u64::from(client) + 1 },
        };
        (0..self.bounds.operations).flat_map(|client| (0..self.bounds.views).map(move |view| ask(client, view))).collect()
    }

    /// Whether it is this client's turn to be heard for the first time. Clients differ in nothing but their numbers: whoever is heard
    /// first may be called the first one. A delivered copy that stays would look like one that was never delivered.
    fn is_next(&self, state: &Cluster, message: &Message) -> bool {
        let Peer::Client(key) = message.from else { return true };
        let Some(before) = key.client.0.checked_sub(1) else { return true };
        let waits = |other: &&Arc<Message>| matches!(other.from, Peer::Client(key) if key.client.0 == before);
        self.bounds.duplicates > 0 || (state.network.values().filter(waits).count() as u64) < self.bounds.views
    }

    fn quorum(&self) -> usize {
        usize::from(self.bounds.replicas / 2 + 1)
    }
}

impl Model for Protocol {
    type State = Cluster;
    type Action = Action;

    fn init_states(&self) -> Vec<Cluster> {
        vec![Cluster::new(&self.configs, self.requests(), self.bounds.eager_disk)]
    }

    fn actions(&self, state: &Cluster, actions: &mut Vec<Action>) {
        if state.facts.broken.is_some() || self.stop.load(Ordering::Relaxed) {
            return;
        }
        for (key, message) in &state.network {
            if !self.is_next(state, message) {
                continue;
            }
            let deliver = |stays| Action::Deliver { key: *key, message: Arc::clone(message), stays };
            actions.push(deliver(false));
            if state.spent.duplicates < self.bounds.duplicates {
                actions.push(deliver(true));
            }
        }
        for (replica, node) in state.nodes.iter().enumerate() {
            if !node.writes.is_empty() {
                actions.push(Action::CompleteWrite(replica));
            }
            if state.spent.timers < self.bounds.timers {
                let may = |timer: &&Timer| self.bounds.kinds.is_empty() || self.bounds.kinds.contains(timer);
                actions.extend(node.timers.iter().filter(may).map(|timer| Action::Fire(replica, *timer)));
            }
            if state.spent.crashes < self.bounds.crashes {
                actions.extend((0..=node.writes.len()).map(|kept| Action::Crash { replica, kept, damaged: false }));
                if state.spent.damage < self.bounds.damage && node.newest().is_some() {
                    actions.push(Action::Crash { replica, kept: 0, damaged: true });
                }
            }
        }
    }

    /// A message that changes nothing where it arrives might as well be lost, and a state with it can do all that one without it
    /// can: such deliveries are not followed.
    fn next_state(&self, state: &Cluster, action: Action) -> Option<Cluster> {
        let mut next = state.clone();
        let eager = self.bounds.eager_disk;
        let changed = match action {
            Action::Deliver { key, message, stays } => {
                if stays {
                    next.spent.duplicates += 1;
                } else {
                    next.network.remove(&key);
                }
                let Peer::Replica(to) = message.to else { return None };
                // Sent again in answer to itself, a message may be there once more: that is a change of its own.
                next.step(usize::from(to.0), Input::Message((*message).clone()), eager)
            }
            Action::CompleteWrite(replica) => next.complete_write(replica, eager),
            Action::Fire(replica, timer) => {
                next.spent.timers += 1;
                next.fire(replica, timer, eager)
            }
            Action::Crash { replica, kept, damaged } => {
                next.spent.crashes += 1;
                next.spent.damage += u32::from(damaged);
                next.crash(replica, kept, damaged, &self.configs[replica], eager);
                true
            }
        };
        changed.then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn whole(state: &Cluster, broken: Broken) -> bool {
            state.facts.broken != Some(broken)
        }
        vec![
            Property::always("agreement", |_, state| whole(state, Broken::Agreement)),
            Property::always("prefix", |_, state| whole(state, Broken::Prefix)),
            Property::always("durability", |_, state| whole(state, Broken::Durability)),
            Property::always("promise", |_, state| whole(state, Broken::Promise)),
            Property::always("votes of the view", |_, state| whole(state, Broken::Votes)),
            Property::always("agreed departure", |_, state| whole(state, Broken::Agreed)),
            Property::always("on a quorum of disks", |model: &Self, state: &Cluster| {
                let damaged = state.spent.damage as usize;
                state.facts.committed.iter().all(|(op, entry)| state.holders(*op, entry.hash) + damaged >= model.quorum())
            }),
            Property::sometimes("all operations commit", |model: &Self, state: &Cluster| {
                state.facts.committed.len() as u64 >= u64::from(model.bounds.operations)
            }),
            Property::sometimes("a later view commits", |model: &Self, state: &Cluster| {
                model.bounds.views < 2 || state.facts.committed.values().any(|entry| entry.view > View(0))
            }),
        ]
    }

    fn within_boundary(&self, state: &Cluster) -> bool {
        state.nodes.iter().all(|node| node.replica.summary().view.0 < self.bounds.views)
    }
}
