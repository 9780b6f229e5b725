//! One operation row as an action of a model, and the answers that no execution can give.

use crate::index::RunIndex;
use crate::models::register::RegisterAction;
use crate::models::stream::{AppendAnswer, StreamAction};
use vopr_schema::{Function, Outcome};

/// Why a run cannot be split into objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The row lacks an argument, or names a function of a newer version.
    Inexecutable {
        /// The row.
        row: usize,
    },
    /// The answer is impossible whatever else happened.
    Impossible {
        /// The row.
        row: usize,
        /// Why.
        why: &'static str,
    },
    /// Nothing says what the accounts hold at first.
    NoInitialBalance {
        /// An operation on the ledger.
        row: usize,
    },
}

/// Looks at one row on its own.
///
/// # Errors
/// What is wrong with it.
pub fn check(index: &RunIndex<'_>, row: usize) -> Result<(), Problem> {
    let table = index.operations();
    let needs = |there: bool| if there { Ok(()) } else { Err(Problem::Inexecutable { row }) };
    let possible = |possible: bool, why| if possible { Ok(()) } else { Err(Problem::Impossible { row, why }) };
    let ok = table.outcome.get(row) == Outcome::Ok;
    let result = table.result.get(row);
    match table.function.get(row) {
        Function::Write => needs(table.value.get(row).is_some()),
        Function::Read | Function::StreamCreate => Ok(()),
        Function::ReadModifyWrite => {
            needs(table.value.get(row).is_some())?;
            possible(!ok || result.is_some(), "an addition must answer with the sum")
        }
        Function::CompareAndSet => {
            needs(table.value.get(row).is_some())?;
            possible(!ok || matches!(result, Some(0 | 1)), "a compare-and-set must answer 0 or 1")
        }
        Function::StreamAppend => {
            needs(table.value.get(row).is_some())?;
            possible(!ok || result.is_some(), "an append must answer with an offset")
        }
        Function::StreamRead => {
            needs(table.value.get(row).is_some() && table.expected.get(row).is_some())?;
            let first = table.value.get(row).unwrap_or(0);
            let mut pairs = table.results.get(row).into_iter().flatten().zip(0..);
            let follow = pairs.all(|(pair, nth)| first.checked_add(nth) == Some(pair.key) && pair.value.is_some());
            possible(follow, "offsets must follow one another")
        }
        Function::Scan => {
            needs(table.key_last.get(row).is_some())?;
            possible(in_range(index, row), "a scan must answer with present keys of its range, in order")
        }
        Function::Balance => {
            needs(table.key_last.get(row).is_some())?;
            known_ledger(index, row)?;
            possible(in_range(index, row) && all_accounts(index, row), "a snapshot must hold exactly the accounts of its range, in order")
        }
        Function::Transfer => {
            needs(table.key_last.get(row).is_some() && table.value.get(row).is_some())?;
            known_ledger(index, row)?;
            possible(!ok || table.key_last.get(row) != Some(table.key[row]), "a transfer to the same account must be refused")
        }
        Function::Transaction => {
            needs(table.writes.get(row).into_iter().flatten().all(|pair| pair.value.is_some()))?;
            possible(!ok || reads_answered(index, row), "a transaction must answer with the keys that it read, in order")
        }
        _ => Err(Problem::Inexecutable { row }),
    }
}

fn known_ledger(index: &RunIndex<'_>, row: usize) -> Result<(), Problem> {
    index.layout().map(|_| ()).ok_or(Problem::NoInitialBalance { row })
}

/// Whether the keys of an answer rise within the range asked for, each with a value.
fn in_range(index: &RunIndex<'_>, row: usize) -> bool {
    let table = index.operations();
    let (mut next, last) = (Some(table.key[row]), table.key_last.get(row).unwrap_or(0));
    table.results.get(row).into_iter().flatten().all(|pair| {
        let rises = next.is_some_and(|next| next <= pair.key && pair.key <= last);
        next = pair.key.checked_add(1);
        rises && pair.value.is_some()
    })
}

/// Whether a snapshot holds all accounts of its range; their keys rise, so counting is enough.
fn all_accounts(index: &RunIndex<'_>, row: usize) -> bool {
    let table = index.operations();
    let Some((layout, (first, _))) = index.layout().and_then(|layout| Some((layout, layout.range(table.tenant[row])?))) else {
        return false;
    };
    let end = (first + layout.accounts_per_tenant).min(table.key_last.get(row).unwrap_or(0).saturating_add(1));
    let count = end.saturating_sub(table.key[row].max(first));
    let mut pairs = table.results.get(row).into_iter().flatten();
    let shown = pairs.clone().count() as u64;
    shown == count && pairs.all(|pair| layout.is_account(pair.key) && layout.owns(table.tenant[row], pair.key))
}

fn reads_answered(index: &RunIndex<'_>, row: usize) -> bool {
    let table = index.operations();
    let keys = |list: &vopr_schema::column::PairLists| list.get(row).into_iter().flatten().map(|pair| pair.key).collect::<Vec<_>>();
    let pairs: Vec<_> = table.results.get(row).into_iter().flatten().collect();
    let same_twice = pairs.iter().all(|pair| pairs.iter().all(|other| other.key != pair.key || other.value == pair.value));
    same_twice && keys(&table.reads) == keys(&table.results)
}

/// What an operation that passed [`check`] did to one key that it touches.
///
/// # Panics
/// When it did not pass.
#[must_use]
pub fn register(index: &RunIndex<'_>, row: usize, key: u64) -> RegisterAction {
    const CHECKED: &str = "arguments are checked before";
    let table = index.operations();
    let answered = table.outcome.get(row) == Outcome::Ok;
    let result = table.result.get(row).filter(|_| answered);
    let told = || table.results.get(row).into_iter().flatten().find(|pair| pair.key == key);
    match table.function.get(row) {
        Function::Write => RegisterAction::Write { value: table.value.get(row).expect(CHECKED) },
        Function::ReadModifyWrite => RegisterAction::Add { amount: table.value.get(row).expect(CHECKED), sum: result },
        Function::CompareAndSet => RegisterAction::CompareAndSet {
            expected: table.expected.get(row),
            value: table.value.get(row).expect(CHECKED),
            set: result.map(|result| result == 1),
        },
        Function::Scan => RegisterAction::Read { seen: told().and_then(|pair| pair.value) },
        Function::Transaction => {
            let written = table.writes.get(row).into_iter().flatten().filter(|pair| pair.key == key).last().and_then(|pair| pair.value);
            let read = told().filter(|_| answered);
            match (read, written) {
                (Some(pair), Some(value)) => RegisterAction::CompareAndSet { expected: pair.value, value, set: Some(true) },
                (None, Some(value)) => RegisterAction::Write { value },
                (read, None) => RegisterAction::Read { seen: read.and_then(|pair| pair.value) },
            }
        }
        _ => RegisterAction::Read { seen: result },
    }
}

/// What an operation that passed [`check`] did to its stream.
#[must_use]
pub fn stream(index: &RunIndex<'_>, row: usize) -> StreamAction {
    let table = index.operations();
    let outcome = table.outcome.get(row);
    let value = table.value.get(row).unwrap_or(0);
    match table.function.get(row) {
        Function::StreamCreate => StreamAction::Create { refused: (outcome != Outcome::Unknown).then_some(outcome == Outcome::Error) },
        Function::StreamAppend => {
            let answer = match outcome {
                Outcome::Unknown => AppendAnswer::Unknown,
                Outcome::Error => AppendAnswer::Refused,
                Outcome::Ok => AppendAnswer::At(table.result.get(row).unwrap_or(u64::MAX)),
            };
            StreamAction::Append { value, answer }
        }
        _ => {
            let pairs = table.results.get(row).into_iter().flatten();
            let seen = (outcome == Outcome::Ok).then(|| pairs.map(|pair| pair.value.unwrap_or(0)).collect());
            StreamAction::Read { offset: value, count: table.expected.get(row).unwrap_or(0), seen }
        }
    }
}
