//! The digest of a run: one value that two recordings of a run share exactly when they agree on every column of every row.
//!
//! Defined on column values, not on file bytes, so that another encoding, batch or writer leaves it unchanged.

use crate::column::{ColumnRef, Niche, PairLists};
use crate::history::History;
use core::ops::Range;

/// Bytes handed to BLAKE3 at a time: enough for its widest vectors, few enough for the second-level cache.
const BLOCK: usize = 128 << 10;

/// BLAKE3 over the run's rows: kind by kind (operation, message, transition, storage, fault), column by column (`seq`,
/// `time_ns`, then the kind's own in file order).
///
/// A kind begins with its number of rows (u64). A column is a tag byte and its values, rows in `seq` order, little-endian:
/// * tag 1 and one value, when all rows (at least one) have the same value;
/// * else, for columns of 64-bit integers, tag 2 and each value in 32 bits, when every value is null or below 2^32 - 1;
/// * else tag 0 and each value in its column's width.
///
/// A null is the largest value of its width, a dictionary value its code (u8), a float its IEEE 754 bits. A column of lists has
/// tag 3 and per row the list's length (u32; largest value when null), then key and value (u64 each) of every pair.
#[must_use]
pub fn run_digest(history: &History, run: usize) -> [u8; 32] {
    let mut stream = Stream { hasher: blake3::Hasher::new(), buffer: vec![0; BLOCK], filled: 0 };
    macro_rules! feed {
        ($table:ident) => {
            let rows = history.$table.rows_of_run(run);
            stream.put(&(rows.len() as u64).to_le_bytes());
            stream.column(ColumnRef::U64(&history.$table.seq), &rows);
            stream.column(ColumnRef::U64(&history.$table.time_ns), &rows);
            for column in history.$table.columns() {
                stream.column(column, &rows);
            }
        };
    }
    feed!(operations);
    feed!(messages);
    feed!(transitions);
    feed!(storage);
    feed!(faults);
    stream.finish()
}

const TAG_WIDE: u8 = 0;
const TAG_CONSTANT: u8 = 1;
const TAG_NARROW: u8 = 2;
const TAG_LISTS: u8 = 3;

/// Collects bytes to whole blocks.
struct Stream {
    hasher: blake3::Hasher,
    /// Of [`BLOCK`] bytes.
    buffer: Vec<u8>,
    filled: usize,
}

impl Stream {
    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
            self.buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = rest;
            if self.filled == BLOCK {
                self.hasher.update(&self.buffer[..]);
                self.filled = 0;
            }
        }
    }

    fn column(&mut self, column: ColumnRef<'_>, rows: &Range<usize>) {
        let rows = rows.clone();
        match column {
            ColumnRef::U8(values) | ColumnRef::Dictionary(values, _) => self.values(&values[rows], |value| [value]),
            ColumnRef::U16(values) => self.values(&values[rows], u16::to_le_bytes),
            ColumnRef::U32(values) => self.values(&values[rows], u32::to_le_bytes),
            ColumnRef::U64(values) => self.wide(&values[rows]),
            ColumnRef::F64(values) => {
                let bits: Vec<u64> = values[rows].iter().map(|value| value.to_bits()).collect();
                self.values(&bits, u64::to_le_bytes);
            }
            ColumnRef::Pairs(lists) => self.lists(lists, rows),
        }
    }

    /// The value of all rows, if they are alike.
    #[expect(clippy::needless_bitwise_bool, reason = "without a branch a block is compared by vectors")]
    fn constant<T: Copy + PartialEq>(values: &[T]) -> Option<T> {
        let (first, rest) = values.split_first()?;
        // Block by block: the comparison of a block has no branch, and most columns differ in their first one.
        rest.chunks(256).all(|block| block.iter().fold(true, |alike, value| alike & (value == first))).then_some(*first)
    }

    fn values<T: Copy + PartialEq, const BYTES: usize>(&mut self, values: &[T], bytes: impl Fn(T) -> [u8; BYTES]) {
        if let Some(value) = Self::constant(values) {
            self.put(&[TAG_CONSTANT]);
            self.put(&bytes(value));
        } else {
            self.put(&[TAG_WIDE]);
            self.all(values, bytes);
        }
    }

    fn wide(&mut self, values: &[u64]) {
        let narrow = |value: u64| value < u64::from(u32::NONE) || value == u64::NONE;
        if Self::constant(values).is_none()
            && !values.is_empty()
            && values.chunks(256).all(|block| block.iter().fold(true, |all, value| all & narrow(*value)))
        {
            self.put(&[TAG_NARROW]);
            // The low half of a 64-bit null is a 32-bit null.
            self.all(values, |value| {
                let bytes = value.to_le_bytes();
                [bytes[0], bytes[1], bytes[2], bytes[3]]
            });
        } else {
            self.values(values, u64::to_le_bytes);
        }
    }

    /// Every value, written into the buffer without a copy in between.
    fn all<T: Copy, const BYTES: usize>(&mut self, mut values: &[T], bytes: impl Fn(T) -> [u8; BYTES]) {
        while !values.is_empty() {
            let room = (BLOCK - self.filled) / BYTES;
            if room == 0 {
                self.put(&bytes(values[0]));
                values = &values[1..];
                continue;
            }
            let (now, rest) = values.split_at(values.len().min(room));
            let (slots, _) = self.buffer[self.filled..].as_chunks_mut::<BYTES>();
            for (slot, value) in slots.iter_mut().zip(now) {
                *slot = bytes(*value);
            }
            self.filled += now.len() * BYTES;
            values = rest;
            if self.filled == BLOCK {
                self.hasher.update(&self.buffer[..]);
                self.filled = 0;
            }
        }
    }

    fn lists(&mut self, lists: &PairLists, rows: Range<usize>) {
        self.put(&[TAG_LISTS]);
        for row in rows {
            let Some(pairs) = lists.get(row) else {
                self.put(&u32::NONE.to_le_bytes());
                continue;
            };
            let length = u32::try_from(pairs.len()).expect("a batch holds fewer than 2^32 pairs");
            self.put(&length.to_le_bytes());
            for pair in pairs {
                self.put(&pair.key.to_le_bytes());
                self.put(&pair.value.unwrap_or(u64::NONE).to_le_bytes());
            }
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.buffer[..self.filled]);
        *self.hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Run;
    use crate::tables::{OperationRow, StorageRow};

    fn digest_of(rows: &[StorageRow]) -> [u8; 32] {
        let mut history = History::default();
        for row in rows {
            history.storage.push(row.clone());
        }
        history.close_run(Run::default());
        history.runs[0].digest
    }

    fn row(seq: u64, latency_ns: u64) -> StorageRow {
        StorageRow { seq, latency_ns, op: Some(seq << 40), ..StorageRow::default() }
    }

    #[test]
    fn the_definition_is_what_the_documentation_says() {
        let mut expected = Vec::new();
        let zero = |count: usize| vec![0_u8; count];
        // Operations, messages, transitions, faults: no rows, and per column tag 0 (lists: 3) with nothing behind it.
        let empty = |columns: &[crate::tables::ColumnSpec]| {
            let lists = columns.iter().map(|spec| if spec.column_type == crate::column::ColumnType::Pairs { 3 } else { 0 });
            zero(8 + 2).into_iter().chain(lists).collect::<Vec<u8>>()
        };
        expected.extend(empty(crate::tables::Operations::COLUMNS));
        expected.extend(empty(crate::tables::Messages::COLUMNS));
        expected.extend(empty(crate::tables::Transitions::COLUMNS));
        expected.extend(2_u64.to_le_bytes());
        expected.extend([2, 1, 0, 0, 0, 2, 0, 0, 0]); // seq: narrow
        expected.extend([1].into_iter().chain(zero(8))); // time_ns: constant
        expected.extend([1, 0, 1, 0, 1, 0]); // replica, io, zone
        expected.push(0); // op: wide
        expected.extend((1_u64 << 40).to_le_bytes().into_iter().chain((2_u64 << 40).to_le_bytes()));
        expected.extend([1].into_iter().chain(zero(8))); // started_seq
        expected.extend([1].into_iter().chain(zero(4))); // size_bytes
        expected.extend([1, 0]); // outcome
        expected.extend([2, 7, 0, 0, 0, 9, 0, 0, 0]); // latency_ns
        expected.extend(empty(crate::tables::Faults::COLUMNS));
        assert_eq!(digest_of(&[row(1, 7), row(2, 9)]), *blake3::hash(&expected).as_bytes());
    }

    #[test]
    fn any_changed_value_changes_it() {
        let base = digest_of(&[row(1, 7), row(2, 9)]);
        assert_ne!(base, digest_of(&[row(1, 7), row(2, 8)]));
        assert_ne!(base, digest_of(&[row(1, 7), row(2, 7)]));
        assert_ne!(base, digest_of(&[row(1, 7)]));
        assert_ne!(base, digest_of(&[row(1, 7), row(2, u64::MAX)]));
    }

    #[test]
    fn long_runs_are_hashed_in_blocks_that_do_not_show() {
        let mut history = History::default();
        for seq in 0..60_000 {
            history.operations.push(OperationRow { seq, key: seq << 33, tenant: u32::from(seq % 3 == 1), ..OperationRow::default() });
        }
        history.close_run(Run::default());
        let first = history.runs[0].digest;
        // The same rows as the second run of a batch.
        let mut shifted = History::default();
        shifted.close_run(Run::default());
        for seq in 0..60_000 {
            shifted.operations.push(OperationRow { seq, key: seq << 33, tenant: u32::from(seq % 3 == 1), ..OperationRow::default() });
        }
        shifted.close_run(Run::default());
        assert_eq!(first, shifted.runs[1].digest);
    }
}
