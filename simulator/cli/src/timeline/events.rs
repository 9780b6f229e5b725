//! What happened in a run, event by event, each with the column that it belongs to.

use crate::args::explain::TimelineArguments;
use std::collections::{BTreeMap, BTreeSet};
use vopr_check::output::violation::seconds;
use vopr_checker::{Step, words};
use vopr_schema::rows::{Command, Fate, Function, Outcome, TransitionEvent};
use vopr_schema::{Dictionary, History, Kind, MessageRow, OperationRow, Pair, TransitionRow};
use vopr_sim::network::FIRST_CLIENT;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// All of them: a fault.
    All,
    /// A client, by tenant and number.
    Client(u32, u32),
    /// A replica.
    Replica(u8),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) time_ns: u64,
    pub(crate) lane: Lane,
    pub(crate) words: String,
    /// Which step of the violation's witness it is, from 1.
    pub(crate) step: Option<usize>,
}

/// What runs downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Virtual time.
    Time,
    /// The order of events: nobody wrote down when they happened.
    Order,
}

/// What is to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// From and to, in their order: only what lies in one of them is told, unless there is none. Nanoseconds, or rows.
    pub(crate) windows: Vec<(u64, u64)>,
    pub(crate) axis: Axis,
    rows: core::ops::RangeInclusive<u64>,
    messages: bool,
    faults: bool,
    verbose: bool,
    replicas: Vec<u8>,
    clients: Vec<u32>,
    tenants: Vec<u32>,
    keys: Vec<u64>,
}

impl Shown {
    /// What the command line asks for.
    pub(crate) fn of(arguments: &TimelineArguments) -> Self {
        let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            from: arguments.from.map_or(0, nanoseconds),
            to: arguments.to.map_or(u64::MAX, nanoseconds),
            windows: Vec::new(),
            axis: Axis::Time,
            rows: arguments.from_row.unwrap_or(0)..=arguments.to_row.unwrap_or(u64::MAX),
            messages: arguments.show_messages,
            faults: arguments.show_faults,
            verbose: arguments.verbose,
            replicas: arguments.replica.clone(),
            clients: arguments.client.clone(),
            tenants: arguments.tenant.clone(),
            keys: arguments.key.clone(),
        }
    }

    fn lane(&self, lane: Lane) -> bool {
        match lane {
            Lane::All => self.faults,
            Lane::Client(tenant, client) => {
                (self.clients.is_empty() || self.clients.contains(&client)) && (self.tenants.is_empty() || self.tenants.contains(&tenant))
            }
            Lane::Replica(replica) => self.replicas.is_empty() || self.replicas.contains(&replica),
        }
    }

    fn event(&self, event: &Event) -> bool {
        // What the violation cites is told, whatever its kind.
        let is_told = if event.lane == Lane::All { self.faults || event.step.is_some() } else { self.lane(event.lane) };
        let is_near = self.windows.is_empty() || self.window(event).is_some();
        is_told && is_near && (self.from..=self.to).contains(&event.time_ns) && self.rows.contains(&event.seq)
    }

    /// The place of the window that an event lies in.
    pub(crate) fn window(&self, event: &Event) -> Option<usize> {
        let moment = if self.axis == Axis::Order { event.seq } else { event.time_ns };
        self.windows.iter().position(|(from, to)| (*from..=*to).contains(&moment))
    }

    /// What lies between two events, in words.
    pub(crate) fn passed(&self, before: &Event, after: &Event) -> String {
        if self.axis == Axis::Order {
            return words::counted(usize::try_from(after.seq.saturating_sub(before.seq + 1)).unwrap_or(usize::MAX), "row");
        }
        seconds(after.time_ns.saturating_sub(before.time_ns)).trim().to_owned()
    }

    /// Whether times mean anything.
    pub(crate) fn is_timed(&self) -> bool {
        self.axis == Axis::Time
    }

    /// Whether a message is told: one of the upkeep only where a row that is told follows from it.
    fn message(&self, message: &MessageRow, causes: &BTreeSet<u64>) -> bool {
        let is_upkeep = matches!(message.command, Command::Ping | Command::Pong | Command::Commit);
        self.messages && (self.verbose || !is_upkeep || causes.contains(&message.id))
    }
}

/// The columns of a run: clients, then replicas.
pub(crate) fn lanes(history: &History, run: usize, shown: &Shown) -> Vec<Lane> {
    let operations = history.operations.rows_of_run(run);
    let clients = operations.map(|row| Lane::Client(history.operations.tenant[row], history.operations.client[row]));
    let replicas = history.transitions.rows_of_run(run).map(|row| Lane::Replica(history.transitions.replica[row]));
    let lanes: BTreeSet<Lane> = clients.chain(replicas).filter(|lane| shown.lane(*lane)).collect();
    lanes.into_iter().collect()
}

/// Where and when a row of the witness begins and, of an operation, returns: what it was told is what the violation is about.
pub(crate) fn moments(history: &History, run: usize, step: &Step) -> Vec<(u64, u64)> {
    let kinds = crate::rows::rows((history, run));
    let found = kinds.iter().find_map(|rows| rows.range.clone().find(|row| rows.seq[*row] == step.seq).map(|row| rows.time_ns[row]));
    let mut moments: Vec<(u64, u64)> = found.or(step.time_ns).map(|time_ns| (step.seq, time_ns)).into_iter().collect();
    let table = &history.operations;
    if let Some(row) = table.row_at(run, step.seq).filter(|_| step.kind == Kind::Operation) {
        moments.extend(table.return_seq.get(row).zip(table.return_time_ns.get(row)));
    }
    moments
}

/// Whether an operation is about one of these keys: also a range, or a transaction, that has it.
fn touches(operation: &OperationRow, keys: &[u64]) -> bool {
    let is_range = matches!(operation.function, Function::Scan);
    let named = |key: u64| {
        operation.key == key
            || operation.key_last.is_some_and(|last| if is_range { (operation.key..=last).contains(&key) } else { last == key })
            || [&operation.reads, &operation.writes].into_iter().flatten().flatten().any(|pair| pair.key == key)
    };
    keys.iter().any(|key| named(*key))
}

/// The events that pass the filters, in their order.
pub(crate) fn of_run(history: &History, run: usize, shown: &Shown, steps: &[Step]) -> Vec<Event> {
    let mut events = Vec::new();
    for row in history.operations.rows_of_run(run) {
        let operation = history.operations.row(row);
        let marked = steps.iter().any(|step| step.seq == operation.seq || Some(step.seq) == operation.return_seq);
        if marked || shown.keys.is_empty() || touches(&operation, &shown.keys) {
            operation_events(&operation, &mut events);
        }
    }
    let mut causes = BTreeSet::new();
    for row in history.transitions.rows_of_run(run) {
        let transition = history.transitions.row(row);
        let marked = steps.iter().any(|step| step.seq == transition.seq);
        if shown.verbose || marked || is_telling(transition.event) {
            let (seq, time_ns, lane) = (transition.seq, transition.time_ns, Lane::Replica(transition.replica));
            causes.extend(transition.cause);
            events.push(Event { seq, time_ns, lane, words: transition_words(&transition), step: None });
        }
    }
    for row in history.messages.rows_of_run(run) {
        let message = history.messages.row(row);
        if shown.message(&message, &causes) || steps.iter().any(|step| step.seq == message.seq) {
            message_events(&message, &mut events);
        }
    }
    for row in history.storage.rows_of_run(run).filter(|row| steps.iter().any(|step| step.seq == history.storage.seq[*row])) {
        let access = history.storage.row(row);
        let op = access.op.map(|op| format!(" {op}")).unwrap_or_default();
        let words = format!("{} {}{op}: {}", access.io.name(), access.zone.name(), access.outcome.name()).replace('_', " ");
        events.push(Event { seq: access.seq, time_ns: access.time_ns, lane: Lane::Replica(access.replica), words, step: None });
    }
    for row in history.faults.rows_of_run(run) {
        let fault = history.faults.row(row);
        let target = fault.target.map(|target| format!(" {target}")).unwrap_or_default();
        let peer = fault.peer.map(|peer| format!(" – {peer}")).unwrap_or_default();
        let until = fault.end_time_ns.map(|end| format!(", until {}", seconds(end))).unwrap_or_default();
        let words = format!("{}{target}{peer}{until}", fault.fault.name().replace('_', " "));
        events.push(Event { seq: fault.seq, time_ns: fault.time_ns, lane: Lane::All, words, step: None });
    }
    let table = &history.operations;
    let returned = table.rows_of_run(run).filter_map(|row| Some((table.return_seq.get(row)?, table.seq[row])));
    let returns: BTreeMap<u64, u64> = returned.collect();
    for event in &mut events {
        let is_it = |step: &Step| step.seq == event.seq || (step.kind == Kind::Operation && returns.get(&event.seq) == Some(&step.seq));
        event.step = steps.iter().position(is_it).map(|index| index + 1);
    }
    events.retain(|event| shown.event(event));
    events.sort_by_key(|event| event.seq);
    events
}

/// Whether an event says something about the course of the run, and not only about its bookkeeping.
fn is_telling(event: TransitionEvent) -> bool {
    use TransitionEvent as E;
    let quiet = [
        E::EntryAppended,
        E::EntryDurable,
        E::Acknowledged,
        E::Applied,
        E::Replied,
        E::TimestampAssigned,
        E::TimerFired,
        E::Rejected,
        E::ScrubRead,
        E::CheckpointTaken,
        E::CheckpointDurable,
        E::LogTrimmed,
        E::RepairRequested,
        E::Repaired,
        E::ClockSynchronised,
        E::TourCompleted,
        E::SessionRegistered,
    ];
    !quiet.contains(&event)
}

fn operation_events(operation: &OperationRow, events: &mut Vec<Event>) {
    let lane = Lane::Client(operation.tenant, operation.client);
    let lost = if operation.return_seq.is_none() { " (never returned)" } else { "" };
    let words = format!("> {}{lost}", call_words(operation));
    events.push(Event { seq: operation.seq, time_ns: operation.time_ns, lane, words, step: None });
    if let (Some(seq), Some(time_ns)) = (operation.return_seq, operation.return_time_ns) {
        events.push(Event { seq, time_ns, lane, words: format!("< {}", answer_words(operation)), step: None });
    }
}

pub(super) fn call_words(operation: &OperationRow) -> String {
    let key = operation.key;
    let value = operation.value.map(words::value).unwrap_or_default();
    let last = operation.key_last.map(|last| last.to_string()).unwrap_or_default();
    match operation.function {
        Function::Write => format!("write k{key} = {value}"),
        Function::Read => format!("read k{key}"),
        Function::ReadModifyWrite => format!("add {value} to k{key}"),
        Function::CompareAndSet => format!("cas k{key}: {} => {value}", operation.expected.map_or_else(|| "none".to_owned(), words::value)),
        Function::Scan => format!("scan k{key}..k{last}"),
        Function::StreamAppend => format!("append {value} to stream {key}"),
        Function::StreamRead => format!("read stream {key} from {value}"),
        Function::Transfer => format!("transfer {value}: a{key} => a{last}"),
        Function::Transaction | Function::RegisterTransaction => {
            transaction_words(operation, "=").unwrap_or_else(|| "transaction".to_owned())
        }
        Function::ListTransaction => transaction_words(operation, " <- ").unwrap_or_else(|| "transaction".to_owned()),
        other => format!("{} {key}", other.name().replace('_', " ")),
    }
}

/// Reads and writes of a transaction in their order; none where it has none. `is` stands between a key and what is written to it.
fn transaction_words(operation: &OperationRow, is: &str) -> Option<String> {
    let (reads, writes) = (operation.reads.as_deref().unwrap_or_default(), operation.writes.as_deref().unwrap_or_default());
    let mut parts = Vec::new();
    for place in 0..=writes.len() {
        // A read says how many writes stand before it; where it does not, it comes first.
        let here = reads.iter().filter(|pair| pair.value.unwrap_or(0) == place as u64);
        parts.extend(here.map(|pair| format!("read k{}", pair.key)));
        let value = |pair: &Pair| pair.value.map_or_else(|| "?".to_owned(), words::value);
        parts.extend(writes.get(place).map(|pair| format!("k{}{is}{}", pair.key, value(pair))));
    }
    (!parts.is_empty()).then(|| format!("transaction: {}", parts.join(", ")))
}

/// What a list of pairs tells: keys with their values, or how many there are where they are many.
fn pair_words(operation: &OperationRow, pairs: &[Pair]) -> String {
    let lists = if operation.function == Function::ListTransaction { list_words(pairs) } else { None };
    let words = lists.unwrap_or_else(|| {
        let value = |pair: &Pair| pair.value.map_or_else(|| "nothing".to_owned(), words::value);
        pairs.iter().map(|pair| format!("k{}: {}", pair.key, value(pair))).collect::<Vec<_>>().join(", ")
    });
    if words.is_empty() || words.chars().count() > PAIRS_MAX { words::counted(pairs.len(), "pair") } else { words }
}

/// Lists that were read, each with its last element and its length: a pair of key and length, then a pair of each element.
fn list_words(pairs: &[Pair]) -> Option<String> {
    let mut told = Vec::new();
    let mut rest = pairs;
    while let Some((head, behind)) = rest.split_first() {
        let length = usize::try_from(head.value.unwrap_or(0)).ok()?;
        let elements = behind.get(..length)?;
        let last = elements.last().and_then(|pair| pair.value);
        told.push(match (head.value, last) {
            (None, _) => format!("k{}: no list", head.key),
            (_, None) => format!("k{}: []", head.key),
            (_, Some(last)) if length == 1 => format!("k{}: [{}]", head.key, words::value(last)),
            (_, Some(last)) => format!("k{}: [… {} before, {}]", head.key, length - 1, words::value(last)),
        });
        rest = &behind[length..];
    }
    Some(told.join(", "))
}

/// Pairs that are longer in words are counted.
const PAIRS_MAX: usize = 60;

pub(super) fn answer_words(operation: &OperationRow) -> String {
    match operation.outcome {
        Outcome::Unknown => "unknown: may have happened".to_owned(),
        Outcome::Error => operation.error.map_or("refused", Dictionary::name).replace('_', " "),
        Outcome::Ok => match (&operation.results, operation.result) {
            (Some(pairs), _) => format!("ok, {}", pair_words(operation, pairs)),
            (None, Some(result)) => format!("ok {}", words::value(result)),
            (None, None) if operation.function == Function::Read => "ok: nothing there".to_owned(),
            (None, None) => "ok".to_owned(),
        },
    }
}

pub(super) fn transition_words(transition: &TransitionRow) -> String {
    let name = transition.event.name().replace('_', " ");
    let op = transition.op.map(|op| format!(" op {op}")).unwrap_or_default();
    let detail = transition.detail.map(|detail| format!(" ({})", detail.name().replace('_', " "))).unwrap_or_default();
    match transition.event {
        TransitionEvent::Crashed => "CRASHED".to_owned(),
        TransitionEvent::ViewEntered => format!("VIEW {} ENTERED", transition.view),
        // With its log it votes for the new primary, without it only against the old one.
        TransitionEvent::VoteCast if transition.entry_hash.is_some() => format!("vote for view {}, with its log", transition.view),
        TransitionEvent::VoteCast => format!("vote for view {}", transition.view),
        TransitionEvent::StatusChanged => format!("{}, view {}", transition.status.name().replace('_', " "), transition.view),
        _ => format!("{name}{op}{detail}"),
    }
}

/// The columns that a message leaves and goes to.
pub(super) fn message_lanes(message: &MessageRow) -> (Option<Lane>, Option<Lane>) {
    let lane = |end: u16| match (u8::try_from(end), message.tenant, message.client) {
        (Ok(replica), _, _) => Some(Lane::Replica(replica)),
        (Err(_), Some(tenant), Some(client)) if end >= FIRST_CLIENT => Some(Lane::Client(tenant, client)),
        _ => None,
    };
    (lane(message.from), lane(message.to))
}

/// What a message is: the numbers that its receiver acts upon, and whether a fault has changed it.
fn matter_words(message: &MessageRow) -> String {
    use Command as C;
    let with = |word: &str, number: Option<u64>| number.map(|number| format!("{word}{number}")).unwrap_or_default();
    let (op, commit, view) = (message.op, with(", commit ", message.commit), with(" ", message.view));
    let matter = match message.command {
        C::Ping | C::Pong => String::new(),
        C::Prepare => with(" op ", op) + &commit,
        C::Commit => with(" ", message.commit),
        C::StartViewChange | C::GetView => view,
        C::DoViewChange | C::StartView | C::RecoveryResponse => view + &with(", op ", op) + &commit,
        C::RepairRequest | C::RepairResponse => match message.log_first.filter(|first| Some(*first) != op) {
            Some(first) => format!(" ops {first}{}", with("-", op)),
            None => with(" op ", op),
        },
        C::Request | C::Reply => with(" ", message.request_number) + &with(", op ", op.filter(|op| *op > 0)),
        _ => with(" op ", op),
    };
    let changed = message.mutation.map(|mutation| format!(" (changed: {})", mutation.name().replace('_', " "))).unwrap_or_default();
    format!("{}{matter}{changed}", message.command.name().replace('_', " "))
}

/// What a message is, and what became of it if it did not arrive or was refused.
pub(super) fn message_words(message: &MessageRow) -> String {
    let fate = if message.fate == Fate::Delivered { String::new() } else { format!(" X {}", message.fate.name().replace('_', " ")) };
    let refused = message.reject_reason.map(|reason| format!(" X {}", reason.name().replace('_', " "))).unwrap_or_default();
    format!("{}{fate}{refused}", matter_words(message))
}

fn message_events(message: &MessageRow, events: &mut Vec<Event>) {
    let name = |lane: Option<Lane>| match lane {
        Some(Lane::Replica(replica)) => format!("r{replica}"),
        Some(Lane::Client(_, client)) => format!("c{client}"),
        Some(Lane::All) | None => "?".to_owned(),
    };
    let what = matter_words(message);
    let (from, to) = message_lanes(message);
    let delivered = message.fate == Fate::Delivered;
    let fate = if delivered { String::new() } else { format!(" X {}", message.fate.name().replace('_', " ")) };
    if let Some(lane) = from {
        let words = format!("{what} -> {}{fate}", name(to));
        events.push(Event { seq: message.seq, time_ns: message.time_ns, lane, words, step: None });
    }
    if let (Some(lane), true, Some(seq), Some(time_ns)) = (to, delivered, message.fate_seq, message.fate_time_ns) {
        let refused = message.reject_reason.map(|reason| format!(" X {}", reason.name().replace('_', " "))).unwrap_or_default();
        events.push(Event { seq, time_ns, lane, words: format!("{what} <- {}{refused}", name(from)), step: None });
    }
}

impl Shown {
    /// All rows of a run but its messages, its faults and its bookkeeping.
    pub(crate) fn everyone() -> Self {
        Self {
            from: 0,
            to: u64::MAX,
            windows: Vec::new(),
            messages: false,
            faults: false,
            verbose: false,
            rows: 0..=u64::MAX,
            replicas: Vec::new(),
            clients: Vec::new(),
            tenants: Vec::new(),
            axis: Axis::Time,
            keys: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{FaultRow, Run, StorageOutcome, StorageRow, Zone};

    #[test]
    fn a_message_is_told_with_the_numbers_that_matter() {
        let base = MessageRow { op: Some(7), commit: Some(5), view: Some(2), ..MessageRow::default() };
        let told = |command, log_first| message_words(&MessageRow { command, log_first, fate: Fate::Delivered, ..base.clone() });
        assert_eq!(told(Command::Prepare, None), "prepare op 7, commit 5");
        assert_eq!(told(Command::PrepareOk, None), "prepare ok op 7");
        assert_eq!(told(Command::Commit, None), "commit 5");
        assert_eq!(told(Command::StartView, Some(6)), "start view 2, op 7, commit 5");
        assert_eq!(told(Command::RepairRequest, Some(3)), "repair request ops 3-7");
        let changed = MessageRow { mutation: Some(vopr_schema::Mutation::Range), fate: Fate::Lost, ..base };
        assert!(message_words(&changed).ends_with(" (changed: range) X lost"), "{}", message_words(&changed));
    }

    #[test]
    fn two_votes_for_one_view_read_differently() {
        let vote = |entry_hash| {
            transition_words(&TransitionRow { event: TransitionEvent::VoteCast, view: 3, entry_hash, ..TransitionRow::default() })
        };
        assert_eq!([vote(None), vote(Some(1))], ["vote for view 3", "vote for view 3, with its log"]);
    }

    #[test]
    fn pings_and_heartbeats_are_told_only_where_they_play_a_part() {
        let mut history = History::default();
        let message = |seq, id, command| MessageRow { seq, id, command, to: 1, fate: Fate::Lost, ..MessageRow::default() };
        for row in
            [message(1, 1, Command::Ping), message(2, 2, Command::Commit), message(3, 3, Command::Commit), message(4, 4, Command::Pong)]
        {
            history.messages.push(row);
        }
        history.messages.push(message(5, 5, Command::Prepare));
        history.transitions.push(TransitionRow { seq: 6, event: TransitionEvent::Committed, cause: Some(3), ..TransitionRow::default() });
        history.close_run(Run { replicas: 3, ..Run::default() });
        let shown = Shown { messages: true, ..Shown::everyone() };
        let told = |shown: &Shown| {
            of_run(&history, 0, shown, &[Step::new(Kind::Message, 4, "cited")]).iter().map(|event| event.seq).collect::<Vec<_>>()
        };
        assert_eq!(told(&shown), [3, 4, 5, 6]);
        assert_eq!(told(&Shown { verbose: true, ..shown.clone() }), [1, 2, 3, 4, 5, 6]);
        assert!(told(&Shown { windows: vec![(1, 2)], ..shown }).is_empty(), "nothing happens then");
    }

    #[test]
    fn every_row_of_the_witness_is_told_whatever_its_kind() {
        let mut history = History::default();
        let access =
            StorageRow { seq: 1, replica: 2, op: Some(7), zone: Zone::Log, outcome: StorageOutcome::Torn, ..StorageRow::default() };
        history.storage.push(access.clone());
        history.storage.push(StorageRow { seq: 2, ..access });
        for seq in [3, 4] {
            history.faults.push(FaultRow { seq, target: Some(2), ..FaultRow::default() });
        }
        for seq in [5, 6] {
            history.operations.push(OperationRow { seq, key: 9, ..OperationRow::default() });
        }
        history.close_run(Run { replicas: 3, ..Run::default() });
        let shown = Shown { keys: vec![1], ..Shown::everyone() };
        let steps = [(Kind::Storage, 1), (Kind::Fault, 3), (Kind::Operation, 5)].map(|(kind, seq)| Step::new(kind, seq, "cited"));
        let told: Vec<(u64, Option<usize>)> = of_run(&history, 0, &shown, &steps).iter().map(|event| (event.seq, event.step)).collect();
        assert_eq!(told, [(1, Some(1)), (3, Some(2)), (5, Some(3))]);
    }

    #[test]
    fn transactions_are_told_with_their_keys_and_values() {
        let pair = |key, value| Pair { key, value };
        let mut operation = OperationRow {
            function: Function::ListTransaction,
            outcome: Outcome::Ok,
            reads: Some(vec![pair(1, Some(1)), pair(2, Some(0))]),
            writes: Some(vec![pair(3, Some(9))]),
            results: Some(vec![pair(1, Some(2)), pair(1, Some(7)), pair(1, Some(8)), pair(2, None)]),
            ..OperationRow::default()
        };
        assert_eq!(call_words(&operation), "transaction: read k2, k3 <- 9, read k1");
        assert_eq!(answer_words(&operation), "ok, k1: [… 1 before, 8], k2: no list");
        operation.function = Function::Transaction;
        operation.reads = Some(vec![pair(4, None)]);
        operation.results = Some(vec![pair(4, None)]);
        assert_eq!([call_words(&operation), answer_words(&operation)], ["transaction: read k4, k3=9", "ok, k4: nothing"]);
        assert!(touches(&operation, &[3]) && touches(&operation, &[8, 4]) && !touches(&operation, &[5]));
        let scan = OperationRow { function: Function::Scan, key: 10, key_last: Some(12), ..OperationRow::default() };
        assert!(touches(&scan, &[11]) && !touches(&scan, &[13]));
    }

    #[test]
    fn a_call_and_its_answer_are_two_events_of_one_lane() {
        let mut events = Vec::new();
        let operation = OperationRow {
            seq: 4,
            key: 2,
            client: 3,
            function: Function::Read,
            outcome: Outcome::Ok,
            result: Some(9),
            return_seq: Some(8),
            return_time_ns: Some(5),
            ..OperationRow::default()
        };
        operation_events(&operation, &mut events);
        let words: Vec<&str> = events.iter().map(|event| event.words.as_str()).collect();
        assert_eq!((words.as_slice(), events[0].lane), (["> read k2", "< ok 9"].as_slice(), Lane::Client(0, 3)));
        operation_events(&OperationRow { return_seq: None, ..operation }, &mut events);
        assert!(events[2].words.ends_with("(never returned)") && events.len() == 3);
    }
}
