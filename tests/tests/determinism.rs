//! Same seed, same digest: alone, as one of many, on any number of threads, and from the recorded row alone.

use vopr_schema::History;
use vopr_sim::scenarios;
use vopr_sim::{RunRequest, Simulator};

const EVENTS_MAX: u64 = 3_000;

fn digests(simulator: &mut Simulator, seeds: core::ops::Range<u64>) -> Vec<[u8; 32]> {
    let mut history = History::default();
    for scenario in scenarios::all() {
        for seed in seeds.clone() {
            simulator.simulate(&xtask::request(scenario, seed, Some(EVENTS_MAX), None), Some(&mut history));
        }
    }
    history.runs.iter().map(|run| run.digest).collect()
}

#[test]
fn a_used_simulator_gives_the_digests_of_a_new_one() {
    let mut used = Simulator::new();
    let first = digests(&mut used, 1..4);
    let again = digests(&mut used, 1..4);
    assert_eq!(first, again);
    assert_eq!(first, digests(&mut Simulator::new(), 1..4));
}

#[test]
fn threads_change_nothing() {
    let alone = digests(&mut Simulator::new(), 11..13);
    let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(|| digests(&mut Simulator::new(), 11..13))).collect();
    for thread in threads {
        assert_eq!(thread.join().expect("the thread ends well"), alone);
    }
}

#[test]
fn recording_changes_nothing_in_the_world() {
    for scenario in scenarios::all() {
        let request = xtask::request(scenario, 21, Some(EVENTS_MAX), None);
        let mut history = History::default();
        let recorded = Simulator::new().simulate(&request, Some(&mut history));
        let silent = Simulator::new().simulate(&request, None);
        assert_eq!(
            (recorded.trace, recorded.events, recorded.end_time_ns),
            (silent.trace, silent.events, silent.end_time_ns),
            "{}",
            scenario.name
        );
    }
}

#[test]
fn a_recorded_row_alone_gives_the_run_again() {
    for scenario in scenarios::all() {
        let mut history = History::default();
        let mut simulator = Simulator::new();
        simulator.simulate(&xtask::request(scenario, 31, Some(EVENTS_MAX), None), Some(&mut history));
        let again = RunRequest::recorded(&history.runs[0]).expect("the row is readable");
        simulator.simulate(&again, Some(&mut history));
        assert_eq!(history.runs[0].digest, history.runs[1].digest, "{}", scenario.name);
    }
}
