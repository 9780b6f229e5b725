//! Phase 9: scrubbers, which read what nobody asks for.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, milliseconds};
use crate::options::{Families, MILLISECOND, Rate, SECOND};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

/// What the scenarios of this phase share: ten reads every ten milliseconds, a tour of a ring in a third of a second.
const SCRUBBED: Base = Base { scrub_tick_ns: 10 * MILLISECOND, ..DEFAULT };

const STORAGE: Families = Families { storage: true, ..Families::NONE };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "scrub_detects_corruption",
        aliases: &[],
        phase: 9,
        purpose: "entries that were committed long ago go bad, and no request reads them",
        base: Base {
            events: 10_000,
            plan_ns: 6 * SECOND,
            think: milliseconds(0, 160),
            swarm: Swarm { always: STORAGE, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..SCRUBBED
        },
        script: &[Inject::ColdDamage, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "an entry went bad after its commit, and the scrubber of its replica found it",
        holds: &["scrub_tour", "corruption_detection"],
    },
    Scenario {
        name: "scrub_completes_tour",
        aliases: &[],
        phase: 9,
        purpose: "a log of more than 5,000 entries is seen whole; one replica, because three would need more events to write so many",
        base: Base { replicas: &[1], time_ns: 30 * SECOND, events: 50_000, plan_ns: 27 * SECOND, log_slots: 8_192, ..SCRUBBED },
        script: &[],
        evidence: "a tour went over more than 5,000 entries",
        holds: &["scrub_tour"],
    },
    Scenario {
        name: "scrub_rate_limited",
        aliases: &[],
        phase: 9,
        purpose: "scrubbers beside a load that leaves the disks little rest",
        base: Base {
            time_ns: 20 * SECOND,
            events: 100_000,
            plan_ns: 18 * SECOND,
            swarm: Swarm { always: Families { load: true, ..Families::NONE }, ..Swarm::NONE },
            ..SCRUBBED
        },
        script: &[Inject::LoadBursts],
        evidence: "every scrubber ended five tours while a thousand operations were served",
        holds: &["scrub_rate", "scrub_tour"],
    },
    Scenario {
        name: "scrub_triggers_repair",
        aliases: &[],
        phase: 9,
        purpose: "what the scrubber finds damaged comes back from a peer, on links that lose messages",
        base: Base {
            time_ns: 15 * SECOND,
            plan_ns: 15 * SECOND,
            drop: Rates::fixed(Rate::percent(2)),
            think: milliseconds(0, 100),
            swarm: Swarm { always: Families { network: true, ..STORAGE }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..SCRUBBED
        },
        script: &[Inject::ColdDamage, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "the scrubber found a damaged entry, a peer handed it over, and it was written anew",
        holds: &["repair_completion", "repair_safety"],
    },
];
