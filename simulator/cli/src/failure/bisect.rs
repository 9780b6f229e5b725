//! `vopr bisect`: the first event after which an invariant is broken, and the replicas just before and just after it.
//!
//! A beginning of the history is judged like a history: what was not answered by then was not answered. The search halves the
//! run, so it finds a row after which the beginning is broken although the beginning without it is not; with an invariant that
//! recovers (few do) there may be an earlier one. Only a beginning whose witness has the shape of the whole run's counts: another one
//! would be an artefact of the cut. What is missing at the end of a run is missing in every beginning, so there no event is named.

mod end;

use crate::args::explain::BisectArguments;
use crate::failure::bundle::Bundle;
use crate::failure::minimize::kept::is_of_the_end;
use crate::output::tagged;
use crate::rows::{Rows, in_order, rows};
use end::End;
use serde_json::{Value, json};
use vopr_check::exit::{Exit, Problem};
use vopr_check::output::violation::story;
use vopr_check::terminal::{Paint, Sink, table};
use vopr_checker::report::failure;
use vopr_checker::{Budget, Selection, Verdict, Witness, judge_run};
use vopr_schema::{Dictionary, History, Kind, Status, TransitionEvent, cut};

/// What a replica says of itself at some position of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    incarnation: u32,
    status: Status,
    view: u64,
    epoch: u32,
    head: u64,
    commit: u64,
    applied: u64,
    sessions: usize,
}

/// The first beginning of a run that is broken.
struct First<'a> {
    /// The run's rows, kind by kind.
    kinds: Vec<Rows<'a>>,
    /// Place of the last row's kind among them.
    kind: usize,
    /// The row that the last event of the beginning is told by.
    row: usize,
    /// Position of that event, and what happened to the row then.
    seq: u64,
    moment: Moment,
    /// What is wrong with it.
    witness: Witness,
    before: Vec<State>,
    after: Vec<State>,
}

/// Finds the first broken beginning.
///
/// # Errors
/// The file cannot be read, its run breaks nothing, or standard output cannot be written.
pub fn run(arguments: &BisectArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let bundle = Bundle::read(&arguments.file, arguments.run)?;
    let invariant = match &arguments.invariant {
        Some(name) => name.clone(),
        None => kept_for(&bundle)?,
    };
    let selection = Selection::only(&[&invariant]).map_err(|error| Problem::usage(error.to_string()))?;
    let history = &bundle.history;
    let nothing = || Problem::nothing(format!("{invariant} is not broken in this run"));
    let whole = broken(history, &selection).ok_or_else(nothing)?;
    if is_of_the_end(&invariant, &whole.shape) {
        let end = End::of(history, &invariant, whole);
        if arguments.json {
            sink.object(&end.object(&invariant))?;
        } else {
            end.lines(&invariant, history, Paint::for_stdout()).iter().try_for_each(|line| sink.line(line))?;
        }
        return Ok(Exit::Held);
    }
    match (search(history, &selection, &whole.shape), arguments.json) {
        (None, json) => {
            let sentence = format!("{invariant} is broken only by how the run ends: no beginning of it is broken in this way");
            if json {
                sink.object(&tagged("bisect", json!({ "invariant": invariant, "seq": null, "sentence": sentence })))?;
            } else {
                sink.line(&sentence)?;
            }
        }
        (Some(first), true) => sink.object(&first.object(&invariant))?,
        (Some(first), false) => {
            first.lines(&invariant, history, Paint::for_stdout()).iter().try_for_each(|line| sink.line(line))?;
        }
    }
    Ok(Exit::Held)
}

/// What happens to a row at some position: it begins, or becomes complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Begins,
    Returns,
    Arrives,
}

impl Moment {
    const fn word(self) -> &'static str {
        match self {
            Self::Begins => "",
            Self::Returns => "the return of ",
            Self::Arrives => "the fate of ",
        }
    }
}

/// Every event of a run: position, place of the row's kind, row, and what happened to it.
fn moments(history: &History, kinds: &[Rows<'_>]) -> Vec<(u64, usize, usize, Moment)> {
    let mut moments = Vec::new();
    for (kind, row) in in_order(kinds) {
        let rows = &kinds[kind];
        moments.push((rows.seq[row], kind, row, Moment::Begins));
        let later = match rows.kind {
            Kind::Operation => history.operations.return_seq.get(row).map(|seq| (seq, kind, row, Moment::Returns)),
            Kind::Message => history.messages.fate_seq.get(row).map(|seq| (seq, kind, row, Moment::Arrives)),
            _ => None,
        };
        moments.extend(later);
    }
    moments.sort_by_key(|(seq, ..)| *seq);
    moments
}

/// Halves the run until one event makes the difference; none when it takes the end of the run.
fn search<'a>(history: &'a History, selection: &Selection, shape: &str) -> Option<First<'a>> {
    let broken = |seq: u64| broken(&cut::run(history, 0, seq), selection).filter(|witness| witness.shape == shape);
    let kinds = rows((history, 0));
    let moments = moments(history, &kinds);
    // The beginning up to `low` (not included) holds, the one up to `high` (included) is broken.
    let (mut low, mut high) = (0, moments.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if broken(moments[middle].0).is_some() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let (seq, kind, row, moment) = *moments.get(high)?;
    let witness = broken(seq)?;
    Some(First { kind, row, seq, moment, witness, before: states(history, seq - 1), after: states(history, seq), kinds })
}

impl First<'_> {
    fn object(&self, invariant: &str) -> Value {
        let (rows, row) = (&self.kinds[self.kind], self.row);
        let cells: serde_json::Map<String, Value> = rows.cells(row).map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let object = json!({
            "invariant": invariant,
            "seq": self.seq,
            "row": rows.seq[row],
            "moment": match self.moment {
                Moment::Begins => "row",
                Moment::Returns => "return",
                Moment::Arrives => "fate",
            },
            "kind": rows.kind.name(),
            "cells": cells,
            "witness": self.witness,
            "before": self.before.iter().map(object).collect::<Vec<_>>(),
            "after": self.after.iter().map(object).collect::<Vec<_>>(),
        });
        tagged("bisect", object)
    }

    fn lines(&self, invariant: &str, history: &History, paint: Paint) -> Vec<String> {
        let (rows, row) = (&self.kinds[self.kind], self.row);
        let (kind, seq, what, broken) = (rows.kind.name(), rows.seq[row], self.moment.word(), paint.bad("broken"));
        let mut lines = vec![format!("{invariant} holds until row {}, and is {broken} by {what}{kind} row {seq}:", self.seq)];
        lines.extend([String::new(), rows.line(row)]);
        let messages = self.kinds.iter().find(|rows| rows.kind == Kind::Message);
        let cause = rows.cells(row).find(|(name, _)| *name == "cause").and_then(|(_, id)| id.parse::<u64>().ok());
        let caused = cause.and_then(|id| history.messages.id.iter().position(|known| *known == id)).zip(messages);
        lines.extend(caused.map(|(message, rows)| format!("    caused by {}", rows.line(message).trim_start())));
        lines.push(String::new());
        lines.extend(story(&self.witness, true, paint));
        lines.extend([String::new(), "  the replicas before that event, and after it where that differs:".to_owned()]);
        lines.extend(compared(&self.before, &self.after));
        lines
    }
}

/// The invariant that a file's run is kept for, or the first that it breaks.
fn kept_for(bundle: &Bundle) -> Result<String, Problem> {
    if let Some(symptom) = bundle.symptom.as_ref().filter(|symptom| vopr_checker::InvariantId::parse(&symptom.invariant).is_some()) {
        return Ok(symptom.invariant.clone());
    }
    let verdicts = judge_run(&bundle.history, 0, &Selection::all(), &Budget::default());
    let root = failure(&verdicts).and_then(|failure| failure.findings.into_iter().next());
    root.map(|root| root.invariant.to_owned()).ok_or_else(|| Problem::nothing("no invariant is broken in this run"))
}

fn broken(history: &History, selection: &Selection) -> Option<Witness> {
    let verdicts = judge_run(history, 0, selection, &Budget::default());
    verdicts.verdicts.iter().find_map(|(_, verdict)| Verdict::witness(verdict).cloned())
}

/// What every replica last said of itself up to a position.
fn states(history: &History, last_seq: u64) -> Vec<State> {
    let table = &history.transitions;
    let mut states = vec![State::default(); usize::from(history.runs[0].replicas) + usize::from(history.runs[0].standbys)];
    for row in table.rows_of_run(0).take_while(|row| table.seq[*row] <= last_seq) {
        let Some(state) = states.get_mut(usize::from(table.replica[row])) else { continue };
        let event = table.event.get(row);
        // A vote is about the view voted for.
        if event != TransitionEvent::VoteCast {
            state.view = table.view[row];
        }
        (state.incarnation, state.status) = (table.incarnation[row], table.status.get(row));
        (state.epoch, state.commit) = (table.epoch[row], table.commit[row]);
        let op = table.op.get(row);
        match event {
            TransitionEvent::EntryAppended => state.head = op.unwrap_or(state.head).max(state.head),
            TransitionEvent::EntryTruncated => state.head = op.map_or(state.head, |op| op.saturating_sub(1).min(state.head)),
            TransitionEvent::ViewEntered | TransitionEvent::Restarted => state.head = op.unwrap_or(state.head),
            TransitionEvent::Started => state.head = op.unwrap_or(0),
            TransitionEvent::Applied => state.applied = op.unwrap_or(state.applied),
            TransitionEvent::StateInstalled => (state.head, state.applied) = (state.head.max(state.commit), state.commit),
            TransitionEvent::SessionRegistered => state.sessions += 1,
            TransitionEvent::SessionEvicted => state.sessions = state.sessions.saturating_sub(1),
            _ => {}
        }
        // The memory of what ran there before is gone.
        if matches!(event, TransitionEvent::Started | TransitionEvent::Restarted) {
            (state.applied, state.sessions) = (state.commit, 0);
        }
    }
    states
}

fn object(state: &State) -> serde_json::Value {
    json!({
        "incarnation": state.incarnation,
        "status": state.status.name(),
        "view": state.view,
        "epoch": state.epoch,
        "head": state.head,
        "commit": state.commit,
        "applied": state.applied,
        "sessions": state.sessions,
    })
}

/// A table of states; what changed shows both values.
fn compared(before: &[State], after: &[State]) -> Vec<String> {
    let header =
        ["  replica", "incarnation", "status", "view", "epoch", "head", "commit", "applied", "sessions"].map(str::to_owned).to_vec();
    let values = |state: &State| {
        let numbers = [u64::from(state.epoch), state.head, state.commit, state.applied, state.sessions as u64];
        let mut values = vec![state.incarnation.to_string(), state.status.name().to_owned(), state.view.to_string()];
        values.extend(numbers.map(|number| number.to_string()));
        values
    };
    let row = |(replica, (before, after)): (usize, (&State, &State))| {
        let pairs = values(before).into_iter().zip(values(after));
        let cells = pairs.map(|(before, after)| if before == after { after } else { format!("{before} -> {after}") });
        core::iter::once(format!("  {replica}")).chain(cells).collect()
    };
    table(&core::iter::once(header).chain(before.iter().zip(after).enumerate().map(row)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{Run, TransitionRow};

    #[test]
    fn a_replica_with_a_new_disk_remembers_nothing() {
        let mut history = History::default();
        let row = |seq, incarnation, event, op, commit| TransitionRow {
            seq,
            time_ns: seq,
            incarnation,
            event,
            op,
            commit,
            ..TransitionRow::default()
        };
        history.transitions.push(row(1, 0, TransitionEvent::EntryAppended, Some(1), 0));
        history.transitions.push(row(2, 0, TransitionEvent::Committed, Some(1), 1));
        history.transitions.push(row(3, 0, TransitionEvent::Applied, Some(1), 1));
        history.transitions.push(row(4, 0, TransitionEvent::SessionRegistered, Some(1), 1));
        history.transitions.push(row(5, 1, TransitionEvent::Started, Some(0), 0));
        history.close_run(Run { replicas: 1, ..Run::default() });
        let before = &states(&history, 4)[0];
        assert_eq!((before.head, before.applied, before.sessions), (1, 1, 1));
        let after = &states(&history, 5)[0];
        assert_eq!((after.incarnation, after.head, after.commit, after.applied, after.sessions), (1, 0, 0, 0, 0));
    }
}
