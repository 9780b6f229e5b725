//! From a fault over the cause to the symptom: the rows of a diagnosis in the order of time, each with its part of the story.

use super::scene::Sign;
use std::collections::BTreeSet;
use vopr_checker::{Failure, Step};
use vopr_schema::{Dictionary, FaultKind, History, Kind};

/// Faults that are told, at most: the last of each kind before the cause.
const FAULTS_MAX: usize = 3;

/// Steps of the witness that are told, at most.
const SYMPTOMS_MAX: usize = 4;

/// The story of a run.
pub(super) fn told(history: &History, run: usize, cause: Option<&Sign>, failure: Option<&Failure>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    if let Some(sign) = cause {
        steps.extend(faults(history, run, sign));
        steps.extend(sign.rows.iter().cloned());
    }
    let witness = failure.and_then(|failure| failure.findings.first()).map(|finding| &finding.witness);
    let symptoms = witness.iter().flat_map(|witness| witness.steps.iter().rev().take(SYMPTOMS_MAX));
    let known: BTreeSet<u64> = steps.iter().map(|step| step.seq).collect();
    steps.extend(symptoms.filter(|step| !known.contains(&step.seq)).cloned());
    steps.sort_by_key(|step| step.seq);
    steps
}

/// The faults just before a cause that hit one of the replicas it is about.
fn faults(history: &History, run: usize, sign: &Sign) -> Vec<Step> {
    let table = &history.faults;
    let involved: BTreeSet<u32> = sign.rows.iter().flat_map(|step| replicas(history, run, step)).collect();
    let mut kinds: BTreeSet<&'static str> = BTreeSet::new();
    let mut steps = Vec::new();
    for row in table.rows_of_run(run).rev().filter(|row| table.seq[*row] < sign.seq()) {
        let (kind, target, peer) = (table.fault.get(row), table.target.get(row), table.peer.get(row));
        let is_set = matches!(kind, FaultKind::PartitionFull | FaultKind::Reconfigure);
        let hits = |end: Option<u32>| end.is_some_and(|end| involved.contains(&end));
        let hit = if is_set {
            target.is_some_and(|set| involved.iter().any(|one| set.checked_shr(*one).is_some_and(|set| set & 1 == 1)))
        } else {
            hits(target) || hits(peer)
        };
        if hit && kinds.insert(kind.name()) {
            let on = target.filter(|_| !is_set).map_or_else(String::new, |target| format!(" of {target}"));
            let to = peer.filter(|_| !is_set).map_or_else(String::new, |peer| format!(" towards {peer}"));
            let words = format!("fault: {}{on}{to}", kind.name().replace('_', " "));
            steps.push(Step::new(Kind::Fault, table.seq[row], words).at(table.time_ns[row]));
        }
        if steps.len() == FAULTS_MAX {
            break;
        }
    }
    steps
}

/// The replicas that a cited row is about.
fn replicas(history: &History, run: usize, step: &Step) -> Vec<u32> {
    if step.kind != Kind::Message {
        return step.replica.map(u32::from).into_iter().collect();
    }
    let table = &history.messages;
    let range = table.rows_of_run(run);
    let place = table.seq[range.clone()].binary_search(&step.seq);
    place.map_or_else(|_| Vec::new(), |place| vec![u32::from(table.from[range.start + place]), u32::from(table.to[range.start + place])])
}
