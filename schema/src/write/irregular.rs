//! Columns that are not integers of one width: texts and digests, lists of pairs, floats.
//!
//! They are rare (kind run, scans, faults), so clarity comes before speed here.

use super::WriteError;
use super::columns::{ColumnEncoder, PAGE_ROWS, is_nullable, null_statistics, put_present, put_text};
use crate::column::{Niche, PairLists};
use crate::pages::header::put_levels;
use crate::pages::hybrid;
use core::ops::Range;
use parquet::basic::Encoding;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescPtr;

/// Bytes after which a page of texts is closed.
const TEXT_PAGE_BYTES: usize = 1 << 20;

impl ColumnEncoder {
    /// A column of floats.
    pub(crate) fn floats(&mut self, column: &ColumnDescPtr, values: &[f64]) -> Result<ColumnChunkMetaData, WriteError> {
        self.readable(true, |encoder, compress| {
            encoder.chunk.begin(compress);
            for rows in values.chunks(PAGE_ROWS) {
                encoder.page.clear();
                put_present(column, rows.len(), &mut encoder.page);
                encoder.page.extend(rows.iter().flat_map(|value| value.to_le_bytes()));
                encoder.chunk.data_page(&encoder.page, rows.len(), Encoding::PLAIN)?;
            }
            Ok(())
        })?;
        self.chunk.finish(column, null_statistics(column, 0))
    }

    /// A column of byte strings (texts, digests) of kind run.
    pub(crate) fn texts(&mut self, column: &ColumnDescPtr, values: &[Option<&[u8]>]) -> Result<ColumnChunkMetaData, WriteError> {
        self.readable(true, |encoder, compress| {
            encoder.chunk.begin(compress);
            let mut left = values;
            while !left.is_empty() {
                let mut bytes = 0;
                let fitting = left.iter().take_while(|value| {
                    let fits = bytes < TEXT_PAGE_BYTES;
                    bytes += value.map_or(0, <[u8]>::len);
                    fits
                });
                let (rows, rest) = left.split_at(fitting.count());
                encoder.text_page(column, rows)?;
                left = rest;
            }
            Ok(())
        })?;
        let nulls = values.iter().filter(|value| value.is_none()).count();
        self.chunk.finish(column, null_statistics(column, nulls))
    }

    fn text_page(&mut self, column: &ColumnDescPtr, rows: &[Option<&[u8]>]) -> Result<(), WriteError> {
        self.page.clear();
        if is_nullable(column) {
            let levels: Vec<u8> = rows.iter().map(|row| 1 + u8::from(row.is_some())).collect();
            put_levels(&mut self.page, |out| hybrid::encode(&levels, 2, out));
        } else {
            put_present(column, rows.len(), &mut self.page);
        }
        for value in rows.iter().flatten() {
            if column.type_length() > 0 {
                self.page.extend_from_slice(value);
            } else {
                put_text(value, &mut self.page);
            }
        }
        self.chunk.data_page(&self.page, rows.len(), Encoding::PLAIN)
    }

    /// The keys, or the values, of a column of lists.
    pub(crate) fn lists(
        &mut self,
        column: &ColumnDescPtr,
        lists: &PairLists,
        rows: &Range<usize>,
        keys: bool,
    ) -> Result<ColumnChunkMetaData, WriteError> {
        let mut nulls = 0;
        self.readable(true, |encoder, compress| {
            encoder.chunk.begin(compress);
            nulls = 0;
            let mut from = rows.start;
            while from < rows.end {
                let mut to = from + 1;
                while to < rows.end && pairs_of(lists, from..to + 1).len() + (to - from) < PAGE_ROWS {
                    to += 1;
                }
                let (levels, values) = encoder.list_page(lists, from..to, keys);
                nulls += levels - values;
                encoder.chunk.data_page(&encoder.page, levels, Encoding::PLAIN)?;
                from = to;
            }
            Ok(())
        })?;
        self.chunk.finish(column, null_statistics(column, nulls))
    }

    /// Lays out one page of lists; returns the number of its levels and of its values.
    fn list_page(&mut self, lists: &PairLists, rows: Range<usize>, keys: bool) -> (usize, usize) {
        let pairs = pairs_of(lists, rows.clone());
        let (mut repetition, mut definition) = (Vec::new(), Vec::new());
        for row in rows {
            let Some(list) = lists.get(row) else {
                repetition.push(0_u8);
                definition.push(1_u8);
                continue;
            };
            if list.len() == 0 {
                repetition.push(0);
                definition.push(2);
            }
            for (index, pair) in list.enumerate() {
                repetition.push(u8::from(index > 0));
                definition.push(3 + u8::from(!keys && pair.value.is_some()));
            }
        }
        self.page.clear();
        put_levels(&mut self.page, |out| hybrid::encode(&repetition, 1, out));
        put_levels(&mut self.page, |out| hybrid::encode(&definition, if keys { 2 } else { 3 }, out));
        let before = self.page.len();
        let column = if keys { &lists.keys } else { &lists.values.0 };
        let kept = column[pairs].iter().filter(|value| keys || **value != u64::NONE);
        self.page.extend(kept.flat_map(|value| value.to_le_bytes()));
        (definition.len(), (self.page.len() - before) / 8)
    }
}

/// Where the pairs of some rows lie.
pub(crate) fn pairs_of(lists: &PairLists, rows: Range<usize>) -> Range<usize> {
    let end_of = |row: usize| if row == 0 { 0 } else { lists.ends[row - 1] as usize };
    end_of(rows.start)..end_of(rows.end)
}
