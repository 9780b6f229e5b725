//! Registers: a value that was written once names its writer, but the order of versions must come from elsewhere.
//!
//! Where the system recorded its commit order, that is the order. Otherwise it is known in part only: nothing precedes the initial
//! value, what a transaction writes follows what it read before, and each register may be known to be sequential or linearizable.

#![expect(clippy::cast_possible_truncation, reason = "keys, values and transactions are numbered in 32 bits")]

use super::anomaly::AnomalyKind;
use super::findings::Findings;
use super::graph::{RW, WR, WW};
use super::history::{Micro, Outcome, Transactions};
use super::{KeyOrder, Options};
use crate::linearize::interner::Interner;

pub(super) const NONE: u32 = u32::MAX;

/// All registers of a history, with the writers of their values.
#[derive(Debug, Default)]
pub(super) struct Registers {
    pub keys: Interner<u64>,
    /// Versions by key and value; none is the initial state of the key.
    pub versions: Interner<(u32, Option<u64>)>,
    /// Per version the only transaction that writes it: [`NONE`] if nobody does, [`Self::several`] says if there are more.
    pub writers: Vec<u32>,
    pub several: Vec<bool>,
    /// Per version, whether its writer leaves it in place.
    pub last: Vec<bool>,
    /// Number of the first key in the findings' list.
    pub first_key: u32,
}

/// What one transaction did with one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    pub transaction: u32,
    pub key: u32,
    /// The version that it read before it wrote; [`NONE`] if it did not.
    pub read: u32,
    /// The version that it left; [`NONE`] if it did not write.
    pub wrote: u32,
}

impl Registers {
    pub fn of(history: &Transactions, first_key: u32) -> Self {
        let mut registers = Self { first_key, ..Self::default() };
        for row in 0..history.len() {
            let micro = history.micro(row);
            for (place, step) in micro.iter().enumerate() {
                let (key, value) = match *step {
                    Micro::Write { key, value } | Micro::ReadValue { key, value } => (key, Some(value)),
                    Micro::ReadAbsent { key } => (key, None),
                    _ => continue,
                };
                let version = registers.version(key, value);
                if matches!(step, Micro::Write { .. }) {
                    let writer = &mut registers.writers[version as usize];
                    registers.several[version as usize] |= *writer != NONE && *writer != row as u32;
                    *writer = row as u32;
                    let again = |later: &Micro| matches!(later, Micro::Write { key: other, .. } if *other == key);
                    registers.last[version as usize] = !micro[place + 1..].iter().any(again);
                }
            }
        }
        registers
    }

    fn version(&mut self, key: u64, value: Option<u64>) -> u32 {
        let (key, _) = self.keys.intern(key);
        let (version, new) = self.versions.intern((key, value));
        if new {
            self.writers.push(NONE);
            self.several.push(false);
            self.last.push(true);
        }
        version
    }

    fn find(&self, key: u64, value: Option<u64>) -> u32 {
        self.keys.find(&key).and_then(|key| self.versions.find(&(key, value))).unwrap_or(NONE)
    }

    /// Marks transactions of which a committed one read something.
    pub fn mark_observed(&self, history: &Transactions, observed: &mut [bool]) {
        for (row, _) in history.transactions().iter().enumerate().filter(|(_, row)| row.outcome == Outcome::Committed) {
            for micro in history.micro(row) {
                if let Micro::ReadValue { key, value } = *micro {
                    let version = self.find(key, Some(value)) as usize;
                    if self.writers[version] != NONE && !self.several[version] {
                        observed[self.writers[version] as usize] = true;
                    }
                }
            }
        }
    }

    /// A version's writer, if there is one that takes part.
    pub fn writer(&self, version: u32, findings: &Findings) -> Option<u32> {
        let known = version != NONE && !self.several[version as usize];
        known.then(|| self.writers[version as usize]).filter(|writer| findings.is_included(*writer))
    }

    /// Everything that the registers say.
    pub fn infer(&self, history: &Transactions, options: Options, findings: &mut Findings) -> Vec<Touch> {
        let touches = self.touches(history, options, findings);
        self.lost_updates(history, &touches, findings);
        if Self::is_recorded(history, &touches) {
            self.follow_positions(history, &touches, findings);
        } else {
            if !touches.is_empty() {
                findings.doubt("the order of the versions of registers is known in part only");
            }
            super::partial::infer(self, history, options.key_order, &touches, findings);
        }
        touches
    }

    /// Whether every version that was read or written has one writer, or is the initial one: then an order of the transactions can be
    /// replayed.
    pub fn are_traceable(&self, touches: &[Touch]) -> bool {
        let versions = touches.iter().flat_map(|touch| [touch.read, touch.wrote]).filter(|version| *version != NONE);
        versions.map(|version| version as usize).all(|version| {
            let initial = self.versions.items()[version].1.is_none();
            !self.several[version] && (initial || self.writers[version] != NONE)
        })
    }

    /// Whether every transaction that writes has its place in a recorded commit order.
    fn is_recorded(history: &Transactions, touches: &[Touch]) -> bool {
        let mut writes = touches.iter().filter(|touch| touch.wrote != NONE);
        writes.all(|touch| history.transactions()[touch.transaction as usize].position.is_some())
    }

    /// Judges all reads by themselves and adds the wr edges; what each transaction did with each register is returned.
    fn touches(&self, history: &Transactions, options: Options, findings: &mut Findings) -> Vec<Touch> {
        let mut touches: Vec<Touch> = Vec::new();
        for transaction in 0..history.len() as u32 {
            if !findings.is_included(transaction) {
                continue;
            }
            let first = touches.len();
            let committed = history.transactions()[transaction as usize].outcome == Outcome::Committed;
            for micro in history.micro(transaction as usize) {
                let (raw_key, value) = match *micro {
                    Micro::Write { key, value } => (key, Some(value)),
                    Micro::ReadValue { key, value } if committed => (key, Some(value)),
                    Micro::ReadAbsent { key } if committed => (key, None),
                    _ => continue,
                };
                let version = self.find(raw_key, value);
                let key = self.versions.get(version).0;
                let at = touches[first..].iter().position(|touch| touch.key == key).map_or(touches.len(), |at| first + at);
                if at == touches.len() {
                    touches.push(Touch { transaction, key, read: NONE, wrote: NONE });
                }
                let touch = &mut touches[at];
                if matches!(micro, Micro::Write { .. }) {
                    touch.wrote = version;
                    continue;
                }
                let known = if touch.wrote == NONE { touch.read } else { touch.wrote };
                if known != NONE && known != version {
                    self.internal(history, transaction, known, version, findings);
                }
                if touch.wrote == NONE && touch.read != version {
                    if touch.read == NONE {
                        touch.read = version;
                    } else {
                        touches.push(Touch { transaction, key, read: version, wrote: NONE });
                    }
                    self.judge_read(history, options, transaction, version, findings);
                }
            }
        }
        touches
    }

    fn internal(&self, history: &Transactions, transaction: u32, known: u32, seen: u32, findings: &mut Findings) {
        findings.anomaly(AnomalyKind::Internal, &[transaction as usize], || {
            let key = history.key_name(*self.keys.get(self.versions.get(seen).0));
            format!("T{transaction} read {key}: {}, where it must see {}", self.words(history, seen), self.words(history, known))
        });
    }

    pub fn words(&self, history: &Transactions, version: u32) -> String {
        self.versions.get(version).1.map_or_else(|| "absent".to_owned(), |value| history.value_name(value))
    }

    fn judge_read(&self, history: &Transactions, options: Options, reader: u32, version: u32, findings: &mut Findings) {
        let (key, value) = *self.versions.get(version);
        let name = || format!("{} of {}", self.words(history, version), history.key_name(*self.keys.get(key)));
        if value.is_none() {
            findings.facts += 1;
            return;
        }
        if self.several[version as usize] {
            findings.doubt("a value was written to one key by several transactions: whose it is when it is read is not known");
            return;
        }
        let writer = self.writers[version as usize];
        if writer == NONE {
            if options.unseen_writers {
                findings.doubt("a value was read that no transaction of the history wrote");
            } else {
                findings.anomaly(AnomalyKind::GarbageVersions, &[reader as usize], || {
                    format!("T{reader} read {}, which nobody ever wrote", name())
                });
            }
            return;
        }
        findings.facts += 1;
        if writer == reader {
            findings.anomaly(AnomalyKind::FutureRead, &[reader as usize], || format!("T{reader} read {} before it wrote it", name()));
        } else if history.transactions()[writer as usize].outcome == Outcome::Aborted {
            findings.anomaly(AnomalyKind::G1a, &[writer as usize, reader as usize], || {
                format!("T{reader} read {}, which T{writer} wrote before it aborted", name())
            });
        } else {
            if !self.last[version as usize] {
                findings.anomaly(AnomalyKind::G1b, &[writer as usize, reader as usize], || {
                    format!("T{reader} read {}, which T{writer} overwrote before it committed", name())
                });
            }
            findings.graph.add(writer, reader, WR, self.first_key + key);
        }
    }

    fn lost_updates(&self, history: &Transactions, touches: &[Touch], findings: &mut Findings) {
        let mut first = vec![NONE; self.versions.len()];
        for touch in touches.iter().filter(|touch| touch.read != NONE && touch.wrote != NONE) {
            let other = core::mem::replace(&mut first[touch.read as usize], touch.transaction);
            if other != NONE && other != touch.transaction && !self.several[touch.read as usize] {
                let transaction = touch.transaction;
                findings.anomaly(AnomalyKind::LostUpdate, &[other as usize, transaction as usize], || {
                    let (key, seen) = (history.key_name(*self.keys.get(touch.key)), self.words(history, touch.read));
                    format!("T{other} and T{transaction} both read {key}: {seen}, and both wrote it")
                });
            }
        }
    }

    /// The order of versions is the recorded commit order of their writers.
    fn follow_positions(&self, history: &Transactions, touches: &[Touch], findings: &mut Findings) {
        let position = |transaction: u32| history.transactions()[transaction as usize].position.unwrap_or(0);
        let mut installed: Vec<(u32, u64, u32)> = touches
            .iter()
            .filter(|touch| touch.wrote != NONE)
            .map(|touch| (touch.key, position(touch.transaction), touch.transaction))
            .collect();
        installed.sort_unstable();
        for pair in installed.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            findings.graph.add(pair[0].2, pair[1].2, WW, self.first_key + pair[0].0);
        }
        for touch in touches.iter().filter(|touch| touch.read != NONE) {
            let after = match self.versions.get(touch.read).1 {
                None => (touch.key, 0, 0),
                Some(_) => match self.writer(touch.read, findings) {
                    Some(writer) => (touch.key, position(writer), writer + 1),
                    None => continue,
                },
            };
            let next = installed.partition_point(|write| *write < after);
            if let Some(&(key, _, writer)) = installed.get(next).filter(|write| write.0 == touch.key && write.2 != touch.transaction) {
                findings.graph.add(touch.transaction, writer, RW, self.first_key + key);
            }
        }
    }

    /// The order in which each process, or real time, puts those who touch one register, if that is known to order its versions.
    pub fn key_pairs(history: &Transactions, order: KeyOrder, transactions: &[u32]) -> Vec<(u32, u32)> {
        match order {
            KeyOrder::None => Vec::new(),
            KeyOrder::Linearizable => super::graph::real_time_pairs(history, transactions),
            KeyOrder::Sequential => super::graph::session_pairs(history, transactions),
        }
    }
}
