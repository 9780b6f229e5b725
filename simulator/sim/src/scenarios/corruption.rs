//! Phase 2: damaged messages and damaged disks.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, milliseconds};
use crate::options::{Families, Rate, SECOND};
use crate::scenario::{Base, Inject, MutationKinds, Rates, Scenario, Swarm};

/// What the scenarios of this phase share: short outages, so that damage is read soon after it was done.
const DAMAGED: Base = Base { events: 15_000, plan_ns: 6 * SECOND, restart: milliseconds(50, 400), ..DEFAULT };

const STORAGE_AND_CRASH: Families = Families { storage: true, crash: true, ..Families::NONE };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "corruption_bit_flip",
        aliases: &[],
        phase: 2,
        purpose: "flipped bits in messages and in stored entries",
        base: Base {
            mutation: Rates::fixed(Rate::percent(1)),
            mutation_kinds: MutationKinds::BitFlips,
            corruption: Rates::fixed(Rate::percent(1)),
            crashes: 5,
            swarm: Swarm {
                always: Families { byzantine: true, storage: true, crash: true, ..Families::NONE },
                sometimes: CLIENT_AND_LOAD,
                ..Swarm::NONE
            },
            ..DAMAGED
        },
        script: &[Inject::Restarts, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "messages with flipped bits arrived and were all refused; a flipped stored entry was found by its replica",
        holds: &["corruption_detection", "hash_chain"],
    },
    Scenario {
        name: "corruption_checksum_validation",
        aliases: &[],
        phase: 2,
        purpose: "every kind of damage to messages (flipped bits, cut tails, inserted bytes, false checksums), and damaged entries on disks",
        base: Base {
            mutation: Rates::fixed(Rate::percent(5)),
            mutation_kinds: MutationKinds::AllDamage,
            corruption: Rates::fixed(Rate::percent(1)),
            crashes: 5,
            swarm: Swarm { always: Families { byzantine: true, ..STORAGE_AND_CRASH }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DAMAGED
        },
        script: &[Inject::Restarts, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a message of each of the 4 kinds of damage arrived; all of them were refused, and no other for its checksum",
        holds: &["corruption_detection", "byzantine_rejection"],
    },
    Scenario {
        name: "corruption_silent_disk_failure",
        aliases: &[],
        phase: 2,
        purpose: "disks that answer old or foreign entries without an error",
        base: Base {
            silent_read: Rates(Rate::percent(1), Rate::percent(2)),
            write_failure: Rates::fixed(Rate::percent(1)),
            crashes: 6,
            swarm: Swarm { always: STORAGE_AND_CRASH, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DAMAGED
        },
        script: &[Inject::Restarts, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a read answered an older entry without an error, and a replica found a misplaced entry",
        holds: &["hash_chain", "repair_completion"],
    },
    Scenario {
        name: "corruption_torn_write",
        aliases: &[],
        phase: 2,
        purpose: "crashes in the middle of writes",
        base: Base {
            crash_per_write: Rate::percent(5),
            write_failure: Rates::fixed(Rate::percent(2)),
            swarm: Swarm { always: STORAGE_AND_CRASH, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DAMAGED
        },
        script: &[Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a crash tore a write, and its replica found the torn entry at its restart",
        holds: &["vsr_recovery_safety", "corruption_detection"],
    },
];
