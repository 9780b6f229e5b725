//! The protocol's enums as the history's dictionaries.
//!
//! The protocol crate knows no columns and the format knows no protocol, so each pair of words is joined here, once.

use vopr_schema::{Detail, Status};
use vsr::io::{AbdicationCause, Damage, Timer};

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
