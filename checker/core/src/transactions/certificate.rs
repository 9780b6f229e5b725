//! A serial order of transactions over registers, looked for by trying: where it is found it proves what the graph alone cannot.
//!
//! The order of blind writes is not known, so that a graph without cycles proves nothing. The search takes, again and again, a
//! transaction whose reads match the current state and that overwrites nothing that somebody has still to read; it never goes back,
//! so that finding nothing proves nothing either.

#![expect(clippy::cast_possible_truncation, reason = "transactions are numbered in 32 bits")]

use super::graph::{Graph, Rows};
use super::history::{NEVER, Transactions};
use super::registers::{NONE, Registers, Touch};
use crate::budget::{Exhausted, Meter};

/// Candidates looked at per transaction, on average, before the search is given up.
const PATIENCE: usize = 400;

struct Search<'a> {
    registers: &'a Registers,
    touches: &'a [Touch],
    /// Per transaction, its part of `touches`.
    starts: Vec<u32>,
    /// Per key, the current version.
    current: Vec<u32>,
    /// Per version, transactions that have still to read it.
    readers: Vec<u32>,
}

/// Whether a serial order is found that respects all edges and, if asked, real time.
pub(super) fn exists(
    history: &Transactions,
    graph: &Graph,
    rows: &Rows,
    (registers, touches): (&Registers, &[Touch]),
    real_time: bool,
    meter: &Meter,
) -> Result<bool, Exhausted> {
    let transactions = history.transactions();
    let mut search = Search::new(history.len(), registers, touches);
    let mut waits = vec![0_u32; graph.nodes];
    graph.edges.iter().for_each(|edge| waits[edge.to as usize] += 1);
    let is_free = |node: &usize| waits[*node] == 0 && graph.included.get(*node).copied().unwrap_or(true);
    let mut pool: Vec<u32> = (0..graph.nodes).filter(is_free).map(|node| node as u32).collect();
    let end = |node: u32| transactions.get(node as usize).map_or(0, |row| row.complete);
    let mut by_completion: Vec<u32> =
        (0..transactions.len() as u32).filter(|row| graph.included[*row as usize] && end(*row) != NEVER).collect();
    by_completion.sort_unstable_by_key(|row| end(*row));
    let (mut earliest, mut done) = (0, vec![false; graph.nodes]);
    let mut left = graph.included.iter().filter(|included| **included).count();
    let mut patience = left.saturating_mul(PATIENCE);
    let mut ticker = meter.ticker();
    while left > 0 {
        while by_completion.get(earliest).is_some_and(|row| done[*row as usize]) {
            earliest += 1;
        }
        let limit = by_completion.get(earliest).filter(|_| real_time).map_or(NEVER, |row| end(*row));
        let mut chosen: Option<(bool, u64, usize)> = None;
        for (place, node) in pool.iter().enumerate() {
            ticker.step()?;
            patience = patience.saturating_sub(1);
            let invoked = transactions.get(*node as usize).is_none_or(|row| row.invoke <= limit);
            if invoked && let Some(writes) = search.fits(*node) {
                let rank = (writes, end(*node), place);
                chosen = Some(chosen.map_or(rank, |best| best.min(rank)));
                if !writes {
                    break;
                }
            }
        }
        let Some((_, _, place)) = chosen.filter(|_| patience > 0) else { return Ok(false) };
        let node = pool.swap_remove(place);
        done[node as usize] = true;
        left -= usize::from((node as usize) < transactions.len());
        search.apply(node);
        for edge in rows.of(node) {
            let to = graph.edges[*edge as usize].to;
            waits[to as usize] -= 1;
            if waits[to as usize] == 0 {
                pool.push(to);
            }
        }
    }
    Ok(true)
}

impl<'a> Search<'a> {
    fn new(transactions: usize, registers: &'a Registers, touches: &'a [Touch]) -> Self {
        let mut starts = vec![0; transactions + 1];
        for touch in touches {
            starts[touch.transaction as usize + 1] += 1;
        }
        (0..transactions).for_each(|row| starts[row + 1] += starts[row]);
        let initial = |key: u32| registers.versions.find(&(key, None)).unwrap_or(NONE);
        let mut readers = vec![0; registers.versions.len()];
        touches.iter().filter(|touch| touch.read != NONE).for_each(|touch| readers[touch.read as usize] += 1);
        Self { registers, touches, starts, current: (0..registers.keys.len() as u32).map(initial).collect(), readers }
    }

    fn of(&self, node: u32) -> &'a [Touch] {
        let node = node as usize;
        if node + 1 < self.starts.len() { &self.touches[self.starts[node] as usize..self.starts[node + 1] as usize] } else { &[] }
    }

    /// Whether a node may come next; if so, whether it writes.
    fn fits(&self, node: u32) -> Option<bool> {
        let mut writes = false;
        for touch in self.of(node) {
            let current = self.current[touch.key as usize];
            if touch.read != NONE && touch.read != current {
                return None;
            }
            if touch.wrote != NONE {
                writes = true;
                let waiting = if current == NONE { 0 } else { self.readers[current as usize] };
                if waiting > u32::from(touch.read != NONE) {
                    return None;
                }
            }
        }
        Some(writes)
    }

    fn apply(&mut self, node: u32) {
        debug_assert_eq!(self.readers.len(), self.registers.versions.len());
        for touch in self.of(node) {
            if touch.read != NONE {
                self.readers[touch.read as usize] -= 1;
            }
            if touch.wrote != NONE {
                self.current[touch.key as usize] = touch.wrote;
            }
        }
    }
}
