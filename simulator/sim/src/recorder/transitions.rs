//! From a replica's notes to transition rows, field by field as the history format defines them.
//!
//! This is the only place where the protocol's words meet the history's words for what a replica did.

use super::convert::{abdication_detail, clock_detail, damage_detail, status, timer_detail};
use crate::clocks::CLOCK_BASE_NS;
use vopr_schema::{Detail, Status, TransitionEvent, TransitionRow};
use vsr::entry::{Entry, EntryKind};
use vsr::ids::ClientKey;
use vsr::io::{EntryName, Note, StateSummary};

/// The columns that every transition of a replica shares.
pub fn base(state: &StateSummary, event: TransitionEvent) -> TransitionRow {
    TransitionRow {
        event,
        status: status(state.status),
        view: state.view.0,
        last_normal_view: state.last_normal_view.0,
        op: Some(state.op.0),
        commit: state.commit.0,
        epoch: state.epoch.0,
        ..TransitionRow::default()
    }
}

/// A transition that the world writes about a replica: its process crashed, paused, resumed.
pub fn world(state: &StateSummary, event: TransitionEvent) -> TransitionRow {
    let mut row = base(state, event);
    if event == TransitionEvent::Crashed {
        row.status = Status::Down;
    }
    row
}

fn named(row: &mut TransitionRow, entry: EntryName) {
    row.op = Some(entry.op.0);
    row.entry_hash = Some(entry.hash.short());
}

fn owner(row: &mut TransitionRow, client: ClientKey) {
    row.tenant = Some(client.tenant.0);
    row.client = Some(client.client.0);
}

/// History times count from the run's start, clocks do not.
fn history_time(clock_ns: u64) -> u64 {
    clock_ns.saturating_sub(CLOCK_BASE_NS)
}

fn described(row: &mut TransitionRow, entry: &Entry) {
    row.op = Some(entry.op.0);
    row.entry_hash = Some(entry.hash.short());
    row.timestamp = Some(history_time(entry.timestamp));
    owner(row, entry.client);
    row.session = Some(entry.session.0);
    // A change of membership is no operation of a client: its entry is one of the protocol's own.
    row.request_number = (entry.operation != EntryKind::Reconfigure).then_some(entry.request.0);
}

/// The row of `note`, all but `seq`, `time_ns`, `replica`, `incarnation` and `cause`.
pub fn of_note(state: &StateSummary, note: &Note) -> TransitionRow {
    let mut row = base(state, event_of(note));
    match note {
        Note::Started | Note::Restarted | Note::StatusChanged => {}
        Note::ViewEntered { head, quorum } => {
            row.entry_hash = Some(head.short());
            row.quorum = *quorum;
        }
        Note::VoteCast { view, head } => {
            row.view = view.0;
            row.entry_hash = head.map(|hash| hash.short());
        }
        Note::EntryAppended(entry) => {
            described(&mut row, entry);
            row.previous_hash = Some(entry.previous_hash.short());
            row.entry_view = Some(entry.view.0);
        }
        Note::EntryDurable(entry) | Note::EntryTruncated(entry) | Note::Acknowledged(entry) | Note::Repaired(entry) => {
            named(&mut row, *entry);
        }
        Note::Committed { entry, quorum } => {
            named(&mut row, *entry);
            row.quorum = *quorum;
        }
        Note::Applied { entry, state_hash } => {
            described(&mut row, entry);
            row.state_hash = Some(short(*state_hash));
        }
        Note::Replied { client, session, request, op, quorum } => {
            row.quorum = *quorum;
            owner(&mut row, *client);
            row.op = Some(op.0);
            row.session = Some(session.0);
            row.request_number = Some(request.0);
        }
        Note::CheckpointTaken { entry, state_hash } | Note::StateInstalled { entry, state_hash } => {
            named(&mut row, *entry);
            row.state_hash = Some(short(*state_hash));
        }
        _ => rest_of_note(&mut row, note),
    }
    row
}

fn rest_of_note(row: &mut TransitionRow, note: &Note) {
    match note {
        Note::CheckpointDurable(op) | Note::LogTrimmed(op) => row.op = Some(op.0),
        Note::SessionRegistered { client, op } => {
            owner(row, *client);
            row.op = Some(op.0);
            row.session = Some(op.0);
        }
        Note::SessionEvicted { client, session, op } => {
            owner(row, *client);
            row.op = Some(op.0);
            row.session = Some(session.0);
        }
        Note::RepairRequested { op, hash } => {
            row.op = Some(op.0);
            row.entry_hash = hash.map(|hash| hash.short());
        }
        Note::CorruptionDetected { op, what } => {
            row.op = op.map(|op| op.0);
            row.detail = Some(damage_detail(*what));
        }
        Note::ScrubRead(op) => row.op = op.map(|op| op.0),
        Note::TourCompleted => row.op = None,
        Note::TimestampAssigned { op, timestamp, is_fallback } => {
            row.op = Some(op.0);
            row.timestamp = Some(history_time(*timestamp));
            row.detail = is_fallback.then_some(Detail::ClockUnsynchronised);
        }
        Note::ClockSynchronised { low_ns, high_ns, sources } => {
            (row.clock_low_ns, row.clock_high_ns) = (Some(history_time(*low_ns)), Some(history_time(*high_ns)));
            row.quorum = Some(*sources);
        }
        Note::ClockLost(cause) => row.detail = Some(clock_detail(*cause)),
        Note::EpochEntered(membership) => {
            row.op = Some(membership.since.0);
            row.quorum = Some(membership.voters.0);
        }
        Note::Abdicated(cause) => row.detail = Some(abdication_detail(*cause)),
        Note::TimerFired(timer) => row.detail = Some(timer_detail(*timer)),
        _ => {}
    }
}

/// Hashes give up the one value that stands for null.
fn short(hash: u64) -> u64 {
    hash.min(u64::MAX - 1)
}

fn event_of(note: &Note) -> TransitionEvent {
    match note {
        Note::Started => TransitionEvent::Started,
        Note::Restarted => TransitionEvent::Restarted,
        Note::StatusChanged => TransitionEvent::StatusChanged,
        Note::ViewEntered { .. } => TransitionEvent::ViewEntered,
        Note::VoteCast { .. } => TransitionEvent::VoteCast,
        Note::EntryAppended(_) => TransitionEvent::EntryAppended,
        Note::EntryDurable(_) => TransitionEvent::EntryDurable,
        Note::EntryTruncated(_) => TransitionEvent::EntryTruncated,
        Note::Acknowledged(_) => TransitionEvent::Acknowledged,
        Note::Committed { .. } => TransitionEvent::Committed,
        Note::Applied { .. } => TransitionEvent::Applied,
        Note::Replied { .. } => TransitionEvent::Replied,
        Note::CheckpointTaken { .. } => TransitionEvent::CheckpointTaken,
        Note::CheckpointDurable(_) => TransitionEvent::CheckpointDurable,
        Note::LogTrimmed(_) => TransitionEvent::LogTrimmed,
        Note::StateInstalled { .. } => TransitionEvent::StateInstalled,
        Note::SessionRegistered { .. } => TransitionEvent::SessionRegistered,
        Note::SessionEvicted { .. } => TransitionEvent::SessionEvicted,
        Note::RepairRequested { .. } => TransitionEvent::RepairRequested,
        Note::Repaired(_) => TransitionEvent::Repaired,
        Note::CorruptionDetected { .. } => TransitionEvent::CorruptionDetected,
        Note::ScrubRead(_) => TransitionEvent::ScrubRead,
        Note::TourCompleted => TransitionEvent::TourCompleted,
        Note::TimestampAssigned { .. } => TransitionEvent::TimestampAssigned,
        Note::ClockSynchronised { .. } => TransitionEvent::ClockSynchronised,
        Note::ClockLost(_) => TransitionEvent::ClockLost,
        Note::EpochEntered(_) => TransitionEvent::EpochEntered,
        Note::Abdicated(_) => TransitionEvent::Abdicated,
        Note::TimerFired(_) => TransitionEvent::TimerFired,
    }
}
