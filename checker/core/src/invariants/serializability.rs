//! `serializability`: transactions over several keys happened one after the other, in an order that respects real time.
//!
//! A transaction that sees half of another one, or two that each miss what the other wrote, break what the words "at once" promise;
//! the dependency graph shows it as a cycle with a standard name, and shows also which weaker level still holds.
//!
//! **Formally.** (Adya, MIT 1999; Kingsbury & Alvaro, VLDB 2020.) Transactions are operations of function `transaction`, and all others
//! on the same keys, each a transaction of one step. In a run of our own the versions of a key follow the order of the committed log;
//! in an imported one their order is inferred from what was read. ww leads from the writer of a version to that of the next, wr from a
//! writer to whoever read its version, rw from a reader to the writer of the next version; process order and real time add edges too.
//! No read is aborted (G1a), intermediate (G1b), of the future or of nobody; no update is lost; and the graph has no cycle.
//!
//! **Evidence.** run: options (`cluster`: who owns which keys; `import`); transition: event, op, tenant, client, session, request
//! number; operation: what was asked and answered, outcome, `return_seq`, op.
//!
//! **Deliberately not checked.** Streams and accounts (`linearizability`); compare-and-sets that failed, which say only what a key did
//! not hold; whether the log's order is what a quorum agreed on (`vsr_agreement`). Where imported registers leave the order of versions
//! open, an order that explains all reads is looked for, and where none is found the verdict is unknown.

mod own;
#[cfg(test)]
mod tests;

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::REPLAYED;
use crate::transactions::{Analysis, Anomaly, AnomalyKind, Level, Micro, Options, Outcome, Standing, Transactions, analyze};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use vopr_schema::Kind;

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "serializability",
    version: 2,
    category: Category::Client,
    reads: &[Reads { kind: Kind::Run, columns: &["options"] }, APPLIED_REQUESTS, REPLAYED],
    statement: "transactions over several keys have a serial order that respects real time: no G0, G1, lost update, or cycle",
    because_of: &["vsr_agreement", "idempotency", "durability_of_acknowledged", "tenant_isolation", "data_correctness"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no transaction read anything", || judge(index, meter))
}

fn judge(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    if let Some(imported) = index.imported() {
        if !imported.model.is_transactional() {
            let why = format!("the model of the run has no transactions ({})", imported.model.name());
            return Err(Box::new(Verdict::not_applicable(why)));
        }
        // Whoever wrote what no transaction of the file wrote may have done so before the file begins.
        let options = Options { key_order: imported.register_order, ..Options::default() };
        return decide(index, &crate::imported::transactions(index, imported), options, meter);
    }
    let Some(history) = own::transactions(index)? else { return Ok(0) };
    decide(index, &history, Options { unseen_writers: false, ..Options::default() }, meter)
}

/// What an analysis says of strict serializability.
fn decide(index: &RunIndex<'_>, history: &Transactions, options: Options, meter: &Meter) -> Decision {
    let analysis = analyze(history, &options, meter)?;
    match analysis.standing(Level::StrictSerializable) {
        Standing::Holds => Ok(analysis.facts),
        Standing::Refuted => match analysis.worst() {
            Some(worst) => Err(witness(index, history, &analysis, worst).into()),
            None => Err(Box::new(Verdict::unknown("a level is refuted by no anomaly"))),
        },
        Standing::Undecided if analysis.facts == 0 && !read_anything(history) => Ok(0),
        Standing::Undecided => {
            Err(Box::new(Verdict::unknown(format!("nothing refutes strict serializability, but {}", analysis.doubts.join("; ")))))
        }
    }
}

/// Whether a committed transaction reads.
fn read_anything(history: &Transactions) -> bool {
    let committed = (0..history.len()).filter(|row| history.transactions()[*row].outcome == Outcome::Committed);
    committed.flat_map(|row| history.micro(row)).any(|micro| !matches!(micro, Micro::Append { .. } | Micro::Write { .. }))
}

fn witness(index: &RunIndex<'_>, history: &Transactions, analysis: &Analysis, anomaly: &Anomaly) -> Witness {
    let names = |levels: Vec<Level>| match levels.iter().map(|level| level.name()).collect::<Vec<_>>() {
        names if names.is_empty() => "nothing".to_owned(),
        names => names.join(" and "),
    };
    let others: Vec<&str> = analysis.anomalies.iter().filter(|other| other.kind != anomaly.kind).map(|other| other.kind.name()).collect();
    let others = if others.is_empty() { String::new() } else { format!(" (also found: {})", others.join(", ")) };
    let what = match anomaly.kind {
        AnomalyKind::Cycle(..) => {
            format!("each of {} transactions must precede the next, and the last the first", anomaly.transactions.len())
        }
        _ => anomaly.summary.clone(),
    };
    let (refuted, holds) = (names(analysis.refuted()), names(analysis.strongest()));
    let summary = format!("{}: {what}{others}; not {refuted}; {holds} holds", anomaly.kind);
    let steps = anomaly.transactions.iter().enumerate().filter_map(|(place, transaction)| {
        let reason = anomaly.reasons.get(place).map(|reason| format!("; {reason}")).unwrap_or_default();
        step(index, history, *transaction, &reason)
    });
    Witness::new(anomaly.kind.name(), summary).steps(steps)
}

fn step(index: &RunIndex<'_>, history: &Transactions, transaction: usize, reason: &str) -> Option<Step> {
    let label = history.transactions()[transaction].label;
    let rows = index.operation_rows();
    let offset = index.operations().seq[rows.clone()].partition_point(|seq| *seq < label);
    let row = rows.clone().nth(offset)?;
    Some(index.operation_step(row, format!("{}{reason}", history.words(transaction))))
}
