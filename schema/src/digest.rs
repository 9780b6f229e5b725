//! The digest of a run: one value that two recordings of a run share exactly when they agree on every column of every row.
//!
//! Defined on column values, not on file bytes, so that another encoding, batch or writer leaves it unchanged.

use crate::column::{ColumnRef, PairLists};
use crate::history::History;
use core::ops::Range;

/// BLAKE3 over the run's rows: kind by kind (operation, message, transition, storage, fault), column by column (`seq`,
/// `time_ns`, then the kind's own in file order), each value little-endian in its column's width, rows in `seq` order.
/// A null is its type's largest value, a dictionary value its code; a list is its length (u32, largest value when null),
/// keys, then values.
#[must_use]
pub fn run_digest(history: &History, run: usize) -> [u8; 32] {
    let mut hasher = Columns { hasher: blake3::Hasher::new(), buffer: Vec::new() };
    macro_rules! feed {
        ($table:ident) => {
            let rows = history.$table.rows_of_run(run);
            hasher.count(rows.len());
            hasher.column(ColumnRef::U64(&history.$table.seq), &rows);
            hasher.column(ColumnRef::U64(&history.$table.time_ns), &rows);
            for column in history.$table.columns() {
                hasher.column(column, &rows);
            }
        };
    }
    feed!(operations);
    feed!(messages);
    feed!(transitions);
    feed!(storage);
    feed!(faults);
    *hasher.hasher.finalize().as_bytes()
}

struct Columns {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Columns {
    fn count(&mut self, rows: usize) {
        self.hasher.update(&(rows as u64).to_le_bytes());
    }

    fn column(&mut self, column: ColumnRef<'_>, rows: &Range<usize>) {
        self.buffer.clear();
        match column {
            ColumnRef::U8(values) | ColumnRef::Dictionary(values, _) => {
                self.hasher.update(&values[rows.clone()]);
                return;
            }
            ColumnRef::U16(values) => self.buffer.extend(values[rows.clone()].iter().flat_map(|value| value.to_le_bytes())),
            ColumnRef::U32(values) => self.buffer.extend(values[rows.clone()].iter().flat_map(|value| value.to_le_bytes())),
            ColumnRef::U64(values) => self.buffer.extend(values[rows.clone()].iter().flat_map(|value| value.to_le_bytes())),
            ColumnRef::F64(values) => self.buffer.extend(values[rows.clone()].iter().flat_map(|value| value.to_le_bytes())),
            ColumnRef::Pairs(lists) => self.lists(lists, rows),
        }
        self.hasher.update(&self.buffer);
    }

    fn lists(&mut self, lists: &PairLists, rows: &Range<usize>) {
        for row in rows.clone() {
            let Some(pairs) = lists.get(row) else {
                self.buffer.extend(u32::MAX.to_le_bytes());
                continue;
            };
            self.buffer.extend(u32::try_from(pairs.len()).unwrap_or(u32::MAX).to_le_bytes());
            for pair in pairs {
                self.buffer.extend(pair.key.to_le_bytes());
                self.buffer.extend(pair.value.unwrap_or(u64::MAX).to_le_bytes());
            }
        }
    }
}
