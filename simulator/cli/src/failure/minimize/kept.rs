//! What stays the same while a run is made smaller.
//!
//! One invariant that is still broken is not enough: a smaller run may break it as a consequence of something else. So a candidate is
//! judged whole, as `vopr repro` would judge it, and the root of its failure is compared.

use crate::diagnose::causes_of;
use crate::diagnose::scene::Strength;
use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use vopr_checker::report::failure;
use vopr_checker::{InvariantId, Selection, Step};
use vopr_schema::{History, Kind};

/// A failure and the cluster that it needs.
#[derive(Debug)]
pub struct Kept {
    /// The root of the failure.
    pub root: Symptom,
    /// What the run was kept for, where that is not the root.
    wanted: Option<Symptom>,
    /// The first cause that is more than a possibility, of a failure whose witness only says that the run did not come to rest.
    cause: Option<&'static str>,
    /// Replicas that must remain.
    pub replicas_min: u8,
    /// What a candidate is judged by first.
    first_look: Selection,
}

impl Kept {
    /// The failure of a run that was judged by all invariants; none when it breaks nothing. `wanted` must be shown by it.
    #[must_use]
    pub fn of(trial: &Trial, wanted: Option<&Symptom>, replicas_min: u8) -> Option<Self> {
        let root = trial.symptom()?;
        let wanted = wanted.filter(|wanted| !wanted.is_like(&root)).cloned();
        let cause = is_of_the_end(&root.invariant, &root.shape).then(|| first_cause(&trial.history)).flatten();
        let names: Vec<&str> = [Some(&root), wanted.as_ref()].into_iter().flatten().map(|symptom| symptom.invariant.as_str()).collect();
        let known: Vec<&str> = names.into_iter().filter(|name| InvariantId::parse(name).is_some()).collect();
        let first_look = if known.is_empty() { Selection::none() } else { Selection::only(&known).unwrap_or_else(|_| Selection::all()) };
        Some(Self { root, wanted, cause, replicas_min, first_look })
    }

    /// The invariants without which a candidate need not be judged any further.
    #[must_use]
    pub fn first_look(&self) -> &Selection {
        &self.first_look
    }

    /// Whether a run fails the same way, and the virtual time by which that is visible, nanoseconds.
    #[must_use]
    pub fn is_kept_by(&self, trial: &Trial) -> Option<u64> {
        let all = [Some(&self.root), self.wanted.as_ref()];
        if !all.into_iter().flatten().all(|symptom| trial.shows(symptom)) {
            return None;
        }
        let verdicts = trial.judged_by_all();
        let root = Symptom::of(&trial.summary, verdicts.as_ref())?;
        if !root.is_like(&self.root) || self.cause.is_some_and(|cause| first_cause(&trial.history) != Some(cause)) {
            return None;
        }
        let found = verdicts.as_ref().and_then(failure).and_then(|failure| failure.findings.into_iter().next());
        let steps = found.filter(|found| found.invariant == root.invariant).map(|found| found.witness.steps).unwrap_or_default();
        Some(visible_ns(&trial.history, &steps))
    }
}

/// Whether a violation is one of how a run ends: no beginning of the run shows it.
#[must_use]
pub fn is_of_the_end(invariant: &str, shape: &str) -> bool {
    let Some(id) = InvariantId::parse(invariant) else { return false };
    let run = id.invariant().reads.iter().find(|reads| reads.kind == Kind::Run);
    let reads = |column: &str| run.is_some_and(|run| run.columns.contains(&column));
    reads("ended") && reads("heal_time_ns") && shape != STALLED
}

/// The shape of a stall, which has a row of its own.
const STALLED: &str = "stalled";

fn first_cause(history: &History) -> Option<&'static str> {
    causes_of(history, 0).first().filter(|found| found.sign.strength > Strength::Possible).map(|found| found.cause.name)
}

/// When the last of these rows was complete: an operation when it returned, a message when its fate was known.
fn visible_ns(history: &History, steps: &[Step]) -> u64 {
    let complete_ns = |step: &Step| {
        let later = match step.kind {
            Kind::Operation => {
                let table = &history.operations;
                table.row_at(0, step.seq).and_then(|row| table.return_time_ns.get(row))
            }
            Kind::Message => {
                let table = &history.messages;
                table.row_at(0, step.seq).and_then(|row| table.fate_time_ns.get(row))
            }
            _ => None,
        };
        later.or(step.time_ns).unwrap_or(u64::MAX)
    };
    steps.iter().map(complete_ns).max().unwrap_or(u64::MAX)
}
