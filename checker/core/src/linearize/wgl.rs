//! The search of Wing & Gong with Lowe's cache, an independent second opinion.
//!
//! Depth first over the calls in time order: a call may be taken next when no open call returned before it was invoked
//! (Wing & Gong, JPDC 1993); a pair of (calls taken, state) is never entered twice (Lowe, CCPE 2017). It finds an order
//! fast when there is one, has no bound on concurrency, and holds one state per pair: for objects with large states, or
//! more calls open at once than [`super::frontier`] has slots.

use super::frontier::events;
use super::interner::Interner;
use super::{Answer, Call, Effort, NEVER, Refutation};
use crate::models::Model;

const NONE: u32 = u32::MAX;

/// Decides whether `calls` are linearizable.
pub fn decide<M: Model>(model: &M, calls: &[Call<M::Action>], effort: &mut Effort<'_>) -> Answer {
    Search::new(model, calls).run(effort)
}

/// Calls taken so far: all before `done` in order of invocation, and those whose bits are set behind it. Calls that never
/// returned have places of their own in `unknown`, so that `done` can pass them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Taken {
    done: u32,
    bits: Vec<u64>,
    unknown: Vec<u64>,
}

/// Sets or clears a bit, keeping the last word other than zero so that equal sets are equal.
fn set(words: &mut Vec<u64>, place: usize, value: bool) {
    let (word, bit) = (place / 64, 1 << (place % 64));
    if word >= words.len() {
        words.resize(word + 1, 0);
    }
    if value {
        words[word] |= bit;
    } else {
        words[word] &= !bit;
    }
    while words.last() == Some(&0) {
        words.pop();
    }
}

/// A call on the way to the present node of the search.
#[derive(Clone, Copy, Debug)]
struct Step {
    place: u32,
    before: u32,
    end: usize,
}

/// An event in the list of those that are still open: linked both ways, index 0 is its head.
#[derive(Clone, Copy, Debug)]
struct Link {
    call: u32,
    returns: bool,
    previous: u32,
    next: u32,
}

struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Action>],
    links: Vec<Link>,
    /// Place of each call's return in the list.
    return_link: Vec<u32>,
    /// Rank of each call among those that returned, or among those that did not, in order of invocation.
    rank: Vec<u32>,
    /// Which calls, by rank, are taken; the cache holds it without its full prefix.
    taken: Vec<bool>,
    unknown: Vec<u64>,
    /// Length of the full prefix, and one more than the largest rank taken.
    done: usize,
    end: usize,
    states: Interner<M::State>,
    bytes: usize,
    cache: Interner<(Taken, u32)>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Action>]) -> Self {
        let mut links = vec![Link { call: NONE, returns: false, previous: NONE, next: NONE }];
        let mut return_link = vec![NONE; calls.len()];
        let mut rank = vec![0; calls.len()];
        let (mut returning, mut unknown) = (0, 0);
        for (_, event) in events(calls) {
            let (call, returns) = ((event >> 1) as usize, event & 1 == 1);
            let never = calls[call].returned == NEVER;
            if never && model.is_read_only(&calls[call].action) {
                continue;
            }
            let place = links.len() as u32;
            if returns {
                return_link[call] = place;
            } else {
                let next = if never { &mut unknown } else { &mut returning };
                rank[call] = *next;
                *next += 1;
            }
            links.push(Link { call: call as u32, returns, previous: place - 1, next: NONE });
            links[place as usize - 1].next = place;
        }
        Self {
            model,
            calls,
            links,
            return_link,
            rank,
            taken: vec![false; returning as usize],
            unknown: Vec::new(),
            done: 0,
            end: 0,
            states: Interner::default(),
            bytes: 0,
            cache: Interner::default(),
        }
    }

    fn run(mut self, effort: &mut Effort<'_>) -> Answer {
        let mut state = self.intern(self.model.initial());
        let mut stack: Vec<Step> = Vec::new();
        let mut at = self.links[0].next;
        // No branch came past the return at this place: what was invoked later plays no part.
        let mut farthest = 0;
        while self.done < self.taken.len() {
            if let Err(why) = effort.spend(self.bytes + self.states.bytes() + self.cache.bytes()) {
                return Answer::Undecided(format!("{why}, at event {farthest} of {}", self.links.len()));
            }
            let link = self.links[at as usize];
            if !link.returns {
                let end = self.end;
                if let Some(next) = self.take(at, state) {
                    stack.push(Step { place: at, before: state, end });
                    state = next;
                    at = self.links[0].next;
                } else {
                    at = link.next;
                }
                continue;
            }
            // The call whose return stands here must be taken earlier: go back.
            farthest = farthest.max(at);
            let Some(Step { place, before, end }) = stack.pop() else {
                let at = Some(self.links[farthest as usize].call as usize);
                return Answer::Refuted(Refutation { at, ..Refutation::default() });
            };
            self.give_back(place);
            self.end = end;
            state = before;
            at = self.links[place as usize].next;
        }
        Answer::Linearizable
    }

    /// Takes the call invoked at `place`, if it is legal and leads to somewhere new.
    fn take(&mut self, place: u32, state: u32) -> Option<u32> {
        let call = self.links[place as usize].call as usize;
        let next = self.model.step(self.states.get(state), &self.calls[call].action)?;
        let next = self.intern(next);
        let never = self.calls[call].returned == NEVER;
        if never && next == state {
            return None;
        }
        let end = self.end;
        self.mark(call, true);
        let key = (self.key(), next);
        let bytes = (key.0.bits.len() + key.0.unknown.len()) * size_of::<u64>();
        if !self.cache.intern(key).1 {
            self.mark(call, false);
            self.end = end;
            return None;
        }
        self.bytes += bytes;
        self.unlink(place);
        if !never {
            self.unlink(self.return_link[call]);
        }
        Some(next)
    }

    fn give_back(&mut self, place: u32) {
        let call = self.links[place as usize].call as usize;
        self.mark(call, false);
        if self.calls[call].returned != NEVER {
            self.relink(self.return_link[call]);
        }
        self.relink(place);
    }

    /// Marks a call as taken or not, and keeps the length of the full prefix.
    fn mark(&mut self, call: usize, value: bool) {
        let rank = self.rank[call] as usize;
        if self.calls[call].returned == NEVER {
            set(&mut self.unknown, rank, value);
            return;
        }
        self.taken[rank] = value;
        if value {
            self.end = self.end.max(rank + 1);
            while self.taken.get(self.done) == Some(&true) {
                self.done += 1;
            }
        } else {
            self.done = self.done.min(rank);
        }
    }

    fn key(&self) -> Taken {
        let mut bits = Vec::new();
        for (place, _) in self.taken[self.done..self.end.max(self.done)].iter().enumerate().filter(|(_, taken)| **taken) {
            set(&mut bits, place, true);
        }
        Taken { done: self.done as u32, bits, unknown: self.unknown.clone() }
    }

    fn unlink(&mut self, place: u32) {
        let Link { previous, next, .. } = self.links[place as usize];
        self.links[previous as usize].next = next;
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
    }

    fn relink(&mut self, place: u32) {
        let Link { previous, next, .. } = self.links[place as usize];
        self.links[previous as usize].next = place;
        if next != NONE {
            self.links[next as usize].previous = place;
        }
    }

    fn intern(&mut self, state: M::State) -> u32 {
        let bytes = self.model.state_bytes(&state);
        let (number, new) = self.states.intern(state);
        self.bytes += if new { bytes } else { 0 };
        number
    }
}
