//! Situations of changes of membership.

use super::{Counts, Situation};
use crate::index::{EventSet, RunIndex};
use vopr_schema::{Command, Detail, RejectReason, TransitionEvent as Event};

const EVENTS: EventSet = EventSet::of(&[Event::EpochEntered, Event::Abdicated]);

pub(super) fn sweep(index: &RunIndex<'_>, counts: &mut Counts) {
    let table = index.transitions();
    for (row, event) in index.events(EVENTS) {
        let known = index.configurations().of_epoch(table.epoch[row]);
        if event == Event::Abdicated {
            if table.detail.get(row) == Some(Detail::Removed) {
                counts.hit(Situation::RemovedPrimaryHandedOver);
            }
        } else if known.is_some_and(|known| known.row == Some(row)) {
            counts.hit(Situation::MembershipChanged);
        } else if known.is_some_and(|known| table.commit[row] < known.since) {
            counts.hit(Situation::EpochLearntBeforeItsEntry);
        }
    }
    let messages = index.messages();
    for row in index.message_rows() {
        match messages.reject_reason.get(row) {
            Some(RejectReason::ReconfigurationPending) => counts.hit(Situation::ChangeRefused),
            Some(RejectReason::NotCaughtUp) => counts.hit(Situation::NewcomerNotCaughtUp),
            Some(RejectReason::WrongEpoch) if messages.command.get(row) == Command::PrepareOk => counts.hit(Situation::OldEpochVoteRefused),
            _ => {}
        }
    }
}
