//! The way along the line of values: moves that make room for failed compare-and-sets, and taking them back.

use super::failed::{Line, Place};
use super::{NONE, Value};

/// Places that are searched for a value that may come next.
const AHEAD_MAX: usize = 1024;
/// Chains that are searched for a value that may last longer.
const BACK_MAX: usize = 64;
/// Values of a chain that may be moved.
const CHAIN_MAX: usize = 64;
/// Moves further back than so many places are not taken back, and those at one place that fails at most so often.
const NEAR: usize = 64;
const PATIENCE: u32 = 500;

/// A move that makes room at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// The chain that begins at this place comes next.
    Next(usize),
    /// A write of unknown outcome ends the value.
    Cut,
    /// What stands behind this place is hidden before its chain.
    Hide(usize),
}

/// How well a move does: whether the value that then lasts needs no other move, and else how long it can last.
type Merit = (bool, u64);

/// A move that was made, and what it changed.
#[derive(Debug)]
struct Made {
    at: usize,
    tried: Vec<Move>,
    /// The first place that was changed, and all that were, as they stood before.
    from: usize,
    before: Vec<Place>,
    spare: Option<u64>,
}

/// The way along the line.
pub(super) struct Walk<'a> {
    values: &'a [Value],
    line: &'a mut Line,
    made: Vec<Made>,
    /// The furthest place at which no move was left, and how often moves may still be taken back for it.
    furthest: usize,
    patience: u32,
}

impl<'a> Walk<'a> {
    pub fn new(values: &'a [Value], line: &'a mut Line) -> Self {
        Self { values, line, made: Vec::new(), furthest: 0, patience: PATIENCE }
    }

    /// Makes room for all misses, or tells one that finds none.
    pub fn along(&mut self) -> Result<(), u32> {
        let mut at = 0;
        while at < self.line.places.len() {
            let has_misses = self.line.heads[self.line.places[at].value as usize] != NONE;
            at = match if has_misses { self.settle(at) } else { Ok(()) } {
                Ok(()) => at + 1,
                Err(miss) => self.take_back(at).ok_or(miss)?,
            };
        }
        Ok(())
    }

    /// Makes room for the misses of the value at a place.
    fn settle(&mut self, at: usize) -> Result<(), u32> {
        loop {
            let Place { begins, value, is_cut, .. } = self.line.places[at];
            let (end, miss) = self.line.bound(value, begins);
            if is_cut || end >= self.line.begins(at + 1) {
                return Ok(());
            }
            let mut best: Option<(Merit, Move)> = None;
            self.moves(at, end, |merit, found| {
                if best.is_none_or(|(best, _)| merit > best) {
                    best = Some((merit, found));
                }
                merit.0
            });
            let (_, found) = best.ok_or(miss)?;
            self.make(at, end, found, Vec::new());
        }
    }

    /// Takes back the last move near a place at which none is left, and makes another one instead; the place where.
    fn take_back(&mut self, at: usize) -> Option<usize> {
        if at > self.furthest {
            (self.furthest, self.patience) = (at, PATIENCE);
        }
        while let Some(mut last) = self.made.pop().filter(|last| last.at + NEAR > at) {
            self.patience = self.patience.checked_sub(1)?;
            self.line.places[last.from..last.from + last.before.len()].copy_from_slice(&last.before);
            self.line.spares.extend(last.spare);
            let Place { begins, value, .. } = self.line.places[last.at];
            let (end, _) = self.line.bound(value, begins);
            let mut best: Option<(Merit, Move)> = None;
            self.moves(last.at, end, |merit, found| {
                if best.is_none_or(|(best, _)| merit > best) && !last.tried.contains(&found) {
                    best = Some((merit, found));
                }
                false
            });
            if let Some((_, found)) = best {
                self.make(last.at, end, found, core::mem::take(&mut last.tried));
                return Some(last.at);
            }
        }
        None
    }

    /// All moves that make room at a place by `end`, until `visit` is content with one.
    fn moves(&self, at: usize, end: u64, mut visit: impl FnMut(Merit, Move) -> bool) {
        let (is_last, rest) = (self.line.places[at].is_last, self.line.begins(at + 1));
        let lasts = self.earliest(at).1;
        let merit = |bound: u64, needed: u64| (bound >= needed, bound);
        if lasts <= end && at + 1 < self.line.places.len() && self.earliest(at + 1).0 <= end {
            let (bound, _) = self.line.bound(self.line.places[at + 1].value, end);
            if visit(merit(bound, self.line.begins(at + 2)), Move::Next(at + 1)) {
                return;
            }
        }
        if !is_last {
            return;
        }
        if lasts <= end && self.line.spares.last().is_some_and(|invoke| *invoke <= end) && visit((true, u64::MAX), Move::Cut) {
            return;
        }
        if !self.longer(at, end, &mut visit) && lasts <= end {
            self.followers(at, end, rest, &mut visit);
        }
    }

    /// Chains from further behind that may come next.
    fn followers(&self, at: usize, end: u64, rest: u64, visit: &mut impl FnMut(Merit, Move) -> bool) {
        let mut place = if at + 1 < self.line.places.len() { self.end(at + 1) } else { None };
        while let Some(root) = place.filter(|root| *root < self.line.places.len().min(at + AHEAD_MAX)) {
            place = self.end(root);
            let Some(behind) = place else { break };
            // The rest of its chain begins when the value that comes next now does.
            if self.earliest(root).0 > end || self.needs(root, behind) > rest {
                continue;
            }
            let (bound, _) = self.line.bound(self.line.places[root].value, end);
            if visit((bound >= rest, bound), Move::Next(root)) {
                break;
            }
        }
    }

    /// Values before a place that may last longer, all that stand behind them being hidden before them; whether one was chosen.
    fn longer(&self, at: usize, end: u64, visit: &mut impl FnMut(Merit, Move) -> bool) -> bool {
        let next = self.line.begins(at + 1);
        let (mut need, mut behind) = (0, at + 1);
        for _ in 0..BACK_MAX {
            let Some(root) = self.root(behind - 1) else { break };
            need = self.needs(root, behind).max(need);
            behind = root;
            let Some(place) = behind.checked_sub(1) else { break };
            let own = &self.line.places[place];
            if own.is_cut || self.root(place).is_none_or(|root| self.line.places[root].begins < need) {
                break;
            }
            let (bound, _) = self.line.bound(own.value, own.begins);
            // If it cannot stay for all of the time, its own end is looked at next.
            if bound > end && visit((bound >= next, bound), Move::Hide(place)) {
                return true;
            }
        }
        false
    }

    /// Makes a move, and notes what it changes.
    fn make(&mut self, at: usize, end: u64, found: Move, mut tried: Vec<Move>) {
        let (from, to) = match found {
            Move::Next(root) => (at + 1, if root > at + 1 { self.end(root).unwrap_or(root + 1) } else { root + 1 }),
            Move::Cut => (at, at + 1),
            Move::Hide(place) => (self.root(place).unwrap_or(place), at + 1),
        };
        if self.made.last().is_some_and(|last| last.at + NEAR < at) {
            self.made.clear();
        }
        tried.push(found);
        let spare = if found == Move::Cut { self.line.spares.pop() } else { None };
        self.made.push(Made { at, tried, from, before: self.line.places[from..to].to_vec(), spare });
        self.line.changed.push((from.saturating_sub(1), to));
        let rest = self.line.begins(at + 1);
        let places = &mut self.line.places[from..to];
        match found {
            Move::Next(root) => {
                let length = to - root;
                places[root - from..].iter_mut().for_each(|place| place.begins = rest);
                places.rotate_right(length);
                places[0].begins = end;
            }
            Move::Cut => places[0].is_cut = true,
            Move::Hide(place) => {
                let (instant, hidden) = (places[0].begins, at - place);
                places.rotate_right(hidden);
                places[..hidden].iter_mut().for_each(|place| place.begins = instant);
            }
        }
    }

    /// When a value can begin, and when the next one.
    fn earliest(&self, place: usize) -> (u64, u64) {
        let value = &self.values[self.line.places[place].value as usize];
        (value.invoke, value.last_invoke)
    }

    /// When the values of some places can all have come and gone.
    fn needs(&self, from: usize, to: usize) -> u64 {
        (from..to).map(|place| self.earliest(place)).map(|(earliest, lasts)| earliest.max(lasts)).max().unwrap_or(0)
    }

    /// The place behind the chain that a place is in, if it is not too long to be moved.
    fn end(&self, place: usize) -> Option<usize> {
        let rest = &self.line.places[place..];
        rest.iter().take(CHAIN_MAX).position(|place| place.is_last).map(|last| place + last + 1)
    }

    /// Where the chain of a place begins, if it is not too long to be moved.
    fn root(&self, place: usize) -> Option<usize> {
        let before = &self.line.places[..=place];
        before.iter().rev().take(CHAIN_MAX).position(|place| place.is_root).map(|back| place - back)
    }

    /// Looks at all that was moved once more, whatever made it: what is wrong there explains nothing.
    pub fn verify(&mut self) -> Result<(), u32> {
        let mut changed = core::mem::take(&mut self.line.changed);
        changed.sort_unstable();
        let mut from = 0;
        for &(first, last) in &changed {
            for place in first.max(from)..=last.min(self.line.places.len() - 1) {
                self.verify_place(place)?;
            }
            from = from.max(last + 1);
        }
        self.line.changed = changed;
        Ok(())
    }

    fn verify_place(&self, at: usize) -> Result<(), u32> {
        let Place { begins, value, is_root, is_cut, .. } = self.line.places[at];
        let told = &self.values[value as usize];
        let next = self.line.begins(at + 1);
        let (earliest, lasts) = self.earliest(at);
        let (end, miss) = self.line.bound(value, begins);
        let follows = at + 1 < self.line.places.len() && self.line.places[at + 1].value == told.follower;
        let is_right = earliest <= begins
            && begins <= told.first_return
            && begins <= next
            && lasts <= next
            && (told.follower == NONE || follows)
            && (is_root || (at > 0 && self.values[self.line.places[at - 1].value as usize].follower == value));
        if is_right && (is_cut || end >= next) {
            return Ok(());
        }
        debug_assert!(is_right, "a move broke the line at {at}");
        Err(if miss == NONE { self.line.misses[0].call } else { miss })
    }
}
