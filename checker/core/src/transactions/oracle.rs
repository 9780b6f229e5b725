//! The oracle of the analysis: every order of a few transactions, one by one, and random histories to try it on.
//!
//! It shares nothing with the inference but the input, remembers nothing, and prunes nothing but what a serial execution would not
//! have answered. Tests use it on a sample, `cargo xtask transactions` on as many histories as asked for.

use super::{Analysis, Level, Micro, NEVER, Options, Order, Outcome, Standing, Transactions, analyze};
use crate::budget::Budget;
use std::collections::BTreeMap;

/// Most transactions that brute force takes.
pub const TRANSACTIONS_MAX: usize = 12;

/// Lists and registers by key.
type State = (BTreeMap<u64, Vec<u64>>, BTreeMap<u64, u64>);

/// Whether a serial order of all committed transactions, and any of those of unknown outcome, explains all reads and respects `order`.
///
/// # Panics
/// Beyond [`TRANSACTIONS_MAX`] transactions.
#[must_use]
pub fn serializable(history: &Transactions, order: Order) -> bool {
    assert!(history.len() <= TRANSACTIONS_MAX, "brute force is for tiny histories");
    extend(history, order, 0, &State::default())
}

fn extend(history: &Transactions, order: Order, done: u32, state: &State) -> bool {
    let rows = history.transactions();
    let open = |row: usize| done & (1 << row) == 0;
    if (0..rows.len()).all(|row| !open(row) || rows[row].outcome != Outcome::Committed) {
        return true;
    }
    let before = |one: usize, other: usize| {
        let in_time = rows[one].complete < rows[other].invoke && rows[one].outcome == Outcome::Committed;
        match order {
            Order::Data => false,
            Order::Session => in_time && rows[one].process == rows[other].process,
            Order::RealTime => in_time,
        }
    };
    (0..rows.len()).filter(|row| open(*row) && rows[*row].outcome != Outcome::Aborted).any(|row| {
        let blocked = (0..rows.len()).any(|other| open(other) && before(other, row));
        !blocked && execute(history, row, state).is_some_and(|next| extend(history, order, done | (1 << row), &next))
    })
}

/// The state after a transaction; none when it would have read something else.
fn execute(history: &Transactions, row: usize, state: &State) -> Option<State> {
    let (mut lists, mut registers) = state.clone();
    let told = history.transactions()[row].outcome == Outcome::Committed;
    for micro in history.micro(row) {
        let agrees = match *micro {
            Micro::Append { key, value } => {
                lists.entry(key).or_default().push(value);
                true
            }
            Micro::Write { key, value } => {
                registers.insert(key, value);
                true
            }
            Micro::ReadList { key, start, end } => lists.get(&key).map_or(&[][..], |list| &list[..]) == history.elements(start, end),
            Micro::ReadValue { key, value } => registers.get(&key) == Some(&value),
            Micro::ReadAbsent { key } => !registers.contains_key(&key),
        };
        if told && !agrees {
            return None;
        }
    }
    Some((lists, registers))
}

/// `SplitMix64` (Steele, Lea & Flood, OOPSLA 2014): small, seedable, good enough to draw test cases.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Whether something that happens so often happens now.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a drawn history is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Lists.
    ListAppend,
    /// Registers whose commit order nobody recorded.
    Register,
    /// Registers whose commit order was recorded.
    RecordedRegister,
    /// Lists to which the same elements are appended again and again.
    RepeatedList,
    /// Registers to which the same values are written again and again.
    RepeatedRegister,
}

impl Workload {
    /// All.
    pub const ALL: [Self; 5] = [Self::ListAppend, Self::Register, Self::RecordedRegister, Self::RepeatedList, Self::RepeatedRegister];

    fn is_of_lists(self) -> bool {
        matches!(self, Self::ListAppend | Self::RepeatedList)
    }
}

/// A transaction of a drawn history.
struct Drawn {
    process: u64,
    invoke: u64,
    complete: u64,
    /// When it takes its snapshot, and when it commits.
    instants: (u64, u64),
    micro: Vec<(bool, u64, u64)>,
    outcome: Outcome,
}

/// A history of up to `length` transactions over a few keys: executed at random instants within their intervals, from snapshots
/// that may be old, and damaged now and then.
#[must_use]
pub fn random_history(random: &mut Random, workload: Workload, length: u64) -> Transactions {
    let mut drawn = draw(random, length);
    if matches!(workload, Workload::RepeatedList | Workload::RepeatedRegister) {
        let values = 2 + random.below(8);
        drawn.iter_mut().flat_map(|row| &mut row.micro).for_each(|(_, _, value)| *value = 1 + *value % values);
    }
    let stale_percent = [0, 0, 30][usize::try_from(random.below(3)).unwrap_or(0)];
    let damage_percent = [0, 0, 10][usize::try_from(random.below(3)).unwrap_or(0)];
    let mut by_commit: Vec<usize> = (0..drawn.len()).collect();
    by_commit.sort_by_key(|row| drawn[*row].instants.1);
    // All states so far with the instants from which on they held.
    let mut states: Vec<(u64, State)> = vec![(0, State::default())];
    let mut answers: BTreeMap<usize, Vec<Vec<u64>>> = BTreeMap::new();
    for row in by_commit.iter().copied() {
        let happens = match drawn[row].outcome {
            Outcome::Committed => true,
            Outcome::Unknown => random.chance(60),
            Outcome::Aborted => random.chance(8),
        };
        if !happens {
            continue;
        }
        let now = states.last().map(|(_, state)| state.clone()).unwrap_or_default();
        let old = states.iter().rev().find(|(since, _)| *since <= drawn[row].instants.0).map(|(_, state)| state.clone());
        let snapshot = if random.chance(stale_percent) { old.unwrap_or_default() } else { now.clone() };
        let told = answer(random, workload, &drawn[row], snapshot, damage_percent);
        answers.insert(row, told);
        let (mut lists, mut registers) = now;
        for (writes, key, value) in drawn[row].micro.iter().filter(|micro| micro.0) {
            debug_assert!(writes);
            lists.entry(*key).or_default().push(*value);
            registers.insert(*key, *value);
        }
        states.push((drawn[row].instants.1, (lists, registers)));
    }
    record(&drawn, &answers, &by_commit, workload)
}

fn draw(random: &mut Random, length: u64) -> Vec<Drawn> {
    let (count, span, keys) = (1 + random.below(length), 2 + random.below(24), 1 + random.below(3));
    let mut value = 0;
    let mut drawn: Vec<Drawn> = (0..count)
        .map(|_| {
            let invoke = random.below(span);
            let complete = invoke + random.below(2 + span / 3);
            let instant = |random: &mut Random| invoke * 100 + 1 + random.below((complete - invoke) * 100 + 1);
            let (one, other) = (instant(random), instant(random));
            let micro = (0..=random.below(3)).map(|_| {
                value += 1;
                (random.chance(50), random.below(keys), value)
            });
            let micro = micro.collect();
            let outcome = [Outcome::Aborted, Outcome::Unknown, Outcome::Committed][usize::try_from(random.below(12).min(2)).unwrap_or(2)];
            Drawn { process: 0, invoke, complete, instants: (one.min(other), one.max(other)), micro, outcome }
        })
        .collect();
    drawn.sort_by_key(|row| row.invoke);
    // The first process that is idle; one whose outcome is unknown never comes back.
    let mut busy: Vec<u64> = Vec::new();
    for row in &mut drawn {
        let until = if row.outcome == Outcome::Unknown { NEVER } else { row.complete };
        let idle = busy.iter().position(|until| *until < row.invoke).unwrap_or(busy.len());
        busy.resize(busy.len().max(idle + 1), 0);
        busy[idle] = until;
        row.process = idle as u64;
    }
    drawn
}

/// What each read of a transaction is told: lists, of registers their last value.
fn answer(random: &mut Random, workload: Workload, drawn: &Drawn, snapshot: State, damage_percent: u64) -> Vec<Vec<u64>> {
    let (mut lists, _) = snapshot;
    let mut told = Vec::new();
    for (writes, key, value) in &drawn.micro {
        let list = lists.entry(*key).or_default();
        if *writes {
            list.push(*value);
            told.push(Vec::new());
            continue;
        }
        let mut seen = if workload.is_of_lists() { list.clone() } else { list.last().copied().into_iter().collect() };
        if random.chance(damage_percent) {
            match random.below(4) {
                0 => _ = seen.pop(),
                1 => seen.reverse(),
                2 if workload.is_of_lists() => seen.push(1 + random.below(16)),
                _ => seen = list.first().copied().into_iter().collect(),
            }
        }
        told.push(seen);
    }
    told
}

fn record(drawn: &[Drawn], answers: &BTreeMap<usize, Vec<Vec<u64>>>, by_commit: &[usize], workload: Workload) -> Transactions {
    let mut history = Transactions::default();
    for (row, transaction) in drawn.iter().enumerate() {
        history.begin(transaction.process, transaction.invoke);
        let happened = answers.contains_key(&row);
        if workload == Workload::RecordedRegister && happened && transaction.outcome != Outcome::Aborted {
            let position = by_commit.iter().position(|other| *other == row);
            history.position(position.map_or(0, |position| position as u64 + 1));
        }
        for (place, (writes, key, value)) in transaction.micro.iter().enumerate() {
            let told = answers.get(&row).map_or(&[][..], |told| &told[place]);
            match (writes, workload.is_of_lists()) {
                (true, true) => history.append(*key, *value),
                (true, false) => history.write(*key, *value),
                (false, true) => history.read_list(*key, told.iter().copied()),
                (false, false) => history.read(*key, told.last().copied()),
            }
        }
        history.end(transaction.complete, transaction.outcome);
    }
    history
}

/// How the analysis and brute force compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Histories.
    pub histories: u64,
    /// Levels that hold, and do.
    pub hold: u64,
    /// Levels that are refuted, and do not hold.
    pub refuted: u64,
    /// Levels left undecided.
    pub undecided: u64,
}

/// Compares the analysis of one history with brute force.
///
/// # Errors
/// The level at which they disagree, with what the analysis says.
///
/// # Panics
/// Never: the analysis has no limits here.
pub fn compare(history: &Transactions, workload: Workload, tally: &mut Tally) -> Result<(), String> {
    let options = Options { unseen_writers: false, ..Options::default() };
    let analysis = analyze(history, &options, &Budget::default().meter()).expect("without limits nothing is exhausted");
    tally.histories += 1;
    let levels = [
        (Level::Serializable, Order::Data),
        (Level::StrongSessionSerializable, Order::Session),
        (Level::StrictSerializable, Order::RealTime),
    ];
    for (level, order) in levels {
        let truth = serializable(history, order);
        let right = match analysis.standing(level) {
            Standing::Holds => {
                tally.hold += 1;
                truth
            }
            // With a recorded order of versions a history may contradict that order though another one would explain the reads.
            Standing::Refuted => {
                tally.refuted += 1;
                !truth || workload == Workload::RecordedRegister
            }
            Standing::Undecided => {
                tally.undecided += 1;
                workload != Workload::ListAppend
            }
        };
        if !right {
            return Err(disagreement(history, &analysis, level, truth));
        }
    }
    Ok(())
}

fn disagreement(history: &Transactions, analysis: &Analysis, level: Level, truth: bool) -> String {
    use core::fmt::Write;
    let mut words = format!("{level} is {:?}, by brute force {truth}\n", analysis.standing(level));
    for (row, transaction) in history.transactions().iter().enumerate() {
        _ = writeln!(words, "  [{}, {}] {}", transaction.invoke, transaction.complete, history.words(row));
    }
    for anomaly in &analysis.anomalies {
        _ = writeln!(words, "  {}: {}; {}", anomaly.kind, anomaly.summary, anomaly.reasons.join("; "));
    }
    words
}
