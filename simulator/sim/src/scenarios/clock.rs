//! Phase 6: clocks that are wrong, one of them or what all are told, and clocks that are set.
//!
//! A timestamp is right or wrong for every replica at once: what a primary does that cannot know the time is put to the test here.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, milliseconds};
use crate::options::{ClockOptions, Families, MILLISECOND, Rate, SECOND};
use crate::scenario::{Base, CloggerDraw, Inject, Rates, Scenario, Swarm};

const NETWORK_AND_CLOCK: Families = Families { network: true, clock: true, ..Families::NONE };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "clock_drift",
        aliases: &[],
        phase: 6,
        purpose: "clocks that drift by up to 200 ppm and are apart by less than the tolerance of 500 ms",
        base: Base {
            time_ns: 30 * SECOND,
            events: 50_000,
            plan_ns: 24 * SECOND,
            drop: Rates::fixed(Rate::percent(2)),
            think: milliseconds(0, 60),
            primary_loss: milliseconds(4_000, 8_000),
            swarm: Swarm {
                always: NETWORK_AND_CLOCK,
                sometimes: Families { crash: true, client: true, load: true, ..Families::NONE },
                ..Swarm::NONE
            },
            ..DEFAULT
        },
        script: &[Inject::Skews, Inject::PrimaryLoss, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "two clocks were 100 ms or more apart, and a timestamp was off true time by 50 ms or more",
        holds: &["clock", "replica_consistency"],
    },
    Scenario {
        name: "clock_backward_jump",
        aliases: &[],
        phase: 6,
        purpose: "a primary is cut off, its clock steps back, another one leads, it rejoins",
        base: Base {
            time_ns: 25 * SECOND,
            events: 40_000,
            plan_ns: 20 * SECOND,
            drop: Rates::fixed(Rate::percent(15)),
            clogger: CloggerDraw::Mild,
            clock: ClockOptions { offset_ns_max: 0, drift_ppm_max: 0, step_ns_max: 1_000 * MILLISECOND },
            think: milliseconds(0, 40),
            swarm: Swarm { always: NETWORK_AND_CLOCK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::BackwardJumps, Inject::Clogs, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a replica that had led a view had its clock stepped back, and was normal in a newer view later",
        holds: &["clock", "vsr_agreement"],
    },
    Scenario {
        name: "clock_offset_exceeded",
        aliases: &[],
        phase: 6,
        purpose: "the clock of the primary is off by more than the tolerance",
        base: Base {
            time_ns: 20 * SECOND,
            events: 30_000,
            plan_ns: 16 * SECOND,
            latency: milliseconds(5, 100),
            drop: Rates::fixed(Rate::percent(10)),
            clogger: CloggerDraw::Aggressive,
            clock: ClockOptions { offset_ns_max: 3_000 * MILLISECOND, drift_ppm_max: 0, step_ns_max: 0 },
            think: milliseconds(0, 60),
            swarm: Swarm { always: NETWORK_AND_CLOCK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::OffsetsExceeded, Inject::Clogs, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "the clock of a primary was off by more than 500 ms, it lost its clock, and another replica stamped entries before it was \
                   set right",
        holds: &["clock", "liveness"],
    },
    Scenario {
        name: "clock_ntp_failure",
        aliases: &[],
        phase: 6,
        purpose: "no clock samples arrive for longer than the epoch limit, then some say a wrong time",
        base: Base {
            time_ns: 20 * SECOND,
            events: 25_000,
            plan_ns: 14 * SECOND,
            // The epoch limit of 30 s must pass more than once.
            compression: 10,
            latency: milliseconds(1, 10),
            drop: Rates::fixed(Rate::percent(30)),
            think: milliseconds(100, 500),
            swarm: Swarm {
                always: Families { byzantine: true, ..NETWORK_AND_CLOCK },
                sometimes: Families { crash: true, client: true, ..Families::NONE },
                ..Swarm::NONE
            },
            primary_loss: milliseconds(15_000, 30_000),
            ..DEFAULT
        },
        script: &[Inject::TimeService, Inject::PrimaryLoss, Inject::ClientFaults],
        evidence: "an agreement on the time expired, and a primary stamped entries by its fallback rule",
        holds: &["clock", "liveness"],
    },
];
