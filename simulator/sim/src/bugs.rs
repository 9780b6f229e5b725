//! The seeded bugs: how we know that a violation would be found.
//!
//! Each row switches off one guard, at run time, in the one place where the guard stands; it names the scenarios that must
//! expose it and the invariants that must then fire. A bug that its invariant does not catch within 1,000 seeds is a defect of
//! the scenario or of the checker.

mod byzantine;
mod protocol;

use kernel::KernelBug;
use std::sync::LazyLock;
use vsr::bug::Bug;

/// One seeded bug.
#[derive(Clone, Copy, Debug)]
pub struct SeededBug {
    /// Name on the command line and in histories.
    pub name: &'static str,
    /// What the unguarded replica does, one line.
    pub does: &'static str,
    /// Scenarios that must expose it, the best one first.
    pub scenarios: &'static [&'static str],
    /// Invariants one of which must fire, the most telling one first.
    pub invariants: &'static [&'static str],
    /// Which guard it is.
    pub guard: Guard,
}

/// Where a guard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// In the replica.
    Replica(Bug),
    /// In the state machine.
    Kernel(KernelBug),
}

impl SeededBug {
    /// The replica's guard that it switches off.
    #[must_use]
    pub const fn replica(&self) -> Option<Bug> {
        match self.guard {
            Guard::Replica(bug) => Some(bug),
            Guard::Kernel(_) => None,
        }
    }

    /// The state machine's guard that it switches off.
    #[must_use]
    pub const fn kernel(&self) -> Option<KernelBug> {
        match self.guard {
            Guard::Replica(_) => None,
            Guard::Kernel(bug) => Some(bug),
        }
    }
}

/// A name that no bug has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no bug is called {name:?}{}", .suggestion.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
pub struct UnknownBug {
    /// What was asked for.
    pub name: String,
    /// The nearest name, if one is near.
    pub suggestion: Option<&'static str>,
}

/// All seeded bugs.
#[must_use]
pub fn all() -> &'static [SeededBug] {
    static ALL: LazyLock<Vec<SeededBug>> = LazyLock::new(|| [&BUGS[..], &byzantine::BUGS[..], &protocol::BUGS[..]].concat());
    &ALL
}

/// The bug of this name; hyphens and underscores are alike.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static SeededBug, UnknownBug> {
    let wanted = name.trim().to_ascii_lowercase().replace('-', "_");
    all()
        .iter()
        .find(|bug| bug.name == wanted)
        .ok_or_else(|| UnknownBug { name: name.to_owned(), suggestion: crate::nearest::nearest(name, all().iter().map(|bug| bug.name)) })
}

const BUGS: [SeededBug; 16] = [
    SeededBug {
        name: "acks_before_durable",
        does: "a vote leaves before its entry is durable",
        scenarios: &["crash_during_commit"],
        invariants: &["vsr_recovery_safety", "replica_head"],
        guard: Guard::Replica(Bug::AcksBeforeDurable),
    },
    SeededBug {
        name: "commits_below_quorum",
        does: "one acknowledgement less than a quorum commits",
        scenarios: &["combined"],
        invariants: &["quorum_commit"],
        guard: Guard::Replica(Bug::CommitsBelowQuorum),
    },
    SeededBug {
        name: "forgets_view_on_restart",
        does: "the view is not persisted before a vote",
        scenarios: &["crash_during_view_change"],
        invariants: &["view_monotonicity", "vsr_recovery_safety"],
        guard: Guard::Replica(Bug::ForgetsViewOnRestart),
    },
    SeededBug {
        name: "truncates_committed_on_recovery",
        does: "a damaged tail is dropped at a restart without asking peers",
        scenarios: &["recovery_corrupt_log"],
        invariants: &["vsr_durability"],
        guard: Guard::Replica(Bug::TruncatesCommittedOnRecovery),
    },
    SeededBug {
        name: "skips_entry_checksum",
        does: "checksum and hash of stored entries are not checked",
        scenarios: &["corruption_checksum_validation"],
        invariants: &["corruption_detection"],
        guard: Guard::Replica(Bug::SkipsEntryChecksum),
    },
    SeededBug {
        name: "applies_retry_twice",
        does: "requests that were seen before are prepared and applied again",
        scenarios: &["client_session_crash"],
        invariants: &["idempotency"],
        guard: Guard::Replica(Bug::AppliesRetryTwice),
    },
    SeededBug {
        name: "reply_cache_by_number_only",
        does: "cached replies are returned by request number, whatever the session and the request",
        scenarios: &["client_session_crash"],
        invariants: &["client_session"],
        guard: Guard::Replica(Bug::ReplyCacheByNumberOnly),
    },
    SeededBug {
        name: "stale_primary_serves_reads",
        does: "a replica that believes to be primary answers reads from its state",
        scenarios: &["gray_failure_intermittent_network", "quorum_reads"],
        invariants: &["linearizability"],
        guard: Guard::Replica(Bug::StalePrimaryServesReads),
    },
    SeededBug {
        name: "reads_uncommitted",
        does: "a primary answers reads as if its whole log were committed",
        scenarios: &["race_commit_during_dvc"],
        invariants: &["mvcc_visibility", "linearizability"],
        guard: Guard::Replica(Bug::ReadsUncommitted),
    },
    SeededBug {
        name: "lost_update",
        does: "a read-modify-write is worked out when it is prepared, not when it is applied",
        scenarios: &["baseline"],
        invariants: &["linearizability"],
        guard: Guard::Kernel(KernelBug::LostUpdate),
    },
    SeededBug {
        name: "scan_past_tenant_end",
        does: "a scan runs over the end of its tenant's range",
        scenarios: &["multi_tenant_isolation"],
        invariants: &["tenant_isolation"],
        guard: Guard::Kernel(KernelBug::ScanPastTenantEnd),
    },
    SeededBug {
        name: "tenant_lost_in_cache",
        does: "cached replies are found by the client's number, whatever its tenant",
        scenarios: &["multi_tenant_isolation"],
        invariants: &["tenant_isolation"],
        guard: Guard::Replica(Bug::TenantLostInCache),
    },
    SeededBug {
        name: "transfer_not_atomic",
        does: "the credit of a transfer follows two commands after its debit",
        scenarios: &["combined", "baseline"],
        invariants: &["conservation"],
        guard: Guard::Kernel(KernelBug::TransferNotAtomic),
    },
    SeededBug {
        name: "nondeterministic_apply",
        does: "now and then an addition depends on the local clock",
        scenarios: &["baseline"],
        invariants: &["replica_consistency"],
        guard: Guard::Kernel(KernelBug::NondeterministicApply),
    },
    SeededBug {
        name: "loses_commit_on_start_view",
        does: "the commit number is reset to that of a start_view",
        scenarios: &["race_concurrent_view_changes"],
        invariants: &["commit_monotonicity"],
        guard: Guard::Replica(Bug::LosesCommitOnStartView),
    },
    SeededBug {
        name: "counts_duplicate_votes",
        does: "votes are counted, not voters",
        scenarios: &["byzantine_leader_race"],
        invariants: &["quorum_commit", "vsr_agreement"],
        guard: Guard::Replica(Bug::CountsDuplicateVotes),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_of_the_replica_has_a_row_of_its_name() {
        for bug in Bug::ALL {
            let row = all().iter().find(|row| row.guard == Guard::Replica(*bug));
            assert_eq!(row.map(|row| row.name), Some(bug.name()));
        }
        let mut names: Vec<&str> = all().iter().map(|bug| bug.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn every_row_names_scenarios_of_the_registry() {
        for bug in all() {
            assert!(!bug.invariants.is_empty() && !bug.scenarios.is_empty());
            for name in bug.scenarios {
                assert_eq!(crate::scenarios::find(name).map(|scenario| scenario.name), Some(*name), "{}", bug.name);
            }
        }
    }

    #[test]
    fn a_mistyped_name_is_answered_with_the_nearest_one() {
        assert_eq!(find("Lost-Update").map(|bug| bug.name), Ok("lost_update"));
        let message = find("lost_updates").expect_err("no such bug").to_string();
        assert_eq!(message, "no bug is called \"lost_updates\"; did you mean lost_update?");
    }
}
