//! Renderers: the same report for people, for programs and for CI servers.
//!
//! A report is data; whatever is printed comes from here, so that no verdict depends on how it is shown.

pub mod github;
pub mod human;
pub mod json;
pub mod junit;
pub mod sarif;
pub mod violation;

use crate::exit::Exit;
use std::path::PathBuf;
use std::time::Duration;
use vopr_checker::Report;
use vopr_checker::situations::Situation;

/// What a renderer needs besides the report.
#[derive(Clone, Debug)]
pub struct Context {
    /// Time that the check took.
    pub elapsed: Duration,
    /// Threads that it had.
    pub threads: usize,
    /// Runs whose verdicts were all known from earlier checks.
    pub recalled: u64,
    /// Queries of the user's own: their names and files.
    pub queries: Vec<(&'static str, PathBuf)>,
    /// Whether everything is to be printed.
    pub verbose: bool,
    /// Situations that must have come about.
    pub required: Vec<Situation>,
    /// The outcome.
    pub exit: Exit,
}

/// How an undecided verdict begins whose cause is a mistake of ours.
pub const INTERNAL: &str = "internal: ";

/// The outcome of a report.
#[must_use]
pub fn outcome(report: &Report, strict: bool, require_evidence: bool, required: &[Situation]) -> Exit {
    let vacuous = report.evidence.values().any(vopr_checker::report::ScenarioEvidence::vacuous);
    let asked = [
        (report.interrupted, Exit::Interrupted),
        (report.failing_runs > 0, Exit::Violated),
        (report.undecided.iter().any(|undecided| undecided.reason.starts_with(INTERNAL)), Exit::Internal),
        (!report.refused.is_empty(), Exit::Refused),
        (strict && !report.undecided.is_empty(), Exit::Inconclusive),
        (require_evidence && vacuous, Exit::Inconclusive),
        (report.situations.missing(required).next().is_some(), Exit::Inconclusive),
        (report.runs == 0 || tested_nothing(report), Exit::NothingToDo),
    ];
    asked.into_iter().filter(|(applies, _)| *applies).map(|(_, exit)| exit).fold(Exit::Held, Exit::and)
}

/// Whether no chosen invariant had anything to test in any run: a green answer would rest on nothing.
#[must_use]
pub fn tested_nothing(report: &Report) -> bool {
    let nothing = |counts: &vopr_checker::report::InvariantCounts| counts.not_applicable == report.runs;
    report.runs > 0 && !report.invariants.is_empty() && report.invariants.iter().all(nothing)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use vopr_checker::report::Refused;
    use vopr_checker::situations::Counts;
    use vopr_checker::{Failure, InvariantId, RunVerdicts, Selection, Step, Verdict, Witness};
    use vopr_schema::Kind;

    /// One run with one verdict.
    pub fn run(file: &str, seed: u64, verdict: Verdict) -> RunVerdicts {
        RunVerdicts {
            file: Some(PathBuf::from(file)),
            scenario: "baseline".to_owned(),
            seed,
            bug: None,
            situations: Counts::default(),
            replayable: true,
            digest: [7; 32],
            rows: 1_000,
            operations: 100,
            verdicts: vec![(InvariantId(0), verdict)],
            evidence: Some(vopr_checker::evidence::Evidence { missing: Vec::new() }),
        }
    }

    /// A violation with one row.
    pub fn violation() -> Verdict {
        let step = Step::new(Kind::Transition, 8_131, "a <row> & \"more\"").at(9_204_310_000);
        Verdict::Violation(Witness::new("shape", "it is wrong").step(step))
    }

    /// A failing run.
    pub fn failure(file: &str, seed: u64) -> Failure {
        vopr_checker::report::failure(&run(file, seed, violation())).expect("the verdict is a violation")
    }

    /// A report over two good runs.
    pub fn clean() -> Report {
        let mut report = Report::new(&Selection::only(&[InvariantId(0).name()]).expect("the name is from the registry"));
        report.files = 1;
        report.add(&run("a.parquet", 1, Verdict::from_facts(10, "")));
        report.add(&run("a.parquet", 2, Verdict::from_facts(10, "")));
        report
    }

    /// A report with one of everything.
    pub fn mixed() -> Report {
        let mut report = clean();
        report.add(&run("b.parquet", 3, violation()));
        report.add(&run("b.parquet", 4, Verdict::unknown("the time limit of 5 ms was reached")));
        report.add(&run("b.parquet", 5, Verdict::not_applicable("no commits")));
        report.refused.push(Refused { file: "c.parquet".into(), error: "row group 3: page checksum".to_owned() });
        report
    }

    /// A context for tests.
    pub fn context(exit: Exit) -> Context {
        Context {
            elapsed: Duration::from_millis(1_500),
            threads: 2,
            recalled: 0,
            queries: Vec::new(),
            verbose: false,
            required: Vec::new(),
            exit,
        }
    }

    #[test]
    fn unknown_is_no_success_where_certainty_is_asked() {
        let mut report = clean();
        assert_eq!(outcome(&report, true, true, &[]), Exit::Held);
        report.add(&run("b.parquet", 4, Verdict::unknown("no time")));
        assert_eq!((outcome(&report, false, false, &[]), outcome(&report, true, false, &[])), (Exit::Held, Exit::Inconclusive));
        report.add(&run("b.parquet", 5, Verdict::unknown("internal: it panicked")));
        assert_eq!(outcome(&report, false, false, &[]), Exit::Internal);
    }

    #[test]
    fn a_violation_wins_over_a_refused_file() {
        assert_eq!(outcome(&mixed(), true, true, &[]), Exit::Violated);
        let refused = Report { failing_runs: 0, ..mixed() };
        assert_eq!(outcome(&refused, true, true, &[]), Exit::Refused);
        assert_eq!(outcome(&Report::default(), true, true, &[]), Exit::NothingToDo);
    }

    #[test]
    fn an_answer_that_rests_on_nothing_is_none() {
        let mut report = Report::new(&Selection::only(&[InvariantId(0).name()]).expect("the name is from the registry"));
        report.add(&run("a.parquet", 1, Verdict::not_applicable("nothing of its kind")));
        assert_eq!(outcome(&report, false, false, &[]), Exit::NothingToDo);
        report.add(&run("a.parquet", 2, Verdict::from_facts(1, "")));
        assert_eq!(outcome(&report, false, false, &[]), Exit::Held);
    }
}
