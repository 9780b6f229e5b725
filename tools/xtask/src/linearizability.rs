//! How fast the checker decides linearizability without the recorded order, in memory and as CPU time.
//!
//! The histories are as concurrent as they say all the time, and linearizable, which is what costs most, unless the row says that one
//! call is wrong. A failed compare-and-set is evidence of what the register did not hold, unless the row says that only successful ones
//! are there (as in a history of Jepsen, whose failed operations did not happen).

use crate::cpu::{memory_mib, peak_memory_mib, seconds};
use vopr_checker::budget::Budget;
use vopr_checker::linearize::any::{History, Outcome};
use vopr_checker::linearize::trials::workload::{Workload, of_store};
use vopr_checker::models::keys::Keys;
use vopr_checker::models::register::{Register, RegisterAction};

/// Judged that often; the least time counts.
const ROUNDS: usize = 3;
/// Histories of the hardest kind.
const HARD: u64 = 10;
const CELLS: u32 = 10_000;

const UNIQUE: Workload = Workload { operations: 1_000_000, clients: 10, keys: 1, values: None, compare_and_sets: 10, seed: 1 };

/// Measures and prints.
pub fn run() {
    println!("linearizability without the recorded order, one thread:");
    large();
    for clients in [5, 10, 50, 100] {
        let History::Register(model, mut calls) = history(&Workload { clients, ..UNIQUE }) else { continue };
        calls.retain(|call| !matches!(call.action, RegisterAction::CompareAndSet { set: Some(false), .. }));
        let name = format!("unique values, compare-and-sets that succeed, 1 key, {clients} clients");
        print(&name, &History::Register(model, calls), ROUNDS);
    }
    for keys in [1, CELLS] {
        for clients in [5, 10, 50, 100] {
            let workload = Workload { clients, keys, ..UNIQUE };
            print(&format!("unique values, 10 % compare-and-sets, {keys} keys, {clients} clients"), &history(&workload), ROUNDS);
        }
    }
    for clients in [5, 10, 50, 100] {
        let calls = Workload { clients, ..UNIQUE }.violated().into_iter().map(|(_, call)| call).collect();
        let name = format!("unique values, 10 % compare-and-sets, 1 key, {clients} clients, one wrong");
        print(&name, &History::Register(Register::default(), calls), ROUNDS);
    }
    for (operations, clients) in [(100_000, 5), (100_000, 10), (10_000, 20)] {
        let workload = Workload { operations, clients, values: Some(5), compare_and_sets: 0, ..UNIQUE };
        print(&format!("5 values, 1 key, {clients} clients"), &history(&workload), ROUNDS);
        let workload = Workload { compare_and_sets: 30, ..workload };
        print(&format!("5 values, 30 % compare-and-sets, 1 key, {clients} clients"), &history(&workload), ROUNDS);
    }
    for (clients, compare_and_sets) in [(50, 0), (50, 30), (100, 0)] {
        hard(clients, compare_and_sets);
    }
}

/// A workload as a history of the entrance for all models.
fn history(workload: &Workload) -> History {
    let calls = workload.history();
    if workload.keys == 1 {
        return History::Register(Register::default(), calls.into_iter().map(|(_, call)| call).collect());
    }
    let keys = Keys::absent((0..u64::from(workload.keys)).collect());
    History::Store(keys, of_store(calls))
}

fn judge(history: &History, rounds: usize) -> (f64, Outcome) {
    let meter = Budget::default().meter();
    let mut best = seconds(|| history.judge(&meter));
    for _ in 1..rounds {
        let again = seconds(|| history.judge(&meter));
        if again.0 < best.0 {
            best = again;
        }
    }
    best
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls stay far below 2^53")]
fn print(name: &str, history: &History, rounds: usize) {
    let (spent, outcome) = judge(history, rounds);
    println!(
        "  {name:<66} {:>8} operations {:>9.1} CPU ms {:>8.2} M per CPU s  {}, {}",
        history.len(),
        spent * 1e3,
        history.len() as f64 / spent.max(1e-9) / 1e6,
        verdict(&outcome),
        outcome.engine.name()
    );
}

fn verdict(outcome: &Outcome) -> &'static str {
    match outcome.linearizable {
        Some(true) => "linearizable",
        Some(false) => "not linearizable",
        None => "undecided",
    }
}

/// Ten million operations: the memory that they and their judgement take.
fn large() {
    for keys in [1, CELLS] {
        let history = history(&Workload { operations: 10_000_000, keys, ..UNIQUE });
        print(&format!("unique values, 10 % compare-and-sets, {keys} keys, 10 clients"), &history, 1);
        if let (Some(now), Some(peak)) = (memory_mib(), peak_memory_mib()) {
            println!("    memory of this process with the history {now:.0} MiB, at most {peak:.0} MiB");
        }
    }
}

/// Short histories of the kind that takes exponential time at worst.
fn hard(clients: usize, compare_and_sets: u64) {
    let (mut decided, mut total, mut worst) = (0, 0.0, 0.0_f64);
    for seed in 1..=HARD {
        let workload = Workload { operations: 1_000, clients, values: Some(5), compare_and_sets, seed, ..UNIQUE };
        let (spent, outcome) = judge(&history(&workload), 1);
        decided += u32::from(outcome.linearizable == Some(true));
        total += spent;
        worst = worst.max(spent);
    }
    let name = format!("5 values, {compare_and_sets} % compare-and-sets, 1 key, {clients} clients, 1000 operations");
    println!("  {name}: {decided} of {HARD} decided, {:.1} CPU ms in all, {:.1} the slowest", total * 1e3, worst * 1e3);
}
