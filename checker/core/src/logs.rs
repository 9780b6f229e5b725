//! What each replica's log holds, followed row by row.
//!
//! Several invariants ask "does this replica hold that entry now?". The answer has three values, because a restart reads
//! back from disk what nobody recorded slot by slot.

use crate::index::{EntryId, EventSet, Grid, RunIndex};
use vopr_schema::TransitionEvent as Event;

/// What a replica's log holds at an op number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Certainly nothing.
    Absent,
    /// Something or nothing: a restart read it from disk, or its slot was found damaged.
    Unknown,
    /// This entry.
    Entry(EntryId),
}

/// Rows that change a log.
pub const LOG_EVENTS: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::EntryAppended,
    Event::EntryDurable,
    Event::EntryTruncated,
    Event::Repaired,
    Event::CorruptionDetected,
    Event::StateInstalled,
]);

const ABSENT: u32 = 0;
const UNKNOWN: u32 = 1;

/// The logs of all replicas of a run.
#[derive(Debug)]
pub struct ReplicaLogs {
    in_memory: Grid<u32>,
    on_disk: Grid<u32>,
    heads: Vec<u64>,
    bases: Vec<u64>,
}

impl ReplicaLogs {
    /// Empty logs.
    #[must_use]
    pub fn new(index: &RunIndex<'_>) -> Self {
        let (replicas, ops) = (index.replicas(), index.ops());
        Self {
            in_memory: Grid::new(replicas, ops, ABSENT),
            on_disk: Grid::new(replicas, ops, ABSENT),
            heads: vec![0; replicas],
            bases: vec![0; replicas],
        }
    }

    /// Follows one row. Rows outside [`LOG_EVENTS`] change nothing.
    pub fn follow(&mut self, index: &RunIndex<'_>, row: usize, event: Event) {
        let table = index.transitions();
        let replica = table.replica[row];
        let place = usize::from(replica);
        if place >= self.heads.len() {
            return;
        }
        let op = table.op.get(row).unwrap_or(0);
        let entry = index.entries().of_row(row).map_or(UNKNOWN, code);
        match event {
            Event::Started => self.clear_above(replica, None),
            Event::Restarted => self.restart(replica, op, table.commit[row]),
            Event::EntryAppended | Event::Repaired => {
                self.in_memory.set(replica, op, entry);
                self.heads[place] = self.heads[place].max(op);
            }
            Event::EntryDurable => {
                self.on_disk.set(replica, op, entry);
                // What is flushed is what the log holds; it matters where a hole was filled.
                self.in_memory.set(replica, op, entry);
                self.heads[place] = self.heads[place].max(op);
            }
            Event::EntryTruncated => {
                self.in_memory.set(replica, op, ABSENT);
                if self.heads[place] == op {
                    self.heads[place] = op.saturating_sub(1);
                }
            }
            Event::CorruptionDetected if table.op.get(row).is_some() => {
                self.in_memory.set(replica, op, UNKNOWN);
                self.on_disk.set(replica, op, UNKNOWN);
            }
            Event::StateInstalled => {
                if entry != UNKNOWN {
                    self.in_memory.set(replica, op, entry);
                }
                self.bases[place] = self.bases[place].max(op);
                self.heads[place] = self.heads[place].max(op);
            }
            _ => {}
        }
    }

    /// After a restart the log is what the disk held: certain only where the last entry put there was flushed.
    fn restart(&mut self, replica: u8, head: u64, base: u64) {
        self.heads[usize::from(replica)] = head;
        self.bases[usize::from(replica)] = base;
        self.clear_above(replica, Some(head));
        let kept = usize::try_from(head).unwrap_or(usize::MAX);
        let disk = self.on_disk.row(replica);
        for (held, flushed) in self.in_memory.row_mut(replica).iter_mut().zip(disk).take(kept.saturating_add(1)) {
            if *held != *flushed || *held == ABSENT {
                *held = UNKNOWN;
            }
        }
    }

    fn clear_above(&mut self, replica: u8, head: Option<u64>) {
        let first = head.map_or(0, |head| usize::try_from(head).map_or(usize::MAX, |head| head.saturating_add(1)));
        for held in self.in_memory.row_mut(replica).iter_mut().skip(first) {
            *held = ABSENT;
        }
        if head.is_none() {
            (self.heads[usize::from(replica)], self.bases[usize::from(replica)]) = (0, 0);
            self.on_disk.row_mut(replica).fill(ABSENT);
        }
    }

    /// What a replica's log holds at an op number.
    #[inline]
    #[must_use]
    pub fn held(&self, replica: u8, op: u64) -> Held {
        decode(self.in_memory.get(replica, op))
    }

    /// What a replica flushed last at an op number.
    #[inline]
    #[must_use]
    pub fn flushed(&self, replica: u8, op: u64) -> Held {
        decode(self.on_disk.get(replica, op))
    }

    /// The largest op number in a replica's log.
    #[must_use]
    pub fn head(&self, replica: u8) -> u64 {
        self.heads.get(usize::from(replica)).copied().unwrap_or(0)
    }

    /// Op numbers up to this one are covered by a checkpoint that the replica started from or was given.
    #[must_use]
    pub fn base(&self, replica: u8) -> u64 {
        self.bases.get(usize::from(replica)).copied().unwrap_or(0)
    }
}

fn code(entry: EntryId) -> u32 {
    entry.0 + 2
}

fn decode(cell: Option<u32>) -> Held {
    match cell {
        // A place outside the tables was never filled.
        None | Some(ABSENT) => Held::Absent,
        Some(UNKNOWN) => Held::Unknown,
        Some(code) => Held::Entry(EntryId(code - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Story, entry_hash};

    #[test]
    fn a_restart_keeps_what_was_flushed_and_doubts_the_rest() {
        let mut story = Story::clean(2);
        story.append(1, 3, 0);
        story.append(1, 4, 0);
        story.entry(1, Event::EntryTruncated, 4, 0);
        story.crash(1);
        story.restart(1, |state| (state.op, state.commit) = (Some(3), 1));
        let history = story.history();
        let index = RunIndex::new(&history, 0);
        let mut logs = ReplicaLogs::new(&index);
        for (row, event) in index.events(LOG_EVENTS) {
            logs.follow(&index, row, event);
        }
        let entry = |op| Held::Entry(index.entries().find(op, entry_hash(op, 0)).unwrap());
        assert_eq!(logs.held(1, 2), entry(2));
        assert_eq!(logs.held(1, 3), Held::Unknown);
        assert_eq!(logs.held(1, 4), Held::Absent);
        assert_eq!((logs.head(1), logs.base(1)), (3, 1));
        assert_eq!(logs.flushed(1, 2), entry(2));
        assert_eq!(logs.held(0, 2), entry(2));
        assert_eq!(logs.held(9, 2), Held::Absent);
    }
}
