//! Bank histories: transfers between accounts and snapshots of all of them (the bank test of Jepsen).
//!
//! Whoever reads all accounts at once must see the same total every time; that, and what transfers before and during a snapshot
//! can have made of each balance, is checked without any order of the transfers.

use super::Outcome;
use std::collections::BTreeMap;

/// A bank's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bank {
    /// The accounts that there are; none if not known: then those of the first snapshot.
    pub accounts: Option<Vec<u64>>,
    /// The sum of all balances; none if not known: then that of the first snapshot.
    pub total: Option<i128>,
    /// What each account held before the first transfer, if known: then each balance is compared with what transfers can have made
    /// of it.
    pub initial: Option<BTreeMap<u64, i128>>,
    /// Whether a balance may fall below zero.
    pub negative_allowed: bool,
    /// Snapshots that were answered.
    pub snapshots: Vec<Snapshot>,
    /// Transfers, whatever became of them.
    pub transfers: Vec<Transfer>,
}

/// A snapshot of all accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was asked for.
    pub invoke: u64,
    /// When it was answered.
    pub complete: u64,
    /// Where it stands in its source.
    pub label: u64,
    /// Account and balance; a balance may be missing (`nil`).
    pub balances: Vec<(u64, Option<i128>)>,
}

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// When it was asked for.
    pub invoke: u64,
    /// When it was answered; [`super::NEVER`] when its outcome is unknown.
    pub complete: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Account that pays.
    pub from: u64,
    /// Account that receives.
    pub to: u64,
    /// How much.
    pub amount: i128,
}

/// What can be wrong with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BankFault {
    /// An account is there that should not be, or stands twice.
    UnexpectedKey,
    /// An account, or its balance, is missing.
    NilBalance,
    /// The balances do not add up.
    WrongTotal,
    /// A balance is below zero.
    NegativeValue,
    /// No selection of the transfers that may have happened explains a balance: a snapshot of the past, or of what never was.
    ImpossibleBalance,
}

impl BankFault {
    /// Its name, as Jepsen prints it (`impossible-balance` is this checker's own).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnexpectedKey => "unexpected-key",
            Self::NilBalance => "nil-balance",
            Self::WrongTotal => "wrong-total",
            Self::NegativeValue => "negative-value",
            Self::ImpossibleBalance => "impossible-balance",
        }
    }
}

/// A snapshot with a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSnapshot {
    /// What kind of fault.
    pub fault: BankFault,
    /// Which of the snapshots.
    pub snapshot: usize,
    /// What is wrong, in one sentence.
    pub summary: String,
}

impl Bank {
    /// All faults, in the order of the snapshots; empty when nothing is wrong with any.
    #[must_use]
    pub fn faults(&self) -> Vec<BadSnapshot> {
        let Some(first) = self.snapshots.first() else { return Vec::new() };
        let mut accounts = self.accounts.clone().unwrap_or_else(|| first.balances.iter().map(|(account, _)| *account).collect());
        accounts.sort_unstable();
        accounts.dedup();
        let total = self.total.unwrap_or_else(|| sum(first));
        let flows = self.initial.as_ref().map(|initial| Flows::new(initial, &self.transfers));
        let mut faults = Vec::new();
        for (place, snapshot) in self.snapshots.iter().enumerate() {
            let mut found = |fault, summary| faults.push(BadSnapshot { fault, snapshot: place, summary });
            if let Some((fault, summary)) = accounts_differ(snapshot, &accounts) {
                found(fault, summary);
                continue;
            }
            let sum = sum(snapshot);
            if sum != total {
                found(BankFault::WrongTotal, format!("the balances add up to {sum} instead of {total}"));
            }
            let balances = snapshot.balances.iter().filter_map(|(account, balance)| balance.map(|balance| (*account, balance)));
            for (account, balance) in balances {
                if balance < 0 && !self.negative_allowed {
                    found(BankFault::NegativeValue, format!("account {account} holds {balance}"));
                }
                let bounds = flows.as_ref().and_then(|flows| flows.bounds(account, snapshot));
                if let Some((least, most)) = bounds.filter(|(least, most)| balance < *least || balance > *most) {
                    let summary = format!("account {account} holds {balance}, but transfers can only have made it {least} to {most}");
                    found(BankFault::ImpossibleBalance, summary);
                }
            }
        }
        faults
    }
}

fn sum(snapshot: &Snapshot) -> i128 {
    snapshot.balances.iter().filter_map(|(_, balance)| *balance).sum()
}

fn accounts_differ(snapshot: &Snapshot, accounts: &[u64]) -> Option<(BankFault, String)> {
    let mut seen: Vec<u64> = snapshot.balances.iter().map(|(account, _)| *account).collect();
    seen.sort_unstable();
    if let Some([twice, _]) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        return Some((BankFault::UnexpectedKey, format!("account {twice} stands twice")));
    }
    if let Some(stranger) = seen.iter().find(|account| accounts.binary_search(account).is_err()) {
        return Some((BankFault::UnexpectedKey, format!("there is no account {stranger}")));
    }
    if let Some((account, _)) = snapshot.balances.iter().find(|(_, balance)| balance.is_none()) {
        return Some((BankFault::NilBalance, format!("account {account} has no balance")));
    }
    let missing = accounts.iter().find(|account| seen.binary_search(account).is_err())?;
    Some((BankFault::NilBalance, format!("account {missing} is missing")))
}

/// What flows into and out of each account: sums by the time of asking, and by the time of the answer.
struct Flows<'a> {
    initial: &'a BTreeMap<u64, i128>,
    asked: BTreeMap<u64, Sums>,
    done: BTreeMap<u64, Sums>,
}

/// Times with the sums of all credits and of all debits up to them.
#[derive(Default)]
struct Sums(Vec<(u64, i128, i128)>);

impl Sums {
    fn add(&mut self, time: u64, credit: i128, debit: i128) {
        self.0.push((time, credit, debit));
    }

    fn close(&mut self) {
        self.0.sort_unstable_by_key(|row| row.0);
        let (mut credits, mut debits) = (0, 0);
        for row in &mut self.0 {
            credits += row.1;
            debits += row.2;
            (row.1, row.2) = (credits, debits);
        }
    }

    /// Credits and debits of the rows for whose time `before` holds.
    fn until(&self, before: impl Fn(u64) -> bool) -> (i128, i128) {
        let rows = self.0.partition_point(|row| before(row.0));
        rows.checked_sub(1).map_or((0, 0), |last| (self.0[last].1, self.0[last].2))
    }
}

impl<'a> Flows<'a> {
    fn new(initial: &'a BTreeMap<u64, i128>, transfers: &[Transfer]) -> Self {
        let mut flows = Self { initial, asked: BTreeMap::new(), done: BTreeMap::new() };
        for transfer in transfers.iter().filter(|transfer| transfer.outcome != Outcome::Aborted) {
            for (account, credit, debit) in [(transfer.from, 0, transfer.amount), (transfer.to, transfer.amount, 0)] {
                flows.asked.entry(account).or_default().add(transfer.invoke, credit, debit);
                if transfer.outcome == Outcome::Committed {
                    flows.done.entry(account).or_default().add(transfer.complete, credit, debit);
                }
            }
        }
        flows.asked.values_mut().chain(flows.done.values_mut()).for_each(Sums::close);
        flows
    }

    /// Least and greatest balance that a snapshot can show: what was done before it is in, what was asked for until its answer may be.
    fn bounds(&self, account: u64, snapshot: &Snapshot) -> Option<(i128, i128)> {
        let initial = self.initial.get(&account)?;
        let sums = |map: &BTreeMap<u64, Sums>, before: &dyn Fn(u64) -> bool| map.get(&account).map_or((0, 0), |sums| sums.until(before));
        let (credits_done, debits_done) = sums(&self.done, &|time| time < snapshot.invoke);
        let (credits_asked, debits_asked) = sums(&self.asked, &|time| time <= snapshot.complete);
        Some((initial + credits_done - debits_asked, initial + credits_asked - debits_done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transactions::NEVER;

    fn snapshot(at: u64, balances: &[(u64, i128)]) -> Snapshot {
        let balances = balances.iter().map(|&(account, balance)| (account, Some(balance))).collect();
        Snapshot { invoke: at, complete: at + 1, label: at, balances }
    }

    fn transfer(invoke: u64, complete: u64, amount: i128) -> Transfer {
        let outcome = if complete == NEVER { Outcome::Unknown } else { Outcome::Committed };
        Transfer { invoke, complete, outcome, from: 0, to: 1, amount }
    }

    fn names(bank: &Bank) -> Vec<&'static str> {
        bank.faults().iter().map(|bad| bad.fault.name()).collect()
    }

    #[test]
    fn a_total_that_stays_is_right_and_one_that_changes_is_wrong() {
        let mut bank = Bank { snapshots: vec![snapshot(0, &[(0, 10), (1, 0)]), snapshot(5, &[(0, 7), (1, 3)])], ..Bank::default() };
        assert_eq!(names(&bank), [""; 0]);
        bank.snapshots.push(snapshot(9, &[(0, 7), (1, 2)]));
        assert_eq!(bank.faults()[0].summary, "the balances add up to 9 instead of 10");
        bank.total = Some(9);
        assert_eq!(names(&bank), ["wrong-total", "wrong-total"]);
    }

    #[test]
    fn missing_and_foreign_accounts_are_named() {
        let nothing = Snapshot { balances: vec![(0, Some(10)), (1, None)], ..snapshot(0, &[]) };
        let snapshots = vec![snapshot(0, &[(0, 10)]), snapshot(0, &[(0, 5), (1, 0), (2, 5)]), snapshot(0, &[(0, 5), (0, 5)]), nothing];
        let bank = Bank { accounts: Some(vec![1, 0]), total: Some(10), snapshots, ..Bank::default() };
        assert_eq!(names(&bank), ["nil-balance", "unexpected-key", "unexpected-key", "nil-balance"]);
    }

    #[test]
    fn a_balance_below_zero_is_wrong_where_it_is_forbidden() {
        let mut bank = Bank { snapshots: vec![snapshot(0, &[(0, -1), (1, 1)])], ..Bank::default() };
        assert_eq!(names(&bank), ["negative-value"]);
        bank.negative_allowed = true;
        assert_eq!(names(&bank), [""; 0]);
    }

    #[test]
    fn a_snapshot_of_the_past_is_impossible_and_one_amid_transfers_is_not() {
        let initial = Some(BTreeMap::from([(0, 10), (1, 0)]));
        let transfers = vec![transfer(0, 3, 4), transfer(5, 20, 2), transfer(5, NEVER, 1)];
        let mut bank = Bank { initial, transfers, ..Bank::default() };
        for (moved, wrong) in [(3, 2), (4, 0), (5, 0), (6, 0), (7, 0), (8, 2)] {
            bank.snapshots = vec![snapshot(10, &[(0, 10 - moved), (1, moved)])];
            assert_eq!(bank.faults().len(), wrong, "{moved} moved");
        }
        // An aborted transfer moves nothing.
        bank.transfers[0].outcome = Outcome::Aborted;
        bank.snapshots = vec![snapshot(10, &[(0, 6), (1, 4)])];
        assert_eq!(names(&bank), ["impossible-balance", "impossible-balance"]);
    }
}
