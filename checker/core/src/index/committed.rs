//! Where each op number was first committed and first applied, by any replica.
//!
//! It is the claimed history of the cluster. That later commits agree with the first is `vsr_agreement`'s business.

use super::entries::{EntryId, narrow};
use super::{EventSet, RunIndex};
use vopr_schema::TransitionEvent;

const NONE: u32 = u32::MAX;

/// First commit and first application per op number.
#[derive(Debug)]
pub struct CommittedLog {
    committed: Vec<u32>,
    applied: Vec<u32>,
}

impl CommittedLog {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let table = index.transitions();
        let mut log = Self { committed: vec![NONE; index.ops()], applied: vec![NONE; index.ops()] };
        let committed = TransitionEvent::Committed as u8;
        for row in index.rows_of(EventSet::of(&[TransitionEvent::Committed, TransitionEvent::Applied])) {
            let rows = if table.event.codes[row] == committed { &mut log.committed } else { &mut log.applied };
            if let Some(first) = usize::try_from(table.op.0[row]).ok().and_then(|op| rows.get_mut(op)) {
                *first = (*first).min(narrow(row));
            }
        }
        log
    }

    /// The first `committed` transition of an op number.
    #[inline]
    #[must_use]
    pub fn committed_row(&self, op: u64) -> Option<usize> {
        at(&self.committed, op)
    }

    /// The first `applied` transition of an op number; it holds the entry's session, request, timestamp and state hash.
    #[inline]
    #[must_use]
    pub fn applied_row(&self, op: u64) -> Option<usize> {
        at(&self.applied, op)
    }

    /// The entry that was committed first at an op number.
    #[must_use]
    pub fn entry(&self, index: &RunIndex<'_>, op: u64) -> Option<EntryId> {
        self.committed_row(op).and_then(|row| index.entries().of_row(row))
    }

    /// Largest op number that was committed, 0 if none was.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.committed.iter().rposition(|row| *row != NONE).map_or(0, |op| op as u64)
    }
}

fn at(rows: &[u32], op: u64) -> Option<usize> {
    let row = *usize::try_from(op).ok().and_then(|op| rows.get(op))?;
    (row != NONE).then_some(row as usize)
}
