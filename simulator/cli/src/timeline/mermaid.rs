//! The causal cone of a violation as a Mermaid sequence diagram: text that a pull request draws.
//!
//! Long diagrams are not read: a bounded number of rows is told, the latest ones, and always the steps of the witness, the rows that
//! `vopr diagnose` tells, and what stopped or damaged the replicas of the witness meanwhile.

use super::cone::{self, Node};
use super::events::{Lane, answer_words, call_words, message_lanes, message_words, transition_words};
use super::text::Names;
use crate::diagnose::story;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use vopr_check::output::violation::seconds;
use vopr_checker::{Failure, Step};
use vopr_schema::{Dictionary, Fate, FaultKind, History, Kind};

/// Crashes, restarts and damage that are told besides the rows of the story, at most.
const TROUBLES_MAX: usize = 12;

/// One line of the diagram and the columns that it touches.
struct Line {
    seq: u64,
    text: String,
    lanes: Vec<Lane>,
}

/// The diagram, without a fence.
pub(super) fn diagram(history: &History, run: usize, failure: &Failure, limit: usize) -> String {
    let root = &failure.findings[0];
    let steps = &root.witness.steps;
    let mut told: Vec<Line> = Vec::new();
    for node in cone::of(history, run, steps, limit) {
        match node {
            Node::Message(row) => told.extend(message(history, row)),
            Node::Operation(row) => told.extend(operation(history, row)),
            // What a witness names is told in the witness's words.
            Node::Transition(_) => {}
        }
    }
    for (place, step) in steps.iter().enumerate() {
        told.extend(note(history, run, step, &format!("[{}] ", place + 1)));
    }
    let known: BTreeSet<u64> = told.iter().map(|line| line.seq).collect();
    for step in story(history, run, failure).iter().filter(|step| !known.contains(&step.seq)) {
        told.extend(match step.kind {
            Kind::Message => history.messages.row_at(run, step.seq).and_then(|row| message(history, row)),
            _ => note(history, run, step, ""),
        });
    }
    told.extend(troubles(history, run, &told));
    told.sort_by_key(|line| line.seq);
    let lanes: BTreeSet<Lane> = told.iter().flat_map(|line| line.lanes.iter().copied()).collect();
    let mut text = String::from("sequenceDiagram\n");
    let meta = &history.runs[run];
    let names = Names::of_run(meta);
    writeln!(text, "  %% {} seed {}: {}: {}", meta.scenario, meta.seed, root.invariant, plain(&root.witness.summary))
        .expect("a string takes all");
    for lane in &lanes {
        writeln!(text, "  participant {} as {}", name(*lane), names.of(*lane, false)).expect("a string takes all");
    }
    for line in &told {
        writeln!(text, "  {}", line.text).expect("a string takes all");
    }
    text
}

fn name(lane: Lane) -> String {
    match lane {
        Lane::Replica(replica) => format!("r{replica}"),
        Lane::Client(tenant, client) => format!("c{tenant}x{client}"),
        Lane::All => "all".to_owned(),
    }
}

/// Text without what the grammar takes for its own.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if matches!(letter, ';' | '#' | '\n' | '\r' | '%') { ' ' } else { letter }).collect()
}

fn message(history: &History, row: usize) -> Option<Line> {
    let message = history.messages.row(row);
    let (from, to) = message_lanes(&message);
    let (from, to) = (from?, to?);
    // An arrow with a head arrives; one with a cross does not, or is refused.
    let arrives = message.fate == Fate::Delivered && message.reject_reason.is_none();
    let arrow = if arrives { "->>" } else { "-x" };
    let text = format!("{}{arrow}{}: {} ({})", name(from), name(to), plain(&message_words(&message)), seconds(message.time_ns).trim());
    Some(Line { seq: message.seq, text, lanes: vec![from, to] })
}

fn operation(history: &History, row: usize) -> Vec<Line> {
    let operation = history.operations.row(row);
    let client = Lane::Client(operation.tenant, operation.client);
    let told = |seq, words: &str| Line { seq, text: format!("Note over {}: {}", name(client), plain(words)), lanes: vec![client] };
    let mut both = vec![told(operation.seq, &call_words(&operation))];
    both.extend(operation.return_seq.map(|seq| told(seq, &answer_words(&operation))));
    both
}

/// A row of the witness or of the story, on its column; `mark` is the number of a step of the witness, or nothing.
fn note(history: &History, run: usize, step: &Step, mark: &str) -> Option<Line> {
    let lane = match step.kind {
        Kind::Operation => {
            let found = history.operations.row_at(run, step.seq)?;
            Lane::Client(history.operations.tenant[found], history.operations.client[found])
        }
        Kind::Message => {
            let found = history.messages.row(history.messages.row_at(run, step.seq)?);
            message_lanes(&found).0?
        }
        Kind::Transition => {
            let found = history.transitions.row(history.transitions.row_at(run, step.seq)?);
            let words = format!("{mark}{}: {}", plain(&transition_words(&found)), plain(&step.words));
            return Some(over(step.seq, Lane::Replica(found.replica), &words));
        }
        Kind::Fault => replica_of(history, history.faults.row_at(run, step.seq)?)?,
        _ => Lane::Replica(step.replica?),
    };
    Some(over(step.seq, lane, &format!("{mark}{}", plain(&step.words))))
}

fn over(seq: u64, lane: Lane, words: &str) -> Line {
    Line { seq, text: format!("Note over {}: {words}", name(lane)), lanes: vec![lane] }
}

/// The column of a fault: its target, or the first of a set.
fn replica_of(history: &History, row: usize) -> Option<Lane> {
    let table = &history.faults;
    let (target, kind) = (table.target.get(row)?, table.fault.get(row));
    let is_set = matches!(kind, FaultKind::PartitionFull | FaultKind::Reconfigure);
    let replica = if is_set { target.trailing_zeros() } else { target };
    u8::try_from(replica).ok().filter(|replica| u32::from(*replica) < u32::BITS).map(Lane::Replica)
}

/// What stopped or damaged a replica of the diagram, or asked for other voters, between its first and its last line; the latest ones.
fn troubles(history: &History, run: usize, told: &[Line]) -> Vec<Line> {
    let table = &history.faults;
    let (Some(first), Some(last)) = (told.iter().map(|line| line.seq).min(), told.iter().map(|line| line.seq).max()) else {
        return Vec::new();
    };
    let known: BTreeSet<u64> = told.iter().map(|line| line.seq).collect();
    let lanes: BTreeSet<Lane> = told.iter().flat_map(|line| line.lanes.iter().copied()).collect();
    let rows = table.rows_of_run(run).rev().filter(|row| (first..last).contains(&table.seq[*row]) && !known.contains(&table.seq[*row]));
    let troubles = rows.filter_map(|row| {
        use FaultKind as F;
        let (kind, lane) = (table.fault.get(row), replica_of(history, row)?);
        let is_told = match kind {
            F::Corruption | F::TornWrite => lanes.contains(&lane),
            F::Reconfigure => true,
            _ => kind.ends_or_begins_process() && lanes.contains(&lane),
        };
        is_told.then(|| over(table.seq[row], lane, &format!("fault: {} ({})", kind.name().replace('_', " "), seconds(table.time_ns[row]))))
    });
    troubles.take(TROUBLES_MAX).collect()
}
