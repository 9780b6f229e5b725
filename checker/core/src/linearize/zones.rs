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
//! compare-and-sets say that the register held something else: they are tested against the order of values found, and if that
//! order does not explain them the question is left to another engine.
//!
//! **Condition.** Every written value is unique and is not the initial one; additions tell their sums.

mod failed;
#[cfg(test)]
mod tests;

use super::{Call, NEVER};
use crate::models::register::RegisterAction;

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
    table: Vec<u32>,
    sources: Vec<u32>,
    /// Whether an addition found zero or an absent key.
    added_to_nothing: bool,
    forward: Vec<Zone>,
    backward: Vec<Zone>,
    failed: Vec<u32>,
    work: Vec<u32>,
}

/// All that is known of one value. Times are shifted by one, so that the initial value's virtual write stands at 0.
#[derive(Clone, Copy, Debug)]
struct Value {
    content: u64,
    writer: u32,
    /// The compare-and-set that took it away.
    consumer: u32,
    reader_returned_first: u32,
    reader_invoked_last: u32,
    first_return: u64,
    last_invoke: u64,
    observed: bool,
    visited: bool,
}

#[derive(Clone, Copy, Debug)]
struct Zone {
    first_return: u64,
    last_invoke: u64,
    root: u32,
    returned_first: u32,
    invoked_last: u32,
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
        let size = (self.calls.len() * 4).next_power_of_two().max(16);
        scratch.table.clear();
        scratch.table.resize(size, NONE);
        scratch.values.clear();
        scratch.sources.clear();
        scratch.sources.resize(self.calls.len(), NONE);
        scratch.added_to_nothing = false;
        scratch.forward.clear();
        scratch.backward.clear();
        scratch.failed.clear();
        scratch.work.clear();
        // An absent initial value gets the number that a history reserves for null, which nobody can write.
        self.value(self.initial);
    }

    /// The number of a value.
    #[inline]
    fn value(&mut self, value: Option<u64>) -> u32 {
        let value = value.unwrap_or(u64::MAX);
        let Scratch { values, table, .. } = &mut *self.scratch;
        let mask = table.len() - 1;
        let mut at = (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        loop {
            let found = table[at];
            if found == NONE {
                table[at] = values.len() as u32;
                values.push(Value {
                    content: value,
                    writer: NONE,
                    consumer: NONE,
                    reader_returned_first: NONE,
                    reader_invoked_last: NONE,
                    first_return: u64::MAX,
                    last_invoke: 0,
                    observed: false,
                    visited: false,
                });
                return table[at];
            }
            if values[found as usize].content == value {
                return found;
            }
            at = (at + 1) & mask;
        }
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
        value.observed = true;
        if shifted(returned) < value.first_return || value.reader_returned_first == NONE {
            (value.first_return, value.reader_returned_first) = (shifted(returned), call as u32);
        }
        if shifted(invoke) > value.last_invoke {
            (value.last_invoke, value.reader_invoked_last) = (shifted(invoke), call as u32);
        }
    }

    /// Enters a write; `source` is the value that it took away, if it did.
    fn write(&mut self, call: usize, source: u32, value: u64) -> Result<(), Zones> {
        let target = self.value(Some(value));
        let known = &mut self.scratch.values[target as usize];
        if target == INITIAL || known.writer != NONE {
            return Err(Zones::NotApplicable("a value is written twice"));
        }
        known.writer = call as u32;
        self.scratch.sources[call] = source;
        if source != NONE && self.calls[call].returned != NEVER {
            self.scratch.values[source as usize].observed = true;
        }
        Ok(())
    }

    /// Follows observations backwards: an unknown compare-and-set whose value was observed did observe its own source.
    /// Afterwards `observed` tells which writes of unknown outcome are kept.
    fn keep_observed(&mut self) {
        let Scratch { values, work, sources, .. } = &mut *self.scratch;
        work.extend((0..values.len() as u32).filter(|number| values[*number as usize].observed));
        while let Some(number) = work.pop() {
            let writer = values[number as usize].writer;
            if writer == NONE || self.calls[writer as usize].returned != NEVER || sources[writer as usize] == NONE {
                continue;
            }
            let source = sources[writer as usize];
            let value = &mut values[source as usize];
            if !value.observed {
                value.observed = true;
                work.push(source);
            }
        }
        for value in values.iter_mut().filter(|value| value.writer != NONE && !value.observed) {
            if self.calls[value.writer as usize].returned == NEVER {
                value.writer = NONE;
            }
        }
    }

    /// Links values to those that replaced them, and finds values that nobody wrote.
    fn consume(&mut self) -> Result<(), Zones> {
        for number in 0..self.scratch.values.len() {
            let value = self.scratch.values[number];
            if number != INITIAL as usize && value.writer == NONE && value.reader_returned_first != NONE {
                return refuted(Conflict::NeverWritten { reader: value.reader_returned_first as usize });
            }
            if value.writer == NONE {
                continue;
            }
            let source = self.scratch.sources[value.writer as usize];
            if source == NONE {
                continue;
            }
            let taken = &mut self.scratch.values[source as usize];
            if source != INITIAL && taken.writer == NONE {
                return refuted(Conflict::NeverWritten { reader: value.writer as usize });
            }
            if taken.consumer != NONE {
                return refuted(Conflict::ConsumedTwice { first: taken.consumer as usize, second: value.writer as usize });
            }
            taken.consumer = value.writer;
        }
        Ok(())
    }

    fn walk_all(&mut self) -> Result<(), Zones> {
        self.walk(INITIAL)?;
        for number in 1..self.scratch.values.len() as u32 {
            let writer = self.scratch.values[number as usize].writer;
            if writer != NONE && self.scratch.sources[writer as usize] == NONE {
                self.walk(number)?;
            }
        }
        let unreached = self.scratch.values.iter().filter(|value| value.writer != NONE && !value.visited);
        let calls: Vec<usize> = unreached.map(|value| value.writer as usize).collect();
        if calls.is_empty() { Ok(()) } else { refuted(Conflict::Cycle { calls }) }
    }

    /// Walks the chain that begins with the value `root` and enters its zone.
    fn walk(&mut self, root: u32) -> Result<(), Zones> {
        let mut zone = Zone { first_return: u64::MAX, last_invoke: 0, root: NONE, returned_first: NONE, invoked_last: NONE };
        let mut number = root;
        zone.root = self.scratch.values[root as usize].writer;
        loop {
            let value = &mut self.scratch.values[number as usize];
            value.visited = true;
            let value = *value;
            let (invoke, returned) = self.interval(value.writer);
            if invoke > zone.last_invoke {
                (zone.last_invoke, zone.invoked_last) = (invoke, value.writer);
            }
            let (mut first_return, mut returned_first) = (returned, value.writer);
            if value.first_return < first_return {
                (first_return, returned_first) = (value.first_return, value.reader_returned_first);
            }
            if zone.last_invoke > first_return {
                return refuted(Conflict::Backwards { early: zone.invoked_last as usize, late: returned_first as usize });
            }
            if value.last_invoke > zone.last_invoke {
                (zone.last_invoke, zone.invoked_last) = (value.last_invoke, value.reader_invoked_last);
            }
            if first_return < zone.first_return {
                (zone.first_return, zone.returned_first) = (first_return, returned_first);
            }
            if value.consumer == NONE {
                break;
            }
            // The consumer wrote exactly one value: the one whose source this is.
            number = self.written_by(value.consumer);
        }
        let forward = zone.first_return < zone.last_invoke;
        let zones = if forward { &mut self.scratch.forward } else { &mut self.scratch.backward };
        zones.push(zone);
        Ok(())
    }

    /// Shifted interval of a writer; that of the initial value is at 0.
    fn interval(&self, writer: u32) -> (u64, u64) {
        if writer == NONE {
            return (0, 0);
        }
        let call = &self.calls[writer as usize];
        (shifted(call.invoke), shifted(call.returned))
    }

    fn written_by(&mut self, call: u32) -> u32 {
        let value = match self.calls[call as usize].action {
            RegisterAction::Write { value } | RegisterAction::CompareAndSet { value, .. } => Some(value),
            RegisterAction::Add { sum, .. } => sum,
            RegisterAction::Read { seen } => seen,
        };
        self.value(value)
    }

    /// Forward zones must not overlap, and must not enclose backward ones.
    fn compare(&mut self) -> Result<(), Zones> {
        let Scratch { forward, backward, .. } = &mut *self.scratch;
        forward.sort_unstable_by_key(|zone| zone.first_return);
        for pair in forward.windows(2) {
            if pair[1].first_return < pair[0].last_invoke {
                return refuted(Conflict::Overlap { first: span(&pair[0]), second: span(&pair[1]) });
            }
        }
        for inner in backward.iter() {
            if let Some(outer) = enclosing(forward, inner.last_invoke)
                && outer.last_invoke > inner.first_return
            {
                return refuted(Conflict::Enclosed { outer: span(outer), inner: span(inner) });
            }
        }
        Ok(())
    }
}

/// The last forward zone that begins before an instant.
fn enclosing(forward: &[Zone], instant: u64) -> Option<&Zone> {
    let behind = forward.partition_point(|zone| zone.first_return < instant);
    behind.checked_sub(1).map(|place| &forward[place])
}

fn span(zone: &Zone) -> Span {
    let known = |call: u32| (call != NONE).then_some(call as usize);
    Span { root: known(zone.root), first_return: known(zone.returned_first), last_invoke: known(zone.invoked_last) }
}

fn refuted<T>(conflict: Conflict) -> Result<T, Zones> {
    Err(Zones::Refuted(conflict))
}
