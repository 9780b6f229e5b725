//! The seeded bugs against the committed matrix: which invariants fire on the seed that exposes each bug.
//!
//! A checker that went blind, a guard that no longer matters, or a scenario that no longer injects shows as a difference.

use vopr_sim::Simulator;
use xtask::matrix::{Detection, fired, path};

fn committed() -> Vec<Detection> {
    let text = std::fs::read_to_string(path()).expect("tests/detection_matrix.tsv is committed");
    text.lines().map(|line| Detection::from_line(line).expect("each line has four fields")).collect()
}

#[test]
fn every_bug_stands_in_the_matrix_once_and_is_caught_by_an_invariant_of_its_own() {
    let rows = committed();
    let names: Vec<&str> = rows.iter().map(|row| row.bug.as_str()).collect();
    assert_eq!(names, vopr_sim::bugs::all().iter().map(|bug| bug.name).collect::<Vec<_>>(), "run `cargo xtask matrix`");
    for (row, bug) in rows.iter().zip(vopr_sim::bugs::all()) {
        assert!(
            bug.invariants.iter().any(|named| row.fired.iter().any(|name| name == named)),
            "{}: none of {:?} fires",
            row.bug,
            bug.invariants
        );
    }
}

#[test]
fn each_bug_fires_exactly_the_invariants_of_the_matrix() {
    let mut simulator = Simulator::new();
    for row in committed() {
        let scenario = vopr_sim::scenarios::find(&row.scenario).expect("the scenario is known");
        assert_eq!(
            fired(&mut simulator, scenario, row.seed, Some(&row.bug)),
            row.fired,
            "{} on {} seed {}",
            row.bug,
            row.scenario,
            row.seed
        );
    }
}

#[test]
fn the_same_seeds_are_clean_with_all_guards_on() {
    let mut simulator = Simulator::new();
    for row in committed() {
        let scenario = vopr_sim::scenarios::find(&row.scenario).expect("the scenario is known");
        assert_eq!(fired(&mut simulator, scenario, row.seed, None), Vec::<String>::new(), "{} seed {}", row.scenario, row.seed);
    }
}
