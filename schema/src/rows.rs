//! The words of a history: every closed dictionary that a column may hold.
//!
//! Each value says when the recorder writes it, because simulator and checker share nothing else. Dictionaries that may
//! grow end in `Other`: a reader that meets an unknown string of a newer minor version maps it there.

use crate::dictionary::dictionary;

dictionary! {
    /// The six kinds of rows; constant within a row group.
    Kind {
        Run => "run" /** One row per run. */,
        Operation => "operation" /** One row per client operation. */,
        Message => "message" /** One row per copy of a message that left a sender. */,
        Transition => "transition" /** One row per thing that a replica did. */,
        Storage => "storage" /** One row per completed disk access. */,
        Fault => "fault" /** One row per injected fault. */,
    }
}

dictionary! {
    /// What a client asked for.
    Function {
        Write => "write" /** `key := value`. Result: none. */,
        Read => "read" /** Result: the value of `key`, null when absent. */,
        ReadModifyWrite => "read_modify_write" /** `key := (key or 0) + value`, wrapping. Result: the value after the addition. */,
        CompareAndSet => "compare_and_set" /** `key := value` if `key` holds `expected` (null: absent). Result: 1 when it was set, 0 when not. */,
        Scan => "scan" /** All present pairs with `key <= k <= key_last`, in key order, in `results`. */,
        StreamCreate => "stream_create" /** Creates stream `key`. Refused with `exists`. */,
        StreamAppend => "stream_append" /** Appends `value` to stream `key`. Result: the offset it got (from 0). Refused with `no_such_stream`. */,
        StreamRead => "stream_read" /** Up to `expected` elements of stream `key` from offset `value`; `results` holds (offset, value) pairs. Refused with `no_such_stream`. */,
        Transfer => "transfer" /** Moves `value` from account `key` to account `key_last`. Result: none. Refused with `insufficient_funds`, `same_account`, `no_such_account`. */,
        Balance => "balance" /** All accounts with `key <= a <= key_last` in `results` as (account, balance) pairs. */,
        Transaction => "transaction" /** Atomically reads the keys of `reads` (in order, values in `results`) and then writes the pairs of `writes`. */,
        Delete => "delete" /** Imported: `key` becomes absent. Result: none. */,
        TextAppend => "text_append" /** Imported: the text of `key` becomes (old text) + (text `value`). Result: none. */,
        CounterAdd => "counter_add" /** Imported: the counter `key` rises by `value` (interned when negative). Result: none. */,
        SetAdd => "set_add" /** Imported: `value` becomes a member of set `key`. Result: none. */,
        SetRemove => "set_remove" /** Imported: `value` is no member of set `key` any more. Result: none. */,
        SetContains => "set_contains" /** Imported. Result: 1 when `value` is a member of set `key`, else 0. */,
        SetRead => "set_read" /** Imported: all members of set `key` as the values of `results`. */,
        Enqueue => "enqueue" /** Imported: `value` goes to the end of queue `key`. Result: none. */,
        Dequeue => "dequeue" /** Imported. Result: what was taken from the front of queue `key`, null when it was empty. */,
        Drain => "drain" /** Imported: takes from queue `key` until it is empty; `results` holds what was taken, in order. */,
        RegisterTransaction => "register_transaction" /** Imported: reads and writes of keys in any order. `writes` holds the pairs written; `reads` holds, for each key read, how many of the writes stand before it; `results` one pair per read. */,
        ListTransaction => "list_transaction" /** Imported: reads of lists and appends to them in any order. `writes` and `reads` as in `register_transaction`; `results` holds for each read the pair (key, number of elements, null for nil, the absent list) and then one pair (key, element) per element. */,
        Other => "other" /** A function that this version does not know. */,
    }
}

dictionary! {
    /// How an operation ended, seen from its client.
    Outcome {
        Unknown => "unknown" /** It never returned, or returned without saying whether it happened. */,
        Ok => "ok" /** It happened; the result columns hold what the client was told. */,
        Error => "error" /** Refused by the state machine (`error` says why): it was committed and changed nothing. Imported: it certainly did not happen. */,
    }
}

dictionary! {
    /// Why an operation ended in an error.
    OperationError {
        Other => "other" /** A reason that this version does not know. */,
        NoSuchStream => "no_such_stream" /** The stream does not exist. */,
        StreamExists => "exists" /** The stream to create exists already. */,
        InsufficientFunds => "insufficient_funds" /** The account to debit holds less than the amount. */,
        SameAccount => "same_account" /** Debit and credit account are one. */,
        NoSuchAccount => "no_such_account" /** One of the accounts does not exist. */,
        OutOfRange => "out_of_range" /** A key outside the tenant's range, or a range whose end is before its start. */,
        Malformed => "malformed" /** The command could not be decoded. */,
        NotApplied => "not_applied" /** Imported: the client was told that it failed. */,
    }
}

dictionary! {
    /// The messages of the protocol.
    Command {
        Request => "request" /** Client to replica. */,
        Prepare => "prepare" /** Primary to backups: one log entry. */,
        PrepareOk => "prepare_ok" /** Backup to primary: the entry is durable here. */,
        Reply => "reply" /** Replica to client: the result. */,
        Commit => "commit" /** Primary to backups: heartbeat with the commit number. */,
        Ping => "ping" /** Clock sample request. */,
        Pong => "pong" /** Clock sample answer. */,
        StartViewChange => "start_view_change" /** A vote to leave the current view. */,
        DoViewChange => "do_view_change" /** A replica's log, sent to the primary of the new view. */,
        StartView => "start_view" /** The new view's log, sent by its primary. */,
        GetView => "get_view" /** Asks the primary of a newer view for its `start_view`. */,
        RepairRequest => "repair_request" /** Asks for entries by op number and hash. */,
        RepairResponse => "repair_response" /** Entries asked for. */,
        Nack => "nack" /** What was asked for was certainly never prepared here, or the request was refused. */,
        StateTransferRequest => "state_transfer_request" /** Asks for a checkpoint. */,
        StateTransferResponse => "state_transfer_response" /** A checkpoint and the log after it. */,
        RecoveryRequest => "recovery_request" /** A restarted replica asks what its uncertain head was. */,
        RecoveryResponse => "recovery_response" /** The answer. */,
        Register => "register" /** Client to replica: a new session, please. */,
        Eviction => "eviction" /** Replica to client: your session is gone. */,
        Redirect => "redirect" /** Replica to client: I am not the primary of the current view. */,
        Reconfigure => "reconfigure" /** A change of membership. */,
        Other => "other" /** A message that this version does not know. */,
    }
}

dictionary! {
    /// What became of one copy of a message.
    Fate {
        InFlightAtEnd => "in_flight_at_end" /** The run ended first. */,
        Delivered => "delivered" /** Handed to the receiver at `fate_seq`. */,
        Lost => "lost" /** Dropped at random. */,
        Partitioned => "partitioned" /** Sent or travelling across a partition. */,
        Clogged => "clogged" /** Dropped by a clogged link. */,
        Overflow => "overflow" /** The link's queue was full. */,
        ReceiverDown => "receiver_down" /** The receiver was crashed or paused for good. */,
    }
}

dictionary! {
    /// What a fault changed in a message on its way.
    Mutation {
        Other => "other" /** A mutation that this version does not know. */,
        BitFlip => "bit_flip" /** Bits of the encoded message were flipped. */,
        Truncated => "truncated" /** The encoded message was cut short. */,
        Checksum => "checksum" /** Only the checksum was overwritten. */,
        CommitNumber => "commit_number" /** Commit number raised or lowered. */,
        OpNumber => "op_number" /** Op number changed. */,
        ViewNumber => "view" /** View changed. */,
        LastNormalView => "last_normal_view" /** Last normal view changed. */,
        TailLength => "tail_length" /** Claimed tail length differs from what is carried. */,
        TailContent => "tail_content" /** Entries of the tail replaced. */,
        EntryMetadata => "entry_metadata" /** An entry that contradicts its header. */,
        Range => "range" /** A range with start >= end, or beyond the log. */,
        Replayed => "replayed" /** An old message sent again. */,
        Flood => "flood" /** A copy made by a flood. */,
        Inserted => "inserted" /** Bytes were inserted into the encoded message. */,
        Oversized => "oversized" /** More entries, or more bytes, than a message may have. */,
        IdenticalClaim => "identical_claim" /** Another tail under the claims of the receiver's own log. */,
        Withheld => "withheld" /** It left its sender and was never delivered: the link keeps silent. */,
        ClockSample => "clock_sample" /** A pong that says another time than its sender's clock. */,
        ClockSampleWithheld => "clock_sample_withheld" /** A pong without its sender's time: a sign of life only. */,
    }
}

dictionary! {
    /// Why a receiver refused a message. A refused message changed nothing.
    RejectReason {
        Other => "other" /** A reason that this version does not know. */,
        Checksum => "checksum" /** Header or body checksum does not match. */,
        Malformed => "malformed" /** It cannot be decoded. */,
        WrongCluster => "wrong_cluster" /** Another cluster's message. */,
        WrongEpoch => "wrong_epoch" /** Another epoch's message. */,
        NotMember => "not_member" /** The sender is no member. */,
        OldView => "old_view" /** Its view is older than the receiver's. */,
        NewerView => "newer_view" /** Its view is newer: the receiver asks for `start_view` instead. */,
        WrongStatus => "wrong_status" /** The receiver's status does not allow it. */,
        NotPrimary => "not_primary" /** Only the primary may handle it, or its sender is not the primary of its view. */,
        WrongDestination => "wrong_destination" /** Addressed to another replica. */,
        InvalidMetadata => "invalid_metadata" /** Its entry contradicts its header. */,
        BrokenChain => "broken_chain" /** Entry hashes do not connect. */,
        TailLengthMismatch => "tail_length_mismatch" /** Tail length differs from op - commit. */,
        TooLarge => "too_large" /** Longer than the limits allow. */,
        InvalidRange => "invalid_range" /** start >= end, or beyond the log. */,
        CommitBeyondLog => "commit_beyond_log" /** Its commit number exceeds what its log proves. */,
        ConflictsWithCommitted => "conflicts_with_committed" /** It would change an entry at or below the receiver's commit number. */,
        HashMismatch => "hash_mismatch" /** Not the entry that was asked for, or voted for. */,
        Duplicate => "duplicate" /** Already counted. */,
        Stale => "stale" /** Of no use any more: answered, superseded, or too old. */,
        UnknownSession => "unknown_session" /** The session is not, or no longer, in the table. */,
        OldRequest => "old_request" /** A request number below the session's last one. */,
        PipelineFull => "pipeline_full" /** The primary's pipeline or log ring has no room: the client tries again. */,
        SlotChanged => "slot_changed" /** The slot holds another entry by now. */,
        ClockUnsynchronised => "clock_unsynchronised" /** The primary does not know the time: the client tries again. */,
        ReconfigurationPending => "reconfiguration_pending" /** Another change of membership is not committed yet: the client tries again. */,
        NotCaughtUp => "not_caught_up" /** A change names a member that lacks too much, or has not said what it has: the client tries again. */,
    }
}

dictionary! {
    /// What a replica did. Unless a value says otherwise, `status`, `view`, `last_normal_view`, `commit` and `epoch` are the
    /// replica's own after the event, `op` is its head, and the other columns are null.
    TransitionEvent {
        Other => "other" /** An event that this version does not know. */,
        Started => "started" /** A replica starts with an empty disk: for the first time, or because its disk was replaced. */,
        Crashed => "crashed" /** The process died; what was not flushed may be lost. Written by the world. */,
        Restarted => "restarted" /** A new incarnation read its disk: `view`, `last_normal_view`, `op`, `commit` are what it recovered (`commit` = `op` of its checkpoint). */,
        Paused => "paused" /** The process stopped being scheduled. Written by the world. */,
        Resumed => "resumed" /** A paused process goes on. Written by the world. */,
        StatusChanged => "status_changed" /** `status` is the new one. */,
        ViewEntered => "view_entered" /** The replica is normal in `view`. On the primary of that view `quorum` holds the members whose `do_view_change` it was built from (null when it took the view over from a `start_view`, or for view 0). `entry_hash` is the head's. */,
        VoteCast => "vote_cast" /** A `start_view_change` (`entry_hash` null) or a `do_view_change` (`entry_hash` = the head's) for `view` leaves the replica, its view being durable. */,
        EntryAppended => "entry_appended" /** `op`, `entry_hash`, `previous_hash`, `entry_view`, `timestamp`, `tenant`, `client`, `session`, `request_number` of an entry put into the log in memory. */,
        EntryDurable => "entry_durable" /** `op`, `entry_hash`: the entry is on disk and flushed. */,
        EntryTruncated => "entry_truncated" /** `op`, `entry_hash`: an entry left the log's head, or was replaced by another one (written before the replacement's `entry_appended`). */,
        Acknowledged => "acknowledged" /** `op`, `entry_hash`: this replica's vote for the entry in `view` (a backup's `prepare_ok`, the primary's own vote). A second one for the same (view, op) is a re-send. */,
        Committed => "committed" /** `op`, `entry_hash`: the entry is committed here; `commit` = `op`. On a primary that counted votes `quorum` holds the members that voted in `view`, itself included; null where the commit number was learnt. */,
        Applied => "applied" /** `op`, `entry_hash`, `state_hash` after it, `timestamp`, `tenant`, `client`, `session`, `request_number`. Every incarnation applies from its checkpoint on. */,
        Replied => "replied" /** A reply left for (`tenant`, `client`, `session`, `request_number`); `op` is the log position that it reports. Of a read without an entry `quorum` holds the members that had confirmed, after it came, that this replica leads; else null. */,
        CheckpointTaken => "checkpoint_taken" /** `op`, `state_hash`, `entry_hash` of the state machine's checkpoint. */,
        CheckpointDurable => "checkpoint_durable" /** `op`: it is on disk and the superblock names it. */,
        LogTrimmed => "log_trimmed" /** `op`: entries at or below it may be overwritten in the ring, a checkpoint covering them being durable on a quorum. */,
        StateInstalled => "state_installed" /** `op`, `state_hash`, `entry_hash`: a peer's checkpoint replaced this replica's state (`commit` = `op`); `applied` goes on from there. */,
        SessionRegistered => "session_registered" /** `op`, `tenant`, `client`, `session` (= `op`): at commit. */,
        SessionEvicted => "session_evicted" /** `op` of the registration that caused it; `tenant`, `client`, `session` of the evicted one. */,
        RepairRequested => "repair_requested" /** `op`, `entry_hash` (null when not known) of a wanted entry. */,
        Repaired => "repaired" /** `op`, `entry_hash`: a missing or damaged entry below the head was filled by a peer's. */,
        CorruptionDetected => "corruption_detected" /** A stored entry (`op` of its slot), superblock or checkpoint copy (`op` null), or a message (`cause` set, `op` null) failed its check. `detail` says which. */,
        ScrubRead => "scrub_read" /** `op`: the scrubber read its slot; null: another place of the disk. */,
        TourCompleted => "tour_completed" /** The scrubber has seen every place of the disk once more; `op` is null. */,
        ClockSynchronised => "clock_synchronised" /** The cluster time is known: a quorum's clocks agree that it lies from `clock_low_ns` to `clock_high_ns`; `quorum` holds the members whose clocks were compared, this replica included. */,
        ClockLost => "clock_lost" /** The cluster time is not known any more; `detail` says why. */,
        TimestampAssigned => "timestamp_assigned" /** `op`, `timestamp`: the primary stamped an entry. `detail` is `clock_unsynchronised` if it did not know the cluster time and its fallback rule said what to stamp; else null. */,
        EpochEntered => "epoch_entered" /** `epoch` is in force here: `quorum` holds its voters, `op` is the entry that brought it. */,
        Abdicated => "abdicated" /** A primary stepped down; `detail` says why. */,
        Rejected => "rejected" /** A message was refused: `cause` names it, its own row has the reason. */,
        TimerFired => "timer_fired" /** `detail` is the timer's name. Heartbeat timers are not recorded. */,
        Stalled => "stalled" /** The world saw no commit for longer than the scenario's bound while a quorum was connected. */,
    }
}

dictionary! {
    /// A replica's protocol status.
    Status {
        Normal => "normal" /** It takes part in its view. */,
        ViewChange => "view_change" /** It works on a newer view. */,
        Recovering => "recovering" /** Restarted, its view or head not yet certain: it does not vote. */,
        StateTransfer => "state_transfer" /** It waits for a checkpoint: it does not vote. */,
        Down => "down" /** Crashed. */,
    }
}

dictionary! {
    /// A note on a transition: a timer's name, what was found damaged, why a primary stepped down.
    Detail {
        Other => "other" /** A note that this version does not know. */,
        PrepareTimer => "prepare" /** Prepares are sent again. */,
        HeartbeatTimer => "heartbeat" /** The primary's commit message. */,
        ViewChangeTimer => "view_change" /** No word from the primary for too long. */,
        ViewChangeWindowTimer => "view_change_window" /** The view change took too long: the next view is tried. */,
        ViewChangeResendTimer => "view_change_resend" /** View-change messages are sent again. */,
        RecoveryTimer => "recovery" /** A recovering replica asks again. */,
        RepairTimer => "repair" /** Missing entries are asked for (again). */,
        RepairTimeoutTimer => "repair_timeout" /** A repair request went unanswered. */,
        StateTransferTimer => "state_transfer" /** A checkpoint is asked for again. */,
        AbdicationTimer => "abdication" /** A primary heard no acknowledgement for too long. */,
        PingTimer => "ping" /** Clock samples are taken. */,
        ScrubTimer => "scrub" /** The scrubber's tick. */,
        TornEntry => "torn_entry" /** A stored entry without its end marker. */,
        CorruptEntry => "corrupt_entry" /** A stored entry whose checksum or hash does not match. */,
        MisplacedEntry => "misplaced_entry" /** A slot that holds another slot's, or an older, entry. */,
        SuperblockCopy => "superblock_copy" /** A damaged copy of the superblock. */,
        CheckpointCopy => "checkpoint_copy" /** A damaged checkpoint. */,
        MessageChecksum => "message_checksum" /** A message whose checksum does not match. */,
        NoQuorum => "no_quorum" /** Acknowledgements of a quorum stopped. */,
        HigherView => "higher_view" /** A newer view was seen. */,
        ClockUnsynchronised => "clock_unsynchronised" /** The clock is not synchronised. */,
        ClockExpired => "clock_expired" /** What a quorum's clocks agreed on is older than the epoch limit. */,
        ClockContradicted => "clock_contradicted" /** A quorum's clocks agree that this replica's is wrong. */,
        ClockStepped => "clock_stepped" /** This replica's clock has been set. */,
        Removed => "removed" /** It does not vote in the configuration in force. */,
    }
}

dictionary! {
    /// A disk access.
    StorageIo {
        Write => "write" /** Into the disk's cache. */,
        Read => "read" /** From the disk. */,
        Flush => "flush" /** What was written before is durable when it succeeds. */,
    }
}

dictionary! {
    /// A part of a replica's disk.
    Zone {
        Superblock => "superblock" /** View, last normal view, membership, checkpoint reference: copies. */,
        Log => "log" /** The ring of entries. */,
        Checkpoint => "checkpoint" /** State machine and session table. */,
        Replies => "replies" /** Clients' last replies. */,
    }
}

dictionary! {
    /// How a disk access ended.
    StorageOutcome {
        Ok => "ok" /** As asked. */,
        Failed => "failed" /** It failed, and said so. */,
        Torn => "torn" /** A crash in its middle left a part of it. */,
        Lost => "lost" /** A crash came before the flush: nothing of it is left. */,
        Corrupt => "corrupt" /** A read returned damaged bytes without an error. */,
        Stale => "stale" /** A read returned what the slot held before. */,
        Misdirected => "misdirected" /** It went to, or came from, another place. */,
        Slow => "slow" /** It took far longer than usual, and succeeded. */,
    }
}

dictionary! {
    /// The families of faults; `combined` must show at least four of the first five.
    FaultFamily {
        Network => "network" /** Links. */,
        Storage => "storage" /** Disks. */,
        Crash => "crash" /** Processes. */,
        Clock => "clock" /** Clocks. */,
        Byzantine => "byzantine" /** Messages changed on their way. */,
        Client => "client" /** Clients. */,
        Load => "load" /** Load. */,
    }
}

dictionary! {
    /// An injected fault.
    FaultKind {
        Other => "other" /** A fault that this version does not know. */,
        PartitionFull => "partition_full" /** `target` (bit set of replicas) is cut from all others, both ways. */,
        PartitionPartial => "partition_partial" /** `target` and `peer` do not hear each other; both hear the rest. */,
        PartitionAsymmetric => "partition_asymmetric" /** `target` hears nobody, everybody hears it. */,
        PartitionOneWay => "partition_one_way" /** `peer` does not hear `target`. */,
        Clog => "clog" /** Link `target` to `peer` is clogged until `end_time_ns`; magnitude = delay factor. */,
        GraySlow => "gray_slow" /** `target` is slower by the factor `magnitude`. */,
        GrayIntermittent => "gray_intermittent" /** `target` fails the share `magnitude` of its network and disk operations. */,
        GrayPartial => "gray_partial" /** `target` fails writes only (magnitude 1) or reads only (magnitude 0). */,
        GrayUnresponsive => "gray_unresponsive" /** `target` neither receives nor sends. */,
        WriteFailure => "write_failure" /** A write of `target` failed. */,
        FlushFailure => "flush_failure" /** A flush of `target` failed. */,
        ReadFailure => "read_failure" /** A read of `target` failed. */,
        Corruption => "corruption" /** A stored entry of `target` was damaged. */,
        StaleRead => "stale_read" /** A slot of `target` answers with its older content. */,
        MisdirectedWrite => "misdirected_write" /** A write of `target` went to another slot. */,
        TornWrite => "torn_write" /** A crash of `target` tore a write. */,
        LostWrite => "lost_write" /** A crash of `target` lost unflushed writes. */,
        SlowDisk => "slow_disk" /** Accesses of `target` are delayed; magnitude = nanoseconds. */,
        Crash => "crash" /** `target` crashed at a random time. */,
        CrashBeforeApply => "crash_before_apply" /** `target` crashed between commit and apply. */,
        CrashBeforeReply => "crash_before_reply" /** `target` crashed between apply and reply. */,
        CrashAfterStartViewChange => "crash_after_start_view_change" /** `target` crashed after its `start_view_change` left. */,
        CrashAfterDoViewChange => "crash_after_do_view_change" /** `target` crashed after its `do_view_change` left. */,
        CrashDuringStartView => "crash_during_start_view" /** `target` crashed while its `start_view` messages were leaving. */,
        Restart => "restart" /** `target` came back. */,
        Pause => "pause" /** `target` was not scheduled until `end_time_ns`. */,
        ClockOffset => "clock_offset" /** `target`'s clock is off by `magnitude` nanoseconds. */,
        ClockDrift => "clock_drift" /** `target`'s clock runs fast by `magnitude` parts per million. */,
        ClockStep => "clock_step" /** `target`'s clock jumped by `magnitude` nanoseconds. */,
        MessageMutation => "message_mutation" /** A message from `target` to `peer` was changed; its row says how. */,
        ClientCrash => "client_crash" /** Client `target` lost its session and its pending operation. */,
        ClientPartition => "client_partition" /** Client `target` cannot reach replica `peer`. */,
        TenantFault => "tenant_fault" /** The clients of tenant `target` have bad links; magnitude = loss. */,
        LoadBurst => "load_burst" /** Clients send without pause. */,
        Loss => "loss" /** Links lose this share of messages for the whole run. */,
        Duplication => "duplication" /** Links duplicate this share of messages for the whole run. */,
        Attack => "attack" /** The links of `target` lie (to `peer`, or to all) until `end_time_ns`; magnitude = chance per message. */,
        Reconfigure => "reconfigure" /** Administrator `peer` asks for the voters in `target` (a bit set). */,
        Reformat => "reformat" /** `target` crashed, and its disk was replaced by an empty one. */,
    }
}

impl FaultKind {
    /// Whether the process of `target` ended or began with it; a process that only stands still did neither.
    #[must_use]
    pub const fn ends_or_begins_process(self) -> bool {
        matches!(
            self,
            Self::Crash
                | Self::CrashBeforeApply
                | Self::CrashBeforeReply
                | Self::CrashAfterStartViewChange
                | Self::CrashAfterDoViewChange
                | Self::CrashDuringStartView
                | Self::Restart
                | Self::Reformat
        )
    }
}
