//! Phase 3: crashes where they hurt, and restarts from a damaged disk.

use super::defaults::{CLIENT_AND_LOAD, CRASH, DEFAULT, NETWORK_AND_CRASH, milliseconds, up_to};
use crate::options::{Families, Rate, SECOND};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "crash_during_commit",
        aliases: &[],
        phase: 3,
        purpose: "crashes between commit and apply, and between apply and reply",
        base: Base {
            crash_per_commit: Rate::percent(5),
            restart: milliseconds(50, 1_000),
            swarm: Swarm {
                always: CRASH,
                sometimes: Families { client: true, load: true, storage: true, ..Families::NONE },
                ..Swarm::NONE
            },
            write_failure: up_to(1),
            flush_failure: up_to(1),
            ..DEFAULT
        },
        script: &[Inject::ClientFaults, Inject::LoadBursts],
        evidence: "at least one crash between commit and apply, or between apply and reply",
        holds: &["commit_monotonicity", "idempotency", "vsr_recovery_safety"],
    },
    Scenario {
        name: "crash_during_view_change",
        aliases: &[],
        phase: 3,
        purpose: "crashes at each step of a view change",
        base: Base {
            events: 25_000,
            drop: Rates::fixed(Rate::percent(10)),
            crash_per_view_change_step: Rate::percent(10),
            below_quorum: true,
            restart: milliseconds(50, 400),
            primary_loss: milliseconds(1_400, 2_600),
            swarm: Swarm { always: NETWORK_AND_CRASH, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            readers: 1,
            ..DEFAULT
        },
        script: &[Inject::PrimaryLoss, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a crash inside a view change",
        holds: &["view_monotonicity", "vsr_recovery_safety"],
    },
    Scenario {
        name: "recovery_corrupt_log",
        aliases: &[],
        phase: 3,
        purpose: "a share of a log's entries goes bad while its replica is down",
        base: Base {
            events: 15_000,
            plan_ns: 6 * SECOND,
            crashes: 5,
            restart: milliseconds(50, 600),
            log_damage: Rates(Rate::percent(3), Rate::percent(5)),
            swarm: Swarm { always: Families { storage: true, crash: true, ..Families::NONE }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::Restarts, Inject::LastCopies, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a restarted replica found an entry that had gone bad while it was down",
        holds: &["hash_chain", "vsr_recovery_safety"],
    },
    Scenario {
        name: "recovery_reformatted_replica",
        aliases: &["reformat"],
        phase: 3,
        purpose: "a replica comes back with an empty disk when its vote would decide, and is to vote again later",
        base: Base {
            replicas: &[3, 5],
            time_ns: 20 * SECOND,
            events: 25_000,
            plan_ns: 14 * SECOND,
            think: milliseconds(0, 60),
            swarm: Swarm { always: NETWORK_AND_CRASH, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::Replacements, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a replica whose disk had been replaced voted for an entry later",
        holds: &["vsr_recovery_safety", "vsr_durability"],
    },
];
