//! Phase 5: things that happen at the same time, or in the wrong order.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, NETWORK, milliseconds};
use crate::options::{Rate, SECOND};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "race_concurrent_view_changes",
        aliases: &[],
        phase: 5,
        purpose: "backups give up their primary at the same time; it and its successor go on to different views",
        base: Base {
            events: 25_000,
            time_ns: 15 * SECOND,
            plan_ns: 14 * SECOND,
            latency: milliseconds(1, 15),
            drop: Rates(Rate::percent(10), Rate::percent(15)),
            think: milliseconds(0, 5),
            swarm: Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::ChainedLosses, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "two replicas worked on different views at the same time, and a newer view started",
        holds: &["leader_uniqueness", "vsr_view_change_safety"],
    },
    Scenario {
        name: "race_commit_during_dvc",
        aliases: &[],
        phase: 5,
        purpose: "prepares and commits of the old view arrive while the new one is being agreed on",
        base: Base {
            events: 20_000,
            time_ns: 20 * SECOND,
            plan_ns: 18 * SECOND,
            think: milliseconds(0, 5),
            latency: milliseconds(1, 10),
            drop: Rates::fixed(Rate::percent(10)),
            swarm: Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            clients_per_tenant: 6,
            readers: 2,
            ..DEFAULT
        },
        script: &[Inject::LatePrepares, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a prepare or commit of an older view reached a replica between the first do_view_change for its view and that view's start",
        holds: &["idempotency", "vsr_agreement"],
    },
];
