//! One column of one row group to one chunk.
//!
//! Pages are made one at a time so that a page's values stay in the processor's cache from the null mask to the bytes.

use super::chunk::{Chunk, ChunkBuilder};
use super::encodings::{Strategy, Values};
use super::interner::Interner;
use super::{WriteError, levels};
use crate::column::Niche;
use crate::pages::header::put_levels;
use crate::pages::{Word, bits, delta, hybrid};
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::data_type::ByteArray;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

/// Rows of a page: half a MiB of 64-bit values.
pub(super) const PAGE_ROWS: usize = 1 << 16;

/// What the footer says about the order of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// Nothing but the number of nulls.
    Nulls,
    /// Least and greatest value as well.
    MinMax,
}

/// Encodes columns; keeps all buffers from one to the next.
pub(crate) struct ColumnEncoder {
    pub(super) chunk: ChunkBuilder,
    interner: Interner,
    indices: Vec<u32>,
    pub(super) page: Vec<u8>,
    masks: Vec<u8>,
    compacted: Compacted,
}

/// Values of a page without its nulls, one buffer per type.
#[derive(Default)]
pub(crate) struct Compacted {
    u8: Vec<u8>,
    u16: Vec<u16>,
    u32: Vec<u32>,
    u64: Vec<u64>,
}

/// An integer that has a buffer in [`Compacted`].
pub(crate) trait Cell: Word + Niche {
    /// Its buffer.
    fn buffer(compacted: &mut Compacted) -> &mut Vec<Self>;
}

macro_rules! cells {
    ($($integer:ident),*) => { $(
        impl Cell for $integer {
            fn buffer(compacted: &mut Compacted) -> &mut Vec<Self> { &mut compacted.$integer }
        }
    )* };
}
cells!(u8, u16, u32, u64);

/// How the values of the column at hand were found to be best written.
enum Plan {
    /// All of them are this one.
    Constant(u64),
    /// Differences.
    Delta,
    /// Indices into a dictionary that grows as pages are written.
    Dictionary,
}

impl ColumnEncoder {
    /// An encoder with empty buffers.
    pub(crate) fn new() -> Result<Self, WriteError> {
        Ok(Self {
            chunk: ChunkBuilder::new()?,
            interner: Interner::new(),
            indices: Vec::new(),
            page: Vec::new(),
            masks: Vec::new(),
            compacted: Compacted::default(),
        })
    }

    /// A chunk that is null throughout: the columns of all other kinds. Touches no row.
    pub(crate) fn nulls(&mut self, column: &ColumnDescPtr, rows: usize) -> Result<Chunk, WriteError> {
        self.chunk.begin(false);
        self.page.clear();
        if column.max_rep_level() > 0 {
            put_levels(&mut self.page, |out| hybrid::put_repeat(out, 0, rows, 1));
        }
        let width = bits::width_of(u64::from(column.max_def_level().unsigned_abs()));
        put_levels(&mut self.page, |out| hybrid::put_repeat(out, 0, rows, width));
        self.chunk.data_page(&self.page, rows, Encoding::PLAIN)?;
        self.chunk.finish(column, rows, Some(null_statistics(column, rows)))
    }

    /// A required common column given as runs of (dictionary index, rows); touches no row.
    pub(crate) fn runs(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: (&[u8], usize),
        runs: &[(usize, usize)],
        statistics: Statistics,
    ) -> Result<Chunk, WriteError> {
        self.chunk.begin(false);
        self.page.clear();
        let width = bits::width_of(dictionary.1.saturating_sub(1) as u64);
        self.page.push(width as u8);
        for (index, rows) in runs {
            hybrid::put_repeat(&mut self.page, *index as u64, *rows, width);
        }
        let rows = runs.iter().map(|(_, rows)| rows).sum();
        self.chunk.data_page(&self.page, rows, Encoding::RLE_DICTIONARY)?;
        self.chunk.dictionary_page(dictionary.0, dictionary.1)?;
        self.chunk.finish(column, rows, Some(statistics))
    }

    /// A column of integers.
    pub(crate) fn integers<T: Cell>(
        &mut self,
        column: &ColumnDescPtr,
        values: &[T],
        strategy: Strategy,
        bounds: Bounds,
    ) -> Result<Chunk, WriteError> {
        let nullable = is_nullable(column);
        let nulls = if nullable { count_nulls(values) } else { 0 };
        if nulls == values.len() && column.max_def_level() > 0 {
            return self.null_values(column, values.len());
        }
        let plan = plan(values, nullable, strategy);
        let mut ended = self.integer_pages(column, values, nulls, &plan, strategy.compress)?;
        if !ended {
            ended = self.integer_pages(column, values, nulls, &Plan::Delta, strategy.compress)?;
        }
        debug_assert!(ended, "differences never give up");
        let statistics = integer_statistics(column, values, nulls, bounds);
        self.chunk.finish(column, values.len(), Some(statistics))
    }

    /// Writes all pages of a chunk; false when its dictionary has grown too large.
    fn integer_pages<T: Cell>(
        &mut self,
        column: &ColumnDescPtr,
        values: &[T],
        nulls: usize,
        plan: &Plan,
        compress: bool,
    ) -> Result<bool, WriteError> {
        self.chunk.begin(compress);
        self.interner.clear();
        let mut compacted = core::mem::take(T::buffer(&mut self.compacted));
        for rows in values.chunks(PAGE_ROWS) {
            self.page.clear();
            let present = self.levels(column, rows, nulls, &mut compacted);
            let encoding = match plan {
                Plan::Constant(_) => {
                    self.page.push(0);
                    hybrid::put_repeat(&mut self.page, 0, present.len(), 0);
                    Encoding::RLE_DICTIONARY
                }
                Plan::Delta => {
                    delta::encode(present, &mut self.page);
                    Encoding::DELTA_BINARY_PACKED
                }
                Plan::Dictionary => {
                    self.indices.clear();
                    if !self.interner.intern(present, &mut self.indices) {
                        *T::buffer(&mut self.compacted) = compacted;
                        return Ok(false);
                    }
                    put_indices(&self.indices, self.interner.values().len(), &mut self.page);
                    Encoding::RLE_DICTIONARY
                }
            };
            self.chunk.data_page(&self.page, rows.len(), encoding)?;
        }
        *T::buffer(&mut self.compacted) = compacted;
        let constant;
        let dictionary = match plan {
            Plan::Constant(value) => {
                constant = [*value];
                &constant[..]
            }
            Plan::Dictionary => self.interner.values(),
            Plan::Delta => return Ok(true),
        };
        self.page.clear();
        put_plain::<T>(dictionary, &mut self.page);
        self.chunk.dictionary_page(&self.page, dictionary.len())?;
        Ok(true)
    }

    /// Writes the levels of a page and returns its values without the nulls.
    fn levels<'a, T: Cell>(&mut self, column: &ColumnDescPtr, rows: &'a [T], nulls: usize, compacted: &'a mut Vec<T>) -> &'a [T] {
        let (masks, page) = (&mut self.masks, &mut self.page);
        if nulls > 0 {
            levels::compact(rows, compacted, masks);
            put_levels(page, |out| levels::put_definition(masks, rows.len(), out));
            return compacted;
        }
        put_present(column, rows.len(), page);
        rows
    }

    /// A column of this kind whose values are all null.
    fn null_values(&mut self, column: &ColumnDescPtr, rows: usize) -> Result<Chunk, WriteError> {
        self.chunk.begin(false);
        self.page.clear();
        let level = u64::from(column.max_def_level().unsigned_abs()) - 1;
        let width = bits::width_of(level + 1);
        put_levels(&mut self.page, |out| hybrid::put_repeat(out, level, rows, width));
        self.chunk.data_page(&self.page, rows, Encoding::PLAIN)?;
        self.chunk.finish(column, rows, Some(null_statistics(column, rows)))
    }

    /// A required common column of 64-bit integers, as it is.
    pub(crate) fn plain(&mut self, column: &ColumnDescPtr, values: &[u64]) -> Result<Chunk, WriteError> {
        self.chunk.begin(false);
        for rows in values.chunks(PAGE_ROWS) {
            self.page.clear();
            put_plain::<u64>(rows, &mut self.page);
            self.chunk.data_page(&self.page, rows.len(), Encoding::PLAIN)?;
        }
        let statistics = integer_statistics(column, values, 0, Bounds::MinMax);
        self.chunk.finish(column, values.len(), Some(statistics))
    }

    /// A column of dictionary codes.
    pub(crate) fn codes(&mut self, column: &ColumnDescPtr, codes: &[u8], names: &[&str], compress: bool) -> Result<Chunk, WriteError> {
        let nullable = is_nullable(column);
        let mut seen = [false; 256];
        for code in codes {
            seen[usize::from(*code)] = true;
        }
        let nulls = if nullable && core::mem::take(&mut seen[255]) { count_nulls(codes) } else { 0 };
        if nulls == codes.len() && column.max_def_level() > 0 {
            return self.null_values(column, codes.len());
        }
        let mut index_of = [0_u8; 256];
        let mut used: Vec<&str> = Vec::new();
        for (code, _) in seen.iter().enumerate().filter(|(_, seen)| **seen) {
            index_of[code] = used.len() as u8;
            used.push(names.get(code).ok_or_else(|| WriteError::Code { column: column.path().string(), code })?);
        }
        let width = bits::width_of(used.len() as u64 - 1);
        self.chunk.begin(compress);
        let mut compacted = core::mem::take(&mut self.compacted.u8);
        let mut mapped = core::mem::take(&mut self.compacted.u16);
        for rows in codes.chunks(PAGE_ROWS) {
            self.page.clear();
            let present = self.levels(column, rows, nulls, &mut compacted);
            mapped.clear();
            mapped.extend(present.iter().map(|code| u16::from(index_of[usize::from(*code)])));
            self.page.push(width as u8);
            hybrid::encode(&mapped, width, &mut self.page);
            self.chunk.data_page(&self.page, rows.len(), Encoding::RLE_DICTIONARY)?;
        }
        self.compacted.u8 = compacted;
        self.compacted.u16 = mapped;
        self.page.clear();
        for name in &used {
            put_text(name.as_bytes(), &mut self.page);
        }
        self.chunk.dictionary_page(&self.page, used.len())?;
        let bound = |text: Option<&&str>| text.map(|text| ByteArray::from(*text));
        let statistics = Statistics::byte_array(bound(used.iter().min()), bound(used.iter().max()), None, Some(nulls as u64), false);
        self.chunk.finish(column, codes.len(), Some(statistics))
    }
}

/// Whether rows of the column's own kind may be null.
pub(super) fn is_nullable(column: &ColumnDescPtr) -> bool {
    column.self_type().is_optional()
}

/// Levels of a page in which every row has its value; nothing for required common columns.
pub(super) fn put_present(column: &ColumnDescPtr, rows: usize, page: &mut Vec<u8>) {
    let level = u64::from(column.max_def_level().unsigned_abs());
    if level > 0 {
        put_levels(page, |out| hybrid::put_repeat(out, level, rows, bits::width_of(level)));
    }
}

/// A text, its length in front.
pub(super) fn put_text(text: &[u8], page: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).expect("texts are checked to be far shorter");
    page.extend_from_slice(&length.to_le_bytes());
    page.extend_from_slice(text);
}

/// Statistics that only tell the number of nulls.
pub(super) fn null_statistics(column: &ColumnDescPtr, nulls: usize) -> Statistics {
    let nulls = Some(nulls as u64);
    match column.physical_type() {
        PhysicalType::INT32 => Statistics::int32(None, None, None, nulls, false),
        PhysicalType::INT64 => Statistics::int64(None, None, None, nulls, false),
        PhysicalType::DOUBLE => Statistics::double(None, None, None, nulls, false),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => Statistics::fixed_len_byte_array(None, None, None, nulls, false),
        _ => Statistics::byte_array(None, None, None, nulls, false),
    }
}

fn integer_statistics<T: Cell>(column: &ColumnDescPtr, values: &[T], nulls: usize, bounds: Bounds) -> Statistics {
    let ends = (bounds == Bounds::MinMax && nulls == 0).then(|| (values.iter().min(), values.iter().max()));
    match (ends, T::PHYSICAL_BITS) {
        (Some((Some(least), Some(most))), 64) => {
            let bits = |value: &T| Some(value.wide().cast_signed());
            Statistics::int64(bits(least), bits(most), None, Some(0), false)
        }
        _ => null_statistics(column, nulls),
    }
}

fn count_nulls<T: Niche>(values: &[T]) -> usize {
    values.iter().filter(|value| **value == T::NONE).count()
}

/// Looks at the values before the table's strategy is followed.
fn plan<T: Cell>(values: &[T], nullable: bool, strategy: Strategy) -> Plan {
    let mut present = values.iter().filter(|value| !nullable || **value != T::NONE);
    match present.next() {
        Some(first) if present.all(|value| value == first) => Plan::Constant(first.wide()),
        _ if strategy.values == Values::Delta => Plan::Delta,
        _ => Plan::Dictionary,
    }
}

fn put_plain<T: Word>(values: &[u64], page: &mut Vec<u8>) {
    let bytes = T::PHYSICAL_BITS as usize / 8;
    for value in values {
        page.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
}

fn put_indices(indices: &[u32], entries: usize, page: &mut Vec<u8>) {
    let width = bits::width_of(entries.saturating_sub(1) as u64);
    page.push(width as u8);
    hybrid::encode(indices, width, page);
}
