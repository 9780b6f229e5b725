//! What is written is read: arbitrary histories, in one batch and in many, through every projection.

use crate::{Place, write_batches};
use crate::{arbitrary, realistic};
use proptest::prelude::*;
use vopr_schema::{History, HistoryFile, Kind, Projection, Run, StorageRow, WriteOptions};

fn written(histories: &[History], options: WriteOptions) -> (Place, HistoryFile) {
    let place = Place::new();
    let path = place.path("sample.parquet");
    let written = write_batches(&path, histories, options);
    assert_eq!(written.bytes, std::fs::metadata(&path).unwrap().len());
    let file = HistoryFile::open(&path).unwrap();
    assert_eq!((written.rows, written.runs, written.row_groups), (file.row_count(), file.run_count() as u64, file.row_groups().len()));
    (place, file)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_histories_survive(seed in any::<u64>(), runs in 0_usize..5, rows in prop::sample::select(vec![0_u64, 1, 9, 70, 300])) {
        let history = arbitrary::history(seed, runs, rows);
        let (_place, file) = written(std::slice::from_ref(&history), WriteOptions::default());
        prop_assert_eq!(file.read_all(&Projection::all()).unwrap(), history);
    }

    #[test]
    fn small_row_groups_hold_the_same_rows(seed in any::<u64>(), rows_per_group_max in 1_usize..200) {
        let history = arbitrary::history(seed, 3, 100);
        let (_place, file) = written(std::slice::from_ref(&history), WriteOptions { rows_per_group_max, ..WriteOptions::default() });
        prop_assert_eq!(file.read_all(&Projection::all()).unwrap(), history);
    }
}

#[test]
fn long_columns_survive() {
    for seed in 0..4 {
        let history = arbitrary::history(seed, 2, 150_000);
        let (_place, file) = written(std::slice::from_ref(&history), WriteOptions::default());
        assert!(file.read_all(&Projection::all()).unwrap() == history, "seed {seed}");
    }
}

#[test]
fn rows_so_alike_that_their_bytes_would_look_forged_survive() {
    let mut history = History::default();
    for seq in 1..300_000 {
        history.storage.push(StorageRow { seq, ..StorageRow::default() });
    }
    history.close_run(Run::default());
    let (_place, file) = written(std::slice::from_ref(&history), WriteOptions::default());
    assert!(file.read_all(&Projection::all()).unwrap() == history);
}

#[test]
fn batches_hold_whole_runs() {
    let (one, two) = (realistic::history(1, 3, 3000), realistic::history(9, 2, 3000));
    let options = WriteOptions { rows_per_group_max: 2500, ..WriteOptions::default() };
    let (_place, file) = written(&[one.clone(), two.clone()], options);
    assert_eq!(file.run_count(), 5);
    assert_eq!(file.row_count(), (one.rows() + two.rows()) as u64);
    let mut runs = Vec::new();
    for batch in 0..file.batches() {
        let history = file.read_batch(batch, &Projection::all()).unwrap();
        assert_eq!(history.messages.run_ends.len(), history.runs.len());
        runs.extend(history.runs);
    }
    assert_eq!(runs, [one.runs, two.runs].concat());
    assert_eq!(file.runs().unwrap(), runs);
}

#[test]
fn a_projection_reads_what_it_names_and_nothing_else() {
    let history = realistic::history(5, 2, 3000);
    let (_place, file) = written(std::slice::from_ref(&history), WriteOptions::default());
    let projection = Projection::runs().with_kind(Kind::Storage).with_column(Kind::Message, "view").with_column(Kind::Message, "fate");
    let read = file.read_all(&projection).unwrap();
    assert_eq!(read.runs, history.runs);
    assert_eq!(read.storage, history.storage);
    assert_eq!(read.messages.seq, history.messages.seq);
    assert_eq!(read.messages.run_ends, history.messages.run_ends);
    assert_eq!((&read.messages.view, &read.messages.fate), (&history.messages.view, &history.messages.fate));
    assert!(read.messages.op.0.is_empty() && read.messages.time_ns.is_empty());
    assert!(read.transitions.is_empty() && read.transitions.run_ends == [0, 0]);
}
