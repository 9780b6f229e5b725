//! Conditions on replicas that fall behind and commits that do not come.

use super::conditions::happened;
use super::course::compressed;
use crate::index::RunIndex;
use crate::invariants::repair_selection;
use std::collections::BTreeSet;
use vopr_schema::TransitionEvent;

/// More entries than this are a gap that repairs do not close.
const GAP: u64 = 100;
/// A commit that takes longer is stalled: the timeouts of primary and backups, nominal nanoseconds.
const STALL_NS: u64 = 1_000_000_000;

pub(super) fn state_installed(index: &RunIndex<'_>) -> bool {
    happened(index, TransitionEvent::StateInstalled)
}

pub(super) fn hundred_behind(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut known = vec![0; index.replicas()];
    let mut highest = 0;
    for row in index.transition_rows() {
        let Some(own) = known.get_mut(usize::from(table.replica[row])) else { continue };
        // A restarted replica has its log still: what it once had committed is no gap.
        *own = table.commit[row].max(*own);
        highest = highest.max(*own);
        if own.saturating_add(GAP) < highest {
            return true;
        }
    }
    false
}

pub(super) fn two_repair_at_once(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut wanted: Vec<BTreeSet<u64>> = vec![BTreeSet::new(); index.replicas()];
    for row in index.transition_rows() {
        let Some(own) = wanted.get_mut(usize::from(table.replica[row])) else { continue };
        let op = table.op.get(row).unwrap_or_default();
        match table.event.get(row) {
            TransitionEvent::RepairRequested => _ = own.insert(op),
            TransitionEvent::EntryAppended | TransitionEvent::Repaired | TransitionEvent::Committed => _ = own.remove(&op),
            TransitionEvent::StatusChanged
            | TransitionEvent::ViewEntered
            | TransitionEvent::Crashed
            | TransitionEvent::Restarted
            | TransitionEvent::StateInstalled => own.clear(),
            _ => continue,
        }
        if wanted.iter().filter(|ops| !ops.is_empty()).count() >= 2 {
            return true;
        }
    }
    false
}

pub(super) fn asked_beside_a_slow_peer(index: &RunIndex<'_>) -> bool {
    repair_selection::requests_beside_a_slow_peer(index) >= repair_selection::REQUESTS_MIN
}

pub(super) fn commit_stalled(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let bound_ns = compressed(index, STALL_NS);
    let (mut highest, mut waiting_since) = (0, None);
    for row in index.transition_rows() {
        match table.event.get(row) {
            TransitionEvent::TimestampAssigned => _ = waiting_since.get_or_insert(table.time_ns[row]),
            TransitionEvent::Committed if table.commit[row] > highest => {
                highest = table.commit[row];
                if waiting_since.take().is_some_and(|since| table.time_ns[row].saturating_sub(since) > bound_ns) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}
