//! The graph of dependencies: who must come before whom, and why.
//!
//! Edges are collected in one vector and sorted by counting into rows; the order of real time has no edges until a cycle is looked
//! for, because a serial order that respects it can be found without them.

#![expect(clippy::cast_possible_truncation, reason = "transactions and edges are numbered in 32 bits")]

use super::history::{NEVER, Transaction, Transactions};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Kinds of edges, as bits of a mask.
pub(super) const WW: u8 = 1;
pub(super) const WR: u8 = 2;
pub(super) const RW: u8 = 4;
pub(super) const SESSION: u8 = 8;
pub(super) const REAL_TIME: u8 = 16;
/// An edge that only carries another one on: it leads out of a node that stands for no transaction.
pub(super) const FREE: u8 = 32;

/// All kinds.
pub(super) const ALL: u8 = u8::MAX;

/// Edges of time.
pub(super) const TIME: u8 = SESSION | REAL_TIME;

/// No key: edges of time.
pub(super) const NO_KEY: u32 = u32::MAX;

/// One dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub from: u32,
    pub to: u32,
    /// Number of the key in the inference that made the edge, or [`NO_KEY`].
    pub key: u32,
    pub kind: u8,
}

/// Transactions that take part, and their dependencies. Nodes behind the transactions stand for moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Per transaction, whether it takes part.
    pub included: Vec<bool>,
    pub edges: Vec<Edge>,
    /// All nodes, moments included.
    pub nodes: usize,
}

impl Graph {
    pub fn add(&mut self, from: u32, to: u32, kind: u8, key: u32) {
        self.edges.push(Edge { from, to, key, kind });
    }

    /// A node that stands for a moment.
    pub fn moment(&mut self) -> u32 {
        self.nodes += 1;
        (self.nodes - 1) as u32
    }

    fn takes_part(&self, node: usize) -> bool {
        self.included.get(node).copied().unwrap_or(true)
    }
}

/// Edges sorted by their source.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    starts: Vec<u32>,
    /// Numbers of edges.
    edges: Vec<u32>,
}

impl Rows {
    pub fn new(graph: &Graph) -> Self {
        let mut starts = vec![0_u32; graph.nodes + 1];
        for edge in &graph.edges {
            starts[edge.from as usize + 1] += 1;
        }
        for node in 0..graph.nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut edges = vec![0; graph.edges.len()];
        for (number, edge) in graph.edges.iter().enumerate() {
            let place = &mut next[edge.from as usize];
            edges[*place as usize] = number as u32;
            *place += 1;
        }
        Self { starts, edges }
    }

    #[inline]
    pub fn of(&self, node: u32) -> &[u32] {
        &self.edges[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}

/// Transactions in an order that respects all edges of the kinds allowed and, if asked, real time; none when there is none.
///
/// Real time needs no edges here: a transaction is free when no transaction is left that completed before it was invoked, and of
/// those left one has the earliest completion.
pub(super) fn serial_order(history: &Transactions, graph: &Graph, rows: &Rows, allowed: u8, real_time: bool) -> Option<Vec<u32>> {
    let transactions = history.transactions();
    let mut waits = vec![0_u32; graph.nodes];
    for edge in &graph.edges {
        waits[edge.to as usize] += u32::from(edge.kind & allowed != 0);
    }
    let by_completion = if real_time { completions(transactions, &graph.included) } else { Vec::new() };
    let mut earliest = 0;
    let mut done = vec![false; transactions.len()];
    let mut limit = by_completion.first().map_or(NEVER, |first| transactions[*first as usize].complete);
    let mut blocked: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
    let mut free: Vec<u32> = Vec::new();
    let mut order = Vec::with_capacity(transactions.len());
    let ready = |node: u32, limit: u64, free: &mut Vec<u32>, blocked: &mut BinaryHeap<Reverse<(u64, u32)>>| {
        let invoke = if real_time { transactions.get(node as usize).map_or(0, |row| row.invoke) } else { 0 };
        if invoke <= limit { free.push(node) } else { blocked.push(Reverse((invoke, node))) }
    };
    let sources = (0..graph.nodes).rev().filter(|node| waits[*node] == 0 && graph.takes_part(*node));
    sources.for_each(|node| ready(node as u32, limit, &mut free, &mut blocked));
    while let Some(node) = free.pop() {
        for edge in rows.of(node) {
            let edge = &graph.edges[*edge as usize];
            if edge.kind & allowed == 0 {
                continue;
            }
            let to = edge.to;
            waits[to as usize] -= 1;
            if waits[to as usize] == 0 {
                ready(to, limit, &mut free, &mut blocked);
            }
        }
        let Some(done_row) = done.get_mut(node as usize) else { continue };
        *done_row = true;
        order.push(node);
        while by_completion.get(earliest).is_some_and(|row| done[*row as usize]) {
            earliest += 1;
            limit = by_completion.get(earliest).map_or(NEVER, |row| transactions[*row as usize].complete);
        }
        while blocked.peek().is_some_and(|Reverse((invoke, _))| *invoke <= limit) {
            free.extend(blocked.pop().map(|Reverse((_, node))| node));
        }
    }
    (order.len() == graph.included.iter().filter(|included| **included).count()).then_some(order)
}

/// Included transactions that completed, by completion.
fn completions(transactions: &[Transaction], included: &[bool]) -> Vec<u32> {
    let completed = (0..transactions.len()).filter(|row| included[*row] && transactions[*row].complete != NEVER);
    let mut rows: Vec<u32> = completed.map(|row| row as u32).collect();
    rows.sort_unstable_by_key(|row| transactions[*row as usize].complete);
    rows
}

/// Adds an edge from each transaction to the next one of its process, where the one completed before the other was invoked.
pub(super) fn add_session_edges(history: &Transactions, graph: &mut Graph) {
    for (from, to) in session_pairs(history, &rows_of(graph)) {
        graph.add(from, to, SESSION, NO_KEY);
    }
}

/// Pairs of neighbours in the order of each process among those chosen.
pub(super) fn session_pairs(history: &Transactions, chosen: &[u32]) -> Vec<(u32, u32)> {
    let transactions = history.transactions();
    let mut rows = chosen.to_vec();
    rows.sort_by_key(|row| (transactions[*row as usize].process, transactions[*row as usize].invoke));
    // One of unknown outcome completes never: what follows it follows the one before it.
    let mut before: Option<u32> = None;
    let mut pairs = Vec::new();
    for row in rows {
        let after = &transactions[row as usize];
        let follows = |before: &u32| {
            let before = &transactions[*before as usize];
            before.process == after.process && before.complete < after.invoke
        };
        pairs.extend(before.filter(follows).map(|before| (before, row)));
        if after.complete != NEVER {
            before = Some(row);
        }
    }
    pairs
}

/// The transactions that take part.
fn rows_of(graph: &Graph) -> Vec<u32> {
    (0..graph.included.len()).filter(|row| graph.included[*row]).map(|row| row as u32).collect()
}

/// Adds the order of real time, transitively reduced: an edge from each transaction that completed before another was invoked,
/// unless a third one lies between them. As many edges as transactions times those that run at once, at most. A dependency that
/// contradicts real time by itself gets its contradiction as an edge too, so that no long way has to be found and told for it.
pub(super) fn add_real_time_edges(history: &Transactions, graph: &mut Graph) {
    let transactions = history.transactions();
    for number in 0..graph.edges.len() {
        let Edge { from, to, .. } = graph.edges[number];
        if let (Some(before), Some(after)) = (transactions.get(to as usize), transactions.get(from as usize))
            && before.complete < after.invoke
        {
            graph.add(to, from, REAL_TIME, NO_KEY);
        }
    }
    for (from, to) in real_time_pairs(history, &rows_of(graph)) {
        graph.add(from, to, REAL_TIME, NO_KEY);
    }
}

/// Pairs of transactions of the transitively reduced order of real time among those chosen.
pub(super) fn real_time_pairs(history: &Transactions, chosen: &[u32]) -> Vec<(u32, u32)> {
    let transactions = history.transactions();
    let mut rows = chosen.to_vec();
    let mut completed: Vec<u32> = rows.iter().copied().filter(|row| transactions[*row as usize].complete != NEVER).collect();
    rows.sort_unstable_by_key(|row| transactions[*row as usize].invoke);
    completed.sort_unstable_by_key(|row| transactions[*row as usize].complete);
    let mut completed = completed.into_iter().peekable();
    // Completed transactions that no completed transaction follows yet, by completion.
    let mut frontier: VecDeque<u32> = VecDeque::new();
    let mut pairs = Vec::new();
    for row in rows {
        let invoke = transactions[row as usize].invoke;
        while let Some(next) = completed.next_if(|next| transactions[*next as usize].complete < invoke) {
            let begun = transactions[next as usize].invoke;
            while frontier.front().is_some_and(|before| transactions[*before as usize].complete < begun) {
                frontier.pop_front();
            }
            frontier.push_back(next);
        }
        pairs.extend(frontier.iter().map(|before| (*before, row)));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transactions::Outcome;

    fn history(intervals: &[(u64, u64)]) -> Transactions {
        let mut history = Transactions::default();
        for (place, (invoke, complete)) in intervals.iter().enumerate() {
            history.begin(place as u64, *invoke);
            history.end(*complete, if *complete == NEVER { Outcome::Unknown } else { Outcome::Committed });
        }
        history
    }

    /// Reachability over pairs must be the order of real time, and no pair may be implied by others.
    #[test]
    fn the_reduction_of_real_time_is_exact() {
        let mut random = crate::linearize::trials::Random(7);
        for _ in 0..500 {
            let intervals: Vec<(u64, u64)> = (0..8)
                .map(|_| {
                    let invoke = random.below(20);
                    (invoke, if random.chance(10) { NEVER } else { invoke + random.below(6) })
                })
                .collect();
            let history = history(&intervals);
            let pairs = real_time_pairs(&history, &[0, 1, 2, 3, 4, 5, 6, 7]);
            let before = |a: usize, b: usize| intervals[a].1 < intervals[b].0;
            for a in 0..8 {
                for b in 0..8 {
                    let between = (0..8).any(|c| before(a, c) && before(c, b));
                    assert_eq!(pairs.contains(&(a as u32, b as u32)), before(a, b) && !between, "{intervals:?} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_process_goes_on_behind_a_transaction_of_unknown_outcome() {
        let mut history = Transactions::default();
        for (process, invoke, complete) in [(0, 0, 1), (0, 2, NEVER), (0, 4, 5), (1, 6, 7), (1, 7, 8)] {
            history.begin(process, invoke);
            history.end(complete, if complete == NEVER { Outcome::Unknown } else { Outcome::Committed });
        }
        assert_eq!(session_pairs(&history, &[0, 1, 2, 3, 4]), [(0, 1), (0, 2)]);
    }

    #[test]
    fn a_serial_order_respects_real_time_only_if_asked() {
        let history = history(&[(0, 1), (2, 3)]);
        let mut graph = Graph { included: vec![true; 2], edges: Vec::new(), nodes: 2 };
        graph.add(1, 0, WR, 0);
        let rows = Rows::new(&graph);
        assert_eq!(serial_order(&history, &graph, &rows, ALL, false), Some(vec![1, 0]));
        assert_eq!(serial_order(&history, &graph, &rows, ALL, true), None);
    }
}
