//! Counters in O(n log n).
//!
//! **Condition.** All amounts are equal (zeros apart); then both answers are exact, unknown outcomes included. With mixed amounts only
//! "refuted" is given, when a read lies outside of what could have been added by then; otherwise the answer is "undecided"
//! and a search takes over (deciding which amounts make up a sum is as hard as subset sum).
//!
//! **Method.** With equal amounts a read tells how many additions came before it: the k-th one before its return, the next
//! one after its invocation. So the places of the order have windows, which may be made to rise together, and every addition
//! fits into the places whose window meets its own interval: a run of places. Giving each place the addition that runs out
//! first (Glover, "Maximum matching in a convex bipartite graph", 1967) fills all places that reads need, and serves all
//! acknowledged additions, whenever anything does. Those of unknown outcome never run out, and are left out unless needed.

use super::bounds::{Window, answer, outside, refuted};
use super::{Answer, Call, NEVER};
use crate::models::counter::{Counter, CounterAction};
use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// Decides the calls of one counter, as far as the condition goes.
#[must_use]
pub fn decide(model: &Counter, calls: &[Call<CounterAction>]) -> Answer {
    let mut amounts = calls.iter().filter_map(|call| amount(call).filter(|amount| *amount != 0));
    let Some(first) = amounts.next() else { return answer(untouched(*model, calls)) };
    if amounts.all(|amount| amount == first) { answer(Places { model, calls, amount: first }.run()) } else { answer(within(*model, calls)) }
}

fn amount(call: &Call<CounterAction>) -> Option<i64> {
    match call.action {
        CounterAction::Add { amount } => Some(amount),
        CounterAction::Read { .. } => None,
    }
}

/// The answered reads: call, invocation, return, and what was seen.
fn reads(calls: &[Call<CounterAction>]) -> impl Iterator<Item = (usize, u64, u64, i64)> {
    calls.iter().enumerate().filter(|(_, call)| call.returned != NEVER).filter_map(|(number, call)| match call.action {
        CounterAction::Read { seen } => Some((number, call.invoke, call.returned, seen)),
        CounterAction::Add { .. } => None,
    })
}

/// Nothing is added.
fn untouched(model: Counter, calls: &[Call<CounterAction>]) -> Result<(), Answer> {
    reads(calls).find(|read| read.3 != model.initial).map_or(Ok(()), |read| Err(refuted([read.0])))
}

/// Equal amounts.
struct Places<'a> {
    model: &'a Counter,
    calls: &'a [Call<CounterAction>],
    amount: i64,
}

/// An addition that waits for a place: the last place that it fits, whether it may be left out, and its call.
type Waiting = Reverse<(usize, bool, usize)>;

impl Places<'_> {
    fn run(&self) -> Result<(), Answer> {
        let mut additions: Vec<usize> = (0..self.calls.len()).filter(|call| amount(&self.calls[*call]) == Some(self.amount)).collect();
        let end = i128::from(self.model.initial) + i128::from(self.amount) * additions.len() as i128;
        if i64::try_from(end).is_err() {
            return Err(outside("a sum beyond 64 bits"));
        }
        let (windows, needed) = self.windows(additions.len())?;
        // Places from which on an addition fits rise with its invocation.
        additions.sort_unstable_by_key(|call| self.calls[*call].invoke);
        let mut coming = additions.into_iter().peekable();
        let mut waiting: BinaryHeap<Waiting> = BinaryHeap::new();
        for (place, window) in windows.iter().enumerate().take(needed) {
            while let Some(call) = coming.next_if(|call| self.calls[*call].invoke <= window.upper.0) {
                waiting.push(self.waiting(&windows, call));
            }
            match waiting.pop() {
                Some(Reverse((last, _, _))) if last > place => {}
                Some(Reverse((_, _, call))) => return Err(refuted([call, window.lower.1])),
                None => return Err(refuted([window.upper.1])),
            }
        }
        waiting.extend(coming.map(|call| self.waiting(&windows, call)));
        // Behind the places that reads need there is room for all, once the last read that misses one was invoked.
        let late = waiting.iter().find(|Reverse((last, optional, _))| !optional && *last <= needed);
        late.map_or(Ok(()), |Reverse((_, _, call))| Err(refuted([*call, windows[needed].lower.1])))
    }

    /// An addition with the number of places whose windows begin before it returns.
    fn waiting(&self, windows: &[Window], call: usize) -> Waiting {
        let returned = self.calls[call].returned;
        Reverse((windows.partition_point(|window| window.lower.0 <= returned), returned == NEVER, call))
    }

    /// The windows of all places, and one more; and how many places reads need to be filled.
    fn windows(&self, additions: usize) -> Result<(Vec<Window>, usize), Answer> {
        let mut windows = vec![Window::default(); additions + 1];
        let mut needed = 0;
        for (call, invoke, returned, seen) in reads(self.calls) {
            let (added, amount) = (i128::from(seen) - i128::from(self.model.initial), i128::from(self.amount));
            let count = usize::try_from(added / amount).ok().filter(|count| *count <= additions && added % amount == 0);
            let Some(count) = count else { return Err(refuted([call])) };
            if let Some(place) = count.checked_sub(1) {
                windows[place].not_after(returned, call);
            }
            windows[count].not_before(invoke, call);
            needed = needed.max(count);
        }
        for place in 1..windows.len() {
            let lower = windows[place - 1].lower;
            windows[place].lower = windows[place].lower.max(lower);
        }
        for place in (1..windows.len()).rev() {
            let upper = windows[place].upper;
            windows[place - 1].upper = windows[place - 1].upper.min(upper);
        }
        match windows[..needed].iter().find(|window| window.lower.0 > window.upper.0) {
            Some(window) => Err(refuted([window.lower.1, window.upper.1])),
            None => Ok((windows, needed)),
        }
    }
}

/// Sums of amounts by time.
struct Sums {
    times: Vec<u64>,
    sums: Vec<i128>,
}

impl Sums {
    fn new(mut amounts: Vec<(u64, i64)>) -> Self {
        amounts.sort_unstable();
        let mut sum = 0;
        let sums = amounts.iter().map(|(_, amount)| {
            sum += i128::from(*amount);
            sum
        });
        Self { sums: core::iter::once(0).chain(sums).collect(), times: amounts.iter().map(|(time, _)| *time).collect() }
    }

    fn before(&self, time: u64) -> i128 {
        self.sums[self.times.partition_point(|other| *other < time)]
    }

    fn until(&self, time: u64) -> i128 {
        self.sums[self.times.partition_point(|other| *other <= time)]
    }
}

/// Whether each read lies between the least and the most that could have been added; decides nothing else.
fn within(model: Counter, calls: &[Call<CounterAction>]) -> Result<(), Answer> {
    let of = |positive: bool, time: fn(&Call<CounterAction>) -> u64| {
        let sign = |call: &&Call<CounterAction>| amount(call).is_some_and(|amount| (amount > 0) == positive);
        Sums::new(calls.iter().filter(sign).map(|call| (time(call), amount(call).unwrap_or(0))).collect())
    };
    let invoked = |call: &Call<CounterAction>| call.invoke;
    let returned = |call: &Call<CounterAction>| call.returned;
    let (more, more_sure, less, less_sure) = (of(true, invoked), of(true, returned), of(false, invoked), of(false, returned));
    let all = more.until(NEVER) - less.until(NEVER) + i128::from(model.initial.unsigned_abs());
    if i64::try_from(all).is_err() {
        return Err(outside("a sum beyond 64 bits"));
    }
    for (call, invoke, end, seen) in reads(calls) {
        let added = i128::from(seen) - i128::from(model.initial);
        let least = more_sure.before(invoke) + less.until(end);
        let most = less_sure.before(invoke) + more.until(end);
        if added < least || added > most {
            return Err(refuted([call]));
        }
    }
    Err(outside("different amounts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(initial: i64, amounts: &[i64], seen: i64) -> Answer {
        let add = |(time, amount): (u64, &i64)| Call { invoke: time, returned: time + 1, action: CounterAction::Add { amount: *amount } };
        let mut calls: Vec<_> = (0..).step_by(2).zip(amounts).map(add).collect();
        calls.push(Call { invoke: 50, returned: 51, action: CounterAction::Read { seen } });
        decide(&Counter { initial }, &calls)
    }

    #[test]
    fn sums_that_no_counter_holds_are_left_to_a_search() {
        let beyond = Answer::Undecided("a sum beyond 64 bits".to_owned());
        let mixed = Answer::Undecided("different amounts".to_owned());
        assert_eq!(judged(i64::MAX - 4, &[2, 2], i64::MAX), Answer::Linearizable);
        assert_eq!(judged(i64::MAX - 3, &[2, 2], i64::MAX), beyond);
        assert_eq!(judged(i64::MAX - 3, &[1, 2], i64::MAX), mixed);
        assert_eq!(judged(i64::MAX - 2, &[1, 2], i64::MAX), beyond);
        assert_eq!(judged(2 - i64::MAX, &[-1, 2], 3 - i64::MAX), beyond, "as far below zero");
        assert_eq!(judged(4 - i64::MAX, &[-1, 2], 5 - i64::MAX), mixed);
        assert_eq!(judged(i64::MAX - 3, &[1, 2], i64::MAX - 1).decided(), Some(false), "three were added for sure");
    }
}
