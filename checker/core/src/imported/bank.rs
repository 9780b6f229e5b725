//! Banks of other systems: accounts, transfers between them, and reads of all balances at once.
//!
//! Two things are made of the same rows: snapshots that must add up, which needs one pass, and one object whose calls must have an
//! order. What accounts hold at first is told by the user, or follows from the first snapshot.

use super::calls::foreign;
use super::{Imported, Object, Problem};
use crate::import::edn::{Edn, Reader};
use crate::index::RunIndex;
use crate::linearize::any::History;
use crate::linearize::{Call, NEVER};
use crate::models::ledger::{Ledger, LedgerAction};
use crate::transactions::bank::{Bank, Snapshot, Transfer};
use std::collections::{BTreeMap, BTreeSet};
use vopr_schema::{Function, Outcome};

/// Transfers that may have taken effect before the first snapshot ended; with more of them the start is not guessed.
const EARLY_TRANSFERS_MAX: usize = 10;

/// How far accounts that may be overdrawn can be: far enough that no transfer of a history that is judged comes there.
const CREDIT: u64 = 1 << 62;

/// Balances and sums of transfers stay below this, or nothing is judged: nothing wraps around then.
const LIMIT: i128 = 1 << 60;

/// What the user said that accounts hold at first.
enum Told {
    /// Nothing.
    Nothing,
    /// All accounts the same.
    Each(i64),
    /// The accounts that there are, and what each of them holds.
    Accounts(BTreeMap<u64, i64>),
}

fn told(imported: &Imported) -> Told {
    let Some(initial) = imported.initial else { return Told::Nothing };
    if let Some(each) = imported.integer(initial) {
        return Told::Each(each);
    }
    match imported.interned(initial).map(|text| Reader::new(text).form()) {
        Some(Ok(Some(Edn::Map(pairs)))) => {
            let known = |(account, balance): &(Edn, Edn)| Some((imported.number(account)?, balance.integer()?));
            Told::Accounts(pairs.iter().filter_map(known).collect())
        }
        _ => Told::Nothing,
    }
}

/// The snapshots and transfers of a run, with the row of each snapshot.
///
/// # Errors
/// A row that cannot be judged.
pub fn bank(index: &RunIndex<'_>, imported: &Imported) -> Result<(Bank, Vec<usize>), Problem> {
    let table = index.operations();
    let mut bank = Bank { negative_allowed: imported.negative_balances, total: imported.total.map(i128::from), ..Bank::default() };
    let mut rows = Vec::new();
    for row in index.operation_rows() {
        let outcome = table.outcome.get(row);
        let unknown = outcome == Outcome::Unknown;
        let complete = if unknown { NEVER } else { table.return_seq.0[row].min(NEVER - 1) };
        match table.function.get(row) {
            Function::Transfer => bank.transfers.push(Transfer {
                invoke: table.seq[row],
                complete,
                outcome: match outcome {
                    Outcome::Ok => crate::transactions::Outcome::Committed,
                    Outcome::Error => crate::transactions::Outcome::Aborted,
                    Outcome::Unknown => crate::transactions::Outcome::Unknown,
                },
                from: table.key[row],
                to: table.key_last.get(row).ok_or_else(|| lacks(row))?,
                amount: i128::from(table.value.get(row).ok_or_else(|| lacks(row))?),
            }),
            Function::Balance if outcome != Outcome::Ok => {}
            Function::Balance => {
                let Some(pairs) = table.results.get(row) else { continue };
                let mut balances = Vec::new();
                for pair in pairs {
                    let balance = pair.value.map(|value| whole(imported, row, value)).transpose()?;
                    balances.push((pair.key, balance.map(i128::from)));
                }
                bank.snapshots.push(Snapshot { invoke: table.seq[row], complete, label: table.seq[row], balances });
                rows.push(row);
            }
            _ => return Err(foreign(row)),
        }
    }
    match told(imported) {
        Told::Nothing => {}
        Told::Each(each) => {
            let accounts = bank.snapshots.first().into_iter().flat_map(|first| &first.balances);
            bank.initial = Some(accounts.map(|(account, _)| (*account, i128::from(each))).collect());
        }
        Told::Accounts(accounts) => {
            bank.accounts = Some(accounts.keys().copied().collect());
            bank.initial = Some(accounts.into_iter().map(|(account, balance)| (account, i128::from(balance))).collect());
        }
    }
    if let (None, Some(initial)) = (bank.total, &bank.initial) {
        bank.total = Some(initial.values().sum());
    }
    Ok((bank, rows))
}

fn lacks(row: usize) -> Problem {
    Problem::Unknown(row, "lacks its value or its account".to_owned())
}

fn whole(imported: &Imported, row: usize, number: u64) -> Result<i64, Problem> {
    imported.integer(number).ok_or_else(|| Problem::Unknown(row, "is about something that is no whole number".to_owned()))
}

/// A call with the sum or the balances as they are.
struct Plain {
    row: usize,
    invoke: u64,
    returned: u64,
    what: What,
}

enum What {
    Transfer { from: usize, to: usize, amount: u64, unknown: bool },
    Snapshot(Vec<i64>),
}

/// The bank as one object.
///
/// # Errors
/// A row that refutes the run by itself, or that cannot be judged.
pub(super) fn object(index: &RunIndex<'_>, imported: &Imported) -> Result<Object, Problem> {
    let first_row = index.operation_rows().start;
    let told = told(imported);
    let accounts = accounts(index, &told)?;
    let calls = calls(index, imported, &accounts)?;
    let credit = if imported.negative_balances { CREDIT } else { 0 };
    let starts = match told {
        Told::Each(each) => vec![vec![i128::from(each); accounts.len()]],
        Told::Accounts(told) => vec![accounts.iter().map(|account| told.get(account).copied().unwrap_or(0).into()).collect()],
        Told::Nothing => starts(&calls, accounts.len()).map_err(|why| Problem::Unknown(first_row, why))?,
    };
    let kept = |balance: &i128| u64::try_from(balance + i128::from(credit)).ok();
    let known: Vec<Vec<u64>> = starts.iter().filter_map(|balances| balances.iter().map(kept).collect()).collect();
    if known.is_empty() {
        let why = "begins with balances below zero, though no account may be overdrawn";
        return Err(Problem::Unknown(first_row, why.to_owned()));
    }
    let rows = calls.iter().map(|call| call.row).collect();
    let calls: Vec<Call<LedgerAction>> = calls.iter().map(|call| call.of_ledger(credit)).collect();
    let ledger = |balances| History::Bank(Ledger { credit, ..Ledger::new(accounts.clone(), balances) }, calls.clone());
    let starts = known.into_iter().map(ledger).collect();
    Ok(Object { name: "the bank".to_owned(), kind: "accounts", keys: accounts.clone(), rows, starts, only_proves: false })
}

/// The accounts, in order: those that the user named, or those that operations name.
fn accounts(index: &RunIndex<'_>, told: &Told) -> Result<Vec<u64>, Problem> {
    if let Told::Accounts(accounts) = told {
        return Ok(accounts.keys().copied().collect());
    }
    let table = index.operations();
    let mut accounts = BTreeSet::new();
    for row in index.operation_rows() {
        match table.function.get(row) {
            // What was refused may have been so because there is no such account.
            _ if table.outcome.get(row) == Outcome::Error => {}
            Function::Transfer => accounts.extend([Some(table.key[row]), table.key_last.get(row)].into_iter().flatten()),
            Function::Balance => accounts.extend(table.results.get(row).into_iter().flatten().map(|pair| pair.key)),
            _ => return Err(foreign(row)),
        }
    }
    Ok(accounts.into_iter().collect())
}

fn calls(index: &RunIndex<'_>, imported: &Imported, accounts: &[u64]) -> Result<Vec<Plain>, Problem> {
    let table = index.operations();
    let mut calls = Vec::new();
    let mut moved = 0_i128;
    for row in index.operation_rows() {
        let outcome = table.outcome.get(row);
        if outcome == Outcome::Error {
            continue;
        }
        let unknown = outcome == Outcome::Unknown;
        let what = match table.function.get(row) {
            Function::Transfer => {
                let amount = table.value.get(row).ok_or_else(|| lacks(row))?;
                moved += i128::from(amount);
                let slot = |account: u64| accounts.binary_search(&account);
                match (slot(table.key[row]), slot(table.key_last.get(row).ok_or_else(|| lacks(row))?)) {
                    (Ok(from), Ok(to)) => What::Transfer { from, to, amount, unknown },
                    // Nobody knows whether it was refused.
                    _ if unknown => continue,
                    _ => return Err(Problem::Impossible(row, "there is no such account".to_owned())),
                }
            }
            Function::Balance => match table.results.get(row) {
                Some(pairs) if !unknown => What::Snapshot(snapshot(imported, row, pairs.map(|pair| (pair.key, pair.value)), accounts)?),
                _ => continue,
            },
            _ => return Err(foreign(row)),
        };
        if moved >= LIMIT {
            return Err(Problem::Unknown(row, "makes all transfers together too large to be judged (2^60)".to_owned()));
        }
        let returned = if unknown { NEVER } else { table.return_seq.0[row].min(NEVER - 1) };
        calls.push(Plain { row, invoke: table.seq[row], returned, what });
    }
    Ok(calls)
}

/// The balances that a snapshot shows, in the order of the accounts.
fn snapshot(
    imported: &Imported,
    row: usize,
    pairs: impl Iterator<Item = (u64, Option<u64>)>,
    accounts: &[u64],
) -> Result<Vec<i64>, Problem> {
    let mut seen = Vec::with_capacity(accounts.len());
    let mut expected = accounts.iter();
    for (account, balance) in pairs {
        match balance {
            Some(balance) if expected.next() == Some(&account) => seen.push(whole(imported, row, balance)?),
            _ => return Err(Problem::Unknown(row, "does not hold the balances of all accounts".to_owned())),
        }
    }
    if seen.len() != accounts.len() {
        return Err(Problem::Unknown(row, "does not hold the balances of all accounts".to_owned()));
    }
    if seen.iter().any(|balance| *balance < 0) && !imported.negative_balances {
        return Err(Problem::Impossible(row, "a balance is below zero, though no transfer may overdraw".to_owned()));
    }
    if seen.iter().any(|balance| i128::from(*balance).abs() >= LIMIT) {
        return Err(Problem::Unknown(row, "shows a balance too large to be judged (2^60)".to_owned()));
    }
    Ok(seen)
}

impl Plain {
    /// The call as the ledger with this credit takes it.
    fn of_ledger(&self, credit: u64) -> Call<LedgerAction> {
        let slot = |slot: usize| u32::try_from(slot).unwrap_or(u32::MAX);
        let action = match &self.what {
            What::Transfer { from, to, amount, unknown } => {
                LedgerAction::Transfer { from: slot(*from), to: slot(*to), amount: *amount, refused: (!unknown).then_some(false) }
            }
            What::Snapshot(seen) => {
                LedgerAction::Balance { first: 0, seen: seen.iter().map(|balance| credit.wrapping_add_signed(*balance)).collect() }
            }
        };
        Call { invoke: self.invoke, returned: self.returned, action }
    }
}

/// What accounts may have held at first: the first snapshot, without some of the transfers invoked before it ended.
fn starts(calls: &[Plain], accounts: usize) -> Result<Vec<Vec<i128>>, String> {
    let snapshots = calls.iter().filter_map(|call| match &call.what {
        What::Snapshot(seen) => Some((call.returned, seen)),
        What::Transfer { .. } => None,
    });
    let Some((returned, seen)) = snapshots.min_by_key(|(returned, _)| *returned) else {
        // Without any snapshot nothing can contradict transfers between accounts that hold enough.
        return Ok(vec![vec![LIMIT; accounts]]);
    };
    let early: Vec<(usize, usize, i128)> = calls
        .iter()
        .filter(|call| call.invoke <= returned)
        .filter_map(|call| match call.what {
            What::Transfer { from, to, amount, .. } => Some((from, to, i128::from(amount))),
            What::Snapshot(_) => None,
        })
        .collect();
    if early.len() > EARLY_TRANSFERS_MAX {
        return Err(format!("is not known: {} transfers began before the first snapshot ended; say --initial", early.len()));
    }
    let mut starts = BTreeSet::new();
    for subset in 0..1_u32 << early.len() {
        let mut balances: Vec<i128> = seen.iter().copied().map(i128::from).collect();
        for (place, &(from, to, amount)) in early.iter().enumerate() {
            if subset >> place & 1 == 1 {
                balances[to] -= amount;
                balances[from] += amount;
            }
        }
        starts.insert(balances);
    }
    Ok(starts.into_iter().collect())
}

#[cfg(test)]
mod tests;
