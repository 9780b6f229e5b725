//! One file per invariant.
//!
//! File order: statement, formal statement, evidence, what it deliberately does not check, code, tests that fire and tests
//! that must not. Adding one is a file here, a `mod` line, and a line in [`crate::registry::INVARIANTS`].

pub mod applied_position_monotonic;
pub mod byzantine_rejection;
pub mod checkpoint_recovery;
pub mod client_session;
pub mod clock;
pub mod commit_history;
pub mod commit_monotonicity;
pub mod conservation;
pub mod corruption_detection;
pub mod data_correctness;
pub mod durability_of_acknowledged;
pub mod hash_chain;
pub mod idempotency;
pub mod kernel_command_validation;
pub mod leader_uniqueness;
pub mod linearizability;
pub mod liveness;
pub mod log_consistency;
pub mod message_causality;
pub mod monotonic_reads;
pub mod mvcc_visibility;
pub mod offset_monotonicity;
pub mod quorum_commit;
pub mod read_your_writes;
pub mod reconfiguration_safety;
pub mod repair_budget;
pub mod repair_completion;
pub mod repair_safety;
pub mod repair_selection;
pub mod replica_consistency;
pub mod replica_head;
pub mod resource_limits;
pub mod scrub_rate;
pub mod scrub_tour;
pub mod serializability;
pub mod state_transfer_safety;
pub mod tenant_isolation;
pub mod view_monotonicity;
pub mod vsr_agreement;
pub mod vsr_durability;
pub mod vsr_prefix_property;
pub mod vsr_recovery_safety;
pub mod vsr_view_change_safety;
