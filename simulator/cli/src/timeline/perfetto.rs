//! A run in the trace format of Chrome and Perfetto: a track per replica and client, arrows for messages, marks for faults.
//!
//! Times are virtual, in microseconds; a track of a replica shows which role it has in which view, one of a client its operations.

use super::events::{Lane, answer_words, call_words, message_lanes, message_words, transition_words};
use super::text::Names;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vopr_checker::{Failure, RunIndex};
use vopr_schema::{Dictionary, Fate, FaultKind, History, Status, TransitionEvent};

const REPLICAS: u32 = 1;
const CLIENTS: u32 = 2;
const FAULTS: u32 = 3;

/// The events of a trace under construction.
struct Trace<'a> {
    history: &'a History,
    run: usize,
    /// The track of each client, from 1.
    clients: BTreeMap<(u32, u32), u32>,
    events: Vec<Value>,
}

/// The whole document.
pub(super) fn trace(history: &History, run: usize, failure: Option<&Failure>) -> Value {
    let mut clients = BTreeMap::new();
    for row in history.operations.rows_of_run(run) {
        clients.entry((history.operations.tenant[row], history.operations.client[row])).or_insert(0);
    }
    for (track, number) in clients.values_mut().zip(1..) {
        *track = number;
    }
    let mut trace = Trace { history, run, clients, events: Vec::new() };
    trace.names();
    trace.roles();
    trace.operations();
    trace.messages();
    trace.faults();
    trace.violation(failure);
    let meta = &history.runs[run];
    json!({
        "displayTimeUnit": "ns",
        "otherData": { "scenario": meta.scenario, "seed": meta.seed, "program": "vopr timeline" },
        "traceEvents": trace.events,
    })
}

/// Microseconds, exact to the nanosecond.
#[expect(clippy::cast_precision_loss, reason = "a run is shorter than a hundred days, which a double holds to the nanosecond")]
fn microseconds(time_ns: u64) -> f64 {
    time_ns as f64 / 1e3
}

impl Trace<'_> {
    /// Process and thread of a column.
    fn track(&self, lane: Lane) -> Option<(u32, u32)> {
        match lane {
            Lane::Replica(replica) => Some((REPLICAS, u32::from(replica) + 1)),
            Lane::Client(tenant, client) => self.clients.get(&(tenant, client)).map(|track| (CLIENTS, *track)),
            Lane::All => Some((FAULTS, 1)),
        }
    }

    fn names(&mut self) {
        let meta = &self.history.runs[self.run];
        let names = Names::of_run(meta);
        let name = |process: u32, thread: Option<u32>, name: String| {
            let what = if thread.is_some() { "thread_name" } else { "process_name" };
            json!({ "ph": "M", "name": what, "pid": process, "tid": thread.unwrap_or(0), "args": { "name": name } })
        };
        self.events
            .extend([(REPLICAS, "replicas"), (CLIENTS, "clients"), (FAULTS, "faults")].map(|(pid, of)| name(pid, None, of.to_owned())));
        let replicas = RunIndex::new(self.history, self.run).replicas();
        let voters = usize::from(meta.replicas);
        self.events.extend((0_u32..).take(replicas).map(|replica| {
            let kind = if (replica as usize) < voters { "replica" } else { "standby" };
            name(REPLICAS, Some(replica + 1), format!("{kind} {replica}"))
        }));
        let clients: Vec<Value> = self
            .clients
            .iter()
            .map(|((tenant, client), track)| name(CLIENTS, Some(*track), names.of(Lane::Client(*tenant, *client), false)))
            .collect();
        self.events.extend(clients);
        self.events.push(name(FAULTS, Some(1), "injected".to_owned()));
    }

    fn span(&mut self, lane: Lane, name: &str, from: u64, to: u64, args: &Value) {
        let Some((pid, tid)) = self.track(lane) else { return };
        let (ts, dur) = (microseconds(from), microseconds(to.saturating_sub(from)));
        self.events.push(json!({ "ph": "X", "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args }));
    }

    fn instant(&mut self, lane: Lane, category: &str, name: &str, time: u64, args: &Value) {
        let Some((pid, tid)) = self.track(lane) else { return };
        let ts = microseconds(time);
        self.events.push(json!({ "ph": "i", "s": "t", "cat": category, "name": name, "pid": pid, "tid": tid, "ts": ts, "args": args }));
    }

    /// What each replica is, from one change to the next.
    fn roles(&mut self) {
        let table = &self.history.transitions;
        let index = RunIndex::new(self.history, self.run);
        let mut open: BTreeMap<u8, (String, u64, u64)> = BTreeMap::new();
        for row in table.rows_of_run(self.run).filter(|row| table.event.get(*row) != TransitionEvent::VoteCast) {
            let (replica, view, time) = (table.replica[row], table.view[row], table.time_ns[row]);
            let role = match table.status.get(row) {
                Status::Normal if index.primary(view) == Some(replica) => format!("primary, view {view}"),
                Status::Normal => format!("backup, view {view}"),
                Status::Down => "down".to_owned(),
                other => format!("{}, view {view}", other.name().replace('_', " ")),
            };
            let known = open.get(&replica).is_some_and(|(known, ..)| *known == role);
            if !known && let Some((role, from, seq)) = open.insert(replica, (role, time, table.seq[row])) {
                self.span(Lane::Replica(replica), &role, from, time, &json!({ "row": seq }));
            }
        }
        let end = self.history.runs[self.run].end_time_ns;
        for (replica, (role, from, seq)) in open {
            self.span(Lane::Replica(replica), &role, from, end, &json!({ "row": seq }));
        }
    }

    /// A client has one operation at a time: one that never returned lasts until its next one.
    fn operations(&mut self) {
        let table = &self.history.operations;
        let mut next: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        let end = self.history.runs[self.run].end_time_ns;
        for row in table.rows_of_run(self.run).rev() {
            let operation = table.row(row);
            let client = (operation.tenant, operation.client);
            let limit = next.insert(client, operation.time_ns).unwrap_or(end.max(operation.time_ns));
            let until = operation.return_time_ns.map_or(limit, |time| time.min(limit));
            let args = json!({ "row": operation.seq, "answer": answer_words(&operation), "op": operation.op });
            self.span(Lane::Client(client.0, client.1), &call_words(&operation), operation.time_ns, until, &args);
        }
    }

    /// An arrow for what arrived, a mark for what did not.
    fn messages(&mut self) {
        let table = &self.history.messages;
        for row in table.rows_of_run(self.run) {
            let message = table.row(row);
            let (from, to) = message_lanes(&message);
            let Some(from) = from else { continue };
            let words = message_words(&message);
            let ends = self.track(from).zip(to.and_then(|to| self.track(to)));
            let arrived = message.fate_time_ns.filter(|_| message.fate == Fate::Delivered);
            let (Some(((pid, tid), receiver)), Some(arrived)) = (ends, arrived) else {
                self.instant(from, "message", &words, message.time_ns, &json!({ "row": message.seq }));
                continue;
            };
            let (sent, got, id) = (microseconds(message.time_ns), microseconds(arrived), message.seq);
            let args = json!({ "row": id, "refused": message.reject_reason.map(Dictionary::name) });
            self.events
                .push(json!({ "ph": "s", "cat": "message", "name": words, "id": id, "pid": pid, "tid": tid, "ts": sent, "args": args }));
            self.events.push(
                json!({ "ph": "f", "bp": "e", "cat": "message", "name": words, "id": id, "pid": receiver.0, "tid": receiver.1, "ts": got }),
            );
        }
    }

    fn faults(&mut self) {
        let table = &self.history.faults;
        for row in table.rows_of_run(self.run) {
            let fault = table.row(row);
            let is_set = matches!(fault.fault, FaultKind::PartitionFull | FaultKind::Reconfigure);
            let target = fault.target.filter(|_| !is_set).and_then(|target| u8::try_from(target).ok());
            let name = fault.fault.name().replace('_', " ");
            let args = json!({
                "row": fault.seq,
                "target": fault.target,
                "peer": fault.peer,
                "until_us": fault.end_time_ns.map(microseconds),
                "magnitude": fault.magnitude,
            });
            self.instant(Lane::All, "fault", &name, fault.time_ns, &args);
            if let Some(replica) = target {
                self.instant(Lane::Replica(replica), "fault", &name, fault.time_ns, &args);
            }
        }
    }

    /// The rows of the first violation, on the tracks of their replicas.
    fn violation(&mut self, failure: Option<&Failure>) {
        let Some(root) = failure.and_then(|failure| failure.findings.first()) else { return };
        let table = &self.history.transitions;
        for (place, step) in root.witness.steps.iter().enumerate() {
            let found = table.row_at(self.run, step.seq).map(|row| table.row(row));
            let what = found.map_or_else(String::new, |transition| format!("{}: ", transition_words(&transition)));
            let lane = step.replica.map_or(Lane::All, Lane::Replica);
            let time = super::events::moments(self.history, self.run, step).first().map_or(0, |(_, time_ns)| *time_ns);
            let name = format!("[{}] {}: {what}{}", place + 1, root.invariant, step.words);
            self.instant(lane, "violation", &name, time, &json!({ "row": step.seq }));
        }
    }
}
