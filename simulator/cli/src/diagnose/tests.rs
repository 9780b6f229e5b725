//! Diagnoses of runs that the simulator makes on the spot.

use super::*;
use crate::rig::{Orders, Rig};
use vopr_sim::scenario::Overrides;

fn run(scenario: &str, seed: u64, bug: Option<&str>) -> History {
    let mut history = History::default();
    let overrides = Overrides { bug: bug.map(str::to_owned), ..Overrides::default() };
    let orders = Orders { overrides, selection: None, budget: Budget::default(), twice: false };
    let scenario = vopr_sim::scenarios::find(scenario).expect("the scenario is known");
    let _ = Rig::default().run(scenario, seed, &orders, Some(&mut history));
    history
}

fn names(found: &[Found]) -> Vec<&'static str> {
    found.iter().map(|found| found.cause.name).collect()
}

#[test]
fn names_are_unique_and_every_sign_cites_rows() {
    let mut known: Vec<&str> = CAUSES.iter().map(|cause| cause.name).collect();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), CAUSES.len());
    let history = run("client_session_crash", 31, Some("applies_retry_twice"));
    let diagnosis = diagnose(&history, 0).expect("the bug shows");
    assert_eq!(diagnosis.rank("retry_applied_again"), Some(1), "{:?}", names(&diagnosis.causes));
    assert!(diagnosis.causes.iter().all(|found| !found.sign.rows.is_empty()));
    assert!(diagnosis.chain.windows(2).all(|pair| pair[0].seq <= pair[1].seq) && diagnosis.chain.len() >= 3);
}

#[test]
fn the_flag_of_a_bug_is_not_looked_at() {
    for (scenario, seed, bug) in [("client_session_crash", 33, "reply_cache_by_number_only"), ("combined", 31, "commits_below_quorum")] {
        let mut history = run(scenario, seed, Some(bug));
        let known = causes_of(&history, 0);
        assert!(!known.is_empty(), "{bug}");
        let shown = |found: &[Found]| found.iter().map(|found| (found.cause.name, found.sign.clone())).collect::<Vec<_>>();
        for told in [None, Some("lost_update"), Some("acks_before_durable")] {
            let options = history.runs[0].options.replace(bug, told.unwrap_or_default());
            history.runs[0].bug = told.map(str::to_owned);
            history.runs[0].options = options;
            history.runs[0].scenario = "somewhere".to_owned();
            assert_eq!(shown(&causes_of(&history, 0)), shown(&known), "{bug} told as {told:?}");
        }
    }
}

#[test]
fn a_cause_is_told_where_it_led_to_the_symptom() {
    for (scenario, seed, bug, cause) in [
        // The time was lost, and no timestamp is out of order.
        ("clock_backward_jump", 777_004_011, "follows_local_clock", "local_clock_followed"),
        // A new primary answers before it has committed what the old one had; later a replaced one answers, too.
        ("gray_failure_intermittent_network", 777_007_003, "stale_primary_serves_reads", "deposed_primary_answered"),
        // Damage that is found a quarter of a second before the run has settled.
        ("corruption_torn_write", 777_010_008, "leaves_damage_lying", "damage_left_on_disk"),
        // The first of two ties that were decided wrongly has nothing to do with the entry that breaks the chain.
        ("byzantine_dvc_identical_claims", 777_000_009, "arbitrary_tie_break", "tie_decided_by_arrival"),
    ] {
        let history = run(scenario, seed, Some(bug));
        let diagnosis = diagnose(&history, 0).expect("the bug shows");
        assert_eq!(diagnosis.rank(cause), Some(1), "{:?}", names(&diagnosis.causes));
        let witness = &diagnosis.failure.as_ref().expect("an invariant is broken").findings[0].witness;
        let last = witness.steps.iter().map(|step| step.seq).max().expect("it cites rows");
        let rows = &diagnosis.causes[0].sign.rows;
        let is_cited = rows.iter().any(|row| witness.steps.iter().any(|step| step.seq == row.seq));
        assert!(is_cited || cause == "tie_decided_by_arrival", "{scenario}: {rows:?} of {witness:?}");
        let earlier = causes_of(&history, 0)[0].sign.rows.iter().map(|row| row.seq).max();
        assert!(rows.iter().all(|row| row.seq <= last) || is_cited, "{scenario}: told behind the symptom: {rows:?}");
        assert!(cause != "tie_decided_by_arrival" || earlier < rows.iter().map(|row| row.seq).max(), "{scenario}: the first one is told");
    }
}

#[test]
fn a_healthy_run_has_no_cause() {
    let other = ["combined", "recovery_corrupt_log", "client_session_crash", "byzantine_view_change_merge"].map(|scenario| (scenario, 35));
    // Damage in a place that another entry is about to take; two questions at one moment; a primary whose members change under it; one
    // that was told of a newer view and cannot write it down.
    let known = [
        ("scrub_triggers_repair", 5_009_001),
        ("combined", 5_005_001),
        ("reconfig_during_partition", 777_302_001),
        ("combined", 778_302_003),
    ];
    for (scenario, seed) in known.into_iter().chain(other) {
        let history = run(scenario, seed, None);
        assert_eq!(names(&causes_of(&history, 0)), Vec::<&str>::new(), "{scenario} seed {seed}");
        assert!(diagnose(&history, 0).is_none(), "{scenario}");
    }
}

#[test]
fn clients_that_are_locked_out_say_whom_they_ask_and_what_they_hear() {
    let history = run("client_session_view_change_lockout", 777_009_003, Some("client_learns_unstarted_view"));
    let diagnosis = diagnose(&history, 0).expect("the bug shows");
    let told: Vec<&str> = diagnosis.clients.iter().map(|client| client.sentence.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (sentence, client) in told.iter().zip([1, 2]) {
        assert!(sentence.starts_with(&format!("client {client} of tenant 0 waits for the answer to its request ")), "{sentence}");
        // Replica 0 leads view 3, and they were told of a later one.
        assert!(sentence.contains("replica 0 has refused its last request (newer view)"), "{sentence}");
    }
    assert!(diagnosis.clients.iter().all(|client| !client.rows.is_empty()));
    let healthy = run("baseline", 35, None);
    assert!(standstill(&healthy, 0, None).1.is_empty());
}

#[test]
fn a_run_that_stands_still_says_what_each_replica_waits_for() {
    let whole = run("crash_during_view_change", 35, None);
    let rows = vopr_schema::cut::run(&whole, 0, u64::MAX);
    let last = rows.transitions.seq.last().copied().expect("replicas do something");
    let mut told = std::collections::BTreeSet::new();
    for part in 1..=20 {
        // What nobody planted: a cluster that stops at any moment.
        let mut history = vopr_schema::cut::run(&whole, 0, last * part / 20);
        history.runs[0].ended = Ended::Stuck;
        history.runs[0].ended_detail = Some("it stopped".to_owned());
        let diagnosis = diagnose(&history, 0).expect("a stuck run is diagnosed");
        assert_eq!(diagnosis.class, Class::Liveness);
        assert_eq!(diagnosis.waits.len(), usize::from(history.runs[0].replicas));
        for waiting in &diagnosis.waits {
            assert!(!waiting.rows.is_empty() && waiting.rows.iter().all(|step| step.seq <= last * part / 20), "{waiting:?}");
            let words = waiting.line();
            assert!(
                words.contains(&format!("replica {}: ", waiting.replica)) && words.contains(&format!("view {}", waiting.view)),
                "{words}"
            );
            told.insert((waiting.status.name(), waiting.sentence.split(' ').take(2).collect::<Vec<_>>().join(" ")));
        }
    }
    // Of a cluster that changes views and crashes, one that stops shows all of these.
    for status in ["normal", "view_change", "down"] {
        assert!(told.iter().any(|(shown, _)| *shown == status), "{status}: {told:?}");
    }
    let whole = diagnose(&whole, 0);
    assert!(whole.is_none(), "the run itself holds");
    // Of a run that stalled and healed later the moment of the stall is told, and not how it looks in the end.
    let history = run("primary_abdicate_partition", 1, Some("primary_never_abdicates"));
    let diagnosis = diagnose(&history, 0).expect("the bug shows");
    let (seq, time_ns) = waits::stalled(&history, 0).expect("no operation was committed");
    assert_eq!((diagnosis.class, diagnosis.stalled_ns), (Class::Liveness, Some(time_ns)));
    assert!(diagnosis.waits.iter().flat_map(|waiting| &waiting.rows).all(|step| step.seq <= seq));
    assert!(diagnosis.waits[0].sentence.starts_with("for votes for op "), "{:?}", diagnosis.waits[0]);
}

#[test]
fn damage_that_holds_a_cluster_up_is_told_as_its_cause_and_a_stall_of_another_cause_is_not() {
    let findings = |bug: &str, seed: u64| {
        let diagnosis = diagnose(&run("corruption_torn_write", seed, Some(bug)), 0).expect("the bug shows");
        let failure = diagnosis.failure.expect("an invariant is broken");
        failure.findings.iter().map(|finding| (finding.invariant, finding.because_of)).collect::<Vec<_>>()
    };
    assert_eq!(findings("leaves_damage_lying", 4), [("repair_completion", None), ("liveness", Some("repair_completion"))]);
    // Nothing is applied any more, and whatever is damaged is repaired all the same.
    assert_eq!(findings("stalls_on_refused_command", 1)[0], ("liveness", None));
}
