//! The guards against links that lie.
//!
//! Without lies none of them has anything to do: only the scenarios of phase 1 can expose these bugs.

use super::{Guard, SeededBug};
use vsr::bug::Bug;

pub(super) const BUGS: [SeededBug; 11] = [
    SeededBug {
        name: "merge_overwrites_committed",
        does: "a start_view replaces entries at or below the own commit number",
        scenarios: &["byzantine_view_change_merge"],
        invariants: &["vsr_agreement"],
        guard: Guard::Replica(Bug::MergeOverwritesCommitted),
    },
    SeededBug {
        name: "commit_applies_past_gap",
        does: "a start_view's commit number is taken over although its log ends before",
        scenarios: &["byzantine_commit_desync"],
        invariants: &["vsr_prefix_property"],
        guard: Guard::Replica(Bug::CommitAppliesPastGap),
    },
    SeededBug {
        name: "trusts_inflated_commit",
        does: "a new primary takes the largest commit number of its do_view_change quorum",
        scenarios: &["byzantine_inflated_commit"],
        invariants: &["vsr_durability"],
        guard: Guard::Replica(Bug::TrustsInflatedCommit),
    },
    SeededBug {
        name: "unvalidated_view_change_log",
        does: "a do_view_change's log is chosen without a look at its chain",
        scenarios: &["byzantine_malicious_view_change"],
        invariants: &["vsr_view_change_safety"],
        guard: Guard::Replica(Bug::UnvalidatedViewChangeLog),
    },
    SeededBug {
        name: "ignores_tail_length",
        does: "a do_view_change need not carry what it claims",
        scenarios: &["byzantine_dvc_tail_length_mismatch"],
        invariants: &["log_consistency"],
        guard: Guard::Replica(Bug::IgnoresTailLength),
    },
    SeededBug {
        name: "arbitrary_tie_break",
        does: "of equal claims the log that came last wins",
        scenarios: &["byzantine_dvc_identical_claims"],
        invariants: &["vsr_view_change_safety"],
        guard: Guard::Replica(Bug::ArbitraryTieBreak),
    },
    SeededBug {
        name: "skips_prepare_metadata_check",
        does: "an entry that contradicts the header of its prepare is taken",
        scenarios: &["byzantine_invalid_metadata"],
        invariants: &["log_consistency", "vsr_agreement"],
        guard: Guard::Replica(Bug::SkipsPrepareMetadataCheck),
    },
    SeededBug {
        name: "unbounded_log_tail",
        does: "neither tails nor messages have a limit",
        scenarios: &["byzantine_oversized_start_view"],
        invariants: &["resource_limits"],
        guard: Guard::Replica(Bug::UnboundedLogTail),
    },
    SeededBug {
        name: "serves_invalid_repair_range",
        does: "the range of a repair request is not checked",
        scenarios: &["byzantine_invalid_repair_range"],
        invariants: &["repair_safety"],
        guard: Guard::Replica(Bug::ServesInvalidRepairRange),
    },
    SeededBug {
        name: "stalls_on_refused_command",
        does: "nothing is applied after a command that the state machine refuses",
        scenarios: &["byzantine_invalid_kernel_command"],
        invariants: &["liveness", "kernel_command_validation"],
        guard: Guard::Replica(Bug::StallsOnRefusedCommand),
    },
    SeededBug {
        name: "accepts_old_view",
        does: "messages of older views are handled like the current view's",
        scenarios: &["byzantine_replay_old_view"],
        invariants: &["view_monotonicity"],
        guard: Guard::Replica(Bug::AcceptsOldView),
    },
];
