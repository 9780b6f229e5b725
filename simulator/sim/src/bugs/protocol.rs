//! The guards of disks, sessions, repairs, clocks and view changes.
//!
//! Honest links and ordinary faults are enough to expose these bugs, each in the scenario that is aimed at it.

use super::{Guard, SeededBug};
use vsr::bug::Bug;

pub(super) const BUGS: [SeededBug; 18] = [
    SeededBug {
        name: "skips_message_checksum",
        does: "the checksum of messages is not checked",
        scenarios: &["corruption_bit_flip"],
        invariants: &["corruption_detection"],
        guard: Guard::Replica(Bug::SkipsMessageChecksum),
    },
    SeededBug {
        name: "skips_hash_chain",
        does: "whatever whole entry lies in a slot is taken, whether its hash connects or not",
        scenarios: &["corruption_silent_disk_failure"],
        invariants: &["hash_chain"],
        guard: Guard::Replica(Bug::SkipsHashChain),
    },
    SeededBug {
        name: "accepts_torn_write",
        does: "an entry that a crash cut short is taken for whole",
        scenarios: &["corruption_torn_write"],
        invariants: &["hash_chain"],
        guard: Guard::Replica(Bug::AcceptsTornWrite),
    },
    SeededBug {
        name: "keeps_uncommitted_sessions",
        does: "a session enters the table when it is prepared, and stays when its entry is discarded",
        scenarios: &["client_session_view_change_lockout"],
        invariants: &["liveness"],
        guard: Guard::Replica(Bug::KeepsUncommittedSessions),
    },
    SeededBug {
        name: "evicts_by_local_order",
        does: "which session is evicted depends on the replica's own pipeline",
        scenarios: &["client_session_eviction"],
        invariants: &["replica_consistency"],
        guard: Guard::Replica(Bug::EvictsByLocalOrder),
    },
    SeededBug {
        name: "state_transfer_drops_sessions",
        does: "a peer's checkpoint is installed without what its sessions were told",
        scenarios: &["repair_sync_timeout"],
        invariants: &["idempotency"],
        guard: Guard::Replica(Bug::StateTransferDropsSessions),
    },
    SeededBug {
        name: "unlimited_repair",
        does: "all peers are asked for a repair at once",
        scenarios: &["repair_budget_prevents_storm"],
        invariants: &["repair_budget"],
        guard: Guard::Replica(Bug::UnlimitedRepair),
    },
    SeededBug {
        name: "leaves_damage_lying",
        does: "what a restart found damaged is repaired in memory, and left on the disk as it is",
        scenarios: &["corruption_torn_write"],
        invariants: &["repair_completion"],
        guard: Guard::Replica(Bug::LeavesDamageLying),
    },
    SeededBug {
        name: "primary_never_abdicates",
        does: "a primary that hears no quorum goes on",
        scenarios: &["primary_abdicate_partition"],
        invariants: &["liveness"],
        guard: Guard::Replica(Bug::PrimaryNeverAbdicates),
    },
    SeededBug {
        name: "follows_local_clock",
        does: "timestamps are those of the local clock, whatever the log says",
        scenarios: &["clock_backward_jump"],
        invariants: &["clock"],
        guard: Guard::Replica(Bug::FollowsLocalClock),
    },
    SeededBug {
        name: "nacks_corrupt_entry",
        does: "a damaged slot counts as certainly never prepared",
        scenarios: &["recovery_corrupt_log"],
        invariants: &["vsr_durability"],
        guard: Guard::Replica(Bug::NacksCorruptEntry),
    },
    SeededBug {
        name: "head_always_certain",
        does: "a restarted replica trusts a head behind which its slots are damaged",
        scenarios: &["recovery_corrupt_log"],
        invariants: &["vsr_recovery_safety"],
        guard: Guard::Replica(Bug::HeadAlwaysCertain),
    },
    SeededBug {
        name: "unilateral_view_change",
        does: "a replica sends its log to a new primary before a quorum has left the old view",
        scenarios: &["race_concurrent_view_changes"],
        invariants: &["leader_uniqueness", "liveness"],
        guard: Guard::Replica(Bug::UnilateralViewChange),
    },
    SeededBug {
        name: "old_acks_count_in_new_view",
        does: "acknowledgements of an older view count in a new one",
        scenarios: &["race_commit_during_dvc"],
        invariants: &["quorum_commit"],
        guard: Guard::Replica(Bug::OldAcksCountInNewView),
    },
    SeededBug {
        name: "truncates_before_new_state_arrives",
        does: "the log is cut to the commit number when a state is asked for, not when it has come",
        scenarios: &["repair_sync_timeout"],
        invariants: &["vsr_durability"],
        guard: Guard::Replica(Bug::TruncatesBeforeNewStateArrives),
    },
    SeededBug {
        name: "client_learns_unstarted_view",
        does: "a client is told of a view that never starts, and refused for it",
        scenarios: &["client_session_view_change_lockout"],
        invariants: &["liveness"],
        guard: Guard::Replica(Bug::ClientLearnsUnstartedView),
    },
    SeededBug {
        name: "old_quorum_after_reconfig",
        does: "entries commit by quorums of the first configuration, whatever the one in force",
        scenarios: &["reconfig_during_partition"],
        invariants: &["reconfiguration_safety"],
        guard: Guard::Replica(Bug::OldQuorumAfterReconfig),
    },
    SeededBug {
        name: "removed_member_votes",
        does: "a member that was removed acknowledges, and is counted",
        scenarios: &["reconfig_remove_replicas"],
        invariants: &["reconfiguration_safety"],
        guard: Guard::Replica(Bug::RemovedMemberVotes),
    },
];
