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
fn a_healthy_run_has_no_cause() {
    for scenario in ["combined", "recovery_corrupt_log", "client_session_crash", "byzantine_view_change_merge"] {
        let history = run(scenario, 35, None);
        assert_eq!(names(&causes_of(&history, 0)), Vec::<&str>::new(), "{scenario}");
        assert!(diagnose(&history, 0).is_none(), "{scenario}");
    }
}
