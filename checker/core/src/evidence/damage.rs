//! Conditions on damaged messages and disks: damage must have been read, and have been found.

use super::conditions::faults;
use super::course::{Course, compressed};
use crate::index::RunIndex;
use vopr_schema::{Detail, Fate, FaultKind, Mutation, RejectReason, StorageIo, StorageOutcome, TransitionEvent};

/// An access that takes so long is slow whatever the disk, nominal nanoseconds.
const SLOW_NS: u64 = 100_000_000;

/// Messages that arrived with one of these mutations; none when one of them was not refused.
fn refused(index: &RunIndex<'_>, mutations: &[Mutation]) -> Option<Vec<Mutation>> {
    let table = index.messages();
    let mut seen = Vec::new();
    for row in index.message_rows().filter(|row| table.fate.get(*row) == Fate::Delivered) {
        let Some(mutation) = table.mutation.get(row).filter(|mutation| mutations.contains(mutation)) else { continue };
        table.reject_reason.get(row)?;
        seen.push(mutation);
    }
    Some(seen)
}

pub(super) fn flips_refused(index: &RunIndex<'_>) -> bool {
    refused(index, &[Mutation::BitFlip]).is_some_and(|seen| !seen.is_empty())
}

pub(super) fn every_kind_refused(index: &RunIndex<'_>) -> bool {
    let kinds = [Mutation::BitFlip, Mutation::Truncated, Mutation::Inserted, Mutation::Checksum];
    refused(index, &kinds).is_some_and(|seen| kinds.iter().all(|kind| seen.contains(kind)))
}

pub(super) fn no_clean_message_refused(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let is_false = |row: &usize| table.mutation.get(*row).is_none() && table.reject_reason.get(*row) == Some(RejectReason::Checksum);
    !index.message_rows().any(|row| is_false(&row))
}

/// Rows that tell of found damage of this kind, with the replica that found it.
fn found<'a>(index: &'a RunIndex<'_>, what: Detail) -> impl Iterator<Item = usize> + 'a {
    let table = index.transitions();
    let is_found = move |row: &usize| table.event.get(*row) == TransitionEvent::CorruptionDetected && table.detail.get(*row) == Some(what);
    index.transition_rows().filter(is_found)
}

/// Whether a fault of this kind struck a replica between two positions.
fn struck(index: &RunIndex<'_>, kind: FaultKind, replica: u8, from_seq: u64, to_seq: u64) -> bool {
    let table = index.faults();
    faults(index, kind).any(|row| table.target.0[row] == u32::from(replica) && (from_seq..to_seq).contains(&table.seq[row]))
}

pub(super) fn damaged_entry_found(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    found(index, Detail::CorruptEntry).any(|row| struck(index, FaultKind::Corruption, table.replica[row], 0, table.seq[row]))
}

pub(super) fn misplaced_entry_found(index: &RunIndex<'_>) -> bool {
    found(index, Detail::MisplacedEntry).next().is_some()
}

pub(super) fn stale_read(index: &RunIndex<'_>) -> bool {
    let table = index.storage();
    index.storage_rows().any(|row| table.io.get(row) == StorageIo::Read && table.outcome.get(row) == StorageOutcome::Stale)
}

/// Whether a replica found, in the step of its restart, damage that this kind of fault did between its crash and that restart.
fn found_at_restart(index: &RunIndex<'_>, what: Detail, kind: FaultKind) -> bool {
    let table = index.transitions();
    found(index, what).any(|row| {
        let own = |other: &usize| table.replica[*other] == table.replica[row];
        let earlier = || (index.transition_rows().start..row).rev().filter(own);
        let Some(restart) = earlier().find(|other| table.event.get(*other) == TransitionEvent::Restarted) else { return false };
        let crash = earlier().find(|other| *other < restart && table.event.get(*other) == TransitionEvent::Crashed);
        table.time_ns[restart] == table.time_ns[row]
            && crash.is_some_and(|crash| struck(index, kind, table.replica[row], table.seq[crash], table.seq[row]))
    })
}

pub(super) fn corrupt_entry_found_at_restart(index: &RunIndex<'_>) -> bool {
    found_at_restart(index, Detail::CorruptEntry, FaultKind::Corruption)
}

pub(super) fn torn_entry_found(index: &RunIndex<'_>) -> bool {
    found_at_restart(index, Detail::TornEntry, FaultKind::TornWrite)
}

pub(super) fn reformatted_replica_voted(index: &RunIndex<'_>) -> bool {
    let (table, damage) = (index.transitions(), index.faults());
    let formats: Vec<usize> = faults(index, FaultKind::Reformat).collect();
    let votes = index.transition_rows().filter(|row| table.event.get(*row) == TransitionEvent::Acknowledged);
    let is_of =
        |vote: usize, format: usize| damage.target.0[format] == u32::from(table.replica[vote]) && damage.seq[format] < table.seq[vote];
    !formats.is_empty() && votes.into_iter().any(|vote| formats.iter().any(|format| is_of(vote, *format)))
}

pub(super) fn slow_access_of_primary(index: &RunIndex<'_>) -> bool {
    let (table, course) = (index.storage(), Course::of(index));
    let slow_ns = compressed(index, SLOW_NS);
    let is_slow = |row: &usize| table.outcome.get(*row) == StorageOutcome::Slow && table.latency_ns[*row] >= slow_ns;
    index.storage_rows().filter(is_slow).any(|row| course.led(index, usize::from(table.replica[row]), table.seq[row]).is_some())
}
