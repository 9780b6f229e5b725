//! The stock Arrow reader finds in a file exactly what was recorded; and files that the stock writer made are read.

use crate::stock::Stock;
use crate::{Place, read_everything, write_batches};
use crate::{arbitrary, realistic};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use parquet::basic::{Compression, ZstdLevel};
use vopr_schema::column::ColumnRef;
use vopr_schema::tables::ColumnSpec;
use vopr_schema::{Dictionary, Kind, Pair, WriteOptions};

/// Compares one column, value by value.
fn check_column(spec: &ColumnSpec, ours: ColumnRef<'_>, theirs: &dyn Array, row: usize) {
    let same = match ours {
        ColumnRef::U8(values) => number(theirs.as_primitive::<UInt8Type>(), row) == value(spec, values[row], u8::MAX),
        ColumnRef::U16(values) => number(theirs.as_primitive::<UInt16Type>(), row) == value(spec, values[row], u16::MAX),
        ColumnRef::U32(values) => number(theirs.as_primitive::<UInt32Type>(), row) == value(spec, values[row], u32::MAX),
        ColumnRef::U64(values) => number(theirs.as_primitive::<UInt64Type>(), row) == value(spec, values[row], u64::MAX),
        ColumnRef::F64(values) => theirs.as_primitive::<Float64Type>().value(row).to_bits() == values[row].to_bits(),
        ColumnRef::Dictionary(codes, names) => {
            let text = theirs.as_string::<i32>();
            let ours = value(spec, codes[row], u8::MAX).map(|code| names[code as usize]);
            (!text.is_null(row)).then(|| text.value(row)) == ours
        }
        ColumnRef::Pairs(lists) => {
            let theirs = theirs.as_list::<i32>();
            let pairs = (!theirs.is_null(row)).then(|| {
                let pairs = theirs.value(row);
                let pairs = pairs.as_struct();
                let (keys, values) = (pairs.column(0).as_primitive::<UInt64Type>(), pairs.column(1).as_primitive::<UInt64Type>());
                (0..pairs.len()).map(|at| Pair { key: keys.value(at), value: number(values, at) }).collect::<Vec<_>>()
            });
            pairs == lists.get(row).map(Iterator::collect)
        }
    };
    assert!(same, "column {} of row {row}", spec.name);
}

fn number<T: arrow::datatypes::ArrowPrimitiveType>(array: &arrow::array::PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    (!array.is_null(row)).then(|| array.value(row))
}

fn value<T: PartialEq + Copy>(spec: &ColumnSpec, value: T, none: T) -> Option<T> {
    (!spec.nullable || value != none).then_some(value)
}

fn check_table(stock: &Stock, kind: Kind, seq: &[u64], columns: &[ColumnRef<'_>], specs: &[ColumnSpec]) {
    if seq.is_empty() {
        return;
    }
    let group = stock.group_of(kind.name());
    let batch = &stock.groups[group];
    assert_eq!(batch.num_rows(), seq.len());
    assert_eq!(batch.column_by_name("seq").unwrap().as_primitive::<UInt64Type>().values(), seq);
    for other in Kind::ALL {
        let nulls = batch.column_by_name(other.name()).unwrap().null_count();
        assert_eq!(nulls, if *other == kind { 0 } else { seq.len() }, "{other} in the rows of {kind}");
    }
    let own = batch.column_by_name(kind.name()).unwrap().as_struct();
    for (spec, column) in specs.iter().zip(columns) {
        let theirs = own.column_by_name(spec.name).unwrap();
        (0..seq.len()).for_each(|row| check_column(spec, *column, theirs, row));
    }
}

#[test]
fn another_reader_sees_every_value() {
    for seed in 0..12 {
        let place = Place::new();
        let path = place.path("history.parquet");
        let history = arbitrary::history(seed, 3, 200);
        write_batches(&path, std::slice::from_ref(&history), WriteOptions::default());
        let stock = Stock::read(&path);
        macro_rules! check {
            ($table:ident, $type:ty) => {{
                let table = &history.$table;
                check_table(&stock, <$type>::KIND, &table.seq, &table.columns(), <$type>::COLUMNS);
            }};
        }
        check!(operations, vopr_schema::Operations);
        check!(messages, vopr_schema::Messages);
        check!(transitions, vopr_schema::Transitions);
        check!(storage, vopr_schema::StorageAccesses);
        check!(faults, vopr_schema::Faults);
        let runs = &stock.groups[stock.group_of("run")];
        for (row, run) in history.runs.iter().enumerate() {
            assert_eq!(runs.column_by_name("scenario").unwrap().as_string::<i32>().value(row), run.scenario);
            assert_eq!(runs.column_by_name("seed").unwrap().as_primitive::<UInt64Type>().value(row), run.seed);
            let own = runs.column_by_name("run").unwrap().as_struct();
            assert_eq!(own.column_by_name("options").unwrap().as_string::<i32>().value(row), run.options);
            assert_eq!(own.column_by_name("digest").unwrap().as_fixed_size_binary().value(row), run.digest);
            assert_eq!(own.column_by_name("ended").unwrap().as_string::<i32>().value(row), run.ended.name());
        }
    }
}

#[test]
fn files_of_another_writer_are_read() {
    let place = Place::new();
    let (ours, theirs) = (place.path("ours.parquet"), place.path("theirs.parquet"));
    for (seed, compression) in [(1, Compression::UNCOMPRESSED), (2, Compression::ZSTD(ZstdLevel::default()))] {
        let mut history = arbitrary::history(seed, 3, 2000);
        realistic::push_run(&mut history, 77, 5000);
        write_batches(&ours, std::slice::from_ref(&history), WriteOptions::default());
        Stock::read(&ours).write(&theirs, compression);
        assert!(read_everything(&theirs).unwrap() == history);
        let report = vopr_schema::verify(&theirs).unwrap();
        assert!(report.is_intact(), "{report:?}");
        assert!(report.pages > 0 && report.pages_without_checksum == report.pages, "the stock writer adds no checksums by itself");
    }
}
