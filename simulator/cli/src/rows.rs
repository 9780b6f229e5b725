//! Rows of any kind as text: what difference, bisection and listings show of a history.
//!
//! Programs go through columns; people read rows. This is the one place where a row of whatever kind becomes words.

use core::ops::Range;
use vopr_check::output::violation::seconds;
use vopr_checker::index::members;
use vopr_checker::words;
use vopr_schema::column::ColumnRef;
use vopr_schema::tables::ColumnSpec;
use vopr_schema::{Dictionary, History, Kind};

/// One kind of rows of one run.
#[derive(Debug)]
pub struct Rows<'a> {
    /// Their kind.
    pub kind: Kind,
    /// Which rows of the table.
    pub range: Range<usize>,
    /// The columns, in file order.
    pub specs: &'static [ColumnSpec],
    /// Position in the run's order, of all rows of the table.
    pub seq: &'a [u64],
    /// Virtual time, nanoseconds, of all rows of the table.
    pub time_ns: &'a [u64],
    /// The columns' values, in the order of `specs`.
    pub columns: Vec<ColumnRef<'a>>,
}

/// The rows of a run, kind by kind (the run row itself is none of them).
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn rows((history, run): (&History, usize)) -> Vec<Rows<'_>> {
    macro_rules! of {
        ($table:ident: $type:ty) => {
            Rows {
                kind: <$type>::KIND,
                range: history.$table.rows_of_run(run),
                specs: <$type>::COLUMNS,
                seq: &history.$table.seq,
                time_ns: &history.$table.time_ns,
                columns: history.$table.columns(),
            }
        };
    }
    vec![
        of!(operations: vopr_schema::Operations),
        of!(messages: vopr_schema::Messages),
        of!(transitions: vopr_schema::Transitions),
        of!(storage: vopr_schema::StorageAccesses),
        of!(faults: vopr_schema::Faults),
    ]
}

/// Kind, place among its kind's rows (see [`rows`]) and index of every row of a run, in the order of `seq`.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn in_order(kinds: &[Rows<'_>]) -> Vec<(usize, usize)> {
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (place, rows) in kinds.iter().enumerate() {
        order.extend(rows.range.clone().map(|row| (place, row)));
    }
    order.sort_by_key(|(place, row)| kinds[*place].seq[*row]);
    order
}

impl Rows<'_> {
    /// One line: position, time, kind, and every column that has a value.
    #[must_use]
    pub fn line(&self, row: usize) -> String {
        let cells: Vec<String> = self.cells(row).map(|(name, value)| format!("{name}={}", told(name, value))).collect();
        format!("{:>8}  {:>13}  {:<10} {}", self.seq[row], seconds(self.time_ns[row]), self.kind.name(), cells.join(" "))
    }

    /// Name and value of every column that has a value.
    pub fn cells(&self, row: usize) -> impl Iterator<Item = (&'static str, String)> {
        let columns = self.specs.iter().zip(&self.columns);
        columns.filter_map(move |(spec, column)| Some((spec.name, cell(column, spec.nullable, row)?)))
    }
}

/// A cell as people read it: hashes as witnesses tell them, large values in their parts, a set of votes as its members.
#[must_use]
pub fn told(column: &str, cell: String) -> String {
    match column {
        "value" | "expected" | "result" | "results" | "reads" | "writes" => words::values_in(&cell),
        "quorum" => cell.parse().map_or(cell, |set: u32| {
            let members: Vec<String> = members(set).map(|member| member.to_string()).collect();
            format!("{{{}}}", members.join(","))
        }),
        _ if column.ends_with("_hash") => cell.parse().map_or(cell, |hash: u64| format!("{hash:016x}")),
        _ => cell,
    }
}

/// The value of a row as text; none for null.
#[must_use]
pub fn cell(column: &ColumnRef<'_>, nullable: bool, row: usize) -> Option<String> {
    let number = |value: u64, null: u64| (!nullable || value != null).then(|| value.to_string());
    match column {
        ColumnRef::U8(values) => number(u64::from(values[row]), u64::from(u8::MAX)),
        ColumnRef::U16(values) => number(u64::from(values[row]), u64::from(u16::MAX)),
        ColumnRef::U32(values) => number(u64::from(values[row]), u64::from(u32::MAX)),
        ColumnRef::U64(values) => number(values[row], u64::MAX),
        ColumnRef::F64(values) => (!nullable || !values[row].is_nan()).then(|| values[row].to_string()),
        ColumnRef::Dictionary(codes, names) => names.get(usize::from(codes[row])).map(|name| (*name).to_owned()),
        ColumnRef::Pairs(lists) => lists.get(row).map(|pairs| {
            let pair =
                |pair: vopr_schema::Pair| pair.value.map_or_else(|| format!("{}", pair.key), |value| format!("{}={value}", pair.key));
            format!("[{}]", pairs.map(pair).collect::<Vec<_>>().join(" "))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{MessageRow, OperationRow, Run};

    #[test]
    fn rows_of_all_kinds_come_in_the_order_of_the_run() {
        let mut history = History::default();
        history.operations.push(OperationRow { seq: 2, time_ns: 1_500_000, key: 7, ..OperationRow::default() });
        history.messages.push(MessageRow { seq: 1, ..MessageRow::default() });
        history.messages.push(MessageRow { seq: 3, view: Some(4), entry_hash: Some(255), ..MessageRow::default() });
        history.close_run(Run::default());
        let kinds = rows((&history, 0));
        let lines: Vec<String> = in_order(&kinds).into_iter().map(|(place, row)| kinds[place].line(row)).collect();
        assert!(lines[1].starts_with("       2     0.001500 s  operation "), "{lines:?}");
        assert!(lines[1].contains(" key=7") && !lines[1].contains("value="), "{lines:?}");
        assert!(lines[0].contains("message") && lines[2].contains(" view=4"), "{lines:?}");
        assert!(lines[2].contains(" entry_hash=00000000000000ff"), "{lines:?}");
        let votes = told("quorum", "5".to_owned());
        assert_eq!([votes, told("writes", "[7=281474976710666]".to_owned())], ["{0,2}", "[7=1.0.10]"]);
    }
}
