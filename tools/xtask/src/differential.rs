//! Random small histories of every model, on which every engine of the checker must agree with brute force.
//!
//! The test suite runs a sample; this runs as many as anyone wants, and says at what rate.

use crate::cpu::seconds;
use anyhow::{Context, Result, anyhow};
use vopr_checker::linearize::trials;

/// What to compare.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Model; all of them when it is not given.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(trials::MODELS))]
    pub model: Option<String>,
    /// Histories of each model.
    #[arg(long, default_value_t = 1_000_000)]
    pub histories: u64,
    /// Calls of one history at most.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=12))]
    pub length: u64,
    /// Seed of the histories.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Compares and prints one line per model.
///
/// # Errors
/// The first history on which an engine is wrong.
#[expect(clippy::cast_precision_loss, reason = "counts of histories stay far below 2^53")]
pub fn run(options: &Options) -> Result<()> {
    println!("model            histories  linearizable  refuted  by its own method  of them refuted  counter-examples  per CPU s  wrong");
    for model in trials::MODELS.iter().filter(|model| options.model.as_ref().is_none_or(|only| only == **model)) {
        let (spent, tally) = seconds(|| trials::run(model, options.histories, options.seed, options.length));
        let tally = tally.context("the list names models")?.map_err(|wrong| anyhow!("{model}: {wrong}"))?;
        println!(
            "{model:<16} {:>9}  {:>12}  {:>7}  {:>17}  {:>15}  {:>16}  {:>9.0}      0",
            tally.histories,
            tally.linearizable,
            tally.histories - tally.linearizable,
            tally.special,
            tally.special_refuted,
            tally.examples,
            tally.histories as f64 / spent.max(1e-9)
        );
    }
    Ok(())
}
