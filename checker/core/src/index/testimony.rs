//! Who made which entry durable, and who voted for it, by entry.
//!
//! A commit is believed only when the votes that it counts can be found on the replicas that cast them.

use super::RunIndex;
use super::entries::{EntryId, narrow};
use super::events::EventSet;
use vopr_schema::TransitionEvent as Event;

/// One statement of a replica about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// When.
    pub seq: u64,
    /// View of the replica then.
    pub view: u64,
    /// Its row.
    pub row: u32,
    /// Who.
    pub replica: u8,
    /// What: appended, repaired, durable or acknowledged.
    pub event: Event,
}

/// The statements about each entry, in order.
#[derive(Debug)]
pub struct Testimony {
    statements: Vec<Statement>,
    ends: Vec<u32>,
}

const EVENTS: EventSet = EventSet::of(&[Event::EntryAppended, Event::Repaired, Event::EntryDurable, Event::Acknowledged]);

impl Testimony {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let (table, entries) = (index.transitions(), index.entries());
        let mut ends = vec![0_u32; entries.len()];
        for (row, _) in index.events(EVENTS) {
            if let Some(entry) = entries.of_row(row) {
                ends[entry.index()] += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let none = Statement { seq: 0, view: 0, row: 0, replica: 0, event: Event::Other };
        let mut statements = vec![none; total as usize];
        for (row, event) in index.events(EVENTS) {
            let Some(entry) = entries.of_row(row) else { continue };
            let place = &mut ends[entry.index()];
            let (seq, view, replica) = (table.seq[row], table.view[row], table.replica[row]);
            statements[*place as usize] = Statement { seq, view, row: narrow(row), replica, event };
            *place += 1;
        }
        Self { statements, ends }
    }

    /// Whether `replica` put the entry into its log in an incarnation before the one in which it speaks in `row`: its restart may
    /// then have found the entry on disk, whole, though no flush of it was ever confirmed.
    #[must_use]
    pub fn may_have_survived(&self, index: &RunIndex<'_>, entry: EntryId, row: usize) -> bool {
        let table = index.transitions();
        let (replica, seq, incarnation) = (table.replica[row], table.seq[row], table.incarnation[row]);
        self.about(entry).iter().any(|said| {
            said.replica == replica
                && said.seq < seq
                && matches!(said.event, Event::EntryAppended | Event::Repaired)
                && table.incarnation[said.row as usize] < incarnation
        })
    }

    /// The statements about an entry, in order.
    #[must_use]
    pub fn about(&self, entry: EntryId) -> &[Statement] {
        let end = |entry: usize| self.ends.get(entry).map_or(0, |end| *end as usize);
        let start = if entry.index() == 0 { 0 } else { end(entry.index() - 1) };
        self.statements.get(start..end(entry.index())).unwrap_or(&[])
    }
}
