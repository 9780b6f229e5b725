//! One batch of a file to a [`History`]: the rows of kind run first, then the selected kinds.
//!
//! The run rows say how many rows each kind has; everything else must agree with them.

use super::columns::{ChunkBytes, Integers, Names, Plain, Sink, Texts, read_nullable, read_required};
use super::error::Fault;
use super::footer::{ChunkPlace, Footer};
use super::lists::read_lists;
use super::pages::{PageBuffers, Pages};
use super::projection::Projection;
use super::runs::{self, RunRows};
use crate::column::{ColumnMut, Niche};
use crate::dictionary::Dictionary;
use crate::history::History;
use crate::layout::{Leaf, Part, columns_of};
use crate::pages::{Damage, Word};
use crate::provenance::{RowGroup, SchemaVersion};
use crate::rows::Kind;
use core::ops::Range;
use std::rc::Rc;

/// Gives the bytes of a column chunk.
pub(crate) trait Source {
    /// Reads them into `out`, which has the chunk's length.
    fn read(&self, place: ChunkPlace, out: &mut [u8]) -> std::io::Result<()>;
}

/// Reads batches; keeps its buffers.
pub(crate) struct BatchReader<'a, S> {
    pub(crate) source: &'a S,
    pub(crate) footer: &'a Footer,
    pub(crate) buffers: PageBuffers,
    /// Bytes of the chunk at hand, and of its sibling where a column has two.
    pub(crate) bytes: [Vec<u8>; 2],
}

/// A kind's table, to be filled.
struct TableMut<'a> {
    seq: &'a mut Vec<u64>,
    time_ns: &'a mut Vec<u64>,
    columns: Vec<ColumnMut<'a>>,
    run_ends: &'a mut Vec<usize>,
}

fn table_mut(history: &mut History, kind: Kind) -> Option<TableMut<'_>> {
    macro_rules! view {
        ($table:ident) => {{
            let table = &mut history.$table;
            let (seq, time_ns, columns, run_ends) = table.parts_mut();
            Some(TableMut { seq, time_ns, columns, run_ends })
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

/// A chunk of the row group at hand, with its place for errors.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) index: usize,
    pub(crate) group: &'a RowGroup,
    pub(crate) leaf: &'a Leaf,
}

impl At<'_> {
    pub(crate) fn fault(&self, damage: Damage) -> Fault {
        Fault::column(self.index, self.group.kind, self.leaf.path(), damage)
    }
}

impl<S: Source> BatchReader<'_, S> {
    /// Appends batch `batch` to `history`.
    pub(crate) fn read(&mut self, batch: usize, projection: &Projection, history: &mut History) -> Result<(), Fault> {
        let groups = self.footer.batches[batch].clone();
        let runs = self.run_rows(groups.start)?;
        for kind in [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault] {
            let of_kind = groups.clone().filter(|group| self.footer.groups[*group].kind == kind);
            self.kind(kind, of_kind, groups.start, &runs, projection, history)?;
        }
        history.runs.extend(runs.runs);
        Ok(())
    }

    /// The rows of kind run in row group `group`.
    pub(crate) fn run_rows(&mut self, group: usize) -> Result<RunRows, Fault> {
        runs::read(self, group)
    }

    fn kind(
        &mut self,
        kind: Kind,
        groups: impl Iterator<Item = usize> + Clone,
        run_group: usize,
        runs: &RunRows,
        projection: &Projection,
        history: &mut History,
    ) -> Result<(), Fault> {
        let fault = |what: String| Fault::group(run_group, Kind::Run, what);
        let counts = &runs.rows[usize::from(kind.code()) - 1];
        let expected = counts.iter().try_fold(0_u64, |sum, rows| sum.checked_add(*rows));
        let there: usize = groups.clone().map(|group| self.footer.groups[group].rows).sum();
        if expected != Some(there as u64) {
            let expected = expected.map_or_else(|| "absurdly many".to_owned(), |rows| rows.to_string());
            return Err(fault(format!("its runs claim {expected} rows of kind {kind}, the batch has {there}")));
        }
        let footer = self.footer;
        let Some(table) = table_mut(history, kind) else { return Ok(()) };
        let TableMut { seq, time_ns, mut columns, run_ends } = table;
        let selected = projection.has_kind(kind);
        let first = seq.len();
        let mut end = first;
        for rows in counts {
            // The sum was found to be the number of rows that there are, so each part fits.
            end += if selected { *rows as usize } else { 0 };
            run_ends.push(end);
        }
        if !selected {
            return Ok(());
        }
        reserve(kind, there, projection, seq, time_ns, &mut columns);
        let mut row = 0;
        for index in groups {
            let group = &footer.groups[index];
            let parts = parts(counts, row..row + group.rows);
            row += group.rows;
            for (number, leaf) in footer.leaves.iter().enumerate() {
                let at = At { index, group, leaf };
                match leaf.kind {
                    None => self.common(at, number, runs, &parts, projection, seq, time_ns)?,
                    Some(own) if own == kind && projection.has_column(kind, leaf.spec.name) => {
                        self.own(at, number, &mut columns[leaf.column])?;
                    }
                    Some(_) => {}
                }
            }
        }
        check_rising(&seq[first..], counts).map_err(fault_of_seq(run_group, kind, runs))
    }

    #[expect(clippy::too_many_arguments, reason = "two columns of the table at hand are filled here")]
    fn common(
        &mut self,
        at: At<'_>,
        number: usize,
        runs: &RunRows,
        parts: &[(usize, usize)],
        projection: &Projection,
        seq: &mut Vec<u64>,
        time_ns: &mut Vec<u64>,
    ) -> Result<(), Fault> {
        match at.leaf.spec.name {
            "scenario" => {
                let expected = parts.iter().map(|(run, rows)| (Rc::from(runs.runs[*run].scenario.as_bytes()), *rows));
                self.required(at, number, &Texts { fixed: 0 }, &mut Expected::new(expected.collect()))
            }
            "seed" => {
                let expected = parts.iter().map(|(run, rows)| (runs.runs[*run].seed, *rows));
                self.required(at, number, &Integers { nullable: false }, &mut Expected::new(expected.collect()))
            }
            "kind" => {
                let names = Names { names: Kind::NAMES, unknown: None };
                self.required(at, number, &names, &mut Expected::new(vec![(at.group.kind.code(), at.group.rows)]))
            }
            "seq" => self.required(at, number, &Integers { nullable: false }, seq),
            _ if projection.has_column(at.group.kind, "time_ns") => self.required(at, number, &Integers { nullable: false }, time_ns),
            _ => Ok(()),
        }
    }

    fn own(&mut self, at: At<'_>, number: usize, column: &mut ColumnMut<'_>) -> Result<(), Fault> {
        match column {
            ColumnMut::U8(out) => self.integers(at, number, out),
            ColumnMut::U16(out) => self.integers(at, number, out),
            ColumnMut::U32(out) => self.integers(at, number, out),
            ColumnMut::U64(out) => self.integers(at, number, out),
            ColumnMut::F64(out) => {
                let mut bits: Vec<u64> = Vec::new();
                self.required(at, number, &Integers { nullable: false }, &mut bits)?;
                out.extend(bits.into_iter().map(f64::from_bits));
                Ok(())
            }
            ColumnMut::Dictionary(out, names) => {
                let newer = self.footer.version > SchemaVersion::CURRENT;
                let unknown = names.iter().position(|name| newer && *name == "other").and_then(|code| u8::try_from(code).ok());
                let plain = Names { names, unknown };
                if at.leaf.spec.nullable {
                    self.nullable(at, number, &plain, u8::NONE, out)
                } else {
                    self.required(at, number, &plain, *out)
                }
            }
            ColumnMut::Pairs(out) => {
                if at.leaf.part == Part::Value {
                    return Ok(());
                }
                let [keys, values] = [number, number + 1].map(|leaf| self.footer.chunks[at.index][leaf]);
                let (Some(keys), Some(values)) = (keys, values) else {
                    out.present.resize(out.present.len() + at.group.rows, false);
                    let end = out.ends.last().copied().unwrap_or(0);
                    out.ends.resize(out.ends.len() + at.group.rows, end);
                    return Ok(());
                };
                let keys = self.load(at, keys, 0, 3)?;
                let values = self.load(at, values, 1, 4)?;
                let [key_bytes, value_bytes] = &self.bytes;
                let (keys, values) = (keys.bytes(key_bytes), values.bytes(value_bytes));
                read_lists(keys, values, &mut self.buffers, out).map_err(|damage| at.fault(damage))
            }
        }
    }

    /// Reads all pages of a chunk, whatever they hold; returns how many there are and how many have no checksum.
    pub(crate) fn check_pages(&mut self, index: usize, number: usize) -> Result<(usize, usize), Fault> {
        let footer = self.footer;
        let at = At { index, group: &footer.groups[index], leaf: &footer.leaves[number] };
        let Some(place) = footer.chunks[index][number] else { return Ok((0, 0)) };
        let chunk = self.load(at, place, 0, at.leaf.max_definition())?.bytes(&self.bytes[0]);
        let levels = (at.leaf.max_repetition() > 0, chunk.max_definition > 0);
        let mut pages = Pages::new(chunk.bytes, chunk.compressed, levels, &mut self.buffers);
        let mut count = 0;
        while pages.next().map_err(|damage| at.fault(damage))?.is_some() {
            count += 1;
        }
        Ok((count, pages.unchecked()))
    }

    /// An integer column of either nullability.
    pub(crate) fn integers<T: Word + Niche>(&mut self, at: At<'_>, number: usize, out: &mut Vec<T>) -> Result<(), Fault> {
        let nullable = at.leaf.spec.nullable;
        if nullable {
            self.nullable(at, number, &Integers { nullable }, T::NONE, out)
        } else {
            self.required(at, number, &Integers { nullable }, out)
        }
    }

    /// A column without nulls.
    pub(crate) fn required<T: Clone, P: Plain<T>>(
        &mut self,
        at: At<'_>,
        number: usize,
        plain: &P,
        sink: &mut impl Sink<T>,
    ) -> Result<(), Fault> {
        let place = self.footer.chunks[at.index][number].ok_or_else(|| at.fault(Damage::new("the column is missing")))?;
        let chunk = self.load(at, place, 0, at.leaf.max_definition())?.bytes(&self.bytes[0]);
        read_required(chunk, &mut self.buffers, plain, sink).map_err(|damage| at.fault(damage))
    }

    /// A column with nulls; all nulls where an older file lacks it.
    pub(crate) fn nullable<T: Clone, P: Plain<T>>(
        &mut self,
        at: At<'_>,
        number: usize,
        plain: &P,
        none: T,
        out: &mut Vec<T>,
    ) -> Result<(), Fault> {
        let Some(place) = self.footer.chunks[at.index][number] else {
            out.resize(out.len() + at.group.rows, none);
            return Ok(());
        };
        let chunk = self.load(at, place, 0, at.leaf.max_definition())?.bytes(&self.bytes[0]);
        read_nullable(chunk, &mut self.buffers, plain, none, out).map_err(|damage| at.fault(damage))
    }

    /// Reads a chunk's bytes into one of the two buffers.
    fn load(&mut self, at: At<'_>, place: ChunkPlace, buffer: usize, max_definition: u32) -> Result<Loaded, Fault> {
        let bytes = &mut self.bytes[buffer];
        bytes.resize(place.length, 0);
        self.source.read(place, bytes).map_err(|error| at.fault(Damage::new(format!("it can not be read: {error}"))))?;
        Ok(Loaded { compressed: place.compressed, max_definition, rows: at.group.rows })
    }
}

/// A chunk whose bytes are in a buffer.
struct Loaded {
    compressed: bool,
    max_definition: u32,
    rows: usize,
}

impl Loaded {
    fn bytes<'b>(&self, bytes: &'b [u8]) -> ChunkBytes<'b> {
        ChunkBytes { bytes, compressed: self.compressed, max_definition: self.max_definition, rows: self.rows }
    }
}

/// Makes room for `rows` rows at once; the footer was found to justify that many.
fn reserve(kind: Kind, rows: usize, projection: &Projection, seq: &mut Vec<u64>, time_ns: &mut Vec<u64>, columns: &mut [ColumnMut<'_>]) {
    seq.reserve(rows);
    time_ns.reserve(if projection.has_column(kind, "time_ns") { rows } else { 0 });
    for (column, _) in columns.iter_mut().zip(columns_of(kind)).filter(|(_, spec)| projection.has_column(kind, spec.name)) {
        match column {
            ColumnMut::U8(values) | ColumnMut::Dictionary(values, _) => values.reserve(rows),
            ColumnMut::U16(values) => values.reserve(rows),
            ColumnMut::U32(values) => values.reserve(rows),
            ColumnMut::U64(values) => values.reserve(rows),
            ColumnMut::F64(values) => values.reserve(rows),
            ColumnMut::Pairs(lists) => {
                lists.ends.reserve(rows);
                lists.present.reserve(rows);
            }
        }
    }
}

/// Which runs, each with how many rows, the given rows of a kind belong to.
fn parts(counts: &[u64], rows: Range<usize>) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (run, count) in counts.iter().enumerate() {
        let end = start + *count as usize;
        let here = end.min(rows.end).saturating_sub(start.max(rows.start));
        if here > 0 {
            parts.push((run, here));
        }
        start = end;
    }
    parts
}

#[expect(clippy::needless_bitwise_bool, reason = "without a branch positions are compared by vectors")]
fn check_rising(seq: &[u64], counts: &[u64]) -> Result<(), usize> {
    let mut rest = seq;
    for (run, count) in counts.iter().enumerate() {
        let (rows, after) = rest.split_at(*count as usize);
        let falls = rows.windows(2).fold(false, |falls, pair| falls | (pair[0] >= pair[1]));
        if falls {
            return Err(run);
        }
        rest = after;
    }
    Ok(())
}

fn fault_of_seq(run_group: usize, kind: Kind, runs: &RunRows) -> impl FnOnce(usize) -> Fault {
    let seeds: Vec<u64> = runs.runs.iter().map(|run| run.seed).collect();
    move |run| {
        let what = format!("seq does not rise in the rows of kind {kind} of seed {}", seeds[run]);
        let mut fault = Fault::group(run_group, kind, what);
        fault.place.column = Some("seq".to_owned());
        fault
    }
}

/// A sink that stores nothing: every value must be the one that is known from the run rows.
struct Expected<T> {
    runs: Vec<(T, usize)>,
    at: usize,
    left: usize,
}

impl<T> Expected<T> {
    fn new(runs: Vec<(T, usize)>) -> Self {
        let left = runs.first().map_or(0, |(_, rows)| *rows);
        Self { runs, at: 0, left }
    }
}

impl<T: PartialEq> Sink<T> for Expected<T> {
    fn put_repeat(&mut self, value: &T, mut count: usize) -> Result<(), Damage> {
        while count > 0 {
            let Some((expected, _)) = self.runs.get(self.at) else {
                return Err(Damage::new("there are more rows than the runs claim"));
            };
            if expected != value {
                return Err(Damage::new("rows belong to another run or kind than the rows of kind run say"));
            }
            let now = count.min(self.left);
            count -= now;
            self.left -= now;
            if self.left == 0 {
                self.at += 1;
                self.left = self.runs.get(self.at).map_or(0, |(_, rows)| *rows);
            }
        }
        Ok(())
    }

    fn put_values(&mut self, values: &[T]) -> Result<(), Damage> {
        values.iter().try_for_each(|value| self.put_repeat(value, 1))
    }
}
