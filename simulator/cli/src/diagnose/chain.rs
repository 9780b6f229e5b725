//! From a fault over the cause to the symptom: the rows of a diagnosis in the order of time, each with its part of the story.
//!
//! A run has many faults, and most have nothing to do with its failure. Only those are told that touch a row of the story: they
//! stopped, cut off or slowed a replica at the very time, or damaged the entry or the message that is cited.

use super::scene::{Sign, end_words, is_damaged_read};
use std::collections::BTreeSet;
use vopr_checker::{Failure, Step};
use vopr_schema::{Dictionary, FaultKind, History, Kind, StorageOutcome, TransitionEvent, Zone};

/// Faults that are told, at most: the last of each kind before the cause.
const FAULTS_MAX: usize = 3;

/// Steps of the witness that are told, at most.
const SYMPTOMS_MAX: usize = 4;

/// The story of a run.
pub(crate) fn told(history: &History, run: usize, cause: Option<&Sign>, failure: Option<&Failure>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    if let Some(sign) = cause {
        steps.extend(faults(history, run, &sign.rows));
        steps.extend(sign.rows.iter().cloned());
    }
    let witness = failure.and_then(|failure| failure.findings.first()).map(|finding| &finding.witness);
    let symptoms = witness.iter().flat_map(|witness| witness.steps.iter().rev().take(SYMPTOMS_MAX));
    let known: BTreeSet<u64> = steps.iter().map(|step| step.seq).collect();
    steps.extend(symptoms.filter(|step| !known.contains(&step.seq)).cloned());
    steps.sort_by_key(|step| step.seq);
    steps
}

/// The faults before the last of these rows that touch one of them: the last of each kind.
fn faults(history: &History, run: usize, rows: &[Step]) -> Vec<Step> {
    let table = &history.faults;
    let cited: Vec<Cited> = rows.iter().map(|step| Cited::of(history, run, step)).collect();
    let last = rows.iter().map(|step| step.seq).max().unwrap_or(0);
    let mut kinds: BTreeSet<&'static str> = BTreeSet::new();
    let mut steps = Vec::new();
    for row in table.rows_of_run(run).rev().filter(|row| table.seq[*row] < last) {
        let fault = Fault { history, run, row };
        let name = table.fault.get(row).name();
        if !kinds.contains(name) && fault.touches(&cited) {
            kinds.insert(name);
            steps.push(Step::new(Kind::Fault, table.seq[row], fault.words()).at(table.time_ns[row]));
        }
        if steps.len() == FAULTS_MAX {
            break;
        }
    }
    steps
}

/// A row of the story.
struct Cited {
    kind: Kind,
    seq: u64,
    time_ns: u64,
    /// Replicas, or other endpoints, that it is about; a message: its two ends.
    ends: Vec<u32>,
    op: Option<u64>,
    epoch: u32,
    /// Whether it is a message that was changed on its way.
    is_changed: bool,
    /// Whether it is about a clock.
    is_clock: bool,
}

impl Cited {
    fn of(history: &History, run: usize, step: &Step) -> Self {
        let mut cited = Self {
            kind: step.kind,
            seq: step.seq,
            time_ns: step.time_ns.unwrap_or(0),
            ends: step.replica.map(u32::from).into_iter().collect(),
            op: None,
            epoch: 0,
            is_changed: false,
            is_clock: false,
        };
        match step.kind {
            Kind::Message => {
                let table = &history.messages;
                if let Some(row) = table.row_at(run, step.seq) {
                    cited.ends = vec![u32::from(table.from[row]), u32::from(table.to[row])];
                    (cited.op, cited.is_changed) = (table.op.get(row), table.mutation.get(row).is_some());
                }
            }
            Kind::Transition => {
                let table = &history.transitions;
                if let Some(row) = table.row_at(run, step.seq) {
                    (cited.op, cited.epoch) = (table.op.get(row), table.epoch[row]);
                    cited.is_clock = matches!(
                        table.event.get(row),
                        TransitionEvent::ClockSynchronised | TransitionEvent::ClockLost | TransitionEvent::TimestampAssigned
                    );
                }
            }
            Kind::Storage => {
                let table = &history.storage;
                cited.op = table.row_at(run, step.seq).and_then(|row| table.op.get(row));
            }
            _ => {}
        }
        cited
    }

    fn is_about(&self, end: Option<u32>) -> bool {
        end.is_some_and(|end| self.ends.contains(&end))
    }
}

/// A fault of the run.
struct Fault<'a> {
    history: &'a History,
    run: usize,
    row: usize,
}

impl Fault<'_> {
    fn touches(&self, cited: &[Cited]) -> bool {
        use FaultKind as F;
        let table = &self.history.faults;
        let (target, peer, seq) = (table.target.get(self.row), table.peer.get(self.row), table.seq[self.row]);
        let any = |is: &dyn Fn(&Cited) -> bool| cited.iter().any(is);
        match table.fault.get(self.row) {
            // They are there all the time, and no row says which message they took.
            F::Other | F::Loss | F::Duplication | F::LoadBurst | F::TenantFault => false,
            kind if kind.ends_or_begins_process() => any(&|row| row.is_about(target) && self.stops(row, cited)),
            F::Corruption | F::StaleRead | F::MisdirectedWrite | F::TornWrite | F::LostWrite => {
                any(&|row| row.is_about(target) && self.damages(row))
            }
            F::WriteFailure | F::FlushFailure | F::ReadFailure => {
                any(&|row| row.is_about(target) && row.kind == Kind::Storage && row.time_ns == table.time_ns[self.row])
            }
            F::MessageMutation => any(&|row| row.is_changed && row.is_about(target) && row.is_about(peer) && self.changes(row)),
            F::Attack => any(&|row| row.is_changed && row.ends.first().copied() == target && self.is_on_at(row.time_ns)),
            // The configuration that came of it is in force.
            F::Reconfigure => any(&|row| row.epoch > 0 && row.seq > seq),
            F::ClockOffset | F::ClockDrift | F::ClockStep => any(&|row| row.is_clock && row.is_about(target) && row.seq > seq),
            F::PartitionFull => any(&|row| {
                let is_in = |end: &u32| target.is_some_and(|set| set.checked_shr(*end).is_some_and(|set| set & 1 == 1));
                row.ends.iter().any(is_in) && self.is_on_at(row.time_ns)
            }),
            _ => any(&|row| (row.is_about(target) || row.is_about(peer)) && self.is_on_at(row.time_ns)),
        }
    }

    fn is_on_at(&self, time_ns: u64) -> bool {
        let (table, run) = (&self.history.faults, &self.history.runs[self.run]);
        let end_ns = table.end_time_ns.get(self.row).or(run.heal_time_ns).unwrap_or(u64::MAX);
        (table.time_ns[self.row]..=end_ns).contains(&time_ns)
    }

    /// Whether a replica was stopped, or started, between the rows of the story, or a row is what its next start made of it.
    fn stops(&self, row: &Cited, cited: &[Cited]) -> bool {
        let (table, transitions) = (&self.history.faults, &self.history.transitions);
        let (seq, time_ns) = (table.seq[self.row], table.time_ns[self.row]);
        let own = cited.iter().filter(|other| other.ends == row.ends);
        if own.map(|other| other.seq).min().is_some_and(|first| first < seq) && seq < row.seq {
            return true;
        }
        let is_start = |at: &usize| {
            matches!(transitions.event.get(*at), TransitionEvent::Started | TransitionEvent::Restarted)
                && Some(u32::from(transitions.replica[*at])) == table.target.get(self.row)
                && transitions.seq[*at] > seq
        };
        let start = transitions.rows_of_run(self.run).find(is_start);
        start.is_some_and(|start| transitions.time_ns[start] == row.time_ns && time_ns <= row.time_ns)
    }

    /// Whether a row is about the entry that the fault damaged.
    fn damages(&self, row: &Cited) -> bool {
        if row.op.is_none() || row.seq < self.history.faults.seq[self.row] {
            return false;
        }
        match self.damaged_op() {
            Some(op) => Some(op) == row.op,
            // A planned one does not say which entry it hit: the next access to this one must be a read that found it damaged.
            None => self.next_access(row.op).is_some_and(|access| is_damaged_read(&self.history.storage, access)),
        }
    }

    /// The entry that was hit, where the access at the same moment says it.
    fn damaged_op(&self) -> Option<u64> {
        let (faults, table) = (&self.history.faults, &self.history.storage);
        let (seq, time_ns, target) = (faults.seq[self.row], faults.time_ns[self.row], faults.target.get(self.row));
        let rows = table.rows_of_run(self.run);
        let here = |access: &usize| {
            table.time_ns[*access] == time_ns && Some(u32::from(table.replica[*access])) == target && table.zone.get(*access) == Zone::Log
        };
        let next = rows.start + table.seq[rows.clone()].partition_point(|other| *other < seq);
        let wanted = match faults.fault.get(self.row) {
            FaultKind::TornWrite => StorageOutcome::Torn,
            FaultKind::LostWrite => StorageOutcome::Lost,
            // Damage that was drawn at an access comes right behind it.
            _ if faults.plan_index.get(self.row).is_none() => {
                return (rows.start..next).next_back().filter(here).and_then(|at| table.op.get(at));
            }
            _ => return None,
        };
        (next..rows.end)
            .take_while(|at| table.time_ns[*at] == time_ns)
            .filter(here)
            .find(|at| table.outcome.get(*at) == wanted)
            .and_then(|at| table.op.get(at))
    }

    /// The first access of the target to the place of an op after the fault.
    fn next_access(&self, op: Option<u64>) -> Option<usize> {
        let (faults, table) = (&self.history.faults, &self.history.storage);
        let mut rows = table.rows_of_run(self.run).filter(|at| table.seq[*at] > faults.seq[self.row]);
        rows.find(|at| {
            Some(u32::from(table.replica[*at])) == faults.target.get(self.row)
                && table.zone.get(*at) == Zone::Log
                && table.op.get(*at) == op
        })
    }

    /// Whether a message was on its way when it was changed.
    fn changes(&self, row: &Cited) -> bool {
        let (faults, table) = (&self.history.faults, &self.history.messages);
        let place = table.row_at(self.run, row.seq);
        let time_ns = faults.time_ns[self.row];
        place.is_some_and(|at| (table.time_ns[at]..=table.fate_time_ns.get(at).unwrap_or(u64::MAX)).contains(&time_ns))
    }

    fn words(&self) -> String {
        let table = &self.history.faults;
        let (kind, target, peer) = (table.fault.get(self.row), table.target.get(self.row), table.peer.get(self.row));
        let is_set = matches!(kind, FaultKind::PartitionFull | FaultKind::Reconfigure);
        let end = |end| end_words(&self.history.runs[self.run], end);
        let on = target.filter(|_| !is_set).map_or_else(String::new, |target| format!(" of {}", end(target)));
        let to = peer.filter(|_| !is_set).map_or_else(String::new, |peer| format!(" towards {}", end(peer)));
        let is_damage = matches!(kind, FaultKind::Corruption | FaultKind::TornWrite | FaultKind::LostWrite);
        let op = self.damaged_op().filter(|_| is_damage).map_or_else(String::new, |op| format!(", op {op}"));
        format!("fault: {}{on}{to}{op}", kind.name().replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::faults;
    use vopr_checker::Step;
    use vopr_schema::{
        FaultKind, FaultRow, History, Kind, Run, StorageIo, StorageOutcome, StorageRow, TransitionEvent, TransitionRow, Zone,
    };

    fn access(seq: u64, io: StorageIo, op: u64, outcome: StorageOutcome) -> StorageRow {
        StorageRow { seq, time_ns: seq, replica: 2, io, zone: Zone::Log, op: Some(op), outcome, ..StorageRow::default() }
    }

    fn fault(seq: u64, time_ns: u64, fault: FaultKind, target: u32) -> FaultRow {
        FaultRow { seq, time_ns, fault, target: Some(target), ..FaultRow::default() }
    }

    /// Replica 2 has ops 6 and 7 damaged right after they were flushed, starts again, and reads op 7.
    fn history() -> History {
        let mut history = History::default();
        for (seq, op) in [(10, 7), (20, 6)] {
            history.storage.push(access(seq, StorageIo::Flush, op, StorageOutcome::Ok));
            history.faults.push(fault(seq + 1, seq, FaultKind::Corruption, 2));
        }
        history.faults.push(FaultRow { peer: Some(2), ..fault(30, 30, FaultKind::MessageMutation, 0) });
        history.faults.push(FaultRow { end_time_ns: Some(40), ..fault(31, 31, FaultKind::PartitionOneWay, 2) });
        history.faults.push(fault(41, 41, FaultKind::Crash, 2));
        history.faults.push(fault(50, 50, FaultKind::Restart, 2));
        history.storage.push(StorageRow { time_ns: 50, ..access(51, StorageIo::Read, 7, StorageOutcome::Corrupt) });
        let restarted = TransitionRow { seq: 52, time_ns: 50, replica: 2, event: TransitionEvent::Restarted, ..TransitionRow::default() };
        history.transitions.push(restarted);
        history.close_run(Run { replicas: 3, ..Run::default() });
        history
    }

    #[test]
    fn only_faults_that_touch_the_story_are_told() {
        let history = history();
        let read = Step::new(Kind::Storage, 51, "the read of op 7 returns it damaged").at(50).on(2);
        let told: Vec<String> = faults(&history, 0, &[read]).into_iter().map(|step| step.words).collect();
        assert_eq!(told, ["fault: restart of replica 2", "fault: crash of replica 2", "fault: corruption of replica 2, op 7"]);
    }
}
