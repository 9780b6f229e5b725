//! Small bounds explored to the end, and each planted bug of the replica refuted within bounds of its own.

use model::bounds::Bounds;
use model::search::{End, Reductions, Search};
use vsr::Bug;
use vsr::io::Timer;

const BOUNDS: Bounds = Bounds::CALM;

/// Visits all states of the bounds, of which there are so many; nothing is violated, and what should happen happens.
fn holds(bounds: &Bounds, at_least: usize) {
    let mut search = Search::new(bounds, Reductions::ALL);
    assert_eq!(search.run(|_| false), End::Complete, "{bounds:?}: {:#?}", search.way());
    assert!(search.happened().0, "{bounds:?}: the operations never commit");
    assert!(search.states() > at_least, "{} states are too few: something is not explored", search.states());
}

#[test]
fn two_operations_in_one_view_with_a_duplicate_hold() {
    holds(&Bounds { operations: 2, views: 1, duplicates: 1, ..BOUNDS }, 10_000);
}

#[test]
fn a_crash_at_any_moment_of_one_view_holds() {
    holds(&Bounds { crashes: 1, views: 1, ..BOUNDS }, 5_000);
}

#[test]
fn a_view_change_with_a_duplicate_on_ordered_links_holds() {
    let bounds = Bounds { duplicates: 1, ordered_links: true, ..one_view_change() };
    holds(&bounds, 50_000);
    let mut search = Search::new(&bounds, Reductions::ALL);
    search.run(|_| false);
    assert!(search.happened().1, "no entry of the later view is ever committed");
}

/// What is left out must be done by something that is not: the same replicas in the same company, the same facts, and fewer states.
#[test]
fn reductions_leave_nothing_out() {
    let alone = Bounds { operations: 0, duplicates: 1, ..one_view_change() };
    let two_crashes = Bounds { views: 1, crashes: 2, eager_disk: true, ..BOUNDS };
    let ordered = Bounds { ordered_links: true, duplicates: 1, ..one_view_change() };
    for bounds in [alone, two_crashes, ordered, Bounds { operations: 2, views: 1, duplicates: 1, ..BOUNDS }] {
        let explored = |reductions| {
            let mut search = Search::new(&bounds, reductions);
            assert_eq!(search.run(|_| false), End::Complete);
            (search.states(), search.cores())
        };
        let (every, cores) = explored(Reductions::NONE);
        for reductions in
            [Reductions { settled: false, ..Reductions::ALL }, Reductions { covered: false, ..Reductions::ALL }, Reductions::ALL]
        {
            let (states, reached) = explored(reductions);
            assert!(states <= every, "{bounds:?} {reductions:?}: {states} of {every}");
            assert!(reached == cores, "{bounds:?} {reductions:?}: {} of {}", reached.len(), cores.len());
        }
    }
}

/// Without a network that reorders there is less to see, and never anything else.
#[test]
fn ordered_links_show_a_part_of_what_a_network_without_order_shows() {
    let cores = |ordered_links| {
        let mut search = Search::new(&Bounds { ordered_links, ..one_view_change() }, Reductions::ALL);
        assert_eq!(search.run(|_| false), End::Complete);
        search.cores()
    };
    let (ordered, unordered) = (cores(true), cores(false));
    assert!(ordered.len() < unordered.len() && ordered.is_subset(&unordered), "{} of {}", ordered.len(), unordered.len());
}

/// The bounds in which a bug shows, and what it breaks there.
fn refuted(bug: Bug, bounds: Bounds, property: &str) {
    let bounds = Bounds { bug: Some(bug), ..bounds };
    let mut search = Search::new(&bounds, Reductions::ALL);
    let End::Violated(violation) = search.run(|_| false) else { panic!("{} breaks nothing", bug.name()) };
    assert_eq!(violation.name(), property, "{}: {:#?}", bug.name(), search.way());
    assert!(!search.way().is_empty());
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
