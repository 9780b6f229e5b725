//! One row group: all its chunks, those of other kinds included.
//!
//! The rows of a group are of one kind; chunks of the other kinds are nulls that cost the same for one row and a million.

use super::WriteError;
use super::columns::{ColumnEncoder, put_text};
use super::encodings::{Strategy, Values, strategy};
use super::runs::{RunColumn, run_column};
use crate::column::{ColumnRef, ColumnType};
use crate::dictionary::Dictionary;
use crate::history::History;
use crate::layout::{Leaf, Part};
use crate::rows::Kind;
use core::ops::Range;
use parquet::data_type::ByteArray;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

/// Rows per byte that a reader accepts, beyond [`ROWS_FREE`].
pub(crate) const ROWS_PER_BYTE: u64 = 4;

/// Rows of a row group that are exempt from [`ROWS_PER_BYTE`].
pub(crate) const ROWS_FREE: u64 = 4096;

/// Which rows a row group holds.
#[derive(Clone, Debug)]
pub(crate) struct GroupRows {
    /// Their kind.
    pub(crate) kind: Kind,
    /// Their runs, as indices into the history.
    pub(crate) runs: Range<usize>,
    /// The rows of the kind's table; for kind run the runs themselves.
    pub(crate) rows: Range<usize>,
}

/// A kind's table, seen through its columns.
pub(crate) struct TableView<'a> {
    /// Positions.
    pub(crate) seq: &'a [u64],
    /// Times.
    pub(crate) time_ns: &'a [u64],
    /// Own columns.
    pub(crate) columns: Vec<ColumnRef<'a>>,
    /// End of each run's rows.
    pub(crate) run_ends: &'a [usize],
}

/// The table of `kind`; none for kind run, which has none.
pub(crate) fn table(history: &History, kind: Kind) -> Option<TableView<'_>> {
    macro_rules! view {
        ($table:ident) => {{
            let table = &history.$table;
            Some(TableView { seq: &table.seq, time_ns: &table.time_ns, columns: table.columns(), run_ends: &table.run_ends })
        }};
    }
    match kind {
        Kind::Run => None,
        Kind::Operation => view!(operations),
        Kind::Message => view!(messages),
        Kind::Transition => view!(transitions),
        Kind::Storage => view!(storage),
        Kind::Fault => view!(faults),
    }
}

/// Encodes row groups.
pub(crate) struct GroupEncoder<'a> {
    /// Shared buffers.
    pub(crate) encoder: &'a mut ColumnEncoder,
    /// All leaves of the file.
    pub(crate) leaves: &'a [Leaf],
    /// Their descriptions for the footer.
    pub(crate) schema: &'a SchemaDescriptor,
}

impl GroupEncoder<'_> {
    /// All chunks of a row group, in file order.
    ///
    /// A reader refuses a row group with too many rows for its bytes. Where rows are that alike, `seq` is written plainly.
    pub(crate) fn encode(&mut self, history: &History, group: &GroupRows) -> Result<Vec<ColumnChunkMetaData>, WriteError> {
        let start = self.encoder.chunk.output.position();
        let chunks = self.chunks(history, group, false)?;
        let bytes = self.encoder.chunk.output.position() - start;
        if group.rows.len() as u64 <= ROWS_FREE + ROWS_PER_BYTE * bytes {
            return Ok(chunks);
        }
        let taken_back = self.encoder.chunk.take_back(start);
        assert!(taken_back, "a row group that small still waits in memory");
        self.chunks(history, group, true)
    }

    fn chunks(&mut self, history: &History, group: &GroupRows, plain_seq: bool) -> Result<Vec<ColumnChunkMetaData>, WriteError> {
        let table = table(history, group.kind);
        let mut chunks = Vec::with_capacity(self.leaves.len());
        for (index, leaf) in self.leaves.iter().enumerate() {
            let column = self.schema.column(index);
            chunks.push(match leaf.kind {
                None => self.common(&column, leaf.spec.name, history, group, table.as_ref(), plain_seq)?,
                Some(kind) if kind != group.kind => self.encoder.nulls(&column, group.rows.len())?,
                Some(_) => match &table {
                    Some(table) => self.own(&column, leaf, table.columns[leaf.column], group)?,
                    None => self.run(&column, leaf, history, group)?,
                },
            });
        }
        Ok(chunks)
    }

    fn common(
        &mut self,
        column: &ColumnDescPtr,
        name: &str,
        history: &History,
        group: &GroupRows,
        table: Option<&TableView<'_>>,
        plain_seq: bool,
    ) -> Result<ColumnChunkMetaData, WriteError> {
        let strategy = strategy(group.kind, name);
        let zeros;
        match name {
            "scenario" => self.scenario(column, history, group),
            "seed" => self.seed(column, history, group),
            "kind" => {
                let name = group.kind.name();
                let mut dictionary = Vec::new();
                put_text(name.as_bytes(), &mut dictionary);
                let bound = Some(ByteArray::from(name));
                let statistics = Statistics::byte_array(bound.clone(), bound, Some(1), Some(0), false);
                self.encoder.runs(column, (&dictionary, 1), &[(0, group.rows.len())], statistics)
            }
            _ => {
                let values = match (table, name) {
                    (Some(table), "seq") => &table.seq[group.rows.clone()],
                    (Some(table), _) => &table.time_ns[group.rows.clone()],
                    (None, _) => {
                        zeros = vec![0; group.rows.len()];
                        &zeros
                    }
                };
                if plain_seq && name == "seq" {
                    self.encoder.plain(column, values)
                } else {
                    self.encoder.integers(column, values, strategy)
                }
            }
        }
    }

    fn scenario(&mut self, column: &ColumnDescPtr, history: &History, group: &GroupRows) -> Result<ColumnChunkMetaData, WriteError> {
        let mut names: Vec<&str> = history.runs[group.runs.clone()].iter().map(|run| run.scenario.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut dictionary = Vec::new();
        for name in &names {
            put_text(name.as_bytes(), &mut dictionary);
        }
        let runs = rows_by_run(history, group, |run| names.partition_point(|name| *name < history.runs[run].scenario.as_str()));
        let bound = |name: Option<&&str>| name.map(|name| ByteArray::from(*name));
        let statistics = Statistics::byte_array(bound(names.first()), bound(names.last()), None, Some(0), false);
        self.encoder.runs(column, (&dictionary, names.len()), &runs, statistics)
    }

    fn seed(&mut self, column: &ColumnDescPtr, history: &History, group: &GroupRows) -> Result<ColumnChunkMetaData, WriteError> {
        let mut seeds: Vec<u64> = history.runs[group.runs.clone()].iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let dictionary: Vec<u8> = seeds.iter().flat_map(|seed| seed.to_le_bytes()).collect();
        let runs = rows_by_run(history, group, |run| seeds.partition_point(|seed| *seed < history.runs[run].seed));
        let bound = |seed: Option<&u64>| seed.map(|seed| seed.cast_signed());
        let statistics = Statistics::int64(bound(seeds.first()), bound(seeds.last()), None, Some(0), false);
        self.encoder.runs(column, (&dictionary, seeds.len()), &runs, statistics)
    }

    fn own(
        &mut self,
        column: &ColumnDescPtr,
        leaf: &Leaf,
        values: ColumnRef<'_>,
        group: &GroupRows,
    ) -> Result<ColumnChunkMetaData, WriteError> {
        let rows = group.rows.clone();
        let strategy = strategy(group.kind, leaf.spec.name);
        match values {
            ColumnRef::U8(values) => self.encoder.integers(column, &values[rows], strategy),
            ColumnRef::U16(values) => self.encoder.integers(column, &values[rows], strategy),
            ColumnRef::U32(values) => self.encoder.integers(column, &values[rows], strategy),
            ColumnRef::U64(values) => self.encoder.integers(column, &values[rows], strategy),
            ColumnRef::F64(values) => self.encoder.floats(column, &values[rows]),
            ColumnRef::Dictionary(codes, names) => self.encoder.codes(column, &codes[rows], names, strategy.compress),
            ColumnRef::Pairs(lists) => self.encoder.lists(column, lists, &rows, leaf.part == Part::Key),
        }
    }

    fn run(
        &mut self,
        column: &ColumnDescPtr,
        leaf: &Leaf,
        history: &History,
        group: &GroupRows,
    ) -> Result<ColumnChunkMetaData, WriteError> {
        let strategy = Strategy { values: Values::Dictionary, compress: false };
        match run_column(history, &group.runs, leaf.spec.name) {
            RunColumn::Codes(codes, names) => self.encoder.codes(column, &codes, names, false),
            RunColumn::Texts(texts) => self.encoder.texts(column, &texts),
            RunColumn::NullableNumbers(values) => self.encoder.integers(column, &values, strategy),
            RunColumn::Numbers(values) if leaf.spec.column_type == ColumnType::U64 => self.encoder.integers(column, &values, strategy),
            RunColumn::Numbers(values) => {
                let narrow = values.iter().map(|value| u32::try_from(*value).expect("the field has at most 32 bits"));
                self.encoder.integers(column, &narrow.collect::<Vec<u32>>(), strategy)
            }
        }
    }
}

/// For every run of the group: its dictionary index and its number of rows there.
fn rows_by_run(history: &History, group: &GroupRows, index_of: impl Fn(usize) -> usize) -> Vec<(usize, usize)> {
    let table = table(history, group.kind);
    let rows = |run: usize| match &table {
        None => 1,
        Some(table) => {
            let start = if run == 0 { 0 } else { table.run_ends[run - 1] };
            table.run_ends[run].min(group.rows.end).saturating_sub(start.max(group.rows.start))
        }
    };
    group.runs.clone().map(|run| (index_of(run), rows(run))).filter(|(_, rows)| *rows > 0).collect()
}
