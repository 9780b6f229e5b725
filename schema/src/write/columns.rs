//! One column of one row group to one chunk.
//!
//! Pages are made one at a time so that a page's values stay in the processor's cache from the null mask to the bytes.

use super::chunk::ChunkBuilder;
use super::encodings::{Strategy, Values};
use super::interner::Interner;
use super::output::Output;
use super::{WriteError, levels};
use crate::column::Niche;
use crate::pages::header::put_levels;
use crate::pages::{Word, bits, delta, hybrid};
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::data_type::ByteArray;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

/// Rows of a page: a quarter of a MiB of 64-bit values.
pub(super) const PAGE_ROWS: usize = 1 << 15;

/// Encodes columns; keeps all buffers from one to the next.
pub(crate) struct ColumnEncoder {
    pub(crate) chunk: ChunkBuilder,
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
#[derive(Clone, Copy)]
pub(super) enum Plan {
    /// There are none.
    Null,
    /// All of them are this one.
    Constant(u64),
    /// As they are.
    Plain,
    /// Differences.
    Delta,
    /// Indices into a dictionary that grows as pages are written.
    Dictionary,
}

impl ColumnEncoder {
    /// An encoder with empty buffers for this file.
    pub(crate) fn new(output: Output) -> Result<Self, WriteError> {
        Ok(Self {
            chunk: ChunkBuilder::new(output)?,
            interner: Interner::new(),
            indices: Vec::new(),
            page: Vec::new(),
            masks: Vec::new(),
            compacted: Compacted::default(),
        })
    }

    /// A chunk that is null throughout: the columns of all other kinds. Touches no row.
    pub(crate) fn nulls(&mut self, column: &ColumnDescPtr, rows: usize) -> Result<ColumnChunkMetaData, WriteError> {
        self.chunk.begin(false);
        self.page.clear();
        if column.max_rep_level() > 0 {
            put_levels(&mut self.page, |out| hybrid::put_repeat(out, 0, rows, 1));
        }
        let width = bits::width_of(u64::from(column.max_def_level().unsigned_abs()));
        put_levels(&mut self.page, |out| hybrid::put_repeat(out, 0, rows, width));
        self.chunk.data_page(&self.page, rows, Encoding::PLAIN)?;
        self.chunk.finish(column, null_statistics(column, rows))
    }

    /// A required common column given as runs of (dictionary index, rows); touches no row.
    pub(crate) fn runs(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: (&[u8], usize),
        runs: &[(usize, usize)],
        statistics: Statistics,
    ) -> Result<ColumnChunkMetaData, WriteError> {
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
        self.chunk.finish(column, statistics)
    }

    /// A column of integers.
    pub(crate) fn integers<T: Cell>(
        &mut self,
        column: &ColumnDescPtr,
        values: &[T],
        strategy: Strategy,
    ) -> Result<ColumnChunkMetaData, WriteError> {
        let mut plan = plan(values, is_nullable(column), strategy);
        let mut nulls = 0;
        self.readable(strategy.compress, |encoder, compress| {
            if let Some(found) = encoder.integer_pages(column, values, plan, compress)? {
                nulls = found;
            } else {
                plan = Plan::Delta;
                nulls = encoder.integer_pages(column, values, plan, compress)?.expect("differences never give up");
            }
            Ok(())
        })?;
        self.chunk.finish(column, null_statistics(column, nulls))
    }

    /// Writes all pages of a chunk and returns the number of nulls; none when its dictionary has grown too large.
    pub(super) fn integer_pages<T: Cell>(
        &mut self,
        column: &ColumnDescPtr,
        values: &[T],
        plan: Plan,
        compress: bool,
    ) -> Result<Option<usize>, WriteError> {
        self.chunk.begin(compress);
        self.interner.clear();
        let mut compacted = core::mem::take(T::buffer(&mut self.compacted));
        let mut nulls = 0;
        for rows in values.chunks(PAGE_ROWS) {
            self.page.clear();
            let present = self.levels(column, rows, &mut compacted);
            nulls += rows.len() - present.len();
            let encoding = match plan {
                Plan::Null => Encoding::PLAIN,
                Plan::Constant(_) => {
                    self.page.push(0);
                    hybrid::put_repeat(&mut self.page, 0, present.len(), 0);
                    Encoding::RLE_DICTIONARY
                }
                Plan::Plain => {
                    put_plain::<T>(present, &mut self.page);
                    Encoding::PLAIN
                }
                Plan::Delta => {
                    delta::encode(present, &mut self.page);
                    Encoding::DELTA_BINARY_PACKED
                }
                Plan::Dictionary => {
                    self.indices.clear();
                    if !self.interner.intern(present, &mut self.indices) {
                        *T::buffer(&mut self.compacted) = compacted;
                        return Ok(None);
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
                constant = [value];
                &constant[..]
            }
            Plan::Dictionary => self.interner.values(),
            Plan::Delta | Plan::Plain | Plan::Null => return Ok(Some(nulls)),
        };
        self.page.clear();
        put_plain::<T>(dictionary, &mut self.page);
        self.chunk.dictionary_page(&self.page, dictionary.len())?;
        Ok(Some(nulls))
    }

    /// Writes the levels of a page and returns its values without the nulls.
    fn levels<'a, T: Cell>(&mut self, column: &ColumnDescPtr, rows: &'a [T], compacted: &'a mut Vec<T>) -> &'a [T] {
        let (masks, page) = (&mut self.masks, &mut self.page);
        if !is_nullable(column) {
            put_levels_of_all(column, rows.len(), 0, page);
            return rows;
        }
        let count = levels::compact(rows, compacted, masks);
        if count == rows.len() || count == 0 {
            put_levels_of_all(column, rows.len(), u64::from(count == 0), page);
        } else {
            put_levels(page, |out| levels::put_definition(masks, rows.len(), out));
        }
        &compacted[..count]
    }

    /// A required common column of 64-bit integers, as it is.
    pub(crate) fn plain(&mut self, column: &ColumnDescPtr, values: &[u64]) -> Result<ColumnChunkMetaData, WriteError> {
        self.chunk.begin(false);
        for rows in values.chunks(PAGE_ROWS) {
            self.page.clear();
            put_plain::<u64>(rows, &mut self.page);
            self.chunk.data_page(&self.page, rows.len(), Encoding::PLAIN)?;
        }
        self.chunk.finish(column, null_statistics(column, 0))
    }

    /// A column of dictionary codes.
    pub(crate) fn codes(
        &mut self,
        column: &ColumnDescPtr,
        codes: &[u8],
        names: &[&str],
        compress: bool,
    ) -> Result<ColumnChunkMetaData, WriteError> {
        let mut seen = [false; 256];
        for code in codes {
            seen[usize::from(*code)] = true;
        }
        if is_nullable(column) {
            seen[usize::from(u8::NONE)] = false;
        }
        let mut index_of = [0_u8; 256];
        let mut used: Vec<&str> = Vec::new();
        for (code, _) in seen.iter().enumerate().filter(|(_, seen)| **seen) {
            index_of[code] = used.len() as u8;
            used.push(names.get(code).ok_or_else(|| WriteError::Code { column: column.path().string(), code })?);
        }
        let mut nulls = 0;
        self.readable(compress, |encoder, compress| {
            nulls = encoder.code_pages(column, codes, &index_of, used.len(), compress)?;
            if !used.is_empty() {
                encoder.page.clear();
                for name in &used {
                    put_text(name.as_bytes(), &mut encoder.page);
                }
                encoder.chunk.dictionary_page(&encoder.page, used.len())?;
            }
            Ok(())
        })?;
        let bound = |text: Option<&&str>| text.map(|text| ByteArray::from(*text));
        let statistics = Statistics::byte_array(bound(used.iter().min()), bound(used.iter().max()), None, Some(nulls as u64), false);
        self.chunk.finish(column, statistics)
    }

    /// Writes the data pages of a column of codes, `used` of which occur; returns the number of nulls.
    fn code_pages(
        &mut self,
        column: &ColumnDescPtr,
        codes: &[u8],
        index_of: &[u8; 256],
        used: usize,
        compress: bool,
    ) -> Result<usize, WriteError> {
        let width = bits::width_of(used.saturating_sub(1) as u64);
        self.chunk.begin(compress);
        let mut compacted = core::mem::take(&mut self.compacted.u8);
        let mut indices = core::mem::take(&mut self.compacted.u16);
        let mut nulls = 0;
        for rows in codes.chunks(PAGE_ROWS) {
            self.page.clear();
            let present = self.levels(column, rows, &mut compacted);
            nulls += rows.len() - present.len();
            if used == 0 {
                self.chunk.data_page(&self.page, rows.len(), Encoding::PLAIN)?;
                continue;
            }
            self.page.push(width as u8);
            if used == 1 {
                hybrid::put_repeat(&mut self.page, 0, present.len(), 0);
            } else {
                indices.clear();
                indices.extend(present.iter().map(|code| u16::from(index_of[usize::from(*code)])));
                hybrid::encode(&indices, width, &mut self.page);
            }
            self.chunk.data_page(&self.page, rows.len(), Encoding::RLE_DICTIONARY)?;
        }
        self.compacted.u8 = compacted;
        self.compacted.u16 = indices;
        Ok(nulls)
    }

    /// Builds a chunk, compressed where that is wanted, and again without when it would expand more than readers accept.
    pub(super) fn readable(
        &mut self,
        compress: bool,
        mut build: impl FnMut(&mut Self, bool) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        build(self, compress)?;
        if self.chunk.expands_too_much() {
            build(self, false)?;
        }
        Ok(())
    }
}

/// Whether rows of the column's own kind may be null.
pub(super) fn is_nullable(column: &ColumnDescPtr) -> bool {
    column.self_type().is_optional()
}

/// Levels of a page in which every row has its value; nothing for required common columns.
pub(super) fn put_present(column: &ColumnDescPtr, rows: usize, page: &mut Vec<u8>) {
    put_levels_of_all(column, rows, 0, page);
}

/// Levels of a page whose rows are all `missing` levels short of a value.
fn put_levels_of_all(column: &ColumnDescPtr, rows: usize, missing: u64, page: &mut Vec<u8>) {
    let level = u64::from(column.max_def_level().unsigned_abs());
    if level > 0 {
        put_levels(page, |out| hybrid::put_repeat(out, level - missing, rows, bits::width_of(level)));
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

/// Looks at the values before the table's strategy is followed.
fn plan<T: Cell>(values: &[T], nullable: bool, strategy: Strategy) -> Plan {
    let present = |value: &T| !nullable || *value != T::NONE;
    let Some(first) = values.iter().copied().find(present) else { return Plan::Null };
    let differs = |block: &[T]| block.iter().fold(false, |differs, value| differs | (*value != first && present(value)));
    if !values.chunks(256).any(differs) {
        return Plan::Constant(first.wide());
    }
    match strategy.values {
        Values::Delta => Plan::Delta,
        Values::Dictionary => Plan::Dictionary,
        Values::Plain => Plan::Plain,
    }
}

/// Values in the physical width of `T`.
fn put_plain<T: Word>(values: &[impl Word], page: &mut Vec<u8>) {
    let start = page.len();
    page.resize(start + values.len() * (T::PHYSICAL_BITS as usize / 8), 0);
    if T::PHYSICAL_BITS == 64 {
        for (bytes, value) in page[start..].as_chunks_mut().0.iter_mut().zip(values) {
            *bytes = value.wide().to_le_bytes();
        }
    } else {
        for (bytes, value) in page[start..].as_chunks_mut().0.iter_mut().zip(values) {
            *bytes = (value.wide() as u32).to_le_bytes();
        }
    }
}

fn put_indices(indices: &[u32], entries: usize, page: &mut Vec<u8>) {
    let width = bits::width_of(entries.saturating_sub(1) as u64);
    page.push(width as u8);
    hybrid::encode(indices, width, page);
}
