//! A small cluster under random schedules: delays, loss, duplicates, partitions, crashes, torn writes, damaged slots. What was
//! committed must never be contradicted, and when the faults end everything must settle.

mod cluster;

use cluster::facts::Facts;
use cluster::{Disk, Machine};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use vsr::bug::Bug;
use vsr::entry::request_hash;
use vsr::ids::{ClientId, ClientKey, Epoch, Op, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::io::{Effect, Input, Note, ReadId, Status, Stored, Timer, Write, WriteId};
use vsr::message::{Body, Message, RejectReason};
use vsr::{Config, Replica};

const MS: u64 = 1_000_000;

/// A small deterministic generator (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True with `share` in 10,000.
    fn chance(&mut self, share: u64) -> bool {
        self.below(10_000) < share
    }
}

enum Event {
    Deliver(Message, bool),
    Timer { replica: usize, timer: Timer, serial: u64 },
    Written { replica: usize, incarnation: u32, write: WriteId },
    Read { replica: usize, incarnation: u32, read: ReadId, slot: u32 },
    Crash(usize),
    Restart(usize),
    Partition,
    Retry { client: usize, serial: u64 },
    Corrupt,
    Heal,
}

struct Node {
    config: Config,
    replica: Option<Replica<Machine>>,
    disk: Disk,
    writes: BTreeMap<WriteId, Write>,
    timers: BTreeMap<Timer, u64>,
    incarnation: u32,
}

struct Client {
    key: ClientKey,
    session: Option<SessionNumber>,
    nonce: u64,
    request: u64,
    done: u64,
    serial: u64,
    target: usize,
    view: View,
}

/// What is drawn once per seed.
struct Weather {
    loss: u64,
    duplicates: u64,
    latency: (u64, u64),
    disk: (u64, u64),
    crash_every_ms: u64,
    partition_every_ms: u64,
    write_failures: u64,
    torn: bool,
    corrupt: bool,
    damaged_messages: u64,
    client_crashes: u64,
}

struct World {
    draw: Draw,
    weather: Weather,
    now: u64,
    serial: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    blocked: Vec<Vec<bool>>,
    facts: Facts,
    healed: bool,
    rejected: BTreeMap<RejectReason, u64>,
    trace: Option<Vec<String>>,
    steps: u64,
    statuses: [u64; 4],
    notes: BTreeMap<&'static str, u64>,
}

/// The disk that may be damaged: one, so that a quorum of good copies remains.
const DAMAGED_DISK: usize = 1;

impl World {
    fn new(seed: u64, replicas: u8, standbys: u8, bug: Option<Bug>) -> Self {
        let mut draw = Draw(seed);
        let weather = Weather {
            loss: [0, 100, 500, 2000][draw.below(4) as usize],
            duplicates: [0, 200, 1000][draw.below(3) as usize],
            latency: [(1, 5), (1, 20), (1, 50)][draw.below(3) as usize],
            disk: [(0, 1), (1, 10), (1, 200)][draw.below(3) as usize],
            crash_every_ms: [0, 400, 1000, 3000][draw.below(4) as usize],
            partition_every_ms: [0, 700, 2000][draw.below(3) as usize],
            write_failures: [0, 100, 500][draw.below(3) as usize],
            torn: draw.chance(5000),
            corrupt: draw.chance(4000),
            damaged_messages: [0, 100][draw.below(2) as usize],
            client_crashes: [0, 300][draw.below(2) as usize],
        };
        let members = replicas + standbys;
        let node = |index: u8| {
            let mut config = Config::new(ReplicaId(index), replicas);
            config.standbys = standbys;
            config.bug = bug;
            config.sessions_max = 8;
            config.log_slots = 64;
            config.checkpoint_interval = 16;
            config.pipeline_max = 8;
            let disk = Disk::formatted(config.log_slots);
            Node { config, replica: None, disk, writes: BTreeMap::new(), timers: BTreeMap::new(), incarnation: 0 }
        };
        let clients = (0..6).map(|index| Client {
            key: ClientKey { tenant: TenantId(index % 2), client: ClientId(index / 2) },
            session: None,
            nonce: u64::from(index) * 1000 + 1,
            request: 0,
            done: 0,
            serial: 0,
            target: 0,
            view: View(0),
        });
        let mut world = Self {
            weather,
            now: 0,
            serial: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            nodes: (0..members).map(node).collect(),
            clients: clients.collect(),
            blocked: vec![vec![false; usize::from(members)]; usize::from(members)],
            facts: Facts::new(usize::from(replicas)),
            healed: false,
            rejected: BTreeMap::new(),
            trace: None,
            steps: 0,
            statuses: [0; 4],
            notes: BTreeMap::new(),
            draw,
        };
        if standbys > 0 {
            world.facts = Facts::with_standbys(usize::from(replicas), usize::from(members));
        }
        world
    }

    fn at(&mut self, time: u64, event: Event) {
        self.serial += 1;
        self.queue.push(Reverse((time, self.serial)));
        self.events.insert(self.serial, event);
    }

    fn after_ms(&mut self, low: u64, high: u64, event: Event) {
        let delay = self.draw.range(low * 1000, high * 1000) * 1000 + 1;
        self.at(self.now + delay, event);
    }

    fn run(&mut self, safety_ms: u64, heal_ms: u64) {
        for index in 0..self.nodes.len() {
            let config = self.nodes[index].config.clone();
            self.nodes[index].replica = Some(Replica::new(config, Machine::default()));
            self.step(index, Input::Start);
        }
        for client in 0..self.clients.len() {
            self.send_request(client);
        }
        self.schedule_faults();
        self.at(safety_ms * MS, Event::Heal);
        let end = (safety_ms + heal_ms) * MS;
        while let Some(Reverse((time, serial))) = self.queue.pop() {
            if time > end || self.facts.broken.is_some() {
                break;
            }
            self.now = time;
            let event = self.events.remove(&serial).unwrap();
            self.handle(event);
            if self.healed && self.settled() {
                break;
            }
        }
    }

    fn schedule_faults(&mut self) {
        if self.weather.crash_every_ms > 0 {
            for index in 0..self.nodes.len() {
                self.after_ms(1, 2 * self.weather.crash_every_ms, Event::Crash(index));
            }
        }
        if self.weather.partition_every_ms > 0 {
            self.after_ms(1, 2 * self.weather.partition_every_ms, Event::Partition);
        }
        if self.weather.corrupt && self.nodes.len() > DAMAGED_DISK {
            self.after_ms(100, 500, Event::Corrupt);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver(message, damaged) => self.deliver(message, damaged),
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
            Event::Crash(index) => self.crash(index),
            Event::Restart(index) => self.restart(index),
            Event::Partition => self.partition(),
            Event::Retry { client, serial } => {
                if self.clients[client].serial == serial {
                    self.clients[client].target += 1;
                    self.send_request(client);
                }
            }
            Event::Corrupt => {
                if !self.healed {
                    let slots = self.nodes[0].config.log_slots as usize;
                    let (slot, bit) = (self.draw.below(slots as u64) as usize, self.draw.next() as usize);
                    let disk = &mut self.nodes[DAMAGED_DISK].disk;
                    match bit % 20 {
                        0 => disk.corrupt_superblock(slot % 4, bit),
                        1 => disk.corrupt_checkpoint(slot % 2, bit),
                        _ => {
                            disk.corrupt_slot(slot, bit);
                        }
                    }
                    self.after_ms(20, 300, Event::Corrupt);
                }
            }
            Event::Heal => self.heal(),
        }
    }

    fn heal(&mut self) {
        self.healed = true;
        self.weather.loss = 0;
        self.weather.duplicates = 0;
        self.weather.damaged_messages = 0;
        self.weather.write_failures = 0;
        self.weather.client_crashes = 0;
        self.weather.latency = (1, 5);
        self.weather.disk = (0, 1);
        for row in &mut self.blocked {
            row.fill(false);
        }
        for index in 0..self.nodes.len() {
            if self.nodes[index].replica.is_none() {
                self.restart(index);
            }
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
            let chosen = self.draw.below(count as u64) as usize;
            let kind = self.draw.below(4);
            let other = self.draw.below(count as u64) as usize;
            for peer in 0..count {
                let cut = match kind {
                    0 => (true, true),
                    1 => (true, false),
                    2 => (false, true),
                    _ => (peer == other, peer == other),
                };
                self.blocked[chosen][peer] |= cut.0;
                self.blocked[peer][chosen] |= cut.1;
            }
        }
        let every = self.weather.partition_every_ms;
        self.after_ms(every / 4, 2 * every, Event::Partition);
    }

    fn is_up(&self, replica: usize, incarnation: u32) -> bool {
        self.nodes[replica].replica.is_some() && self.nodes[replica].incarnation == incarnation
    }

    fn written(&mut self, replica: usize, incarnation: u32, write: WriteId) {
        if !self.is_up(replica, incarnation) {
            return;
        }
        if self.draw.chance(self.weather.write_failures) {
            // Nothing is known of the slot now.
            let what = self.nodes[replica].writes.remove(&write).unwrap();
            if self.draw.chance(5000) && self.weather.torn {
                let share = self.draw.below(256) as usize;
                self.nodes[replica].disk.tear(&what, share);
            }
            self.step(replica, Input::WriteFailed(write));
            return;
        }
        let what = self.nodes[replica].writes.remove(&write).unwrap();
        self.nodes[replica].disk.write(&what);
        self.step(replica, Input::Written(write));
    }

    fn crash(&mut self, index: usize) {
        if self.healed {
            return;
        }
        if self.nodes[index].replica.is_some() {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{} r{index} CRASH", self.now / 1000));
            }
            self.nodes[index].replica = None;
            self.nodes[index].timers.clear();
            for (_, what) in core::mem::take(&mut self.nodes[index].writes) {
                match self.draw.below(3) {
                    0 => self.nodes[index].disk.write(&what),
                    1 if self.weather.torn => {
                        let share = self.draw.below(256) as usize;
                        self.nodes[index].disk.tear(&what, share);
                    }
                    _ => {}
                }
            }
        }
        let every = self.weather.crash_every_ms;
        self.after_ms(1, every, Event::Restart(index));
        self.after_ms(every, 4 * every, Event::Crash(index));
    }

    fn restart(&mut self, index: usize) {
        if self.nodes[index].replica.is_some() {
            return;
        }
        let node = &mut self.nodes[index];
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
                    assert_eq!(Message::decode(&bytes, None).as_ref(), Ok(&message));
                    let bit = self.draw.below(bytes.len() as u64 * 8) as usize;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    self.step(to, Input::Bytes(bytes));
                } else {
                    self.step(to, Input::Message(message));
                }
            }
            Peer::Client(key) => {
                let client = self.clients.iter().position(|client| client.key == key).unwrap();
                self.client_receives(client, &message);
            }
        }
    }

    fn client_receives(&mut self, index: usize, message: &Message) {
        let client = &mut self.clients[index];
        if message.view > client.view {
            client.view = message.view;
        }
        match &message.body {
            Body::Reply { session, request, request_hash: hash, .. } => {
                let expected = match client.session {
                    None => request_hash(client.key, SessionNumber(0), RequestNumber(0), &client.nonce.to_le_bytes()),
                    Some(session) => request_hash(client.key, session, RequestNumber(client.request), &command(client)),
                };
                if *hash != expected {
                    return;
                }
                if client.session.is_none() {
                    client.session = Some(*session);
                } else {
                    assert_eq!(*request, RequestNumber(client.request));
                    client.done += 1;
                }
                client.request += 1;
                if self.draw.chance(self.weather.client_crashes) {
                    let client = &mut self.clients[index];
                    client.session = None;
                    client.request = 0;
                    client.nonce += 1;
                }
                self.send_request(index);
            }
            Body::Eviction { session } if client.session == Some(*session) => {
                client.session = None;
                client.request = 0;
                client.nonce += 1;
                self.send_request(index);
            }
            Body::Redirect => {
                let voters = usize::from(self.nodes[0].config.replicas);
                let leader = (client.view.0 % voters as u64) as usize;
                if client.target % voters != leader {
                    client.target = leader;
                    self.send_request(index);
                }
            }
            _ => {}
        }
    }

    fn send_request(&mut self, index: usize) {
        if self.healed && self.clients[index].done >= 200 && self.clients[index].session.is_some() {
            return;
        }
        let voters = usize::from(self.nodes[0].config.replicas);
        let client = &mut self.clients[index];
        client.serial += 1;
        let serial = client.serial;
        let to = Peer::Replica(ReplicaId((client.target % voters) as u8));
        let body = match client.session {
            None => Body::Register { nonce: client.nonce },
            Some(session) => Body::Request { session, request: RequestNumber(client.request), command: command(client).into() },
        };
        let message = Message { epoch: Epoch(0), view: View(0), from: Peer::Client(client.key), to, body };
        self.transmit(message);
        self.after_ms(100, 200, Event::Retry { client: index, serial });
    }

    fn transmit(&mut self, message: Message) {
        if let (Peer::Replica(from), Peer::Replica(to)) = (message.from, message.to) {
            if self.blocked[usize::from(from.0)][usize::from(to.0)] {
                return;
            }
        }
        if self.draw.chance(self.weather.loss) {
            return;
        }
        let (low, high) = self.weather.latency;
        if self.draw.chance(self.weather.duplicates) {
            self.after_ms(low, high * 20, Event::Deliver(message.clone(), false));
        }
        let damaged = self.draw.chance(self.weather.damaged_messages);
        self.after_ms(low, high, Event::Deliver(message, damaged));
    }

    fn step(&mut self, index: usize, input: Input) {
        self.steps += 1;
        let mut effects = Vec::new();
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} r{index} < {}", now / 1000, show_input(&input)));
        }
        let replica = self.nodes[index].replica.as_mut().unwrap();
        replica.step(now, input, &mut effects);
        self.statuses[replica.summary().status as usize] += 1;
        let crash_at =
            (!self.healed && self.weather.crash_every_ms > 0 && self.draw.chance(2)).then(|| self.draw.below(effects.len() as u64 + 1));
        for (place, effect) in effects.into_iter().enumerate() {
            if crash_at == Some(place as u64) {
                self.crash(index);
                return;
            }
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{} r{index}   > {}", now / 1000, show_effect(&effect)));
            }
            self.carry_out(index, effect);
        }
    }

    fn carry_out(&mut self, index: usize, effect: Effect) {
        let incarnation = self.nodes[index].incarnation;
        match effect {
            Effect::Send { message, .. } => self.transmit(message),
            Effect::Persist { write, what } => {
                self.nodes[index].writes.insert(write, what);
                let (low, high) = self.weather.disk;
                self.after_ms(low, high, Event::Written { replica: index, incarnation, write });
            }
            Effect::Read { read, slot } => {
                let (low, high) = self.weather.disk;
                self.after_ms(low, high, Event::Read { replica: index, incarnation, read, slot });
            }
            Effect::SetTimer { timer, after_ns } => {
                self.serial += 1;
                let serial = self.serial;
                self.nodes[index].timers.insert(timer, serial);
                let due = self.now + after_ns + self.draw.below(after_ns / 10 + 1);
                self.at(due, Event::Timer { replica: index, timer, serial });
            }
            Effect::CancelTimer(timer) => {
                self.nodes[index].timers.remove(&timer);
            }
            Effect::Note { state, note } => {
                *self.notes.entry(note_name(&note)).or_default() += 1;
                self.facts.learn(index, &state, &note);
            }
            Effect::Reject(reason) => {
                *self.rejected.entry(reason).or_default() += 1;
                let never = [
                    RejectReason::ConflictsWithCommitted,
                    RejectReason::HashMismatch,
                    RejectReason::BrokenChain,
                    RejectReason::TailLengthMismatch,
                    RejectReason::CommitBeyondLog,
                    RejectReason::InvalidMetadata,
                    RejectReason::InvalidRange,
                ];
                if never.contains(&reason) && self.facts.broken.is_none() && self.nodes[0].config.bug.is_none() {
                    self.facts.broken = Some(format!("replica {index} refused an honest message: {reason}"));
                }
            }
        }
    }

    fn settled(&self) -> bool {
        let done = self.clients.iter().all(|client| client.done >= 200 && client.session.is_some());
        let up = || self.nodes.iter().map(|node| node.replica.as_ref().unwrap());
        let highest = up().map(|replica| replica.summary().commit).max().unwrap();
        let same = up().all(|replica| {
            let state = replica.summary();
            state.status == Status::Normal && state.commit == highest && state.op == highest
        });
        done && same && up().any(Replica::is_primary)
    }
}

fn command(client: &Client) -> Vec<u8> {
    format!("w{}:{}:{}", client.key.tenant, client.key.client, client.nonce * 100_000 + client.request).into_bytes()
}

fn show_input(input: &Input) -> String {
    match input {
        Input::Message(message) => format!("{} from {:?} view {} {:?}", message.command(), message.from, message.view, message.summary()),
        other => format!("{other:?}").chars().take(150).collect(),
    }
}

fn show_effect(effect: &Effect) -> String {
    match effect {
        Effect::Send { message: Message { body: Body::DoViewChange(vote), to, view, .. }, .. } => {
            let tail: String = vote
                .tail
                .iter()
                .map(|slot| match slot {
                    vsr::message::TailSlot::Present(_) => 'P',
                    vsr::message::TailSlot::Missing(Some(_)) => 'h',
                    vsr::message::TailSlot::Missing(None) => '?',
                })
                .collect();
            format!(
                "send do_view_change to {to:?} view {view} lnv {} commit {} op {} uncertain {} retained {} {tail}",
                vote.last_normal_view, vote.commit, vote.op, vote.uncertain, vote.retained
            )
        }
        Effect::Send { message, .. } => {
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
        Note::StatusChanged => "status_changed",
        Note::ViewEntered { .. } => "view_entered",
        Note::StateInstalled { .. } => "state_installed",
        Note::Repaired(_) => "repaired",
        Note::CorruptionDetected { .. } => "corruption_detected",
        Note::EntryTruncated(_) => "entry_truncated",
        Note::SessionEvicted { .. } => "session_evicted",
        Note::Abdicated(_) => "abdicated",
        Note::CheckpointDurable(_) => "checkpoint_durable",
        Note::Restarted => "restarted",
        Note::LogTrimmed(_) => "log_trimmed",
        Note::RepairRequested { .. } => "repair_requested",
        _ => "other",
    }
}

fn run(seed: u64, bug: Option<Bug>, trace: bool) -> World {
    let (replicas, standbys) = [(3, 0), (3, 0), (5, 0), (1, 0), (2, 0), (4, 1), (3, 1)][(seed % 7) as usize];
    let mut world = World::new(seed, replicas, standbys, bug);
    if trace {
        world.trace = Some(Vec::new());
    }
    world.run(8_000, 60_000);
    if world.facts.broken.is_none() && !world.settled() {
        let states: Vec<_> = world.nodes.iter().map(|node| node.replica.as_ref().map(Replica::summary)).collect();
        let clients: Vec<_> = world.clients.iter().map(|client| (client.done, client.session, client.request)).collect();
        world.facts.broken = Some(format!("not settled at {} ms: {states:#?} {clients:?}", world.now / MS));
    }
    world
}

/// `SEED` runs one schedule and prints its trace; `SEEDS` says how many to run.
#[test]
fn schedules_agree_and_settle() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        let world = run(seed, None, true);
        for line in world.trace.unwrap() {
            println!("{line}");
        }
        assert_eq!(world.facts.broken, None, "seed {seed}");
        return;
    }
    let first = number("FIRST").unwrap_or(0);
    let (mut steps, mut committed, mut notes) = (0, 0, BTreeMap::<&str, u64>::new());
    let mut rejected = BTreeMap::<RejectReason, u64>::new();
    for seed in first..first + number("SEEDS").unwrap_or(60) {
        let world = run(seed, None, false);
        assert_eq!(world.facts.broken, None, "seed {seed}");
        steps += world.steps;
        committed += world.facts.committed();
        for (name, count) in world.notes {
            *notes.entry(name).or_default() += count;
        }
        for (reason, count) in world.rejected {
            *rejected.entry(reason).or_default() += count;
        }
    }
    println!("{steps} steps, {committed} ops\n{notes:?}\n{rejected:?}");
    assert!(committed > 0);
}

/// Silences what only one kind of cluster test uses.
#[test]
fn a_disk_forgets_nothing_that_was_written() {
    let mut disk = Disk::formatted(64);
    let entry = Arc::new(vsr::entry::Entry::new(vsr::entry::EntryFields { op: Op(65), ..Default::default() }));
    disk.write(&Write::Entry(Arc::clone(&entry)));
    assert_eq!(disk.image.log[1], Stored::Value(entry));
}
