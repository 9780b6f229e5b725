//! First-in-first-out queues with unique values in O(n log n).
//!
//! **Condition.** No value is enqueued twice. After Henzinger, Sezgin & Vafeiadis, "Aspect-oriented linearizability proofs"
//! (CONCUR 2013): such a queue is refuted exactly when a value is dequeued twice, or without or before its enqueue; when two
//! values leave it in the wrong order; or when it is told empty while some value was surely inside all the time.
//!
//! An enqueue of unknown outcome happened exactly when its value was dequeued. Dequeues of unknown outcome make a difference
//! only to values that no other call took away:
//!
//! * If there is no order without these dequeues and values, there is none with them, because a value and the calls on it can be
//!   taken out of any order.
//! * Such a value was taken by one of these dequeues if it is surely older than a value that another call took, or surely inside
//!   before a call that was told empty: and its dequeue was invoked before that call returned. Its value has a deadline. All other
//!   rules only want dequeues that never returned to be invoked early; so the value with the n-th deadline gets the n-th of
//!   these dequeues in the order of their invocation. If even that one is too late, no way to give them out is in time.
//! * What that makes of the history is decided like any other. Only when a call is told empty nevertheless, another way to
//!   give them out may do: "undecided", and a search takes over.

use super::bounds::{NOBODY, answer, outside, refuted};
use super::interner::Interner;
use super::{Answer, Call, NEVER, Refutation};
use crate::models::queue::{Dequeued, QueueAction};
use std::collections::BTreeSet;

/// Decides the calls of one queue, as far as the condition goes.
#[must_use]
pub fn decide(calls: &[Call<QueueAction>]) -> Answer {
    let found = match Patterns::new(calls) {
        Ok(patterns) => answer(patterns.run()),
        Err(answer) => answer,
    };
    match found {
        Answer::Refuted(refutation) if !refutation.is_closed => closed(calls, &refutation.core),
        found => found,
    }
}

/// The refutation by all calls on the values of a few: what happened to other values, or to none, does not matter to them.
fn closed(calls: &[Call<QueueAction>], core: &[usize]) -> Answer {
    let mut values: Vec<u64> = core.iter().filter_map(|call| calls[*call].action.value()).collect();
    values.sort_unstable();
    let concerned = |call: &usize| calls[*call].action.value().is_some_and(|value| values.binary_search(&value).is_ok());
    let core = (0..calls.len()).filter(|call| core.contains(call) || concerned(call)).collect();
    Answer::Refuted(Refutation { core, is_closed: true, ..Refutation::default() })
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
    /// Dequeues of unknown outcome that may have taken any value.
    unknown: Vec<usize>,
    /// Whether a dequeue of unknown outcome is said to have asked for a value.
    asked: bool,
}

impl<'a> Patterns<'a> {
    fn new(calls: &'a [Call<QueueAction>]) -> Result<Self, Answer> {
        let mut patterns = Self { calls, lives: Vec::new(), empty: Vec::new(), unknown: Vec::new(), asked: false };
        let mut numbers: Interner<u64> = Interner::default();
        for (number, call) in calls.iter().enumerate() {
            let Some(value) = call.action.value() else {
                match call.action {
                    QueueAction::Dequeue { told: Dequeued::Empty } if call.returned != NEVER => patterns.empty.push(number),
                    QueueAction::Dequeue { told: Dequeued::Empty } => {}
                    _ if call.returned != NEVER => return Err(outside("a dequeue that returned without an answer")),
                    _ => patterns.unknown.push(number),
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
                patterns.asked = true;
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
        if whole.is_ok() || (self.unknown.is_empty() && !self.asked) {
            return whole;
        }
        let (mut taken, mut left): (Vec<Life>, Vec<Life>) = self.lives.iter().partition(|life| life.dequeue != NOBODY);
        self.order(&taken)?;
        self.never_empty(&taken)?;
        if self.asked {
            return Err(outside("a dequeue of a value that is of unknown outcome"));
        }
        self.give_out(&taken, &mut left)?;
        taken.append(&mut left);
        self.lives = taken;
        let given = self.order(&self.lives).and_then(|()| self.never_empty(&self.lives));
        given.map_err(|_| outside("a dequeue of unknown outcome beside one that found nothing"))
    }

    /// Gives the dequeues of unknown outcome to those of the values `left` that must be gone at some time.
    fn give_out(&self, taken: &[Life], left: &mut [Life]) -> Result<(), Answer> {
        let mut marks: Vec<(u64, u64, [usize; 2])> = taken
            .iter()
            .map(|life| (self.calls[life.enqueue].invoke, self.calls[life.dequeue].returned, [life.enqueue, life.dequeue]))
            .chain(self.empty.iter().map(|call| (self.calls[*call].invoke, self.calls[*call].returned, [*call, NOBODY])))
            .collect();
        marks.sort_unstable_by_key(|mark| mark.0);
        // From each place on, the mark whose end comes first.
        for place in (1..marks.len()).rev() {
            if marks[place].1 < marks[place - 1].1 {
                (marks[place - 1].1, marks[place - 1].2) = (marks[place].1, marks[place].2);
            }
        }
        let deadline = |life: &Life| {
            let after = marks.partition_point(|mark| mark.0 <= self.calls[life.enqueue].returned);
            marks.get(after).map_or((NEVER, [NOBODY; 2]), |mark| (mark.1, mark.2))
        };
        left.sort_by_cached_key(|life| deadline(life).0);
        let mut dequeues = self.unknown.clone();
        dequeues.sort_unstable_by_key(|call| self.calls[*call].invoke);
        for place in 0..left.len() {
            let (end, _) = deadline(&left[place]);
            if end == NEVER {
                break;
            }
            if let Some(call) = dequeues.get(place).filter(|call| self.calls[**call].invoke <= end) {
                left[place].dequeue = *call;
                continue;
            }
            // One more value than dequeues that could have taken them, each with the reason why it must be gone.
            let values = left[..=place].iter().flat_map(|life| [life.enqueue].into_iter().chain(deadline(life).1));
            let core: BTreeSet<usize> = values.chain(dequeues.iter().copied().take(place)).collect();
            let core = core.into_iter().filter(|call| *call != NOBODY).collect();
            return Err(Answer::Refuted(Refutation { core, is_closed: true, ..Refutation::default() }));
        }
        Ok(())
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
