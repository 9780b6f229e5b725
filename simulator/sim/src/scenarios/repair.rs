//! Phase 8, first part: replicas that fall behind, primaries that cannot lead.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, NETWORK, milliseconds};
use crate::options::{Families, MILLISECOND, Rate, SECOND};
use crate::scenario::{Base, CloggerDraw, Inject, Rates, Scenario, Swarm};

const NETWORK_ONLY: Swarm = Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "repair_budget_prevents_storm",
        aliases: &[],
        phase: 8,
        purpose: "two of five replicas lag at once, on links with little room",
        base: Base {
            replicas: &[5],
            time_ns: 30 * SECOND,
            events: 50_000,
            plan_ns: 22 * SECOND,
            drop: Rates::fixed(Rate::percent(15)),
            clogger: CloggerDraw::Aggressive,
            clog_tick_ns: 500 * MILLISECOND,
            link_messages: 100,
            laggards: (2, milliseconds(1_000, 2_500)),
            think: milliseconds(0, 60),
            swarm: NETWORK_ONLY,
            ..DEFAULT
        },
        script: &[Inject::Laggards, Inject::Clogs, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "two replicas waited for repairs at the same time",
        holds: &["repair_budget", "liveness"],
    },
    Scenario {
        name: "repair_ewma_selection",
        aliases: &["repair_ewma"],
        phase: 8,
        purpose: "one of five replicas is slow all the time, and another one falls behind again and again",
        base: Base {
            replicas: &[5],
            time_ns: 20 * SECOND,
            events: 40_000,
            plan_ns: 18 * SECOND,
            clients_per_tenant: 16,
            latency: milliseconds(1, 50),
            laggards: (1, milliseconds(400, 800)),
            swarm: NETWORK_ONLY,
            ..DEFAULT
        },
        script: &[Inject::SlowPeer, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a replica knew one peer to be slow while it asked for 20 repairs",
        holds: &["repair_selection", "repair_budget"],
    },
    Scenario {
        name: "repair_sync_timeout",
        aliases: &[],
        phase: 8,
        purpose: "a backup falls more than 100 entries behind, needs a peer's checkpoint, and has to lead with it",
        base: Base {
            time_ns: 25 * SECOND,
            events: 50_000,
            plan_ns: 20 * SECOND,
            clients_per_tenant: 24,
            drop: Rates::fixed(Rate::percent(30)),
            laggards: (1, milliseconds(6_000, 9_000)),
            swarm: NETWORK_ONLY,
            ..DEFAULT
        },
        script: &[Inject::LaggardsLead, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a replica was more than 100 entries behind, and installed a peer's checkpoint",
        holds: &["replica_consistency", "liveness"],
    },
    Scenario {
        name: "primary_abdicate_partition",
        aliases: &[],
        phase: 8,
        purpose: "the primary is cut from its quorum, both ways or inbound only",
        base: Base {
            time_ns: 20 * SECOND,
            events: 30_000,
            plan_ns: 16 * SECOND,
            think: milliseconds(0, 40),
            swarm: NETWORK_ONLY,
            ..DEFAULT
        },
        script: &[Inject::DeafPrimaries, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a partition cut the primary from its quorum, it stepped down, and another one committed",
        holds: &["durability_of_acknowledged", "leader_uniqueness"],
    },
    Scenario {
        name: "commit_stall_detection",
        aliases: &[],
        phase: 8,
        purpose: "a primary that accepts requests and cannot commit them",
        base: Base {
            time_ns: 15 * SECOND,
            events: 60_000,
            plan_ns: 12 * SECOND,
            clients_per_tenant: 20,
            drop: Rates::fixed(Rate::percent(10)),
            think: milliseconds(0, 60),
            swarm: Swarm { always: Families { network: true, storage: true, ..Families::NONE }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::CommitStalls, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "an entry waited for its commit for longer than a second, and commits went on",
        holds: &["durability_of_acknowledged", "liveness"],
    },
];
