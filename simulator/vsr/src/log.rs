//! The log in memory: a ring of slots that mirrors the ring on disk.
//!
//! Between the commit number and the head every op is either present, which means hash-connected to what the primary of the
//! log's view vouched for, or a hole, of which at most the hash is known. Nothing unverified is ever present. But what lies
//! unverified in a hole is kept as a candidate: it may be a committed entry's last good copy.

use crate::entry::Entry;
use crate::ids::{Hash, Op};
use crate::io::{EntryName, WriteId};
use crate::quorum::Members;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A write of an entry on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotWrite {
    pub id: WriteId,
    pub op: Op,
    pub hash: Hash,
}

/// One slot of the ring.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Slot {
    /// The entry; none in a hole.
    entry: Option<Arc<Entry>>,
    /// Hash of the entry that a hole lacks, where known.
    expected: Option<Hash>,
    /// An entry in a hole that nothing proves yet.
    candidate: Option<Arc<Entry>>,
    /// The entry, or the candidate, is on disk.
    pub durable: bool,
    /// What lies on disk is known to be damaged, although it was durable once.
    pub damaged: bool,
    /// The entry came from a peer, or is written again over damage.
    pub repaired: bool,
    /// The write in flight; never two to one slot, because the disk may complete them in any order.
    pub write: Option<SlotWrite>,
    /// Members that voted for the entry in the current view.
    pub votes: Members,
    /// Votes counted, voters or not.
    pub vote_count: u32,
}

/// How far down a chain of hashes could be followed.
struct Proven {
    /// Everything above this op is proven.
    above: Op,
    /// The hash that the entry at this op must have.
    expected: Hash,
}

/// What [`Log::fill`] changed.
#[derive(Debug, Default)]
pub(crate) struct Filled {
    /// Whether the entry itself had to be put there.
    pub is_new: bool,
    /// Candidates that are the log's entries after all.
    pub proven: Vec<Op>,
    /// Candidates that are not.
    pub removed: Vec<EntryName>,
}

/// What [`Log::adopt`] changed.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    /// Entries that left, the newest first.
    pub removed: Vec<EntryName>,
    /// Candidates that are the log's entries after all.
    pub proven: Vec<Op>,
    /// Entries that came, the oldest first.
    pub added: Vec<Arc<Entry>>,
}

/// The entry at `op` among those that follow `base`.
fn entry_at(entries: &[Arc<Entry>], base: Op, op: Op) -> Option<&Arc<Entry>> {
    entries.get(usize::try_from(op.0.checked_sub(base.0 + 1)?).ok()?)
}

/// The log.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Log {
    slots: Vec<Slot>,
    floor: Op,
    base: Op,
    base_hash: Hash,
    head: Op,
    head_hash: Hash,
    holes: u32,
}

impl Log {
    /// An empty log that begins after `base`, whose hash is known.
    pub fn new(slots: u32, base: Op, base_hash: Hash) -> Self {
        let mut ring = Vec::new();
        ring.resize_with(slots as usize, Slot::default);
        Self { slots: ring, floor: base, base, base_hash, head: base, head_hash: base_hash, holes: 0 }
    }

    /// Number of slots.
    pub fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Index of an op's slot.
    pub fn index(&self, op: Op) -> usize {
        usize::try_from(op.0 % self.capacity()).expect("less than the number of slots")
    }

    pub fn head(&self) -> Op {
        self.head
    }

    pub fn head_hash(&self) -> Hash {
        self.head_hash
    }

    /// Ops at or below it are not in memory any more.
    pub fn floor(&self) -> Op {
        self.floor
    }

    /// Ops up to the head without an entry.
    pub fn holes(&self) -> u32 {
        self.holes
    }

    /// Whether an op lies in the ring.
    fn covers(&self, op: Op) -> bool {
        op > self.floor && op <= self.head
    }

    /// The entry at an op, if it is present.
    pub fn get(&self, op: Op) -> Option<&Arc<Entry>> {
        if self.covers(op) { self.slots[self.index(op)].entry.as_ref() } else { None }
    }

    /// The hash of the entry at an op, present or not, where known.
    pub fn hash_of(&self, op: Op) -> Option<Hash> {
        if op == self.head {
            return Some(self.head_hash);
        }
        if self.covers(op) {
            let slot = &self.slots[self.index(op)];
            return slot.entry.as_ref().map(|entry| entry.hash).or(slot.expected);
        }
        (op == self.base).then_some(self.base_hash)
    }

    /// The slot of an op in the ring.
    pub fn slot(&self, op: Op) -> Option<&Slot> {
        if self.covers(op) { Some(&self.slots[self.index(op)]) } else { None }
    }

    /// The slot of an op in the ring.
    pub fn slot_mut(&mut self, op: Op) -> Option<&mut Slot> {
        if !self.covers(op) {
            return None;
        }
        let index = self.index(op);
        Some(&mut self.slots[index])
    }

    /// The slot at an index of the ring, whatever it holds.
    pub fn slot_at(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    /// Whether the entry at an op is present and on disk.
    pub fn is_durable(&self, op: Op) -> bool {
        self.slot(op).is_some_and(|slot| slot.durable && slot.entry.is_some())
    }

    /// The op of the log whose slot has this index.
    pub fn op_at(&self, index: usize) -> Option<Op> {
        let (slots, above_floor) = (self.capacity(), self.floor.0 + 1);
        let offset = (index as u64 + slots - above_floor % slots) % slots;
        Some(Op(above_floor + offset)).filter(|op| *op <= self.head)
    }

    /// Whether the copy on disk is known to be damaged.
    pub fn is_damaged(&self, op: Op) -> bool {
        self.slot(op).is_some_and(|slot| slot.damaged)
    }

    /// The entry with this hash at an op, proven or not: its hash proves it to whoever asks for it.
    pub fn held(&self, op: Op, hash: Hash) -> Option<&Arc<Entry>> {
        let slot = self.slot(op)?;
        slot.entry.as_ref().or(slot.candidate.as_ref()).filter(|entry| entry.hash == hash)
    }

    /// Whether an op is a hole without a candidate.
    pub fn is_blank(&self, op: Op) -> bool {
        self.slot(op).is_some_and(|slot| slot.entry.is_none() && slot.candidate.is_none())
    }

    /// Appends the entry that follows the head.
    pub fn append(&mut self, entry: Arc<Entry>) {
        assert_eq!(entry.op.0, self.head.0 + 1, "entries are appended in order");
        self.head = entry.op;
        self.head_hash = entry.hash;
        self.raise_floor();
        self.put(entry);
    }

    /// Appends a hole.
    pub fn append_hole(&mut self, expected: Option<Hash>, candidate: Option<Arc<Entry>>) {
        self.head.0 += 1;
        self.head_hash = expected.unwrap_or_default();
        self.raise_floor();
        let op = self.head;
        self.clear(op);
        let index = self.index(op);
        self.slots[index].expected = expected;
        self.slots[index].durable = candidate.is_some();
        self.slots[index].candidate = candidate;
        self.holes += 1;
    }

    /// Appends what lies in the next slot, whatever it says of itself: what a replica does that does not look at hashes.
    pub fn append_unproven(&mut self, entry: Arc<Entry>) {
        self.head.0 += 1;
        self.head_hash = entry.hash;
        self.raise_floor();
        let index = self.index(self.head);
        self.slots[index] = Slot { entry: Some(entry), durable: true, ..Slot::default() };
    }

    fn raise_floor(&mut self) {
        self.floor = Op(self.floor.0.max(self.head.0.saturating_sub(self.capacity())));
    }

    fn put(&mut self, entry: Arc<Entry>) {
        let index = self.index(entry.op);
        let slot = &mut self.slots[index];
        *slot = Slot { entry: Some(entry), write: slot.write, ..Slot::default() };
    }

    fn clear(&mut self, op: Op) {
        let index = self.index(op);
        let slot = &mut self.slots[index];
        *slot = Slot { write: slot.write, ..Slot::default() };
    }

    /// Fills a hole with the entry that it lacks; `None` if this is not a hole, or not its entry. What the entry says of the one
    /// before it is as certain as the entry itself, so candidates below may be proven, or refuted, by it.
    pub fn fill(&mut self, entry: &Arc<Entry>) -> Option<Filled> {
        let op = entry.op;
        if !self.covers(op) || self.get(op).is_some() || self.hash_of(op) != Some(entry.hash) {
            return None;
        }
        let mut filled = Filled::default();
        if !self.settle(op, entry.hash, &mut filled) {
            self.put(Arc::clone(entry));
            self.slot_mut(op)?.repaired = true;
            self.holes -= 1;
            filled.is_new = true;
        }
        let mut below = Op(op.0 - 1);
        let mut expected = entry.previous_hash;
        while self.covers(below) && self.get(below).is_none() && self.settle(below, expected, &mut filled) {
            expected = self.get(below)?.previous_hash;
            below.0 -= 1;
        }
        Some(filled)
    }

    /// Tells a hole which hash belongs there: its candidate becomes the entry, or leaves. Whether the hole is filled.
    fn settle(&mut self, op: Op, expected: Hash, filled: &mut Filled) -> bool {
        let index = self.index(op);
        let slot = &mut self.slots[index];
        slot.expected = Some(expected);
        let Some(candidate) = slot.candidate.take() else { return false };
        if candidate.hash == expected {
            slot.entry = Some(candidate);
            self.holes -= 1;
            filled.proven.push(op);
            return true;
        }
        filled.removed.push(EntryName { op, hash: candidate.hash });
        slot.durable = false;
        false
    }

    /// Removes all entries after `op`, the newest first, handing each to `removed`.
    pub fn truncate(&mut self, op: Op, mut removed: impl FnMut(EntryName)) {
        while self.head > op {
            let below = self.hash_of(Op(self.head.0 - 1)).unwrap_or_default();
            if self.get(self.head).is_none() {
                self.holes -= 1;
            }
            self.lying_at(self.head).into_iter().for_each(&mut removed);
            self.clear(self.head);
            self.head.0 -= 1;
            self.head_hash = below;
        }
    }

    /// The name of the entry or candidate at an op.
    pub fn lying_at(&self, op: Op) -> Option<EntryName> {
        let slot = self.slot(op)?;
        slot.entry.as_ref().or(slot.candidate.as_ref()).map(|entry| EntryName { op, hash: entry.hash })
    }

    /// Makes the log that of a view: up to `commit` nothing changes; at `base`, a committed op, the hash is `base_hash`; `entries`
    /// follow it up to the new head. Own entries between `commit` and `base` stay as far as the chain down from `base` proves
    /// them; those below are candidates from now on, in holes that wait for repair.
    pub fn adopt(&mut self, commit: Op, base: Op, base_hash: Hash, entries: &[Arc<Entry>]) -> Adopted {
        let proven = self.proven_down_from(commit, base, base_hash);
        let new_head = Op(base.0 + entries.len() as u64);
        let mut adopted = Adopted::default();
        for op in (commit.0 + 1..=self.head.0).rev().map(Op) {
            let Some(own) = self.lying_at(op) else { continue };
            if op > base && entry_at(entries, base, op).is_none_or(|new| new.hash != own.hash) {
                adopted.removed.push(own);
                self.clear(op);
                continue;
            }
            let index = self.index(op);
            let slot = &mut self.slots[index];
            if op > proven.above {
                if let Some(candidate) = slot.candidate.take() {
                    slot.entry = Some(candidate);
                    adopted.proven.push(op);
                }
            } else {
                slot.candidate = slot.entry.take().or(slot.candidate.take());
            }
        }
        let old_head = self.head;
        self.head = new_head;
        self.head_hash = entries.last().map_or(base_hash, |entry| entry.hash);
        self.raise_floor();
        for number in new_head.0 + 1..=old_head.0 {
            self.clear(Op(number));
        }
        for number in old_head.0.max(commit.0) + 1..=new_head.0 {
            self.clear(Op(number));
        }
        // A head that fell back frees slots: what had been given up for them is a hole again, and can be repaired.
        if new_head.0 <= commit.0 + self.capacity() {
            self.floor = self.floor.min(commit);
        }
        self.fill_adopted(commit, base, &proven, entries, &mut adopted);
        adopted
    }

    fn fill_adopted(&mut self, commit: Op, base: Op, proven: &Proven, entries: &[Arc<Entry>], adopted: &mut Adopted) {
        self.holes = 0;
        for op in (commit.0 + 1..=self.head.0).map(Op) {
            if self.get(op).is_some() {
                continue;
            }
            if let Some(entry) = entry_at(entries, base, op) {
                self.put(Arc::clone(entry));
                adopted.added.push(Arc::clone(entry));
                continue;
            }
            let index = self.index(op);
            self.slots[index].expected = None;
            self.holes += 1;
            if op == proven.above {
                self.slots[index].expected = Some(proven.expected);
                // It was looked at, and is not the one.
                if let Some(refuted) = self.slots[index].candidate.take() {
                    self.slots[index].durable = false;
                    adopted.removed.push(EntryName { op, hash: refuted.hash });
                }
            }
        }
    }

    /// Walks down from `base` as long as entries are there and hash-connected.
    fn proven_down_from(&self, commit: Op, base: Op, base_hash: Hash) -> Proven {
        let mut proven = Proven { above: base, expected: base_hash };
        while proven.above > commit {
            let Some(entry) = self.held(proven.above, proven.expected) else { break };
            proven.expected = entry.previous_hash;
            proven.above.0 -= 1;
        }
        proven
    }

    /// Whether a log with `base_hash` at `base`, followed by `entries`, agrees with everything up to `commit`, as far as can be
    /// told: what lies in a hole is not known yet.
    pub fn agrees(&self, commit: Op, base: Op, base_hash: Hash, entries: &[Arc<Entry>]) -> bool {
        if Op(base.0 + entries.len() as u64) < commit {
            return false;
        }
        if base < commit {
            let own = |op| self.hash_of(op);
            let base_agrees = own(base).is_none_or(|hash| hash == base_hash);
            let changed = |entry: &&Arc<Entry>| entry.op <= commit && own(entry.op).is_some_and(|hash| hash != entry.hash);
            return base_agrees && !entries.iter().any(|entry| changed(&entry));
        }
        let proven = self.proven_down_from(commit, base, base_hash);
        proven.above > commit || self.hash_of(commit) == Some(proven.expected)
    }

    /// Whether a log with `base_hash` at `base`, followed by `entries`, has another entry than this one at an op up to `commit`.
    pub fn contradicts(&self, commit: Op, base: Op, base_hash: Hash, entries: &[Arc<Entry>]) -> bool {
        let differs = |op: Op, hash: Hash| op <= commit && self.hash_of(op).is_some_and(|own| own != hash);
        differs(base, base_hash) || entries.iter().any(|entry| differs(entry.op, entry.hash))
    }

    /// Starts over after `base`, which a checkpoint covers; entries after it stay for [`Log::adopt`] to judge. Returns the entries
    /// after `commit` that leave, the newest first: up to `base`, all of which nobody has proven.
    pub fn start_after(&mut self, commit: Op, base: Op, base_hash: Hash) -> Vec<EntryName> {
        let mut removed = Vec::new();
        let connects = self.get(base).is_some_and(|entry| entry.hash == base_hash);
        for op in (self.floor.0 + 1..=base.0.min(self.head.0)).rev().map(Op) {
            if op > commit && !connects {
                removed.extend(self.lying_at(op));
            }
            self.clear(op);
        }
        (self.floor, self.base, self.base_hash) = (base.max(self.floor), base, base_hash);
        if self.head <= base {
            (self.head, self.head_hash) = (base, base_hash);
        }
        removed
    }

    /// A newer checkpoint is the base: its hash stays known when its slot is used again.
    pub fn rebase(&mut self, base: Op, base_hash: Hash) {
        (self.base, self.base_hash) = (base, base_hash);
    }

    /// Takes an entry at or below the base into memory, so that it can be handed to peers.
    pub fn retain_below(&mut self, entry: Arc<Entry>) {
        assert_eq!(entry.op, self.floor, "entries are retained downwards");
        self.floor.0 -= 1;
        let op = entry.op;
        self.put(entry);
        self.slot_mut(op).expect("just put there").durable = true;
    }

    /// Forgets the votes for all entries after `op`.
    pub fn reset_votes(&mut self, op: Op) {
        for number in op.0 + 1..=self.head.0 {
            if let Some(slot) = self.slot_mut(Op(number)) {
                slot.votes = Members::default();
                slot.vote_count = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Log;
    use crate::entry::{Entry, EntryFields};
    use crate::ids::{Hash, Op, View};
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    /// Entries `first..=last`, prepared in `view`, after an entry with hash `below`.
    fn chain(first: u64, last: u64, view: u64, mut below: Hash) -> Vec<Arc<Entry>> {
        let mut entries = Vec::new();
        for op in first..=last {
            let fields = EntryFields { op: Op(op), view: View(view), previous_hash: below, ..EntryFields::default() };
            let entry = Arc::new(Entry::new(fields));
            below = entry.hash;
            entries.push(entry);
        }
        entries
    }

    fn log_of(entries: &[Arc<Entry>]) -> Log {
        let mut log = Log::new(8, Op(0), Hash::default());
        for entry in entries {
            log.append(Arc::clone(entry));
        }
        log
    }

    fn present(log: &Log) -> Vec<u64> {
        (1..=log.head().0).filter(|op| log.get(Op(*op)).is_some()).collect()
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let entries = chain(1, 11, 0, Hash::default());
        let log = log_of(&entries);
        assert_eq!((log.head(), log.floor()), (Op(11), Op(3)));
        assert_eq!(log.get(Op(3)), None);
        assert_eq!(log.get(Op(4)), Some(&entries[3]));
        assert_eq!(log.hash_of(Op(11)), Some(entries[10].hash));
    }

    #[test]
    fn truncating_hands_out_the_newest_first() {
        let entries = chain(1, 5, 0, Hash::default());
        let mut log = log_of(&entries);
        let mut removed = Vec::new();
        log.truncate(Op(3), |name| removed.push(name.op.0));
        assert_eq!(removed, [5, 4]);
        assert_eq!((log.head(), log.head_hash()), (Op(3), entries[2].hash));
    }

    #[test]
    fn adopting_keeps_what_is_the_same_and_replaces_the_rest() {
        let own = chain(1, 6, 0, Hash::default());
        let new = chain(4, 5, 1, own[2].hash);
        let mut log = log_of(&own);
        log.slot_mut(Op(3)).expect("appended").durable = true;
        let adopted = log.adopt(Op(1), Op(2), own[1].hash, &[own[2].clone(), new[0].clone(), new[1].clone()]);
        assert_eq!(adopted.removed.iter().map(|name| name.op.0).collect::<Vec<_>>(), [6, 5, 4]);
        assert_eq!(adopted.added, new);
        assert_eq!((log.head(), log.head_hash(), log.holes()), (Op(5), new[1].hash, 0));
        assert!(log.is_durable(Op(3)) && !log.is_durable(Op(4)));
    }

    #[test]
    fn a_gap_below_an_adopted_log_is_repaired_from_above() {
        let entries = chain(1, 7, 0, Hash::default());
        let mut log = log_of(&entries[..2]);
        let adopted = log.adopt(Op(2), Op(6), entries[5].hash, &entries[6..]);
        assert!(adopted.removed.is_empty());
        assert_eq!((present(&log), log.holes()), ([1, 2, 7].to_vec(), 4));
        assert!(log.fill(&entries[4]).is_none(), "its hash is not known yet");
        for entry in entries[2..6].iter().rev() {
            assert!(log.fill(entry).expect("next from above").is_new);
        }
        assert_eq!(log.holes(), 0);
    }

    #[test]
    fn what_lies_below_a_hole_is_a_candidate_until_the_hole_is_filled() {
        let entries = chain(1, 5, 0, Hash::default());
        let mut log = log_of(&entries[..3]);
        let adopted = log.adopt(Op(1), Op(5), entries[4].hash, &[]);
        assert!(adopted.removed.is_empty());
        assert_eq!(present(&log), [1]);
        assert!(log.held(Op(3), entries[2].hash).is_some(), "others may ask for it by its hash");
        log.fill(&entries[4]).expect("the head is known");
        let filled = log.fill(&entries[3]).expect("known from the head");
        assert_eq!(filled.proven, [Op(3), Op(2)]);
        assert_eq!((present(&log), log.holes()), ([1, 2, 3, 4, 5].to_vec(), 0));
    }

    #[test]
    fn a_candidate_that_is_refuted_leaves() {
        let stale = chain(1, 3, 0, Hash::default());
        let real = chain(3, 5, 1, stale[1].hash);
        let mut log = log_of(&stale);
        log.adopt(Op(1), Op(5), real[2].hash, &[]);
        log.fill(&real[2]).expect("the head is known");
        let filled = log.fill(&real[1]).expect("known from the head");
        assert_eq!(filled.removed.iter().map(|name| name.op).collect::<Vec<_>>(), [Op(3)]);
        let filled = log.fill(&real[0]).expect("known from above");
        assert_eq!((filled.proven, log.holes()), ([Op(2)].to_vec(), 0));
    }

    #[test]
    fn a_log_that_contradicts_what_is_committed_is_not_agreed_with() {
        let own = chain(1, 4, 0, Hash::default());
        let other = chain(3, 5, 1, own[1].hash);
        let log = log_of(&own);
        assert!(log.agrees(Op(3), Op(2), own[1].hash, &own[2..]));
        assert!(log.agrees(Op(2), Op(2), own[1].hash, &other), "op 3 is not committed here");
        assert!(!log.agrees(Op(3), Op(2), own[1].hash, &other));
        assert!(!log.agrees(Op(4), Op(2), own[1].hash, &own[2..3]), "it ends before what is committed");
    }

    #[test]
    fn starting_after_a_checkpoint_keeps_what_follows_it() {
        let entries = chain(1, 6, 0, Hash::default());
        let mut log = log_of(&entries);
        assert!(log.start_after(Op(2), Op(4), entries[3].hash).is_empty(), "the chain proves ops 3 and 4");
        assert_eq!((log.floor(), log.head()), (Op(4), Op(6)));
        assert_eq!(present(&log), [5, 6]);
        let mut log = log_of(&entries);
        let removed = log.start_after(Op(2), Op(4), Hash([1; 32]));
        assert_eq!(removed.iter().map(|name| name.op.0).collect::<Vec<_>>(), [4, 3]);
    }
}
