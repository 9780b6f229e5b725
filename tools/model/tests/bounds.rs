//! Small bounds explored to the end, and each planted bug of the replica refuted within bounds of its own.

use model::model::{Bounds, Protocol};
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::collections::BTreeSet;
use vsr::Bug;
use vsr::io::Timer;

const BOUNDS: Bounds = Bounds {
    replicas: 3,
    operations: 1,
    views: 2,
    timers: 0,
    kinds: Vec::new(),
    crashes: 0,
    duplicates: 0,
    damage: 0,
    eager_disk: false,
    bug: None,
};

/// States reached, properties violated, and examples that were not found.
fn explore(bounds: Bounds) -> (usize, BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let checker = Protocol::new(bounds).checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found: BTreeSet<_> = checker.discoveries().into_keys().collect();
    let named = |expectation: Expectation| {
        let properties = checker.model().properties().into_iter().filter(move |property| property.expectation == expectation);
        properties.map(|property| property.name).collect::<BTreeSet<_>>()
    };
    let violated = named(Expectation::Always).intersection(&found).copied().collect();
    let unseen = named(Expectation::Sometimes).difference(&found).copied().collect();
    (checker.unique_state_count(), violated, unseen)
}

#[test]
fn two_operations_in_one_view_with_a_duplicate_hold() {
    let (states, violated, unseen) = explore(Bounds { operations: 2, views: 1, duplicates: 1, ..BOUNDS });
    assert_eq!((violated, unseen), (BTreeSet::new(), BTreeSet::new()));
    assert!(states > 10_000, "{states} states are too few: something is not explored");
}

#[test]
fn a_crash_at_any_moment_of_one_view_holds() {
    let (states, violated, unseen) = explore(Bounds { crashes: 1, views: 1, ..BOUNDS });
    assert_eq!((violated, unseen), (BTreeSet::new(), BTreeSet::new()));
    assert!(states > 5_000, "{states} states are too few: something is not explored");
}

/// The bounds in which a bug shows, and what it breaks there.
fn refuted(bug: Bug, bounds: Bounds, property: &str) {
    let (_, violated, _) = explore(Bounds { bug: Some(bug), ..bounds });
    assert!(violated.contains(property), "{} breaks {violated:?}", bug.name());
}

#[test]
fn a_vote_before_its_entry_is_durable_is_refuted() {
    refuted(Bug::AcksBeforeDurable, BOUNDS, "on a quorum of disks");
}

#[test]
fn a_commit_below_the_quorum_is_refuted() {
    refuted(Bug::CommitsBelowQuorum, BOUNDS, "on a quorum of disks");
}

#[test]
fn a_vote_counted_twice_is_refuted() {
    refuted(Bug::CountsDuplicateVotes, Bounds { duplicates: 1, timers: 1, ..BOUNDS }, "on a quorum of disks");
}

#[test]
fn a_forgotten_view_is_refuted() {
    refuted(Bug::ForgetsViewOnRestart, Bounds { timers: 1, crashes: 1, ..BOUNDS }, "promise");
}

#[test]
fn a_tail_dropped_without_asking_is_refuted() {
    let bounds = Bounds { crashes: 1, damage: 1, eager_disk: true, ..BOUNDS };
    refuted(Bug::TruncatesCommittedOnRecovery, bounds, "durability");
}

#[test]
fn a_damaged_head_taken_for_certain_is_refuted() {
    let bounds = Bounds { crashes: 1, damage: 1, eager_disk: true, ..BOUNDS };
    refuted(Bug::HeadAlwaysCertain, bounds, "durability");
}

#[test]
fn a_damaged_entry_denied_is_refuted() {
    let bounds = Bounds { crashes: 1, damage: 1, eager_disk: true, ..BOUNDS };
    refuted(Bug::NacksCorruptEntry, bounds, "durability");
}

#[test]
fn a_commit_number_that_falls_is_refuted() {
    let bounds = Bounds { timers: 1, kinds: vec![Timer::Abdication], eager_disk: true, ..BOUNDS };
    refuted(Bug::LosesCommitOnStartView, bounds, "prefix");
}

/// A whole view change with nothing else going wrong: the current primary steps down, once.
fn one_view_change() -> Bounds {
    Bounds { timers: 1, kinds: vec![Timer::Abdication], eager_disk: true, ..BOUNDS }
}

#[test]
fn a_log_that_leaves_before_a_quorum_did_is_refuted() {
    refuted(Bug::UnilateralViewChange, one_view_change(), "agreed departure");
}

#[test]
fn a_vote_of_an_older_view_is_refuted() {
    refuted(Bug::OldAcksCountInNewView, one_view_change(), "votes of the view");
}
