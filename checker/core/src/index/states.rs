//! Where the states came from that replicas start from: checkpoints that they took, were given, or were sent.
//!
//! A replica's word that it has a state is worth as much as the checkpoint behind it.

use super::RunIndex;
use super::entries::narrow;
use super::events::EventSet;
use super::grid::Grid;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, TransitionEvent as Event};

/// A checkpoint on its way to another replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its row in the message table.
    pub row: usize,
    /// Who sent it.
    pub from: u16,
    /// To whom.
    pub to: u16,
    /// Op number of the checkpoint.
    pub op: u64,
    /// When it arrived and was not refused; none when it was not.
    pub accepted_seq: Option<u64>,
}

/// The checkpoints of a run.
#[derive(Debug)]
pub struct States {
    /// Per replica and op number, the first row that took or installed a checkpoint of it, as row + 1.
    taken: Grid<u32>,
    transfers: Vec<Transfer>,
}

const EVENTS: EventSet = EventSet::of(&[Event::CheckpointTaken, Event::StateInstalled]);

impl States {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let (table, messages) = (index.transitions(), index.messages());
        let mut taken = Grid::new(index.replicas(), index.ops(), 0);
        for (row, _) in index.events(EVENTS) {
            let (replica, op) = (table.replica[row], table.op.0[row]);
            if taken.get(replica, op) == Some(0) {
                taken.set(replica, op, narrow(row + 1));
            }
        }
        let response = Command::StateTransferResponse as u8;
        let mut transfers = Vec::new();
        for row in index.message_rows().filter(|row| messages.command.codes[*row] == response) {
            let Some(op) = messages.log_first.get(row).and_then(|first| first.checked_sub(1)) else { continue };
            let accepted = messages.fate.get(row) == Fate::Delivered && messages.reject_reason.codes[row] == u8::NONE;
            let accepted_seq = messages.fate_seq.get(row).filter(|_| accepted);
            transfers.push(Transfer { row, from: messages.from[row], to: messages.to[row], op, accepted_seq });
        }
        Self { taken, transfers }
    }

    /// All checkpoints that were sent, in the order of sending.
    #[must_use]
    pub fn transfers(&self) -> &[Transfer] {
        &self.transfers
    }

    /// The row in which a replica took, or installed, a checkpoint of an op number before position `seq`.
    #[must_use]
    pub fn had(&self, index: &RunIndex<'_>, replica: u8, op: u64, seq: u64) -> Option<usize> {
        let row = (self.taken.get(replica, op)? as usize).checked_sub(1)?;
        (index.transitions().seq[row] < seq).then_some(row)
    }

    /// A checkpoint of an op number that a replica was sent, and did not refuse, before position `seq`.
    #[must_use]
    pub fn received(&self, replica: u8, op: u64, seq: u64) -> Option<&Transfer> {
        let fits = |transfer: &&Transfer| transfer.to == u16::from(replica) && transfer.op == op;
        self.transfers.iter().filter(fits).find(|transfer| transfer.accepted_seq.is_some_and(|accepted| accepted < seq))
    }
}

#[cfg(test)]
mod tests {
    use crate::RunIndex;
    use crate::testing::Story;
    use vopr_schema::{Command, RejectReason, TransitionEvent as Event};

    #[test]
    fn checkpoints_are_found_by_replica_op_and_time() {
        let mut story = Story::clean(4);
        let taken = story.event(0, Event::CheckpointTaken, |row| row.op = Some(4));
        story
            .message(Command::StateTransferResponse, 0, 2, |row| (row.log_first, row.reject_reason) = (Some(5), Some(RejectReason::Stale)));
        let before = story.tick();
        story.message(Command::StateTransferResponse, 0, 2, |row| row.log_first = Some(5));
        let after = story.tick();
        let history = story.history();
        let index = RunIndex::new(&history, 0);
        assert_eq!(index.states().had(&index, 0, 4, before), Some(taken));
        assert_eq!(index.states().had(&index, 0, 4, 1), None);
        assert_eq!(index.states().had(&index, 1, 4, after), None);
        assert_eq!(index.states().received(2, 4, before), None);
        assert!(index.states().received(2, 4, after).is_some());
        assert_eq!(index.states().transfers().len(), 2);
    }
}
