//! First-in-first-out queues with unique values in O(n log n).
//!
//! **Condition.** No value is enqueued twice. After Henzinger, Sezgin & Vafeiadis, "Aspect-oriented linearizability proofs"
//! (CONCUR 2013): such a queue is refuted exactly when a value is dequeued twice, or without or before its enqueue; when two
//! values leave it in the wrong order; or when it is told empty while some value was surely inside all the time.
//!
//! An enqueue of unknown outcome happened exactly when its value was dequeued. Dequeues of unknown outcome make a difference
//! only to values that no other call took away: if there is an order without these dequeues, there is one; if there is
//! none without these values, there is none, because values and the calls on them can be taken out of any order. Between the two
//! the answer is "undecided" and a search takes over.

use super::bounds::{NOBODY, answer, outside, refuted};
use super::interner::Interner;
use super::{Answer, Call, NEVER};
use crate::models::queue::{Dequeued, QueueAction};

/// Decides the calls of one queue, as far as the condition goes.
#[must_use]
pub fn decide(calls: &[Call<QueueAction>]) -> Answer {
    match Patterns::new(calls) {
        Ok(patterns) => answer(patterns.run()),
        Err(answer) => answer,
    }
}

/// The calls on one value.
#[derive(Clone, Copy, Debug)]
struct Life {
    enqueue: usize,
    dequeue: usize,
}

/// A time during which some value is surely inside, both ends excluded, with the calls that bound it.
#[derive(Clone, Copy, Debug)]
struct Inside {
    start: u64,
    end: u64,
    enqueue: usize,
    dequeue: usize,
}

struct Patterns<'a> {
    calls: &'a [Call<QueueAction>],
    lives: Vec<Life>,
    empty: Vec<usize>,
    /// Whether some dequeue is of unknown outcome.
    unknown: bool,
}

impl<'a> Patterns<'a> {
    fn new(calls: &'a [Call<QueueAction>]) -> Result<Self, Answer> {
        let mut patterns = Self { calls, lives: Vec::new(), empty: Vec::new(), unknown: false };
        let mut numbers: Interner<u64> = Interner::default();
        for (number, call) in calls.iter().enumerate() {
            let Some(value) = call.action.value() else {
                match call.action {
                    QueueAction::Dequeue { told: Dequeued::Empty } if call.returned != NEVER => patterns.empty.push(number),
                    QueueAction::Dequeue { told: Dequeued::Empty } => {}
                    _ => patterns.unknown = true,
                }
                continue;
            };
            let (place, new) = numbers.intern(value);
            if new {
                patterns.lives.push(Life { enqueue: NOBODY, dequeue: NOBODY });
            }
            let life = &mut patterns.lives[place as usize];
            if let QueueAction::Enqueue { .. } = call.action {
                if life.enqueue != NOBODY {
                    return Err(outside("a value is enqueued twice"));
                }
                life.enqueue = number;
            } else if call.returned == NEVER {
                patterns.unknown = true;
            } else if life.dequeue != NOBODY {
                let twice = [life.dequeue, number];
                return Err(if patterns.once(value) { refuted(twice) } else { outside("a value is enqueued twice") });
            } else {
                life.dequeue = number;
            }
        }
        Ok(patterns)
    }

    /// Whether a value is enqueued once at most.
    fn once(&self, value: u64) -> bool {
        self.calls.iter().filter(|call| call.action == QueueAction::Enqueue { value }).count() < 2
    }

    fn run(mut self) -> Result<(), Answer> {
        let calls = self.calls;
        // Values that did not get in.
        self.lives.retain(|life| life.dequeue != NOBODY || (life.enqueue != NOBODY && calls[life.enqueue].returned != NEVER));
        self.births()?;
        let whole = self.order(&self.lives).and_then(|()| self.never_empty(&self.lives));
        if !self.unknown || whole.is_ok() {
            return whole;
        }
        let taken: Vec<Life> = self.lives.iter().copied().filter(|life| life.dequeue != NOBODY).collect();
        self.order(&taken)?;
        self.never_empty(&taken)?;
        Err(outside("a dequeue of unknown outcome"))
    }

    /// Nothing leaves the queue before it gets in.
    fn births(&self) -> Result<(), Answer> {
        for &Life { enqueue, dequeue } in self.lives.iter().filter(|life| life.dequeue != NOBODY) {
            if enqueue == NOBODY || self.calls[dequeue].returned < self.calls[enqueue].invoke {
                return Err(refuted([enqueue, dequeue]));
            }
        }
        Ok(())
    }

    /// When the dequeue of a value was invoked and returned.
    fn left(&self, life: &Life) -> (u64, u64) {
        self.calls.get(life.dequeue).map_or((NEVER, NEVER), |call| (call.invoke, call.returned))
    }

    /// What surely came later does not surely leave earlier.
    fn order(&self, lives: &[Life]) -> Result<(), Answer> {
        let mut by_invoke: Vec<&Life> = lives.iter().collect();
        let mut by_return = by_invoke.clone();
        by_invoke.sort_unstable_by_key(|life| self.calls[life.enqueue].invoke);
        by_return.sort_unstable_by_key(|life| self.calls[life.enqueue].returned);
        let mut earlier = by_return.into_iter().peekable();
        // Of all values that are surely older, the one whose dequeue was invoked last.
        let mut last: Option<&Life> = None;
        for life in by_invoke {
            while let Some(older) = earlier.next_if(|older| self.calls[older.enqueue].returned < self.calls[life.enqueue].invoke) {
                if last.is_none_or(|last| self.left(older).0 > self.left(last).0) {
                    last = Some(older);
                }
            }
            if let Some(older) = last
                && self.left(older).0 > self.left(life).1
            {
                return Err(refuted([older.enqueue, older.dequeue, life.enqueue, life.dequeue]));
            }
        }
        Ok(())
    }

    /// The queue is told empty only when it may have been.
    fn never_empty(&self, lives: &[Life]) -> Result<(), Answer> {
        if self.empty.is_empty() {
            return Ok(());
        }
        let inside = |life: &Life| {
            let (start, end) = (self.calls[life.enqueue].returned, self.left(life).0);
            (start < end).then_some(Inside { start, end, enqueue: life.enqueue, dequeue: life.dequeue })
        };
        let mut inside: Vec<Inside> = lives.iter().filter_map(inside).collect();
        inside.sort_unstable_by_key(|one| (one.start, one.end));
        // Merged: where each stretch begins, where it ends, and the values that make it up.
        let mut stretches: Vec<(u64, u64, usize)> = Vec::new();
        for (number, one) in inside.iter().enumerate() {
            match stretches.last_mut() {
                Some(stretch) if one.start < stretch.1 => stretch.1 = stretch.1.max(one.end),
                _ => stretches.push((one.start, one.end, number)),
            }
        }
        for &call in &self.empty {
            let Call { invoke, returned, .. } = self.calls[call];
            let before = stretches.partition_point(|stretch| stretch.0 < invoke);
            let Some((_, end, first)) = before.checked_sub(1).map(|place| stretches[place]) else { continue };
            if returned < end {
                let members = inside[first..].iter().take_while(|one| one.start < end && one.start <= returned);
                let concerned = members.filter(|one| one.end >= invoke).flat_map(|one| [one.enqueue, one.dequeue]);
                return Err(refuted(concerned.chain([call])));
            }
        }
        Ok(())
    }
}
