//! A cluster on which every step is called by a transcript: nothing moves, is lost, or completes unless a command says so.
//!
//! Disks complete their writes at once unless they are held. Commands (`FROM->TO` and a message's name choose the oldest messages
//! in flight that match; `*` stands for anybody):
//!
//! * `start N [standbys M] [sessions S] [slots L interval I] [scrub MS] [clocks] [reads]`: N voters in view 0; with `clocks` they
//!   compare their clocks, with `reads` they answer reads without an entry
//! * `register C`, `request C WORDS`, `again C`: a client sends to replica 0, or `to R`; `again` sends the last message once more
//! * `other C WORDS`: the last request's number, with another command; `register_again C`: the last registration's nonce;
//!   `outdated C SESSION`: a request of a session that is not its own
//! * `reconfigure C VOTERS [on EPOCH] [to R]`: a client asks for other voters
//! * `requests C COUNT`: as many requests, one after the other, everything delivered, nothing told
//! * `deliver all`, `deliver FROM->TO [NAME]`, `drop FROM->TO [NAME]`, `copy FROM->TO NAME` (delivers and keeps it)
//! * `flip FROM->TO NAME`: delivers its bytes with one bit flipped
//! * `forge FROM->TO NAME FIELD [VALUE]`: delivers it with one field changed, and keeps it
//! * `isolate R`, `connect R`: messages between it and other replicas are lost, or not
//! * `timer R NAME`: that timer runs out, if it runs
//! * `hold R`, `hold R checkpoints`, `release R`, `fail R`: R's writes wait, complete, or the oldest one fails
//! * `crash R`, `crash R tearing`, `crash R keeping`: it stops; held writes are lost, torn, or on disk without its knowledge
//! * `restart R`, `corrupt R op N`, `corrupt R superblock`, `corrupt R checkpoint`, `clock NS`, `stamps` (the newest timestamp)
//! * `skew R MS`: R's clock is set so far ahead of the others' (behind, if negative); `wait MS`: time passes
//! * `replace R`: an empty disk takes the place of its own, while it is down
//! * `silence R..`: each of them misses its primary until it suspects it; only the last step is told
//! * `quietly COMMAND`: tells nothing of it; `show`: a line for each replica

use crate::disk::Disk;
use crate::machine::Machine;
use crate::telling;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vsr::entry::{Entry, EntryFields};
use vsr::ids::{ClientId, ClientKey, Epoch, Op, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::io::{Effect, Input, Note, Now, Status, Timer, Write, WriteId};
use vsr::message::{Body, Message, StartView};
use vsr::{ClockSource, Config, ReadPath, Replica};

#[derive(Debug)]
struct Actor {
    config: Config,
    disk: Disk,
    skew_ns: i64,
    held: Option<Vec<(WriteId, Write)>>,
    holds_all: bool,
    timers: BTreeSet<Timer>,
    isolated: bool,
}

#[derive(Clone, Debug, Default)]
struct Caller {
    nonce: u64,
    session: Option<SessionNumber>,
    request: u64,
    last: Option<Message>,
}

/// The cluster.
#[derive(Default)]
pub struct Stage {
    actors: Vec<Actor>,
    replicas: Vec<Option<Replica<Machine>>>,
    callers: BTreeMap<u32, Caller>,
    flight: Vec<Message>,
    clock: u64,
    stamp: String,
    quiet: bool,
    told: Vec<String>,
}

fn parse<T: std::str::FromStr>(word: &str) -> T {
    word.parse().ok().unwrap_or_else(|| panic!("a number, not {word:?}"))
}

fn caller_key(word: &str) -> ClientKey {
    ClientKey { tenant: TenantId(0), client: ClientId(parse(word.strip_prefix('c').unwrap())) }
}

fn with(entry: &Entry, change: impl FnOnce(&mut EntryFields)) -> Arc<Entry> {
    let mut fields = EntryFields::clone(entry);
    change(&mut fields);
    Arc::new(Entry::new(fields))
}

/// Another first entry, and the others in a proper chain behind it.
fn other_first(start: &mut StartView) {
    start.entries[0] = with(&start.entries[0], |fields| fields.timestamp += 1);
    for place in 1..start.entries.len() {
        let previous_hash = start.entries[place - 1].hash;
        start.entries[place] = with(&start.entries[place], |fields| fields.previous_hash = previous_hash);
    }
    start.hash = start.entries.last().map_or(start.commit_hash, |entry| entry.hash);
}

impl Stage {
    /// Carries out one command and returns what came out.
    pub fn perform(&mut self, command: &str) -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["start", count, ref options @ ..] => self.start(parse(count), options),
            ["register", client] => self.register(client, 0),
            ["register", client, "to", replica] => self.register(client, parse(replica)),
            ["request", client, ref rest @ ..] => self.request(client, rest),
            ["reconfigure", client, voters, ref rest @ ..] => self.reconfigure(client, voters, rest),
            ["requests", client, count] => self.requests(client, parse(count)),
            ["other", client, ref words @ ..] => self.other(client, &words.join(" ")),
            ["register_again", client] => self.register_again(client),
            ["outdated", client, session] => self.outdated(client, SessionNumber(parse(session))),
            ["again", client] => self.again(client, None),
            ["again", client, "to", replica] => self.again(client, Some(parse(replica))),
            ["deliver", "all"] => self.deliver_all(),
            ["deliver", ends, ref name @ ..] => self.deliver(ends, name),
            ["drop", ends, ref name @ ..] => self.flight.retain(|message| !matches(message, ends, name)),
            ["copy", ends, name] => self.copy(ends, name),
            ["flip", ends, name] => self.flip(ends, name),
            ["forge", ends, name, ref change @ ..] => self.forge(ends, name, change),
            ["isolate", replica] => self.actors[parse::<usize>(replica)].isolated = true,
            ["connect", replica] => self.actors[parse::<usize>(replica)].isolated = false,
            ["timer", replica, name] => self.timer(parse(replica), name),
            ["hold", replica, ref what @ ..] => {
                let actor = &mut self.actors[parse::<usize>(replica)];
                (actor.held, actor.holds_all) = (Some(Vec::new()), what.is_empty());
            }
            ["release", replica] => self.release(parse(replica)),
            ["fail", replica] => self.fail(parse(replica)),
            ["crash", replica] => self.crash(parse(replica), "losing"),
            ["crash", replica, fate @ ("tearing" | "keeping")] => self.crash(parse(replica), fate),
            ["restart", replica] => self.restart(parse(replica)),
            ["corrupt", replica, "op", op] => self.corrupt(parse(replica), Op(parse(op))),
            ["corrupt", replica, "superblock"] => self.corrupt_superblock(parse(replica)),
            ["replace", replica] => self.replace(parse(replica)),
            ["corrupt", replica, "checkpoint"] => self.corrupt_checkpoint(parse(replica)),
            ["stamps"] => self.told.push(self.stamp.clone()),
            ["clock", time] => self.clock = parse(time),
            ["skew", replica, ms] => self.actors[parse::<usize>(replica)].skew_ns = 1_000_000 * parse::<i64>(ms),
            ["wait", ms] => self.clock += 1_000_000 * parse::<u64>(ms),
            ["silence", ref replicas @ ..] => self.silence(replicas),
            ["quietly", ..] => self.quietly(command.trim_start_matches("quietly ")),
            ["show"] => self.show(),
            _ => panic!("no such command: {command}"),
        }
        core::mem::take(&mut self.told)
    }

    fn tell(&mut self, line: String) {
        if !self.quiet {
            self.told.push(line);
        }
    }

    fn start(&mut self, voters: u8, options: &[&str]) {
        let option = |name: &str, usual: u64| {
            let place = options.iter().position(|word| *word == name);
            place.map_or(usual, |place| parse(options[place + 1]))
        };
        let standbys = u8::try_from(option("standbys", 0)).unwrap();
        for index in 0..voters + standbys {
            let config = Config {
                standbys,
                reads: if options.contains(&"reads") { ReadPath::Quorum } else { ReadPath::Log },
                clock: if options.contains(&"clocks") { ClockSource::Cluster } else { ClockSource::Host },
                sessions_max: u32::try_from(option("sessions", 8)).unwrap(),
                log_slots: u32::try_from(option("slots", 64)).unwrap(),
                checkpoint_interval: option("interval", 16),
                pipeline_max: 4,
                scrub_tick_ns: option("scrub", 0) * 1_000_000,
                ..Config::new(ReplicaId(index), voters)
            };
            let disk = Disk::formatted(config.log_slots);
            self.replicas.push(Some(Replica::new(config.clone(), Machine::default())));
            self.actors.push(Actor { config, disk, skew_ns: 0, held: None, holds_all: true, timers: BTreeSet::new(), isolated: false });
        }
        let quiet = core::mem::replace(&mut self.quiet, true);
        for index in 0..self.replicas.len() {
            self.step(index, Input::Start);
        }
        self.quiet = quiet;
    }

    fn register(&mut self, client: &str, to: u8) {
        let key = caller_key(client);
        let nonce = 100 * u64::from(key.client.0) + self.clock;
        self.callers.insert(key.client.0, Caller { nonce, ..Caller::default() });
        self.ask(key, to, Body::Register { nonce });
    }

    fn register_again(&mut self, client: &str) {
        let key = caller_key(client);
        self.ask(key, 0, Body::Register { nonce: self.callers[&key.client.0].nonce });
    }

    fn other(&mut self, client: &str, words: &str) {
        let key = caller_key(client);
        let caller = &self.callers[&key.client.0];
        let (session, request) = (caller.session.expect("registered"), RequestNumber(caller.request));
        self.ask(key, 0, Body::Request { session, request, command: words.as_bytes().into() });
    }

    fn outdated(&mut self, client: &str, session: SessionNumber) {
        self.ask(caller_key(client), 0, Body::Request { session, request: RequestNumber(2), command: b"late".as_slice().into() });
    }

    fn request(&mut self, client: &str, rest: &[&str]) {
        let (words, to) = match rest {
            [words @ .., "to", replica] => (words, parse(replica)),
            words => (words, 0),
        };
        let key = caller_key(client);
        let caller = self.callers.get_mut(&key.client.0).unwrap();
        caller.request += 1;
        let (session, request) = (caller.session.expect("registered"), RequestNumber(caller.request));
        let command: Arc<[u8]> = words.join(" ").into_bytes().into();
        self.ask(key, to, Body::Request { session, request, command });
    }

    fn reconfigure(&mut self, client: &str, voters: &str, rest: &[&str]) {
        let option = |name: &str| rest.iter().position(|word| *word == name).map_or(0, |place| parse::<u8>(rest[place + 1]));
        let members = voters.split(',').map(|voter| 1_u32 << parse::<u8>(voter)).sum();
        let key = caller_key(client);
        let caller = self.callers.get_mut(&key.client.0).unwrap();
        caller.request += 1;
        let (session, request) = (caller.session.expect("registered"), RequestNumber(caller.request));
        let body = Body::Reconfigure { session, request, members };
        self.ask_in(Epoch(option("on").into()), key, option("to"), body);
    }

    fn requests(&mut self, client: &str, count: u64) {
        let quiet = core::mem::replace(&mut self.quiet, true);
        let leader = self.replicas.iter().flatten().position(Replica::is_primary).unwrap_or(0).to_string();
        for number in 0..count {
            self.request(client, &[&format!("w{number}"), "to", &leader]);
            self.deliver_all();
        }
        self.quiet = quiet;
    }

    fn ask(&mut self, key: ClientKey, to: u8, body: Body) {
        self.ask_in(Epoch(0), key, to, body);
    }

    fn ask_in(&mut self, epoch: Epoch, key: ClientKey, to: u8, body: Body) {
        let to = Peer::Replica(ReplicaId(to));
        let message = Message { epoch, view: View(0), from: Peer::Client(key), to, body };
        self.callers.get_mut(&key.client.0).unwrap().last = Some(message.clone());
        self.launch(message);
    }

    fn again(&mut self, client: &str, to: Option<u8>) {
        let caller = &self.callers[&caller_key(client).client.0];
        let mut message = caller.last.clone().expect("it has sent something");
        if let Some(to) = to {
            message.to = Peer::Replica(ReplicaId(to));
        }
        self.launch(message);
    }

    /// A message leaves; a message to or from somebody who is cut off is lost.
    fn launch(&mut self, message: Message) {
        let lost = match (message.from, message.to) {
            (Peer::Replica(from), Peer::Replica(to)) => [from, to].iter().any(|end| self.actors[usize::from(end.0)].isolated),
            _ => false,
        };
        self.tell(format!("  {}{}", telling::message(&message), if lost { " (lost)" } else { "" }));
        if !lost {
            self.flight.push(message);
        }
    }

    fn deliver_all(&mut self) {
        while !self.flight.is_empty() {
            let message = self.flight.remove(0);
            self.arrive(message);
        }
    }

    /// Delivers what matches now; what is sent in answer stays in flight.
    fn deliver(&mut self, ends: &str, name: &[&str]) {
        let (chosen, rest): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.flight).into_iter().partition(|message| matches(message, ends, name));
        self.flight = rest;
        for message in chosen {
            self.arrive(message);
        }
    }

    fn find(&self, ends: &str, name: &str) -> Message {
        let found = self.flight.iter().find(|message| matches(message, ends, &[name]));
        found.unwrap_or_else(|| panic!("no {name} {ends} in flight")).clone()
    }

    fn copy(&mut self, ends: &str, name: &str) {
        let message = self.find(ends, name);
        self.arrive(message);
    }

    fn flip(&mut self, ends: &str, name: &str) {
        let message = self.find(ends, name);
        let Peer::Replica(to) = message.to else { panic!("only replicas check bytes") };
        let mut bytes = message.encode();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.tell(format!("{} (bit flipped)", telling::message(&message)));
        self.step(usize::from(to.0), Input::Bytes(bytes));
    }

    fn forge(&mut self, ends: &str, name: &str, change: &[&str]) {
        let mut message = self.find(ends, name);
        let number = || parse::<u64>(change[1]);
        match (change[0], &mut message.body) {
            ("view", _) => message.view = View(number()),
            ("from", _) => message.from = Peer::Replica(ReplicaId(parse(change[1]))),
            ("commit", Body::Prepare { commit, .. } | Body::Commit { commit, .. }) => *commit = Op(number()),
            ("commit", Body::StartView(start)) => start.commit = Op(number()),
            ("commit", Body::DoViewChange(vote)) => vote.commit = Op(number()),
            ("op", Body::StartView(start)) => start.op = Op(number()),
            ("log_view", Body::DoViewChange(vote)) => vote.last_normal_view = View(number()),
            ("without_first", Body::StartView(start)) => drop(start.entries.remove(0)),
            ("without_last", Body::StartView(start)) => drop(start.entries.pop()),
            ("without_last", Body::DoViewChange(vote)) => drop(vote.tail.pop()),
            ("doubled_last", Body::StartView(start)) => {
                let last = start.entries.len() - 1;
                start.entries[last] = Arc::clone(&start.entries[last - 1]);
            }
            ("other_first", Body::StartView(start)) => other_first(start),
            ("first", Body::RepairRequest { first, .. }) => *first = Op(number()),
            ("entry_view", Body::Prepare { entry, .. }) => *entry = with(entry, |fields| fields.view = View(number())),
            ("last", Body::RepairRequest { last, .. }) => *last = Op(number()),
            ("op", Body::PrepareOk { op, .. }) => *op = Op(number()),
            ("hash", Body::PrepareOk { hash, .. }) => hash.0[0] ^= 1,
            _ => panic!("cannot forge {change:?} in {}", message.command()),
        }
        self.tell(format!("{} (forged: {})", telling::message(&message), change.join(" ")));
        let Peer::Replica(to) = message.to else { panic!("only replicas check messages") };
        self.step(usize::from(to.0), Input::Message(message));
    }

    fn arrive(&mut self, message: Message) {
        let line = telling::message(&message);
        match message.to {
            Peer::Replica(to) if self.replicas[usize::from(to.0)].is_none() => self.tell(format!("{line} (down)")),
            Peer::Replica(to) => {
                self.tell(line);
                self.step(usize::from(to.0), Input::Message(message));
            }
            Peer::Client(key) => {
                self.tell(line);
                if let Body::Reply { session, request: RequestNumber(0), .. } = message.body {
                    self.callers.entry(key.client.0).or_default().session = Some(session);
                }
            }
        }
    }

    fn timer(&mut self, index: usize, name: &str) {
        let all = [
            ("prepare", Timer::Prepare),
            ("heartbeat", Timer::Heartbeat),
            ("view_change", Timer::ViewChange),
            ("window", Timer::ViewChangeWindow),
            ("resend", Timer::ViewChangeResend),
            ("recovery", Timer::Recovery),
            ("repair", Timer::Repair),
            ("state_transfer", Timer::StateTransfer),
            ("abdication", Timer::Abdication),
            ("ping", Timer::Ping),
            ("scrub", Timer::Scrub),
        ];
        let (_, timer) = *all.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no timer {name}"));
        if self.actors[index].timers.remove(&timer) {
            self.step(index, Input::Timer(timer));
        } else {
            self.tell(format!("{index}: that timer does not run"));
        }
    }

    fn silence(&mut self, replicas: &[&str]) {
        for replica in replicas {
            for _ in 0..4 {
                self.quietly(&format!("timer {replica} view_change"));
            }
            self.timer(parse(replica), "view_change");
        }
    }

    fn quietly(&mut self, command: &str) {
        let quiet = core::mem::replace(&mut self.quiet, true);
        let told = self.perform(command);
        self.quiet = quiet;
        self.told = told;
    }

    fn release(&mut self, index: usize) {
        let held = self.actors[index].held.take().unwrap_or_default();
        for (write, what) in held {
            self.complete(index, write, &what);
        }
    }

    fn complete(&mut self, index: usize, write: WriteId, what: &Write) {
        self.actors[index].disk.write(what);
        self.step(index, Input::Written(write));
    }

    fn fail(&mut self, index: usize) {
        let held = self.actors[index].held.as_mut().expect("its writes are held");
        let (write, _) = held.remove(0);
        self.tell(format!("{index}: a write failed"));
        self.step(index, Input::WriteFailed(write));
    }

    fn crash(&mut self, index: usize, fate: &str) {
        self.replicas[index] = None;
        let actor = &mut self.actors[index];
        actor.timers.clear();
        for (_, what) in actor.held.take().unwrap_or_default() {
            match fate {
                "tearing" => actor.disk.tear(&what, 200),
                "keeping" => actor.disk.write(&what),
                _ => {}
            }
        }
    }

    fn restart(&mut self, index: usize) {
        let actor = &self.actors[index];
        let replica = Replica::restart(actor.config.clone(), Machine::default(), actor.disk.image.clone());
        self.replicas[index] = Some(replica);
        self.step(index, Input::Start);
    }

    fn replace(&mut self, index: usize) {
        assert!(self.replicas[index].is_none(), "the disk of a process that runs is not replaced");
        let actor = &mut self.actors[index];
        actor.config.format += 1;
        actor.disk = Disk::formatted(actor.config.log_slots);
    }

    fn corrupt(&mut self, index: usize, op: Op) {
        let disk = &mut self.actors[index].disk;
        let slot = usize::try_from(op.0 % disk.image.log.len() as u64).unwrap();
        disk.corrupt_slot(slot, 600);
    }

    fn corrupt_checkpoint(&mut self, index: usize) {
        let disk = &mut self.actors[index].disk;
        (0..disk.image.checkpoints.len()).for_each(|place| disk.corrupt_checkpoint(place, 300));
    }

    fn corrupt_superblock(&mut self, index: usize) {
        let disk = &mut self.actors[index].disk;
        let newest = disk.image.superblocks.iter().enumerate().max_by_key(|(_, copy)| match copy {
            vsr::io::Stored::Value(superblock) => superblock.sequence,
            _ => 0,
        });
        let copy = newest.unwrap().0;
        disk.corrupt_superblock(copy, 300);
    }

    fn show(&mut self) {
        for index in 0..self.replicas.len() {
            let line = match &self.replicas[index] {
                None => format!("{index}: down"),
                Some(replica) => {
                    let state = replica.summary();
                    let status = match state.status {
                        Status::Normal if replica.is_primary() => "primary",
                        Status::Normal => "backup",
                        Status::ViewChange => "view change",
                        Status::Recovering => "recovering",
                        Status::StateTransfer => "state transfer",
                    };
                    let (view, normal, op, commit) = (state.view, state.last_normal_view, state.op, state.commit);
                    format!("{index}: {status} v{view} log of v{normal} op {op} commit {commit}")
                }
            };
            self.told.push(line);
        }
    }

    fn step(&mut self, index: usize, input: Input) {
        self.clock += 1_000_000;
        let mut effects = Vec::new();
        let now = Now { wall_ns: self.clock.saturating_add_signed(self.actors[index].skew_ns), monotonic_ns: self.clock };
        self.replicas[index].as_mut().expect("it is up").step(now, input, &mut effects);
        let mut writes = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send(message) => self.launch(message),
                Effect::Persist { write, what } => {
                    let is_checkpoint = matches!(what, Write::Checkpoint { .. });
                    let actor = &mut self.actors[index];
                    let waits = actor.holds_all || is_checkpoint;
                    actor.held.as_mut().filter(|_| waits).unwrap_or(&mut writes).push((write, what));
                }
                Effect::Read { read, slot } => {
                    let content = self.actors[index].disk.image.log[slot as usize].clone();
                    self.step(index, Input::Read { read, content });
                }
                Effect::Scan { read, places } => {
                    let disk = &self.actors[index].disk;
                    let contents = places.into_iter().map(|place| disk.content(place)).collect();
                    self.step(index, Input::Scanned { read, contents });
                }
                Effect::SetTimer { timer, .. } => drop(self.actors[index].timers.insert(timer)),
                Effect::CancelTimer(timer) => drop(self.actors[index].timers.remove(&timer)),
                Effect::Note { state, note } => {
                    if let Note::TimestampAssigned { op, timestamp, is_fallback } = note {
                        self.stamp = format!("op {op} at {timestamp} ns{}", if is_fallback { " (fallback)" } else { "" });
                    }
                    if let Some(words) = telling::note(&state, &note) {
                        self.tell(format!("  {index}: {words}"));
                    }
                }
                Effect::Reject(reason) => self.tell(format!("  {index}: refused: {reason}")),
            }
        }
        for (write, what) in writes {
            self.complete(index, write, &what);
        }
    }
}

/// Whether a message goes between these ends and, if a name is given, is of that kind, and about that op.
fn matches(message: &Message, ends: &str, name: &[&str]) -> bool {
    let (from, to) = ends.split_once("->").unwrap_or_else(|| panic!("FROM->TO, not {ends:?}"));
    let fits = |word: &str, end: Peer| word == "*" || word == telling::peer(end);
    let is_named = match name {
        [] => true,
        [name] => *name == message.command().name(),
        [name, "op", op] => *name == message.command().name() && message.summary().op == Some(Op(parse(op))),
        _ => panic!("a message's name, not {name:?}"),
    };
    fits(from, message.from) && fits(to, message.to) && is_named
}
