//! Cycles of dependencies: which kinds there are, and the shortest one of each.
//!
//! Strongly connected components say in linear time whether a kind exists; inside a component a breadth-first search from an edge that
//! the kind must have finds the way back. petgraph's Tarjan is recursive and would overflow on a long history, and its Kosaraju wants
//! a graph of its own, of which the copying takes longer than the search.

#![expect(clippy::cast_possible_truncation, reason = "nodes and edges are numbered in 32 bits")]

use super::anomaly::{AnomalyKind, CycleKind};
use super::graph::{FREE, Graph, REAL_TIME, RW, Rows, SESSION, WR, WW};
use super::level::Order;
use crate::budget::{Exhausted, Meter};
use std::collections::VecDeque;

/// Edges that all searches of one history may look at before they settle for a cycle that may not be the shortest.
const EFFORT: u64 = 20_000_000;

const NONE: u32 = u32::MAX;

/// No cycle has fewer edges.
const SHORTEST: u32 = 2;

/// A cycle as numbers of edges, each leading to where the next one begins.
pub(super) type Cycle = Vec<u32>;

/// Searches a graph.
pub(super) struct Searcher<'a> {
    graph: &'a Graph,
    rows: &'a Rows,
    meter: &'a Meter,
    effort: u64,
    /// Per node and state (whether an anti-dependency led there) how it was reached.
    reached: Vec<Reached>,
    search: u32,
}

/// How a search came somewhere.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// Number of the search; what an earlier one left is void.
    search: u32,
    length: u32,
    edge: u32,
    before: u32,
}

/// What a search must find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub kind: CycleKind,
    pub order: Order,
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The shortest cycle.
    pub cycle: Option<Cycle>,
    /// Components that hold a cycle of the kind or a worse one.
    pub components: u64,
    /// Whether it was given up before it was known that there is no cycle.
    pub given_up: bool,
}

/// Edges of time of an order.
fn time_edges(order: Order) -> u8 {
    match order {
        Order::Data => 0,
        Order::Session => SESSION,
        Order::RealTime => REAL_TIME,
    }
}

impl<'a> Searcher<'a> {
    pub fn new(graph: &'a Graph, rows: &'a Rows, meter: &'a Meter) -> Self {
        Self {
            graph,
            rows,
            meter,
            effort: EFFORT,
            reached: vec![Reached { search: 0, length: 0, edge: NONE, before: NONE }; graph.nodes * 2],
            search: 0,
        }
    }

    /// The shortest cycle of a kind.
    pub fn find(&mut self, wanted: Wanted) -> Result<Found, Exhausted> {
        let time = time_edges(wanted.order);
        let (allowed, start) = match wanted.kind {
            CycleKind::G0 => (WW, WW),
            CycleKind::G1c => (WW | WR, WR),
            CycleKind::GSingle => (WW | WR, RW),
            CycleKind::GNonadjacent | CycleKind::G2 => (WW | WR | RW, RW),
        };
        // Without edges of time each kind is looked for by the edge that makes it; with them by the edge of time, or the rw.
        let start = if time != 0 && start != RW { time } else { start };
        let alternating = wanted.kind == CycleKind::GNonadjacent;
        let bound_by = if wanted.kind == CycleKind::GSingle { allowed | RW } else { allowed };
        let component = self.components(bound_by | time | FREE, alternating)?;
        let mut found = Found { components: component.nontrivial, ..Found::default() };
        if component.nontrivial == 0 {
            return Ok(found);
        }
        found.cycle = self.pair(start, allowed | time, alternating);
        if found.cycle.is_some() {
            return Ok(found);
        }
        let mut limit = u32::MAX;
        let mut ticker = self.meter.ticker();
        for (number, edge) in self.graph.edges.iter().enumerate().filter(|(_, edge)| edge.kind & start != 0) {
            if limit <= SHORTEST {
                break;
            }
            ticker.step()?;
            let (from, to) = if alternating { (edge.from * 2, edge.to * 2 + 1) } else { (edge.from, edge.to) };
            if component.of[from as usize] != component.of[to as usize] {
                continue;
            }
            if self.effort == 0 {
                found.given_up = found.cycle.is_none();
                break;
            }
            if let Some(way) = self.way_back(&[number as u32], allowed | time | FREE, alternating, limit, None) {
                limit = self.length(&way);
                found.cycle = Some(way);
            }
        }
        Ok(found)
    }

    /// A cycle of two edges, the first of them of a kind of `start`.
    fn pair(&mut self, start: u8, allowed: u8, alternating: bool) -> Option<Cycle> {
        let (graph, rows) = (self.graph, self.rows);
        graph.edges.iter().enumerate().filter(|(_, edge)| edge.kind & start != 0).find_map(|(number, edge)| {
            let out = rows.of(edge.to);
            self.effort = self.effort.saturating_sub(out.len() as u64);
            let back = out.iter().find(|back| {
                let back = &graph.edges[**back as usize];
                back.to == edge.from && back.kind & allowed != 0 && !(alternating && back.kind & RW != 0)
            })?;
            Some(vec![number as u32, *back])
        })
    }

    /// The shortest cycle with two adjacent anti-dependencies.
    pub fn find_adjacent(&mut self) -> Result<Found, Exhausted> {
        let allowed = WW | WR | RW | FREE;
        let component = self.components(allowed, false)?;
        let mut found = Found { components: component.nontrivial, ..Found::default() };
        let mut limit = u32::MAX;
        let graph = self.graph;
        let mut ticker = self.meter.ticker();
        for (number, edge) in graph.edges.iter().enumerate().filter(|(_, edge)| edge.kind & RW != 0) {
            if component.nontrivial == 0 || self.effort == 0 || limit <= SHORTEST {
                break;
            }
            ticker.step()?;
            for head in self.landings(number as u32) {
                let middle = graph.edges[head[head.len() - 1] as usize].to;
                let seconds = self.rows.of(middle).iter().copied().filter(|next| graph.edges[*next as usize].kind & RW != 0);
                for second in seconds {
                    self.effort = self.effort.saturating_sub(1);
                    let end = graph.edges[second as usize].to;
                    if component.of[edge.from as usize] != component.of[end as usize] || self.effort == 0 {
                        continue;
                    }
                    let whole = [&head[..], &[second]].concat();
                    if let Some(way) = self.way_back(&whole, allowed, false, limit, Some(middle)) {
                        limit = self.length(&way);
                        found.cycle = Some(way);
                    }
                }
            }
        }
        Ok(found)
    }

    /// An edge, with the one that carries it on to a transaction where it leads to a moment.
    fn landings(&self, edge: u32) -> Vec<Cycle> {
        let to = self.graph.edges[edge as usize].to;
        if (to as usize) < self.graph.included.len() {
            return vec![vec![edge]];
        }
        self.rows.of(to).iter().map(|free| vec![edge, *free]).collect()
    }

    fn length(&self, cycle: &[u32]) -> u32 {
        cycle.iter().filter(|edge| self.graph.edges[**edge as usize].kind != FREE).count() as u32
    }

    /// The shortest way from the end of `head` to its beginning that makes a cycle shorter than `limit`: breadth first, edges out of
    /// moments count for nothing. `alternating` ways have no two adjacent anti-dependencies, `head` being one.
    fn way_back(&mut self, head: &[u32], allowed: u8, alternating: bool, limit: u32, avoid: Option<u32>) -> Option<Cycle> {
        let (graph, rows) = (self.graph, self.rows);
        let goal = graph.edges[head[0] as usize].from;
        let start = graph.edges[head[head.len() - 1] as usize].to;
        let first = self.length(head);
        if first >= limit || start == goal {
            return (first < limit).then(|| head.to_vec());
        }
        self.search += 1;
        let slot = |node: u32, after_rw: bool| node * 2 + u32::from(alternating && after_rw);
        let mut queue = VecDeque::from([(start, true)]);
        self.reached[slot(start, true) as usize] = Reached { search: self.search, length: first, edge: NONE, before: NONE };
        while let Some((node, after_rw)) = queue.pop_front() {
            let here = slot(node, after_rw);
            for number in rows.of(node) {
                let edge = &graph.edges[*number as usize];
                let (is_rw, is_free) = (edge.kind & RW != 0, edge.kind & FREE != 0);
                self.effort = self.effort.saturating_sub(1);
                if edge.kind & allowed == 0 || (alternating && is_rw && after_rw) || avoid == Some(edge.to) {
                    continue;
                }
                let now_rw = if is_free { after_rw } else { is_rw };
                let length = self.reached[here as usize].length + u32::from(!is_free);
                let there = &mut self.reached[slot(edge.to, now_rw) as usize];
                if length >= limit || (there.search == self.search && there.length <= length) {
                    continue;
                }
                *there = Reached { search: self.search, length, edge: *number, before: here };
                if edge.to == goal && !(alternating && now_rw) {
                    return Some(self.unwind(head, slot(goal, now_rw)));
                }
                if is_free { queue.push_front((edge.to, now_rw)) } else { queue.push_back((edge.to, now_rw)) }
            }
        }
        None
    }

    /// The head and the way by which the goal was reached.
    fn unwind(&self, head: &[u32], goal: u32) -> Cycle {
        let mut way = Vec::new();
        let mut place = goal;
        while let Reached { edge, before, .. } = self.reached[place as usize]
            && edge != NONE
        {
            way.push(edge);
            place = before;
        }
        way.reverse();
        [head, &way].concat()
    }

    /// Strongly connected components of the edges of some kinds; with `alternating` of pairs (node, whether an anti-dependency led
    /// there), in which no anti-dependency follows another one.
    fn components(&self, allowed: u8, alternating: bool) -> Result<Components, Exhausted> {
        self.meter.check()?;
        let states = self.graph.nodes * if alternating { 2 } else { 1 };
        let mut walk = Walk {
            searcher: self,
            allowed,
            alternating,
            index: vec![0; states],
            entered: 0,
            open: Vec::new(),
            way: Vec::new(),
            found: Components { of: vec![NONE; states], nontrivial: 0 },
            number: 0,
        };
        for state in 0..states as u32 {
            if walk.index[state as usize] == 0 {
                walk.from(state);
            }
        }
        Ok(walk.found)
    }
}

struct Components {
    of: Vec<u32>,
    nontrivial: u64,
}

/// Tarjan's search for components ("Depth-first search and linear graph algorithms", SIAM J. Comput. 1(2), 1972), with a stack of its own.
struct Walk<'a, 'b> {
    searcher: &'a Searcher<'b>,
    allowed: u8,
    alternating: bool,
    /// Per state when it was entered; then the earliest state that is known to be in one component with it; 0: not entered.
    index: Vec<u32>,
    entered: u32,
    /// States whose components are not known yet.
    open: Vec<u32>,
    /// The way to here: a state, when it was entered, and how many of its edges were looked at.
    way: Vec<(u32, u32, u32)>,
    found: Components,
    number: u32,
}

impl Walk<'_, '_> {
    fn enter(&mut self, state: u32) {
        self.entered += 1;
        self.index[state as usize] = self.entered;
        self.open.push(state);
        self.way.push((state, self.entered, 0));
    }

    fn from(&mut self, state: u32) {
        let (graph, rows) = (self.searcher.graph, self.searcher.rows);
        self.enter(state);
        'ways: while let Some((state, entered, looked)) = self.way.last().copied() {
            let (node, after_rw) = if self.alternating { (state / 2, state % 2 == 1) } else { (state, false) };
            for (place, number) in rows.of(node).iter().enumerate().skip(looked as usize) {
                let edge = &graph.edges[*number as usize];
                let is_rw = edge.kind & RW != 0;
                if edge.kind & self.allowed == 0 || (self.alternating && is_rw && after_rw) {
                    continue;
                }
                let now_rw = if edge.kind & FREE != 0 && !is_rw { after_rw } else { is_rw };
                let next = if self.alternating { edge.to * 2 + u32::from(now_rw) } else { edge.to };
                if self.index[next as usize] == 0 {
                    self.way.last_mut().expect("not at its end").2 = place as u32 + 1;
                    self.enter(next);
                    continue 'ways;
                }
                if self.found.of[next as usize] == NONE {
                    self.index[state as usize] = self.index[state as usize].min(self.index[next as usize]);
                }
            }
            self.way.pop();
            let earliest = self.index[state as usize];
            if let Some((before, ..)) = self.way.last() {
                self.index[*before as usize] = self.index[*before as usize].min(earliest);
            }
            if earliest == entered {
                self.close(state);
            }
        }
    }

    /// Everything that was opened since a state was is one component with it.
    fn close(&mut self, state: u32) {
        self.found.nontrivial += u64::from(self.open.last() != Some(&state));
        while let Some(member) = self.open.pop() {
            self.found.of[member as usize] = self.number;
            if member == state {
                break;
            }
        }
        self.number += 1;
    }
}

/// What a cycle is, by its edges.
pub(super) fn classify(graph: &Graph, cycle: &[u32]) -> AnomalyKind {
    let kinds: Vec<u8> = cycle.iter().map(|edge| graph.edges[*edge as usize].kind).filter(|kind| *kind != FREE).collect();
    let has = |kind: u8| kinds.iter().any(|other| other & kind != 0);
    let anti = kinds.iter().filter(|kind| **kind & RW != 0).count();
    let adjacent = (0..kinds.len()).any(|place| kinds[place] & kinds[(place + 1) % kinds.len()] & RW != 0);
    let kind = match anti {
        0 if has(WR) => CycleKind::G1c,
        0 => CycleKind::G0,
        1 => CycleKind::GSingle,
        _ if adjacent => CycleKind::G2,
        _ => CycleKind::GNonadjacent,
    };
    let order = match () {
        () if has(REAL_TIME) => Order::RealTime,
        () if has(SESSION) => Order::Session,
        () => Order::Data,
    };
    AnomalyKind::Cycle(kind, order)
}
