//! Every directed scenario injects what its name promises: faults of the kinds that it is made of stand in its record.

use vopr_schema::{FaultKind, History, Mutation};
use vopr_sim::scenario::Overrides;
use vopr_sim::{RunRequest, Simulator, scenarios};

fn recorded(name: &str, seed: u64) -> History {
    let scenario = scenarios::find(name).expect("a scenario of the registry");
    let request = RunRequest::new(scenario, seed, &Overrides::default()).expect("nothing is overridden");
    let mut history = History::default();
    Simulator::new().simulate(&request, Some(&mut history));
    history
}

/// What each scenario's runs must all record.
const INJECTED: &[(&str, &[FaultKind])] = &[
    ("corruption_bit_flip", &[FaultKind::MessageMutation, FaultKind::Corruption, FaultKind::Crash]),
    ("corruption_checksum_validation", &[FaultKind::MessageMutation]),
    ("corruption_silent_disk_failure", &[FaultKind::StaleRead, FaultKind::MisdirectedWrite, FaultKind::Crash]),
    ("corruption_torn_write", &[FaultKind::TornWrite, FaultKind::Crash, FaultKind::WriteFailure]),
    ("recovery_corrupt_log", &[FaultKind::Corruption, FaultKind::Crash, FaultKind::Restart]),
    ("recovery_reformatted_replica", &[FaultKind::Reformat, FaultKind::PartitionFull]),
    ("gray_failure_slow_disk", &[FaultKind::SlowDisk]),
    ("quorum_reads", &[FaultKind::PartitionFull, FaultKind::PartitionOneWay, FaultKind::Loss]),
    ("race_concurrent_view_changes", &[FaultKind::PartitionFull, FaultKind::Loss]),
    ("race_commit_during_dvc", &[FaultKind::PartitionAsymmetric, FaultKind::Clog]),
    ("clock_drift", &[FaultKind::ClockOffset, FaultKind::ClockDrift, FaultKind::ClockStep]),
    ("clock_backward_jump", &[FaultKind::ClockStep, FaultKind::PartitionFull, FaultKind::Clog]),
    ("clock_offset_exceeded", &[FaultKind::ClockOffset, FaultKind::Clog]),
    ("clock_ntp_failure", &[FaultKind::Attack, FaultKind::MessageMutation, FaultKind::Loss]),
    ("client_session_crash", &[FaultKind::ClientCrash, FaultKind::Duplication]),
    ("client_session_view_change_lockout", &[FaultKind::ClientCrash, FaultKind::PartitionFull]),
    ("repair_budget_prevents_storm", &[FaultKind::PartitionFull, FaultKind::Clog]),
    ("repair_ewma_selection", &[FaultKind::PartitionFull, FaultKind::GraySlow]),
    ("repair_sync_timeout", &[FaultKind::PartitionFull, FaultKind::Loss]),
    ("primary_abdicate_partition", &[FaultKind::PartitionFull, FaultKind::PartitionAsymmetric]),
    ("commit_stall_detection", &[FaultKind::SlowDisk, FaultKind::PartitionAsymmetric]),
    ("start_view_change_window", &[FaultKind::PartitionFull, FaultKind::Clog]),
    ("scrub_detects_corruption", &[FaultKind::Corruption]),
    ("scrub_triggers_repair", &[FaultKind::Corruption, FaultKind::Loss]),
    ("timeout_comprehensive", &[FaultKind::PartitionFull, FaultKind::Clog, FaultKind::Crash, FaultKind::Corruption]),
];

#[test]
fn directed_scenarios_record_the_faults_that_they_are_made_of() {
    for (name, kinds) in INJECTED {
        for seed in 1..=3 {
            let faults = recorded(name, seed).faults;
            let seen: Vec<FaultKind> = (0..faults.len()).map(|row| faults.fault.get(row)).collect();
            let absent: Vec<_> = kinds.iter().filter(|kind| !seen.contains(kind)).collect();
            assert!(absent.is_empty(), "{name} {seed}: {absent:?}");
        }
    }
}

#[test]
fn a_share_of_a_log_goes_bad_and_never_the_last_good_copy() {
    for seed in 1..=5 {
        let history = recorded("recovery_corrupt_log", seed);
        let faults = &history.faults;
        let of_plan = |index: u32| (0..faults.len()).filter(|row| faults.plan_index.0[*row] == index).count();
        let bad: Vec<usize> = (0..20).map(of_plan).filter(|count| *count > 1).collect();
        assert!(bad.iter().any(|count| *count >= 3), "seed {seed}: {bad:?} entries of a log went bad at a time");
        assert!(bad.iter().all(|count| *count <= 40), "seed {seed}: {bad:?} of 256 entries are more than a few percent");
    }
}

#[test]
fn slow_accesses_take_between_a_tenth_of_a_second_and_a_whole_one() {
    let storage = recorded("gray_failure_slow_disk", 1).storage;
    let mut late: Vec<u64> = storage.latency_ns.iter().copied().filter(|latency_ns| *latency_ns > 50_000_000).collect();
    late.sort_unstable();
    assert!(late.len() > 20, "{} late accesses", late.len());
    assert!(late[0] >= 100_000_000 && late[late.len() - 1] <= 1_002_000_000, "{late:?}");
    assert!(late[late.len() - 1] > 2 * late[0], "accesses draw their own delays: {late:?}");
}

#[test]
fn kinds_of_mutation_are_those_of_the_scenario() {
    let kinds = |name| -> Vec<Mutation> {
        let messages = recorded(name, 1).messages;
        (0..messages.len()).filter_map(|row| messages.mutation.get(row)).collect()
    };
    assert!(kinds("corruption_bit_flip").iter().all(|kind| *kind == Mutation::BitFlip));
    let all = kinds("corruption_checksum_validation");
    for kind in [Mutation::BitFlip, Mutation::Truncated, Mutation::Inserted, Mutation::Checksum] {
        let share = all.iter().filter(|other| **other == kind).count() * 100 / all.len();
        assert!((10..45).contains(&share), "{kind}: {share}%");
    }
}
