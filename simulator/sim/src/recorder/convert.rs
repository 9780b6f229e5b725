//! The protocol's enums as the history's dictionaries.
//!
//! The protocol crate knows no columns and the format knows no protocol, so each pair of words is joined here, once.

use vopr_schema::{Command, Detail, RejectReason, Status};
use vsr::io::{AbdicationCause, ClockLoss, Damage, Timer};

/// Protocol status.
pub fn status(status: vsr::io::Status) -> Status {
    match status {
        vsr::io::Status::Normal => Status::Normal,
        vsr::io::Status::ViewChange => Status::ViewChange,
        vsr::io::Status::Recovering => Status::Recovering,
        vsr::io::Status::StateTransfer => Status::StateTransfer,
    }
}

/// What was found damaged.
pub fn damage_detail(damage: Damage) -> Detail {
    match damage {
        Damage::TornEntry => Detail::TornEntry,
        Damage::CorruptEntry => Detail::CorruptEntry,
        Damage::MisplacedEntry => Detail::MisplacedEntry,
        Damage::Superblock => Detail::SuperblockCopy,
        Damage::Checkpoint => Detail::CheckpointCopy,
        Damage::Message => Detail::MessageChecksum,
    }
}

/// Why a primary stepped down.
pub fn abdication_detail(cause: AbdicationCause) -> Detail {
    match cause {
        AbdicationCause::NoQuorum => Detail::NoQuorum,
        AbdicationCause::ClockUnsynchronised => Detail::ClockUnsynchronised,
        AbdicationCause::Removed => Detail::Removed,
        AbdicationCause::HigherView => Detail::HigherView,
    }
}

/// Why the time is not known any more.
pub fn clock_detail(cause: ClockLoss) -> Detail {
    match cause {
        ClockLoss::Expired => Detail::ClockExpired,
        ClockLoss::Contradicted => Detail::ClockContradicted,
        ClockLoss::Stepped => Detail::ClockStepped,
    }
}

/// A timer's name.
pub fn timer_detail(timer: Timer) -> Detail {
    match timer {
        Timer::Prepare => Detail::PrepareTimer,
        Timer::Heartbeat => Detail::HeartbeatTimer,
        Timer::ViewChange => Detail::ViewChangeTimer,
        Timer::ViewChangeWindow => Detail::ViewChangeWindowTimer,
        Timer::ViewChangeResend => Detail::ViewChangeResendTimer,
        Timer::Recovery => Detail::RecoveryTimer,
        Timer::Repair => Detail::RepairTimer,
        Timer::StateTransfer => Detail::StateTransferTimer,
        Timer::Abdication => Detail::AbdicationTimer,
        Timer::Ping => Detail::PingTimer,
        Timer::Scrub => Detail::ScrubTimer,
    }
}

/// The kind of a message.
pub fn command(command: vsr::message::Command) -> Command {
    match command {
        vsr::message::Command::Request => Command::Request,
        vsr::message::Command::Prepare => Command::Prepare,
        vsr::message::Command::PrepareOk => Command::PrepareOk,
        vsr::message::Command::Reply => Command::Reply,
        vsr::message::Command::Commit => Command::Commit,
        vsr::message::Command::Ping => Command::Ping,
        vsr::message::Command::Pong => Command::Pong,
        vsr::message::Command::StartViewChange => Command::StartViewChange,
        vsr::message::Command::DoViewChange => Command::DoViewChange,
        vsr::message::Command::StartView => Command::StartView,
        vsr::message::Command::GetView => Command::GetView,
        vsr::message::Command::RepairRequest => Command::RepairRequest,
        vsr::message::Command::RepairResponse => Command::RepairResponse,
        vsr::message::Command::Nack => Command::Nack,
        vsr::message::Command::StateTransferRequest => Command::StateTransferRequest,
        vsr::message::Command::StateTransferResponse => Command::StateTransferResponse,
        vsr::message::Command::RecoveryRequest => Command::RecoveryRequest,
        vsr::message::Command::RecoveryResponse => Command::RecoveryResponse,
        vsr::message::Command::Register => Command::Register,
        vsr::message::Command::Eviction => Command::Eviction,
        vsr::message::Command::Redirect => Command::Redirect,
        vsr::message::Command::Reconfigure => Command::Reconfigure,
    }
}

/// Why a message was refused.
pub fn reject_reason(reason: vsr::message::RejectReason) -> RejectReason {
    match reason {
        vsr::message::RejectReason::Checksum => RejectReason::Checksum,
        vsr::message::RejectReason::Malformed => RejectReason::Malformed,
        vsr::message::RejectReason::WrongCluster => RejectReason::WrongCluster,
        vsr::message::RejectReason::WrongEpoch => RejectReason::WrongEpoch,
        vsr::message::RejectReason::NotMember => RejectReason::NotMember,
        vsr::message::RejectReason::OldView => RejectReason::OldView,
        vsr::message::RejectReason::NewerView => RejectReason::NewerView,
        vsr::message::RejectReason::WrongStatus => RejectReason::WrongStatus,
        vsr::message::RejectReason::NotPrimary => RejectReason::NotPrimary,
        vsr::message::RejectReason::WrongDestination => RejectReason::WrongDestination,
        vsr::message::RejectReason::InvalidMetadata => RejectReason::InvalidMetadata,
        vsr::message::RejectReason::BrokenChain => RejectReason::BrokenChain,
        vsr::message::RejectReason::TailLengthMismatch => RejectReason::TailLengthMismatch,
        vsr::message::RejectReason::TooLarge => RejectReason::TooLarge,
        vsr::message::RejectReason::InvalidRange => RejectReason::InvalidRange,
        vsr::message::RejectReason::CommitBeyondLog => RejectReason::CommitBeyondLog,
        vsr::message::RejectReason::ConflictsWithCommitted => RejectReason::ConflictsWithCommitted,
        vsr::message::RejectReason::HashMismatch => RejectReason::HashMismatch,
        vsr::message::RejectReason::Duplicate => RejectReason::Duplicate,
        vsr::message::RejectReason::Stale => RejectReason::Stale,
        vsr::message::RejectReason::UnknownSession => RejectReason::UnknownSession,
        vsr::message::RejectReason::OldRequest => RejectReason::OldRequest,
        vsr::message::RejectReason::PipelineFull => RejectReason::PipelineFull,
        vsr::message::RejectReason::SlotChanged => RejectReason::SlotChanged,
        vsr::message::RejectReason::ClockUnsynchronised => RejectReason::ClockUnsynchronised,
        vsr::message::RejectReason::ReconfigurationPending => RejectReason::ReconfigurationPending,
        vsr::message::RejectReason::NotCaughtUp => RejectReason::NotCaughtUp,
    }
}

#[cfg(test)]
mod tests {
    use super::{command, reject_reason};
    use vopr_schema::Dictionary;

    #[test]
    fn protocol_and_history_call_things_by_the_same_names() {
        for &known in vsr::message::Command::ALL {
            assert_eq!(command(known).name(), known.name());
        }
        for &known in vsr::message::RejectReason::ALL {
            assert_eq!(reject_reason(known).name(), known.name());
        }
    }
}
