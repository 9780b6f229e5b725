//! What is kept comes back, whatever was changed does not, and limits decide what is asked again.

use super::*;
use crate::parallel::{Event, Options, check_files};
use crate::report::Report;
use crate::testing::Story;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vopr_schema::write::{HistoryWriter, WriteOptions};
use vopr_schema::{History, Provenance};

const NARROW: Limits = Limits { time_ms: Some(5), memory_bytes: Some(1_000) };
const WIDE: Limits = Limits { time_ms: Some(500), memory_bytes: Some(1_000) };

fn judged(story: &Story) -> (Digest, RunVerdicts) {
    let mut history = History::default();
    story.append_to(&mut history);
    let run = crate::judge_run(&history, 0, &Selection::all(), &Budget::default());
    (run.digest, run)
}

/// Two entries are committed below a quorum.
fn violating() -> Story {
    let mut story = Story::clean(2);
    story.append(0, 3, 0);
    story.commit(0, 3, 0, Some(0b001));
    story
}

fn file(folder: &Path, name: &str, stories: &[Story]) -> PathBuf {
    let path = folder.join(name);
    let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
    let mut history = History::default();
    for (seed, story) in (0..).zip(stories) {
        let mut story = story.clone();
        story.run.seed = seed;
        story.append_to(&mut history);
    }
    writer.write(&history).unwrap();
    writer.finish().unwrap();
    path
}

/// A check with the stores; also how many runs were recalled and judged, and what was noted.
fn check(files: &[PathBuf], selection: Selection, budget: Budget) -> (Report, (u64, u64), Vec<String>) {
    let (stores, mut notes) = Stores::open(files, &budget);
    let stores = Arc::new(stores);
    let options = Options { selection, budget, stores: Some(stores.clone()), ..Options::default() };
    let report = check_files(files, &options, |_: Event<'_>| {});
    notes.extend(stores.save());
    (report, stores.counts(), notes)
}

fn text(report: &Report) -> String {
    serde_json::to_string(report).unwrap()
}

#[test]
fn a_store_survives_its_file_and_no_changed_bit_does() {
    let mut store = Store::default();
    for story in [Story::clean(3), violating(), Story::new(3)] {
        let (digest, run) = judged(&story);
        store.learn(digest, &run, NARROW);
    }
    store.seal([9; 32], "a.parquet".to_owned());
    let bytes = store.encode().unwrap();
    assert_eq!(Store::decode(bytes.clone()).unwrap(), store);
    for place in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(matches!(Store::decode(changed), Err(StoreError::Damaged(_))), "byte {place}");
        assert!(Store::decode(bytes[..place].to_vec()).is_err(), "cut at {place}");
    }
}

#[test]
fn an_unknown_is_asked_again_with_larger_limits_only() {
    let (digest, mut run) = judged(&Story::clean(3));
    for (_, verdict) in run.verdicts.iter_mut().filter(|(_, verdict)| matches!(verdict, Verdict::Unknown { .. })) {
        *verdict = Verdict::not_applicable("decided");
    }
    let decided = run.clone();
    run.verdicts[0].1 = Verdict::unknown("the time limit of 5 ms was reached");
    let mut store = Store::default();
    store.learn(digest, &run, NARROW);
    let open = |store: &Store, limits| store.recall(&digest, &Selection::all(), &limits).open;
    assert_eq!(open(&store, NARROW), []);
    assert_eq!(open(&store, Limits { time_ms: Some(1), memory_bytes: Some(1) }), []);
    assert_eq!(open(&store, WIDE), [run.verdicts[0].0]);
    assert_eq!(open(&store, Limits { time_ms: None, ..NARROW }), [run.verdicts[0].0]);
    store.learn(digest, &run, WIDE);
    assert_eq!(open(&store, WIDE), []);
    store.learn(digest, &decided, NARROW);
    assert_eq!(open(&store, Limits { time_ms: None, memory_bytes: None }), []);
    store.learn(digest, &run, WIDE);
    assert_eq!(open(&store, Limits { time_ms: None, memory_bytes: None }), [], "what was decided stays decided");
}

#[test]
fn a_new_version_of_an_invariant_meets_old_runs() {
    let (digest, run) = judged(&Story::clean(3));
    let mut store = Store::default();
    store.learn(digest, &run, NARROW);
    let kept = &mut store.runs.get_mut(&digest).unwrap().verdicts[2];
    let id = InvariantId::parse(&kept.invariant).unwrap();
    kept.version -= 1;
    assert_eq!(store.recall(&digest, &Selection::all(), &NARROW).open, [id]);
    store.learn(digest, &run, NARROW);
    assert!(store.recall(&digest, &Selection::all(), &NARROW).is_complete());
    assert_eq!(store.runs[&digest].verdicts.len(), run.verdicts.len(), "the old version is gone");
}

#[test]
fn facts_of_another_program_are_found_again() {
    let (digest, run) = judged(&Story::clean(3));
    let mut store = Store::default();
    store.learn(digest, &run, NARROW);
    store.runs.get_mut(&digest).unwrap().facts.as_mut().unwrap().definitions = "others".to_owned();
    let recalled = store.recall(&digest, &Selection::all(), &NARROW);
    assert!(recalled.open.is_empty() && !recalled.is_complete());
}

#[test]
fn the_second_check_reads_no_rows_and_reports_the_same() {
    let home = tempfile::tempdir().unwrap();
    let files = [file(home.path(), "a.parquet", &[Story::clean(3), violating()]), file(home.path(), "b.parquet", &[Story::clean(2)])];
    let plain = check_files(&files, &Options::default(), |_| {});
    let (first, counts, notes) = check(&files, Selection::all(), Budget::default());
    assert_eq!((counts, notes.len()), ((0, 3), 0), "{notes:?}");
    let (second, counts, _) = check(&files, Selection::all(), Budget::default());
    assert_eq!(counts, (3, 0));
    assert_eq!([text(&first), text(&second)], [text(&plain), text(&plain)]);
    assert_eq!(second.failing_runs, 1);
}

#[test]
fn only_what_is_new_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let files = [file(home.path(), "a.parquet", &[violating()])];
    let few = Selection::only(&["quorum_commit"]).unwrap();
    let (one, _, _) = check(&files, few, Budget::default());
    let (all, counts, _) = check(&files, Selection::all(), Budget::default());
    assert_eq!((one.failing_runs, all.failing_runs, counts), (1, 1, (0, 1)));
    let (stores, _) = Stores::open(&files, &Budget::default());
    stores.survey(&files);
    assert!(stores.is_sealed(&files[0]));
}

#[test]
fn rows_that_differ_under_an_old_digest_are_judged_themselves() {
    let home = tempfile::tempdir().unwrap();
    let good = [file(home.path(), "a.parquet", &[Story::clean(3)])];
    let (report, _, _) = check(&good, Selection::all(), Budget::default());
    assert_eq!(report.failing_runs, 0);
    // Another run in the same place that claims to be the first one.
    let mut history = History::default();
    violating().append_to(&mut history);
    let mut first = History::default();
    let mut clean = Story::clean(3);
    clean.run.seed = 0;
    clean.append_to(&mut first);
    history.runs[0].digest = first.runs[0].digest;
    let mut writer = HistoryWriter::create(&good[0], Provenance::default(), WriteOptions::default()).unwrap();
    writer.write(&history).unwrap();
    writer.finish().unwrap();
    for _ in 0..2 {
        let (report, counts, _) = check(&good, Selection::all(), Budget::default());
        assert_eq!(report.failing_runs, 1, "{counts:?}");
    }
}

#[test]
fn a_damaged_store_is_named_and_built_anew() {
    let home = tempfile::tempdir().unwrap();
    let files = [file(home.path(), "a.parquet", &[violating()])];
    let _ = check(&files, Selection::all(), Budget::default());
    let path = home.path().join(".vopr/verdicts.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let (report, counts, notes) = check(&files, Selection::all(), Budget::default());
    assert_eq!((report.failing_runs, counts), (1, (0, 1)));
    assert!(notes.len() == 1 && notes[0].contains("verdicts.parquet: damaged: its seal"), "{notes:?}");
    let (_, counts, notes) = check(&files, Selection::all(), Budget::default());
    assert_eq!((counts, notes.len()), ((1, 0), 0));
}

#[test]
fn two_programs_keep_what_both_learnt() {
    let home = tempfile::tempdir().unwrap();
    let files = [file(home.path(), "a.parquet", &[Story::clean(3)]), file(home.path(), "b.parquet", &[violating()])];
    let budget = Budget { time_per_run: Some(Duration::from_mins(1)), ..Budget::default() };
    let open = |file: usize| {
        let (stores, _) = Stores::open(&files[file..=file], &budget);
        let stores = Arc::new(stores);
        let options = Options { budget: budget.clone(), stores: Some(stores.clone()), ..Options::default() };
        let _ = check_files(&files[file..=file], &options, |_| {});
        stores
    };
    // Both have read the empty store before either of them writes.
    let (one, other) = (open(0), open(1));
    assert_eq!([one.save().len(), other.save().len()], [0, 0]);
    let (report, counts, _) = check(&files, Selection::all(), budget);
    assert_eq!((report.failing_runs, counts), (1, (2, 0)));
}
