//! Phase 6: clocks that are wrong, as far as a replica without clock synchronisation is put to the test by them.

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
];
