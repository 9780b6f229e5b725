//! Frontier search: all configurations that are still possible, carried through time.
//!
//! The general engine. It is just-in-time linearisation (Lowe, "Testing for linearizability", CCPE 2017) with memory for
//! one frontier only, made affordable by four reductions:
//!
//! * **Eager reads.** A call that changes no state is applied wherever it is legal, as soon as it is.
//! * **Classes.** Calls that never returned and ask for the same thing are interchangeable: a configuration counts how many
//!   of each class it used. Of two configurations alike but for these counts, one that used no more of any class suffices.
//! * **Postponing.** Between two returns, a call `a` applied directly before a call `x` could as well come after it when
//!   both orders are legal and end in one state. Every order can therefore be rearranged, swap by swap, into one where no
//!   call directly precedes the returning call that it commutes with, commuting neighbours stand in the order of returns, and a call of
//!   unknown outcome is followed by one that needs it. Each swap moves a call to a later return or removes an inversion,
//!   and a call of unknown outcome that is erased by its neighbour is dropped, so this ends. Only such orders are
//!   explored; in an object of many keys this is what keeps unrelated keys from multiplying. Neighbours stand in the order
//!   of their returns, so that of equal calls the one that returns first is applied first.
//! * **Absorbing.** A write that is open while another one overwrites it may have happened directly before, without a trace:
//!   the configuration notes it as absorbed. An absorbed call may return without further ado, or still be applied. A
//!   configuration stands for all in which some of its absorbed calls are applied, and those are dropped.
//! * **Sandwich.** With calls of unknown outcome three passes are made: one configuration per (state, applied calls)
//!   ("linearizable" is sound), classes that are full again after every return ("refuted" is sound), and the exact one. The second
//!   gives up where its classes make more and more states, as they do in queues and texts, which remember every use.

use super::interner::Interner;
use super::{Answer, Call, Effort, NEVER, Refutation};
use crate::models::Model;

#[cfg(test)]
mod tests;

/// Calls that may be open at once; beyond, [`super::wgl`] takes over.
const SLOTS: u32 = u128::BITS;
/// Marks a node whose last call is accounted for.
const NO_CALL: u32 = u32::MAX;

/// States that the relaxed pass may meet: so many, and so many more for each call. A register has fewer than one for each call.
const RELAXED_STATES: (usize, usize) = (1_000, 64);

/// How calls of unknown outcome are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// One representative of used classes per (state, applied calls).
    Beam,
    /// Classes are full again after every return, and between two returns only the number of uses of all classes together
    /// is bounded.
    Relaxed,
    /// All minimal uses.
    Exact,
}

/// Decides whether `calls` are linearizable.
pub fn decide<M: Model>(model: &M, calls: &[Call<M::Action>], effort: &mut Effort<'_>) -> Answer {
    let unknown = calls.iter().any(|call| call.returned == NEVER && !model.is_read_only(&call.action));
    if !unknown {
        return Search::new(model, calls, Pass::Exact).run(effort);
    }
    let beam = Search::new(model, calls, Pass::Beam).run(effort);
    if beam == Answer::Linearizable {
        return beam;
    }
    let relaxed = Search::new(model, calls, Pass::Relaxed).run(effort);
    if matches!(relaxed, Answer::Refuted(_)) {
        return relaxed;
    }
    Search::new(model, calls, Pass::Exact).run(effort)
}

/// What is possible between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Configuration {
    /// Open calls that are applied.
    mask: u128,
    /// Open calls that are not, but may as well be taken for applied.
    absorbed: u128,
    state: u32,
    used: u32,
}

/// A configuration on its way to having applied the returning call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    at: Configuration,
    /// The call applied last, and the state before it, while what follows must still justify their order.
    last: u32,
    before: u32,
}

/// Calls that never returned and are alike.
#[derive(Debug)]
struct Class {
    call: u32,
    available: u16,
    /// Open calls that it erases.
    erases: u128,
}

/// Configurations of one state that a new one is compared with, at most.
const COMPARED_MAX: usize = 256;

struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Action>],
    pass: Pass,
    states: Interner<M::State>,
    state_bytes: usize,
    uses: Interner<Box<[u16]>>,
    slots: [u32; SLOTS as usize],
    /// Per slot, the open calls that its call erases, and the open calls that ask for the same and return earlier.
    erases: [u128; SLOTS as usize],
    twins: [u128; SLOTS as usize],
    open: u128,
    readers: u128,
    classes: Vec<Class>,
    /// Calls of all classes invoked so far.
    invoked: u32,
    /// Slot of each open call, class of each call that never returned.
    place: Vec<u32>,
    frontier: Vec<Configuration>,
    /// Nodes of the closure under way, and what each used of the classes (which is no part of a node in the beam).
    nodes: Interner<Node>,
    nodes_used: Vec<u32>,
    survivors: Interner<Configuration>,
    survivors_used: Vec<u32>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Action>], pass: Pass) -> Self {
        let mut search = Self {
            model,
            calls,
            pass,
            states: Interner::default(),
            state_bytes: 0,
            uses: Interner::default(),
            slots: [0; SLOTS as usize],
            erases: [0; SLOTS as usize],
            twins: [0; SLOTS as usize],
            open: 0,
            readers: 0,
            classes: Vec::new(),
            invoked: 0,
            place: vec![0; calls.len()],
            frontier: Vec::new(),
            nodes: Interner::default(),
            nodes_used: Vec::new(),
            survivors: Interner::default(),
            survivors_used: Vec::new(),
        };
        search.classify();
        let state = search.intern(model.initial());
        let (used, _) = search.uses.intern(vec![0; search.classes.len()].into_boxed_slice());
        search.frontier.push(Configuration { mask: 0, absorbed: 0, state, used });
        search
    }

    /// Groups the calls that never returned.
    fn classify(&mut self) {
        let mut payloads: Interner<&M::Action> = Interner::default();
        for (index, call) in self.calls.iter().enumerate() {
            if call.returned == NEVER && !self.model.is_read_only(&call.action) {
                let (class, new) = payloads.intern(&call.action);
                if new {
                    self.classes.push(Class { call: index as u32, available: 0, erases: 0 });
                }
                self.place[index] = class;
            }
        }
    }

    fn run(mut self, effort: &mut Effort<'_>) -> Answer {
        for (position, &(_, event)) in events(self.calls).iter().enumerate() {
            let (index, returning) = ((event >> 1) as usize, event & 1 == 1);
            let step = if returning { self.close(index, effort) } else { self.invoke(index) };
            match step {
                Ok(true) => {}
                Ok(false) => return self.refuted(index),
                Err(why) => {
                    let open = self.open.count_ones();
                    let held = self.frontier.len().max(self.nodes.len());
                    return Answer::Undecided(format!(
                        "{why}, at event {position} of {} with {open} calls open and {held} configurations",
                        self.calls.len() * 2
                    ));
                }
            }
        }
        Answer::Linearizable
    }

    fn invoke(&mut self, index: usize) -> Result<bool, String> {
        let call = &self.calls[index];
        let read_only = self.model.is_read_only(&call.action);
        if call.returned == NEVER {
            if !read_only {
                let class = &mut self.classes[self.place[index] as usize];
                class.available = class.available.saturating_add(1);
                self.invoked += 1;
            }
            return Ok(true);
        }
        let slot = (!self.open).trailing_zeros();
        if slot == SLOTS {
            return Err(format!("more than {SLOTS} calls are open at once"));
        }
        self.slots[slot as usize] = index as u32;
        self.place[index] = slot;
        self.open |= 1 << slot;
        self.relate(slot, read_only);
        if read_only {
            self.readers |= 1 << slot;
            for at in &mut self.frontier {
                if self.model.allows(self.states.get(at.state), &call.action) {
                    at.mask |= 1 << slot;
                }
            }
        }
        Ok(true)
    }

    /// Notes which open calls the new one in `slot` erases or is erased by, and its twins.
    fn relate(&mut self, slot: u32, read_only: bool) {
        let new = &self.calls[self.slots[slot as usize] as usize];
        (self.erases[slot as usize], self.twins[slot as usize]) = (0, 0);
        let bit = 1_u128 << slot;
        let mut rest = self.open & !self.readers & !bit;
        while rest != 0 {
            let other = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            self.erases[other] &= !bit;
            self.twins[other] &= !bit;
            if read_only {
                continue;
            }
            let old = &self.calls[self.slots[other] as usize];
            self.erases[slot as usize] |= u128::from(self.model.erases(&new.action, &old.action)) << other;
            self.erases[other] |= u128::from(self.model.erases(&old.action, &new.action)) << slot;
            if old.action == new.action {
                let old_first = self.due(other as u32) < self.due(slot);
                self.twins[slot as usize] |= u128::from(old_first) << other;
                self.twins[other] |= u128::from(!old_first) << slot;
            }
        }
        for class in &mut self.classes {
            class.erases &= !bit;
            let erased = !read_only && self.model.erases(&self.calls[class.call as usize].action, &new.action);
            class.erases |= u128::from(erased) << slot;
        }
    }

    /// Order among calls that commute: by return, classes last.
    #[inline]
    fn due(&self, order: u32) -> (u64, u32) {
        if order < SLOTS {
            let call = self.slots[order as usize];
            (self.calls[call as usize].returned, call)
        } else {
            (NEVER, order)
        }
    }

    /// Open calls that the call of this number erases.
    #[inline]
    fn erased_by(&self, order: u32) -> u128 {
        if order < SLOTS { self.erases[order as usize] } else { self.classes[(order - SLOTS) as usize].erases }
    }

    /// Keeps the configurations in which the returning call is applied; false when there are none.
    fn close(&mut self, index: usize, effort: &mut Effort<'_>) -> Result<bool, String> {
        let slot = self.place[index];
        let bit = 1_u128 << slot;
        self.nodes.clear();
        self.nodes_used.clear();
        self.survivors.clear();
        self.survivors_used.clear();
        for position in 0..self.frontier.len() {
            let at = self.frontier[position];
            if at.mask & bit != 0 {
                self.survive(Configuration { mask: at.mask ^ bit, ..at });
                continue;
            }
            if at.absorbed & bit != 0 {
                self.survive(Configuration { absorbed: at.absorbed ^ bit, ..at });
            }
            self.visit(Node { at, last: NO_CALL, before: 0 });
        }
        let mut position = 0;
        while position < self.nodes.len() {
            let mut node = *self.nodes.get(position as u32);
            node.at.used = self.nodes_used[position];
            position += 1;
            effort.spend(self.bytes()).map_err(|why| why.to_string())?;
            if self.pass == Pass::Relaxed && self.states.len() > RELAXED_STATES.0 + RELAXED_STATES.1 * self.calls.len() {
                return Err("calls of unknown outcome make ever more states".to_owned());
            }
            self.expand(node, slot);
        }
        if self.survivors.is_empty() {
            return Ok(false);
        }
        self.open ^= bit;
        self.readers &= !bit;
        self.frontier.clear();
        let survivors = self.survivors.items().iter().zip(&self.survivors_used);
        self.frontier.extend(survivors.map(|(at, &used)| Configuration { used, ..*at }));
        self.drop_dominated();
        Ok(true)
    }

    /// Applies each open call, and each class, to a node that lacks the call in `returning`.
    fn expand(&mut self, node: Node, returning: u32) {
        let mut rest = self.open & !self.readers & !node.at.mask;
        while rest != 0 {
            let slot = rest.trailing_zeros();
            rest &= rest - 1;
            if self.twins[slot as usize] & self.open & !node.at.mask != 0 {
                continue;
            }
            let call = self.slots[slot as usize];
            let Some(state) = self.step(node.at.state, call) else { continue };
            if self.order_counts(&node, slot, call, state, returning) {
                let at = Configuration { mask: node.at.mask | (1 << slot), state, ..node.at };
                self.arrive(node, at, slot, returning);
            }
        }
        for class in 0..self.classes.len() as u32 {
            let Class { call, available, erases } = self.classes[class as usize];
            let possible = match self.pass {
                Pass::Relaxed => available > 0 && node.at.used < self.invoked,
                Pass::Beam | Pass::Exact => self.uses.get(node.at.used)[class as usize] < available,
            };
            if !possible {
                continue;
            }
            let Some(state) = self.step(node.at.state, call) else { continue };
            // Even without changing the state it may cover the traces of an open call.
            let absorbs = erases & self.open & !node.at.mask & !node.at.absorbed != 0;
            if (state != node.at.state || absorbs) && self.order_counts(&node, SLOTS + class, call, state, returning) {
                let used = self.spend_class(node.at.used, class);
                self.arrive(node, Configuration { state, used, ..node.at }, SLOTS + class, returning);
            }
        }
    }

    /// Whether the order "last call of `node`, then this one" must be explored: see the module's third reduction.
    fn order_counts(&mut self, node: &Node, order: u32, call: u32, after: u32, returning: u32) -> bool {
        if node.last == NO_CALL {
            return true;
        }
        if node.last < SLOTS && self.erased_by(order) & (1 << node.last) != 0 {
            return false;
        }
        let Some(alone) = self.step(node.before, call) else { return true };
        if node.last >= SLOTS && alone == after {
            return false;
        }
        let last = if node.last < SLOTS { self.slots[node.last as usize] } else { self.classes[(node.last - SLOTS) as usize].call };
        let commute = self.step(alone, last) == Some(after);
        !commute || (order != returning && self.due(node.last) <= self.due(order))
    }

    /// Records the configuration `at`, reached from `from` by the call of number `order`.
    fn arrive(&mut self, from: Node, at: Configuration, order: u32, returning: u32) {
        let mask = self.with_readers(at.mask, at.state);
        let bit = 1_u128 << returning;
        let absorbed = (at.absorbed | self.erased_by(order)) & self.open & !mask;
        let at = Configuration { absorbed, ..at };
        if mask & bit != 0 {
            self.survive(Configuration { mask: mask ^ bit, ..at });
            return;
        }
        if absorbed & bit != 0 {
            self.survive(Configuration { mask, absorbed: absorbed ^ bit, ..at });
        }
        let covers = order >= SLOTS && absorbed & !from.at.absorbed != 0;
        if mask == at.mask && !covers {
            self.visit(Node { at, last: order, before: from.at.state });
        } else {
            // A read, or an absorbed call, needed it: no further reason is asked for.
            self.visit(Node { at: Configuration { mask, ..at }, last: NO_CALL, before: 0 });
        }
    }

    /// What tells configurations apart in this pass. In the exact one this includes the classes used; in the others the
    /// first configuration, which came by the shortest way and so used the fewest, stands for all that differ only in that.
    #[inline]
    fn identity(&self, at: Configuration) -> Configuration {
        if self.pass == Pass::Exact { at } else { Configuration { used: 0, ..at } }
    }

    /// Adds a node to be expanded.
    fn visit(&mut self, node: Node) {
        let identity = Node { at: self.identity(node.at), ..node };
        if self.nodes.intern(identity).1 {
            self.nodes_used.push(node.at.used);
        }
    }

    /// Adds a configuration in which the returning call is applied.
    fn survive(&mut self, at: Configuration) {
        if self.survivors.intern(self.identity(at)).1 {
            self.survivors_used.push(if self.pass == Pass::Relaxed { 0 } else { at.used });
        }
    }

    /// The mask with all open reads that are legal in the state.
    #[inline]
    fn with_readers(&self, mut mask: u128, state: u32) -> u128 {
        let mut rest = self.readers & !mask;
        while rest != 0 {
            let slot = rest.trailing_zeros();
            rest &= rest - 1;
            let call = &self.calls[self.slots[slot as usize] as usize];
            if self.model.allows(self.states.get(state), &call.action) {
                mask |= 1 << slot;
            }
        }
        mask
    }

    #[inline]
    fn step(&mut self, state: u32, call: u32) -> Option<u32> {
        let next = self.model.step(self.states.get(state), &self.calls[call as usize].action)?;
        Some(self.intern(next))
    }

    #[inline]
    fn intern(&mut self, state: M::State) -> u32 {
        let bytes = self.model.state_bytes(&state);
        let (number, new) = self.states.intern(state);
        if new {
            self.state_bytes += bytes;
        }
        number
    }

    fn spend_class(&mut self, used: u32, class: u32) -> u32 {
        if self.pass == Pass::Relaxed {
            return used + 1;
        }
        let mut counts = self.uses.get(used).clone();
        counts[class as usize] += 1;
        self.uses.intern(counts).0
    }

    /// Drops configurations for which another one of the same state stands, or that used more of the classes.
    fn drop_dominated(&mut self) {
        if self.frontier.len() < 2 {
            return;
        }
        let readers = self.readers;
        let exact = self.pass == Pass::Exact && !self.classes.is_empty();
        let total = |used: u32| if exact { self.uses.get(used).iter().map(|&count| u32::from(count)).sum() } else { 0 };
        let rank = |at: &Configuration| ((at.mask & !readers).count_ones(), (!at.mask & readers).count_ones(), total(at.used));
        if self.classes.is_empty() {
            self.frontier.sort_unstable_by_key(|at| (at.state, rank(at)));
        } else {
            self.frontier.sort_by_cached_key(|at| (at.state, rank(at)));
        }
        let stands_for = |first: &Configuration, second: &Configuration| {
            let (own, other) = (first.mask & !readers, second.mask & !readers);
            let applied = own & !other == 0 && (other | second.absorbed) & !(own | first.absorbed) == 0;
            let read = second.mask & readers & !first.mask == 0;
            let fewer = |first: u32, second: u32| self.uses.get(first).iter().zip(self.uses.get(second)).all(|(a, b)| a <= b);
            applied && read && (!exact || fewer(first.used, second.used))
        };
        let mut kept: Vec<Configuration> = Vec::with_capacity(self.frontier.len());
        let mut group = 0;
        for &at in &self.frontier {
            if kept.get(group).is_none_or(|first| first.state != at.state) {
                group = kept.len();
            }
            if !kept[group..].iter().take(COMPARED_MAX).any(|first| stands_for(first, &at)) {
                kept.push(at);
            }
        }
        self.frontier = kept;
    }

    fn bytes(&self) -> usize {
        let uses = self.uses.len() * self.classes.len() * size_of::<u16>();
        self.state_bytes
            + self.states.bytes()
            + uses
            + self.uses.bytes()
            + self.nodes.bytes()
            + self.survivors.bytes()
            + self.frontier.len() * size_of::<Configuration>()
    }

    fn refuted(&self, index: usize) -> Answer {
        let mut numbers: Vec<u32> = self.frontier.iter().map(|at| at.state).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let states = numbers.iter().take(8).map(|&state| self.model.describe_state(self.states.get(state))).collect();
        Answer::Refuted(Refutation { at: Some(index), states, ..Refutation::default() })
    }
}

/// Invocations and returns in time order as (time, call number * 2 + is-return); at one time, invocations come first,
/// because intervals are closed.
pub(super) fn events<A>(calls: &[Call<A>]) -> Vec<(u64, u64)> {
    let mut invocations: Vec<(u64, u64)> = calls.iter().enumerate().map(|(index, call)| (call.invoke, (index as u64) << 1)).collect();
    let mut returns: Vec<(u64, u64)> = Vec::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.returned != NEVER) {
        returns.push((call.returned, ((index as u64) << 1) | 1));
    }
    invocations.sort_unstable();
    returns.sort_unstable();
    let mut merged = Vec::with_capacity(invocations.len() + returns.len());
    let mut rest = invocations.into_iter().peekable();
    for event in returns {
        while let Some(invocation) = rest.next_if(|invocation| invocation.0 <= event.0) {
            merged.push(invocation);
        }
        merged.push(event);
    }
    merged.extend(rest);
    merged
}
