//! Checks runs that are in memory.
//!
//! A panic inside one invariant is a bug of that invariant and must not take the verdicts of the others with it.

use crate::budget::{Budget, Meter};
use crate::evidence;
use crate::index::RunIndex;
use crate::registry::{Invariant, InvariantId, Selection};
use crate::report::{Report, RunVerdicts};
use crate::situations;
use crate::verdict::{INTERNAL, Verdict};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vopr_schema::History;

/// Judges one run by the chosen invariants, in the order of the registry.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn check_run(history: &History, run: usize, selection: &Selection, budget: &Budget) -> Vec<(InvariantId, Verdict)> {
    verdicts(&RunIndex::new(history, run), selection, budget)
}

fn verdicts(index: &RunIndex<'_>, selection: &Selection, budget: &Budget) -> Vec<(InvariantId, Verdict)> {
    let clock = budget.start_run();
    let judge = |id: &InvariantId| (*id, judge(id.invariant(), index, &clock.meter()));
    selection.ids().iter().map(judge).collect()
}

/// Judges one run and looks for its scenario's evidence.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn judge_run(history: &History, run: usize, selection: &Selection, budget: &Budget) -> RunVerdicts {
    let index = RunIndex::new(history, run);
    let meta = index.meta();
    let kinds = [index.message_rows(), index.transition_rows(), index.storage_rows(), index.fault_rows()];
    let operations = index.operation_rows().len();
    RunVerdicts {
        file: None,
        scenario: meta.scenario.clone(),
        seed: meta.seed,
        bug: meta.bug.clone(),
        // Only what has replicas was simulated; other systems record what clients saw.
        replayable: meta.replicas > 0,
        digest: meta.digest,
        rows: (1 + operations + kinds.iter().map(ExactSizeIterator::len).sum::<usize>()) as u64,
        operations: operations as u64,
        verdicts: verdicts(&index, selection, budget),
        evidence: evidence::of_run(&index),
        situations: situations::of_run(&index),
    }
}

/// Judges all runs of a history, in parallel, on the threads of the current rayon pool.
#[must_use]
pub fn check_history(history: &History, selection: &Selection, budget: &Budget) -> Report {
    let runs: Vec<_> = (0..history.runs.len()).into_par_iter().map(|run| judge_run(history, run, selection, budget)).collect();
    let mut report = Report::new(selection);
    for run in &runs {
        report.add(run);
    }
    report
}

/// Judges one run by one invariant.
fn judge(invariant: &Invariant, index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    if let Err(exhausted) = meter.check() {
        return exhausted.into();
    }
    if let Some(defect) = index.ill_formed()
        && invariant.name != crate::registry::JUDGES_ILL_FORMED
    {
        return Verdict::unknown(format!("ill formed: {} row {}: {}", defect.kind, defect.seq, defect.defect));
    }
    if let Some(imported) = index.imported()
        && !crate::imported::is_judged_by(invariant.name)
    {
        let file = &imported.file;
        return Verdict::not_applicable(format!("the run was imported ({file}): only what its clients saw is known"));
    }
    catch_unwind(AssertUnwindSafe(|| (invariant.check)(index, meter))).unwrap_or_else(|payload| {
        let message = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Verdict::unknown(format!("{INTERNAL}{} panicked: {}", invariant.name, message.unwrap_or("no message")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Category;

    #[test]
    fn a_panic_inside_an_invariant_is_an_unknown() {
        fn broken(_: &RunIndex<'_>, _: &Meter) -> Verdict {
            panic!("lost its mind")
        }
        let invariant = Invariant {
            name: "broken",
            version: 1,
            category: Category::Liveness,
            reads: &[],
            statement: "",
            because_of: &[],
            check: broken,
        };
        let mut history = History::default();
        history.close_run(vopr_schema::Run::default());
        let verdict = judge(&invariant, &RunIndex::new(&history, 0), &Budget::default().meter());
        assert!(verdict.is_internal());
        assert_eq!(verdict, Verdict::unknown("internal: broken panicked: lost its mind"));
    }
}
