//! Large histories for measuring: concurrent clients on registers, all linearizable.
//!
//! Each client invokes, takes effect and returns at moments of one random walk, so that as many calls are open at any time as
//! there are clients. A linearizable history is the costly kind: nothing ends the work early.

use super::Random;
use crate::linearize::{Call, NEVER};
use crate::models::keys::KeysAction;
use crate::models::register::RegisterAction;

/// What clients do.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Calls in all.
    pub operations: usize,
    /// Clients, each with one call open at any time.
    pub clients: usize,
    /// Keys, drawn evenly.
    pub keys: u32,
    /// So many different values; none: every written value is unique.
    pub values: Option<u64>,
    /// Of a hundred calls so many are compare-and-sets; half of the others are reads.
    pub compare_and_sets: u64,
    /// Seed.
    pub seed: u64,
}

/// A client's call under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: usize,
    effective: bool,
}

impl Workload {
    /// The history: each call with its key.
    #[must_use]
    pub fn history(&self) -> Vec<(u32, Call<RegisterAction>)> {
        self.run(None)
    }

    /// The same with a pause in its middle, in which one more client reads the first key twice, and between that fails to find
    /// there what it read: it is not linearizable.
    #[must_use]
    pub fn violated(&self) -> Vec<(u32, Call<RegisterAction>)> {
        self.run(Some(self.operations / 2))
    }

    fn run(&self, mut pause: Option<usize>) -> Vec<(u32, Call<RegisterAction>)> {
        let mut random = Random(self.seed);
        let mut held: Vec<Option<u64>> = vec![None; self.keys as usize];
        let mut open: Vec<Option<Open>> = vec![None; self.clients];
        let mut calls: Vec<(u32, Call<RegisterAction>)> = Vec::with_capacity(self.operations);
        let (mut now, mut returned) = (0, 0);
        while returned < self.operations {
            if pause.take_if(|number| *number <= calls.len()).is_some() {
                let seen = held[0];
                let failed = RegisterAction::CompareAndSet { expected: seen, value: 1 + calls.len() as u64, set: Some(false) };
                for action in [RegisterAction::Read { seen }, failed, RegisterAction::Read { seen }] {
                    calls.push((0, Call { invoke: now + 1, returned: now + 2, action }));
                    (now, returned) = (now + 2, returned + 1);
                }
            }
            now += 1;
            let client = random.below(self.clients as u64) as usize;
            match open[client] {
                None if calls.len() < self.operations => {
                    let key = random.below(u64::from(self.keys)) as u32;
                    let action = self.request(&mut random, calls.len(), held[key as usize]);
                    open[client] = Some(Open { number: calls.len(), effective: false });
                    calls.push((key, Call { invoke: now, returned: NEVER, action }));
                }
                Some(Open { number, effective: false }) => {
                    let (key, call) = &mut calls[number];
                    let held = &mut held[*key as usize];
                    call.action = answered(call.action, *held);
                    *held = call.action.apply(*held).flatten();
                    open[client] = Some(Open { number, effective: true });
                }
                Some(Open { number, .. }) => {
                    calls[number].1.returned = now;
                    open[client] = None;
                    returned += 1;
                }
                None => {}
            }
        }
        calls
    }

    fn request(&self, random: &mut Random, number: usize, held: Option<u64>) -> RegisterAction {
        let value = 1 + self.values.map_or(number as u64, |values| random.below(values));
        if random.chance(self.compare_and_sets) {
            return RegisterAction::CompareAndSet { expected: held, value, set: None };
        }
        if random.chance(50) { RegisterAction::Write { value } } else { RegisterAction::Read { seen: None } }
    }
}

/// The same request as answered where a key holds `held`.
fn answered(request: RegisterAction, held: Option<u64>) -> RegisterAction {
    match request {
        RegisterAction::Read { .. } => RegisterAction::Read { seen: held },
        RegisterAction::CompareAndSet { expected, value, .. } => {
            RegisterAction::CompareAndSet { expected, value, set: Some(expected == held) }
        }
        other => other,
    }
}

/// The same calls as those of one store.
#[must_use]
pub fn of_store(calls: Vec<(u32, Call<RegisterAction>)>) -> Vec<Call<KeysAction>> {
    let one = |(slot, call): (u32, Call<RegisterAction>)| Call {
        invoke: call.invoke,
        returned: call.returned,
        action: KeysAction::One { slot, action: call.action },
    };
    calls.into_iter().map(one).collect()
}
