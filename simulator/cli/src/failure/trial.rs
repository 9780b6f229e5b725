//! One run, simulated and judged: what every command about a failure does over and over.

use crate::failure::symptom::Symptom;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use vopr_checker::{Budget, RunVerdicts, Selection, judge_run};
use vopr_schema::History;
use vopr_sim::workload_plan::WorkloadPlan;
use vopr_sim::{RunRequest, RunSummary, Simulator};

/// Time for the invariants of one run. A failure that takes longer to see is not worth looking for in thousands of runs.
const TIME_PER_RUN: Duration = Duration::from_mins(1);

/// What came of a run.
#[derive(Debug)]
pub struct Trial {
    /// How it went.
    pub summary: RunSummary,
    /// Its rows, one run.
    pub history: History,
    /// What was checked, and what came of it.
    pub verdicts: Option<RunVerdicts>,
    /// What its clients did when.
    pub workload: WorkloadPlan,
}

impl Trial {
    /// Simulates and judges a run; `memory` is a history that is no longer needed. None: simulator or checker broke down.
    #[must_use]
    pub fn run(request: &RunRequest, selection: &Selection, memory: History) -> Option<Self> {
        let mut history = memory;
        history.clear();
        catch_unwind(AssertUnwindSafe(|| {
            let (summary, workload) = Simulator::new().simulate_logged(request, Some(&mut history));
            let verdicts = judged(&history, selection);
            Self { summary, history, verdicts, workload }
        }))
        .ok()
    }

    /// The verdicts of all invariants, however many it was judged by.
    #[must_use]
    pub fn judged_by_all(&self) -> Option<RunVerdicts> {
        judged(&self.history, &Selection::all())
    }

    /// How it fails, if it does.
    #[must_use]
    pub fn symptom(&self) -> Option<Symptom> {
        Symptom::of(&self.summary, self.verdicts.as_ref()).map(|symptom| symptom.explained(&self.history))
    }

    /// Whether it fails this way; a cause that is known must be proven here too.
    #[must_use]
    pub fn shows(&self, symptom: &Symptom) -> bool {
        let proves = |cause: &String| crate::diagnose::proven(&self.history, 0).contains(&cause.as_str());
        symptom.is_shown_by(&self.summary, self.verdicts.as_ref()) && symptom.cause.as_ref().is_none_or(proves)
    }
}

fn judged(history: &History, selection: &Selection) -> Option<RunVerdicts> {
    let budget = Budget { time_per_run: Some(TIME_PER_RUN), ..Budget::default() };
    (!history.runs.is_empty()).then(|| judge_run(history, 0, selection, &budget))
}
