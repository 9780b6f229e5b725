//! Guards that can be switched off at run time, one per seeded bug.
//!
//! One binary proves itself: each guard is consulted in the one place where it stands, and a campaign with it switched off must
//! be caught by its invariant.

macro_rules! bugs {
    ($($(#[$meta:meta])* $name:ident => $text:literal,)*) => {
        /// A guard of the replica that is switched off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[$meta])* $name,)*
        }

        impl Bug {
            /// All bugs.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The bug's name on the command line and in histories.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

bugs! {
    /// A vote leaves before its entry is durable.
    AcksBeforeDurable => "acks_before_durable",
    /// One acknowledgement less than a quorum commits.
    CommitsBelowQuorum => "commits_below_quorum",
    /// The view is not persisted before a vote.
    ForgetsViewOnRestart => "forgets_view_on_restart",
    /// A damaged tail is dropped at a restart without asking peers.
    TruncatesCommittedOnRecovery => "truncates_committed_on_recovery",
    /// Checksum and hash of stored entries are not checked.
    SkipsEntryChecksum => "skips_entry_checksum",
    /// Requests that were seen before are prepared and applied again.
    AppliesRetryTwice => "applies_retry_twice",
    /// Cached replies are returned by request number, whatever the session and the request.
    ReplyCacheByNumberOnly => "reply_cache_by_number_only",
    /// A replica that believes to be primary answers reads from its state.
    StalePrimaryServesReads => "stale_primary_serves_reads",
    /// A primary answers reads as if its whole log were committed.
    ReadsUncommitted => "reads_uncommitted",
    /// Cached replies are found by the client's number, whatever its tenant.
    TenantLostInCache => "tenant_lost_in_cache",
    /// The commit number is reset to that of a `start_view`.
    LosesCommitOnStartView => "loses_commit_on_start_view",
    /// Votes are counted, not voters.
    CountsDuplicateVotes => "counts_duplicate_votes",
    /// A `start_view` replaces entries at or below the own commit number.
    MergeOverwritesCommitted => "merge_overwrites_committed",
    /// A `start_view`'s commit number is taken over although its log ends before.
    CommitAppliesPastGap => "commit_applies_past_gap",
    /// A new primary takes the largest commit number of its `do_view_change` quorum.
    TrustsInflatedCommit => "trusts_inflated_commit",
    /// A prepare's entry is not compared with its header.
    SkipsPrepareMetadataCheck => "skips_prepare_metadata_check",
    /// The chain of a `do_view_change`'s log is not checked.
    UnvalidatedViewChangeLog => "unvalidated_view_change_log",
    /// A `do_view_change` need not carry what it claims.
    IgnoresTailLength => "ignores_tail_length",
    /// Of equal claims the log that came last wins.
    ArbitraryTieBreak => "arbitrary_tie_break",
    /// Neither tails nor messages have a limit.
    UnboundedLogTail => "unbounded_log_tail",
    /// The range of a repair request is not checked.
    ServesInvalidRepairRange => "serves_invalid_repair_range",
    /// Nothing is applied after a command that the state machine refuses.
    StallsOnRefusedCommand => "stalls_on_refused_command",
    /// Messages of older views are handled like the current view's.
    AcceptsOldView => "accepts_old_view",
    /// The checksum of messages is not checked.
    SkipsMessageChecksum => "skips_message_checksum",
    /// A restart takes whatever whole entry lies in a slot, whether its hash connects or not.
    SkipsHashChain => "skips_hash_chain",
    /// An entry that a crash cut short is taken for whole.
    AcceptsTornWrite => "accepts_torn_write",
    /// A session enters the table when its registration is prepared, and stays when that entry is discarded.
    KeepsUncommittedSessions => "keeps_uncommitted_sessions",
    /// Which session is evicted depends on what this replica's own pipeline holds.
    EvictsByLocalOrder => "evicts_by_local_order",
    /// A peer's checkpoint is installed without what its sessions were told.
    StateTransferDropsSessions => "state_transfer_drops_sessions",
    /// Peers are asked for repairs in turn, however slow they are.
    RepairsFromAnybody => "repairs_from_anybody",
    /// All peers are asked for a repair at once.
    UnlimitedRepair => "unlimited_repair",
    /// What a restart found damaged is repaired in memory, and left on the disk as it is.
    LeavesDamageLying => "leaves_damage_lying",
    /// A primary that hears no quorum goes on.
    PrimaryNeverAbdicates => "primary_never_abdicates",
    /// Timestamps are those of the local clock, whatever the log says.
    FollowsLocalClock => "follows_local_clock",
    /// A damaged slot counts as certainly never prepared.
    NacksCorruptEntry => "nacks_corrupt_entry",
    /// A restarted replica trusts its head although slots after it are damaged.
    HeadAlwaysCertain => "head_always_certain",
    /// A replica sends its log to a new primary before a quorum has left the old view.
    UnilateralViewChange => "unilateral_view_change",
    /// Acknowledgements of an older view count in a new one.
    OldAcksCountInNewView => "old_acks_count_in_new_view",
    /// The log is cut to the commit number when a state is asked for, not when it has come.
    TruncatesBeforeNewStateArrives => "truncates_before_new_state_arrives",
    /// Quorums are those of the first configuration, whatever the one in force.
    OldQuorumAfterReconfig => "old_quorum_after_reconfig",
    /// A member that was removed acknowledges, and is counted.
    RemovedMemberVotes => "removed_member_votes",
    /// The scrubber tells of damage, and nobody repairs it.
    IgnoresScrubFinding => "ignores_scrub_finding",
    /// The scrubber reads as much per tick as there is.
    ScrubsWithoutLimit => "scrubs_without_limit",
    /// The scrubber passes over entries that a checkpoint covers.
    ScrubSkipsColdEntries => "scrub_skips_cold_entries",
    /// A replica whose disk was replaced by an empty one votes at once.
    VotesAfterReformat => "votes_after_reformat",
    /// A client is told of the view that would come next, and whoever knows of a newer view is refused.
    ClientLearnsUnstartedView => "client_learns_unstarted_view",
}

impl Bug {
    /// The bug of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

impl core::fmt::Display for Bug {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Bug;

    #[test]
    fn names_lead_back_to_their_bugs() {
        for bug in Bug::ALL {
            assert_eq!(Bug::from_name(bug.name()), Some(*bug));
        }
        assert_eq!(Bug::from_name("none"), None);
    }
}
