//! A small cluster under random weather: delays, loss, duplicates, partitions, crashes, torn writes, damaged slots.

use crate::admin::Admin;
use crate::clients::{Client, Clients, Next};
use crate::disk::Disk;
use crate::draw::Draw;
use crate::facts::Facts;
use crate::machine::Machine;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use vsr::bug::Bug;
use vsr::ids::{Peer, ReplicaId};
use vsr::io::{Effect, Input, Note, Place, ReadId, Status, Timer, Write, WriteId};
use vsr::message::{Body, Message, RejectReason, TailSlot};
use vsr::{Config, Replica};

const MS: u64 = 1_000_000;
/// The disk that may be damaged: one, so that a quorum of good copies remains.
const DAMAGED_DISK: usize = 1;

enum Event {
    Deliver { message: Message, damaged: bool },
    Timer { replica: usize, timer: Timer, serial: u64 },
    Written { replica: usize, incarnation: u32, write: WriteId },
    Read { replica: usize, incarnation: u32, read: ReadId, slot: u32 },
    Scanned { replica: usize, incarnation: u32, read: ReadId, places: Vec<Place> },
    Crash(usize),
    Restart(usize),
    Partition,
    Retry { client: usize, attempt: u64 },
    Corrupt,
    Change,
    AskAgain { attempt: u64 },
    Heal,
}

/// A replica, its disk, and what is on its way between them.
pub struct Node {
    config: Config,
    pub replica: Option<Replica<Machine>>,
    disk: Disk,
    writes: BTreeMap<WriteId, Write>,
    timers: BTreeMap<Timer, u64>,
    incarnation: u32,
}

/// What is drawn once per seed; shares are out of 10,000.
struct Weather {
    loss: u64,
    duplicates: u64,
    latency_ms: (u64, u64),
    disk_ms: (u64, u64),
    crash_every_ms: u64,
    partition_every_ms: u64,
    write_failures: u64,
    torn: bool,
    corrupt: bool,
    damaged_messages: u64,
    client_crashes: u64,
}

impl Weather {
    fn draw(draw: &mut Draw) -> Self {
        Self {
            loss: draw.pick(&[0, 100, 500, 2000]),
            duplicates: draw.pick(&[0, 200, 1000]),
            latency_ms: draw.pick(&[(1, 5), (1, 20), (1, 50)]),
            disk_ms: draw.pick(&[(0, 1), (1, 10), (1, 200)]),
            crash_every_ms: draw.pick(&[0, 400, 1000, 3000]),
            partition_every_ms: draw.pick(&[0, 700, 2000]),
            write_failures: draw.pick(&[0, 100, 500]),
            torn: draw.chance(5000),
            corrupt: draw.chance(4000),
            damaged_messages: draw.pick(&[0, 100]),
            client_crashes: draw.pick(&[0, 300]),
        }
    }

    fn calm(&mut self) {
        *self = Self {
            loss: 0,
            duplicates: 0,
            latency_ms: (1, 5),
            disk_ms: (0, 1),
            write_failures: 0,
            damaged_messages: 0,
            client_crashes: 0,
            torn: false,
            ..*self
        };
    }
}

/// The cluster.
pub struct World {
    draw: Draw,
    weather: Weather,
    now: u64,
    serial: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    pub nodes: Vec<Node>,
    pub clients: Clients,
    /// Changes the membership, on some of the seeds.
    pub admin: Option<Admin>,
    blocked: Vec<Vec<bool>>,
    pub facts: Facts,
    healed: bool,
    pub rejected: BTreeMap<RejectReason, u64>,
    pub notes: BTreeMap<&'static str, u64>,
    pub trace: Option<Vec<String>>,
    pub steps: u64,
}

impl World {
    pub fn new(seed: u64, replicas: u8, standbys: u8, bug: Option<Bug>) -> Self {
        let mut draw = Draw(seed);
        let weather = Weather::draw(&mut draw);
        let members = usize::from(replicas + standbys);
        // By the seed itself: a draw would change all others. Most disks are left alone, so that damage lies there for restarts to find.
        let scrub_ms = [0, 0, 0, 100, 20][usize::try_from(seed % 5).unwrap()];
        let node = |index: u8| {
            let config = Config {
                standbys,
                bug,
                sessions_max: 8,
                log_slots: 64,
                checkpoint_interval: 16,
                pipeline_max: 8,
                scrub_tick_ns: scrub_ms * MS,
                ..Config::new(ReplicaId(index), replicas)
            };
            let disk = Disk::formatted(config.log_slots);
            Node { config, replica: None, disk, writes: BTreeMap::new(), timers: BTreeMap::new(), incarnation: 0 }
        };
        Self {
            draw,
            weather,
            now: 0,
            serial: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            nodes: (0..replicas + standbys).map(node).collect(),
            clients: Clients::new(6),
            admin: (members > 2 && seed % 3 == 2).then(|| Admin::new(seed, replicas + standbys)),
            blocked: vec![vec![false; members]; members],
            facts: Facts::new(usize::from(replicas), members),
            healed: false,
            rejected: BTreeMap::new(),
            notes: BTreeMap::new(),
            trace: None,
            steps: 0,
        }
    }

    /// The first contradiction.
    pub fn broken(&self) -> Option<&String> {
        self.facts.broken.as_ref().or(self.clients.broken.as_ref())
    }

    fn at(&mut self, time: u64, event: Event) {
        self.serial += 1;
        self.queue.push(Reverse((time, self.serial)));
        self.events.insert(self.serial, event);
    }

    fn after_ms(&mut self, (low, high): (u64, u64), event: Event) {
        let delay = self.draw.range(low * 1000, high * 1000) * 1000 + 1;
        self.at(self.now + delay, event);
    }

    /// Runs faults for a while, then heals and waits until everything has settled, or time is up.
    pub fn run(&mut self, safety_ms: u64, heal_ms: u64) {
        for index in 0..self.nodes.len() {
            let config = self.nodes[index].config.clone();
            self.nodes[index].replica = Some(Replica::new(config, Machine::default()));
            self.step(index, Input::Start);
        }
        for client in 0..self.clients.all.len() {
            self.send_request(client);
        }
        self.schedule_faults();
        if self.admin.is_some() {
            self.after_ms((10, 100), Event::Change);
        }
        self.at(safety_ms * MS, Event::Heal);
        let end = (safety_ms + heal_ms) * MS;
        while let Some(Reverse((time, serial))) = self.queue.pop() {
            if time > end || self.broken().is_some() || (self.healed && self.settled()) {
                break;
            }
            self.now = time;
            let event = self.events.remove(&serial).unwrap();
            self.handle(event);
        }
        self.facts.check_claims(&self.clients.claims);
        self.facts.check_quorums();
        if self.broken().is_none() && !self.settled() {
            let states: Vec<_> = self.nodes.iter().map(|node| node.replica.as_ref().map(Replica::summary)).collect();
            self.facts.broken = Some(format!("not settled at {} ms: {states:?} {:?}", self.now / MS, self.clients.all));
        }
    }

    fn schedule_faults(&mut self) {
        let (crash, partition) = (self.weather.crash_every_ms, self.weather.partition_every_ms);
        if crash > 0 {
            for index in 0..self.nodes.len() {
                self.after_ms((1, 2 * crash), Event::Crash(index));
            }
        }
        if partition > 0 {
            self.after_ms((1, 2 * partition), Event::Partition);
        }
        if self.weather.corrupt && self.nodes.len() > DAMAGED_DISK {
            self.after_ms((100, 500), Event::Corrupt);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver { message, damaged } => self.deliver(message, damaged),
            Event::Timer { replica, timer, serial } => {
                if self.nodes[replica].timers.get(&timer) == Some(&serial) {
                    self.nodes[replica].timers.remove(&timer);
                    self.step(replica, Input::Timer(timer));
                }
            }
            Event::Written { replica, incarnation, write } => self.written(replica, incarnation, write),
            Event::Read { replica, incarnation, read, slot } => {
                if self.is_up(replica, incarnation) {
                    let content = self.nodes[replica].disk.image.log[slot as usize].clone();
                    self.step(replica, Input::Read { read, content });
                }
            }
            Event::Scanned { replica, incarnation, read, places } => {
                if self.is_up(replica, incarnation) {
                    let disk = &self.nodes[replica].disk;
                    let contents = places.into_iter().map(|place| disk.content(place)).collect();
                    self.step(replica, Input::Scanned { read, contents });
                }
            }
            Event::Crash(index) => self.crash(index),
            Event::Restart(index) => self.restart(index),
            Event::Partition => self.partition(),
            Event::Retry { client, attempt } => {
                if self.clients.all[client].attempt == attempt {
                    self.clients.all[client].target += 1;
                    self.send_request(client);
                }
            }
            Event::Corrupt => self.corrupt(),
            Event::Change => self.change_membership(),
            Event::AskAgain { attempt } => {
                if self.admin.as_ref().is_some_and(|admin| admin.attempt == attempt) {
                    self.ask_for_change();
                }
            }
            Event::Heal => self.heal(),
        }
    }

    fn corrupt(&mut self) {
        if self.healed {
            return;
        }
        let slots = usize::try_from(self.nodes[0].config.log_slots).unwrap();
        let (slot, bit, kind) = (self.draw.index(slots), self.draw.index(1 << 30), self.draw.index(20));
        let disk = &mut self.nodes[DAMAGED_DISK].disk;
        match kind {
            0 => disk.corrupt_superblock(slot % 4, bit),
            1 => disk.corrupt_checkpoint(slot % 2, bit),
            _ => disk.corrupt_slot(slot, bit),
        }
        self.after_ms((20, 300), Event::Corrupt);
    }

    fn change_membership(&mut self) {
        if self.healed {
            return;
        }
        self.admin.as_mut().expect("there is one").begin();
        self.ask_for_change();
        self.after_ms((100, 1500), Event::Change);
    }

    fn ask_for_change(&mut self) {
        let admin = self.admin.as_mut().expect("there is one");
        let Some(message) = admin.message() else { return };
        let attempt = admin.attempt;
        self.transmit(message);
        self.after_ms((50, 100), Event::AskAgain { attempt });
    }

    fn heal(&mut self) {
        self.healed = true;
        self.weather.calm();
        for row in &mut self.blocked {
            row.fill(false);
        }
        for index in 0..self.nodes.len() {
            self.restart(index);
        }
    }

    fn partition(&mut self) {
        if self.healed {
            return;
        }
        let count = self.nodes.len();
        for row in &mut self.blocked {
            row.fill(false);
        }
        if self.draw.chance(6000) {
            let (chosen, other, kind) = (self.draw.index(count), self.draw.index(count), self.draw.index(4));
            for peer in 0..count {
                let (outbound, inbound) = match kind {
                    0 => (true, true),
                    1 => (true, false),
                    2 => (false, true),
                    _ => (peer == other, peer == other),
                };
                self.blocked[chosen][peer] |= outbound;
                self.blocked[peer][chosen] |= inbound;
            }
        }
        let every = self.weather.partition_every_ms;
        self.after_ms((every / 4, 2 * every), Event::Partition);
    }

    fn is_up(&self, replica: usize, incarnation: u32) -> bool {
        self.nodes[replica].replica.is_some() && self.nodes[replica].incarnation == incarnation
    }

    fn written(&mut self, replica: usize, incarnation: u32, write: WriteId) {
        if !self.is_up(replica, incarnation) {
            return;
        }
        let what = self.nodes[replica].writes.remove(&write).unwrap();
        if !self.draw.chance(self.weather.write_failures) {
            self.nodes[replica].disk.write(&what);
            self.step(replica, Input::Written(write));
            return;
        }
        // Nothing is known of the slot now.
        if self.weather.torn && self.draw.chance(5000) {
            let share = self.draw.index(256);
            self.nodes[replica].disk.tear(&what, share);
        }
        self.step(replica, Input::WriteFailed(write));
    }

    fn crash(&mut self, index: usize) {
        if self.healed {
            return;
        }
        if self.nodes[index].replica.take().is_some() {
            self.trace(|| format!("r{index} CRASH"));
            self.nodes[index].timers.clear();
            for (_, what) in core::mem::take(&mut self.nodes[index].writes) {
                match self.draw.index(3) {
                    0 => self.nodes[index].disk.write(&what),
                    1 if self.weather.torn => {
                        let share = self.draw.index(256);
                        self.nodes[index].disk.tear(&what, share);
                    }
                    _ => {}
                }
            }
        }
        let every = self.weather.crash_every_ms;
        self.after_ms((1, every), Event::Restart(index));
        self.after_ms((every, 4 * every), Event::Crash(index));
    }

    fn restart(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.replica.is_some() {
            return;
        }
        node.incarnation += 1;
        let disk = node.disk.image.clone();
        node.replica = Some(Replica::restart(node.config.clone(), Machine::default(), disk));
        self.step(index, Input::Start);
    }

    fn deliver(&mut self, message: Message, damaged: bool) {
        match message.to {
            Peer::Replica(to) => {
                let to = usize::from(to.0);
                if self.nodes[to].replica.is_none() {
                    return;
                }
                if damaged {
                    let mut bytes = message.encode();
                    let bit = self.draw.index(bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    self.step(to, Input::Bytes(bytes));
                } else {
                    self.step(to, Input::Message(message));
                }
            }
            Peer::Client(crate::admin::KEY) => {
                let heard = self.admin.as_mut().expect("it has asked").receive(&message);
                if let Err(broken) = heard {
                    self.facts.broken.get_or_insert(broken);
                }
            }
            Peer::Client(key) => {
                let client = self.clients.all.iter().position(|client| client.key == key).unwrap();
                let members = self.nodes.len();
                match self.clients.receive(client, &message, members) {
                    Next::Wait => {}
                    Next::Send => self.send_request(client),
                    Next::Done => {
                        if self.draw.chance(self.weather.client_crashes) {
                            self.clients.all[client].crash();
                        }
                        self.clients.begin(client);
                        self.send_request(client);
                    }
                }
            }
        }
    }

    fn send_request(&mut self, index: usize) {
        let members = self.nodes.len();
        let client = &mut self.clients.all[index];
        client.attempt += 1;
        if self.healed && client.is_done() {
            return;
        }
        let (attempt, message) = (client.attempt, client.message(members));
        self.transmit(message);
        self.after_ms((100, 200), Event::Retry { client: index, attempt });
    }

    fn transmit(&mut self, message: Message) {
        if let (Peer::Replica(from), Peer::Replica(to)) = (message.from, message.to)
            && self.blocked[usize::from(from.0)][usize::from(to.0)]
        {
            return;
        }
        if self.draw.chance(self.weather.loss) {
            return;
        }
        let (low, high) = self.weather.latency_ms;
        if self.draw.chance(self.weather.duplicates) {
            self.after_ms((low, high * 20), Event::Deliver { message: message.clone(), damaged: false });
        }
        let damaged = self.draw.chance(self.weather.damaged_messages);
        self.after_ms((low, high), Event::Deliver { message, damaged });
    }

    fn trace(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {}", self.now / 1000, line()));
        }
    }

    fn step(&mut self, index: usize, input: Input) {
        self.steps += 1;
        let mut effects = Vec::new();
        self.trace(|| format!("r{index} < {}", show_input(&input)));
        let replica = self.nodes[index].replica.as_mut().unwrap();
        replica.step(self.now, input, &mut effects);
        let may_crash = !self.healed && self.weather.crash_every_ms > 0;
        let crash_at = (may_crash && self.draw.chance(2)).then(|| self.draw.index(effects.len() + 1));
        for (place, effect) in effects.into_iter().enumerate() {
            if crash_at == Some(place) {
                self.crash(index);
                return;
            }
            self.trace(|| format!("r{index}   > {}", show_effect(&effect)));
            self.carry_out(index, effect);
        }
    }

    fn carry_out(&mut self, index: usize, effect: Effect) {
        let incarnation = self.nodes[index].incarnation;
        match effect {
            Effect::Send(message) => self.transmit(message),
            Effect::Persist { write, what } => {
                self.nodes[index].writes.insert(write, what);
                self.after_ms(self.weather.disk_ms, Event::Written { replica: index, incarnation, write });
            }
            Effect::Read { read, slot } => {
                self.after_ms(self.weather.disk_ms, Event::Read { replica: index, incarnation, read, slot });
            }
            Effect::Scan { read, places } => {
                self.after_ms(self.weather.disk_ms, Event::Scanned { replica: index, incarnation, read, places });
            }
            Effect::SetTimer { timer, after_ns } => {
                let due = self.now + after_ns + self.draw.below(after_ns / 10 + 1);
                self.at(due, Event::Timer { replica: index, timer, serial: self.serial + 1 });
                self.nodes[index].timers.insert(timer, self.serial);
            }
            Effect::CancelTimer(timer) => {
                self.nodes[index].timers.remove(&timer);
            }
            Effect::Note { state, note } => {
                *self.notes.entry(note_name(&note)).or_default() += 1;
                self.facts.learn(index, &state, &note);
            }
            Effect::Reject(reason) => self.refused(index, reason),
        }
    }

    /// Honest messages are refused for their age, for their place, or for lack of room; never for what they say.
    fn refused(&mut self, index: usize, reason: RejectReason) {
        *self.rejected.entry(reason).or_default() += 1;
        let accusations = [
            RejectReason::ConflictsWithCommitted,
            RejectReason::HashMismatch,
            RejectReason::BrokenChain,
            RejectReason::TailLengthMismatch,
            RejectReason::CommitBeyondLog,
            RejectReason::InvalidMetadata,
            RejectReason::InvalidRange,
            RejectReason::Malformed,
        ];
        if accusations.contains(&reason) && self.facts.broken.is_none() && self.nodes[0].config.bug.is_none() {
            self.facts.broken = Some(format!("replica {index} refused an honest message: {reason}"));
        }
    }

    fn settled(&self) -> bool {
        let up = || self.nodes.iter().filter_map(|node| node.replica.as_ref());
        let highest = up().map(|replica| replica.summary().commit).max();
        let same = up().map(Replica::summary).all(|state| {
            let is_level = Some(state.commit) == highest && Some(state.op) == highest;
            state.status == Status::Normal && is_level
        });
        let all_up = up().count() == self.nodes.len();
        self.clients.all.iter().all(Client::is_done) && all_up && same && up().any(Replica::is_primary) && up().all(Replica::is_mended)
    }
}

fn show_input(input: &Input) -> String {
    match input {
        Input::Message(message) => {
            format!("{} from {:?} view {} {:?}", message.command(), message.from, message.view, message.summary())
        }
        other => format!("{other:?}").chars().take(150).collect(),
    }
}

fn show_effect(effect: &Effect) -> String {
    match effect {
        Effect::Send(Message { body: Body::DoViewChange(vote), to, view, .. }) => {
            let slot = |slot: &TailSlot| match slot {
                TailSlot::Present(_) => 'P',
                TailSlot::Missing(Some(_)) => 'h',
                TailSlot::Missing(None) => '?',
            };
            let tail: String = vote.tail.iter().map(slot).collect();
            let (normal, commit, op, uncertain) = (vote.last_normal_view, vote.commit, vote.op, vote.uncertain);
            format!("send do_view_change to {to:?} view {view}/{normal} commit {commit} op {op} uncertain {uncertain} {tail}")
        }
        Effect::Send(message) => {
            format!("send {} to {:?} view {} {:?}", message.command(), message.to, message.view, message.summary())
        }
        Effect::Note { state, note } => {
            let note: String = format!("{note:?}").chars().take(200).collect();
            format!("note {:?} v{}/{} op {} commit {}: {note}", state.status, state.view, state.last_normal_view, state.op, state.commit)
        }
        other => format!("{other:?}").chars().take(200).collect(),
    }
}

fn note_name(note: &Note) -> &'static str {
    match note {
        Note::ViewEntered { .. } => "view_entered",
        Note::StateInstalled { .. } => "state_installed",
        Note::Repaired(_) => "repaired",
        Note::CorruptionDetected { .. } => "corruption_detected",
        Note::EntryTruncated(_) => "entry_truncated",
        Note::Abdicated(_) => "abdicated",
        Note::CheckpointDurable(_) => "checkpoint_durable",
        Note::Restarted => "restarted",
        Note::EpochEntered(_) => "epoch_entered",
        Note::RepairRequested { .. } => "repair_requested",
        _ => "other",
    }
}
