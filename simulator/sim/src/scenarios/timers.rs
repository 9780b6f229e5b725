//! Phase 8, second part: every timer of the protocol is made to fire.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, NETWORK, milliseconds};
use crate::options::{Families, Rate, SECOND};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

const NETWORK_ONLY: Swarm = Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "ping_heartbeat",
        aliases: &[],
        phase: 8,
        purpose: "heartbeats in quiet times; pings of backups that have lost their primary",
        base: Base {
            events: 15_000,
            drop: Rates::fixed(Rate::percent(5)),
            think: milliseconds(0, 20),
            rest: (Rate::percent(10), SECOND),
            swarm: NETWORK_ONLY,
            ..DEFAULT
        },
        script: &[Inject::PrimaryCuts, Inject::ClientFaults],
        evidence: "heartbeats reached backups; a backup that missed them pinged, and was answered",
        holds: &["liveness"],
    },
    Scenario {
        name: "commit_message_fallback",
        aliases: &[],
        phase: 8,
        purpose: "without a next prepare, backups learn a commit from the heartbeat",
        base: Base { events: 10_000, drop: Rates::fixed(Rate::percent(10)), think: milliseconds(100, 800), swarm: NETWORK_ONLY, ..DEFAULT },
        script: &[Inject::ClientFaults],
        evidence: "a backup learnt a commit from a commit message",
        holds: &["commit_monotonicity", "liveness"],
    },
    Scenario {
        name: "start_view_change_window",
        aliases: &[],
        phase: 8,
        purpose: "view changes that take longer than their window: the next view is tried",
        base: Base {
            time_ns: 20 * SECOND,
            events: 30_000,
            plan_ns: 16 * SECOND,
            drop: Rates::fixed(Rate::percent(10)),
            think: milliseconds(0, 20),
            swarm: NETWORK_ONLY,
            ..DEFAULT
        },
        script: &[Inject::SplitVotes, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "the window of a view change ran out, and a later view started",
        holds: &["view_monotonicity", "vsr_view_change_safety"],
    },
    Scenario {
        name: "timeout_comprehensive",
        aliases: &[],
        phase: 8,
        purpose: "all timers of the protocol in one run",
        base: Base {
            time_ns: 30 * SECOND,
            events: 50_000,
            plan_ns: 24 * SECOND,
            drop: Rates::fixed(Rate::percent(10)),
            crashes: 5,
            restart: milliseconds(100, 1_000),
            log_damage: Rates(Rate::percent(3), Rate::percent(5)),
            laggards: (1, milliseconds(4_000, 6_000)),
            think: milliseconds(0, 20),
            swarm: Swarm {
                always: Families { network: true, storage: true, crash: true, ..Families::NONE },
                sometimes: CLIENT_AND_LOAD,
                ..Swarm::NONE
            },
            ..DEFAULT
        },
        script: &[Inject::SplitVotes, Inject::Laggards, Inject::Restarts, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "at least 7 of the 10 timers fired (all 10 over 20 seeds)",
        holds: &["liveness", "vsr_view_change_safety"],
    },
];
