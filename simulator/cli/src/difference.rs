//! The first event at which two histories of one run part.
//!
//! Digests say that something differs; whoever has to find out why needs the first row, with both sides next to each other.

use crate::rows::{Rows, cell, rows};
use vopr_schema::column::ColumnRef;
use vopr_schema::{Dictionary, History, Kind};

/// A row that is not the same in both histories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Kind of the row.
    pub kind: Kind,
    /// Its position in the run's order: the smaller one when the two sides disagree.
    pub seq: u64,
    /// Virtual time of that row, nanoseconds.
    pub time_ns: u64,
    /// Name, left value, right value of every column in which a side has a value; none where a side has no such row.
    pub cells: Vec<(&'static str, Option<String>, Option<String>)>,
}

impl Difference {
    /// The columns that differ.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.cells.iter().filter(|(_, left, right)| left != right).map(|(name, _, _)| *name)
    }
}

/// The first row, over all kinds in the order of `seq`, in which the run `left.1` of `left.0` and the run `right.1` of
/// `right.0` differ.
///
/// # Panics
/// When one of them has no such run.
#[must_use]
pub fn first(left: (&History, usize), right: (&History, usize)) -> Option<Difference> {
    let pairs = rows(left).into_iter().zip(rows(right));
    pairs.filter_map(|(left, right)| first_of_kind(&left, &right)).min_by_key(|difference| difference.seq)
}

fn first_of_kind(left: &Rows<'_>, right: &Rows<'_>) -> Option<Difference> {
    let common = left.range.len().min(right.range.len());
    let same = |index: usize| {
        let (l, r) = (left.range.start + index, right.range.start + index);
        let columns = left.columns.iter().zip(&right.columns);
        left.seq[l] == right.seq[r] && left.time_ns[l] == right.time_ns[r] && columns.into_iter().all(|(a, b)| equal(a, l, b, r))
    };
    let index = (0..common).find(|index| !same(*index)).unwrap_or(common);
    let mut sides = [row(left, index), row(right, index)];
    if let [Some(l), Some(r)] = &sides
        && left.seq[*l] != right.seq[*r]
    {
        // Rows at different places are different rows: the earlier one is what the other side lacks.
        sides[usize::from(left.seq[*l] < right.seq[*r])] = None;
    }
    let [l, r] = sides;
    let (seq, time_ns) = match (l, r) {
        (Some(row), _) => (left.seq[row], left.time_ns[row]),
        (None, Some(row)) => (right.seq[row], right.time_ns[row]),
        (None, None) => return None,
    };
    let time = |rows: &Rows<'_>, row: Option<usize>| row.map(|row| rows.time_ns[row].to_string());
    let mut cells = vec![("time_ns", time(left, l), time(right, r))];
    for (column, spec) in left.specs.iter().enumerate() {
        let value = |rows: &Rows<'_>, row: Option<usize>| row.and_then(|row| cell(&rows.columns[column], spec.nullable, row));
        let (one, other) = (value(left, l), value(right, r));
        if one.is_some() || other.is_some() {
            cells.push((spec.name, one, other));
        }
    }
    Some(Difference { kind: left.kind, seq, time_ns, cells })
}

fn row(rows: &Rows<'_>, index: usize) -> Option<usize> {
    (index < rows.range.len()).then_some(rows.range.start + index)
}

fn equal(one: &ColumnRef<'_>, left: usize, other: &ColumnRef<'_>, right: usize) -> bool {
    match (one, other) {
        (ColumnRef::Pairs(one), ColumnRef::Pairs(other)) => match (one.get(left), other.get(right)) {
            (Some(one), Some(other)) => one.eq(other),
            (one, other) => one.is_none() && other.is_none(),
        },
        _ => bits(one, left) == bits(other, right),
    }
}

/// The value of a row as bits; lists have none.
fn bits(column: &ColumnRef<'_>, row: usize) -> Option<u64> {
    match column {
        ColumnRef::U8(values) | ColumnRef::Dictionary(values, _) => Some(u64::from(values[row])),
        ColumnRef::U16(values) => Some(u64::from(values[row])),
        ColumnRef::U32(values) => Some(u64::from(values[row])),
        ColumnRef::U64(values) => Some(values[row]),
        ColumnRef::F64(values) => Some(values[row].to_bits()),
        ColumnRef::Pairs(_) => None,
    }
}

/// Fields of the two run rows that differ, with both values; digests are left out, they follow from the rows.
#[must_use]
pub fn of_runs(left: &vopr_schema::Run, right: &vopr_schema::Run) -> Vec<(&'static str, String, String)> {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let pairs = [
        ("replicas", left.replicas.to_string(), right.replicas.to_string()),
        ("clients", left.clients.to_string(), right.clients.to_string()),
        ("tenants", left.tenants.to_string(), right.tenants.to_string()),
        ("bug", optional(&left.bug), optional(&right.bug)),
        ("options", left.options.clone(), right.options.clone()),
        ("plan", left.plan.clone(), right.plan.clone()),
        ("streams_version", left.streams_version.to_string(), right.streams_version.to_string()),
        ("end_time_ns", left.end_time_ns.to_string(), right.end_time_ns.to_string()),
        ("events", left.events.to_string(), right.events.to_string()),
        ("ended", left.ended.name().to_owned(), right.ended.name().to_owned()),
        ("ended_detail", optional(&left.ended_detail), optional(&right.ended_detail)),
    ];
    pairs.into_iter().filter(|(_, left, right)| left != right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{MessageRow, OperationRow, Run};

    fn history(change: impl FnOnce(&mut OperationRow, &mut MessageRow)) -> History {
        let mut history = History::default();
        let mut operation = OperationRow { seq: 5, time_ns: 50, key: 7, value: Some(3), ..OperationRow::default() };
        let mut message = MessageRow { seq: 9, time_ns: 90, id: 1, ..MessageRow::default() };
        change(&mut operation, &mut message);
        history.operations.push(OperationRow { seq: 1, ..OperationRow::default() });
        history.operations.push(operation);
        history.messages.push(message);
        history.close_run(Run::default());
        history
    }

    #[test]
    fn equal_histories_do_not_differ() {
        let one = history(|_, _| ());
        assert_eq!(first((&one, 0), (&one.clone(), 0)), None);
    }

    #[test]
    fn the_earliest_of_several_differences_is_named() {
        let one = history(|_, _| ());
        let other = history(|operation, message| {
            operation.value = Some(4);
            message.id = 2;
        });
        let difference = first((&one, 0), (&other, 0)).unwrap();
        assert_eq!((difference.kind, difference.seq, difference.time_ns), (Kind::Operation, 5, 50));
        assert_eq!(difference.columns().collect::<Vec<_>>(), ["value"]);
        let value = difference.cells.iter().find(|(name, _, _)| *name == "value").unwrap();
        assert_eq!((value.1.as_deref(), value.2.as_deref()), (Some("3"), Some("4")));
    }

    #[test]
    fn a_row_that_one_side_lacks_is_shown_alone() {
        let one = history(|_, _| ());
        let mut other = History::default();
        other.operations.push(OperationRow { seq: 1, ..OperationRow::default() });
        other.close_run(Run::default());
        let difference = first((&one, 0), (&other, 0)).unwrap();
        assert_eq!((difference.kind, difference.seq), (Kind::Operation, 5));
        assert!(difference.cells.iter().all(|(_, _, right)| right.is_none()));
        let shifted = history(|operation, _| operation.seq = 6);
        let difference = first((&shifted, 0), (&one, 0)).unwrap();
        assert_eq!(difference.seq, 5);
        assert!(difference.cells.iter().all(|(_, left, _)| left.is_none()), "{difference:?}");
    }

    #[test]
    fn runs_are_compared_field_by_field() {
        let left = Run::default();
        let right = Run { events: 4, digest: [1; 32], ..Run::default() };
        assert_eq!(of_runs(&left, &right), [("events", "0".to_owned(), "4".to_owned())]);
    }
}
