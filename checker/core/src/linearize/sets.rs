//! Grow-only sets in O(n log n) and the size of all reads.
//!
//! **Condition.** Nothing is removed. Elements may be added more than once, by calls of known and of unknown outcome.
//!
//! **Method.** What matters of an element is the instant from which on it is in the set. It lies between the first
//! invocation and the first return of all calls that add it; a call that found the element returned after it, one that did
//! not was invoked before it. Whole reads must be ordered by inclusion: each level of them comes after the instants of its own
//! elements and before those of all others. Going through the levels, the earliest instants within these bounds either
//! exist or not. An element that nobody saw, and that no acknowledged call added, was never in the set.

use super::bounds::{Bound, Clock, NOBODY, Window, answer, outside, refuted};
use super::interner::Interner;
use super::{Answer, Call, NEVER};
use crate::models::set::SetAction;

/// Decides the calls of one set, as far as the condition goes.
#[must_use]
pub fn decide(calls: &[Call<SetAction>]) -> Answer {
    answer(Levels { calls, numbers: Interner::default(), elements: Vec::new(), reads: Vec::new() }.run())
}

/// What all calls say of a few elements.
#[derive(Clone, Debug)]
pub struct Confined {
    /// The elements, rising.
    pub elements: Vec<u64>,
    /// The calls that say something of them, each with its number.
    pub calls: Vec<(usize, Call<SetAction>)>,
}

/// The calls confined to the elements that those of a refutation contradict each other about; none where that refutes nothing.
///
/// Elements do not matter to each other: what an order explains of all of them, it explains of a few.
#[must_use]
pub fn confined(calls: &[Call<SetAction>], core: &[usize]) -> Option<Confined> {
    let seen = |call: &usize| match &calls[*call].action {
        SetAction::Read { seen } => Some(&**seen),
        _ => None,
    };
    let mut elements: Vec<u64> = core.iter().filter_map(|call| calls[*call].action.element()).collect();
    let reads: Vec<&[u64]> = core.iter().filter_map(seen).collect();
    for read in &reads {
        let misses = |other: &[u64]| read.iter().find(|element| other.binary_search(element).is_err()).copied();
        elements.extend(reads.iter().filter_map(|other| misses(other)));
    }
    if elements.is_empty() {
        let mut added: Vec<u64> = calls.iter().filter_map(|call| call.action.element()).collect();
        added.sort_unstable();
        let never_added = |read: &&[u64]| read.iter().find(|element| added.binary_search(element).is_err()).copied();
        elements.extend(reads.iter().find_map(never_added));
    }
    elements.sort_unstable();
    elements.dedup();
    let mut best = Confined::new(calls, elements).filter(Confined::is_refuted)?;
    for element in best.elements.clone() {
        let fewer = best.elements.iter().copied().filter(|other| *other != element).collect();
        best = Confined::new(calls, fewer).filter(Confined::is_refuted).unwrap_or(best);
    }
    Some(best)
}

impl Confined {
    fn new(calls: &[Call<SetAction>], elements: Vec<u64>) -> Option<Self> {
        let few = (0..calls.len()).filter_map(|number| {
            let action = calls[number].action.about(&elements)?;
            Some((number, Call { invoke: calls[number].invoke, returned: calls[number].returned, action }))
        });
        let calls = few.collect();
        (!elements.is_empty()).then_some(Self { elements, calls })
    }

    /// The calls without their numbers.
    #[must_use]
    pub fn plain(&self) -> Vec<Call<SetAction>> {
        self.calls.iter().map(|(_, call)| call.clone()).collect()
    }

    fn is_refuted(&self) -> bool {
        decide(&self.plain()).decided() == Some(false)
    }
}

#[derive(Clone, Copy, Debug)]
struct Element {
    window: Window,
    /// First invocation of a call that adds it.
    born: Bound,
    /// Whether an acknowledged call added it, or one found it.
    there: bool,
    levelled: bool,
}

struct Levels<'a> {
    calls: &'a [Call<SetAction>],
    numbers: Interner<u64>,
    elements: Vec<Element>,
    reads: Vec<usize>,
}

impl Levels<'_> {
    fn run(mut self) -> Result<(), Answer> {
        for call in 0..self.calls.len() {
            self.note(call)?;
        }
        let size = |call: &usize| match &self.calls[*call].action {
            SetAction::Read { seen } => seen.len(),
            _ => 0,
        };
        self.reads.sort_by_key(size);
        let mut clock = Clock::new();
        self.levels(&mut clock)?;
        // One that was found but never added was born at the end of time: no bound allows that.
        let rest = self.elements.iter().filter(|element| element.there && !element.levelled);
        for element in rest {
            let mut own = clock;
            own.wait(element.born);
            own.step(&element.window)?;
        }
        Ok(())
    }

    fn element(&mut self, element: u64) -> &mut Element {
        let (number, new) = self.numbers.intern(element);
        if new {
            let born = (u64::MAX, NOBODY);
            self.elements.push(Element { window: Window::default(), born, there: false, levelled: false });
        }
        &mut self.elements[number as usize]
    }

    fn note(&mut self, call: usize) -> Result<(), Answer> {
        let Call { invoke, returned, action } = &self.calls[call];
        let (invoke, returned) = (*invoke, *returned);
        match action {
            SetAction::Add { element } => {
                let element = self.element(*element);
                element.born = element.born.min((invoke, call));
                element.there |= returned != NEVER;
                element.window.not_after(returned, call);
            }
            SetAction::Remove { .. } => return Err(outside("an element is removed")),
            SetAction::Contains { .. } | SetAction::Read { .. } if returned == NEVER => {}
            SetAction::Contains { element, found: true } => {
                let element = self.element(*element);
                element.there = true;
                element.window.not_after(returned, call);
            }
            SetAction::Contains { element, found: false } => self.element(*element).window.not_before(invoke, call),
            SetAction::Read { seen } => {
                if !seen.is_sorted_by(|one, other| one < other) {
                    return Err(refuted([call]));
                }
                self.reads.push(call);
            }
        }
        Ok(())
    }

    /// Goes through the whole reads, smallest first.
    fn levels(&mut self, clock: &mut Clock) -> Result<(), Answer> {
        let (mut held, mut before) = (0, NOBODY);
        // What reads of this level were invoked at: nothing of the next level happens earlier.
        let mut read_last: Bound = (0, NOBODY);
        for call in core::mem::take(&mut self.reads) {
            let Call { invoke, returned, action: SetAction::Read { seen } } = &self.calls[call] else { continue };
            let mut own = *clock;
            own.wait(read_last);
            let mut new = 0;
            for value in seen {
                let element = self.numbers.find(value).map(|number| &mut self.elements[number as usize]);
                let Some(element) = element.filter(|element| element.born.1 != NOBODY) else { return Err(refuted([call])) };
                if !element.levelled {
                    element.levelled = true;
                    new += 1;
                    let mut instant = own;
                    instant.wait(element.born);
                    instant.step(&element.window)?;
                    clock.wait(instant.now());
                }
            }
            if seen.len() - new != held {
                return Err(refuted([before, call]));
            }
            held += new;
            clock.expect((*returned, call))?;
            read_last = read_last.max((*invoke, call));
            before = call;
        }
        clock.wait(read_last);
        Ok(())
    }
}
