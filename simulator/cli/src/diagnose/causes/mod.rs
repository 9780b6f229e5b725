//! The registry of causes: what can go wrong inside a replica, and how a history shows it.
//!
//! A cause is a mechanism, not a symptom: which rule of the protocol was not kept. Each looks at the run's rows for its own signature and
//! cites what it found; none knows which invariant is violated, nor whether a bug was planted. A healthy run shows none of them.

mod execution;
mod forgery;
mod sessions;
mod storage;
mod upkeep;
mod views;
mod votes;

use super::scene::{Scene, Sign};

/// One hypothesis.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Name, as in reports.
    pub name: &'static str,
    /// What went wrong, one line.
    pub mechanism: &'static str,
    /// The guard that should have prevented it: where to look.
    pub look: &'static str,
    /// Whether other causes end in this one too: it is told behind those.
    pub is_consequence: bool,
    /// Whether it is about what is made of the log: whatever breaks the log may end in it too, and is told before it.
    pub is_above_log: bool,
    /// Looks for its signature.
    pub find: fn(&Scene<'_>) -> Option<Sign>,
}

const fn cause(name: &'static str, mechanism: &'static str, look: &'static str, find: fn(&Scene<'_>) -> Option<Sign>) -> Cause {
    Cause { name, mechanism, look, is_consequence: false, is_above_log: false, find }
}

/// A cause about what is made of the log.
const fn above_log(cause: Cause) -> Cause {
    Cause { is_above_log: true, ..cause }
}

/// All causes.
pub const CAUSES: &[Cause] = &[
    cause(
        "acknowledged_before_durable",
        "an entry was acknowledged before it was on the disk",
        "the order of a flush and the prepare_ok (and the primary's own vote) that promises it",
        votes::acknowledged_before_durable,
    ),
    cause(
        "committed_below_quorum",
        "an entry was committed by fewer votes than a majority",
        "how many votes a commit needs",
        votes::committed_below_quorum,
    ),
    cause(
        "votes_counted_twice",
        "an entry was committed by counting one member's vote twice",
        "whether votes are kept as a set of members or as a number",
        votes::votes_counted_twice,
    ),
    cause(
        "old_view_votes_counted",
        "an entry was committed by a vote of an older view",
        "what becomes of the votes that a primary holds when it enters another view",
        votes::old_view_votes_counted,
    ),
    cause(
        "removed_member_counted",
        "an entry was committed by the vote of a replica that does not vote",
        "which members a commit counts in the configuration in force",
        votes::removed_member_counted,
    ),
    cause(
        "old_configuration_decided",
        "an entry was committed by a majority of an earlier configuration",
        "which configuration's quorum a commit needs",
        votes::old_configuration_decided,
    ),
    cause(
        "view_forgotten_at_restart",
        "a replica forgot at its restart which view it had voted for",
        "what is flushed before a vote for a view leaves",
        views::view_forgotten_at_restart,
    ),
    cause(
        "old_view_obeyed",
        "a replica went back to an older view on a message of that view",
        "the comparison of a message's view with the replica's own",
        views::old_view_obeyed,
    ),
    cause(
        "commit_number_fell",
        "a replica's commit number fell when it took a new view's log",
        "how the commit number of a start_view is merged with the own one",
        views::commit_number_fell,
    ),
    cause(
        "left_view_alone",
        "a replica sent its log to a new primary before a quorum had left the old view",
        "what a do_view_change waits for",
        views::left_view_alone,
    ),
    cause(
        "committed_entry_overwritten",
        "a replica let a log replace entries that it had committed",
        "the test of a start_view against the own commit number",
        views::committed_entry_overwritten,
    ),
    cause(
        "tie_decided_by_arrival",
        "of two equal claims the one that came last began the view",
        "how ties between do_view_changes are decided",
        views::tie_decided_by_arrival,
    ),
    Cause {
        is_consequence: true,
        ..cause(
            "old_log_won",
            "a view began with a log that lacks committed entries",
            "which do_view_change is chosen, and which entries may be dropped from it",
            views::old_log_won,
        )
    },
    cause("deaf_primary_stayed", "a primary that heard no quorum did not step down", "the abdication timer", views::deaf_primary_stayed),
    cause(
        "commit_beyond_log",
        "a commit number beyond the log that came with it was taken over",
        "the validation of a start_view",
        forgery::commit_beyond_log,
    ),
    cause(
        "inflated_commit_believed",
        "a new primary believed a commit number beyond the log that came with it",
        "the validation of a do_view_change, and where a new primary's commit number comes from",
        forgery::inflated_commit_believed,
    ),
    cause(
        "forged_log_chosen",
        "a new primary took a log whose entries do not connect",
        "the hash chain of a do_view_change's log",
        forgery::forged_log_chosen,
    ),
    cause(
        "tail_not_as_claimed",
        "a log was taken that carries another number of entries than it claims",
        "the length of a do_view_change's or start_view's log",
        forgery::tail_not_as_claimed,
    ),
    cause(
        "entry_contradicts_header",
        "an entry was appended that is not what its prepare announced",
        "the comparison of a prepare's header with its entry",
        forgery::entry_contradicts_header,
    ),
    cause(
        "oversized_message_taken",
        "a message larger than any may be was taken",
        "the limits on entries and bytes of a message",
        forgery::oversized_message_taken,
    ),
    cause(
        "senseless_range_served",
        "a repair request for a range that makes no sense was served",
        "the validation of a repair request's range",
        forgery::senseless_range_served,
    ),
    cause(
        "damaged_message_taken",
        "a message that was damaged on its way was taken for good",
        "the checksum of messages",
        forgery::damaged_message_taken,
    ),
    cause(
        "damaged_entry_taken",
        "a damaged entry was read and taken for good",
        "checksum and hash of stored entries",
        storage::damaged_entry_taken,
    ),
    cause(
        "torn_entry_taken",
        "an entry that a crash had cut short was taken for whole",
        "the end marker of stored entries",
        storage::torn_entry_taken,
    ),
    cause(
        "misplaced_entry_kept",
        "an entry that does not connect was kept in the log",
        "the hash chain of the log that a restart reads",
        storage::misplaced_entry_kept,
    ),
    cause(
        "log_cut_at_damage",
        "a restart dropped the log from a damaged entry on",
        "what a restart does with a damaged slot: it must ask peers, and may drop nothing",
        storage::log_cut_at_damage,
    ),
    cause(
        "damaged_head_trusted",
        "a restart trusted a head behind which an acknowledged entry lay damaged",
        "how far a restarted replica says that its log may have reached",
        storage::damaged_head_trusted,
    ),
    cause(
        "damaged_slot_denied",
        "a new view dropped a committed entry because a damaged copy counted as none",
        "when a slot counts as certainly never prepared",
        storage::damaged_slot_denied,
    ),
    cause(
        "damage_left_on_disk",
        "a damaged entry was repaired in memory and left on the disk as it was",
        "what is written after a repair",
        storage::damage_left_on_disk,
    ),
    cause(
        "scrub_finding_ignored",
        "the scrubber found damage and nobody repaired it",
        "what follows a finding of the scrubber",
        storage::scrub_finding_ignored,
    ),
    cause(
        "reformatted_replica_voted",
        "a replica whose disk had been replaced voted at once",
        "when a replica with an empty disk becomes a voter again",
        storage::reformatted_replica_voted,
    ),
    cause(
        "log_cut_before_state_came",
        "a log was cut when a peer's state was asked for, not when it had come",
        "what the begin of a state transfer does to the own log",
        storage::log_cut_before_state_came,
    ),
    cause(
        "retry_applied_again",
        "a request that had been applied was prepared and applied once more",
        "the session table's look at a request before it is prepared",
        sessions::retry_applied_again,
    ),
    cause(
        "sessions_lost_in_transfer",
        "a peer's state was installed without its sessions, so that a retry was taken for new",
        "what a checkpoint carries besides the state machine",
        sessions::sessions_lost_in_transfer,
    ),
    above_log(cause(
        "reply_of_another_tenant",
        "a client was given the cached reply of another tenant's client",
        "the key of the reply cache",
        sessions::reply_of_another_tenant,
    )),
    above_log(cause(
        "reply_of_another_request",
        "a client was given the cached reply of another session's request of that number",
        "what a cached reply is bound to",
        sessions::reply_of_another_request,
    )),
    cause(
        "evictions_differ",
        "replicas evicted different sessions for one registration",
        "what the choice of the evicted session depends on",
        sessions::evictions_differ,
    ),
    cause(
        "uncommitted_session_kept",
        "a client was given a session whose registration was never committed",
        "when a session enters the table, and what happens to it when its entry is discarded",
        sessions::uncommitted_session_kept,
    ),
    cause(
        "client_told_of_unstarted_view",
        "a client was told of a view that had not begun",
        "which view a redirect names",
        sessions::client_told_of_unstarted_view,
    ),
    cause(
        "deposed_primary_answered",
        "a primary answered a read from its own state, and asked nobody whether it leads",
        "what a read outside the log waits for",
        sessions::deposed_primary_answered,
    ),
    cause(
        "uncommitted_state_read",
        "a read was answered from entries that were not committed",
        "the position that a read outside the log is answered at",
        sessions::uncommitted_state_read,
    ),
    above_log(cause(
        "update_on_stale_value",
        "a read-modify-write was worked out on a value that had been replaced",
        "when a read-modify-write reads: it must be when it is applied",
        execution::update_on_stale_value,
    )),
    above_log(cause(
        "scan_past_its_end",
        "a scan returned keys outside its range",
        "the end of a scan's range",
        execution::scan_past_its_end,
    )),
    above_log(cause(
        "transfer_in_two_steps",
        "a transfer took effect in two steps, with other commands between them",
        "the debit and the credit of a transfer",
        execution::transfer_in_two_steps,
    )),
    above_log(cause(
        "apply_not_deterministic",
        "one entry applied to one state gave two",
        "what the state machine reads besides its state and the command",
        execution::apply_not_deterministic,
    )),
    above_log(cause(
        "stalled_behind_a_command",
        "nothing was applied behind one command, though commits went on",
        "what happens when the state machine refuses a command",
        execution::stalled_behind_a_command,
    )),
    cause(
        "everybody_asked_at_once",
        "several peers were asked for the same repair at once",
        "the budget of repair requests in flight",
        upkeep::everybody_asked_at_once,
    ),
    cause(
        "slow_peer_asked",
        "a slow peer was asked for repairs as often as quick ones",
        "how the peer to be asked is chosen",
        upkeep::slow_peer_asked,
    ),
    cause(
        "scrubber_over_its_limit",
        "a scrubber read more places per tick than it may",
        "the limit on a scrubber's reads",
        upkeep::scrubber_over_its_limit,
    ),
    cause(
        "cold_entries_passed_over",
        "a scrubber passed over entries that a checkpoint covers",
        "which places a tour visits",
        upkeep::cold_entries_passed_over,
    ),
    cause(
        "local_clock_followed",
        "an entry was stamped by a local clock, whatever the log and the cluster's time said",
        "the rule for timestamps: later than the last one, by the synchronised clock",
        upkeep::local_clock_followed,
    ),
];

/// The cause of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Cause> {
    CAUSES.iter().find(|cause| cause.name == name)
}
