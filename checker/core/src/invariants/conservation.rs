//! `conservation`: transfers move money, they never make or lose it.
//!
//! A debit without its credit is visible to everybody who adds up the accounts at that moment, and to nobody later.
//!
//! **Formally.** In each answered `balance` operation whose range holds all accounts of its tenant, each account stands exactly
//! once, and the balances add up to accounts times initial balance. In a run that was imported from another system (model `bank`)
//! each answered read of all balances holds the accounts of the first one, or those that the import named, adds up to the same
//! total, shows nothing below zero where that is forbidden, and, where it is told what accounts held at first, shows of each
//! account what transfers done before and transfers under way can have made of it.
//!
//! **Evidence.** run: options (`cluster.accounts_per_tenant`, `cluster.initial_balance`, `cluster.keys_per_tenant`; `import`);
//! operation: tenant, client, function, key, `key_last`, value, results, outcome, `return_seq`.
//!
//! **Deliberately not checked.** Snapshots of a part of the accounts, whose sum may be anything (`linearizability`); whether
//! each balance is the right one (`data_correctness`); the sum after commits at which nobody looked. In imported runs: whether one
//! order of the transfers explains all snapshots (`linearizability`).

mod imported;

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::models::layout::Layout;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Function, Kind, Outcome};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "conservation",
    version: 2,
    category: Category::Client,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options"] },
        Reads {
            kind: Kind::Operation,
            columns: &["tenant", "client", "function", "key", "key_last", "value", "results", "outcome", "return_seq"],
        },
    ],
    statement: "the ledger's total is the same after every commit",
    because_of: &["vsr_agreement", "idempotency"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    match index.imported() {
        Some(imported) => Verdict::decide("nobody was told all balances", || imported::snapshots(index, imported, meter)),
        None => Verdict::decide("nobody saw all accounts of a tenant at once", || snapshots(index, meter)),
    }
}

fn snapshots(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.operations();
    let mut ticker = meter.ticker();
    let (balance, ok) = (Function::Balance as u8, Outcome::Ok as u8);
    let rows = index.operation_rows();
    let mut facts = 0;
    // The last snapshot of each tenant that added up.
    let mut last_good: Vec<Option<usize>> = Vec::new();
    for row in rows.filter(|row| table.function.codes[*row] == balance && table.outcome.codes[*row] == ok) {
        ticker.step()?;
        let Some(layout) = index.layout() else {
            return Err(Box::new(Verdict::unknown("the run's options do not say which accounts there are (cluster.accounts_per_tenant)")));
        };
        if !is_whole(index, layout, row) {
            continue;
        }
        facts += 1;
        let tenant = table.tenant[row] as usize;
        last_good.resize(last_good.len().max(tenant + 1), None);
        match fault(index, layout, row) {
            None => last_good[tenant] = Some(row),
            Some(fault) => return Err(broken(index, row, &fault, last_good[tenant]).into()),
        }
    }
    Ok(facts)
}

/// Whether an operation asked for all accounts of its tenant.
fn is_whole(index: &RunIndex<'_>, layout: Layout, row: usize) -> bool {
    let table = index.operations();
    let Some((first, _)) = layout.range(table.tenant[row]).filter(|_| layout.accounts_per_tenant > 0) else { return false };
    let last = table.key_last.get(row).unwrap_or(0);
    table.key[row] <= first && last >= first + layout.accounts_per_tenant - 1
}

/// What is wrong with a whole snapshot, by the name of the fault and in words.
fn fault(index: &RunIndex<'_>, layout: Layout, row: usize) -> Option<(&'static str, String)> {
    let table = index.operations();
    let first = layout.range(table.tenant[row]).map_or(0, |range| range.0);
    let accounts = first..first + layout.accounts_per_tenant;
    let pairs = table.results.get(row).into_iter().flatten();
    let (mut sum, mut expected) = (0_u128, accounts.clone());
    for pair in pairs {
        if expected.next() != Some(pair.key) {
            return Some(("accounts_differ", format!("account {} stands where another one belongs", pair.key)));
        }
        sum += u128::from(pair.value.unwrap_or(0));
    }
    if let Some(missing) = expected.next() {
        return Some(("accounts_differ", format!("account {missing} is missing")));
    }
    (sum != layout.total()).then(|| ("total_changed", format!("the balances add up to {sum} instead of {}", layout.total())))
}

fn broken(index: &RunIndex<'_>, row: usize, (shape, words): &(&'static str, String), good: Option<usize>) -> Witness {
    let table = index.operations();
    let summary = format!("in a snapshot of all accounts of tenant {} {words}", table.tenant[row]);
    story(index, row, Witness::new(*shape, summary), good)
}

/// The story of a bad snapshot: the last good one, transfers since then, and the snapshot.
fn story(index: &RunIndex<'_>, row: usize, witness: Witness, good: Option<usize>) -> Witness {
    let table = index.operations();
    let good_step = good.map(|good| index.operation_step(good, format!("the last one that adds up: {}", operation_words(index, good))));
    let since = good.and_then(|good| table.return_seq.get(good)).unwrap_or(0);
    // What may have happened in between: transfers that were open after the good snapshot and before this one's return.
    let until = table.return_seq.get(row).unwrap_or(u64::MAX);
    let transfers = index.operation_rows().filter(|other| {
        let overlaps = table.seq[*other] <= until && table.return_seq.get(*other).is_none_or(|returned| returned >= since);
        table.function.get(*other) == Function::Transfer
            && table.tenant[*other] == table.tenant[row]
            && table.outcome.get(*other) != Outcome::Error
            && overlaps
    });
    let between: Vec<usize> = transfers.collect();
    let shown = between.iter().rev().take(4).rev().map(|other| index.operation_step(*other, operation_words(index, *other)));
    witness.step_if(good_step).steps(shown).step(index.operation_step(row, operation_words(index, row)))
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, balance, transfer};

    const WHOLE: [(u64, u64); 4] = [(0, 100), (1, 100), (2, 100), (3, 100)];

    fn dialogue(snapshot: &[(u64, u64)]) -> Dialogue {
        let mut dialogue = Dialogue::new(2);
        dialogue.call(0, 1, balance(0, 3, &WHOLE));
        dialogue.call(0, 1, transfer(0, 1, 30));
        dialogue.call(0, 2, balance(0, 99, snapshot));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict("conservation");
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn each_whole_snapshot_that_adds_up_is_a_fact() {
        let mut dialogue = dialogue(&[(0, 70), (1, 130), (2, 100), (3, 100)]);
        dialogue.call(1, 1, balance(100, 103, &[(100, 0), (101, 399), (102, 1), (103, 0)]));
        assert_eq!(dialogue.verdict("conservation").facts(), 3);
    }

    #[test]
    fn a_debit_without_its_credit_is_a_violation() {
        let dialogue = dialogue(&[(0, 70), (1, 100), (2, 100), (3, 100)]);
        let verdict = dialogue.verdict("conservation");
        let witness = verdict.witness().expect("30 are gone");
        assert_eq!(witness.summary, "in a snapshot of all accounts of tenant 0 the balances add up to 370 instead of 400");
        assert_eq!(witness.steps.len(), 3);
    }

    #[test]
    fn a_missing_or_foreign_account_is_a_violation() {
        assert_eq!(shape(&dialogue(&[(0, 100), (1, 100), (2, 200)])), "accounts_differ");
        assert_eq!(shape(&dialogue(&[(0, 100), (1, 100), (2, 100), (103, 100)])), "accounts_differ");
        assert_eq!(shape(&dialogue(&[(0, 100), (0, 100), (1, 100), (2, 100)])), "accounts_differ");
    }

    #[test]
    fn huge_balances_do_not_wrap_around_to_the_right_total() {
        assert_eq!(shape(&dialogue(&[(0, u64::MAX - 1), (1, 402), (2, 0), (3, 0)])), "total_changed");
    }

    #[test]
    fn parts_of_the_accounts_and_unanswered_snapshots_say_nothing() {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, balance(0, 1, &[(0, 1), (1, 1)]));
        dialogue.invoke(0, 1, balance(0, 3, &[]));
        assert_eq!(dialogue.verdict("conservation").name(), "not_applicable");
    }

    #[test]
    fn without_options_nothing_is_known_and_without_operations_nothing_is_there() {
        let mut dialogue = dialogue(&WHOLE);
        dialogue.story.run.options.clear();
        assert_eq!(dialogue.verdict("conservation").name(), "unknown");
        dialogue.story.operations.clear();
        assert_eq!(dialogue.verdict("conservation").name(), "not_applicable");
    }
}
