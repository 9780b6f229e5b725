//! One thread's simulator and checker: a seed goes in, a judged run comes out.
//!
//! The simulator and the history are reused from run to run; a simulator that panicked is replaced, so that nothing of a failed
//! run can leak into the next one.

use crate::tally::{Failure, Tally};
use cpu_time::ThreadTime;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vopr_check::output::INTERNAL;
use vopr_checker::{Budget, RunVerdicts, Selection, Verdict, judge_run};
use vopr_schema::{Ended, History};
use vopr_sim::scenario::{Overrides, Scenario};
use vopr_sim::{RunRequest, RunSummary, Simulator};

/// How runs are simulated and judged; the same for a whole campaign.
#[derive(Clone, Debug)]
pub struct Orders {
    /// What changes the scenarios' options.
    pub overrides: Overrides,
    /// Invariants to check; none for a campaign that only simulates.
    pub selection: Option<Selection>,
    /// Limits of a check.
    pub budget: Budget,
    /// Whether each seed is simulated twice.
    pub twice: bool,
}

/// A simulated and judged run.
#[derive(Debug)]
pub struct JudgedRun {
    /// Seed.
    pub seed: u64,
    /// How the run ended.
    pub ended: Ended,
    /// Its digest, when it was recorded.
    pub digest: Option<[u8; 32]>,
    /// All verdicts, when it was checked.
    pub verdicts: Option<RunVerdicts>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The run as counts.
    pub tally: Tally,
    /// CPU time of simulating and checking it, nanoseconds.
    pub cpu_ns: u64,
    /// Where a file of it was written.
    pub kept: Option<PathBuf>,
    /// Of a failing run whose causes were asked for: those that its rows prove, the likeliest first.
    pub causes: Vec<&'static str>,
}

/// One thread's machinery.
#[derive(Default)]
pub struct Rig {
    simulator: Simulator,
    twin: History,
}

impl core::fmt::Debug for Rig {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Rig").finish_non_exhaustive()
    }
}

impl JudgedRun {
    /// Looks for the causes of a failing run, which is the last of a history.
    pub fn explain(&mut self, history: &History) {
        let recorded = self.digest.is_some() && self.failure.is_some();
        if let Some(last) = history.runs.len().checked_sub(1).filter(|_| recorded) {
            // A diagnosis that breaks down explains nothing, and the failure is told all the same.
            self.causes = catch_unwind(AssertUnwindSafe(|| crate::diagnose::proven(history, last))).unwrap_or_default();
        }
    }
}

impl Rig {
    /// Simulates a run, recording it behind what `history` holds when there is one, and judges it.
    pub fn run(&mut self, scenario: &'static Scenario, seed: u64, orders: &Orders, mut history: Option<&mut History>) -> JudgedRun {
        let cpu = ThreadTime::now();
        let started = Instant::now();
        let simulated = self.simulate(scenario, seed, orders, history.as_deref_mut());
        let simulating = started.elapsed();
        let recorded = history.as_deref().filter(|history| simulated.is_ok() && !history.runs.is_empty());
        let digest = simulated.as_ref().ok().and_then(|summary| summary.digest);
        let started = Instant::now();
        let judged = recorded.zip(orders.selection.as_ref()).map(|(history, selection)| judge(history, selection, &orders.budget));
        let broke = judged.as_ref().is_some_and(Option::is_none);
        let verdicts = judged.flatten();
        let checking = started.elapsed();
        let first = simulated.as_ref().ok().filter(|_| orders.twice);
        let differs = first.and_then(|first| self.differs(scenario, seed, orders, first, recorded.is_some()));
        let mut tally = count(simulated.as_ref().ok(), verdicts.as_ref(), simulating, checking);
        tally.broken += u64::from(broke);
        let complaint = differs.or_else(|| complaint(&simulated));
        let failure = failure(scenario.name, seed, complaint, verdicts.as_ref());
        tally.failed = u64::from(failure.is_some());
        let ended = simulated.map_or(Ended::Panicked, |summary| summary.ended);
        let cpu_ns = nanoseconds(cpu.elapsed());
        JudgedRun { seed, ended, digest, verdicts, failure, tally, cpu_ns, kept: None, causes: Vec::new() }
    }

    /// Simulates one run; the error is the message of a panic.
    fn simulate(
        &mut self,
        scenario: &'static Scenario,
        seed: u64,
        orders: &Orders,
        history: Option<&mut History>,
    ) -> Result<RunSummary, String> {
        let request = RunRequest::new(scenario, seed, &orders.overrides).map_err(|error| error.to_string())?;
        catch_unwind(AssertUnwindSafe(|| self.simulator.simulate(&request, history))).map_err(|payload| {
            self.simulator = Simulator::new();
            let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            format!("the simulator itself panicked: {}", text.unwrap_or("no message"))
        })
    }

    /// Simulates the seed once more in a world that has seen no other; says how the two differ.
    fn differs(
        &mut self,
        scenario: &'static Scenario,
        seed: u64,
        orders: &Orders,
        first: &RunSummary,
        recorded: bool,
    ) -> Option<(String, String)> {
        let mut twin = core::mem::take(&mut self.twin);
        twin.clear();
        let second = Self::default().simulate(scenario, seed, orders, recorded.then_some(&mut twin));
        self.twin = twin;
        let sentence = match second {
            Err(message) => format!("the second simulation panicked: {message}"),
            Ok(second) if second.digest != first.digest => {
                let text = |digest: Option<[u8; 32]>| digest.map_or_else(|| "none".to_owned(), |digest| short(&digest));
                format!("two simulations have the digests {} and {}", text(first.digest), text(second.digest))
            }
            Ok(second) if second.trace != first.trace => {
                format!("two simulations have the event traces {:016x} and {:016x}", first.trace, second.trace)
            }
            Ok(_) => return None,
        };
        Some(("determinism".to_owned(), sentence))
    }
}

/// Judges the last run; none when the check itself broke down, which has been told on standard error.
fn judge(history: &History, selection: &Selection, budget: &Budget) -> Option<RunVerdicts> {
    let last = history.runs.len().checked_sub(1)?;
    catch_unwind(AssertUnwindSafe(|| judge_run(history, last, selection, budget))).ok()
}

/// The first characters of a digest.
#[must_use]
pub fn short(digest: &[u8; 32]) -> String {
    vopr_check::output::json::hex(&digest[..8])
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn count(summary: Option<&RunSummary>, verdicts: Option<&RunVerdicts>, simulating: Duration, checking: Duration) -> Tally {
    let reasons = |verdicts: &RunVerdicts| -> Vec<String> {
        let reason = |(_, verdict): &(_, Verdict)| match verdict {
            Verdict::Unknown { reason } => Some(reason.clone()),
            _ => None,
        };
        verdicts.verdicts.iter().filter_map(reason).collect()
    };
    let unknown = verdicts.map(reasons).unwrap_or_default();
    Tally {
        runs: 1,
        failed: 0,
        undecided: u64::from(!unknown.is_empty()),
        broken: u64::from(unknown.iter().any(|reason| reason.starts_with(INTERNAL))),
        promised: u64::from(verdicts.is_some_and(|verdicts| verdicts.evidence.is_some())),
        exercised: u64::from(
            verdicts.and_then(|verdicts| verdicts.evidence.as_ref()).is_some_and(vopr_checker::evidence::Evidence::exercised),
        ),
        events: summary.map_or(0, |summary| summary.events),
        rows: summary.map_or(0, |summary| summary.rows as u64),
        operations: summary.map_or(0, |summary| summary.operations_ok),
        facts: verdicts.map_or(0, |verdicts| verdicts.verdicts.iter().map(|(_, verdict)| verdict.facts()).sum()),
        simulating_ns: nanoseconds(simulating),
        checking_ns: nanoseconds(checking),
    }
}

/// What a run says against itself, without any invariant: a word and a sentence.
fn complaint(simulated: &Result<RunSummary, String>) -> Option<(String, String)> {
    match simulated {
        Err(message) => Some(("panicked".to_owned(), message.clone())),
        Ok(summary) if matches!(summary.ended, Ended::Panicked | Ended::Stuck) => {
            let word = vopr_schema::Dictionary::name(summary.ended).to_owned();
            Some((word, summary.ended_detail.clone().unwrap_or_else(|| "no detail".to_owned())))
        }
        Ok(_) => None,
    }
}

/// A run fails by a violated invariant, or by what it says against itself.
fn failure(scenario: &str, seed: u64, complaint: Option<(String, String)>, verdicts: Option<&RunVerdicts>) -> Option<Failure> {
    let findings = verdicts.and_then(vopr_checker::report::failure).map(|failure| failure.findings).unwrap_or_default();
    let violated = findings.first().map(|finding| (finding.invariant.to_owned(), finding.witness.summary.clone()));
    let also: Vec<String> = findings.iter().map(|finding| finding.invariant.to_owned()).collect();
    // A panic or a difference is the reason whatever else is wrong; being stuck is told better by an invariant.
    let first = match complaint {
        Some((word, sentence)) if word != "stuck" || violated.is_none() => Some((word, sentence)),
        _ => violated,
    };
    let (invariant, sentence) = first?;
    let also = also.into_iter().filter(|name| *name != invariant).collect();
    Some(Failure { scenario: scenario.to_owned(), seed, invariant, sentence, also, group: None, file: None })
}
