//! Every scenario of the registry does what its name promises, as the checker sees it in what was recorded.
//!
//! Simulator and checker share no list of scenarios, so that nothing but this test keeps their two tables together.

use std::collections::BTreeSet;
use vopr_checker::{Budget, RunIndex, Selection, Verdict, check_run, evidence};
use vopr_schema::History;
use vopr_sim::scenario::Overrides;
use vopr_sim::{RunRequest, Simulator, scenarios};

fn recorded(name: &str, seed: u64) -> History {
    let scenario = scenarios::find(name).expect("a scenario of the registry");
    let request = RunRequest::new(scenario, seed, &Overrides::default()).expect("nothing is overridden");
    let mut history = History::default();
    Simulator::new().simulate(&request, Some(&mut history));
    history
}

#[test]
fn every_scenario_has_a_promise_and_every_promise_a_scenario() {
    let registered: BTreeSet<&str> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    let promised: BTreeSet<&str> = evidence::PROMISES.iter().map(|promise| promise.scenario).collect();
    assert_eq!(registered, promised);
}

#[test]
fn a_few_seeds_of_every_scenario_show_the_evidence_and_break_nothing() {
    for scenario in scenarios::all() {
        let mut shown = 0;
        for seed in 1..=3 {
            let history = recorded(scenario.name, seed);
            let found = evidence::of_run(&RunIndex::new(&history, 0)).expect("every scenario has a promise");
            shown += usize::from(found.exercised());
            for (invariant, verdict) in check_run(&history, 0, &Selection::all(), &Budget::default()) {
                assert!(!matches!(verdict, Verdict::Violation(_)), "{} {seed}: {}: {verdict:?}", scenario.name, invariant.name());
            }
        }
        assert!(shown >= 2, "{}: {shown} of 3 seeds show what it promises", scenario.name);
    }
}

#[test]
fn no_faults_means_no_evidence_of_any() {
    for name in ["corruption_torn_write", "race_concurrent_view_changes", "client_session_crash", "clock_backward_jump"] {
        let scenario = scenarios::find(name).expect("a scenario of the registry");
        let families = Some(vopr_sim::options::Families::NONE);
        let request = RunRequest::new(scenario, 1, &Overrides { families, ..Overrides::default() }).expect("it can be simulated");
        let mut history = History::default();
        Simulator::new().simulate(&request, Some(&mut history));
        let found = evidence::of_run(&RunIndex::new(&history, 0)).expect("every scenario has a promise");
        assert!(!found.exercised(), "{name}");
    }
}

#[test]
fn over_twenty_seeds_every_timer_of_the_protocol_fires() {
    let mut fired = BTreeSet::new();
    for seed in 1..=20 {
        fired.extend(evidence::timers_of_run(&RunIndex::new(&recorded("timeout_comprehensive", seed), 0)));
    }
    assert_eq!(fired.len(), 10, "{fired:?}");
}
