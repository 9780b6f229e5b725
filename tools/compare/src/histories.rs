//! Histories of registers in a form that all checkers can be given.
//!
//! All calls return, each client has one open at a time, and no two events are at one time.

use vopr_checker::linearize::Call;
pub use vopr_checker::linearize::trials::Random;
pub use vopr_checker::linearize::trials::workload::Workload;
use vopr_checker::models::register::RegisterAction;

const UNIQUE: Workload = Workload { operations: 100_000, clients: 10, keys: 1, values: None, compare_and_sets: 10, seed: 1 };
const FEW: Workload = Workload { operations: 10_000, clients: 5, values: Some(5), compare_and_sets: 0, ..UNIQUE };

/// The large histories, with names.
pub const LARGE: [(&str, Workload); 7] = [
    ("10^6 operations, 10^4 keys, 10 clients, unique values", Workload { operations: 1_000_000, keys: 10_000, ..UNIQUE }),
    ("10^6 operations, 10^4 keys, 100 clients, unique values", Workload { operations: 1_000_000, keys: 10_000, clients: 100, ..UNIQUE }),
    ("10^5 operations, 1 key, 10 clients, writes and reads", Workload { compare_and_sets: 0, ..UNIQUE }),
    ("10^5 operations, 1 key, 10 clients, unique values", UNIQUE),
    ("10^4 operations, 1 key, 5 clients, 5 values", FEW),
    ("10^4 operations, 1 key, 10 clients, 5 values", Workload { clients: 10, ..FEW }),
    ("10^3 operations, 1 key, 50 clients, 5 values", Workload { operations: 1_000, clients: 50, ..FEW }),
];

/// A history of registers.
#[derive(Clone, Debug)]
pub struct History {
    /// Number of keys.
    pub keys: u32,
    /// Calls with their keys, in the order of their invocation.
    pub calls: Vec<(u32, Call<RegisterAction>)>,
    /// The client of each call.
    pub clients: Vec<usize>,
}

impl History {
    /// Gives each event a time of its own (invocations come before returns of the same time, as closed intervals ask) and each call a
    /// client that is free.
    pub fn of(mut calls: Vec<(u32, Call<RegisterAction>)>) -> Self {
        calls.sort_by_key(|(_, call)| call.invoke);
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * calls.len());
        for (number, (_, call)) in calls.iter().enumerate() {
            events.extend([(call.invoke, false, number), (call.returned, true, number)]);
        }
        events.sort_unstable();
        let mut clients = vec![0; calls.len()];
        let (mut free, mut all) = (Vec::new(), 0);
        for (time, (_, returns, number)) in (1..).zip(events) {
            let call = &mut calls[number].1;
            if returns {
                call.returned = time;
                free.push(clients[number]);
            } else {
                call.invoke = time;
                clients[number] = free.pop().unwrap_or_else(|| {
                    all += 1;
                    all - 1
                });
            }
        }
        let keys = calls.iter().map(|(key, _)| key + 1).max().unwrap_or(0);
        Self { keys, calls, clients }
    }

    /// For each key the numbers of its calls.
    pub fn by_key(&self) -> Vec<Vec<usize>> {
        let mut by_key = vec![Vec::new(); self.keys as usize];
        for (number, (key, _)) in self.calls.iter().enumerate() {
            by_key[*key as usize].push(number);
        }
        by_key
    }

    /// The events of some calls in the order of time: call, and whether it returns.
    pub fn events(&self, calls: &[usize]) -> Vec<(usize, bool)> {
        let mut events: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * calls.len());
        for &number in calls {
            let call = &self.calls[number].1;
            events.extend([(call.invoke, number, false), (call.returned, number, true)]);
        }
        events.sort_unstable();
        events.into_iter().map(|(_, number, returns)| (number, returns)).collect()
    }
}

/// A few calls on one or two keys, with ties in time, of which two thirds of the histories have damaged answers.
pub fn small(random: &mut Random) -> History {
    let below = |random: &mut Random, bound: usize| usize::try_from(random.below(bound as u64)).unwrap_or(0);
    let workload = Workload {
        operations: 1 + below(random, 9),
        clients: 1 + below(random, 4),
        keys: 1 + u32::from(random.chance(30)),
        values: random.chance(50).then_some(3),
        compare_and_sets: [0, 30][below(random, 2)],
        seed: random.draw(),
    };
    let mut calls = workload.history();
    let damaged = [0, 10, 30][below(random, 3)];
    for (_, call) in &mut calls {
        (call.invoke, call.returned) = (call.invoke / 2, call.returned / 2);
        if !random.chance(damaged) {
            continue;
        }
        match &mut call.action {
            RegisterAction::Read { seen } => *seen = random.below(5).checked_sub(1),
            RegisterAction::CompareAndSet { set: Some(set), .. } => *set = !*set,
            _ => {}
        }
    }
    History::of(calls)
}
