//! The log entries of a run, each with a small number.
//!
//! An entry is an op number and a hash. Almost every op number has exactly one, so a list per op number is a table.

use super::RunIndex;
use vopr_schema::TransitionEvent;
use vopr_schema::column::Niche;

/// Number of an entry in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u32);

impl EntryId {
    /// The number as an index into tables of [`Entries::len`] places.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

const NONE: u32 = u32::MAX;

/// All entries that the transitions of a run name.
#[derive(Debug)]
pub struct Entries {
    ops: Vec<u64>,
    hashes: Vec<u64>,
    previous: Vec<u64>,
    first_rows: Vec<u32>,
    appended_rows: Vec<u32>,
    next: Vec<u32>,
    heads: Vec<u32>,
    of_row: Vec<u32>,
    first_row: usize,
}

impl Entries {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let table = index.transitions();
        let rows = index.transition_rows();
        let mut entries = Self {
            ops: Vec::new(),
            hashes: Vec::new(),
            previous: Vec::new(),
            first_rows: Vec::new(),
            appended_rows: Vec::new(),
            next: Vec::new(),
            heads: vec![NONE; index.ops()],
            of_row: Vec::with_capacity(rows.len()),
            first_row: rows.start,
        };
        let appended = TransitionEvent::EntryAppended as u8;
        for row in rows {
            let (op, hash) = (table.op.0[row], table.entry_hash.0[row]);
            let id = if hash == u64::NONE { NONE } else { entries.intern(op, hash, row) };
            if id != NONE && table.event.codes[row] == appended && entries.appended_rows[id as usize] == NONE {
                entries.appended_rows[id as usize] = narrow(row);
                entries.previous[id as usize] = table.previous_hash.0[row];
            }
            entries.of_row.push(id);
        }
        entries
    }

    fn intern(&mut self, op: u64, hash: u64, row: usize) -> u32 {
        let Some(head) = usize::try_from(op).ok().and_then(|op| self.heads.get_mut(op)) else { return NONE };
        let mut at = *head;
        while at != NONE {
            if self.hashes[at as usize] == hash {
                return at;
            }
            at = self.next[at as usize];
        }
        let id = narrow(self.ops.len());
        self.ops.push(op);
        self.hashes.push(hash);
        self.previous.push(u64::NONE);
        self.first_rows.push(narrow(row));
        self.appended_rows.push(NONE);
        self.next.push(*head);
        *head = id;
        id
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether no transition names an entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The entry that a transition names by op number and hash.
    #[inline]
    #[must_use]
    pub fn of_row(&self, row: usize) -> Option<EntryId> {
        let id = self.of_row[row - self.first_row];
        (id != NONE).then_some(EntryId(id))
    }

    /// The entry with this op number and hash.
    #[must_use]
    pub fn find(&self, op: u64, hash: u64) -> Option<EntryId> {
        self.at_op(op).find(|id| self.hash(*id) == hash)
    }

    /// All entries of an op number, the one named last first.
    pub fn at_op(&self, op: u64) -> impl Iterator<Item = EntryId> + '_ {
        let head = usize::try_from(op).ok().and_then(|op| self.heads.get(op)).copied().unwrap_or(NONE);
        let some = |id: u32| (id != NONE).then_some(EntryId(id));
        core::iter::successors(some(head), move |id| some(self.next[id.index()]))
    }

    /// Op number of an entry.
    #[inline]
    #[must_use]
    pub fn op(&self, id: EntryId) -> u64 {
        self.ops[id.index()]
    }

    /// Hash of an entry.
    #[inline]
    #[must_use]
    pub fn hash(&self, id: EntryId) -> u64 {
        self.hashes[id.index()]
    }

    /// Hash of the entry before it, as its first `entry_appended` says.
    #[inline]
    #[must_use]
    pub fn previous_hash(&self, id: EntryId) -> Option<u64> {
        let hash = self.previous[id.index()];
        (hash != u64::NONE).then_some(hash)
    }

    /// The entry before it, if a transition names that one.
    #[inline]
    #[must_use]
    pub fn parent(&self, id: EntryId) -> Option<EntryId> {
        self.find(self.op(id).checked_sub(1)?, self.previous_hash(id)?)
    }

    /// The hash at op number `op` of the log that ends in `head`, following the entries' own links downwards; none when a
    /// link is not known or `op` is above the head.
    ///
    /// Equal hashes mean equal logs up to there, because each hash covers the hash before it.
    #[must_use]
    pub fn ancestor_hash(&self, head: EntryId, op: u64) -> Option<u64> {
        let mut at = head;
        while self.op(at) > op {
            if self.op(at) == op + 1 {
                return self.previous_hash(at);
            }
            at = self.parent(at)?;
        }
        (self.op(at) == op).then(|| self.hash(at))
    }

    /// The transition that names it first.
    #[must_use]
    pub fn first_row(&self, id: EntryId) -> usize {
        self.first_rows[id.index()] as usize
    }

    /// Its first `entry_appended`, which holds its session and request.
    #[must_use]
    pub fn appended_row(&self, id: EntryId) -> Option<usize> {
        let row = self.appended_rows[id.index()];
        (row != NONE).then_some(row as usize)
    }
}

/// Rows are kept in 32 bits: a batch of 2^32 rows would need hundreds of gigabytes before it came here.
pub(super) fn narrow(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(NONE - 1)
}

#[cfg(test)]
mod tests {
    use crate::RunIndex;
    use crate::testing::{Story, entry_hash};

    #[test]
    fn entries_are_numbered_and_linked() {
        let mut story = Story::clean(4);
        story.append_after(2, 4, 7, 0);
        let history = story.history();
        let index = RunIndex::new(&history, 0);
        let entries = index.entries();
        assert_eq!(entries.len(), 5 + 1 - 1);
        assert_eq!(entries.at_op(4).count(), 2);
        let head = entries.find(4, entry_hash(4, 7)).unwrap();
        assert_eq!(entries.parent(head), entries.find(3, entry_hash(3, 0)));
        assert_eq!(entries.ancestor_hash(head, 4), Some(entry_hash(4, 7)));
        assert_eq!(entries.ancestor_hash(head, 2), Some(entry_hash(2, 0)));
        assert_eq!(entries.ancestor_hash(head, 0), Some(entry_hash(0, 0)));
        assert_eq!(entries.ancestor_hash(head, 5), None);
        assert_eq!(entries.find(9, 9), None);
        assert_eq!(entries.at_op(u64::MAX).count(), 0);
    }
}
