//! The `xtask` program: one subcommand per task of this repository.
//!
//! Tasks are Rust so that they run wherever the product builds; heavy ones want `--release`, which `cargo xtask` gives.

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measures the whole pipeline as CPU time: simulate, record, read back, check; prints figures and shares.
    Bench(xtask::bench::Options),
    /// Generates the histories of `histories/` anew, with their expected verdicts.
    Goldens,
    /// Runs every seeded bug and writes which invariants fire on the first seed that exposes it.
    Matrix,
    /// Runs many seeds of every scenario with all guards on, checks each run in memory and prints a table.
    Campaign(xtask::campaign::Options),
    /// Judges random small histories of every model by every engine and by brute force.
    Differential(xtask::differential::Options),
    /// Imports and judges histories that others recorded, and compares the verdicts with those of the folder's manifest.
    External(xtask::external::Options),
    /// Compares the analysis of transactions with brute force on random histories, and measures its speed.
    Transactions(xtask::transactions::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Bench(options) => xtask::bench::run(&options),
        Task::Goldens => xtask::goldens::write_all(),
        Task::Matrix => xtask::matrix::write(),
        Task::Campaign(options) => xtask::campaign::run(&options),
        Task::Differential(options) => xtask::differential::run(&options),
        Task::External(options) => xtask::external::run(&options),
        Task::Transactions(options) => xtask::transactions::run(&options),
    }
}
