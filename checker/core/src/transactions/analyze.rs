//! The course of an analysis: infer, order, and where there is no order, find out why.
//!
//! A serial order that respects real time proves everything at once; only a history without one is searched for cycles.

use super::anomaly::{Anomaly, AnomalyKind, CycleKind};
use super::cycles::{Cycle, Found, Searcher, Wanted, classify};
use super::findings::Findings;
use super::graph::{ALL, FREE, Graph, Rows, SESSION, TIME, WR, WW, add_real_time_edges, add_session_edges, serial_order};
use super::level::{Level, Order, Standing};
use super::lists::Lists;
use super::registers::{Registers, Touch};
use super::{Analysis, Options, Transactions, certificate, explain};
use crate::budget::{Exhausted, Meter};

/// Memory that an analysis takes for each transaction and for each micro-operation, bytes, about.
const BYTES: [u64; 2] = [256, 96];

/// Judges a history.
///
/// # Errors
/// When a limit of time or memory was reached.
pub fn analyze(history: &Transactions, options: &Options, meter: &Meter) -> Result<Analysis, Exhausted> {
    let bytes = BYTES[0] * history.len() as u64 + BYTES[1] * history.micro_operations().len() as u64;
    meter.reserve(bytes)?;
    let analysis = Course::new(history, *options).finish(meter);
    meter.release(bytes);
    analysis
}

struct Course<'a> {
    history: &'a Transactions,
    findings: Findings,
    lists: Lists,
    registers: Registers,
    touches: Vec<Touch>,
    /// Levels at which the search for one kind of cycle was given up.
    given_up: Vec<Level>,
    /// Whether the order of all versions is known, so that what no cycle refutes holds.
    sound: bool,
    /// The strongest level that an order proves.
    proven: Option<Level>,
}

impl<'a> Course<'a> {
    fn new(history: &'a Transactions, options: Options) -> Self {
        let lists = Lists::of(history);
        let registers = Registers::of(history, u32::try_from(lists.keys().len()).unwrap_or(u32::MAX));
        let mut observed = vec![false; history.len()];
        lists.mark_observed(history, &mut observed);
        registers.mark_observed(history, &mut observed);
        let mut findings = Findings::new(history, &observed);
        findings.keys = [lists.keys(), registers.keys.items()].concat();
        lists.infer(history, &mut findings);
        let touches = registers.infer(history, options, &mut findings);
        let sound = findings.doubts.is_empty();
        Self { history, findings, lists, registers, touches, given_up: Vec::new(), sound, proven: None }
    }

    fn finish(mut self, meter: &Meter) -> Result<Analysis, Exhausted> {
        let rows = Rows::new(&self.findings.graph);
        let ordered = serial_order(self.history, &self.findings.graph, &rows, ALL, true).is_some();
        if !ordered {
            self.search(meter)?;
        }
        if self.findings.anomalies.keys().all(|kind| matches!(kind, AnomalyKind::Cycle(..))) {
            self.prove(meter)?;
        }
        Ok(self.conclude())
    }

    /// Looks for cycles of all kinds: first with data alone, then with the order of processes, then with real time.
    fn search(&mut self, meter: &Meter) -> Result<(), Exhausted> {
        for order in Order::ALL {
            match order {
                Order::Data => {}
                Order::Session => add_session_edges(self.history, &mut self.findings.graph),
                Order::RealTime => add_real_time_edges(self.history, &mut self.findings.graph),
            }
            let rows = Rows::new(&self.findings.graph);
            if order != Order::RealTime && serial_order(self.history, &self.findings.graph, &rows, ALL, false).is_some() {
                continue;
            }
            let graph = core::mem::take(&mut self.findings.graph);
            let found = self.search_order(order, (&graph, &rows), meter);
            self.findings.graph = graph;
            for (kind, found) in found? {
                self.note(kind, order, found);
            }
        }
        Ok(())
    }

    /// Cycles of one order, by kind. With time only those that refute what nothing refutes yet.
    fn search_order(&self, order: Order, (graph, rows): (&Graph, &Rows), meter: &Meter) -> Result<Vec<(CycleKind, Found)>, Exhausted> {
        let mut searcher = Searcher::new(graph, rows, meter);
        let mut found: Vec<(CycleKind, Found)> = Vec::new();
        for kind in [CycleKind::G0, CycleKind::G1c, CycleKind::GNonadjacent, CycleKind::GSingle, CycleKind::G2] {
            let target = AnomalyKind::Cycle(kind, order).refutes()[0];
            let here = found.iter().filter(|(_, found)| found.cycle.is_some());
            let refuted = self.is_refuted(target)
                || here.clone().any(|(kind, _)| AnomalyKind::Cycle(*kind, order).refutes().iter().any(|level| target.implies(*level)));
            let needed = match (kind, order) {
                // A shorter cycle with several anti-dependencies does not show whether there is one with a single one.
                (CycleKind::GSingle, Order::Data) => here.clone().any(|(kind, _)| *kind == CycleKind::GNonadjacent),
                (_, Order::Data) => true,
                (CycleKind::GSingle, _) => false,
                _ => !refuted,
            };
            if !needed || self.is_ordered(kind, order, graph, rows) {
                continue;
            }
            let wanted = Wanted { kind, order };
            let cycle = if kind == CycleKind::G2 && order == Order::Data { searcher.find_adjacent()? } else { searcher.find(wanted)? };
            found.push((kind, cycle));
        }
        Ok(found)
    }

    /// Whether a serial order shows at little cost that there is no cycle of a kind.
    fn is_ordered(&self, kind: CycleKind, order: Order, graph: &Graph, rows: &Rows) -> bool {
        let kinds = match kind {
            CycleKind::G0 => WW,
            CycleKind::G1c => WW | WR,
            _ => return false,
        };
        let session = if order == Order::Session { SESSION } else { 0 };
        serial_order(self.history, graph, rows, kinds | FREE | session, order == Order::RealTime).is_some()
    }

    fn is_refuted(&self, level: Level) -> bool {
        let refuting = |kind: &AnomalyKind| kind.refutes().iter().any(|refuted| level.implies(*refuted));
        self.findings.anomalies.keys().any(refuting)
    }

    fn note(&mut self, kind: CycleKind, order: Order, found: Found) {
        let Some(cycle) = found.cycle else {
            if found.given_up {
                self.given_up.push(AnomalyKind::Cycle(kind, order).refutes()[0]);
                self.findings.doubt("a component of the graph is too large to say whether it holds a cycle of each kind");
            }
            return;
        };
        let kind = classify(&self.findings.graph, &cycle);
        let anomaly = self.told(kind, &cycle, found.components);
        let known = self.findings.anomalies.entry(kind).or_insert_with(|| anomaly.clone());
        if known.transactions.len() > anomaly.transactions.len() {
            *known = anomaly;
        }
    }

    fn told(&self, kind: AnomalyKind, cycle: &Cycle, count: u64) -> Anomaly {
        let (transactions, reasons) = explain::tell(self.history, &self.findings, cycle);
        let path: Vec<String> = transactions.iter().chain(transactions.first()).map(|row| format!("T{row}")).collect();
        let summary = format!("{}: no serial order exists, for each must precede the next", path.join(", "));
        Anomaly { kind, summary, transactions, reasons, count }
    }

    /// Where the graph alone proves nothing, an order that explains all reads does.
    fn prove(&mut self, meter: &Meter) -> Result<(), Exhausted> {
        let levels = [
            (Order::RealTime, Level::StrictSerializable),
            (Order::Session, Level::StrongSessionSerializable),
            (Order::Data, Level::Serializable),
        ];
        if self.sound || !self.lists.are_traceable() {
            return Ok(());
        }
        let data = self.findings.graph.edges.iter().filter(|edge| edge.kind & TIME == 0).copied().collect();
        for (order, level) in levels {
            if self.is_refuted(level) || !self.registers.are_traceable(&self.touches) {
                continue;
            }
            let mut graph = Graph { edges: Clone::clone(&data), ..self.findings.graph.clone() };
            if order == Order::Session {
                add_session_edges(self.history, &mut graph);
            }
            let rows = Rows::new(&graph);
            let parts = (&self.registers, &self.touches[..]);
            if certificate::exists(self.history, &graph, &rows, parts, order == Order::RealTime, meter)? {
                self.proven = Some(level);
                break;
            }
        }
        Ok(())
    }

    fn conclude(self) -> Analysis {
        let mut standings = [Standing::Undecided; Level::ALL.len()];
        for level in Level::ALL.into_iter().rev() {
            let base = level.parts().0;
            // Commits whose order nobody saw may have lost each other's updates, which matters where snapshots do.
            let vague = self.findings.unordered && matches!(base, Level::ConsistentView | Level::SnapshotIsolation);
            let implied = self.proven.is_some_and(|proven| proven.implies(level))
                || Level::ALL.into_iter().any(|other| standings[other as usize] == Standing::Holds && other.implies(level));
            standings[level as usize] = match () {
                () if self.is_refuted(level) => Standing::Refuted,
                () if implied || (self.sound && !vague && !self.given_up.contains(&level)) => Standing::Holds,
                () => Standing::Undecided,
            };
        }
        let mut doubts = self.findings.doubts;
        if self.proven == Some(Level::StrictSerializable) {
            doubts.clear();
        }
        let anomalies = self.findings.anomalies.into_values().collect();
        Analysis { anomalies, doubts, facts: self.findings.facts, standings }
    }
}
