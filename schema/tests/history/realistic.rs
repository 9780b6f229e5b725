//! Realistic histories: a three-replica cluster that runs smoothly, as the recorder would write it.
//!
//! About one operation : six messages : sixteen transitions : six disk accesses; hashes are random but repeated as in a real log.

use vopr_schema::{
    Command, Fate, FaultFamily, FaultKind, FaultRow, Function, History, MessageRow, OperationRow, Outcome, Run, Status, StorageIo,
    StorageOutcome, StorageRow, TransitionEvent, TransitionRow, Zone,
};

/// `SplitMix64`: small, and enough for samples.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True once in `one_in` times.
    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

const REPLICAS: u64 = 3;
const PRIMARY: u64 = 0;

/// An event of the simulated cluster, to be sorted by time.
enum Row {
    Operation(OperationRow),
    Message(MessageRow),
    Transition(TransitionRow),
    Storage(StorageRow),
}

/// One log entry and who asked for it.
struct Entry {
    op: u64,
    hash: u64,
    previous: u64,
    state: u64,
    timestamp: u64,
    tenant: u32,
    client: u32,
    session: u64,
    request: u64,
}

/// Appends one run of about `rows` rows.
pub fn push_run(history: &mut History, seed: u64, rows: usize) {
    let mut random = Random(seed);
    let mut events = Vec::new();
    let mut previous = random.next() >> 1;
    let mut now = 1_000_000;
    let mut message = 0;
    for op in 1..=(rows as u64 / 29).max(1) {
        now += 100_000 + random.below(400_000);
        let hash = random.next() >> 1;
        let client = random.below(8);
        let entry = Entry {
            op,
            hash,
            previous,
            state: random.next() >> 1,
            timestamp: now + 50_000,
            tenant: (client % 2) as u32,
            client: (client / 2) as u32,
            session: 1 + client,
            request: 1 + op / 8,
        };
        previous = hash;
        push_operation(&mut events, &mut random, &entry, now, &mut message);
    }
    // Times were drawn per operation; the order of events is that of their times.
    events.sort_by_key(|(time, _)| *time);
    let position = |time: u64, events: &[(u64, Row)]| events.partition_point(|(at, _)| *at < time) as u64;
    let positions: Vec<(u64, u64)> = events
        .iter()
        .map(|(_, row)| match row {
            Row::Operation(row) => (position(row.return_time_ns.unwrap_or(0), &events), 0),
            Row::Message(row) => (position(row.fate_time_ns.unwrap_or(0), &events), 0),
            Row::Storage(row) => (position(row.time_ns - row.latency_ns, &events), 0),
            Row::Transition(_) => (0, 0),
        })
        .collect();
    for (seq, ((time, row), (other, _))) in (2_u64..).zip(events.into_iter().zip(positions)) {
        match row {
            Row::Operation(row) => history.operations.push(OperationRow { seq, time_ns: time, return_seq: Some(other + 2), ..row }),
            Row::Message(row) => history.messages.push(MessageRow { seq, time_ns: time, fate_seq: Some(other + 2), ..row }),
            Row::Transition(row) => history.transitions.push(TransitionRow { seq, time_ns: time, ..row }),
            Row::Storage(row) => history.storage.push(StorageRow { seq, time_ns: time, started_seq: other + 2, ..row }),
        }
    }
    history.faults.push(FaultRow { seq: 1, family: FaultFamily::Network, fault: FaultKind::Loss, magnitude: 0.05, ..FaultRow::default() });
    history.close_run(Run {
        scenario: "combined".into(),
        seed,
        replicas: 3,
        clients: 8,
        tenants: 2,
        options: "{\"loss\":0.05,\"clog\":0.01}".repeat(40),
        plan: "[{\"fault\":\"loss\",\"magnitude\":0.05}]".repeat(30),
        streams_version: 1,
        end_time_ns: now,
        events: rows as u64,
        ..Run::default()
    });
}

/// `runs` runs of about `rows` rows each.
pub fn history(seed: u64, runs: u64, rows: usize) -> History {
    let mut history = History::default();
    for run in 0..runs {
        push_run(&mut history, seed + run, rows);
    }
    history
}

type Events = Vec<(u64, Row)>;

fn push_operation(events: &mut Events, random: &mut Random, entry: &Entry, now: u64, message: &mut u64) {
    let endpoint = 1000 + u64::from(entry.tenant) * 4 + u64::from(entry.client);
    let received = send(events, random, message, Command::Request, (endpoint, PRIMARY), now, entry, false);
    let mut votes = Vec::new();
    for replica in 0..REPLICAS {
        let arrived = if replica == PRIMARY {
            received + 1000
        } else {
            send(events, random, message, Command::Prepare, (PRIMARY, replica), received + 1000, entry, true)
        };
        let durable = push_log(events, random, entry, replica, arrived);
        votes.push(if replica == PRIMARY {
            durable
        } else {
            send(events, random, message, Command::PrepareOk, (replica, PRIMARY), durable, entry, true)
        });
    }
    votes.sort_unstable();
    let committed = votes[1];
    for replica in 0..REPLICAS {
        let time = committed + replica * 300_000 + 10;
        let mut row = transition(entry, replica, TransitionEvent::Committed, entry.op);
        row.quorum = (replica == PRIMARY).then_some(0b11);
        events.push((time, Row::Transition(row)));
        let mut row = transition(entry, replica, TransitionEvent::Applied, entry.op);
        (row.state_hash, row.timestamp) = (Some(entry.state), Some(entry.timestamp));
        asked_by(&mut row, entry);
        events.push((time + 5, Row::Transition(row)));
    }
    let mut row = transition(entry, PRIMARY, TransitionEvent::Replied, entry.op);
    row.entry_hash = None;
    asked_by(&mut row, entry);
    events.push((committed + 20, Row::Transition(row)));
    let returned = send(events, random, message, Command::Reply, (PRIMARY, endpoint), committed + 20, entry, false);
    let write = random.chance(2);
    events.push((
        now,
        Row::Operation(OperationRow {
            client: entry.client,
            session: Some(entry.session),
            request_number: entry.request,
            tenant: entry.tenant,
            function: if write { Function::Write } else { Function::Read },
            key: random.below(64),
            value: write.then_some(entry.op),
            result: (!write).then(|| random.below(entry.op)),
            outcome: Outcome::Ok,
            return_time_ns: Some(returned),
            op: Some(entry.op),
            view: Some(0),
            replica: Some(0),
            attempts: 1,
            ..OperationRow::default()
        }),
    ));
}

#[expect(clippy::too_many_arguments, reason = "one call is one message, and its fields are its arguments")]
fn send(
    events: &mut Events,
    random: &mut Random,
    message: &mut u64,
    command: Command,
    (from, to): (u64, u64),
    now: u64,
    entry: &Entry,
    inside: bool,
) -> u64 {
    *message += 1;
    let arrives = now + 200_000 + random.below(800_000);
    let lost = random.chance(50);
    events.push((
        now,
        Row::Message(MessageRow {
            id: *message,
            command,
            from: from as u16,
            to: to as u16,
            view: (command != Command::Request).then_some(0),
            op: (command != Command::Request).then_some(entry.op),
            commit: (command == Command::Prepare).then_some(entry.op.saturating_sub(3)),
            entry_hash: inside.then_some(entry.hash),
            size_bytes: if inside { 256 } else { 128 },
            tenant: (!inside).then_some(entry.tenant),
            client: (!inside).then_some(entry.client),
            session: (!inside).then_some(entry.session),
            request_number: (!inside).then_some(entry.request),
            fate: if lost { Fate::Lost } else { Fate::Delivered },
            fate_time_ns: Some(arrives),
            ..MessageRow::default()
        }),
    ));
    arrives
}

/// Append, write, flush, acknowledge; returns when that was done.
fn push_log(events: &mut Events, random: &mut Random, entry: &Entry, replica: u64, arrived: u64) -> u64 {
    let commit = entry.op.saturating_sub(3);
    let mut row = transition(entry, replica, TransitionEvent::EntryAppended, commit);
    (row.previous_hash, row.entry_view, row.timestamp) = (Some(entry.previous), Some(0), Some(entry.timestamp));
    asked_by(&mut row, entry);
    events.push((arrived, Row::Transition(row)));
    let mut time = arrived;
    for io in [StorageIo::Write, StorageIo::Flush] {
        let latency = 20_000 + random.below(60_000);
        time += latency;
        events.push((
            time,
            Row::Storage(StorageRow {
                replica: replica as u8,
                io,
                zone: Zone::Log,
                op: (io == StorageIo::Write).then_some(entry.op),
                size_bytes: if io == StorageIo::Write { 512 } else { 0 },
                outcome: StorageOutcome::Ok,
                latency_ns: latency,
                time_ns: time,
                ..StorageRow::default()
            }),
        ));
    }
    events.push((time + 1, Row::Transition(transition(entry, replica, TransitionEvent::EntryDurable, commit))));
    events.push((time + 2, Row::Transition(transition(entry, replica, TransitionEvent::Acknowledged, commit))));
    time + 3
}

fn transition(entry: &Entry, replica: u64, event: TransitionEvent, commit: u64) -> TransitionRow {
    TransitionRow {
        replica: replica as u8,
        event,
        status: Status::Normal,
        op: Some(entry.op),
        commit,
        entry_hash: Some(entry.hash),
        ..TransitionRow::default()
    }
}

fn asked_by(row: &mut TransitionRow, entry: &Entry) {
    row.tenant = Some(entry.tenant);
    row.client = Some(entry.client);
    row.session = Some(entry.session);
    row.request_number = Some(entry.request);
}
