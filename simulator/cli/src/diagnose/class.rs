//! What kind of failure a broken invariant is, in the words that people use.

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Damaged bytes were taken for data, or left lying.
    DataCorruption,
    /// A client saw an answer that no order of the operations explains.
    Linearizability,
    /// Replicas do not hold the same.
    ReplicaDivergence,
    /// Something that was committed or promised is gone, or was never safe.
    LostCommit,
    /// Nothing goes on.
    Liveness,
    /// A tenant saw what is another one's.
    Isolation,
    /// A request took effect more or less often than once, or was answered with another one's reply.
    ExactlyOnce,
    /// More was used than is allowed.
    ResourceExhaustion,
    /// The system under test failed an assertion.
    Crash,
}

impl Class {
    /// The kind of a broken invariant.
    #[must_use]
    pub fn of(invariant: &str) -> Self {
        match invariant {
            "hash_chain" | "corruption_detection" | "repair_completion" | "repair_safety" | "scrub_tour" | "checkpoint_recovery" => {
                Self::DataCorruption
            }
            "linearizability"
            | "data_correctness"
            | "read_your_writes"
            | "monotonic_reads"
            | "mvcc_visibility"
            | "serializability"
            | "offset_monotonicity"
            | "conservation"
            | "message_causality" => Self::Linearizability,
            "vsr_durability"
            | "durability_of_acknowledged"
            | "quorum_commit"
            | "vsr_recovery_safety"
            | "vsr_view_change_safety"
            | "commit_monotonicity"
            | "replica_head"
            | "view_monotonicity"
            | "reconfiguration_safety"
            | "applied_position_monotonic" => Self::LostCommit,
            "liveness" | "stuck" => Self::Liveness,
            "tenant_isolation" => Self::Isolation,
            "idempotency" | "client_session" => Self::ExactlyOnce,
            "resource_limits" | "repair_budget" | "repair_selection" | "scrub_rate" => Self::ResourceExhaustion,
            "panicked" => Self::Crash,
            _ => Self::ReplicaDivergence,
        }
    }

    /// The words for it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::DataCorruption => "data corruption",
            Self::Linearizability => "linearizability",
            Self::ReplicaDivergence => "replica divergence",
            Self::LostCommit => "lost commit",
            Self::Liveness => "liveness",
            Self::Isolation => "isolation",
            Self::ExactlyOnce => "exactly-once",
            Self::ResourceExhaustion => "resource exhaustion",
            Self::Crash => "failed assertion",
        }
    }
}
