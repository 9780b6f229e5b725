//! Proof that a run exercised what its scenario's name promises.
//!
//! A scenario that is only a name for a drop rate proves nothing. Each condition is tested on the recorded rows of one run,
//! never on what was planned.

mod conditions;

use crate::index::RunIndex;
use conditions as test;
use vopr_schema::Kind;

/// What one run shows of its scenario's promise.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// What is missing, in words; empty when all is there.
    pub missing: Vec<&'static str>,
}

impl Evidence {
    /// Whether nothing is missing.
    #[must_use]
    pub fn exercised(&self) -> bool {
        self.missing.is_empty()
    }
}

/// One condition over the rows of one run.
#[derive(Debug)]
pub struct Condition {
    /// What must have happened, in words.
    pub words: &'static str,
    /// Whether it did.
    pub holds: fn(&RunIndex<'_>) -> bool,
}

/// What a scenario's runs must show.
#[derive(Debug)]
pub struct Promise {
    /// Canonical name of the scenario.
    pub scenario: &'static str,
    /// All of these.
    pub conditions: &'static [Condition],
}

/// The promises of all scenarios.
pub const PROMISES: &[Promise] = &[
    Promise {
        scenario: "baseline",
        conditions: &[
            Condition { words: "no fault was injected", holds: test::no_fault },
            Condition { words: "at least 300 operations were acknowledged", holds: test::three_hundred_acknowledged },
        ],
    },
    Promise {
        scenario: "swizzle_clogging",
        conditions: &[
            Condition { words: "at least 10 intervals in which a link was clogged", holds: test::ten_clogs },
            Condition { words: "a message delivered late because its link was clogged", holds: test::late_by_clog },
        ],
    },
    Promise {
        scenario: "gray_failures",
        conditions: &[Condition { words: "at least 2 of the 4 gray modes", holds: test::two_gray_modes }],
    },
    Promise {
        scenario: "multi_tenant_isolation",
        conditions: &[
            Condition { words: "every tenant had an operation concurrent with another tenant's", holds: test::tenants_concurrent },
            Condition { words: "a fault aimed at every tenant", holds: test::every_tenant_hit },
        ],
    },
    Promise {
        scenario: "time_compression",
        conditions: &[
            Condition { words: "a checkpoint was taken", holds: test::checkpoint_taken },
            Condition { words: "the log was trimmed", holds: test::log_trimmed },
        ],
    },
    Promise {
        scenario: "combined",
        conditions: &[Condition {
            words: "at least 4 of the 5 families network, storage, crash, clock, byzantine",
            holds: test::four_families,
        }],
    },
    Promise {
        scenario: "crash_during_commit",
        conditions: &[Condition {
            words: "a crash between commit and apply, or between apply and reply",
            holds: test::crash_during_commit,
        }],
    },
    Promise {
        scenario: "crash_during_view_change",
        conditions: &[Condition { words: "a crash inside a view change", holds: test::crash_during_view_change }],
    },
    Promise {
        scenario: "gray_failure_intermittent_network",
        conditions: &[Condition { words: "a one-way partition that stopped a message", holds: test::one_way_partition }],
    },
];

/// The kinds of rows that the conditions read.
pub const KINDS: [Kind; 4] = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Fault];

/// What the run shows of its scenario's promise; none when the scenario is not in the table.
#[must_use]
pub fn of_run(index: &RunIndex<'_>) -> Option<Evidence> {
    let promise = PROMISES.iter().find(|promise| promise.scenario == index.meta().scenario)?;
    let missing = promise.conditions.iter().filter(|condition| !(condition.holds)(index)).map(|condition| condition.words).collect();
    Some(Evidence { missing })
}
