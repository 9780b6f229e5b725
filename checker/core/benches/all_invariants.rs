//! How many rows all invariants together judge per second, the index included.
//!
//! Without further ado on a generated clean history; with `VOPR_HISTORY=FILE.parquet` on the runs of that file.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use vopr_checker::testing::Story;
use vopr_checker::{Budget, InvariantId, Selection, check_run};
use vopr_schema::History;
use vopr_schema::read::{HistoryFile, Projection};

/// Committed entries of the generated run.
const OPS: u64 = 3000;

fn history() -> History {
    match std::env::var("VOPR_HISTORY") {
        Ok(path) => {
            let file = HistoryFile::open(Path::new(&path)).expect("VOPR_HISTORY names a history");
            file.read_all(&Projection::all()).expect("the history can be read")
        }
        Err(_) => Story::clean(OPS).history(),
    }
}

fn judge(history: &History, selection: &Selection) {
    for run in 0..history.runs.len() {
        black_box(check_run(black_box(history), run, selection, &Budget::default()));
    }
}

fn all_invariants(criterion: &mut Criterion) {
    let history = history();
    let mut group = criterion.benchmark_group("check");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    group.throughput(Throughput::Elements(history.rows() as u64));
    group.bench_function("all_invariants", |bencher| bencher.iter(|| judge(&history, &Selection::all())));
    for id in InvariantId::all() {
        let selection = Selection::only(&[id.name()]).expect("a registered name");
        group.bench_function(id.name(), |bencher| bencher.iter(|| judge(&history, &selection)));
    }
    group.finish();
}

criterion_group!(benches, all_invariants);
criterion_main!(benches);
