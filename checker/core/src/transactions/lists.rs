//! Lists: the order of versions is what was read, because a list shows all that was appended before.
//!
//! Every committed read must be a prefix of the longest one; then version number n of a key is the list of its first n elements, and
//! whoever appended element n + 1 overwrote it.

#![expect(clippy::cast_possible_truncation, reason = "keys, elements and transactions are numbered in 32 bits")]

use super::anomaly::AnomalyKind;
use super::findings::Findings;
use super::graph::{FREE, RW, WR, WW};
use super::history::{Micro, Outcome, Transactions};
use crate::linearize::interner::Interner;

const NONE: u32 = u32::MAX;

/// All lists of a history, with their longest reads.
#[derive(Debug, Default)]
pub(super) struct Lists {
    keys: Interner<u64>,
    elements: Interner<(u32, u64)>,
    /// Per element, the transaction that appends it.
    writers: Vec<u32>,
    /// Per element, whether its transaction appends nothing to the key behind it.
    last: Vec<bool>,
    /// Per element, what its transaction appended to the key directly before it.
    previous: Vec<u32>,
    /// Per element, its place in the longest read.
    places: Vec<u32>,
    /// Per micro-operation the number of its key.
    key_of: Vec<u32>,
    /// Per key: elements and reader of the longest read.
    longest: Vec<(u32, u32, u32)>,
    /// Per key, where its part of `order` begins; one more at the end.
    starts: Vec<u32>,
    /// Writers in the order of the longest reads; [`NONE`] where nobody appended the element.
    order: Vec<u32>,
    /// Elements in that order, [`NONE`] likewise.
    order_elements: Vec<u32>,
    /// Per key, whether an element was appended to it twice: who wrote what was read of it is not known, and nothing is made of it.
    repeated: Vec<bool>,
}

/// One read of a list, as its transaction did it.
struct Read<'a> {
    transaction: usize,
    /// Micro-operations before it and after it.
    before: &'a [Micro],
    after: &'a [Micro],
    key: u32,
    raw_key: u64,
    list: &'a [u64],
}

impl Lists {
    pub fn of(history: &Transactions) -> Self {
        let mut lists = Self::default();
        lists.number(history);
        lists.order_versions(history);
        lists
    }

    /// All keys, by number.
    pub fn keys(&self) -> &[u64] {
        self.keys.items()
    }

    fn number(&mut self, history: &Transactions) {
        self.key_of.reserve(history.micro_operations().len());
        // Per key: the last transaction that appended to it, and the element.
        let mut latest: Vec<(u32, u32)> = Vec::new();
        for (row, transaction) in history.transactions().iter().enumerate() {
            for micro in history.micro(row) {
                let (Micro::Append { key, .. } | Micro::ReadList { key, .. }) = *micro else {
                    self.key_of.push(NONE);
                    continue;
                };
                let (number, new) = self.keys.intern(key);
                self.key_of.push(number);
                if new {
                    latest.push((NONE, NONE));
                    self.longest.push((0, 0, NONE));
                    self.repeated.push(false);
                }
                match *micro {
                    Micro::Append { value, .. } => {
                        let element = self.add_element(number, value, row);
                        let before = core::mem::replace(&mut latest[number as usize], (row as u32, element));
                        if before.0 == row as u32 {
                            self.last[before.1 as usize] = false;
                            self.previous[element as usize] = before.1;
                        }
                    }
                    Micro::ReadList { start, end, .. } if transaction.outcome == Outcome::Committed => {
                        let longest = &mut self.longest[number as usize];
                        if longest.2 == NONE || end - start > longest.1 - longest.0 {
                            *longest = (start, end, row as u32);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn add_element(&mut self, key: u32, value: u64, row: usize) -> u32 {
        let (element, new) = self.elements.intern((key, value));
        if new {
            self.writers.push(row as u32);
            self.last.push(true);
            self.previous.push(NONE);
            self.places.push(NONE);
        } else {
            self.repeated[key as usize] = true;
        }
        element
    }

    fn order_versions(&mut self, history: &Transactions) {
        for (longest, _) in self.longest.iter_mut().zip(&self.repeated).filter(|(_, repeated)| **repeated) {
            *longest = (0, 0, NONE);
        }
        for (key, &(start, end, _)) in self.longest.iter().enumerate() {
            let begin = self.order.len() as u32;
            self.starts.push(begin);
            for value in history.elements(start, end) {
                let element = self.elements.find(&(key as u32, *value));
                if let Some(element) = element {
                    let place = &mut self.places[element as usize];
                    *place = (*place).min(self.order.len() as u32 - begin);
                }
                self.order_elements.push(element.unwrap_or(NONE));
                self.order.push(element.map_or(NONE, |element| self.writers[element as usize]));
            }
        }
        self.starts.push(self.order.len() as u32);
    }

    /// Marks transactions of which a committed one read something.
    pub fn mark_observed(&self, history: &Transactions, observed: &mut [bool]) {
        for writer in self.order.iter().filter(|writer| **writer != NONE) {
            observed[*writer as usize] = true;
        }
        self.each_read(history, |read| {
            if !self.is_prefix(history, read.key, read.list) {
                let elements = read.list.iter().filter_map(|value| self.elements.find(&(read.key, *value)));
                elements.for_each(|element| observed[self.writers[element as usize] as usize] = true);
            }
        });
    }

    fn each_read<'a>(&self, history: &'a Transactions, mut visit: impl FnMut(Read<'a>)) {
        let mut number = 0;
        for (transaction, row) in history.transactions().iter().enumerate() {
            let micro = history.micro(transaction);
            for (place, step) in micro.iter().enumerate() {
                if let Micro::ReadList { key: raw_key, start, end } = *step
                    && row.outcome == Outcome::Committed
                    && !self.repeated[self.key_of[number] as usize]
                {
                    let (before, after) = (&micro[..place], &micro[place + 1..]);
                    visit(Read { transaction, before, after, key: self.key_of[number], raw_key, list: history.elements(start, end) });
                }
                number += 1;
            }
        }
    }

    fn is_prefix(&self, history: &Transactions, key: u32, list: &[u64]) -> bool {
        let (start, end, _) = self.longest[key as usize];
        history.elements(start, end).starts_with(list)
    }

    fn order_of(&self, key: u32) -> core::ops::Range<usize> {
        self.starts[key as usize] as usize..self.starts[key as usize + 1] as usize
    }

    /// Whether no element was appended to one key twice.
    pub fn are_traceable(&self) -> bool {
        !self.repeated.contains(&true)
    }

    /// Everything that the lists say.
    pub fn infer(&self, history: &Transactions, findings: &mut Findings) {
        if !self.are_traceable() {
            findings.doubt("an element was appended to one key twice: who wrote what was read is not known");
        }
        let mut overwriters = vec![NONE; self.order.len()];
        let mut bad = Vec::with_capacity(self.keys.len());
        for key in 0..self.keys.len() as u32 {
            bad.push(self.judge_order(history, key, findings));
            self.chain(key, &mut overwriters, findings);
        }
        // Readers of the longest list of each key, and committed appends that nobody read.
        let mut tails = vec![Vec::new(); self.keys.len()];
        let mut found: Interner<(u32, u32)> = Interner::default();
        let mut first_of: Vec<u32> = Vec::new();
        self.each_read(history, |read| {
            let Some(version) = self.judge_read(history, &read, bad[read.key as usize], findings) else { return };
            self.depend(&read, version, &overwriters, &mut tails, findings);
            let appends = |micro: &&Micro| matches!(micro, Micro::Append { key, .. } if *key == read.raw_key);
            if read.after.iter().any(|micro| appends(&micro)) && !read.before.iter().any(|micro| appends(&micro)) {
                let (update, new) = found.intern((read.key, version));
                if new {
                    first_of.push(read.transaction as u32);
                } else if first_of[update as usize] != read.transaction as u32 {
                    let other = first_of[update as usize] as usize;
                    findings.anomaly(AnomalyKind::LostUpdate, &[other, read.transaction], || {
                        let (key, list) = (history.key_name(read.raw_key), history.list_words(read.list));
                        format!("T{other} and T{} both read {key}: {list}, and both appended to it", read.transaction)
                    });
                }
            }
        });
        self.close_tails(&tails, findings);
    }

    /// Faults of the longest read of a key. The first place of an element that no reader may have seen is returned.
    fn judge_order(&self, history: &Transactions, key: u32, findings: &mut Findings) -> u32 {
        let (start, end, reader) = self.longest[key as usize];
        let list = history.elements(start, end);
        let (mut bad, mut aborted) = (NONE, None);
        let name = || history.key_name(*self.keys.get(key));
        for (place, at) in self.order_of(key).enumerate() {
            let (writer, value) = (self.order[at], list[place]);
            if writer == NONE {
                findings.anomaly(AnomalyKind::GarbageVersions, &[reader as usize], || {
                    format!("T{reader} read {} in {}, which nobody ever appended", history.value_name(value), name())
                });
                continue;
            }
            if self.places[self.order_elements[at] as usize] != place as u32 {
                findings.anomaly(AnomalyKind::DuplicateElements, &[reader as usize], || {
                    format!("T{reader} read {} twice in {}: {}", history.value_name(value), name(), history.list_words(list))
                });
                continue;
            }
            let previous = self.previous[self.order_elements[at] as usize];
            if previous != NONE && self.places[previous as usize] > place as u32 {
                findings.anomaly(AnomalyKind::Internal, &[writer as usize, reader as usize], || {
                    let (first, value) = (history.value_name(self.elements.get(previous).1), history.value_name(value));
                    format!("T{reader} read {value} in {} without {first} before it, which T{writer} appended first", name())
                });
            }
            if history.transactions()[writer as usize].outcome == Outcome::Aborted {
                bad = bad.min(place as u32);
                aborted = aborted.or(Some((writer, value)));
            } else if let Some((before, gone)) = aborted.take() {
                findings.anomaly(AnomalyKind::DirtyUpdate, &[before as usize, writer as usize], || {
                    let (gone, value) = (history.value_name(gone), history.value_name(value));
                    format!("T{writer} appended {value} to {} behind {gone}, which T{before} appended before it aborted", name())
                });
            }
        }
        bad
    }

    /// ww edges along a key's order; per place the first transaction that overwrites what stands before it.
    fn chain(&self, key: u32, overwriters: &mut [u32], findings: &mut Findings) {
        let (mut before, mut next) = (NONE, NONE);
        for at in self.order_of(key) {
            let writer = self.order[at];
            if findings.is_included(writer) {
                if before != NONE && before != writer {
                    findings.graph.add(before, writer, WW, key);
                }
                before = writer;
            }
        }
        for at in self.order_of(key).rev() {
            if findings.is_included(self.order[at]) {
                next = self.order[at];
            }
            overwriters[at] = next;
        }
    }

    /// Faults of one read; the number of the version that it saw before its own transaction's appends, if that is known.
    fn judge_read(&self, history: &Transactions, read: &Read<'_>, bad: u32, findings: &mut Findings) -> Option<u32> {
        let own = Self::judge_inside(history, read, findings);
        let (reader, key) = (read.transaction, read.raw_key);
        if !self.is_prefix(history, read.key, read.list) {
            self.judge_incompatible(history, read, findings);
            return None;
        }
        let late = read.after.iter().find_map(|micro| match *micro {
            Micro::Append { key: other, value } if other == key => {
                let element = self.elements.find(&(read.key, value))?;
                ((self.places[element as usize] as usize) < read.list.len()).then_some(value)
            }
            _ => None,
        });
        if let Some(value) = late {
            findings.anomaly(AnomalyKind::FutureRead, &[reader], || {
                let (key, value) = (history.key_name(key), history.value_name(value));
                format!("T{reader} read {value} in {key} before it appended it")
            });
        }
        if (bad as usize) < read.list.len() {
            let writer = self.order[self.order_of(read.key).start + bad as usize] as usize;
            Self::aborted_read(history, read, writer, read.list[bad as usize], findings);
        }
        let version = read.list.len() - own;
        if version > 0 {
            let element = self.order_elements[self.order_of(read.key).start + version - 1];
            self.judge_intermediate(history, read, element, read.list[version - 1], findings);
        }
        findings.facts += 1;
        Some(version as u32)
    }

    fn aborted_read(history: &Transactions, read: &Read<'_>, writer: usize, value: u64, findings: &mut Findings) {
        findings.anomaly(AnomalyKind::G1a, &[writer, read.transaction], || {
            let (key, value) = (history.key_name(read.raw_key), history.value_name(value));
            format!("T{} read {value} in {key}, which T{writer} appended before it aborted", read.transaction)
        });
    }

    fn judge_intermediate(&self, history: &Transactions, read: &Read<'_>, element: u32, value: u64, findings: &mut Findings) {
        if element == NONE || self.last[element as usize] {
            return;
        }
        let writer = self.writers[element as usize] as usize;
        if writer != read.transaction && history.transactions()[writer].outcome != Outcome::Aborted {
            findings.anomaly(AnomalyKind::G1b, &[writer, read.transaction], || {
                let (key, value) = (history.key_name(read.raw_key), history.value_name(value));
                format!("T{} read {value} as the last element of {key}, behind which T{writer} appended more", read.transaction)
            });
        }
    }

    /// Whether a transaction's reads agree with what it did before. How many of its own elements the list ends with is returned.
    fn judge_inside(history: &Transactions, read: &Read<'_>, findings: &mut Findings) -> usize {
        let key = read.raw_key;
        let same = |micro: &&Micro| micro.key() == key;
        let mut own: Vec<u64> = Vec::new();
        let mut known: Option<&[u64]> = None;
        // Elements appended since the last read.
        let mut since = 0;
        for micro in read.before.iter().filter(same) {
            match *micro {
                Micro::Append { value, .. } => own.push(value),
                Micro::ReadList { start, end, .. } => (known, since) = (Some(history.elements(start, end)), own.len()),
                _ => {}
            }
        }
        let fits = match known {
            Some(known) => read.list.strip_prefix(known) == Some(&own[since..]),
            None => read.list.ends_with(&own),
        };
        if !fits {
            findings.anomaly(AnomalyKind::Internal, &[read.transaction], || {
                let (key, list) = (history.key_name(key), history.list_words(read.list));
                let expected = match known {
                    Some(known) => history.list_words(&[known, &own[since..]].concat()),
                    None => format!("a list that ends with its own {}", history.list_words(&own)),
                };
                format!("T{} read {key}: {list}, where it must see {expected}", read.transaction)
            });
        }
        // Where they are not at the end, what follows the first of them is not known to be a version of its own.
        let first = if own.is_empty() { None } else { read.list.iter().position(|value| own.contains(value)) };
        first.map_or(0, |first| read.list.len() - first)
    }

    fn judge_incompatible(&self, history: &Transactions, read: &Read<'_>, findings: &mut Findings) {
        let (start, end, other) = self.longest[read.key as usize];
        findings.anomaly(AnomalyKind::IncompatibleOrder, &[other as usize, read.transaction], || {
            let (long, list) = (history.list_words(history.elements(start, end)), history.list_words(read.list));
            format!(
                "of {} T{other} read {long} and T{} read {list}: neither began as the other",
                history.key_name(read.raw_key),
                read.transaction
            )
        });
        findings.doubt("reads contradict one another: the order of versions is not known");
        for (place, value) in read.list.iter().enumerate() {
            if read.list[..place].contains(value) {
                findings.anomaly(AnomalyKind::DuplicateElements, &[read.transaction], || {
                    let (key, list) = (history.key_name(read.raw_key), history.list_words(read.list));
                    format!("T{} read {} twice in {key}: {list}", read.transaction, history.value_name(*value))
                });
            }
            let Some(element) = self.elements.find(&(read.key, *value)) else {
                findings.anomaly(AnomalyKind::GarbageVersions, &[read.transaction], || {
                    let (key, value) = (history.key_name(read.raw_key), history.value_name(*value));
                    format!("T{} read {value} in {key}, which nobody ever appended", read.transaction)
                });
                continue;
            };
            let writer = self.writers[element as usize];
            if history.transactions()[writer as usize].outcome == Outcome::Aborted {
                Self::aborted_read(history, read, writer as usize, *value, findings);
            }
            if place + 1 == read.list.len() {
                self.judge_intermediate(history, read, element, *value, findings);
                if findings.is_included(writer) && writer as usize != read.transaction {
                    findings.graph.add(writer, read.transaction as u32, WR, read.key);
                }
            }
        }
    }

    /// The edges of a read whose version is known.
    fn depend(&self, read: &Read<'_>, version: u32, overwriters: &[u32], tails: &mut [Vec<u32>], findings: &mut Findings) {
        let (reader, order) = (read.transaction as u32, self.order_of(read.key));
        let at = order.start + version as usize;
        if version > 0 && self.order[at - 1] != reader && findings.is_included(self.order[at - 1]) {
            findings.graph.add(self.order[at - 1], reader, WR, read.key);
        }
        let overwriter = if at < order.end { overwriters[at] } else { NONE };
        if overwriter == NONE {
            tails[read.key as usize].push(reader);
        } else if overwriter != reader {
            findings.graph.add(reader, overwriter, RW, read.key);
        }
    }

    /// Committed appends that nobody read follow all that was read, and all who read that.
    fn close_tails(&self, tails: &[Vec<u32>], findings: &mut Findings) {
        let mut unread = vec![Vec::new(); self.keys.len()];
        for (element, (key, _)) in self.elements.items().iter().enumerate() {
            let writer = self.writers[element];
            if self.places[element] == NONE && findings.is_included(writer) && !self.repeated[*key as usize] {
                unread[*key as usize].push(writer);
            }
        }
        for (key, mut writers) in unread.into_iter().enumerate().filter(|(_, writers)| !writers.is_empty()) {
            writers.sort_unstable();
            writers.dedup();
            findings.unordered |= writers.len() > 1;
            let key = key as u32;
            let order = &self.order[self.order_of(key)];
            if let Some(last) = order.iter().rev().copied().find(|writer| findings.is_included(*writer)) {
                let others = writers.iter().filter(|writer| **writer != last);
                others.for_each(|writer| findings.graph.add(last, *writer, WW, key));
            }
            let mut readers = tails[key as usize].clone();
            readers.sort_unstable();
            readers.dedup();
            precede(key, &readers, &writers, findings);
        }
    }
}

/// rw edges from each reader to each writer but itself: all of them if they are few, else by way of a moment between them.
pub(super) fn precede(key: u32, readers: &[u32], writers: &[u32], findings: &mut Findings) {
    const FEW: usize = 64;
    let is_writer = |reader: &u32| writers.binary_search(reader).is_ok();
    if readers.len() * writers.len() <= FEW.max(2 * (readers.len() + writers.len())) {
        for reader in readers {
            writers.iter().filter(|writer| *writer != reader).for_each(|writer| findings.graph.add(*reader, *writer, RW, key));
        }
        return;
    }
    let (both, pure): (Vec<u32>, Vec<u32>) = readers.iter().partition(|reader| is_writer(reader));
    let moment = findings.graph.moment();
    for reader in &pure {
        findings.graph.add(*reader, moment, RW, key);
    }
    for writer in writers {
        findings.graph.add(moment, *writer, FREE, key);
    }
    if both.is_empty() {
        return;
    }
    // Whoever reads and writes must not precede itself. If there are several, each lost the update of its neighbours: a chain of
    // edges both ways shows it, and nothing that all pairs would show besides.
    let moment = findings.graph.moment();
    for reader in &both {
        findings.graph.add(*reader, moment, RW, key);
    }
    let rest = writers.iter().filter(|writer| both.binary_search(writer).is_err());
    rest.for_each(|writer| findings.graph.add(moment, *writer, FREE, key));
    for pair in both.windows(2) {
        findings.graph.add(pair[0], pair[1], RW, key);
        findings.graph.add(pair[1], pair[0], RW, key);
    }
}
