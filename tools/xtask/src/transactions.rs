//! The analysis of transactions against brute force on random small histories, and its speed on large ones.
//!
//! A test suite affords a few thousand histories; this affords as many as asked for, and any disagreement is printed whole.

use crate::cpu::seconds;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use vopr_checker::budget::Budget;
use vopr_checker::transactions::oracle::{Random, TRANSACTIONS_MAX, Tally, Workload, compare, random_history};
use vopr_checker::transactions::{Options as Reading, Outcome, Transactions, analyze};

/// Lists that are appended to at one time, and how long they get before a new key takes their place: as in Elle's own workload.
const KEYS: usize = 5;
const LENGTH_MAX: usize = 32;

/// What to compare and to measure.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Random histories of each workload that are compared with brute force.
    #[arg(long, default_value_t = 100_000)]
    pub histories: u64,
    /// Transactions of each of them, at most (up to 12).
    #[arg(long, default_value_t = 6)]
    pub length: u64,
    /// Where the random histories begin.
    #[arg(long, default_value_t = 1)]
    pub first: u64,
    /// Transactions of the history that is measured.
    #[arg(long, default_value_t = 100_000)]
    pub transactions: u64,
    /// Transactions that run at once in it.
    #[arg(long, default_value_t = 10)]
    pub concurrency: u64,
}

/// Compares, measures and prints.
///
/// # Errors
/// When the analysis and brute force disagree anywhere.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.length <= TRANSACTIONS_MAX as u64, "brute force takes {TRANSACTIONS_MAX} transactions at most");
    let mut wrong = 0;
    for workload in Workload::ALL {
        let (mut random, mut tally) = (Random(options.first), Tally::default());
        for _ in 0..options.histories {
            let history = random_history(&mut random, workload, options.length);
            if let Err(disagreement) = compare(&history, workload, &mut tally) {
                println!("{disagreement}");
                wrong += 1;
            }
        }
        let Tally { histories, hold, refuted, undecided } = tally;
        println!("{workload:?}: {histories} histories, three levels each: {hold} hold, {refuted} refuted, {undecided} undecided");
    }
    print_speed(options.transactions, options.concurrency)?;
    ensure!(wrong == 0, "{wrong} disagreements with brute force");
    Ok(())
}

/// Measures the analysis of a serializable list-append history, and of the same with a stale read at its end.
///
/// # Errors
/// When a clean history is not found to be clean.
#[expect(clippy::cast_precision_loss, reason = "counts of transactions stay far below 2^53")]
pub fn print_speed(transactions: u64, concurrency: u64) -> Result<()> {
    let mut history = list_append(transactions, concurrency);
    for (words, is_clean) in [("clean", true), ("with a stale read", false)] {
        if !is_clean {
            let end = (transactions + concurrency + 1) * 10;
            history.begin(concurrency, end);
            history.read_list(0, [1]);
            history.end(end + 1, Outcome::Committed);
        }
        let mut least = f64::MAX;
        for _ in 0..3 {
            let (spent, analysis) = seconds(|| analyze(&history, &Reading::default(), &Budget::default().meter()));
            ensure!(analysis?.anomalies.is_empty() == is_clean, "the analysis of a history that is {words} is wrong");
            least = least.min(spent);
        }
        let steps = history.micro_operations().len();
        println!(
            "transactions, {concurrency} at once, {words:<18} {:>9.2} M list-append transactions per CPU s ({transactions}, {steps} steps)",
            transactions as f64 / least / 1e6
        );
    }
    Ok(())
}

/// Transactions of one to four steps, each executed at one instant of its interval.
fn list_append(transactions: u64, concurrency: u64) -> Transactions {
    let mut random = Random(1);
    let mut keys: Vec<u64> = (0..KEYS as u64).collect();
    let mut lists: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut next_key = KEYS as u64;
    let mut history = Transactions::default();
    for number in 0..transactions {
        history.begin(number % concurrency, number * 10);
        for _ in 0..=random.below(4) {
            let slot = usize::try_from(random.below(KEYS as u64)).expect("few keys");
            let list = lists.entry(keys[slot]).or_default();
            if random.chance(50) {
                list.push(list.len() as u64 + 1);
                history.append(keys[slot], list.len() as u64);
            } else {
                history.read_list(keys[slot], list.iter().copied());
            }
            if list.len() == LENGTH_MAX {
                keys[slot] = next_key;
                next_key += 1;
            }
        }
        history.end((number + concurrency) * 10 - 5, Outcome::Committed);
    }
    history
}
