//! Phase 4: failures that are neither up nor down.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, NETWORK, milliseconds};
use crate::options::{Families, Rate};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "gray_failure_intermittent_network",
        aliases: &[],
        phase: 4,
        purpose: "partitions that come and go: full, partial, asymmetric, one-way",
        base: Base {
            events: 25_000,
            latency: milliseconds(1, 20),
            drop: Rates::fixed(Rate::percent(10)),
            duplicate: Rates::fixed(Rate::percent(5)),
            partition: Rate::percent(15),
            swarm: Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            readers: 1,
            ..DEFAULT
        },
        script: &[Inject::Partitions, Inject::LonelyPrimaries, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "at least one one-way partition (all four kinds over 20 seeds)",
        holds: &["leader_uniqueness", "liveness"],
    },
    Scenario {
        name: "gray_failure_slow_disk",
        aliases: &[],
        phase: 4,
        purpose: "a tenth of a disk's accesses takes up to a second: the primary's, then a backup's",
        base: Base {
            slow_disk: (Rate::percent(10), milliseconds(100, 1_000)),
            swarm: Swarm { always: Families { storage: true, ..Families::NONE }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::SlowDisks, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "an access of the primary's own disk took 100 ms or longer",
        holds: &["liveness"],
    },
    Scenario {
        name: "quorum_reads",
        aliases: &[],
        phase: 4,
        purpose: "reads without a log entry, while primaries are cut off, crash and are replaced",
        base: Base {
            events: 25_000,
            latency: milliseconds(1, 10),
            drop: Rates::fixed(Rate::percent(5)),
            partition: Rate::percent(15),
            crashes: 2,
            swarm: Swarm { always: Families { crash: true, ..NETWORK }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            readers: 1,
            quorum_reads: true,
            ..DEFAULT
        },
        script: &[Inject::Partitions, Inject::LonelyPrimaries, Inject::PrimaryLoss, Inject::Crashes, Inject::ClientFaults],
        evidence: "a read was answered without an entry after a quorum had confirmed who leads, and a view change was completed",
        holds: &["linearizability", "monotonic_reads", "read_your_writes"],
    },
];
