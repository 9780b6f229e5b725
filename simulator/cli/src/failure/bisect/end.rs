//! What `vopr bisect` says of a violation that only the end of a run shows: where the run stopped getting on.
//!
//! Whatever is missing at the end is missing in every beginning too, so halving the run would find a moment at which it was not yet due.

use super::{State, compared, object, states};
use crate::output::tagged;
use crate::rows::{in_order, rows};
use serde_json::{Value, json};
use vopr_check::output::violation::{seconds, story};
use vopr_check::terminal::Paint;
use vopr_checker::{Category, InvariantId, Witness};
use vopr_schema::{Dictionary, History, Kind, Outcome, TransitionEvent};

/// How a run stands at its end, and at the row from which on something is missing.
pub(super) struct End {
    witness: Witness,
    since: Option<Since>,
    before: Vec<State>,
    after: Vec<State>,
}

/// The row from which on something is missing.
struct Since {
    seq: u64,
    kind: Kind,
    time_ns: u64,
    /// Whether it is the last thing that the cluster achieved, and not a row of the witness.
    is_progress: bool,
}

impl End {
    pub(super) fn of(history: &History, invariant: &str, witness: Witness) -> Self {
        let is_liveness = InvariantId::parse(invariant).is_some_and(|id| id.invariant().category == Category::Liveness);
        let since = if is_liveness { last_progress(history) } else { first_step(&witness) };
        let (before, after) = (states(history, since.as_ref().map_or(0, |since| since.seq)), states(history, u64::MAX));
        Self { witness, since, before, after }
    }

    pub(super) fn object(&self, invariant: &str) -> Value {
        let since = self.since.as_ref();
        let row = |since: &Since| {
            json!({
                "kind": since.kind.name(),
                "seq": since.seq,
                "time_ns": since.time_ns,
                "is_last_progress": since.is_progress,
            })
        };
        let found = json!({
            "invariant": invariant,
            "seq": null,
            "sentence": sentence(invariant),
            "since": since.map(row),
            "witness": self.witness,
            "before": self.before.iter().map(object).collect::<Vec<_>>(),
            "after": self.after.iter().map(object).collect::<Vec<_>>(),
        });
        tagged("bisect", found)
    }

    pub(super) fn lines(&self, invariant: &str, history: &History, paint: Paint) -> Vec<String> {
        let mut lines = vec![sentence(invariant), String::new()];
        lines.extend(story(&self.witness, true, paint));
        let Some(since) = &self.since else { return lines };
        let kinds = rows((history, 0));
        let found = in_order(&kinds).into_iter().find(|(place, row)| kinds[*place].kind == since.kind && since.is_row(history, *row));
        lines.push(String::new());
        if since.is_progress {
            let left_ns = history.runs[0].end_time_ns.saturating_sub(since.time_ns);
            let text = format!("  nothing was committed and no operation returned in the {} after row {}:", seconds(left_ns), since.seq);
            lines.push(text);
        } else {
            lines.push("  that row:".to_owned());
        }
        lines.extend(found.map(|(place, row)| kinds[place].line(row)));
        lines.extend([String::new(), "  the replicas then, and at the end where that differs:".to_owned()]);
        lines.extend(compared(&self.before, &self.after));
        lines
    }
}

impl Since {
    /// Whether a row of its kind is it, or became complete there.
    fn is_row(&self, history: &History, row: usize) -> bool {
        match self.kind {
            Kind::Operation => {
                let table = &history.operations;
                table.seq[row] == self.seq || table.return_seq.get(row) == Some(self.seq)
            }
            Kind::Message => history.messages.seq[row] == self.seq,
            Kind::Transition => history.transitions.seq[row] == self.seq,
            Kind::Storage => history.storage.seq[row] == self.seq,
            Kind::Fault => history.faults.seq[row] == self.seq,
            Kind::Run => false,
        }
    }
}

fn sentence(invariant: &str) -> String {
    format!("{invariant} is broken by how the run ends, not by one event: what is missing at the end is missing in every beginning, too")
}

fn first_step(witness: &Witness) -> Option<Since> {
    let step = witness.steps.first()?;
    Some(Since { seq: step.seq, kind: step.kind, time_ns: step.time_ns.unwrap_or(0), is_progress: false })
}

/// The last thing that the cluster achieved: an op that no replica had known to be committed, or an operation that returned.
fn last_progress(history: &History) -> Option<Since> {
    let mut last: Option<Since> = None;
    let table = &history.transitions;
    let mut commit = 0;
    for row in table.rows_of_run(0).filter(|row| table.event.get(*row) == TransitionEvent::Committed) {
        if table.commit[row] > commit {
            commit = table.commit[row];
            last = Some(Since { seq: table.seq[row], kind: Kind::Transition, time_ns: table.time_ns[row], is_progress: true });
        }
    }
    let table = &history.operations;
    for row in table.rows_of_run(0).filter(|row| table.outcome.get(*row) != Outcome::Unknown) {
        let Some((seq, time_ns)) = table.return_seq.get(row).zip(table.return_time_ns.get(row)) else { continue };
        if last.as_ref().is_none_or(|last| last.seq < seq) {
            last = Some(Since { seq, kind: Kind::Operation, time_ns, is_progress: true });
        }
    }
    last
}
