//! Snapshots of banks that other systems ran.
//!
//! Their accounts and total are what the import was told, or what the first snapshot shows.

use super::story;
use crate::budget::Meter;
use crate::imported::{self, Imported, Model, Problem};
use crate::index::RunIndex;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::counted;

/// Each snapshot is a fact.
pub(super) fn snapshots(index: &RunIndex<'_>, imported: &Imported, meter: &Meter) -> Decision {
    if imported.model != Model::Bank {
        let why = format!("the model of the run has no accounts ({})", imported.model.name());
        return Err(Box::new(Verdict::not_applicable(why)));
    }
    let (bank, rows) = match imported::bank(index, imported) {
        Ok(bank) => bank,
        Err(Problem::Impossible(row, why) | Problem::Unknown(row, why)) => {
            return Err(Box::new(Verdict::unknown(format!("operation row {} {why}", index.operations().seq[row]))));
        }
    };
    meter.check()?;
    let faults = bank.faults();
    let Some(worst) = faults.first() else { return Ok(rows.len() as u64) };
    // Those before it have no fault; the last of them to return is the best to compare with.
    let good = (0..worst.snapshot).max_by_key(|snapshot| bank.snapshots[*snapshot].complete).map(|snapshot| rows[snapshot]);
    let summary = format!("in a read of all balances {}", imported.in_words(&worst.summary));
    let others = faults.iter().filter(|fault| fault.snapshot != worst.snapshot).map(|fault| fault.snapshot);
    let others = others.collect::<std::collections::BTreeSet<usize>>().len();
    let summary = if others == 0 { summary } else { format!("{summary} (wrong: {} of {})", others + 1, counted(rows.len(), "read")) };
    let shape = worst.fault.name().replace('-', "_");
    Err(story(index, rows[worst.snapshot], Witness::new(shape, summary), good).into())
}

#[cfg(test)]
mod tests;
