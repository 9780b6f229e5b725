//! Phase 7: clients that forget, are forgotten, or come at the wrong time.

use super::defaults::{CLIENT_AND_LOAD, DEFAULT, milliseconds};
use crate::options::{Families, Rate, SECOND};
use crate::scenario::{Base, Inject, Rates, Scenario, Swarm};

const NETWORK_AND_CLIENT: Families = Families { network: true, client: true, ..Families::NONE };
const LOAD: Families = Families { load: true, ..Families::NONE };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "client_session_crash",
        aliases: &[],
        phase: 7,
        purpose: "clients crash and begin anew, their request numbers reset",
        base: Base {
            time_ns: 15 * SECOND,
            events: 40_000,
            plan_ns: 12 * SECOND,
            drop: Rates::fixed(Rate::percent(5)),
            duplicate: Rates::fixed(Rate::percent(2)),
            client_crashes: 40,
            swarm: Swarm { always: NETWORK_AND_CLIENT, sometimes: LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::ClientRestarts, Inject::LoadBursts],
        evidence: "a client that had crashed used a request number again, in another session",
        holds: &["client_session", "idempotency"],
    },
    Scenario {
        name: "client_session_view_change_lockout",
        aliases: &[],
        phase: 7,
        purpose: "registrations that a primary has prepared and cannot commit before the view changes",
        base: Base {
            time_ns: 20 * SECOND,
            events: 35_000,
            plan_ns: 16 * SECOND,
            latency: milliseconds(1, 10),
            drop: Rates::fixed(Rate::percent(15)),
            think: milliseconds(0, 20),
            swarm: Swarm { always: NETWORK_AND_CLIENT, sometimes: LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::Registrations, Inject::LoadBursts],
        evidence: "a view changed between the prepare of a registration and its commit, and that client was served again",
        holds: &["client_session", "liveness"],
    },
    Scenario {
        name: "client_session_eviction",
        aliases: &[],
        phase: 7,
        purpose: "more clients than the session table has room for",
        base: Base {
            time_ns: 15 * SECOND,
            events: 100_000,
            plan_ns: 12 * SECOND,
            tenants: 3,
            clients_per_tenant: 12,
            think: milliseconds(0, 120),
            swarm: Swarm { sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a session was evicted, its client was told, registered again and was served",
        holds: &["client_session", "idempotency"],
    },
];
