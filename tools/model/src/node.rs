//! One replica with its disk, as a value: what it becomes and what it sends when something happens to it.
//!
//! Nothing here chooses: every function carries out one action on a copy. Time stands still; that a timer fires is an action like
//! any other. What comes out depends on the node and the action alone, so that it is worked out once for all states of a cluster.

use crate::machine::Machine;
use std::collections::{BTreeSet, VecDeque};
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES, VIEW_CHANGE_TICKS};
use vsr::ids::{Hash, Op, Peer, View};
use vsr::io::{DiskImage, Effect, Input, Note, StateSummary, Stored, Timer, Write, WriteId};
use vsr::message::Message;
use vsr::{Config, Replica};

/// A replica, its disk, and the writes between them.
#[derive(Clone, Debug, Hash)]
pub struct Node {
    /// The replica.
    pub replica: Replica<Machine>,
    /// What is durable.
    pub disk: DiskImage,
    /// What is not yet durable, oldest first.
    pub writes: VecDeque<(WriteId, Write)>,
    /// Timers that run.
    pub timers: BTreeSet<Timer>,
}

/// What a node lets the others know of one action.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Messages to replicas, in the order in which they leave.
    pub sent: Vec<Message>,
    /// What the replica has noted, each with the state that it was in.
    pub notes: Vec<(StateSummary, Note)>,
}

impl Node {
    /// A replica that has just been formatted and started.
    #[must_use]
    pub fn new(config: &Config, eager_disk: bool) -> (Self, Outcome) {
        let blank = |count| vec![Stored::Blank; count];
        let disk = DiskImage {
            superblocks: vec![Stored::Blank; usize::from(SUPERBLOCK_COPIES)],
            log: blank(config.log_slots as usize),
            checkpoints: vec![Stored::Blank; usize::from(CHECKPOINT_PLACES)],
        };
        let replica = Replica::new(config.clone(), Machine::default());
        let mut node = Self { replica, disk, writes: VecDeque::new(), timers: BTreeSet::new() };
        let mut outcome = Outcome::default();
        node.step(Input::Start, eager_disk, &mut outcome);
        (node, outcome)
    }

    /// A message arrives.
    #[must_use]
    pub fn receive(&self, message: &Message, eager_disk: bool) -> (Self, Outcome) {
        let (mut node, mut outcome) = (self.clone(), Outcome::default());
        node.step(Input::Message(message.clone()), eager_disk, &mut outcome);
        (node, outcome)
    }

    /// The oldest write becomes durable.
    #[must_use]
    pub fn complete_write(&self) -> (Self, Outcome) {
        let mut node = self.clone();
        let Some((write, what)) = node.writes.pop_front() else { return (node, Outcome::default()) };
        node.persist(what);
        let mut outcome = Outcome::default();
        node.step(Input::Written(write), false, &mut outcome);
        (node, outcome)
    }

    /// A timer fires. The one that looks for words from the primary fires until the replica says something.
    #[must_use]
    pub fn fire(&self, timer: Timer, eager_disk: bool) -> (Self, Outcome) {
        let (mut node, mut outcome) = (self.clone(), Outcome::default());
        for _ in 0..=VIEW_CHANGE_TICKS {
            if !node.timers.remove(&timer) {
                break;
            }
            node.step(Input::Timer(timer), eager_disk, &mut outcome);
            if timer != Timer::ViewChange || !outcome.sent.is_empty() {
                break;
            }
        }
        (node, outcome)
    }

    /// The replica loses its memory and all but its oldest `kept` writes, and starts again; with `damaged` its newest durable entry
    /// has rotted meanwhile.
    #[must_use]
    pub fn crash(&self, kept: usize, damaged: bool, config: &Config, eager_disk: bool) -> (Self, Outcome) {
        let mut node = self.clone();
        if damaged && let Some(slot) = node.newest() {
            node.disk.log[slot] = Stored::Bytes(vec![0xff; 64]);
        }
        for (_, what) in core::mem::take(&mut node.writes).into_iter().take(kept) {
            node.persist(what);
        }
        node.timers.clear();
        node.replica = Replica::restart(config.clone(), Machine::default(), node.disk.clone());
        let mut outcome = Outcome::default();
        node.step(Input::Start, eager_disk, &mut outcome);
        (node, outcome)
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

    /// Whether an entry lies on the disk.
    #[must_use]
    pub fn holds(&self, op: Op, hash: Hash) -> bool {
        self.disk.log.iter().any(|slot| matches!(slot, Stored::Value(entry) if entry.op == op && entry.hash == hash))
    }

    /// The view that this replica will not fall behind any more, whatever happens to it.
    #[must_use]
    pub fn durable_view(&self) -> View {
        let views = self.disk.superblocks.iter().filter_map(|stored| match stored {
            Stored::Value(superblock) => Some(superblock.view),
            _ => None,
        });
        views.max().unwrap_or_default()
    }

    /// Gives one input to the replica and carries out what follows. Reads are answered at once, and writes too on an eager disk.
    fn step(&mut self, input: Input, eager_disk: bool, outcome: &mut Outcome) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.replica.step(0, input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Send(message) if matches!(message.to, Peer::Replica(_)) => outcome.sent.push(message),
                    Effect::Persist { write, what } if eager_disk => {
                        self.persist(what);
                        inputs.push_back(Input::Written(write));
                    }
                    Effect::Persist { write, what } => self.writes.push_back((write, what)),
                    Effect::Read { read, slot } => inputs.push_back(Input::Read { read, content: self.disk.log[slot as usize].clone() }),
                    Effect::SetTimer { timer, .. } => _ = self.timers.insert(timer),
                    Effect::CancelTimer(timer) => _ = self.timers.remove(&timer),
                    Effect::Note { state, note } => outcome.notes.push((state, note)),
                    // Scrubbers are switched off here: they decide nothing, and would never come to rest.
                    Effect::Send(_) | Effect::Reject(_) | Effect::Scan { .. } => {}
                }
            }
        }
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
