//! A cluster as one value: replicas, disks, what is on its way, and what may still go wrong.
//!
//! Nothing here chooses: every function carries out one action on a copy of the state. Time stands still; that a timer fires is
//! an action like any other.

use crate::facts::Facts;
use crate::machine::Machine;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES, VIEW_CHANGE_TICKS};
use vsr::ids::{Peer, View};
use vsr::io::{DiskImage, Effect, Input, Stored, Timer, Write, WriteId};
use vsr::message::{Command, Message};
use vsr::{Config, Replica};

/// A replica, its disk, and the writes between them.
#[derive(Clone, Debug)]
pub struct Node {
    /// The replica.
    pub replica: Replica<Machine>,
    /// What is durable.
    pub disk: DiskImage,
    /// What is not yet durable, oldest first.
    pub writes: VecDeque<(WriteId, Write)>,
    /// Timers that run.
    pub timers: BTreeSet<Timer>,
    fingerprint: u64,
}

impl Node {
    fn new(config: &Config) -> Self {
        let blank = |count| vec![Stored::Blank; count];
        let disk = DiskImage {
            superblocks: vec![Stored::Blank; usize::from(SUPERBLOCK_COPIES)],
            log: blank(config.log_slots as usize),
            checkpoints: vec![Stored::Blank; usize::from(CHECKPOINT_PLACES)],
        };
        let replica = Replica::new(config.clone(), Machine::default());
        Self { replica, disk, writes: VecDeque::new(), timers: BTreeSet::new(), fingerprint: 0 }
    }

    /// The slot of the newest durable entry.
    #[must_use]
    pub fn newest(&self) -> Option<usize> {
        let entries = self.disk.log.iter().enumerate().filter_map(|(slot, stored)| match stored {
            Stored::Value(entry) => Some((entry.op, slot)),
            _ => None,
        });
        entries.max().map(|(_, slot)| slot)
    }

    /// The view that this replica will not fall behind any more, whatever happens to it.
    fn durable_view(&self) -> View {
        let views = self.disk.superblocks.iter().filter_map(|stored| match stored {
            Stored::Value(superblock) => Some(superblock.view),
            _ => None,
        });
        views.max().unwrap_or_default()
    }

    /// Whether a message can never again mean anything to this replica. Who works for an older view is still answered, so that
    /// questions count in any view.
    fn is_past(&self, message: &Message) -> bool {
        let belongs_to_its_view = matches!(
            message.command(),
            Command::Prepare | Command::PrepareOk | Command::Commit | Command::StartViewChange | Command::DoViewChange | Command::StartView
        );
        belongs_to_its_view && message.view < self.durable_view()
    }

    /// A write becomes durable.
    fn persist(&mut self, what: Write) {
        match what {
            Write::Superblock { copy, superblock } => self.disk.superblocks[usize::from(copy)] = Stored::Value(superblock),
            Write::Entry(entry) => {
                let slot = usize::try_from(entry.op.0).expect("few ops") % self.disk.log.len();
                self.disk.log[slot] = Stored::Value(entry);
            }
            Write::Checkpoint { place, checkpoint } => self.disk.checkpoints[usize::from(place)] = Stored::Value(checkpoint),
        }
    }
}

fn fingerprint(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// What has gone wrong so far, of what may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// Timers that fired.
    pub timers: u32,
    /// Crashes.
    pub crashes: u32,
    /// Messages that were delivered and stayed.
    pub duplicates: u32,
    /// Entries that a crash left damaged.
    pub damage: u32,
}

/// One state of the cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The replicas.
    pub nodes: Vec<Arc<Node>>,
    /// Messages to replicas that were sent and not yet delivered. One that never is, is lost.
    pub network: BTreeMap<u64, Arc<Message>>,
    /// What has gone wrong.
    pub spent: Spent,
    /// What has been established.
    pub facts: Arc<Facts>,
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        let prints = |cluster: &Self| cluster.nodes.iter().map(|node| node.fingerprint).collect::<Vec<_>>();
        self.spent == other.spent
            && self.facts == other.facts
            && prints(self) == prints(other)
            && self.network.keys().eq(other.network.keys())
    }
}

impl Hash for Cluster {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nodes.iter().for_each(|node| state.write_u64(node.fingerprint));
        self.network.keys().for_each(|key| state.write_u64(*key));
        self.spent.hash(state);
        self.facts.hash(state);
    }
}

impl Cluster {
    /// Replicas that have just been formatted and started; what their first steps send is under way.
    #[must_use]
    pub fn new(configs: &[Config], requests: Vec<Message>, eager_disk: bool) -> Self {
        let mut cluster = Self {
            nodes: configs.iter().map(|config| Arc::new(Node::new(config))).collect(),
            network: BTreeMap::new(),
            spent: Spent::default(),
            facts: Arc::new(Facts::new(configs.len())),
        };
        for replica in 0..configs.len() {
            cluster.step(replica, Input::Start, eager_disk);
        }
        for request in requests {
            cluster.send(request);
        }
        cluster
    }

    fn send(&mut self, message: Message) {
        if let Peer::Replica(to) = message.to
            && !self.nodes[usize::from(to.0)].is_past(&message)
        {
            self.network.insert(fingerprint(&message), Arc::new(message));
        }
    }

    /// Takes messages that can never again mean anything to a replica from the network: states that differ in nothing else are one.
    fn forget_past(&mut self, index: usize) {
        let node = &self.nodes[index];
        let is_past = |message: &Message| matches!(message.to, Peer::Replica(to) if usize::from(to.0) == index) && node.is_past(message);
        self.network.retain(|_, message| !is_past(message));
    }

    /// Gives one input to a replica and carries out what follows. Reads are answered at once, and writes too on an eager disk.
    /// Returns whether anything changed.
    pub fn step(&mut self, index: usize, input: Input, eager_disk: bool) -> bool {
        let (before, sent) = (self.nodes[index].fingerprint, self.network.len());
        let mut inputs = VecDeque::from([input]);
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            Arc::make_mut(&mut self.nodes[index]).replica.step(0, input, &mut effects);
            for effect in effects.drain(..) {
                self.carry_out(index, effect, eager_disk, &mut inputs);
            }
        }
        let node = Arc::make_mut(&mut self.nodes[index]);
        node.fingerprint = fingerprint(&(&node.replica, &node.disk, &node.writes, &node.timers));
        let changed = node.fingerprint != before || self.network.len() != sent;
        self.forget_past(index);
        changed
    }

    fn carry_out(&mut self, index: usize, effect: Effect, eager_disk: bool, inputs: &mut VecDeque<Input>) {
        if let Effect::Send(message) = effect {
            return self.send(message);
        }
        let node = Arc::make_mut(&mut self.nodes[index]);
        match effect {
            Effect::Persist { write, what } if eager_disk => {
                node.persist(what);
                inputs.push_back(Input::Written(write));
            }
            Effect::Persist { write, what } => node.writes.push_back((write, what)),
            Effect::Read { read, slot } => inputs.push_back(Input::Read { read, content: node.disk.log[slot as usize].clone() }),
            Effect::SetTimer { timer, .. } => _ = node.timers.insert(timer),
            Effect::CancelTimer(timer) => _ = node.timers.remove(&timer),
            Effect::Note { state, note } => {
                let is_primary = state.view.0 % self.nodes.len() as u64 == index as u64;
                Arc::make_mut(&mut self.facts).learn(index, is_primary, &state, &note);
            }
            // Scrubbers are switched off here: they decide nothing, and would never come to rest.
            Effect::Send(_) | Effect::Reject(_) | Effect::Scan { .. } => {}
        }
    }

    /// The oldest write of a replica becomes durable.
    pub fn complete_write(&mut self, index: usize, eager_disk: bool) -> bool {
        let node = Arc::make_mut(&mut self.nodes[index]);
        let Some((write, what)) = node.writes.pop_front() else { return false };
        node.persist(what);
        self.step(index, Input::Written(write), eager_disk)
    }

    /// A timer fires. The one that looks for words from the primary fires as often as it takes to matter.
    pub fn fire(&mut self, index: usize, timer: Timer, eager_disk: bool) -> bool {
        let keys: BTreeSet<u64> = self.network.keys().copied().collect();
        let mut changed = false;
        for _ in 0..=VIEW_CHANGE_TICKS {
            if !Arc::make_mut(&mut self.nodes[index]).timers.remove(&timer) {
                break;
            }
            changed |= self.step(index, Input::Timer(timer), eager_disk);
            if timer != Timer::ViewChange || self.network.keys().any(|key| !keys.contains(key)) {
                break;
            }
        }
        changed
    }

    /// A replica loses its memory and all but its oldest `kept` writes, and starts again; with `damaged` its newest durable entry
    /// has rotted meanwhile.
    pub fn crash(&mut self, index: usize, kept: usize, damaged: bool, config: &Config, eager_disk: bool) {
        let node = Arc::make_mut(&mut self.nodes[index]);
        if damaged && let Some(slot) = node.newest() {
            node.disk.log[slot] = Stored::Bytes(vec![0xff; 64]);
        }
        for (_, what) in core::mem::take(&mut node.writes).into_iter().take(kept) {
            node.persist(what);
        }
        node.timers.clear();
        node.replica = Replica::restart(config.clone(), Machine::default(), node.disk.clone());
        self.step(index, Input::Start, eager_disk);
    }

    /// Replicas on whose disks an entry lies.
    #[must_use]
    pub fn holders(&self, op: vsr::ids::Op, hash: vsr::ids::Hash) -> usize {
        let holds = |node: &&Arc<Node>| {
            node.disk.log.iter().any(|slot| matches!(slot, Stored::Value(entry) if entry.op == op && entry.hash == hash))
        };
        self.nodes.iter().filter(holds).count()
    }
}
