//! Isolation of transactions, judged from what clients saw: which anomalies there are, and which levels hold.
//!
//! The order of versions is inferred from the reads (lists), or from unique values and a recorded order (registers); with it
//! transactions depend on one another, and a cycle of dependencies is an anomaly with a standard name. After Adya ("Weak
//! Consistency", MIT 1999) and Elle (Kingsbury & Alvaro, VLDB 2020).

mod analyze;
mod anomaly;
pub mod bank;
mod certificate;
mod cycles;
mod explain;
mod findings;
mod graph;
mod history;
mod level;
mod lists;
pub mod oracle;
mod partial;
mod registers;
#[cfg(test)]
mod tests;

pub use analyze::analyze;

use serde::{Deserialize, Serialize};

pub use anomaly::{Anomaly, AnomalyKind, CycleKind};
pub use history::{Micro, NEVER, Names, Outcome, Transaction, Transactions};
pub use level::{Level, Order, Standing};

/// What a reader of a history must know to infer the order of versions of registers; lists need none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What else orders the versions of one register.
    pub key_order: KeyOrder,
    /// A value that was read and that no transaction of the history wrote: somebody outside of it wrote it at a time that is not
    /// known (as Elle has it), or else it is an anomaly.
    pub unseen_writers: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { key_order: KeyOrder::None, unseen_writers: true }
    }
}

/// What is known of each register by itself, whatever is known of transactions over several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrder {
    /// Nothing.
    #[default]
    None,
    /// Each process sees and writes the versions of a register in order (`:sequential-keys?`).
    Sequential,
    /// Each register is linearizable (`:linearizable-keys?`).
    Linearizable,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// One anomaly of each kind that was found, worst first.
    pub anomalies: Vec<Anomaly>,
    /// What is not known, in words: why levels that nothing refutes are undecided.
    pub doubts: Vec<String>,
    /// Facts: reads whose version is known.
    pub facts: u64,
    standings: [Standing; Level::ALL.len()],
}

impl Analysis {
    /// What the history says about a level.
    #[must_use]
    pub fn standing(&self, level: Level) -> Standing {
        self.standings[level as usize]
    }

    /// The anomaly that refutes the weakest level.
    #[must_use]
    pub fn worst(&self) -> Option<&Anomaly> {
        self.anomalies.iter().min_by_key(|anomaly| anomaly.kind.refutes().iter().min().copied())
    }

    /// The strongest levels that hold: none of them implies another one.
    #[must_use]
    pub fn strongest(&self) -> Vec<Level> {
        let holds = |level: &Level| self.standing(*level) == Standing::Holds;
        let weaker = |level: Level| Level::ALL.into_iter().any(|other| other != level && holds(&other) && other.implies(level));
        Level::ALL.into_iter().filter(holds).filter(|level| !weaker(*level)).collect()
    }

    /// The weakest levels that are refuted: none of them implies another one. What Elle prints as `:not`.
    #[must_use]
    pub fn refuted(&self) -> Vec<Level> {
        let refuted = |level: &Level| self.standing(*level) == Standing::Refuted;
        let stronger = |level: Level| Level::ALL.into_iter().any(|other| other != level && refuted(&other) && level.implies(other));
        Level::ALL.into_iter().filter(refuted).filter(|level| !stronger(*level)).collect()
    }
}
