//! Guards of the state machine that can be switched off, to prove that a checker would notice.

/// A guard of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelBug {
    /// The primary works an addition out when it prepares it, and logs the sum: additions in flight together are lost.
    LostUpdate,
    /// A scan up to the end of its tenant's range runs on into the next tenant's keys.
    ScanPastTenantEnd,
    /// The credit of a transfer follows two commands after its debit.
    TransferNotAtomic,
    /// Now and then an addition depends on the local clock.
    NondeterministicApply,
}

/// What an addition is off by. One in eight windows of about a millisecond of the local clock adds one too many.
pub(crate) fn clock_drift(bug: Option<KernelBug>, local_clock_ns: u64) -> u64 {
    u64::from(bug == Some(KernelBug::NondeterministicApply) && (local_clock_ns >> 20).is_multiple_of(8))
}
