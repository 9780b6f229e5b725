//! Conditions on view changes and primaries: something must have met them at the wrong moment.

use super::conditions::faults;
use super::course::Course;
use crate::index::RunIndex;
use std::collections::BTreeMap;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Detail, Fate, FaultKind, Status, TransitionEvent};

pub(super) fn concurrent_view_changes(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut working: Vec<Option<u64>> = vec![None; index.replicas()];
    let mut met = false;
    for row in index.transition_rows() {
        let event = table.event.get(row);
        if met && event == TransitionEvent::ViewEntered {
            return true;
        }
        let Some(own) = working.get_mut(usize::from(table.replica[row])).filter(|_| event != TransitionEvent::VoteCast) else { continue };
        *own = (table.status.get(row) == Status::ViewChange).then_some(table.view[row]);
        let views = || working.iter().flatten();
        met |= views().min() != views().max();
    }
    false
}

/// By view: positions of the first `do_view_change` for it, and of its start.
fn collections(index: &RunIndex<'_>) -> BTreeMap<u64, (u64, u64)> {
    let table = index.transitions();
    let mut collections: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for row in index.transition_rows() {
        let (view, seq) = (table.view[row], table.seq[row]);
        match table.event.get(row) {
            TransitionEvent::VoteCast if table.entry_hash.get(row).is_some() => _ = collections.entry(view).or_insert((seq, u64::MAX)),
            TransitionEvent::ViewEntered => {
                if let Some((_, end)) = collections.get_mut(&view) {
                    *end = seq.min(*end);
                }
            }
            _ => {}
        }
    }
    collections
}

/// Whether a new primary built its log from a quorum's.
pub(super) fn view_change_completed(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut rows = index.transition_rows();
    rows.any(|row| table.event.get(row) == TransitionEvent::ViewEntered && table.quorum.get(row).is_some())
}

pub(super) fn old_view_during_view_change(index: &RunIndex<'_>) -> bool {
    let (table, course, collections) = (index.messages(), Course::of(index), collections(index));
    let is_old_business =
        |row: &usize| matches!(table.command.get(*row), Command::Prepare | Command::Commit) && table.fate.get(*row) == Fate::Delivered;
    index.message_rows().filter(is_old_business).any(|row| {
        let (seq, view) = (table.fate_seq.get(row).unwrap_or(u64::NONE), table.view.get(row).unwrap_or(u64::NONE));
        let Some(state) = course.at(usize::from(table.to[row]), seq) else { return false };
        let collected = || collections.get(&state.view).is_some_and(|(begin, end)| (*begin..*end).contains(&seq));
        state.status == Status::ViewChange && view < state.view && collected()
    })
}

/// Positions and replicas where a partition cut a primary from its quorum and that primary then stepped down: (view, position).
fn stepped_down(index: &RunIndex<'_>) -> Vec<(u64, u64)> {
    let (table, course, transitions) = (index.faults(), Course::of(index), index.transitions());
    let is_abdication =
        |row: &usize| transitions.event.get(*row) == TransitionEvent::Abdicated && transitions.detail.get(*row) == Some(Detail::NoQuorum);
    let abdications: Vec<usize> = index.transition_rows().filter(is_abdication).collect();
    let cuts = faults(index, FaultKind::PartitionFull).chain(faults(index, FaultKind::PartitionAsymmetric));
    let mut found = Vec::new();
    for fault in cuts {
        let (target, full) = (table.target.0[fault], table.fault.get(fault) == FaultKind::PartitionFull);
        let replica = if full { target.trailing_zeros() } else { target };
        let (begin, end_ns) = (table.seq[fault], table.end_time_ns.0[fault]);
        let Some(view) = course.led(index, replica as usize, begin) else { continue };
        let stepped = abdications.iter().find(|row| {
            u32::from(transitions.replica[**row]) == replica && transitions.seq[**row] > begin && transitions.time_ns[**row] <= end_ns
        });
        found.extend(stepped.map(|row| (view, transitions.seq[*row])));
    }
    found
}

pub(super) fn cut_primary_stepped_down(index: &RunIndex<'_>) -> bool {
    !stepped_down(index).is_empty()
}

pub(super) fn another_primary_committed(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let by_votes = |row: &usize| table.event.get(*row) == TransitionEvent::Committed && table.quorum.get(*row).is_some();
    let last = index.transition_rows().rev().find(by_votes).map(|row| (table.view[row], table.seq[row]));
    last.is_some_and(|(view, seq)| stepped_down(index).iter().any(|(old, at)| *old < view && *at < seq))
}
