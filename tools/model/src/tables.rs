//! Every different replica, message and set of facts that a search has met, each kept once and known by a number.
//!
//! What a replica does depends on the replica and on what happens to it alone, and there are far fewer different replicas than states
//! of a cluster: whatever has happened to the same replica before is looked up, and a state of the cluster is a handful of numbers.

use crate::bounds::Bounds;
use crate::facts::Facts;
use crate::node::{Node, Outcome};
use core::fmt;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use vsr::Config;
use vsr::ids::{ClientKey, Peer, View};
use vsr::io::{Note, StateSummary, Status, Timer};
use vsr::message::{Command, Message};

/// Something that happens to one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A message arrives.
    Message(u16),
    /// The oldest write becomes durable.
    WriteCompletes,
    /// A timer fires.
    Fires(Timer),
    /// It crashes and starts again.
    Crash {
        /// Of the writes under way, the oldest so many have reached the disk.
        kept: u8,
        /// Whether the newest durable entry has rotted.
        damaged: bool,
    },
}

/// What an event makes of a replica.
#[derive(Clone, Debug)]
pub struct Step {
    /// The replica afterwards.
    pub node: u32,
    /// Messages that it sends, in order.
    pub sent: Box<[u16]>,
    /// What it notes.
    notes: u32,
}

/// A replica with what is asked of it most.
pub struct KnownNode {
    /// The replica.
    pub node: Node,
    /// Its view in memory.
    pub view: View,
    /// The view below which it will never be again.
    pub durable_view: View,
    /// Fingerprint of the replica.
    pub print: u64,
}

/// A message with what is asked of it most.
pub struct KnownMessage {
    /// The message.
    pub message: Message,
    /// The replica that it goes to.
    pub to: u8,
    /// The client that sends it.
    pub client: Option<ClientKey>,
    /// Messages of one link arrive in the order in which they left, those of different links in any.
    pub link: u32,
    /// The view to which it belongs. Questions belong to none: who works for an older view is still answered.
    view: Option<View>,
}

/// Values of one kind, each once, by number; two are the same when their fingerprints are.
struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<u64, u32>,
}

impl<T> Numbered<T> {
    fn new() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }

    /// The number of the value with this fingerprint, which is made when it is a new one.
    fn number(&mut self, print: u64, make: impl FnOnce(u32) -> T) -> u32 {
        *self.numbers.entry(print).or_insert_with(|| {
            let next = number(self.all.len());
            self.all.push(make(next));
            next
        })
    }
}

/// The tables.
pub struct Tables {
    bounds: Bounds,
    configs: Vec<Config>,
    nodes: Numbered<KnownNode>,
    messages: Numbered<KnownMessage>,
    facts: Numbered<Facts>,
    notes: Vec<Vec<(StateSummary, Note)>>,
    steps: HashMap<(u32, Event), Rc<Step>>,
    learned: HashMap<(u32, u8, u32), u32>,
}

/// The fingerprint of any value: two of the few thousand that a search meets are taken for the same when they agree in it.
#[must_use]
pub fn fingerprint(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32")
}

impl Tables {
    /// Empty tables.
    #[must_use]
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            configs: bounds.configs(),
            bounds: bounds.clone(),
            nodes: Numbered::new(),
            messages: Numbered::new(),
            facts: Numbered::new(),
            notes: Vec::new(),
            steps: HashMap::new(),
            learned: HashMap::new(),
        }
    }

    /// A replica by its number.
    #[must_use]
    pub fn node(&self, number: u32) -> &KnownNode {
        &self.nodes.all[number as usize]
    }

    /// A message by its number.
    #[must_use]
    pub fn message(&self, number: u16) -> &KnownMessage {
        &self.messages.all[usize::from(number)]
    }

    /// Facts by their number.
    #[must_use]
    pub fn facts(&self, number: u32) -> &Facts {
        &self.facts.all[number as usize]
    }

    /// Different replicas, messages and sets of facts met so far.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.nodes.all.len(), self.messages.all.len(), self.facts.all.len())
    }

    /// The replicas of a cluster that has just been formatted, in order: what their first step is.
    pub fn start(&mut self) -> Vec<Step> {
        let nodes: Vec<_> = self.configs.iter().map(|config| Node::new(config, self.bounds.eager_disk)).collect();
        nodes.into_iter().map(|(node, outcome)| self.step(node, outcome)).collect()
    }

    /// What an event makes of a replica.
    pub fn after(&mut self, node: u32, replica: u8, event: Event) -> Rc<Step> {
        if let Some(known) = self.steps.get(&(node, event)) {
            return Rc::clone(known);
        }
        let eager = self.bounds.eager_disk;
        let before = &self.node(node).node;
        let (after, outcome) = match event {
            Event::Message(message) => before.receive(&self.message(message).message, eager),
            Event::WriteCompletes => before.complete_write(),
            Event::Fires(timer) => before.fire(timer, eager),
            Event::Crash { kept, damaged } => before.crash(usize::from(kept), damaged, &self.configs[usize::from(replica)], eager),
        };
        let step = Rc::new(self.step(after, outcome));
        self.steps.insert((node, event), Rc::clone(&step));
        step
    }

    /// The facts that are established once `replica` has taken a step.
    pub fn learn(&mut self, facts: u32, replica: u8, step: &Step) -> u32 {
        if let Some(known) = self.learned.get(&(facts, replica, step.notes)) {
            return *known;
        }
        let mut after = self.facts(facts).clone();
        for (state, note) in &self.notes[step.notes as usize] {
            let is_primary = state.view.0 % self.configs.len() as u64 == u64::from(replica);
            after.learn(usize::from(replica), is_primary, state, note);
        }
        let after = self.number_facts(after);
        self.learned.insert((facts, replica, step.notes), after);
        after
    }

    /// Whether a message can never again mean anything to the replica that it goes to, whatever happens to that.
    #[must_use]
    pub fn is_past(&self, message: u16, receiver: u32) -> bool {
        self.message(message).view.is_some_and(|view| view < self.node(receiver).durable_view)
    }

    /// Whether a message means nothing any more to a replica that will not crash: the replica works normally in the message's view,
    /// to which it never comes back once it has left, and the message is for those who change to that view or acknowledges what is
    /// committed. Whether it really does nothing is tried as well.
    pub fn is_settled(&mut self, message: u16, receiver: u32) -> bool {
        let (known, summary) = (self.message(message), self.node(receiver).node.replica.summary());
        let came_late = match known.message.command() {
            Command::StartViewChange | Command::DoViewChange | Command::StartView => true,
            Command::PrepareOk => known.message.summary().op.is_some_and(|op| op <= summary.commit),
            _ => false,
        };
        if !came_late || known.message.view != summary.view || summary.status != Status::Normal {
            return false;
        }
        let step = self.after(receiver, known.to, Event::Message(message));
        step.node == receiver && step.sent.is_empty()
    }

    /// The number of these facts.
    pub fn number_facts(&mut self, facts: Facts) -> u32 {
        self.facts.number(fingerprint(&facts), |_| facts)
    }

    /// The number of a message to a replica.
    ///
    /// # Panics
    /// For a message to a client, and for the 65,537th.
    pub fn number_message(&mut self, message: Message) -> u16 {
        let ordered = self.bounds.ordered_links;
        let number = self.messages.number(fingerprint(&message), |number| {
            let Peer::Replica(to) = message.to else { panic!("only messages to replicas are followed") };
            let (client, from) = match message.from {
                Peer::Client(key) => (Some(key), 256 + key.client.0),
                Peer::Replica(from) => (None, u32::from(from.0)),
            };
            let link = if ordered { from << 8 | u32::from(to.0) } else { number };
            let belongs_to_its_view = matches!(
                message.command(),
                Command::Prepare
                    | Command::PrepareOk
                    | Command::Commit
                    | Command::StartViewChange
                    | Command::DoViewChange
                    | Command::StartView
            );
            let view = belongs_to_its_view.then_some(message.view);
            KnownMessage { message, to: to.0, client, link, view }
        });
        u16::try_from(number).expect("fewer than 65,536 different messages")
    }

    fn step(&mut self, node: Node, outcome: Outcome) -> Step {
        let sent = outcome.sent.into_iter().map(|message| self.number_message(message)).collect();
        self.notes.push(outcome.notes);
        Step { node: self.number_node(node), sent, notes: number(self.notes.len() - 1) }
    }

    fn number_node(&mut self, node: Node) -> u32 {
        let print = fingerprint(&node);
        self.nodes.number(print, |_| {
            let (view, durable_view) = (node.replica.summary().view, node.durable_view());
            KnownNode { node, view, durable_view, print }
        })
    }

    /// An event in words.
    #[must_use]
    pub fn describe(&self, replica: u8, event: Event) -> String {
        match event {
            Event::Message(number) => Words(&self.message(number).message).to_string(),
            Event::WriteCompletes => format!("replica {replica}: its oldest write is durable"),
            Event::Fires(timer) => format!("replica {replica}: timer {timer:?} fires"),
            Event::Crash { kept, damaged } => {
                let rotten = if damaged { "; its newest durable entry is damaged" } else { "" };
                format!("replica {replica} crashes and comes back; of its writes under way {kept} count{rotten}")
            }
        }
    }
}

/// A message in words.
struct Words<'a>(&'a Message);

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |peer: Peer| match peer {
            Peer::Replica(replica) => format!("replica {replica}"),
            Peer::Client(key) => format!("client {}", key.client),
        };
        write!(formatter, "{} -> {}: {}", end(self.0.from), end(self.0.to), self.0.command())?;
        let summary = self.0.summary();
        let numbers =
            [("view", summary.view.map(|view| view.0)), ("op", summary.op.map(|op| op.0)), ("commit", summary.commit.map(|op| op.0))];
        for (name, number) in numbers {
            number.map_or(Ok(()), |number| write!(formatter, " {name} {number}"))?;
        }
        Ok(())
    }
}
