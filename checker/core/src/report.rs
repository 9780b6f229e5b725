//! What a batch of runs amounts to: counts per invariant, failures with their root first, evidence per scenario.
//!
//! A report is built run by run and merged, so that its memory does not grow with the number of healthy runs.

use crate::evidence::Evidence;
use crate::registry::{InvariantId, Selection};
use crate::situations::{Counts, Coverage};
use crate::verdict::Verdict;
use crate::witness::Witness;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// All verdicts on one run.
#[derive(Clone, Debug)]
pub struct RunVerdicts {
    /// The file it came from; none for a history in memory.
    pub file: Option<PathBuf>,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Guard that was switched off.
    pub bug: Option<String>,
    /// Whether the simulator can run it again; not so for histories that other systems recorded.
    pub replayable: bool,
    /// Digest of the run, as recorded.
    pub digest: [u8; 32],
    /// Rows of all kinds that were read.
    pub rows: u64,
    /// Client operations.
    pub operations: u64,
    /// One verdict per chosen invariant, in the order of the registry.
    pub verdicts: Vec<(InvariantId, Verdict)>,
    /// Whether the run shows what its scenario promises; none for scenarios that promise nothing that is known here.
    pub evidence: Option<Evidence>,
    /// The situations that the run came into.
    pub situations: Counts,
}

/// Counts of one invariant's verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InvariantCounts {
    /// Name.
    pub invariant: &'static str,
    /// Version.
    pub version: u32,
    /// Runs in which it held.
    pub pass: u64,
    /// Runs in which it was broken.
    pub violation: u64,
    /// Runs that could not be decided.
    pub unknown: u64,
    /// Runs with nothing of its kind.
    pub not_applicable: u64,
    /// Facts tested, over all runs in which it held.
    pub facts: u64,
}

/// A broken invariant of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the invariant.
    pub invariant: &'static str,
    /// Why it is broken.
    pub witness: Witness,
    /// Name of the broken invariant that explains this one; none for a root.
    pub because_of: Option<&'static str>,
}

/// A run with at least one broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file it came from.
    pub file: Option<PathBuf>,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Guard that was switched off.
    pub bug: Option<String>,
    /// Whether the simulator can run it again.
    pub replayable: bool,
    /// Roots first, then what follows from them, each in the order of the registry. Never empty.
    pub findings: Vec<Finding>,
}

impl Failure {
    /// The findings that nothing else explains.
    pub fn roots(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.because_of.is_none())
    }

    /// The findings that follow from others.
    pub fn consequences(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.because_of.is_some())
    }

    /// Equal for failures of one cause: the first root and the shape of its witness.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.findings.first().map_or_else(String::new, |root| fingerprint(root.invariant, &root.witness.shape))
    }
}

/// The name of the group of failures that break this invariant with witnesses of this shape.
#[must_use]
pub fn fingerprint(invariant: &str, shape: &str) -> String {
    // FNV-1a: short, stable over versions and platforms; it names groups and protects nothing.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = shape.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{invariant}-{:08x}", hash >> 32)
}

/// A text with a mark in the place of each number: equal for texts that differ in nothing else.
#[must_use]
pub fn without_numbers(text: &str) -> String {
    let mut shape = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_digit() {
            shape.push(letter);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    shape
}

/// An invariant that could not decide runs, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// Name of the invariant.
    pub invariant: &'static str,
    /// Why.
    pub reason: String,
    /// In how many runs.
    pub runs: u64,
    /// The first of them: scenario and seed.
    pub first: (String, u64),
}

/// How many runs of a scenario showed what it promises.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScenarioEvidence {
    /// Runs with all of it.
    pub exercised: u64,
    /// Runs.
    pub runs: u64,
    /// What was missing, in words, and in how many runs.
    pub missing: BTreeMap<&'static str, u64>,
    /// Failing runs without all of it: a failure may have cut short what the scenario promises.
    #[serde(skip)]
    pub cut_short: u64,
}

impl ScenarioEvidence {
    /// Whether fewer than nine in ten runs showed the evidence.
    #[must_use]
    pub fn vacuous(&self) -> bool {
        self.exercised * 10 < self.runs * 9
    }

    /// Whether failing runs alone are the reason that too few runs showed the evidence.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.vacuous() && (self.exercised + self.cut_short) * 10 >= self.runs * 9
    }
}

/// An input that could not be read, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// Why: the reader's error with the place in the file.
    pub error: String,
}

/// What a batch amounts to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Files that were read to their end.
    pub files: u64,
    /// Runs that were judged.
    pub runs: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Client operations among them.
    pub operations: u64,
    /// One per chosen invariant, in the order of the registry.
    pub invariants: Vec<InvariantCounts>,
    /// Failing runs, the first [`FAILURES_MAX`] of them, in the order of files and runs.
    pub failures: Vec<Failure>,
    /// Number of all failing runs.
    pub failing_runs: u64,
    /// Undecided verdicts by invariant and reason.
    pub undecided: Vec<Undecided>,
    /// Evidence by scenario.
    pub evidence: BTreeMap<String, ScenarioEvidence>,
    /// Runs of scenarios of which no evidence is asked, by scenario.
    pub unasked: BTreeMap<String, u64>,
    /// The situations that the runs came into.
    pub situations: Coverage,
    /// Inputs that were refused.
    pub refused: Vec<Refused>,
    /// Whether someone stopped it before the end.
    pub interrupted: bool,
}

/// Failing runs that a report keeps with their witnesses; all are counted.
pub const FAILURES_MAX: usize = 10_000;

/// Reasons that a report keeps apart per invariant; a reason may hold numbers of its run.
const REASONS_MAX: usize = 32;

impl Report {
    /// An empty report about the chosen invariants.
    #[must_use]
    pub fn new(selection: &Selection) -> Self {
        let counts = |id: &InvariantId| InvariantCounts {
            invariant: id.name(),
            version: id.invariant().version,
            pass: 0,
            violation: 0,
            unknown: 0,
            not_applicable: 0,
            facts: 0,
        };
        Self { invariants: selection.ids().iter().map(counts).collect(), ..Self::default() }
    }

    /// Adds a run.
    pub fn add(&mut self, run: &RunVerdicts) {
        self.runs += 1;
        self.rows += run.rows;
        self.operations += run.operations;
        for (id, verdict) in &run.verdicts {
            let Some(counts) = self.invariants.iter_mut().find(|counts| counts.invariant == id.name()) else { continue };
            counts.facts += verdict.facts();
            match verdict {
                Verdict::Pass { .. } => counts.pass += 1,
                Verdict::Violation(_) => counts.violation += 1,
                Verdict::Unknown { .. } => counts.unknown += 1,
                Verdict::NotApplicable { .. } => counts.not_applicable += 1,
            }
            if let Verdict::Unknown { reason } = verdict {
                let first = (run.scenario.clone(), run.seed);
                self.undecide(Undecided { invariant: id.name(), reason: reason.clone(), runs: 1, first });
            }
        }
        self.situations.add(&run.situations);
        let failure = failure(run);
        if let Some(evidence) = &run.evidence {
            let scenario = self.evidence.entry(run.scenario.clone()).or_default();
            scenario.runs += 1;
            scenario.exercised += u64::from(evidence.exercised());
            scenario.cut_short += u64::from(failure.is_some() && !evidence.exercised());
            for missing in &evidence.missing {
                *scenario.missing.entry(missing).or_default() += 1;
            }
        } else {
            *self.unasked.entry(run.scenario.clone()).or_default() += 1;
        }
        if let Some(failure) = failure {
            self.failing_runs += 1;
            self.keep(failure);
        }
    }

    /// Adds a finding that came from elsewhere to the failure of its run; `fresh` says that nothing else is broken in that run.
    pub fn add_finding(&mut self, run: Failure, finding: Finding, fresh: bool) {
        self.failing_runs += u64::from(fresh);
        let same = |known: &&mut Failure| known.file == run.file && known.scenario == run.scenario && known.seed == run.seed;
        match self.failures.iter_mut().find(same) {
            Some(known) => known.findings.push(finding),
            None => self.keep(Failure { findings: vec![finding], ..run }),
        }
    }

    /// Adds what another report counted about other runs.
    pub fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.runs += other.runs;
        self.rows += other.rows;
        self.operations += other.operations;
        self.failing_runs += other.failing_runs;
        self.interrupted |= other.interrupted;
        for theirs in other.invariants {
            if let Some(ours) = self.invariants.iter_mut().find(|ours| ours.invariant == theirs.invariant) {
                ours.pass += theirs.pass;
                ours.violation += theirs.violation;
                ours.unknown += theirs.unknown;
                ours.not_applicable += theirs.not_applicable;
                ours.facts += theirs.facts;
            } else {
                self.invariants.push(theirs);
            }
        }
        for failure in other.failures {
            self.keep(failure);
        }
        for undecided in other.undecided {
            self.undecide(undecided);
        }
        self.refused.extend(other.refused);
        self.situations.merge(&other.situations);
        for (scenario, theirs) in other.evidence {
            let ours = self.evidence.entry(scenario).or_default();
            ours.runs += theirs.runs;
            ours.exercised += theirs.exercised;
            ours.cut_short += theirs.cut_short;
            for (missing, runs) in theirs.missing {
                *ours.missing.entry(missing).or_default() += runs;
            }
        }
        for (scenario, runs) in other.unasked {
            *self.unasked.entry(scenario).or_default() += runs;
        }
    }

    /// Failures by fingerprint: how many, and the first of each.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<String, (u64, &Failure)> {
        let mut groups = BTreeMap::new();
        for failure in &self.failures {
            groups.entry(failure.fingerprint()).or_insert((0, failure)).0 += 1;
        }
        groups
    }

    /// Whether every verdict is a pass or not applicable and nothing was refused.
    #[must_use]
    pub fn held(&self) -> bool {
        self.failing_runs == 0 && self.undecided.is_empty() && self.refused.is_empty() && !self.interrupted
    }

    fn keep(&mut self, failure: Failure) {
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(failure);
        }
    }

    fn undecide(&mut self, undecided: Undecided) {
        let same = |known: &&mut Undecided| known.invariant == undecided.invariant && known.reason == undecided.reason;
        if let Some(known) = self.undecided.iter_mut().find(same) {
            known.runs += undecided.runs;
            return;
        }
        let reasons = self.undecided.iter().filter(|known| known.invariant == undecided.invariant).count();
        if reasons < REASONS_MAX {
            self.undecided.push(undecided);
        } else if let Some(last) = self.undecided.iter_mut().rfind(|known| known.invariant == undecided.invariant) {
            // The last kept reason stands for all later ones: the count stays right, the wording is that of one of them.
            last.runs += undecided.runs;
        }
    }
}

/// Violations, by invariant and shape, that nothing else explains: a stall was over before the heal phase, and what lies damaged at
/// the end need not have held anybody up then; nor does it make an assertion fail.
const ROOTS: &[(&str, &str)] = &[("liveness", "stalled"), ("liveness", "panicked")];

/// The broken invariants of a run, roots first.
#[must_use]
pub fn failure(run: &RunVerdicts) -> Option<Failure> {
    let broken: Vec<_> = run.verdicts.iter().filter_map(|(id, verdict)| verdict.witness().map(|witness| (*id, witness))).collect();
    let names: Vec<_> = broken.iter().map(|(id, _)| id.name()).collect();
    let finding = |(id, witness): &(InvariantId, &Witness)| Finding {
        invariant: id.name(),
        witness: (*witness).clone(),
        because_of: explanation(*id, &names).filter(|_| !ROOTS.contains(&(id.name(), &witness.shape))),
    };
    let mut findings: Vec<_> = broken.iter().map(finding).collect();
    findings.sort_by_key(|finding| finding.because_of.is_some());
    (!findings.is_empty()).then(|| Failure {
        file: run.file.clone(),
        scenario: run.scenario.clone(),
        seed: run.seed,
        bug: run.bug.clone(),
        replayable: run.replayable,
        findings,
    })
}

/// The first broken invariant, in the order of the registry, that is a cause of `id`, directly or through others.
fn explanation(id: InvariantId, broken: &[&'static str]) -> Option<&'static str> {
    let mut causes = vec![false; usize::from(id.0)];
    // Causes stand before their consequences, so one pass backwards reaches all of them.
    let mark = |causes: &mut Vec<bool>, of: InvariantId| {
        for cause in of.invariant().because_of {
            if let Some(known) = InvariantId::parse(cause).and_then(|cause| causes.get_mut(usize::from(cause.0))) {
                *known = true;
            }
        }
    };
    mark(&mut causes, id);
    for place in (0..id.0).rev() {
        if causes[usize::from(place)] {
            mark(&mut causes, InvariantId(place));
        }
    }
    broken.iter().copied().find(|name| InvariantId::parse(name).is_some_and(|cause| causes.get(usize::from(cause.0)) == Some(&true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::check::judge_run;
    use crate::testing::Story;
    use vopr_schema::{Ended, Status, TransitionEvent as Event};

    fn verdicts(story: &Story) -> RunVerdicts {
        judge_run(&story.history(), 0, &Selection::all(), &Budget::default())
    }

    /// A primary that commits with its own vote only, and then everybody loses the entry.
    fn below_quorum() -> Story {
        let mut story = Story::clean(2);
        story.accept(0, 3, 0);
        story.commit(0, 3, 0, Some(0b001));
        story
    }

    #[test]
    fn damage_that_could_have_been_repaired_explains_a_cluster_that_does_not_settle_and_no_stall() {
        let chosen = Selection::only(&["repair_completion", "liveness"]).unwrap();
        let judged = |story: &Story| judge_run(&story.history(), 0, &chosen, &Budget::default());
        let roots = |story: &Story| failure(&judged(story)).unwrap().roots().map(|finding| finding.invariant).collect::<Vec<_>>();
        let mut story = Story::clean(4);
        (story.run.ended, story.run.heal_time_ns) = (Ended::Stuck, Some(50_000_000));
        story.event(1, Event::CorruptionDetected, |row| row.op = Some(4));
        (0..600_000).for_each(|_| {
            story.tick();
        });
        assert_eq!(roots(&story), ["repair_completion"]);
        // Nobody is normal: no peer can be asked, and why that is so is what is to be told.
        let mut nobody = story.clone();
        for replica in 0..3 {
            nobody.event(replica, Event::StatusChanged, |row| row.status = Status::ViewChange);
        }
        assert_eq!(roots(&nobody), ["liveness"]);
        let mut stalled = story.clone();
        stalled.run.ended = Ended::TimeLimit;
        stalled.event(0, Event::Stalled, |_| {});
        assert_eq!(roots(&stalled), ["repair_completion", "liveness"]);
    }

    #[test]
    fn the_root_stands_first_and_the_rest_is_folded_under_it() {
        let failure = failure(&verdicts(&below_quorum())).expect("it fails");
        let root: Vec<_> = failure.roots().map(|finding| finding.invariant).collect();
        assert_eq!(root, ["quorum_commit"]);
        let folded: Vec<_> = failure.consequences().map(|finding| (finding.invariant, finding.because_of)).collect();
        assert_eq!(folded, [("vsr_durability", Some("quorum_commit"))]);
        assert_eq!(failure.findings[0].invariant, "quorum_commit");
    }

    #[test]
    fn fingerprints_group_by_cause_and_not_by_numbers() {
        let mut later = Story::clean(5);
        later.accept(0, 6, 0);
        later.commit(0, 6, 0, Some(0b001));
        let print = |story: &Story| failure(&verdicts(story)).expect("it fails").fingerprint();
        assert_eq!(print(&below_quorum()), print(&later));
        let mut other = Story::clean(2);
        other.append(1, 3, 0);
        other.entry(1, Event::Acknowledged, 3, 0);
        assert_ne!(print(&below_quorum()), print(&other));
    }

    #[test]
    fn merging_reports_is_adding_their_runs() {
        let runs = [verdicts(&Story::clean(3)), verdicts(&below_quorum()), verdicts(&Story::new(3))];
        let mut one = Report::new(&Selection::all());
        for run in &runs {
            one.add(run);
        }
        let mut merged = Report::new(&Selection::all());
        for run in &runs {
            let mut part = Report::new(&Selection::all());
            part.add(run);
            merged.merge(part);
        }
        let text = |report: &Report| serde_json::to_string(report).expect("a report is plain data");
        assert_eq!(text(&one), text(&merged));
        assert_eq!((one.runs, one.failing_runs, one.groups().len()), (3, 1, 1));
        assert!(!one.held());
    }

    #[test]
    fn a_run_is_cut_short_when_it_fails_before_it_shows_what_its_scenario_promises() {
        let mut report = Report::new(&Selection::all());
        for mut story in [Story::clean(3), below_quorum()] {
            story.run.scenario = "clock_drift".to_owned();
            report.add(&verdicts(&story));
        }
        let counted = &report.evidence["clock_drift"];
        assert_eq!((counted.runs, counted.exercised, counted.cut_short), (2, 0, 1));
    }

    #[test]
    fn reasons_beyond_the_limit_are_counted_with_the_last_one() {
        let mut report = Report::new(&Selection::all());
        for run in 0..REASONS_MAX as u64 + 9 {
            let reason = format!("reason {run}");
            report.undecide(Undecided { invariant: "liveness", reason, runs: 1, first: ("story".to_owned(), run) });
        }
        assert_eq!(report.undecided.len(), REASONS_MAX);
        assert_eq!(report.undecided.iter().map(|undecided| undecided.runs).sum::<u64>(), REASONS_MAX as u64 + 9);
    }

    #[test]
    fn nine_in_ten_runs_are_enough_evidence() {
        let cut = ScenarioEvidence { exercised: 1, runs: 10, cut_short: 8, ..ScenarioEvidence::default() };
        assert!(cut.is_cut_short() && !ScenarioEvidence { cut_short: 7, ..cut }.is_cut_short());
        let evidence = |exercised, runs| ScenarioEvidence { exercised, runs, ..ScenarioEvidence::default() };
        assert!(!evidence(9, 10).vacuous());
        assert!(evidence(89, 100).vacuous());
    }
}
