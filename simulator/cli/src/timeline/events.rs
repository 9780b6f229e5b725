//! What happened in a run, event by event, each with the column that it belongs to.

use crate::args::explain::TimelineArguments;
use std::collections::BTreeSet;
use vopr_checker::Step;
use vopr_schema::rows::{Fate, Function, Outcome, TransitionEvent};
use vopr_schema::{Dictionary, History, MessageRow, OperationRow, TransitionRow};

/// Endpoints from here on are clients.
const CLIENTS_FROM: u16 = 1_000;

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

/// What is to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) from: u64,
    pub(crate) to: u64,
    rows: core::ops::RangeInclusive<u64>,
    messages: bool,
    faults: bool,
    verbose: bool,
    replicas: Vec<u8>,
    clients: Vec<u32>,
    keys: Vec<u64>,
}

impl Shown {
    /// What the command line asks for.
    pub(crate) fn of(arguments: &TimelineArguments) -> Self {
        let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            from: arguments.from.map_or(0, nanoseconds),
            to: arguments.to.map_or(u64::MAX, nanoseconds),
            rows: arguments.from_row.unwrap_or(0)..=arguments.to_row.unwrap_or(u64::MAX),
            messages: arguments.show_messages,
            faults: arguments.show_faults,
            verbose: arguments.verbose,
            replicas: arguments.replica.clone(),
            clients: arguments.client.clone(),
            keys: arguments.key.clone(),
        }
    }

    fn lane(&self, lane: Lane) -> bool {
        match lane {
            Lane::All => self.faults,
            Lane::Client(_, client) => self.clients.is_empty() || self.clients.contains(&client),
            Lane::Replica(replica) => self.replicas.is_empty() || self.replicas.contains(&replica),
        }
    }

    fn event(&self, event: &Event) -> bool {
        // What the violation cites is told, whatever its kind.
        let is_told = if event.lane == Lane::All { self.faults || event.step.is_some() } else { self.lane(event.lane) };
        is_told && (self.from..=self.to).contains(&event.time_ns) && self.rows.contains(&event.seq)
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

/// When the row with this position happened.
pub(crate) fn time_of(history: &History, run: usize, seq: u64) -> Option<u64> {
    let kinds = crate::rows::rows((history, run));
    kinds.iter().find_map(|rows| rows.range.clone().find(|row| rows.seq[*row] == seq).map(|row| rows.time_ns[row]))
}

/// The events that pass the filters, in their order.
pub(crate) fn of_run(history: &History, run: usize, shown: &Shown, steps: &[Step]) -> Vec<Event> {
    let mut events = Vec::new();
    for row in history.operations.rows_of_run(run) {
        let operation = history.operations.row(row);
        let marked = steps.iter().any(|step| step.seq == operation.seq || Some(step.seq) == operation.return_seq);
        if marked || shown.keys.is_empty() || shown.keys.contains(&operation.key) {
            operation_events(&operation, &mut events);
        }
    }
    for row in history.transitions.rows_of_run(run) {
        let transition = history.transitions.row(row);
        let marked = steps.iter().any(|step| step.seq == transition.seq);
        if shown.verbose || marked || is_telling(transition.event) {
            let (seq, time_ns, lane) = (transition.seq, transition.time_ns, Lane::Replica(transition.replica));
            events.push(Event { seq, time_ns, lane, words: transition_words(&transition), step: None });
        }
    }
    for row in history.messages.rows_of_run(run) {
        let message = history.messages.row(row);
        if shown.messages || steps.iter().any(|step| step.seq == message.seq) {
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
        let until = fault.end_time_ns.map(|end| format!(", until {}", vopr_check::output::violation::seconds(end))).unwrap_or_default();
        let words = format!("{}{target}{peer}{until}", fault.fault.name().replace('_', " "));
        events.push(Event { seq: fault.seq, time_ns: fault.time_ns, lane: Lane::All, words, step: None });
    }
    for event in &mut events {
        event.step = steps.iter().position(|step| step.seq == event.seq).map(|index| index + 1);
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

/// A number; large ones hold several and are told in parts of 16, 16 and 32 bits, which is exact and can be compared at a glance.
fn short(value: u64) -> String {
    if value >> 32 == 0 { value.to_string() } else { format!("{}.{}.{}", value >> 48, (value >> 32) & 0xffff, value & 0xffff_ffff) }
}

pub(super) fn call_words(operation: &OperationRow) -> String {
    let key = operation.key;
    let value = operation.value.map(short).unwrap_or_default();
    let last = operation.key_last.map(|last| last.to_string()).unwrap_or_default();
    match operation.function {
        Function::Write => format!("write k{key} = {value}"),
        Function::Read => format!("read k{key}"),
        Function::ReadModifyWrite => format!("add {value} to k{key}"),
        Function::CompareAndSet => format!("cas k{key}: {} => {value}", operation.expected.map_or_else(|| "none".to_owned(), short)),
        Function::Scan => format!("scan k{key}..k{last}"),
        Function::StreamAppend => format!("append {value} to stream {key}"),
        Function::StreamRead => format!("read stream {key} from {value}"),
        Function::Transfer => format!("transfer {value}: a{key} => a{last}"),
        other => format!("{} {key}", other.name().replace('_', " ")),
    }
}

pub(super) fn answer_words(operation: &OperationRow) -> String {
    match operation.outcome {
        Outcome::Unknown => "unknown: may have happened".to_owned(),
        Outcome::Error => operation.error.map_or("refused", Dictionary::name).replace('_', " "),
        Outcome::Ok => match (&operation.results, operation.result) {
            (Some(pairs), _) => format!("ok, {} pairs", pairs.len()),
            (None, Some(result)) => format!("ok {}", short(result)),
            (None, None) if operation.function == Function::Read => "ok: nothing there".to_owned(),
            (None, None) => "ok".to_owned(),
        },
    }
}

pub(super) fn transition_words(transition: &TransitionRow) -> String {
    let name = transition.event.name().replace('_', " ");
    let op = transition.op.map(|op| format!(" {op}")).unwrap_or_default();
    let detail = transition.detail.map(|detail| format!(" ({})", detail.name().replace('_', " "))).unwrap_or_default();
    match transition.event {
        TransitionEvent::Crashed => "CRASHED".to_owned(),
        TransitionEvent::ViewEntered => format!("VIEW {} ENTERED", transition.view),
        TransitionEvent::VoteCast => format!("vote for view {}", transition.view),
        TransitionEvent::StatusChanged => format!("{}, view {}", transition.status.name().replace('_', " "), transition.view),
        _ => format!("{name}{op}{detail}"),
    }
}

/// The columns that a message leaves and goes to.
pub(super) fn message_lanes(message: &MessageRow) -> (Option<Lane>, Option<Lane>) {
    let lane = |end: u16| match (u8::try_from(end), message.tenant, message.client) {
        (Ok(replica), _, _) => Some(Lane::Replica(replica)),
        (Err(_), Some(tenant), Some(client)) if end >= CLIENTS_FROM => Some(Lane::Client(tenant, client)),
        _ => None,
    };
    (lane(message.from), lane(message.to))
}

/// What a message is, and what became of it if it did not arrive or was refused.
pub(super) fn message_words(message: &MessageRow) -> String {
    let op = message.op.map(|op| format!(" {op}")).unwrap_or_default();
    let fate = if message.fate == Fate::Delivered { String::new() } else { format!(" X {}", message.fate.name().replace('_', " ")) };
    let refused = message.reject_reason.map(|reason| format!(" X {}", reason.name().replace('_', " "))).unwrap_or_default();
    format!("{}{op}{fate}{refused}", message.command.name().replace('_', " "))
}

fn message_events(message: &MessageRow, events: &mut Vec<Event>) {
    let name = |lane: Option<Lane>| match lane {
        Some(Lane::Replica(replica)) => format!("r{replica}"),
        Some(Lane::Client(_, client)) => format!("c{client}"),
        Some(Lane::All) | None => "?".to_owned(),
    };
    let what = format!("{}{}", message.command.name().replace('_', " "), message.op.map(|op| format!(" {op}")).unwrap_or_default());
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

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{FaultRow, Kind, Run, StorageOutcome, StorageRow, Zone};

    #[test]
    fn large_numbers_are_told_in_parts() {
        assert_eq!([short(7), short(281_483_566_645_253)], ["7".to_owned(), "1.2.5".to_owned()]);
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
        let shown = Shown {
            from: 0,
            to: u64::MAX,
            messages: false,
            faults: false,
            verbose: false,
            rows: 0..=u64::MAX,
            replicas: Vec::new(),
            clients: Vec::new(),
            keys: vec![1],
        };
        let steps = [(Kind::Storage, 1), (Kind::Fault, 3), (Kind::Operation, 5)].map(|(kind, seq)| Step::new(kind, seq, "cited"));
        let told: Vec<(u64, Option<usize>)> = of_run(&history, 0, &shown, &steps).iter().map(|event| (event.seq, event.step)).collect();
        assert_eq!(told, [(1, Some(1)), (3, Some(2)), (5, Some(3))]);
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
