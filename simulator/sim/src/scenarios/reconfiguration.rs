//! Phase 10: the membership changes, in quiet, across a partition, across a view change, twice at once, and beside replaced disks.

use super::defaults::{CLIENT_AND_LOAD, CRASH, DEFAULT, NETWORK, NETWORK_AND_CRASH, milliseconds};
use crate::options::{Rate, SECOND};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

/// Five machines for 20 s; clients slow enough that the events last that long.
const FIVE: Base = Base {
    replicas: &[5],
    members: 5,
    time_ns: 20 * SECOND,
    events: 10_000,
    plan_ns: 12 * SECOND,
    think: milliseconds(50, 400),
    swarm: Swarm { sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
    ..DEFAULT
};

const HOLDS: &[&str] = &["reconfiguration_safety", "quorum_commit", "vsr_view_change_safety"];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "reconfig_add_replicas",
        aliases: &[],
        phase: 10,
        purpose: "two members that do not vote become voters: 3 to 5",
        base: Base { replicas: &[3], ..FIVE },
        script: &[Inject::AddVoters, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "both new voters acknowledged an entry in the new epoch",
        holds: HOLDS,
    },
    Scenario {
        name: "reconfig_remove_replicas",
        aliases: &[],
        phase: 10,
        purpose: "two of five voters are removed, the primary among them on half of the seeds",
        base: FIVE,
        script: &[Inject::RemoveVoters, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a removed member that had voted replicates and does not vote any more",
        holds: HOLDS,
    },
    Scenario {
        name: "reconfig_during_partition",
        aliases: &[],
        phase: 10,
        purpose: "the membership changes, 3 to 5 and 5 to 3, while a minority is cut off",
        base: Base {
            replicas: &[3, 5],
            time_ns: 30 * SECOND,
            events: 15_000,
            plan_ns: 18 * SECOND,
            swarm: Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..FIVE
        },
        script: &[Inject::ChangeWhileCut, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "an epoch began while a partition stopped messages",
        holds: HOLDS,
    },
    Scenario {
        name: "reconfig_during_view_change",
        aliases: &[],
        phase: 10,
        purpose: "the membership is to change, and the primary crashes before or after it has",
        base: Base {
            replicas: &[3, 5],
            time_ns: 25 * SECOND,
            events: 12_000,
            plan_ns: 15 * SECOND,
            swarm: Swarm { always: CRASH, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..FIVE
        },
        script: &[Inject::ChangeWhileLost, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a view change came between the request for a change and its epoch",
        holds: HOLDS,
    },
    Scenario {
        name: "reconfig_concurrent_requests",
        aliases: &[],
        phase: 10,
        purpose: "two administrators want different voters at the same time",
        base: Base { replicas: &[3, 5], ..FIVE },
        script: &[Inject::RivalChanges, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a change was refused because another one was not committed yet, and an epoch began",
        holds: HOLDS,
    },
    Scenario {
        name: "reconfig_replaced_disk",
        aliases: &[],
        phase: 10,
        purpose: "the membership changes, and disks of voters are replaced, while a minority is cut off and replicas crash",
        base: Base {
            replicas: &[3, 5],
            time_ns: 30 * SECOND,
            events: 20_000,
            plan_ns: 18 * SECOND,
            drop: Rates(Rate::NEVER, Rate::percent(5)),
            duplicate: Rates(Rate::NEVER, Rate::percent(2)),
            crashes: 4,
            swarm: Swarm { always: NETWORK_AND_CRASH, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..FIVE
        },
        script: &[Inject::ChangeWhileCut, Inject::Replacements, Inject::Crashes, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a replica whose disk had been replaced voted for an entry later, and an epoch began",
        holds: &["reconfiguration_safety", "vsr_recovery_safety", "quorum_commit"],
    },
];
