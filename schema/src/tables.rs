//! THE table of columns: name, type, unit, nullability and meaning of everything that a history holds.
//!
//! Structs, reader, writer, digest, docs/format.md and the `DuckDB` views all come from the lists below.

use crate::column::{Codes, Column, ColumnMut, ColumnRef, ColumnType, Nullable, NullableCodes, PairLists};
use crate::rows::{
    Command, Detail, Fate, FaultFamily, FaultKind, Function, Kind, Mutation, OperationError, Outcome, RejectReason, Status, StorageIo,
    StorageOutcome, TransitionEvent, Zone,
};
use core::ops::Range;

/// One column as readers of the format see it.
#[derive(Clone, Copy, Debug)]
pub struct ColumnSpec {
    /// Name inside the kind's struct column (or of the common column).
    pub name: &'static str,
    /// Physical type.
    pub column_type: ColumnType,
    /// Whether rows of its own kind may be null.
    pub nullable: bool,
    /// Unit, empty where none applies.
    pub unit: &'static str,
    /// Meaning, one sentence.
    pub meaning: &'static str,
}

/// Defines a table (struct of arrays), its row type and its column specifications from one list.
macro_rules! table {
    ($(#[$meta:meta])* $table:ident, $row:ident, $kind:ident { $( $field:ident : $cell:ty, $unit:literal, $meaning:literal; )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $table {
            /// Position in the run's total order of events; unique over all kinds of a run; rises within a run.
            pub seq: Vec<u64>,
            /// Virtual time, nanoseconds since the run's start.
            pub time_ns: Vec<u64>,
            $( #[doc = $meaning] pub $field: $cell, )*
            /// `run_ends[i]` is the row behind run i's last one.
            pub run_ends: Vec<usize>,
        }

        #[doc = concat!("One row of [`", stringify!($table), "`].")]
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $row {
            /// Position in the run's total order of events.
            pub seq: u64,
            /// Virtual time, nanoseconds since the run's start.
            pub time_ns: u64,
            $( #[doc = $meaning] pub $field: <$cell as Column>::Value, )*
        }

        impl $table {
            /// The kind of these rows.
            pub const KIND: Kind = Kind::$kind;

            /// The kind's own columns, in file order (`seq` and `time_ns` are common columns and not listed).
            pub const COLUMNS: &'static [ColumnSpec] = &[ $( ColumnSpec {
                name: stringify!($field),
                column_type: <$cell as Column>::TYPE,
                nullable: <$cell as Column>::NULLABLE,
                unit: $unit,
                meaning: $meaning,
            }, )* ];

            /// Appends a row to the run being recorded.
            #[inline]
            pub fn push(&mut self, row: $row) {
                self.seq.push(row.seq);
                self.time_ns.push(row.time_ns);
                $( Column::push(&mut self.$field, row.$field); )*
            }

            /// Row `index`, by value: for tests, witnesses and tools, not for hot paths.
            #[must_use]
            pub fn row(&self, index: usize) -> $row {
                $row { seq: self.seq[index], time_ns: self.time_ns[index], $( $field: Column::value(&self.$field, index), )* }
            }

            /// Number of rows of all runs.
            #[must_use]
            pub fn len(&self) -> usize {
                self.seq.len()
            }

            /// Whether there is no row.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.seq.is_empty()
            }

            /// The rows of run `run`.
            #[must_use]
            pub fn rows_of_run(&self, run: usize) -> Range<usize> {
                let start = if run == 0 { 0 } else { self.run_ends[run - 1] };
                start..self.run_ends[run]
            }

            /// The row of run `run` at position `seq`.
            #[must_use]
            pub fn row_at(&self, run: usize, seq: u64) -> Option<usize> {
                let rows = self.rows_of_run(run);
                self.seq[rows.clone()].binary_search(&seq).ok().map(|place| rows.start + place)
            }

            /// Removes all rows, keeping the memory.
            pub fn clear(&mut self) {
                self.seq.clear();
                self.time_ns.clear();
                $( Column::clear(&mut self.$field); )*
                self.run_ends.clear();
            }

            /// The kind's own columns, in the order of [`Self::COLUMNS`].
            #[must_use]
            pub fn columns(&self) -> Vec<ColumnRef<'_>> {
                vec![ $( Column::view(&self.$field), )* ]
            }

            /// `seq`, `time_ns`, the kind's own columns and `run_ends`, to be filled by a reader.
            pub(crate) fn parts_mut(&mut self) -> (&mut Vec<u64>, &mut Vec<u64>, Vec<ColumnMut<'_>>, &mut Vec<usize>) {
                let columns = vec![ $( Column::view_mut(&mut self.$field), )* ];
                (&mut self.seq, &mut self.time_ns, columns, &mut self.run_ends)
            }
        }
    };
}

table! {
    /// Client operations; `seq` and `time_ns` are those of the invocation. A client is identified by (`tenant`, `client`).
    Operations, OperationRow, Operation {
        client: Vec<u32>, "", "Number of the client within its tenant.";
        session: Nullable<u64>, "", "Session under which the request was sent: the op number of its registration.";
        request_number: Vec<u64>, "", "Number of the request in its session, from 1.";
        tenant: Vec<u32>, "", "Tenant of the client.";
        function: Codes<Function>, "", "What was asked for.";
        key: Vec<u64>, "", "Key, stream, or (debited, first) account.";
        key_last: Nullable<u64>, "", "Last key of a scan or balance; credited account of a transfer.";
        value: Nullable<u64>, "", "Value written, added, appended, transferred; offset of a stream read.";
        expected: Nullable<u64>, "", "Expected value of a compare-and-set (null: absent); count of a stream read.";
        reads: PairLists, "", "Keys that a transaction reads; the values are null, or say how many writes stand before the read (imported).";
        writes: PairLists, "", "Pairs that a transaction writes.";
        result: Nullable<u64>, "", "Single value that the client was told.";
        results: PairLists, "", "Pairs that the client was told: scan, stream read, balance, transaction.";
        outcome: Codes<Outcome>, "", "How it ended, seen from the client.";
        error: NullableCodes<OperationError>, "", "Why it was refused.";
        return_seq: Nullable<u64>, "", "Position of its return in the run's order; null when it never returned.";
        return_time_ns: Nullable<u64>, "ns", "Virtual time of its return.";
        op: Nullable<u64>, "", "Log position that the reply claimed: a witness to verify, never to trust.";
        view: Nullable<u64>, "", "View that the reply claimed.";
        replica: Nullable<u8>, "", "Replica that replied.";
        attempts: Vec<u32>, "", "How often the request was sent.";
    }
}

table! {
    /// Messages, one row per copy that left a sender; `seq` and `time_ns` are those of sending.
    Messages, MessageRow, Message {
        id: Vec<u64>, "", "Number of the message in its run, from 1; copies share it.";
        copy: Vec<u16>, "", "0 for the original, 1.. for duplicates made by the network.";
        command: Codes<Command>, "", "What it is.";
        from: Vec<u16>, "", "Sender: replicas 0.., clients 1000...";
        to: Vec<u16>, "", "Receiver: replicas 0.., clients 1000...";
        view: Nullable<u64>, "", "View in its header, as delivered (after mutation). Null from clients that know none.";
        last_normal_view: Nullable<u64>, "", "Last normal view of a `do_view_change`.";
        op: Nullable<u64>, "", "Op number: of the entry (prepare, `prepare_ok`, repair), of the head (`do_view_change`, `start_view`), of the reply.";
        commit: Nullable<u64>, "", "Commit number.";
        entry_hash: Nullable<u64>, "", "Hash of that entry, or of the head.";
        log_first: Nullable<u64>, "", "Op number of the first carried (or wanted) entry.";
        log_count: Nullable<u32>, "", "Number of carried (or wanted) entries.";
        size_bytes: Vec<u32>, "B", "Encoded size.";
        checksum: Nullable<u32>, "", "Checksum in the header; recorded only where bytes were touched.";
        tenant: Nullable<u32>, "", "Tenant of a client's message.";
        client: Nullable<u32>, "", "Client, within its tenant, of a client's message.";
        session: Nullable<u64>, "", "Session of a client's message.";
        request_number: Nullable<u64>, "", "Request number of a request or reply.";
        epoch: Vec<u32>, "", "Epoch in its header.";
        mutation: NullableCodes<Mutation>, "", "What a fault changed on its way.";
        fate: Codes<Fate>, "", "What became of it.";
        fate_seq: Nullable<u64>, "", "Position in the run's order of its delivery or loss.";
        fate_time_ns: Nullable<u64>, "ns", "Virtual time of its delivery or loss.";
        reject_reason: NullableCodes<RejectReason>, "", "Why the receiver refused it.";
    }
}

table! {
    /// What replicas did.
    Transitions, TransitionRow, Transition {
        replica: Vec<u8>, "", "Which replica.";
        incarnation: Vec<u32>, "", "How often it was restarted before.";
        event: Codes<TransitionEvent>, "", "What it did.";
        status: Codes<Status>, "", "Its status after the event.";
        view: Vec<u64>, "", "Its view after the event; of a `vote_cast` the view voted for.";
        last_normal_view: Vec<u64>, "", "Its last normal view after the event.";
        op: Nullable<u64>, "", "Op number that the event is about; its head where the event is about the replica.";
        commit: Vec<u64>, "", "Its commit number after the event.";
        epoch: Vec<u32>, "", "Its epoch after the event.";
        entry_hash: Nullable<u64>, "", "Hash of the entry that the event is about.";
        previous_hash: Nullable<u64>, "", "Hash of the entry before it, as the entry says.";
        entry_view: Nullable<u64>, "", "View in which the entry was prepared.";
        state_hash: Nullable<u64>, "", "Hash of the state machine's state after the event.";
        timestamp: Nullable<u64>, "ns", "Timestamp of the entry.";
        tenant: Nullable<u32>, "", "Tenant of the entry's client.";
        client: Nullable<u32>, "", "The entry's client, within its tenant.";
        session: Nullable<u64>, "", "Session of the entry.";
        request_number: Nullable<u64>, "", "Request number of the entry; 0 for a registration.";
        quorum: Nullable<u32>, "", "Bit set of the members that voted.";
        cause: Nullable<u64>, "", "Id of the message that caused the event.";
        detail: NullableCodes<Detail>, "", "Timer's name, kind of damage, or reason.";
        clock_low_ns: Nullable<u64>, "ns", "The cluster time is at least this, as the replica's synchronised clock has it.";
        clock_high_ns: Nullable<u64>, "ns", "The cluster time is at most this.";
    }
}

table! {
    /// Completed disk accesses; `seq` and `time_ns` are those of the completion.
    StorageAccesses, StorageRow, Storage {
        replica: Vec<u8>, "", "Which replica's disk.";
        io: Codes<StorageIo>, "", "What was done.";
        zone: Codes<Zone>, "", "Where.";
        op: Nullable<u64>, "", "Op number of the entry or checkpoint; sequence number of the superblock.";
        started_seq: Vec<u64>, "", "Position in the run's order when it was asked for.";
        size_bytes: Vec<u32>, "B", "Size.";
        outcome: Codes<StorageOutcome>, "", "How it ended.";
        latency_ns: Vec<u64>, "ns", "Duration.";
    }
}

table! {
    /// Injected faults; `seq` and `time_ns` are those of their beginning.
    Faults, FaultRow, Fault {
        family: Codes<FaultFamily>, "", "Family.";
        fault: Codes<FaultKind>, "", "What was injected.";
        target: Nullable<u32>, "", "Replica, client endpoint (1000..), tenant, or bit set: see the fault.";
        peer: Nullable<u32>, "", "The other end.";
        end_time_ns: Nullable<u64>, "ns", "When it ends; null: at once, or at the end of the safety phase.";
        magnitude: Vec<f64>, "", "Strength: see the fault.";
        plan_index: Nullable<u32>, "", "Which entry of the fault plan; null for faults drawn at the moment of an access.";
    }
}

/// The common columns, non-null in every row.
pub const COMMON_COLUMNS: &[ColumnSpec] = &[
    ColumnSpec {
        name: "scenario",
        column_type: ColumnType::Text,
        nullable: false,
        unit: "",
        meaning: "Canonical scenario name; the source system of an external history.",
    },
    ColumnSpec {
        name: "seed",
        column_type: ColumnType::U64,
        nullable: false,
        unit: "",
        meaning: "The run; (scenario, seed) is unique in a file.",
    },
    ColumnSpec {
        name: "kind",
        column_type: ColumnType::Dictionary(<Kind as crate::dictionary::Dictionary>::NAMES),
        nullable: false,
        unit: "",
        meaning: "Kind of row; constant within a row group.",
    },
    ColumnSpec {
        name: "seq",
        column_type: ColumnType::U64,
        nullable: false,
        unit: "",
        meaning: "Position in the run's total order of events; unique over all kinds of a run.",
    },
    ColumnSpec {
        name: "time_ns",
        column_type: ColumnType::U64,
        nullable: false,
        unit: "ns",
        meaning: "Virtual time since the run's start.",
    },
];

const fn run_column(name: &'static str, column_type: ColumnType, nullable: bool, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type, nullable, unit, meaning }
}

/// The columns of kind run, in file order; see [`crate::history::Run`].
pub const RUN_COLUMNS: &[ColumnSpec] = &[
    run_column("replicas", ColumnType::U8, false, "", "Voting members of epoch 0."),
    run_column("standbys", ColumnType::U8, false, "", "Non-voting members of epoch 0."),
    run_column("clients", ColumnType::U32, false, "", "Clients over all tenants."),
    run_column("tenants", ColumnType::U32, false, "", "Tenants."),
    run_column("bug", ColumnType::Text, true, "", "Guard that was switched off."),
    run_column("options", ColumnType::Text, false, "", "Every drawn option, JSON object."),
    run_column("plan", ColumnType::Text, false, "", "The fault plan, JSON."),
    run_column("streams_version", ColumnType::U32, false, "", "Version of the random streams' derivation."),
    run_column("end_time_ns", ColumnType::U64, false, "ns", "Virtual time of the end."),
    run_column("heal_time_ns", ColumnType::U64, true, "ns", "Virtual time at which the heal phase began; null when there was none."),
    run_column("events", ColumnType::U64, false, "", "Simulated events."),
    run_column("rows_operation", ColumnType::U64, false, "", "Rows of kind operation."),
    run_column("rows_message", ColumnType::U64, false, "", "Rows of kind message."),
    run_column("rows_transition", ColumnType::U64, false, "", "Rows of kind transition."),
    run_column("rows_storage", ColumnType::U64, false, "", "Rows of kind storage."),
    run_column("rows_fault", ColumnType::U64, false, "", "Rows of kind fault."),
    run_column("operations_ok", ColumnType::U64, false, "", "Operations with outcome ok."),
    run_column("operations_error", ColumnType::U64, false, "", "Operations with outcome error."),
    run_column("operations_unknown", ColumnType::U64, false, "", "Operations with outcome unknown."),
    run_column("digest", ColumnType::Bytes32, false, "", "BLAKE3 of the run's rows, defined on column values: docs/format.md."),
    run_column(
        "ended",
        ColumnType::Dictionary(<crate::history::Ended as crate::dictionary::Dictionary>::NAMES),
        false,
        "",
        "Why the run ended.",
    ),
    run_column("ended_detail", ColumnType::Text, true, "", "Reason of a stuck run, message of a panic."),
];
