//! Append-only streams and lists in O(n log n) and the length of all reads.
//!
//! **Condition.** Each element that answers reveal can be traced to its append: the append tells its offset, or no other one
//! without an offset appended the same value, or all of those never returned (then they are interchangeable but for their
//! invocations, and earlier ones serve earlier places). Places that nothing reveals, below one that something does, may
//! only be filled by appends that never returned. Outside of this the answer is "undecided" and a search takes over.
//!
//! **Method.** The order of the appends is then known. Every answer bounds the instant of a creation or of an append: a read
//! that saw place p returned after p's append happened; a read that saw fewer elements than it asked for was invoked before
//! the next place's append. A read needs nothing else, since any instant between both serves it. The earliest instants
//! within these bounds either exist or not. Acknowledged appends that nobody saw follow in the order of their returns, as
//! late as they can; appends of unknown outcome that nobody saw did not happen. Both lose nothing.

use super::bounds::{Clock, NOBODY, Window, answer, outside, refuted};
use super::{Answer, Call, NEVER};
use crate::models::stream::{AppendAnswer, Stream, StreamAction};

#[cfg(test)]
mod tests;

/// Decides the calls of one stream, as far as the condition goes.
#[must_use]
pub fn decide(model: &Stream, calls: &[Call<StreamAction>]) -> Answer {
    answer(Sweep::new(model, calls).run())
}

/// What is known of one place.
#[derive(Clone, Copy, Debug)]
struct Place {
    value: u64,
    /// A call that reveals the value; [`NOBODY`]: not revealed.
    revealed_by: usize,
    /// The append that made it.
    append: usize,
}

/// An append whose place has to be found, by value and invocation.
type Candidate = (u64, u64, usize);

struct Sweep<'a> {
    calls: &'a [Call<StreamAction>],
    exists: bool,
    places: Vec<Place>,
    /// The creation, then one window per place.
    windows: Vec<Window>,
    candidates: Vec<Candidate>,
    /// The acknowledged creation, the earliest of unknown outcome, and an answer that needs the stream.
    created: usize,
    perhaps_created: usize,
    existed: usize,
}

impl<'a> Sweep<'a> {
    fn new(model: &Stream, calls: &'a [Call<StreamAction>]) -> Self {
        let append =
            |call: &&Call<StreamAction>| matches!(call.action, StreamAction::Append { answer, .. } if answer != AppendAnswer::Refused);
        let appends = calls.iter().filter(append).count();
        Self {
            calls,
            exists: model.exists,
            places: vec![Place { value: 0, revealed_by: NOBODY, append: NOBODY }; appends],
            windows: vec![Window::default(); appends + 1],
            candidates: Vec::new(),
            created: NOBODY,
            perhaps_created: NOBODY,
            existed: NOBODY,
        }
    }

    fn run(mut self) -> Result<(), Answer> {
        for call in 0..self.calls.len() {
            self.note(call)?;
        }
        if !self.create()? {
            return Ok(());
        }
        let length = self.places.iter().rposition(|place| place.revealed_by != NOBODY).map_or(0, |last| last + 1);
        let rest = self.trace(length)?;
        let mut clock = Clock::new();
        for step in 0..=length {
            if let Some(append) = step.checked_sub(1).map(|place| self.places[place].append) {
                let Call { invoke, returned, .. } = self.calls[append];
                self.windows[step].not_before(invoke, append);
                self.windows[step].not_after(returned, append);
            }
            clock.step(&self.windows[step])?;
        }
        for (nth, append) in rest.into_iter().enumerate() {
            clock.wait(self.windows[length + nth + 1].lower);
            clock.expect((self.calls[append].returned, append))?;
        }
        Ok(())
    }

    fn note(&mut self, call: usize) -> Result<(), Answer> {
        let Call { invoke, returned, action } = &self.calls[call];
        let never = *returned == NEVER;
        match action {
            StreamAction::Create { refused: Some(true) } if !never => self.needs(call),
            StreamAction::Create { refused: Some(false) } if !never => {
                if self.exists || self.created != NOBODY {
                    return Err(refuted([self.created, call]));
                }
                self.created = call;
            }
            StreamAction::Create { refused } => {
                let earlier = self.calls.get(self.perhaps_created).is_none_or(|other| *invoke < other.invoke);
                if *refused != Some(true) && earlier {
                    self.perhaps_created = call;
                }
            }
            StreamAction::Append { answer: AppendAnswer::Refused, .. } | StreamAction::Read { seen: None, .. } => {
                if !never && self.exists {
                    return Err(refuted([call]));
                }
                if !never {
                    self.windows[0].not_before(*invoke, call);
                }
            }
            StreamAction::Append { value, answer: AppendAnswer::At(offset) } if !never => {
                self.needs(call);
                let place = self.reveal(*offset, *value, call)?;
                let append = &mut self.places[place].append;
                if *append != NOBODY {
                    return Err(refuted([*append, call]));
                }
                *append = call;
            }
            StreamAction::Append { value, .. } => {
                if !never {
                    self.needs(call);
                }
                self.candidates.push((*value, *invoke, call));
            }
            StreamAction::Read { offset, count, seen: Some(seen) } if !never => self.read(call, *offset, *count, seen)?,
            StreamAction::Read { .. } => {}
        }
        Ok(())
    }

    /// The answer of a call says that the stream existed.
    fn needs(&mut self, call: usize) {
        self.existed = call;
        self.windows[0].not_after(self.calls[call].returned, call);
    }

    fn read(&mut self, call: usize, offset: u64, count: u64, seen: &[u64]) -> Result<(), Answer> {
        let Call { invoke, returned, .. } = self.calls[call];
        self.needs(call);
        if seen.len() as u64 > count {
            return Err(refuted([call]));
        }
        for (value, place) in seen.iter().zip(offset..) {
            self.reveal(place, *value, call)?;
        }
        let end = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(seen.len());
        if !seen.is_empty() {
            self.windows[end].not_after(returned, call);
        }
        if (seen.len() as u64) < count
            && let Some(next) = self.windows.get_mut(end.saturating_add(1))
        {
            next.not_before(invoke, call);
        }
        Ok(())
    }

    /// Notes what stands at a place; there are no more places than appends.
    fn reveal(&mut self, offset: u64, value: u64, call: usize) -> Result<usize, Answer> {
        let place = usize::try_from(offset).ok().filter(|place| *place < self.places.len()).ok_or_else(|| refuted([call]))?;
        let known = &mut self.places[place];
        if known.revealed_by == NOBODY {
            (known.value, known.revealed_by) = (value, call);
        } else if known.value != value {
            return Err(refuted([known.revealed_by, call]));
        }
        Ok(place)
    }

    /// Finds the creation; false when the stream need never have existed.
    fn create(&mut self) -> Result<bool, Answer> {
        if self.exists {
            return Ok(true);
        }
        let created = if self.created == NOBODY { self.perhaps_created } else { self.created };
        if created == NOBODY {
            return if self.existed == NOBODY { Ok(false) } else { Err(refuted([self.existed])) };
        }
        if self.created == NOBODY && self.existed == NOBODY {
            return Ok(false);
        }
        let Call { invoke, returned, .. } = self.calls[created];
        self.windows[0].not_before(invoke, created);
        self.windows[0].not_after(returned, created);
        Ok(true)
    }

    /// Gives every place below `length` its append; returns the acknowledged appends that are left, by their returns.
    fn trace(&mut self, length: usize) -> Result<Vec<usize>, Answer> {
        let mut wanted: Vec<(u64, usize)> = Vec::new();
        let mut gaps: Vec<usize> = Vec::new();
        for (place, known) in self.places[..length].iter().enumerate().filter(|(_, known)| known.append == NOBODY) {
            if known.revealed_by == NOBODY {
                gaps.push(place);
            } else {
                wanted.push((known.value, place));
            }
        }
        wanted.sort_unstable();
        self.candidates.sort_unstable();
        let candidates = core::mem::take(&mut self.candidates);
        let (mut acknowledged, mut unknown) = (Vec::new(), Vec::new());
        let mut wanted = wanted.as_slice();
        for group in candidates.chunk_by(|one, other| one.0 == other.0) {
            let value = group[0].0;
            let skipped = wanted.partition_point(|other| other.0 < value);
            if skipped > 0 {
                return Err(refuted([self.places[wanted[0].1].revealed_by]));
            }
            let (own, others) = wanted.split_at(wanted.partition_point(|other| other.0 == value));
            wanted = others;
            for (_, _, call) in self.assign(own, group, !gaps.is_empty())? {
                let list = if self.calls[*call].returned == NEVER { &mut unknown } else { &mut acknowledged };
                list.push(*call);
            }
        }
        if let Some((_, place)) = wanted.first() {
            return Err(refuted([self.places[*place].revealed_by]));
        }
        self.fill(&gaps, unknown, &acknowledged)?;
        acknowledged.sort_unstable_by_key(|call| self.calls[*call].returned);
        Ok(acknowledged)
    }

    /// Gives the places that hold one value their appends; returns the appends of that value that are left.
    fn assign<'g>(&mut self, places: &[(u64, usize)], group: &'g [Candidate], gaps: bool) -> Result<&'g [Candidate], Answer> {
        if places.is_empty() {
            return Ok(group);
        }
        if places.len() > group.len() {
            return Err(refuted(places.iter().map(|(_, place)| self.places[*place].revealed_by)));
        }
        // A forgotten append still knows its place.
        let bound = |(_, _, call): &Candidate| match self.calls[*call].action {
            StreamAction::Append { answer: AppendAnswer::At(offset), .. } => group.len() > 1 || offset != places[0].1 as u64,
            _ => false,
        };
        if group.iter().any(bound) {
            return Err(outside("a forgotten append with an offset"));
        }
        if group.len() > 1 && group.iter().any(|(_, _, call)| self.calls[*call].returned != NEVER) {
            return Err(outside("a value that was appended twice without an offset"));
        }
        if gaps && places.len() < group.len() {
            return Err(outside("a place that nothing reveals, and several appends for it"));
        }
        let (used, left) = group.split_at(places.len());
        for ((_, place), (_, _, call)) in places.iter().zip(used) {
            self.places[*place].append = *call;
        }
        Ok(left)
    }

    /// Fills places that nothing reveals with appends of unknown outcome, in the order of their invocations.
    fn fill(&mut self, gaps: &[usize], mut unknown: Vec<usize>, acknowledged: &[usize]) -> Result<(), Answer> {
        if gaps.is_empty() {
            return Ok(());
        }
        let bound = |call: &usize| matches!(self.calls[*call].action, StreamAction::Append { answer: AppendAnswer::At(_), .. });
        if !acknowledged.is_empty() || unknown.iter().any(bound) {
            return Err(outside("a place that nothing reveals"));
        }
        if gaps.len() > unknown.len() {
            return Err(refuted(self.places.iter().rev().find(|place| place.revealed_by != NOBODY).map(|place| place.revealed_by)));
        }
        unknown.sort_unstable_by_key(|call| self.calls[*call].invoke);
        for (place, call) in gaps.iter().zip(unknown) {
            self.places[*place].append = call;
        }
        Ok(())
    }
}
