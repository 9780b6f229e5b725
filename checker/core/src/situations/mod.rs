//! Named situations that a run came into, counted from its rows.
//!
//! Evidence says whether a scenario kept its promise; situations say how far a campaign has been around: the corners of the protocol
//! that a seed must turn before anything can be learnt about them. A corner that no nightly run turns is untested, whatever its
//! verdicts say.

mod membership;
mod network;
mod replacements;
mod replicas;
mod scrubbing;
mod sessions;
#[cfg(test)]
mod tests;

use crate::index::RunIndex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! situations {
    ($($variant:ident $name:literal $words:literal;)*) => {
        /// A situation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Situation {
            $(#[doc = $words] $variant,)*
        }

        impl Situation {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name on the command line and in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What happened, in words.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)*
                }
            }
        }
    };
}

situations! {
    ViewChangeCompleted "view_change_completed" "a primary entered a view with the votes of a quorum";
    ViewChangeWithOpenEntries "view_change_with_open_entries" "a new primary took over entries that were prepared and not known to be committed";
    ViewChangeWithNothingOpen "view_change_with_nothing_open" "a new primary took over a log that was committed to its head";
    ViewsProposedAtOnce "views_proposed_at_once" "two replicas worked for different views at the same time";
    ViewSkipped "view_skipped" "a replica entered a view without having been in the one before it";
    ViewChangeAbandoned "view_change_abandoned" "a replica gave up one view change for a later one";
    TwoPrimariesAtOnce "two_primaries_at_once" "an old primary was still normal when the one of a later view was";
    OldPrimaryFollows "old_primary_follows" "a replica that had led its last view entered another one as a backup";
    PrimaryLostItsQuorum "primary_lost_its_quorum" "a primary stepped down because it did not hear from a quorum";
    PrimaryLostItsClock "primary_lost_its_clock" "a primary stepped down because its clock was not synchronised";
    ClockContradicted "clock_contradicted" "a replica learnt that a quorum agreed on another time than its own";
    ClockSet "clock_set" "a replica noticed that its clock had been set";
    TimeExpired "time_expired" "what a quorum's clocks had agreed on became too old before they agreed again";
    StampedWithoutTime "stamped_without_time" "a primary that did not know the time stamped an entry by its fallback rule";
    EntryOfOlderViewCommitted "entry_of_older_view_committed" "an entry prepared in an older view was committed by votes in a newer one";
    PrimaryCrashed "primary_crashed" "a replica crashed while it was primary";
    CrashInViewChange "crash_in_view_change" "a replica crashed in the middle of a view change";
    CrashInRecovery "crash_in_recovery" "a replica crashed again before it had recovered";
    CrashInStateTransfer "crash_in_state_transfer" "a replica crashed while it was fetching a checkpoint";
    CrashWithOpenEntries "crash_with_open_entries" "a replica crashed while it held entries above its commit number";
    CrashBeforeApply "crash_before_apply" "a replica crashed after it had committed an entry and before it applied it";
    TwoDownAtOnce "two_down_at_once" "two replicas were down at the same time";
    QuorumDown "quorum_down" "too few replicas were up for a quorum";
    RecoveryNeeded "recovery_needed" "a replica came back and had to ask the others before it took part";
    RecoveryCompleted "recovery_completed" "a recovering replica became normal";
    TornTailAtRestart "torn_tail_at_restart" "a restart found an entry whose write had been cut short";
    CorruptEntryAtRestart "corrupt_entry_at_restart" "a restart found a damaged entry";
    SuperblockCopyDamaged "superblock_copy_damaged" "a copy of the superblock failed its check";
    CheckpointCopyDamaged "checkpoint_copy_damaged" "a copy of a checkpoint failed its check";
    MisplacedEntryFound "misplaced_entry_found" "a slot held an entry that belongs elsewhere";
    DamagedMessageRefused "damaged_message_refused" "a message failed its checksum";
    EntryTruncated "entry_truncated" "an entry that was never committed left a log";
    EntryReplaced "entry_replaced" "another entry took the place of one that was prepared before";
    EntryRepaired "entry_repaired" "a missing or damaged entry was filled by a peer's";
    RepairInViewChange "repair_in_view_change" "an entry was repaired while a view change was going on";
    ScrubTourCompleted "scrub_tour_completed" "a scrubber had seen its whole disk once more";
    ScrubFoundDamage "scrub_found_damage" "a scrubber found an entry damaged";
    ScrubFoundOpenDamage "scrub_found_open_damage" "a scrubber found an entry damaged that was not known to be committed";
    ScrubFindingRepaired "scrub_finding_repaired" "an entry that a scrubber had found damaged was written anew";
    ScrubInViewChange "scrub_in_view_change" "a scrubber read while its replica was changing views";
    DiskReplaced "disk_replaced" "the disk of a replica was replaced by an empty one";
    ReplacedDiskVotesAgain "replaced_disk_votes_again" "a replica acknowledged an entry for the first time after its disk had been replaced";
    MembershipChangedBesideReplacedDisk "membership_changed_beside_replaced_disk" "a replica entered a configuration before a replaced disk voted again";
    StateTransferred "state_transferred" "a peer's checkpoint replaced the state of a replica";
    StateTransferInViewChange "state_transfer_in_view_change" "a checkpoint was installed while another replica was changing views";
    CheckpointInViewChange "checkpoint_in_view_change" "a checkpoint became durable while some replica was changing views";
    LogTrimmed "log_trimmed" "entries below a durable checkpoint were given up";
    PipelineDeep "pipeline_deep" "a primary held eight uncommitted entries or more";
    CommitCaughtUp "commit_caught_up" "a backup learnt four commits or more at one instant";
    VoteResent "vote_resent" "a replica voted again for an entry in the same view";
    PausedPrimaryResumed "paused_primary_resumed" "a primary was not scheduled for a while and went on";
    PrepareTimerFired "prepare_timer_fired" "a prepare was sent again for want of votes";
    ViewChangeTimerFired "view_change_timer_fired" "a backup lost patience with its primary";
    ViewChangeWindowFired "view_change_window_fired" "a view change took too long";
    ViewVoteResent "view_vote_resent" "a replica sent its vote for a view to the same peer again";
    RecoveryTimerFired "recovery_timer_fired" "a recovering replica asked again";
    RepairTimeoutFired "repair_timeout_fired" "a repair request was not answered in time";
    StateTransferTimerFired "state_transfer_timer_fired" "a request for a checkpoint was not answered in time";
    MessageOvertaken "message_overtaken" "a message arrived before one that had been sent earlier on the same link";
    MessageDuplicated "message_duplicated" "a copy of a message arrived";
    StartViewLost "start_view_lost" "the word that a view has started did not arrive";
    OldPrepareRefused "old_prepare_refused" "a prepare or commit of an older view was refused";
    NackQuorumReached "nack_quorum_reached" "one replica heard from so many others that they never prepared an entry that it cannot have been committed";
    ForgedMessageRefused "forged_message_refused" "a message that was changed on its way was refused";
    SessionEvicted "session_evicted" "the session table was full and the oldest session left it";
    SessionEvictedInFlight "session_evicted_in_flight" "a session was evicted while a request of its client was open";
    ReplyRepeated "reply_repeated" "a reply was sent once more from the table";
    RequestRetried "request_retried" "a client sent a request more than once";
    RequestNeverAnswered "request_never_answered" "a client never learnt whether its request happened";
    RequestAcrossViews "request_across_views" "a request was open when a new primary took over";
    MembershipChanged "membership_changed" "a new configuration began";
    ChangeRefused "change_refused" "a change of membership was refused because another one was not committed yet";
    NewcomerNotCaughtUp "newcomer_not_caught_up" "a change of membership was refused because it names a member that had not caught up";
    RemovedPrimaryHandedOver "removed_primary_handed_over" "a primary stepped down because it does not vote any more";
    EpochLearntBeforeItsEntry "epoch_learnt_before_its_entry" "a replica that lagged entered an epoch before it had committed the entry that brought it";
    OldEpochVoteRefused "old_epoch_vote_refused" "an acknowledgement of an older epoch was refused";
}

impl Situation {
    /// The situation of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|situation| situation.name() == name)
    }
}

/// How often each situation came about, in the order of [`Situation::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts(Vec<u64>);

impl Default for Counts {
    fn default() -> Self {
        Self(vec![0; Situation::ALL.len()])
    }
}

impl Counts {
    fn hit(&mut self, situation: Situation) {
        self.0[situation as usize] += 1;
    }

    /// How often a situation came about.
    #[must_use]
    pub fn of(&self, situation: Situation) -> u64 {
        self.0[situation as usize]
    }

    /// Counts by name; a name that is no situation's is passed over.
    #[must_use]
    pub fn from_names(times: &BTreeMap<String, u64>) -> Self {
        Self(Situation::ALL.iter().map(|situation| times.get(situation.name()).copied().unwrap_or(0)).collect())
    }

    /// Situations with how often each came about.
    pub fn iter(&self) -> impl Iterator<Item = (Situation, u64)> + '_ {
        Situation::ALL.iter().copied().zip(self.0.iter().copied())
    }
}

/// How far runs together have been around: by the name of a situation, where it came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<String, Seen>);

/// Where a situation came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// In how many runs.
    pub runs: u64,
    /// How often altogether.
    pub times: u64,
}

impl Coverage {
    /// Adds a run.
    pub fn add(&mut self, counts: &Counts) {
        for (situation, times) in counts.iter().filter(|(_, times)| *times > 0) {
            self.see(situation.name(), Seen { runs: 1, times });
        }
    }

    /// Adds what other runs have seen.
    pub fn merge(&mut self, other: &Self) {
        for (name, seen) in &other.0 {
            self.see(name, *seen);
        }
    }

    fn see(&mut self, name: &str, seen: Seen) {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Seen::default());
        }
        let known = self.0.get_mut(name).expect("it was just put there");
        // What is read from a file may claim anything.
        known.runs = known.runs.saturating_add(seen.runs);
        known.times = known.times.saturating_add(seen.times);
    }

    /// Where a situation came about.
    #[must_use]
    pub fn of(&self, situation: Situation) -> Seen {
        self.0.get(situation.name()).copied().unwrap_or_default()
    }

    /// Whether no situation came about.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The situations among `wanted` that never came about, in the order of the list.
    pub fn missing<'a>(&'a self, wanted: &'a [Situation]) -> impl Iterator<Item = Situation> + 'a {
        wanted.iter().copied().filter(|situation| self.of(*situation).runs == 0)
    }
}

/// Counts the situations of a run.
#[must_use]
pub fn of_run(index: &RunIndex<'_>) -> Counts {
    let mut counts = Counts::default();
    if index.ill_formed().is_none() {
        let takeovers = replicas::sweep(index, &mut counts);
        network::sweep(index, &mut counts);
        scrubbing::sweep(index, &mut counts);
        sessions::sweep(index, &takeovers, &mut counts);
        membership::sweep(index, &mut counts);
        replacements::sweep(index, &mut counts);
    }
    counts
}
