//! Each seeded bug shows itself: some schedule among a few hundred contradicts a fact that holds without it.

use crate::schedules::run;
use vsr::bug::Bug;

/// What these schedules cannot show: it needs a scenario that is aimed at it, damaged messages, or an eye for what is no
/// contradiction of facts (who asked whom, who waited, what time it was). The simulator's scenarios and the checker have them.
const NEED_MORE: &[Bug] = &[
    Bug::SkipsMessageChecksum,
    Bug::KeepsUncommittedSessions,
    Bug::EvictsByLocalOrder,
    Bug::StateTransferDropsSessions,
    Bug::UnlimitedRepair,
    Bug::RepairsFromAnybody,
    Bug::PrimaryNeverAbdicates,
    Bug::FollowsLocalClock,
    Bug::HeadAlwaysCertain,
    Bug::UnilateralViewChange,
    Bug::TruncatesBeforeNewStateArrives,
    Bug::IgnoresScrubFinding,
    Bug::VotesAfterReformat,
    Bug::ScrubsWithoutLimit,
    Bug::ScrubSkipsColdEntries,
];

/// Schedules until a bug shows; `None` when it does not.
fn schedules_until_shown(bug: Bug, limit: u64) -> Option<(u64, String)> {
    // What a replica without its guard says may be more than its clients can bear: that shows too.
    let shown =
        |seed| std::panic::catch_unwind(|| run(seed, Some(bug), false).broken().cloned()).unwrap_or(Some("a client panics".to_owned()));
    (0..limit).find_map(|seed| Some((seed, shown(seed)?.chars().take(120).collect())))
}

/// Guards against lies, and against commands that this state machine never refuses: honest schedules do not touch them. The
/// simulator's scenarios with links that lie do.
const UNTOUCHED: [Bug; 9] = [
    Bug::MergeOverwritesCommitted,
    Bug::TrustsInflatedCommit,
    Bug::SkipsPrepareMetadataCheck,
    Bug::UnvalidatedViewChangeLog,
    Bug::IgnoresTailLength,
    Bug::ArbitraryTieBreak,
    Bug::UnboundedLogTail,
    Bug::ServesInvalidRepairRange,
    Bug::StallsOnRefusedCommand,
];

#[test]
fn every_bug_shows_itself() {
    let mut hidden = Vec::new();
    for bug in Bug::ALL.iter().filter(|bug| !UNTOUCHED.contains(bug) && !NEED_MORE.contains(bug)) {
        // Damage that two members happen to deny needs hundreds of them.
        match schedules_until_shown(*bug, 1_000) {
            Some((seed, what)) => println!("{bug}: seed {seed}: {what}"),
            None => hidden.push(bug.name()),
        }
    }
    assert!(hidden.is_empty(), "never shown: {hidden:?}");
}
