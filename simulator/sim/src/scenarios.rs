//! The registry: one row per scenario. Adding a scenario adds a row, not a branch.

use crate::options::{Families, MILLISECOND, Mix, Rate, SECOND};
use crate::scenario::{Base, CloggerDraw, Inject, Rates, Scenario, Swarm, Times};

/// All scenarios, in the order of their phases.
#[must_use]
pub fn all() -> &'static [Scenario] {
    &SCENARIOS
}

/// The mixed workload: a bit of everything, most of it on registers.
const MIXED: Mix = Mix {
    write: 22,
    read: 24,
    read_modify_write: 10,
    compare_and_set: 10,
    scan: 4,
    stream_append: 8,
    stream_read: 5,
    transfer: 8,
    balance: 3,
    transaction: 6,
};

const fn milliseconds(low: u64, high: u64) -> Times {
    Times(low * MILLISECOND, high * MILLISECOND)
}

/// Up to so many percent.
const fn up_to(percent: u32) -> Rates {
    Rates(Rate::NEVER, Rate::percent(percent))
}

const NETWORK: Families = Families { network: true, ..Families::NONE };
const CRASH: Families = Families { crash: true, ..Families::NONE };
const CLIENT_AND_LOAD: Families = Families { client: true, load: true, ..Families::NONE };

/// What holds where a row says nothing.
const DEFAULT: Base = Base {
    replicas: &[3],
    tenants: 1,
    clients_per_tenant: 4,
    time_ns: 10 * SECOND,
    events: 20_000,
    plan_ns: 9 * SECOND,
    compression: 1,
    swarm: Swarm::NONE,
    latency: milliseconds(1, 5),
    drop: Rates::NEVER,
    duplicate: Rates::NEVER,
    clogger: CloggerDraw::Off,
    clog_tick_ns: 200 * MILLISECOND,
    partition: Rate::NEVER,
    write_failure: Rates::NEVER,
    flush_failure: Rates::NEVER,
    corruption: Rates::NEVER,
    gray_fail: Rate::NEVER,
    gray_recover: Rate::ALWAYS,
    gray_tick_ns: 200 * MILLISECOND,
    crashes: 0,
    restart: milliseconds(50, 2_000),
    crash_per_commit: Rate::NEVER,
    crash_per_view_change_step: Rate::NEVER,
    below_quorum: false,
    primary_loss: milliseconds(1_500, 3_000),
    mutation: Rates::NEVER,
    client_crashes: 3,
    think: milliseconds(0, 20),
    rest: (Rate::NEVER, 0),
    mix: MIXED,
    readers: 0,
};

static SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "baseline",
        aliases: &[],
        phase: 0,
        purpose: "no fault: the reference for latency and throughput",
        base: Base { events: 10_000, ..DEFAULT },
        script: &[],
        evidence: "no fault injected; at least 300 operations acknowledged",
        holds: &[],
    },
    Scenario {
        name: "swizzle_clogging",
        aliases: &["swizzle"],
        phase: 0,
        purpose: "links flap between clogged and clear",
        base: Base {
            events: 15_000,
            latency: milliseconds(1, 10),
            drop: Rates::fixed(Rate::percent(5)),
            duplicate: Rates::fixed(Rate::percent(2)),
            clogger: CloggerDraw::Either,
            swarm: Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::Clogs, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "at least 10 clogged intervals; messages delivered late because of one",
        holds: &["durability_of_acknowledged", "linearizability"],
    },
    Scenario {
        name: "gray_failures",
        aliases: &["gray"],
        phase: 0,
        purpose: "replicas that are alive but slow, flaky, half-working or silent",
        base: Base {
            events: 15_000,
            latency: milliseconds(1, 20),
            drop: Rates::fixed(Rate::percent(2)),
            gray_fail: Rate::percent(10),
            gray_recover: Rate::percent(30),
            swarm: Swarm { always: NETWORK, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[Inject::Grays, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "at least 2 of the 4 gray modes in the run (all 4 over 20 seeds)",
        holds: &["liveness"],
    },
    Scenario {
        name: "multi_tenant_isolation",
        aliases: &["multi-tenant"],
        phase: 0,
        purpose: "five tenants side by side, faults aimed at one tenant's clients",
        base: Base {
            tenants: 5,
            clients_per_tenant: 3,
            time_ns: 15 * SECOND,
            events: 25_000,
            plan_ns: 12 * SECOND,
            latency: milliseconds(1, 10),
            drop: up_to(5),
            duplicate: up_to(2),
            write_failure: up_to(1),
            flush_failure: up_to(1),
            corruption: Rates(Rate::NEVER, Rate(1_000)),
            clogger: CloggerDraw::Mild,
            gray_fail: Rate::percent(5),
            gray_recover: Rate::percent(40),
            think: milliseconds(0, 60),
            rest: (Rate::percent(8), SECOND),
            swarm: Swarm {
                always: Families { network: true, storage: true, client: true, ..Families::NONE },
                sometimes: Families { load: true, ..Families::NONE },
                ..Swarm::NONE
            },
            ..DEFAULT
        },
        script: &[Inject::TenantFaults, Inject::Clogs, Inject::Grays, Inject::Damage, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "every tenant has operations concurrent with another tenant's, and a fault aimed at its clients",
        holds: &["tenant_isolation", "linearizability"],
    },
    Scenario {
        name: "time_compression",
        aliases: &["time-compression"],
        phase: 0,
        purpose: "all delays divided by ten: the same behaviour, through checkpoints and log wrap",
        base: Base {
            time_ns: 100 * SECOND,
            events: 50_000,
            compression: 10,
            drop: Rates::fixed(Rate::percent(1)),
            swarm: Swarm { always: NETWORK, ..Swarm::NONE },
            ..DEFAULT
        },
        script: &[],
        evidence: "a checkpoint taken and the log trimmed",
        holds: &["commit_history", "replica_consistency"],
    },
    Scenario {
        name: "combined",
        aliases: &[],
        phase: 0,
        purpose: "every family of faults at once",
        base: Base {
            replicas: &[3, 5],
            tenants: 3,
            clients_per_tenant: 3,
            time_ns: 50 * SECOND,
            events: 30_000,
            plan_ns: 12 * SECOND,
            compression: 5,
            latency: milliseconds(1, 50),
            drop: up_to(10),
            duplicate: up_to(5),
            write_failure: up_to(2),
            flush_failure: up_to(2),
            corruption: Rates(Rate::NEVER, Rate(2_000)),
            clogger: CloggerDraw::Either,
            clog_tick_ns: 500 * MILLISECOND,
            gray_fail: Rate::percent(15),
            gray_recover: Rate::percent(25),
            gray_tick_ns: SECOND,
            partition: Rate::percent(5),
            crashes: 8,
            primary_loss: milliseconds(4_000, 12_000),
            mutation: Rates(Rate(1_000), Rate(10_000)),
            think: milliseconds(0, 100),
            rest: (Rate::percent(5), 4 * SECOND),
            swarm: Swarm {
                all_but_one: Families { client: false, load: false, ..Families::ALL },
                sometimes: CLIENT_AND_LOAD,
                ..Swarm::NONE
            },
            ..DEFAULT
        },
        script: &[
            Inject::Clogs,
            Inject::Grays,
            Inject::Partitions,
            Inject::Crashes,
            Inject::PrimaryLoss,
            Inject::Clocks,
            Inject::Damage,
            Inject::Misplaced,
            Inject::ClientFaults,
            Inject::LoadBursts,
        ],
        evidence: "faults of at least 4 of the families network, storage, crash, clock, byzantine",
        holds: &["linearizability", "vsr_agreement", "quorum_commit", "liveness"],
    },
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
            swarm: Swarm { always: Families { network: true, crash: true, ..Families::NONE }, sometimes: CLIENT_AND_LOAD, ..Swarm::NONE },
            readers: 1,
            ..DEFAULT
        },
        script: &[Inject::PrimaryLoss, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "a crash inside a view change",
        holds: &["view_monotonicity", "vsr_recovery_safety"],
    },
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
        script: &[Inject::Partitions, Inject::ClientFaults, Inject::LoadBursts],
        evidence: "at least one one-way partition (all four kinds over 20 seeds)",
        holds: &["leader_uniqueness", "liveness"],
    },
];

/// A selection that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No scenario has this name or alias.
    #[error("no scenario is called {name:?}{}", .suggestion.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name, if one is near.
        suggestion: Option<&'static str>,
    },
    /// No scenario belongs to this phase.
    #[error("no scenario belongs to phase {0:?}")]
    NoSuchPhase(String),
    /// Nothing was named.
    #[error("no scenario is named")]
    Nothing,
}

/// The scenario with this name or alias; hyphens and underscores are alike.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    all().iter().find(|scenario| names(scenario).any(|known| known.replace('-', "_") == name))
}

/// The scenarios of a comma-separated list of names, aliases, `phase:N` and `all`, each once, in the order asked for.
///
/// # Errors
/// A part names nothing.
pub fn select(list: &str) -> Result<Vec<&'static Scenario>, SelectionError> {
    let mut selected: Vec<&'static Scenario> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let found: Vec<&'static Scenario> = if part == "all" {
            all().iter().collect()
        } else if let Some(phase) = part.strip_prefix("phase:") {
            all().iter().filter(|scenario| phase.parse() == Ok(scenario.phase)).collect()
        } else {
            find(part).into_iter().collect()
        };
        if found.is_empty() {
            return Err(match part.strip_prefix("phase:") {
                Some(phase) => SelectionError::NoSuchPhase(phase.to_owned()),
                None => SelectionError::Unknown { name: part.to_owned(), suggestion: suggest(part) },
            });
        }
        for scenario in found {
            if !selected.iter().any(|other| other.name == scenario.name) {
                selected.push(scenario);
            }
        }
    }
    if selected.is_empty() { Err(SelectionError::Nothing) } else { Ok(selected) }
}

fn names(scenario: &'static Scenario) -> impl Iterator<Item = &'static str> {
    core::iter::once(scenario.name).chain(scenario.aliases.iter().copied())
}

/// The nearest name, at most a third of whose letters are wrong.
fn suggest(name: &str) -> Option<&'static str> {
    crate::nearest::nearest(name, all().iter().flat_map(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_unique_and_found() {
        let mut seen = std::collections::BTreeSet::new();
        for scenario in all() {
            for name in names(scenario) {
                assert!(seen.insert(name), "{name} twice");
                assert_eq!(find(name).map(|found| found.name), Some(scenario.name));
            }
        }
        assert_eq!(find("Time_Compression").map(|found| found.name), Some("time_compression"));
    }

    #[test]
    fn a_list_selects_each_scenario_once_in_order() {
        let selected = |list| select(list).map(|found| found.iter().map(|scenario| scenario.name).collect::<Vec<_>>());
        assert_eq!(selected("gray, swizzle,gray_failures"), Ok(vec!["gray_failures", "swizzle_clogging"]));
        assert_eq!(selected("phase:3"), Ok(vec!["crash_during_commit", "crash_during_view_change"]));
        assert_eq!(selected("baseline,all").map(|all| all.len()), Ok(all().len()));
        assert_eq!(selected(" , "), Err(SelectionError::Nothing));
        assert_eq!(selected("phase:77"), Err(SelectionError::NoSuchPhase("77".to_owned())));
    }

    #[test]
    fn a_mistyped_name_is_answered_with_the_nearest_one() {
        let message = |name| select(name).expect_err("no such scenario").to_string();
        assert_eq!(message("basline"), "no scenario is called \"basline\"; did you mean baseline?");
        assert_eq!(message("gray-failure"), "no scenario is called \"gray-failure\"; did you mean gray_failures?");
        assert_eq!(message("zzzzzz"), "no scenario is called \"zzzzzz\"");
    }
}
