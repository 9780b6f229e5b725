//! Operations of our own runs as transactions: what each read and wrote, in the order of the committed log.
//!
//! Values of additions repeat, and compare-and-sets may fail unseen: where a client never learnt its answer the sequential model says
//! what the log made of the request.

use crate::index::RunIndex;
use crate::models::store::Store;
use crate::replay::returned;
use crate::transactions::{Outcome, Transactions};
use crate::verdict::Verdict;
use std::collections::BTreeMap;
use vopr_schema::column::Niche;
use vopr_schema::{Function, Operations};

/// The transactions of a run; none when it has no transaction, or nothing was applied.
///
/// # Errors
/// When it is not known what stands in the log.
pub fn transactions(index: &RunIndex<'_>) -> Result<Option<Transactions>, Box<Verdict>> {
    let (table, journal) = (index.operations(), index.journal());
    let rows = index.operation_rows();
    let wanted = Function::Transaction as u8;
    if journal.applied() == 0 || !table.function.codes[rows.clone()].contains(&wanted) {
        return Ok(None);
    }
    if index.diverged().is_some() || !journal.strangers().is_empty() {
        return Err(Box::new(Verdict::unknown("what stands in the log is not known: see vsr_agreement and data_correctness")));
    }
    let answers = unseen_answers(index)?;
    let written = written_keys(table, rows.clone());
    let mut history = Transactions::default();
    for row in rows.filter(|row| is_about_keys(table.function.get(*row))) {
        let outcome = match table.outcome.get(row) {
            vopr_schema::Outcome::Ok => Outcome::Committed,
            vopr_schema::Outcome::Error => Outcome::Aborted,
            // What no replica ever applied was not committed, and nobody may see it.
            vopr_schema::Outcome::Unknown if journal.place_of(row).is_none() => Outcome::Aborted,
            vopr_schema::Outcome::Unknown => Outcome::Unknown,
        };
        history.begin(u64::from(table.tenant[row]) << 32 | u64::from(table.client[row]), table.seq[row]);
        history.label(table.seq[row]);
        if let Some(place) = journal.place_of(row) {
            history.position(place);
        } else if outcome == Outcome::Committed && !crate::index::is_read(index, row) {
            let why = format!("operation row {} was acknowledged, but is not in the log: see durability_of_acknowledged", table.seq[row]);
            return Err(Box::new(Verdict::unknown(why)));
        }
        steps(&mut history, table, row, &written, answers.get(&row).copied());
        history.end(returned(index, row), outcome);
    }
    Ok(Some(history))
}

fn is_about_keys(function: Function) -> bool {
    matches!(
        function,
        Function::Write | Function::Read | Function::ReadModifyWrite | Function::CompareAndSet | Function::Scan | Function::Transaction
    )
}

/// Keys that anybody writes, sorted: of a scan only these are looked at.
fn written_keys(table: &Operations, rows: core::ops::Range<usize>) -> Vec<u64> {
    let mut keys = Vec::new();
    for row in rows {
        if table.function.get(row) == Function::ReadModifyWrite {
            keys.push(table.key[row]);
        }
        crate::writers::written(table, row, |key, _| keys.push(key));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// By row, what additions and compare-and-sets were answered that nobody heard.
fn unseen_answers(index: &RunIndex<'_>) -> Result<BTreeMap<usize, u64>, Box<Verdict>> {
    let table = index.operations();
    let unknown = vopr_schema::Outcome::Unknown as u8;
    let is_unseen = |row: usize| {
        table.outcome.codes[row] == unknown && matches!(table.function.get(row), Function::ReadModifyWrite | Function::CompareAndSet)
    };
    let mut answers = BTreeMap::new();
    if !index.operation_rows().any(is_unseen) {
        return Ok(answers);
    }
    let Some(layout) = index.layout() else {
        return Err(Box::new(Verdict::unknown("the run's options do not say who owns which keys (cluster.keys_per_tenant and so on)")));
    };
    let mut store = Store::new(layout);
    let _: Result<(), ()> = index.journal().replay(|_, row| {
        if let Ok(told) = store.execute(table, row)
            && is_unseen(row)
            && let Some(result) = told.result
        {
            answers.entry(row).or_insert(result);
        }
        Ok(())
    });
    Ok(answers)
}

/// What one operation read and wrote.
fn steps(history: &mut Transactions, table: &Operations, row: usize, written: &[u64], unseen: Option<u64>) {
    let (key, value) = (table.key[row], table.value.get(row));
    let result = table.result.get(row).or(unseen);
    match table.function.get(row) {
        Function::Write => history.write(key, value.unwrap_or(u64::NONE)),
        Function::Read => history.read(key, result),
        Function::ReadModifyWrite => {
            let Some((sum, added)) = result.zip(value) else { return };
            // Nothing and a zero cannot be told apart by what was added to them.
            history.read(key, Some(sum.wrapping_sub(added)).filter(|before| *before != 0));
            history.write(key, sum);
        }
        Function::CompareAndSet if result == Some(1) => {
            history.read(key, table.expected.get(row));
            history.write(key, value.unwrap_or(u64::NONE));
        }
        Function::Scan => {
            let last = table.key_last.get(row).unwrap_or(0);
            let shown: BTreeMap<u64, u64> =
                table.results.get(row).into_iter().flatten().map(|pair| (pair.key, pair.value.unwrap_or(u64::NONE))).collect();
            let first = written.partition_point(|other| *other < key);
            let within = written[first..].iter().copied().take_while(|other| *other <= last);
            within.filter(|other| !shown.contains_key(other)).for_each(|other| history.read(other, None));
            for (key, value) in shown {
                history.read(key, Some(value));
            }
        }
        Function::Transaction => {
            for pair in table.results.get(row).into_iter().flatten() {
                history.read(pair.key, pair.value);
            }
            for pair in table.writes.get(row).into_iter().flatten() {
                history.write(pair.key, pair.value.unwrap_or(u64::NONE));
            }
        }
        _ => {}
    }
}
