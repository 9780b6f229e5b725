//! Conditions on attacks: a lie must have arrived where it could do harm, and been refused for what it was.
//!
//! A forged message that a lossy link swallowed, or that came when its receiver looked at nothing of it, proves nothing.

use super::course::Course;
use crate::index::RunIndex;
use std::collections::BTreeMap;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Function, Mutation, OperationError, RejectReason as Reason, Status, TransitionEvent};

/// Messages of one kind that arrived with one mutation.
fn arrived<'a>(index: &'a RunIndex<'_>, command: Command, mutation: Mutation) -> impl Iterator<Item = usize> + 'a {
    let table = index.messages();
    index.message_rows().filter(move |row| {
        table.mutation.get(*row) == Some(mutation) && table.command.get(*row) == command && table.fate.get(*row) == Fate::Delivered
    })
}

/// Whether one of them was refused for one of these reasons.
fn refused(index: &RunIndex<'_>, command: Command, mutation: Mutation, reasons: &[Reason]) -> bool {
    let table = index.messages();
    arrived(index, command, mutation).any(|row| table.reject_reason.get(row).is_some_and(|reason| reasons.contains(&reason)))
}

pub(super) fn committed_entry_refused(index: &RunIndex<'_>) -> bool {
    refused(index, Command::StartView, Mutation::TailContent, &[Reason::ConflictsWithCommitted])
}

pub(super) fn view_changed(index: &RunIndex<'_>) -> bool {
    super::conditions::happened(index, TransitionEvent::ViewEntered)
}

pub(super) fn start_view_beyond_log_refused(index: &RunIndex<'_>) -> bool {
    refused(index, Command::StartView, Mutation::CommitNumber, &[Reason::CommitBeyondLog])
}

pub(super) fn vote_beyond_log_refused(index: &RunIndex<'_>) -> bool {
    refused(index, Command::DoViewChange, Mutation::CommitNumber, &[Reason::CommitBeyondLog])
}

pub(super) fn short_tail_refused(index: &RunIndex<'_>) -> bool {
    refused(index, Command::DoViewChange, Mutation::TailLength, &[Reason::TailLengthMismatch])
}

pub(super) fn log_from_nowhere_refused(index: &RunIndex<'_>) -> bool {
    let (table, course) = (index.messages(), Course::of(index));
    arrived(index, Command::DoViewChange, Mutation::TailContent).any(|row| {
        let state = course.at(usize::from(table.to[row]), table.fate_seq.get(row).unwrap_or(u64::NONE));
        table.reject_reason.get(row) == Some(Reason::BrokenChain) && state.is_some_and(|state| state.status == Status::ViewChange)
    })
}

/// A view was entered with the votes of two members whose logs had the same claims and different heads.
pub(super) fn identical_claims_in_quorum(index: &RunIndex<'_>) -> bool {
    let (table, messages) = (index.transitions(), index.messages());
    let entered = |row: &usize| table.event.get(*row) == TransitionEvent::ViewEntered;
    arrived(index, Command::DoViewChange, Mutation::IdenticalClaim).filter(|row| messages.reject_reason.get(*row).is_none()).any(|vote| {
        let counts = |row: usize| {
            let from = messages.from[vote];
            let is_member = table.quorum.get(row).is_some_and(|quorum| quorum.checked_shr(from.into()).is_some_and(|bits| bits & 1 == 1));
            is_member
                && Some(table.view[row]) == messages.view.get(vote)
                && u16::from(table.replica[row]) == messages.to[vote]
                && messages.fate_seq.get(vote).is_some_and(|seq| seq < table.seq[row])
        };
        index.transition_rows().filter(entered).any(counts)
    })
}

pub(super) fn false_metadata_refused(index: &RunIndex<'_>) -> bool {
    let refused = |mutation, reason| refused(index, Command::Prepare, mutation, &[reason]);
    refused(Mutation::EntryMetadata, Reason::InvalidMetadata)
        && refused(Mutation::EntryMetadata, Reason::HashMismatch)
        && refused(Mutation::CommitNumber, Reason::InvalidMetadata)
}

/// A partition swallowed something that a replica in a view change had sent, or that was sent to it.
pub(super) fn partition_in_view_change(index: &RunIndex<'_>) -> bool {
    let (table, course) = (index.messages(), Course::of(index));
    index.message_rows().filter(|row| table.fate.get(*row) == Fate::Partitioned).any(|row| {
        let changes = |end: u16| course.at(usize::from(end), table.seq[row]).is_some_and(|state| state.status == Status::ViewChange);
        changes(table.from[row]) || changes(table.to[row])
    })
}

pub(super) fn conflicting_entry_refused(index: &RunIndex<'_>) -> bool {
    committed_entry_refused(index) || refused(index, Command::Prepare, Mutation::EntryMetadata, &[Reason::HashMismatch])
}

pub(super) fn oversized_refused(index: &RunIndex<'_>) -> bool {
    refused(index, Command::StartView, Mutation::Oversized, &[Reason::TooLarge])
}

/// The nack leaves in the same step in which the request arrives.
pub(super) fn invalid_range_nacked(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let nacks: Vec<usize> = index.message_rows().filter(|row| table.command.get(*row) == Command::Nack).collect();
    arrived(index, Command::RepairRequest, Mutation::Range).filter(|row| table.reject_reason.get(*row) == Some(Reason::InvalidRange)).any(
        |request| {
            let answers = |nack: &usize| {
                (table.from[*nack], table.to[*nack]) == (table.to[request], table.from[request])
                    && table.log_first.get(*nack) == table.log_first.get(request)
                    && table.fate_seq.get(request).is_some_and(|seq| seq < table.seq[*nack])
            };
            nacks.iter().any(answers)
        },
    )
}

pub(super) fn refused_append_applied_everywhere(index: &RunIndex<'_>) -> bool {
    let (table, operations) = (index.transitions(), index.operations());
    let mut appliers: BTreeMap<u64, u32> = BTreeMap::new();
    for row in index.transition_rows().filter(|row| table.event.get(*row) == TransitionEvent::Applied) {
        if let Some(op) = table.op.get(row) {
            *appliers.entry(op).or_default() |= 1_u32.checked_shl(table.replica[row].into()).unwrap_or(0);
        }
    }
    index.operation_rows().any(|row| {
        let is_refused =
            operations.function.get(row) == Function::StreamAppend && operations.error.get(row) == Some(OperationError::NoSuchStream);
        let everybody = operations.op.get(row).and_then(|op| appliers.get(&op)).map(|set| set.count_ones() as usize);
        is_refused && everybody == Some(index.members())
    })
}

pub(super) fn replay_refused(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let replayed = |row: &usize| table.mutation.get(*row) == Some(Mutation::Replayed) && table.fate.get(*row) == Fate::Delivered;
    index.message_rows().filter(replayed).any(|row| table.reject_reason.get(row) == Some(Reason::OldView))
}

pub(super) fn false_checksums_refused(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let to_replica = |row: &usize| usize::from(table.to[*row]) < index.replicas();
    let is_false = |row: &usize| table.mutation.get(*row) == Some(Mutation::Checksum) && table.fate.get(*row) == Fate::Delivered;
    let mut reasons = index.message_rows().filter(is_false).filter(to_replica).map(|row| table.reject_reason.get(row)).peekable();
    reasons.peek().is_some() && reasons.all(|reason| reason == Some(Reason::Checksum))
}

/// Messages that a link kept back.
fn withheld<'a>(index: &'a RunIndex<'_>) -> impl Iterator<Item = usize> + 'a {
    let table = index.messages();
    index.message_rows().filter(move |row| table.mutation.get(*row) == Some(Mutation::Withheld))
}

pub(super) fn vote_withheld(index: &RunIndex<'_>) -> bool {
    let (table, messages, course) = (index.transitions(), index.messages(), Course::of(index));
    let first = withheld(index).filter(|row| messages.command.get(*row) == Command::DoViewChange).find(|row| {
        let state = course.at(usize::from(messages.from[*row]), messages.seq[*row]);
        state.is_some_and(|state| state.status == Status::ViewChange)
    });
    let entered = |row: usize| table.event.get(row) == TransitionEvent::ViewEntered;
    first.is_some_and(|vote| index.transition_rows().any(|row| table.seq[row] > messages.seq[vote] && entered(row)))
}

pub(super) fn primary_silent(index: &RunIndex<'_>) -> bool {
    let (messages, course) = (index.messages(), Course::of(index));
    withheld(index).any(|row| course.led(index, usize::from(messages.from[row]), messages.seq[row]).is_some())
}

/// How much more a flooded link must carry than the same link does otherwise.
const FLOOD_FACTOR: usize = 10;
/// The time over which both are counted, nominal nanoseconds.
const FLOOD_NS: u64 = 1_000_000_000;

/// On one link: the most prepares that were sent within a second, against those that the flood did not add, on average over the
/// seconds in which there were any.
pub(super) fn tenfold_prepares(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let second = super::course::compressed(index, FLOOD_NS).max(1);
    let mut links: BTreeMap<(u16, u16), BTreeMap<u64, (usize, usize)>> = BTreeMap::new();
    for row in index.message_rows().filter(|row| table.command.get(*row) == Command::Prepare) {
        let counts = links.entry((table.from[row], table.to[row])).or_default().entry(table.time_ns[row] / second).or_default();
        counts.0 += 1;
        counts.1 += usize::from(table.mutation.get(row) != Some(Mutation::Flood));
    }
    links.values().any(|seconds| {
        let most = seconds.values().map(|counts| counts.0).max().unwrap_or(0);
        let normal: usize = seconds.values().map(|counts| counts.1).sum();
        normal > 0 && most * seconds.len() >= FLOOD_FACTOR * normal
    })
}
