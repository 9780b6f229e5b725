//! What each scenario's runs must show: the table.
//!
//! It names scenarios of the registry and conditions over recorded rows; a scenario without a row here promises nothing.

use super::conditions as test;
use super::{Condition, Promise, attacks, clients, clocks, damage, membership, progress, scrubbing, timers, views};

/// The promises of all scenarios.
pub const PROMISES: &[Promise] = &[
    Promise {
        scenario: "baseline",
        conditions: &[
            Condition { words: "no fault was injected", holds: test::no_fault },
            Condition { words: "at least 300 operations were acknowledged", holds: test::three_hundred_acknowledged },
        ],
    },
    Promise {
        scenario: "swizzle_clogging",
        conditions: &[
            Condition { words: "at least 10 intervals in which a link was clogged", holds: test::ten_clogs },
            Condition { words: "a message delivered late because its link was clogged", holds: test::late_by_clog },
        ],
    },
    Promise {
        scenario: "gray_failures",
        conditions: &[Condition { words: "at least 2 of the 4 gray modes", holds: test::two_gray_modes }],
    },
    Promise {
        scenario: "multi_tenant_isolation",
        conditions: &[
            Condition { words: "every tenant had an operation concurrent with another tenant's", holds: test::tenants_concurrent },
            Condition { words: "a fault aimed at every tenant", holds: test::every_tenant_hit },
        ],
    },
    Promise {
        scenario: "time_compression",
        conditions: &[
            Condition { words: "a checkpoint was taken", holds: test::checkpoint_taken },
            Condition { words: "the log was trimmed", holds: test::log_trimmed },
        ],
    },
    Promise {
        scenario: "combined",
        conditions: &[Condition {
            words: "at least 4 of the 5 families network, storage, crash, clock, byzantine",
            holds: test::four_families,
        }],
    },
    Promise {
        scenario: "crash_during_commit",
        conditions: &[Condition {
            words: "a crash between commit and apply, or between apply and reply",
            holds: test::crash_during_commit,
        }],
    },
    Promise {
        scenario: "crash_during_view_change",
        conditions: &[Condition { words: "a crash inside a view change", holds: test::crash_during_view_change }],
    },
    Promise {
        scenario: "gray_failure_intermittent_network",
        conditions: &[Condition { words: "a one-way partition that stopped a message", holds: test::one_way_partition }],
    },
    Promise {
        scenario: "byzantine_view_change_merge",
        conditions: &[
            Condition {
                words: "a start_view with another entry at a committed op arrived and was refused",
                holds: attacks::committed_entry_refused,
            },
            Condition { words: "a view changed", holds: attacks::view_changed },
        ],
    },
    Promise {
        scenario: "byzantine_commit_desync",
        conditions: &[Condition {
            words: "a start_view with a commit number beyond its log arrived and was refused",
            holds: attacks::start_view_beyond_log_refused,
        }],
    },
    Promise {
        scenario: "byzantine_inflated_commit",
        conditions: &[Condition {
            words: "a do_view_change with a commit number beyond its log arrived and was refused",
            holds: attacks::vote_beyond_log_refused,
        }],
    },
    Promise {
        scenario: "byzantine_malicious_view_change",
        conditions: &[Condition {
            words: "a log from nowhere arrived where votes were collected, and was refused",
            holds: attacks::log_from_nowhere_refused,
        }],
    },
    Promise {
        scenario: "byzantine_dvc_tail_length_mismatch",
        conditions: &[Condition {
            words: "a do_view_change that carries fewer entries than it claims arrived and was refused",
            holds: attacks::short_tail_refused,
        }],
    },
    Promise {
        scenario: "byzantine_dvc_identical_claims",
        conditions: &[Condition {
            words: "two logs with the same last normal view and op, but different heads, were in one quorum",
            holds: attacks::identical_claims_in_quorum,
        }],
    },
    Promise {
        scenario: "byzantine_invalid_metadata",
        conditions: &[Condition {
            words: "prepares with a false view, op and commit number arrived and were refused",
            holds: attacks::false_metadata_refused,
        }],
    },
    Promise {
        scenario: "byzantine_leader_race",
        conditions: &[
            Condition { words: "a partition stopped votes or messages of a view change", holds: attacks::partition_in_view_change },
            Condition { words: "a message with a conflicting entry arrived and was refused", holds: attacks::conflicting_entry_refused },
        ],
    },
    Promise {
        scenario: "byzantine_oversized_start_view",
        conditions: &[Condition {
            words: "a start_view beyond the limits arrived and was refused as too large",
            holds: attacks::oversized_refused,
        }],
    },
    Promise {
        scenario: "byzantine_invalid_repair_range",
        conditions: &[Condition {
            words: "a request for a senseless range arrived, was refused as such, and was answered with a nack",
            holds: attacks::invalid_range_nacked,
        }],
    },
    Promise {
        scenario: "byzantine_invalid_kernel_command",
        conditions: &[Condition {
            words: "an append to a missing stream was refused, and applied as such by every replica",
            holds: attacks::refused_append_applied_everywhere,
        }],
    },
    Promise {
        scenario: "byzantine_replay_old_view",
        conditions: &[Condition {
            words: "a message of an older view was delivered once more and refused for it",
            holds: attacks::replay_refused,
        }],
    },
    Promise {
        scenario: "byzantine_corrupt_checksums",
        conditions: &[Condition {
            words: "messages with a false checksum arrived, and every one was refused for it",
            holds: attacks::false_checksums_refused,
        }],
    },
    Promise {
        scenario: "byzantine_view_change_blocking",
        conditions: &[Condition {
            words: "a do_view_change was withheld during a view change, and a view started afterwards",
            holds: attacks::vote_withheld,
        }],
    },
    Promise {
        scenario: "byzantine_prepare_flood",
        conditions: &[Condition {
            words: "a link carried 10 times as many prepares in a second as it does without the flood",
            holds: attacks::tenfold_prepares,
        }],
    },
    Promise {
        scenario: "byzantine_selective_silence",
        conditions: &[Condition { words: "messages of the primary were withheld from a peer", holds: attacks::primary_silent }],
    },
    Promise {
        scenario: "corruption_bit_flip",
        conditions: &[
            Condition { words: "a message with flipped bits arrived, and every such message was refused", holds: damage::flips_refused },
            Condition { words: "a stored entry was damaged, and its replica found it", holds: damage::damaged_entry_found },
        ],
    },
    Promise {
        scenario: "corruption_checksum_validation",
        conditions: &[
            Condition {
                words: "a message of each kind of damage arrived, and every such message was refused",
                holds: damage::every_kind_refused,
            },
            Condition { words: "no untouched message was refused for its checksum", holds: damage::no_clean_message_refused },
        ],
    },
    Promise {
        scenario: "corruption_silent_disk_failure",
        conditions: &[
            Condition { words: "a read answered an older entry without an error", holds: damage::stale_read },
            Condition { words: "a replica found a misplaced entry", holds: damage::misplaced_entry_found },
        ],
    },
    Promise {
        scenario: "corruption_torn_write",
        conditions: &[Condition { words: "a restarted replica found an entry that its crash had torn", holds: damage::torn_entry_found }],
    },
    Promise {
        scenario: "recovery_corrupt_log",
        conditions: &[Condition {
            words: "a restarted replica found an entry that had gone bad while it was down",
            holds: damage::corrupt_entry_found_at_restart,
        }],
    },
    Promise {
        scenario: "recovery_reformatted_replica",
        conditions: &[Condition {
            words: "a replica whose disk had been replaced voted for an entry later",
            holds: damage::reformatted_replica_voted,
        }],
    },
    Promise {
        scenario: "gray_failure_slow_disk",
        conditions: &[Condition {
            words: "an access of the primary's own disk took 100 ms or longer",
            holds: damage::slow_access_of_primary,
        }],
    },
    Promise {
        scenario: "quorum_reads",
        conditions: &[
            Condition {
                words: "a read was answered without an entry after a quorum had confirmed who leads",
                holds: clients::read_by_quorum,
            },
            Condition { words: "a primary entered a view with the votes of a quorum", holds: views::view_change_completed },
        ],
    },
    Promise {
        scenario: "race_concurrent_view_changes",
        conditions: &[Condition {
            words: "two replicas worked on different views at the same time, and a view started afterwards",
            holds: views::concurrent_view_changes,
        }],
    },
    Promise {
        scenario: "race_commit_during_dvc",
        conditions: &[Condition {
            words: "a prepare or commit of an older view arrived while do_view_changes were collected",
            holds: views::old_view_during_view_change,
        }],
    },
    Promise {
        scenario: "clock_drift",
        conditions: &[
            Condition { words: "two clocks were 100 ms or more apart", holds: clocks::hundred_milliseconds_apart },
            Condition { words: "a timestamp was off true time by 50 ms or more", holds: clocks::timestamp_off },
        ],
    },
    Promise {
        scenario: "clock_offset_exceeded",
        conditions: &[Condition {
            words: "the clock of a primary was off by more than 500 ms, it lost its clock, and another replica stamped entries meanwhile",
            holds: clocks::primary_beyond_tolerance,
        }],
    },
    Promise {
        scenario: "clock_ntp_failure",
        conditions: &[
            Condition { words: "an agreement on the time expired", holds: clocks::agreement_expired },
            Condition { words: "a primary stamped entries by its fallback rule after that", holds: clocks::stamped_by_fallback },
        ],
    },
    Promise {
        scenario: "clock_backward_jump",
        conditions: &[Condition {
            words: "the clock of a primary stepped back, and it was normal in a newer view later",
            holds: clocks::past_primary_stepped_back,
        }],
    },
    Promise {
        scenario: "client_session_crash",
        conditions: &[Condition { words: "a client that had crashed used a request number again", holds: clients::request_number_again }],
    },
    Promise {
        scenario: "client_session_view_change_lockout",
        conditions: &[Condition {
            words: "a view changed between the prepare of a registration and its commit, and its client was served later",
            holds: clients::locked_out_and_served,
        }],
    },
    Promise {
        scenario: "client_session_eviction",
        conditions: &[
            Condition { words: "a session was evicted", holds: clients::session_evicted },
            Condition { words: "an evicted client was told, registered again and was served", holds: clients::evicted_and_served },
        ],
    },
    Promise {
        scenario: "repair_budget_prevents_storm",
        conditions: &[Condition { words: "two replicas waited for repairs at the same time", holds: progress::two_repair_at_once }],
    },
    Promise {
        scenario: "reconfig_add_replicas",
        conditions: &[Condition {
            words: "both new voters acknowledged an entry in the new epoch",
            holds: membership::newcomers_acknowledged,
        }],
    },
    Promise {
        scenario: "reconfig_remove_replicas",
        conditions: &[Condition {
            words: "a removed member that had voted replicates and does not vote any more",
            holds: membership::removed_member_stopped,
        }],
    },
    Promise {
        scenario: "reconfig_during_partition",
        conditions: &[Condition { words: "an epoch began while a partition stopped messages", holds: membership::epoch_in_partition }],
    },
    Promise {
        scenario: "reconfig_during_view_change",
        conditions: &[Condition {
            words: "a view change came between the request for a change and its epoch",
            holds: membership::view_change_before_epoch,
        }],
    },
    Promise {
        scenario: "reconfig_concurrent_requests",
        conditions: &[
            Condition { words: "a change was refused because another one was not committed yet", holds: membership::change_refused },
            Condition { words: "an epoch began", holds: membership::epoch_entered },
        ],
    },
    Promise {
        scenario: "reconfig_replaced_disk",
        conditions: &[
            Condition {
                words: "a replica whose disk had been replaced voted for an entry later",
                holds: damage::reformatted_replica_voted,
            },
            Condition { words: "an epoch began", holds: membership::epoch_entered },
        ],
    },
    Promise {
        scenario: "repair_ewma_selection",
        conditions: &[Condition {
            words: "a replica asked for 20 repairs while it knew one peer to be slow",
            holds: progress::asked_beside_a_slow_peer,
        }],
    },
    Promise {
        scenario: "repair_sync_timeout",
        conditions: &[
            Condition { words: "a replica was more than 100 entries behind", holds: progress::hundred_behind },
            Condition { words: "a replica installed a peer's checkpoint", holds: progress::state_installed },
        ],
    },
    Promise {
        scenario: "primary_abdicate_partition",
        conditions: &[
            Condition { words: "a partition cut the primary from its quorum, and it stepped down", holds: views::cut_primary_stepped_down },
            Condition { words: "another primary committed afterwards", holds: views::another_primary_committed },
        ],
    },
    Promise {
        scenario: "commit_stall_detection",
        conditions: &[Condition {
            words: "an entry waited for a commit for longer than a second, and commits went on",
            holds: progress::commit_stalled,
        }],
    },
    Promise {
        scenario: "ping_heartbeat",
        conditions: &[
            Condition { words: "a heartbeat reached a backup", holds: timers::heartbeat_arrived },
            Condition { words: "a backup that missed its primary pinged, and was answered", holds: timers::ping_answered },
        ],
    },
    Promise {
        scenario: "commit_message_fallback",
        conditions: &[Condition { words: "a backup learnt a commit from a commit message", holds: timers::commit_learnt_from_heartbeat }],
    },
    Promise {
        scenario: "start_view_change_window",
        conditions: &[Condition { words: "the window of a view change ran out, and a later view started", holds: timers::window_ran_out }],
    },
    Promise {
        scenario: "timeout_comprehensive",
        conditions: &[Condition { words: "at least 7 of the 10 timers fired", holds: timers::seven_timers_fired }],
    },
    Promise {
        scenario: "scrub_detects_corruption",
        conditions: &[Condition {
            words: "a scrubber found a committed entry damaged on a disk that had been damaged",
            holds: scrubbing::cold_damage_found,
        }],
    },
    Promise {
        scenario: "scrub_completes_tour",
        conditions: &[
            Condition { words: "no fault was injected", holds: test::no_fault },
            Condition { words: "a tour went over more than 5,000 entries", holds: scrubbing::large_log_seen },
        ],
    },
    Promise {
        scenario: "scrub_rate_limited",
        conditions: &[
            Condition { words: "at least 1,000 operations were acknowledged", holds: scrubbing::thousand_acknowledged },
            Condition { words: "every scrubber ended at least five tours", holds: scrubbing::five_tours_each },
        ],
    },
    Promise {
        scenario: "scrub_triggers_repair",
        conditions: &[Condition {
            words: "a scrubber found a damaged entry, a peer answered, and the entry was repaired",
            holds: scrubbing::finding_repaired_by_peer,
        }],
    },
];
