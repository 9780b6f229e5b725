//! The causal cone of a violation as a Mermaid sequence diagram: text that a pull request draws.
//!
//! Long diagrams are not read: a bounded number of rows is told, the latest ones, and the steps of the witness always.

use super::cone::{self, Node};
use super::events::{Lane, answer_words, call_words, message_lanes, message_words, transition_words};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use vopr_check::output::violation::seconds;
use vopr_checker::Failure;
use vopr_schema::{Fate, History};

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
        told.extend(note(history, run, step, place + 1));
    }
    told.sort_by_key(|line| line.seq);
    let lanes: BTreeSet<Lane> = told.iter().flat_map(|line| line.lanes.iter().copied()).collect();
    let mut text = String::from("sequenceDiagram\n");
    let meta = &history.runs[run];
    writeln!(text, "  %% {} seed {}: {}: {}", meta.scenario, meta.seed, root.invariant, plain(&root.witness.summary))
        .expect("a string takes all");
    for lane in &lanes {
        writeln!(text, "  participant {} as {}", name(*lane), title(*lane)).expect("a string takes all");
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

fn title(lane: Lane) -> String {
    match lane {
        Lane::Replica(replica) => format!("replica {replica}"),
        Lane::Client(tenant, client) => format!("client {client} (t{tenant})"),
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

/// A step of the witness, on the column of its row.
fn note(history: &History, run: usize, step: &vopr_checker::Step, place: usize) -> Option<Line> {
    let row = |seq: &[u64], rows: core::ops::Range<usize>| seq[rows.clone()].binary_search(&step.seq).ok().map(|found| rows.start + found);
    let lane = match step.kind {
        vopr_schema::Kind::Operation => {
            let found = row(&history.operations.seq, history.operations.rows_of_run(run))?;
            Lane::Client(history.operations.tenant[found], history.operations.client[found])
        }
        vopr_schema::Kind::Message => {
            let found = history.messages.row(row(&history.messages.seq, history.messages.rows_of_run(run))?);
            message_lanes(&found).0?
        }
        vopr_schema::Kind::Transition => {
            let found = history.transitions.row(row(&history.transitions.seq, history.transitions.rows_of_run(run))?);
            let text = format!(
                "Note over {}: [{place}] {}: {}",
                name(Lane::Replica(found.replica)),
                plain(&transition_words(&found)),
                plain(&step.words)
            );
            return Some(Line { seq: step.seq, text, lanes: vec![Lane::Replica(found.replica)] });
        }
        _ => Lane::Replica(step.replica?),
    };
    let text = format!("Note over {}: [{place}] {}", name(lane), plain(&step.words));
    Some(Line { seq: step.seq, text, lanes: vec![lane] })
}
