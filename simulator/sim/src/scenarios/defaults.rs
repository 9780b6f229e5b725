//! What a scenario is made of where its row says nothing: the default base, the mixed workload, short words for ranges.

use crate::options::{ClockOptions, Families, MILLISECOND, Mix, Rate, SECOND};
use crate::scenario::{Assault, Base, CloggerDraw, MutationKinds, Rates, Swarm, Times};
use vsr::constants::LOG_SLOTS;

/// The mixed workload: a bit of everything, most of it on registers.
pub(super) const MIXED: Mix = Mix {
    write: 22,
    read: 24,
    read_modify_write: 10,
    compare_and_set: 10,
    scan: 4,
    stream_append: 8,
    stream_read: 5,
    transfer: 8,
    balance: 3,
    transaction: 6,
};

pub(super) const fn milliseconds(low: u64, high: u64) -> Times {
    Times(low * MILLISECOND, high * MILLISECOND)
}

/// Up to so many percent.
pub(super) const fn up_to(percent: u32) -> Rates {
    Rates(Rate::NEVER, Rate::percent(percent))
}

pub(super) const NETWORK: Families = Families { network: true, ..Families::NONE };
pub(super) const NETWORK_AND_CRASH: Families = Families { network: true, crash: true, ..Families::NONE };
pub(super) const CRASH: Families = Families { crash: true, ..Families::NONE };
pub(super) const CLIENT_AND_LOAD: Families = Families { client: true, load: true, ..Families::NONE };

/// What holds where a row says nothing.
pub(crate) const DEFAULT: Base = Base {
    replicas: &[3],
    members: 0,
    tenants: 1,
    clients_per_tenant: 4,
    time_ns: 10 * SECOND,
    events: 20_000,
    plan_ns: 9 * SECOND,
    compression: 1,
    swarm: Swarm::NONE,
    latency: milliseconds(1, 5),
    drop: Rates::NEVER,
    duplicate: Rates::NEVER,
    clogger: CloggerDraw::Off,
    clog_tick_ns: 200 * MILLISECOND,
    partition: Rate::NEVER,
    write_failure: Rates::NEVER,
    flush_failure: Rates::NEVER,
    corruption: Rates::NEVER,
    gray_fail: Rate::NEVER,
    gray_recover: Rate::ALWAYS,
    gray_tick_ns: 200 * MILLISECOND,
    crashes: 0,
    restart: milliseconds(50, 2_000),
    crash_per_commit: Rate::NEVER,
    crash_per_view_change_step: Rate::NEVER,
    below_quorum: false,
    primary_loss: milliseconds(1_500, 3_000),
    mutation: Rates::NEVER,
    mutation_kinds: MutationKinds::Mixed,
    silent_read: Rates::NEVER,
    crash_per_write: Rate::NEVER,
    log_damage: Rates::NEVER,
    slow_disk: (Rate::NEVER, milliseconds(0, 0)),
    assault: Assault::NONE,
    clock: ClockOptions { offset_ns_max: 200 * MILLISECOND, drift_ppm_max: 200, step_ns_max: 100 * MILLISECOND },
    link_messages: 1_024,
    laggards: (0, milliseconds(0, 0)),
    client_crashes: 3,
    think: milliseconds(0, 20),
    rest: (Rate::NEVER, 0),
    invalid: Rate::NEVER,
    scrub_tick_ns: 0,
    log_slots: LOG_SLOTS,
    mix: MIXED,
    readers: 0,
    quorum_reads: false,
    evidence_of: None,
};
