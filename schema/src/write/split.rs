//! Which rows go into which row group; and whether the history can be written at all.
//!
//! What a reader would refuse must not be written, so the same rules are tested here first.

use super::group::{GroupRows, table};
use super::irregular::pairs_of;
use super::{ROWS_PER_GROUP_MAX, TEXT_BYTES_MAX, WriteError, WriteOptions};
use crate::column::ColumnRef;
use crate::dictionary::Dictionary;
use crate::history::{History, Run};
use crate::layout::row_bytes;
use crate::rows::Kind;
use core::ops::Range;

/// Kinds that have tables.
const TABLES: [Kind; 5] = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault];

/// The row groups of a history, batch by batch: a batch holds the same whole runs in all its groups.
pub(crate) fn batches(history: &History, options: WriteOptions) -> Vec<Vec<GroupRows>> {
    let rows_max = options.rows_per_group_max.clamp(1, ROWS_PER_GROUP_MAX);
    let mut batches = Vec::new();
    let mut from = 0;
    while from < history.runs.len() {
        let mut to = from + 1;
        while to < history.runs.len() && fits(history, from..to + 1, rows_max, options.bytes_per_group_max) {
            to += 1;
        }
        batches.push(groups(history, from..to, rows_max));
        from = to;
    }
    batches
}

fn rows_of(history: &History, kind: Kind, runs: &Range<usize>) -> Range<usize> {
    table(history, kind).map_or(runs.clone(), |table| {
        let start = if runs.start == 0 { 0 } else { table.run_ends[runs.start - 1] };
        start..table.run_ends[runs.end - 1]
    })
}

fn fits(history: &History, runs: Range<usize>, rows_max: usize, bytes_max: usize) -> bool {
    let texts: usize = history.runs[runs.clone()].iter().map(text_bytes).sum();
    texts <= bytes_max.min(TEXT_BYTES_MAX)
        && runs.len() <= rows_max
        && TABLES.iter().all(|kind| {
            let rows = rows_of(history, *kind, &runs);
            rows.len() <= rows_max && rows.len() * row_bytes(*kind) + list_bytes(history, *kind, &rows) <= bytes_max
        })
}

fn text_bytes(run: &Run) -> usize {
    [&run.bug, &run.ended_detail].into_iter().flatten().chain([&run.options, &run.plan, &run.scenario]).map(String::len).sum()
}

fn list_bytes(history: &History, kind: Kind, rows: &Range<usize>) -> usize {
    if kind != Kind::Operation {
        return 0;
    }
    let lists = [&history.operations.reads, &history.operations.writes, &history.operations.results];
    lists.into_iter().map(|lists| pairs_of(lists, rows.clone()).len() * 16).sum()
}

/// The row groups of one batch. Only a run that is too long for one group makes a kind have several.
fn groups(history: &History, runs: Range<usize>, rows_max: usize) -> Vec<GroupRows> {
    let mut groups = vec![GroupRows { kind: Kind::Run, runs: runs.clone(), rows: runs.clone() }];
    for kind in TABLES {
        let rows = rows_of(history, kind, &runs);
        let starts = rows.clone().step_by(rows_max);
        groups.extend(starts.map(|start| GroupRows { kind, runs: runs.clone(), rows: start..rows.end.min(start + rows_max) }));
    }
    groups
}

/// Refuses a history that a reader would refuse.
pub(crate) fn check(history: &History) -> Result<(), WriteError> {
    for run in &history.runs {
        let texts = [&run.bug, &run.ended_detail].into_iter().flatten().chain([&run.options, &run.plan, &run.scenario]);
        if let Some(text) = texts.into_iter().find(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(inconsistent(format!("seed {} has a text of {} bytes; {TEXT_BYTES_MAX} are allowed", run.seed, text.len())));
        }
    }
    for kind in TABLES {
        check_table(history, kind)?;
    }
    Ok(())
}

fn inconsistent(what: String) -> WriteError {
    WriteError::Inconsistent { what }
}

fn check_table(history: &History, kind: Kind) -> Result<(), WriteError> {
    let name = kind.name();
    let Some(table) = table(history, kind) else { return Ok(()) };
    let rows = table.seq.len();
    let ordered = table.run_ends.is_sorted() && table.run_ends.last().copied().unwrap_or(0) == rows;
    if table.run_ends.len() != history.runs.len() || !ordered {
        return Err(inconsistent(format!("the {name} rows do not belong to {} whole runs: close_run was not called", history.runs.len())));
    }
    let lengths = table.columns.iter().map(|column| match column {
        ColumnRef::U8(values) | ColumnRef::Dictionary(values, _) => values.len(),
        ColumnRef::U16(values) => values.len(),
        ColumnRef::U32(values) => values.len(),
        ColumnRef::U64(values) => values.len(),
        ColumnRef::F64(values) => values.len(),
        ColumnRef::Pairs(lists) => lists.ends.len(),
    });
    if table.time_ns.len() != rows || lengths.into_iter().any(|length| length != rows) {
        return Err(inconsistent(format!("the columns of kind {name} differ in length")));
    }
    let mut start = 0;
    for (run, end) in table.run_ends.iter().enumerate() {
        if !table.seq[start..*end].is_sorted_by(|before, after| before < after) {
            return Err(inconsistent(format!("seq does not rise in the {name} rows of seed {}", history.runs[run].seed)));
        }
        start = *end;
    }
    Ok(())
}
