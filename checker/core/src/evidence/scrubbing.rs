//! Conditions on scrubbers: what they found must have been damaged, and what they saw must have been there.

use super::conditions::{faults, three_hundred_acknowledged};
use crate::index::RunIndex;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, FaultKind, Outcome, TransitionEvent};

/// Entries of the log that `scrub_completes_tour` promises.
const LARGE_LOG: u64 = 5_000;
/// Tours of each scrubber beside a load.
const TOURS: u64 = 5;
/// Operations that make a load.
const LOAD: usize = 1_000;

/// Rows in which a scrubber tells that the committed entry that it has just read is damaged, on a disk that a fault had damaged.
fn findings<'a>(index: &'a RunIndex<'_>) -> impl Iterator<Item = usize> + 'a {
    let (table, damage) = (index.transitions(), index.faults());
    let mut read = vec![None; index.replicas()];
    index.transition_rows().filter(move |row| {
        let Some(read) = read.get_mut(usize::from(table.replica[*row])) else { return false };
        let op = table.op.get(*row);
        match table.event.get(*row) {
            TransitionEvent::ScrubRead => *read = op,
            TransitionEvent::CorruptionDetected => {
                let is_own = op.is_some() && read.take() == op && op <= Some(table.commit[*row]);
                let target = u32::from(table.replica[*row]);
                let is_damage = |fault: usize| damage.target.0[fault] == target && damage.seq[fault] < table.seq[*row];
                return is_own && faults(index, FaultKind::Corruption).any(is_damage);
            }
            _ => {}
        }
        false
    })
}

pub(super) fn cold_damage_found(index: &RunIndex<'_>) -> bool {
    findings(index).next().is_some()
}

pub(super) fn finding_repaired_by_peer(index: &RunIndex<'_>) -> bool {
    let (table, messages) = (index.transitions(), index.messages());
    findings(index).any(|found| {
        let (replica, op) = (table.replica[found], table.op.0[found]);
        let repaired = (found..index.transition_rows().end).find(|row| {
            table.replica[*row] == replica && table.event.get(*row) == TransitionEvent::Repaired && table.op.get(*row) == Some(op)
        });
        let Some(repaired) = repaired else { return false };
        let span = table.seq[found]..table.seq[repaired];
        index.message_rows().any(|row| {
            messages.command.get(row) == Command::RepairResponse
                && messages.to[row] == u16::from(replica)
                && messages.fate.get(row) == Fate::Delivered
                && messages.reject_reason.codes[row] == u8::NONE
                && messages.fate_seq.get(row).is_some_and(|seq| span.contains(&seq))
        })
    })
}

/// Numbers of entries that the tours of each replica have read, tour by tour.
fn tours(index: &RunIndex<'_>) -> Vec<Vec<u64>> {
    let table = index.transitions();
    let (mut tours, mut reads) = (vec![Vec::new(); index.replicas()], vec![0_u64; index.replicas()]);
    for row in index.transition_rows() {
        let replica = usize::from(table.replica[row]);
        let (Some(tours), Some(reads)) = (tours.get_mut(replica), reads.get_mut(replica)) else { continue };
        match table.event.get(row) {
            TransitionEvent::ScrubRead => *reads += u64::from(table.op.get(row).is_some()),
            TransitionEvent::TourCompleted => tours.push(core::mem::take(reads)),
            TransitionEvent::Restarted => *reads = 0,
            _ => {}
        }
    }
    tours
}

pub(super) fn large_log_seen(index: &RunIndex<'_>) -> bool {
    tours(index).iter().flatten().any(|entries| *entries > LARGE_LOG)
}

pub(super) fn five_tours_each(index: &RunIndex<'_>) -> bool {
    tours(index).iter().all(|tours| tours.len() as u64 >= TOURS)
}

pub(super) fn thousand_acknowledged(index: &RunIndex<'_>) -> bool {
    let table = index.operations();
    three_hundred_acknowledged(index) && index.operation_rows().filter(|row| table.outcome.get(*row) != Outcome::Unknown).count() >= LOAD
}
