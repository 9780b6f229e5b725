//! Zones: registers whose written values are unique, decided in O(n log n).
//!
//! After Gibbons & Korach, "Testing shared memories" (SIAM J. Comput. 26(4), 1997), extended by chains of compare-and-sets
//! and by calls of unknown outcome. A successful compare-and-set from u to v makes v follow u at once, so values form chains,
//! each beginning with a plain write or the initial value. A chain occupies the register without interruption. Within a
//! chain, `A` is the latest time that something which must have happened by now was invoked; a value of which a writer or
//! reader returned before `A` refutes. The chain's zone reaches from its earliest return `f` to its latest invocation `s`:
//! if f < s it surely occupies the register from f to s (a forward zone), otherwise it fits into any instant from s to f (a
//! backward zone). The calls are linearizable exactly when no two forward zones overlap and no backward zone lies inside a
//! forward one.
//!
//! A write of unknown outcome counts, with a return at infinity, when something observed its value, and is left out
//! otherwise; both lose nothing, because nothing else could have made the observation, or none depends on it. Failed
//! compare-and-sets say that the register held something else: an order of values that leaves each of them an instant is made
//! in [`failed`]; where that fails, [`window`] names a few calls that may have no order whatever else happened.
//!
//! **Condition.** Every written value is unique and is not the initial one; additions tell their sums.

mod failed;
mod sorting;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod window;

pub use window::window;

use super::{Call, NEVER};
use crate::models::register::RegisterAction;
use sorting::Sorting;
use table::Table;

const NONE: u32 = u32::MAX;
/// Value number of the initial value.
const INITIAL: u32 = 0;

/// What the zones say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zones {
    /// A legal order exists.
    Linearizable,
    /// No legal order exists.
    Refuted(Conflict),
    /// Legal but for failed compare-and-sets: this one finds no instant in the orders that were tried.
    Unexplained {
        /// Its number.
        call: usize,
    },
    /// The question is outside of this method, for this reason.
    NotApplicable(&'static str),
}

/// Calls that no legal order can hold, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// It observed a value that nobody wrote.
    NeverWritten {
        /// The observer.
        reader: usize,
    },
    /// Two compare-and-sets (or additions) took the same value away.
    ConsumedTwice {
        /// One.
        first: usize,
        /// The other one.
        second: usize,
    },
    /// Each of these needs the value that another one of them wrote.
    Cycle {
        /// The calls.
        calls: Vec<usize>,
    },
    /// By the values `late` comes after `early`, but it returned before `early` was invoked.
    Backwards {
        /// Must come first.
        early: usize,
        /// Must come later.
        late: usize,
    },
    /// Both chains occupy the register at one time; each is given by its first write, the call that returned first, and
    /// the call that was invoked last.
    Overlap {
        /// One chain.
        first: Span,
        /// The other one.
        second: Span,
    },
    /// The inner chain must take place while the outer one occupies the register.
    Enclosed {
        /// Occupies the register.
        outer: Span,
        /// Finds no instant.
        inner: Span,
    },
}

/// A chain by the calls that bound its zone; none stands for the initial value's virtual write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The plain write that began it.
    pub root: Option<usize>,
    /// The call that returned first.
    pub first_return: Option<usize>,
    /// The call that was invoked last.
    pub last_invoke: Option<usize>,
}

impl Conflict {
    /// The calls that are named, in no order.
    #[must_use]
    pub fn calls(&self) -> Vec<usize> {
        let span = |span: &Span| [span.root, span.first_return, span.last_invoke];
        let mut calls: Vec<usize> = match self {
            Self::NeverWritten { reader } => vec![*reader],
            Self::ConsumedTwice { first, second } => vec![*first, *second],
            Self::Cycle { calls } => calls.clone(),
            Self::Backwards { early, late } => vec![*early, *late],
            Self::Overlap { first: a, second: b } | Self::Enclosed { outer: a, inner: b } => {
                span(a).into_iter().chain(span(b)).flatten().collect()
            }
        };
        calls.sort_unstable();
        calls.dedup();
        calls
    }
}

/// Memory of the method, to be used again for the next object.
#[derive(Debug, Default)]
pub struct Scratch {
    values: Vec<Value>,
    table: Table,
    /// Whether an addition found zero or an absent key.
    added_to_nothing: bool,
    /// Whether a write of unknown outcome was seen.
    has_unknown: bool,
    /// All zones, by their earliest returns after [`Builder::compare`].
    zones: Vec<Zone>,
    sorting: Sorting,
    failed: Vec<u32>,
    /// Writes and compare-and-sets of unknown outcome that nobody observed, with their values.
    left_out: Vec<(u32, u32)>,
    work: Vec<u32>,
    line: failed::Line,
}

/// All that is known of one value. Times are shifted by one, so that the initial value's virtual write stands at 0.
#[derive(Clone, Copy, Debug)]
struct Value {
    content: u64,
    /// When its write was invoked.
    invoke: u64,
    /// The earliest return of its write and its readers.
    first_return: u64,
    /// The last invocation of a reader.
    last_invoke: u64,
    writer: u32,
    /// The value that the writer took away, if it did.
    source: u32,
    /// The value of the compare-and-set that took this one away.
    follower: u32,
    is_read: bool,
    is_observed: bool,
    /// Whether its write is of unknown outcome.
    is_unknown: bool,
}

/// The zone of a chain that begins with the value `root`.
#[derive(Clone, Copy, Debug, Default)]
struct Zone {
    first_return: u64,
    last_invoke: u64,
    root: u32,
}

impl Zone {
    /// Whether it surely covers the time between its bounds.
    #[inline]
    fn is_forward(&self) -> bool {
        self.first_return < self.last_invoke
    }
}

/// Decides whether the calls of one register with this initial value are linearizable.
pub fn decide(initial: Option<u64>, calls: &[Call<RegisterAction>], scratch: &mut Scratch) -> Zones {
    let mut zones = Builder { calls, scratch, initial };
    match zones.run() {
        Ok(()) => Zones::Linearizable,
        Err(end) => end,
    }
}

/// A time after the shift.
#[inline]
fn shifted(time: u64) -> u64 {
    time.saturating_add(1)
}

struct Builder<'a> {
    calls: &'a [Call<RegisterAction>],
    scratch: &'a mut Scratch,
    initial: Option<u64>,
}

impl Builder<'_> {
    fn run(&mut self) -> Result<(), Zones> {
        self.reset();
        for call in 0..self.calls.len() {
            self.note(call)?;
        }
        if self.scratch.added_to_nothing {
            let known = self.scratch.values.len();
            if (self.value(Some(0)) as usize) < known {
                return Err(Zones::NotApplicable("an addition to zero, or to an absent key"));
            }
        }
        self.keep_observed();
        self.consume()?;
        self.walk_all()?;
        self.compare()?;
        self.explain_failed()
    }

    fn reset(&mut self) {
        let scratch = &mut *self.scratch;
        scratch.table.reset(self.calls.len());
        scratch.values.clear();
        // What is not used of it is never touched, and so takes no memory; growing would hold two copies.
        scratch.values.reserve(self.calls.len() + 2);
        (scratch.added_to_nothing, scratch.has_unknown) = (false, false);
        scratch.zones.clear();
        scratch.failed.clear();
        scratch.left_out.clear();
        scratch.work.clear();
        // An absent initial value gets the number that a history reserves for null, which nobody can write.
        self.value(self.initial);
        let initial = &mut self.scratch.values[INITIAL as usize];
        (initial.invoke, initial.first_return) = (0, 0);
    }

    /// The number of a value.
    #[inline]
    fn value(&mut self, value: Option<u64>) -> u32 {
        let content = value.unwrap_or(u64::MAX);
        let Scratch { values, table, .. } = &mut *self.scratch;
        let (number, new) = table.number(content, values.len() as u32, |number| values[number as usize].content);
        if new {
            values.push(Value {
                content,
                invoke: 0,
                first_return: u64::MAX,
                last_invoke: 0,
                writer: NONE,
                source: NONE,
                follower: NONE,
                is_read: false,
                is_observed: false,
                is_unknown: false,
            });
        }
        number
    }

    /// Enters a call under the values that it observed and wrote.
    fn note(&mut self, call: usize) -> Result<(), Zones> {
        let Call { returned, action, .. } = self.calls[call];
        let unknown = returned == NEVER;
        match action {
            RegisterAction::Read { .. } | RegisterAction::CompareAndSet { set: Some(false), .. } if unknown => Ok(()),
            RegisterAction::Read { seen } => {
                self.read(call, seen);
                Ok(())
            }
            RegisterAction::Write { value } => self.write(call, NONE, value),
            RegisterAction::CompareAndSet { set: Some(false), .. } => {
                self.scratch.failed.push(call as u32);
                Ok(())
            }
            RegisterAction::CompareAndSet { expected, value, set } => {
                if expected != Some(value) {
                    let source = self.value(expected);
                    return self.write(call, source, value);
                }
                // It leaves the value as it is: a read, when it is known to have succeeded.
                if set.is_some() && !unknown {
                    self.read(call, expected);
                }
                Ok(())
            }
            RegisterAction::Add { amount, sum: Some(sum) } if amount != 0 && !unknown => {
                let before = sum.wrapping_sub(amount);
                if before == u64::MAX {
                    // Here this number means absence.
                    return Err(Zones::NotApplicable("an addition that wrapped around"));
                }
                let to_nothing = before == 0 && self.initial.is_none();
                self.scratch.added_to_nothing |= to_nothing;
                let source = self.value(if to_nothing { None } else { Some(before) });
                self.write(call, source, sum)
            }
            RegisterAction::Add { .. } => Err(Zones::NotApplicable("an addition whose sum is not known")),
        }
    }

    fn read(&mut self, call: usize, seen: Option<u64>) {
        let Call { invoke, returned, .. } = self.calls[call];
        let number = self.value(seen);
        let value = &mut self.scratch.values[number as usize];
        (value.is_read, value.is_observed) = (true, true);
        value.first_return = value.first_return.min(shifted(returned));
        value.last_invoke = value.last_invoke.max(shifted(invoke));
    }

    /// Enters a write; `source` is the value that it took away, if it did.
    fn write(&mut self, call: usize, source: u32, value: u64) -> Result<(), Zones> {
        let Call { invoke, returned, .. } = self.calls[call];
        let target = self.value(Some(value));
        let known = &mut self.scratch.values[target as usize];
        if target == INITIAL || known.writer != NONE {
            return Err(Zones::NotApplicable("a value is written twice"));
        }
        (known.writer, known.source) = (call as u32, source);
        (known.invoke, known.first_return) = (shifted(invoke), known.first_return.min(shifted(returned)));
        known.is_unknown = returned == NEVER;
        self.scratch.has_unknown |= returned == NEVER;
        if source != NONE && returned != NEVER {
            self.scratch.values[source as usize].is_observed = true;
        }
        Ok(())
    }

    /// Follows observations backwards: an unknown compare-and-set whose value was observed did observe its own source.
    /// Afterwards writes of unknown outcome that nobody observed have no part in anything.
    fn keep_observed(&mut self) {
        let Scratch { values, work, left_out, has_unknown, .. } = &mut *self.scratch;
        if !*has_unknown {
            return;
        }
        let observes = |value: &Value| value.is_observed && value.is_unknown && value.source != NONE;
        work.extend((0..values.len() as u32).filter(|number| observes(&values[*number as usize])));
        while let Some(number) = work.pop() {
            let source = values[number as usize].source;
            let value = &mut values[source as usize];
            if !value.is_observed {
                value.is_observed = true;
                if observes(value) {
                    work.push(source);
                }
            }
        }
        for (number, value) in values.iter_mut().enumerate().filter(|(_, value)| value.is_unknown && !value.is_observed) {
            left_out.push((value.writer, number as u32));
            value.writer = NONE;
        }
    }

    /// Links values to those that replaced them, and finds values that nobody wrote.
    fn consume(&mut self) -> Result<(), Zones> {
        for number in 0..self.scratch.values.len() {
            let Value { writer, source, is_read, .. } = self.scratch.values[number];
            if number != INITIAL as usize && writer == NONE && is_read {
                let reader = self.caller(number as u32, self.scratch.values[number].first_return, true);
                return refuted(Conflict::NeverWritten { reader: reader.expect("somebody read it") });
            }
            if writer == NONE || source == NONE {
                continue;
            }
            let taken = self.scratch.values[source as usize];
            if source != INITIAL && taken.writer == NONE {
                return refuted(Conflict::NeverWritten { reader: writer as usize });
            }
            if taken.follower != NONE {
                let first = self.scratch.values[taken.follower as usize].writer as usize;
                return refuted(Conflict::ConsumedTwice { first, second: writer as usize });
            }
            self.scratch.values[source as usize].follower = number as u32;
        }
        Ok(())
    }

    fn walk_all(&mut self) -> Result<(), Zones> {
        let (mut written, mut reached) = (1, self.walk(INITIAL)?);
        for number in 1..self.scratch.values.len() as u32 {
            let Value { writer, source, .. } = self.scratch.values[number as usize];
            written += usize::from(writer != NONE);
            if writer != NONE && source == NONE {
                reached += self.walk(number)?;
            }
        }
        if written == reached { Ok(()) } else { refuted(Conflict::Cycle { calls: self.unreached() }) }
    }

    /// The writers of values that no chain reaches.
    fn unreached(&self) -> Vec<usize> {
        let values = &self.scratch.values;
        let mut reached = vec![false; values.len()];
        for zone in &self.scratch.zones {
            let mut number = zone.root;
            while number != NONE {
                reached[number as usize] = true;
                number = values[number as usize].follower;
            }
        }
        let unreached = values.iter().zip(&reached).filter(|(value, reached)| value.writer != NONE && !**reached);
        unreached.map(|(value, _)| value.writer as usize).collect()
    }

    /// Walks the chain that begins with the value `root` and enters its zone; how many values it has.
    fn walk(&mut self, root: u32) -> Result<usize, Zones> {
        let mut zone = Zone { first_return: u64::MAX, last_invoke: 0, root };
        let (mut number, mut length) = (root, 0);
        while number != NONE {
            let Value { invoke, first_return, last_invoke, follower, .. } = self.scratch.values[number as usize];
            zone.last_invoke = zone.last_invoke.max(invoke);
            if zone.last_invoke > first_return {
                let late = self.caller(number, first_return, true).expect("a return before another call was invoked");
                let early = self.span(root, number).last_invoke.expect("an invocation after another call returned");
                return refuted(Conflict::Backwards { early, late });
            }
            zone.last_invoke = zone.last_invoke.max(last_invoke);
            zone.first_return = zone.first_return.min(first_return);
            (number, length) = (follower, length + 1);
        }
        self.scratch.zones.push(zone);
        Ok(length)
    }

    /// The calls that bound the zone of a chain, up to the writer of the value `end` (of all of it: [`NONE`]).
    fn span(&self, root: u32, end: u32) -> Span {
        let values = &self.scratch.values;
        let (mut returned, mut invoked) = ((u64::MAX, root), (0, root));
        let mut number = root;
        while number != NONE {
            let value = &values[number as usize];
            let last = if number == end { value.invoke } else { value.invoke.max(value.last_invoke) };
            if last > invoked.0 {
                invoked = (last, number);
            }
            if value.first_return < returned.0 {
                returned = (value.first_return, number);
            }
            number = if number == end { NONE } else { value.follower };
        }
        let writer = values[root as usize].writer;
        Span {
            root: (writer != NONE).then_some(writer as usize),
            first_return: self.caller(returned.1, returned.0, true),
            last_invoke: self.caller(invoked.1, invoked.0, false),
        }
    }

    /// The call that tells a value and returned, or was invoked, at some (shifted) time.
    fn caller(&self, number: u32, time: u64, returns: bool) -> Option<usize> {
        let Value { content, writer, .. } = self.scratch.values[number as usize];
        let content = (content != u64::MAX).then_some(content);
        let tells = |call: &Call<RegisterAction>| match call.action {
            RegisterAction::Read { seen } => seen == content,
            RegisterAction::CompareAndSet { expected, value, set } => expected == content && content == Some(value) && set == Some(true),
            _ => false,
        };
        let fits = |call: &Call<RegisterAction>| shifted(if returns { call.returned } else { call.invoke }) == time;
        if writer != NONE && fits(&self.calls[writer as usize]) {
            return Some(writer as usize);
        }
        self.calls.iter().position(|call| fits(call) && tells(call))
    }

    /// Forward zones must not overlap, and must not enclose backward ones.
    fn compare(&mut self) -> Result<(), Zones> {
        let Scratch { zones, sorting, .. } = &mut *self.scratch;
        sorting.sort(zones);
        let mut outer: Option<&Zone> = None;
        for zone in &self.scratch.zones {
            // A backward zone fits before the forward one that its return lies in, if it may.
            let before = if zone.is_forward() { u64::MAX } else { zone.last_invoke };
            if let Some(outer) = outer
                && zone.first_return < outer.last_invoke
                && before > outer.first_return
            {
                let (first, second) = (self.span(outer.root, NONE), self.span(zone.root, NONE));
                return refuted(if zone.is_forward() {
                    Conflict::Overlap { first, second }
                } else {
                    Conflict::Enclosed { outer: first, inner: second }
                });
            }
            if zone.is_forward() {
                outer = Some(zone);
            }
        }
        Ok(())
    }
}

fn refuted<T>(conflict: Conflict) -> Result<T, Zones> {
    Err(Zones::Refuted(conflict))
}
