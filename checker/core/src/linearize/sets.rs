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
