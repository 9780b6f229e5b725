//! Failed compare-and-sets: an order of values that leaves each of them an instant.
//!
//! A failed compare-and-set on a value says that it was invoked before the value began, or returned after the next one did.
//! The values are put into a line, each beginning as late as it can: at the earliest return of its calls, or before the forward
//! zone that this return lies in. Going along the line, a value that must end earlier than the next one begins makes room by
//! one of four moves:
//!
//! * the next value begins earlier;
//! * another backward value that stands further behind, and was invoked in time, comes next;
//! * a write of unknown outcome that nobody observed takes effect;
//! * the value is hidden (begins and ends at one instant) before one further in front, which then lasts longer instead.
//!
//! In a given order this finds the latest beginnings that explain everything, if there are any: making a beginning earlier takes
//! nothing from the values before it. Which moves are made is a matter of foresight: where no move is left, the last few are
//! taken back and others made. Failing proves nothing.

use super::super::Call;
use super::walk::Walk;
use super::{Builder, INITIAL, NONE, Scratch, Value, Zones, shifted};
use crate::models::register::RegisterAction;
use core::cmp::Reverse;

/// A failed compare-and-set, shifted, and the next one on the same value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss {
    invoke: u64,
    returned: u64,
    pub call: u32,
    next: u32,
}

/// One value in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub begins: u64,
    pub value: u32,
    /// Whether its chain begins with it.
    pub is_root: bool,
    /// Whether its chain ends with it.
    pub is_last: bool,
    /// Whether a write of unknown outcome took it away.
    pub is_cut: bool,
}

/// Memory of the method.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub misses: Vec<Miss>,
    /// Per value its first miss.
    pub heads: Vec<u32>,
    pub places: Vec<Place>,
    /// Invocations of writes of unknown outcome that nobody observed, the earliest one last.
    pub spares: Vec<u64>,
    /// Ranges of places that were changed.
    pub changed: Vec<(usize, usize)>,
}

impl Builder<'_> {
    /// Looks for instants at which the failed compare-and-sets did not find their values.
    pub(super) fn explain_failed(&mut self) -> Result<(), Zones> {
        if self.scratch.failed.is_empty() {
            return Ok(());
        }
        let mut line = core::mem::take(&mut self.scratch.line);
        let found = if line.misses(self) { line.explain(self) } else { Ok(()) };
        self.scratch.line = line;
        found.map_err(|call| Zones::Unexplained { call: call as usize })
    }
}

impl Line {
    /// Enters the failed compare-and-sets on values that the register held; whether there is one.
    fn misses(&mut self, builder: &mut Builder<'_>) -> bool {
        let mut is_any_held = false;
        self.misses.clear();
        self.heads.clear();
        self.heads.resize(builder.scratch.values.len(), NONE);
        for place in 0..builder.scratch.failed.len() {
            let number = builder.scratch.failed[place];
            let Call { invoke, returned, action } = builder.calls[number as usize];
            let RegisterAction::CompareAndSet { expected, .. } = action else { continue };
            // A value that nobody told gets a number only here, and has no head.
            let value = builder.value(expected);
            is_any_held |= value == INITIAL || builder.scratch.values[value as usize].writer != NONE;
            if let Some(head) = self.heads.get_mut(value as usize) {
                let miss = Miss { invoke: shifted(invoke), returned: shifted(returned), call: number, next: *head };
                *head = self.misses.len() as u32;
                self.misses.push(miss);
            }
        }
        is_any_held
    }

    /// Makes the line; the call that finds no instant, if there is one.
    fn explain(&mut self, builder: &Builder<'_>) -> Result<(), u32> {
        self.line_up(builder);
        self.collect_spares(builder);
        self.changed.clear();
        let mut walk = Walk::new(&builder.scratch.values, self);
        walk.along()?;
        walk.verify()
    }

    /// All values, each beginning as late as its place allows.
    fn line_up(&mut self, builder: &Builder<'_>) {
        let Scratch { zones, values, .. } = &*builder.scratch;
        let places = &mut self.places;
        places.clear();
        places.reserve(values.len());
        let mut rest = &zones[..];
        while let Some((zone, behind)) = rest.split_first() {
            rest = behind;
            if zone.is_forward() {
                // What must begin while this chain surely lasts is hidden before it.
                let inside = rest.iter().take_while(|inner| inner.first_return < zone.last_invoke).count();
                let (hidden, others) = rest.split_at(inside);
                rest = others;
                for zone in hidden {
                    push_chain(places, values, zone.root);
                }
            }
            push_chain(places, values, zone.root);
        }
        let mut next = u64::MAX;
        for place in places.iter_mut().rev() {
            next = place.begins.min(next);
            place.begins = next;
        }
    }

    /// Writes of unknown outcome that were left out, and on which no compare-and-set failed.
    fn collect_spares(&mut self, builder: &Builder<'_>) {
        self.spares.clear();
        for &(call, number) in &builder.scratch.left_out {
            let is_plain = builder.scratch.values[number as usize].source == NONE;
            if is_plain && self.heads.get(number as usize).is_none_or(|head| *head == NONE) {
                self.spares.push(shifted(builder.calls[call as usize].invoke));
            }
        }
        self.spares.sort_unstable_by_key(|invoke| Reverse(*invoke));
    }

    /// When a value that begins at some time must have ended: at the first return of a miss that was invoked later.
    #[inline]
    pub fn bound(&self, value: u32, begins: u64) -> (u64, u32) {
        let mut bound = (u64::MAX, NONE);
        let mut head = self.heads[value as usize];
        while head != NONE {
            let Miss { invoke, returned, call, next } = self.misses[head as usize];
            if invoke > begins && returned < bound.0 {
                bound = (returned, call);
            }
            head = next;
        }
        bound
    }

    /// When the value at a place begins; behind the last one, never.
    #[inline]
    pub fn begins(&self, place: usize) -> u64 {
        self.places.get(place).map_or(u64::MAX, |place| place.begins)
    }
}

/// Puts the values of a chain into the line, each with the time at which it must have begun.
#[inline]
fn push_chain(places: &mut Vec<Place>, values: &[Value], root: u32) {
    let mut number = root;
    while number != NONE {
        let Value { first_return, follower, .. } = values[number as usize];
        places.push(Place { begins: first_return, value: number, is_root: number == root, is_last: follower == NONE, is_cut: false });
        number = follower;
    }
}
