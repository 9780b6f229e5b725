//! The same request gives the same run: alone, as the fiftieth, on any thread, recorded or not, from its own row.

use vopr_schema::{Ended, History};
use vopr_sim::scenario::Overrides;
use vopr_sim::workload_plan::WorkloadPlan;
use vopr_sim::{RunRequest, RunSummary, Simulator, scenarios};

fn request(name: &str, seed: u64) -> RunRequest {
    RunRequest::new(scenarios::find(name).expect("it is registered"), seed, &Overrides::default()).expect("nothing is overridden")
}

fn record(simulator: &mut Simulator, request: &RunRequest) -> (RunSummary, History) {
    let mut history = History::default();
    let summary = simulator.simulate(request, Some(&mut history));
    (summary, history)
}

#[test]
fn every_scenario_gives_the_same_digest_twice() {
    for scenario in scenarios::all() {
        let request = request(scenario.name, 7);
        let (first, one) = record(&mut Simulator::new(), &request);
        let (second, other) = record(&mut Simulator::new(), &request);
        assert_eq!(first, second, "{}", scenario.name);
        assert_eq!(one, other, "{}", scenario.name);
        assert!(first.digest.is_some() && first.events > 100, "{}: {first:?}", scenario.name);
    }
}

#[test]
fn a_workload_that_was_written_down_gives_the_run_it_was_drawn_for() {
    for scenario in scenarios::all() {
        let drawn = request(scenario.name, 5);
        let mut history = History::default();
        let (summary, workload) = Simulator::new().simulate_logged(&drawn, Some(&mut history));
        assert!(workload.operations() > 50, "{}", scenario.name);
        let workload = WorkloadPlan::from_json(&workload.to_json()).expect("it was written by the same program");
        let planned = RunRequest::planned(drawn.options, drawn.plan, workload.clone()).expect("it was possible before");
        let mut again = History::default();
        let (repeated, log) = Simulator::new().simulate_logged(&planned, Some(&mut again));
        assert_eq!(summary, repeated, "{}", scenario.name);
        assert_eq!(history, again, "{}", scenario.name);
        assert_eq!(log, workload, "{}", scenario.name);
    }
}

#[test]
fn a_client_that_crashes_before_it_has_asked_for_its_session_asks_in_the_repeated_run_too() {
    // Client 0 crashes at 3.49 s, comes back, and crashes again at 3.59 s, before it has registered.
    let drawn = request("reconfig_remove_replicas", 777_002_001);
    let (summary, workload) = Simulator::new().simulate_logged(&drawn, None);
    let planned = RunRequest::planned(drawn.options, drawn.plan, workload.clone()).expect("it was possible before");
    let (repeated, log) = Simulator::new().simulate_logged(&planned, None);
    assert_eq!(summary, repeated);
    assert_eq!(log, workload);
}

#[test]
fn other_seeds_give_other_runs() {
    let mut simulator = Simulator::new();
    let traces: std::collections::BTreeSet<u64> =
        (0..20).map(|seed| simulator.simulate(&request("swizzle_clogging", seed), None).trace).collect();
    assert_eq!(traces.len(), 20);
}

#[test]
fn a_run_is_the_same_alone_and_as_the_fiftieth() {
    let wanted = request("combined", 3);
    let alone = record(&mut Simulator::new(), &wanted).0;
    let mut simulator = Simulator::new();
    let names: Vec<&str> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    for seed in 0..49 {
        simulator.simulate(&request(names[usize::try_from(seed).expect("small") % names.len()], seed), None);
    }
    assert_eq!(record(&mut simulator, &wanted).0, alone);
}

#[test]
fn recording_changes_nothing() {
    for name in ["multi_tenant_isolation", "crash_during_view_change"] {
        let request = request(name, 11);
        let recorded = record(&mut Simulator::new(), &request).0;
        let silent = Simulator::new().simulate(&request, None);
        assert_eq!((recorded.trace, recorded.events, recorded.end_time_ns), (silent.trace, silent.events, silent.end_time_ns), "{name}");
        assert_eq!((silent.digest, silent.rows), (None, 0));
    }
}

#[test]
fn threads_do_not_matter() {
    let digests = |seeds: std::ops::Range<u64>| -> Vec<_> {
        let mut simulator = Simulator::new();
        seeds.map(|seed| record(&mut simulator, &request("gray_failures", seed)).0.digest).collect()
    };
    let alone = digests(0..8);
    let (low, high) = std::thread::scope(|scope| {
        let (low, high) = (scope.spawn(|| digests(0..4)), scope.spawn(|| digests(4..8)));
        (low.join().expect("it does not panic"), high.join().expect("it does not panic"))
    });
    assert_eq!(alone, [low, high].concat());
}

#[test]
fn a_recorded_row_is_all_that_a_replay_needs() {
    for scenario in scenarios::all() {
        let (recorded, history) = record(&mut Simulator::new(), &request(scenario.name, 5));
        let again = RunRequest::recorded(&history.runs[0]).expect("it was just recorded");
        let (replayed, _) = record(&mut Simulator::new(), &again);
        assert_eq!(replayed.digest, recorded.digest, "{}", scenario.name);
    }
}

#[test]
fn runs_of_one_history_do_not_mix() {
    let mut simulator = Simulator::new();
    let mut history = History::default();
    let requests = [request("baseline", 1), request("combined", 2), request("baseline", 3)];
    let digests: Vec<_> = requests.iter().map(|request| simulator.simulate(request, Some(&mut history)).digest).collect();
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(record(&mut Simulator::new(), request).0.digest, digests[index]);
        assert_eq!(vopr_schema::digest::run_digest(&history, index), digests[index].expect("it was recorded"));
    }
}

#[test]
fn every_scenario_settles() {
    let mut simulator = Simulator::new();
    for scenario in scenarios::all() {
        for seed in 100..106 {
            let summary = simulator.simulate(&request(scenario.name, seed), None);
            assert!(matches!(summary.ended, Ended::Completed | Ended::EventLimit), "{} {seed}: {summary:?}", scenario.name);
            assert!(summary.operations_ok > 10, "{} {seed}: {summary:?}", scenario.name);
        }
    }
}

/// What the cluster committed, in order: tenant, client and request number, registrations without one.
fn commands(history: &History) -> Vec<(Option<u32>, Option<u32>, Option<u64>)> {
    let table = &history.transitions;
    let rows = (0..table.len()).filter(|row| table.replica[*row] == 0 && table.event.get(*row) == vopr_schema::TransitionEvent::Applied);
    rows.map(|row| (table.tenant.get(row), table.client.get(row), table.request_number.get(row))).collect()
}

#[test]
fn without_faults_compressed_time_commits_the_same_commands() {
    for seed in 1..=5 {
        let run = |factor| {
            let overrides = Overrides {
                families: Some(vopr_sim::options::Families::NONE),
                events_max: Some(8_000),
                time_compression: Some(factor),
                ..Overrides::default()
            };
            let scenario = scenarios::find("time_compression").expect("it is registered");
            let request = RunRequest::new(scenario, seed, &overrides).expect("the overrides are sensible");
            let (summary, history) = record(&mut Simulator::new(), &request);
            (commands(&history), summary.end_time_ns)
        };
        let ((plain, plain_end), (compressed, compressed_end)) = (run(1), run(10));
        assert!(plain.len() > 300 && plain_end > 5 * compressed_end, "{} commands, {plain_end} and {compressed_end} ns", plain.len());
        assert_eq!(plain, compressed, "seed {seed}");
    }
}
