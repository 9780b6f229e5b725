//! How fast the event loop is: simulated events per second, with and without recording.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vopr_schema::History;
use vopr_sim::scenario::Overrides;
use vopr_sim::{RunRequest, Simulator, scenarios};

fn event_loop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event_loop");
    for name in ["baseline", "combined"] {
        let scenario = scenarios::find(name).expect("it is registered");
        let request = RunRequest::new(scenario, 1, &Overrides::default()).expect("nothing is overridden");
        let mut simulator = Simulator::new();
        let mut history = History::default();
        let events = simulator.simulate(&request, None).events;
        group.throughput(Throughput::Elements(events));
        group.bench_function(name, |bencher| bencher.iter(|| simulator.simulate(&request, None).trace));
        group.bench_function(format!("{name}, recorded"), |bencher| {
            bencher.iter(|| {
                history.clear();
                simulator.simulate(&request, Some(&mut history)).trace
            });
        });
    }
    group.finish();
}

criterion_group!(benches, event_loop);
criterion_main!(benches);
