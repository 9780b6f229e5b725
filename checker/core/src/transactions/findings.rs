//! What an inference over one history brings to light: dependencies, anomalies that need no graph, and doubts.
//!
//! Lists and registers fill the same findings, so that one history may hold both.

use super::anomaly::{Anomaly, AnomalyKind};
use super::graph::Graph;
use super::history::{Outcome, Transactions};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub graph: Graph,
    /// Keys of edges, by number.
    pub keys: Vec<u64>,
    /// The first anomaly of each kind.
    pub anomalies: BTreeMap<AnomalyKind, Anomaly>,
    pub doubts: Vec<String>,
    /// Reads whose version is known.
    pub facts: u64,
    /// Some committed writes to one key follow all that was read, in an order that is not known.
    pub unordered: bool,
}

impl Findings {
    /// All committed transactions, and those of unknown outcome that `observed` names.
    pub fn new(history: &Transactions, observed: &[bool]) -> Self {
        let included = history.transactions().iter().zip(observed).map(|(row, observed)| match row.outcome {
            Outcome::Committed => true,
            Outcome::Unknown => *observed || row.position.is_some(),
            Outcome::Aborted => false,
        });
        let included: Vec<bool> = included.collect();
        Self { graph: Graph { nodes: included.len(), included, ..Graph::default() }, ..Self::default() }
    }

    /// One more anomaly of a kind: the first one is told, all are counted.
    pub fn anomaly(&mut self, kind: AnomalyKind, transactions: &[usize], summary: impl FnOnce() -> String) {
        let found = self.anomalies.entry(kind).or_insert_with(|| Anomaly {
            kind,
            summary: summary(),
            transactions: transactions.to_vec(),
            reasons: Vec::new(),
            count: 0,
        });
        found.count += 1;
    }

    /// A doubt, told once however often it arises.
    pub fn doubt(&mut self, doubt: &str) {
        if !self.doubts.iter().any(|known| known == doubt) {
            self.doubts.push(doubt.to_owned());
        }
    }

    pub fn is_included(&self, transaction: u32) -> bool {
        self.graph.included.get(transaction as usize).copied().unwrap_or(false)
    }
}
