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
    /// Something that was committed or promised to a client is gone.
    LostCommit,
    /// A rule of the protocol was not kept, which by itself has not lost or parted anything yet.
    RuleBroken,
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
            "hash_chain" | "corruption_detection" | "repair_completion" | "checkpoint_recovery" => Self::DataCorruption,
            "linearizability"
            | "data_correctness"
            | "read_your_writes"
            | "monotonic_reads"
            | "mvcc_visibility"
            | "serializability"
            | "offset_monotonicity"
            | "conservation" => Self::Linearizability,
            "vsr_agreement" | "vsr_prefix_property" | "commit_history" | "replica_consistency" | "state_transfer_safety" => {
                Self::ReplicaDivergence
            }
            "vsr_durability" | "durability_of_acknowledged" => Self::LostCommit,
            "liveness" | "stuck" => Self::Liveness,
            "tenant_isolation" => Self::Isolation,
            "idempotency" | "client_session" => Self::ExactlyOnce,
            "resource_limits" | "repair_budget" | "repair_selection" | "scrub_rate" => Self::ResourceExhaustion,
            "panicked" => Self::Crash,
            _ => Self::RuleBroken,
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
            Self::RuleBroken => "rule broken",
            Self::Liveness => "liveness",
            Self::Isolation => "isolation",
            Self::ExactlyOnce => "exactly-once",
            Self::ResourceExhaustion => "resource exhaustion",
            Self::Crash => "failed assertion",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn a_broken_rule_is_not_called_a_loss_or_a_divergence() {
        for rule in [
            "quorum_commit",
            "vsr_view_change_safety",
            "vsr_recovery_safety",
            "reconfiguration_safety",
            "repair_safety",
            "byzantine_rejection",
        ] {
            assert_eq!(Class::of(rule), Class::RuleBroken, "{rule}");
        }
        assert_eq!([Class::of("vsr_agreement"), Class::of("vsr_durability")], [Class::ReplicaDivergence, Class::LostCommit]);
    }
}
