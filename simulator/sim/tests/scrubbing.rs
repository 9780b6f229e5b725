//! What scrubbing costs the clients: the same seed with and without it.

use vopr_schema::{History, Outcome, TransitionEvent};
use vopr_sim::scenario::Overrides;
use vopr_sim::{RunRequest, Simulator, scenarios};

fn recorded(seed: u64, no_scrubbing: bool) -> History {
    let scenario = scenarios::find("scrub_rate_limited").expect("a scenario of the registry");
    let overrides = Overrides { no_scrubbing, ..Overrides::default() };
    let request = RunRequest::new(scenario, seed, &overrides).expect("nothing contradicts itself");
    let mut history = History::default();
    Simulator::new().simulate(&request, Some(&mut history));
    history
}

/// The latency that one operation of a hundred exceeds, nanoseconds, and how many operations there were.
fn p99_ns(history: &History) -> (u64, usize) {
    let table = &history.operations;
    let answered = (0..table.len()).filter(|row| table.outcome.get(*row) == Outcome::Ok);
    let mut latencies: Vec<u64> = answered.map(|row| table.return_time_ns.0[row] - table.time_ns[row]).collect();
    latencies.sort_unstable();
    (latencies[latencies.len() * 99 / 100], latencies.len())
}

fn reads(history: &History) -> usize {
    let table = &history.transitions;
    (0..table.len()).filter(|row| table.event.get(*row) == TransitionEvent::ScrubRead).count()
}

#[test]
fn scrubbing_costs_less_than_a_tenth_of_the_latency() {
    for seed in 1..=3 {
        let (with, without) = (recorded(seed, false), recorded(seed, true));
        assert!(reads(&with) > 10_000 && reads(&without) == 0);
        let ((slow_ns, served), (quick_ns, served_without)) = (p99_ns(&with), p99_ns(&without));
        println!("seed {seed}: p99 {slow_ns} ns of {served} operations; without scrubbing {quick_ns} ns of {served_without}");
        assert!(served > 1_000 && served_without > 1_000);
        assert!(slow_ns * 10 <= quick_ns * 11, "seed {seed}: p99 {slow_ns} ns with scrubbing, {quick_ns} ns without");
    }
}
