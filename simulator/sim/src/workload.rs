//! What clients ask for: a stream of operations per client, from its own random streams.

use crate::entropy::{Actor, Purpose, Stream};
use crate::fault_plan::ClientName;
use crate::options::{Mix, Rate, RunOptions, WorkloadOptions};
use std::collections::BTreeMap;

use kernel::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use vopr_schema::rows::{Function, OperationError};

/// One client operation: maps one to one to the operation columns of a history and to a command of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Function, as recorded.
    #[serde(with = "crate::workload_plan::function_name")]
    pub function: Function,
    /// Key, stream, or (debited, first) account; of a transaction the first of its keys.
    pub key: u64,
    /// Last key of a scan or balance; credited account of a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_last: Option<u64>,
    /// Value written, added, appended, transferred; offset of a stream read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// Expected value of a compare-and-set (none: absent); count of a stream read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Keys that a transaction reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<u64>,
    /// Pairs that a transaction writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<(u64, u64)>,
}

/// What the client was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Single value.
    pub result: Option<u64>,
    /// Pairs, of functions that answer pairs; the values of a transaction's reads may be absent.
    pub results: Option<Vec<Pair>>,
    /// Why it was refused.
    pub error: Option<OperationError>,
}

/// A pair whose value may be absent.
pub type Pair = (u64, Option<u64>);

impl Operation {
    /// An operation on `key`; what else the function needs is to be filled in.
    fn new(function: Function, key: u64) -> Self {
        Self { function, key, key_last: None, value: None, expected: None, reads: Vec::new(), writes: Vec::new() }
    }

    /// Whether every value is there that the function needs: an operation may have been read from a file.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        match self.function {
            Function::Write | Function::ReadModifyWrite | Function::CompareAndSet | Function::StreamAppend => self.value.is_some(),
            Function::Scan | Function::Balance => self.key_last.is_some(),
            Function::StreamRead => self.value.is_some() && self.expected.is_some(),
            Function::Transfer => self.key_last.is_some() && self.value.is_some(),
            _ => true,
        }
    }

    /// The state machine's command.
    ///
    /// # Panics
    /// When a value that the function needs is missing: [`Workload`] makes no such operations, and a plan with one is refused.
    #[must_use]
    pub fn command(&self) -> Command {
        const COMPLETE: &str = "the workload fills in every value that a function needs";
        let key = self.key;
        match self.function {
            Function::Write => Command::Write { key, value: self.value.expect(COMPLETE) },
            Function::Read => Command::Read { key },
            Function::ReadModifyWrite => Command::Add { key, delta: self.value.expect(COMPLETE) },
            Function::CompareAndSet => Command::CompareAndSet { key, expected: self.expected, value: self.value.expect(COMPLETE) },
            Function::Scan => Command::Scan { first: key, last: self.key_last.expect(COMPLETE) },
            Function::StreamCreate => Command::StreamCreate { stream: key },
            Function::StreamAppend => Command::StreamAppend { stream: key, value: self.value.expect(COMPLETE) },
            Function::StreamRead => {
                Command::StreamRead { stream: key, offset: self.value.expect(COMPLETE), count: self.expected.expect(COMPLETE) }
            }
            Function::Transfer => Command::Transfer { from: key, to: self.key_last.expect(COMPLETE), amount: self.value.expect(COMPLETE) },
            Function::Balance => Command::Balance { first: key, last: self.key_last.expect(COMPLETE) },
            Function::Transaction => Command::Transaction { reads: self.reads.clone(), writes: self.writes.clone() },
            _ => Command::Noop,
        }
    }
}

impl Told {
    /// What a reply of the state machine tells; none when the bytes are no reply.
    #[must_use]
    pub fn from_reply(bytes: &[u8]) -> Option<Self> {
        Some(match Reply::decode(bytes)? {
            Reply::Done => Self::default(),
            Reply::Value(result) => Self { result, ..Self::default() },
            Reply::Pairs(results) => Self { results: Some(results), ..Self::default() },
            Reply::Refused(refusal) => Self { error: Some(error_of(refusal)), ..Self::default() },
        })
    }
}

fn error_of(refusal: Refusal) -> OperationError {
    match refusal {
        Refusal::NoSuchStream => OperationError::NoSuchStream,
        Refusal::StreamExists => OperationError::StreamExists,
        Refusal::InsufficientFunds => OperationError::InsufficientFunds,
        Refusal::SameAccount => OperationError::SameAccount,
        Refusal::NoSuchAccount => OperationError::NoSuchAccount,
        Refusal::OutOfRange => OperationError::OutOfRange,
        Refusal::Malformed => OperationError::Malformed,
    }
}

/// The operations of one client. It lives as long as the client, through the client's crashes.
#[derive(Clone, Debug)]
pub struct Workload {
    options: WorkloadOptions,
    choices: Stream,
    pauses: Stream,
    /// First number of the tenant's range.
    base: u64,
    /// Last number of it.
    last: u64,
    accounts: u64,
    /// Upper half of every value: tenant and writer.
    signature: u64,
    values_made: u64,
    operations_made: u32,
    /// What the client last knew of its tenant's keys; absent from the map: nothing.
    known: BTreeMap<u64, Option<u64>>,
    /// Elements that the client knows of, by stream; absent from the map: it knows of no such stream.
    streams: BTreeMap<u64, u64>,
}

impl Workload {
    /// The workload of `client` in the run of `options`.
    #[must_use]
    pub fn new(options: &RunOptions, client: ClientName) -> Self {
        let cluster = options.cluster;
        let actor = Actor::Client(client.tenant * cluster.clients_per_tenant + client.client);
        let base = u64::from(client.tenant) * cluster.keys_per_tenant;
        let mut own = options.workload;
        if client.client + own.readers >= cluster.clients_per_tenant {
            own.mix = own.mix.only_reads();
        }
        Self {
            options: own,
            choices: Stream::new(options.seed, actor, Purpose::Workload, 0),
            pauses: Stream::new(options.seed, actor, Purpose::ThinkTime, 0),
            base,
            last: base + cluster.keys_per_tenant - 1,
            accounts: cluster.accounts_per_tenant,
            signature: (u64::from(client.tenant) + 1) << 48 | u64::from(client.client) << 32,
            values_made: 0,
            operations_made: 0,
            known: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    /// The next operation; none when the client has no more to do.
    pub fn next_operation(&mut self) -> Option<Operation> {
        if self.operations_made >= self.options.operations_max {
            return None;
        }
        let function = self.options.mix.draw(&mut self.choices)?;
        self.operations_made += 1;
        if self.options.invalid != Rate::NEVER && self.choices.hit(self.options.invalid) {
            return Some(Operation { value: Some(self.value()), ..Operation::new(Function::StreamAppend, self.last) });
        }
        Some(match function {
            Function::Write => self.write(),
            Function::ReadModifyWrite => self.read_modify_write(),
            Function::CompareAndSet => self.compare_and_set(),
            Function::Scan => self.scan(),
            Function::StreamAppend => self.stream_append(),
            Function::StreamRead => self.stream_read(),
            Function::Transfer => self.transfer(),
            Function::Balance => {
                Operation { key_last: Some(self.base + self.accounts - 1), ..Operation::new(Function::Balance, self.base) }
            }
            Function::Transaction => self.transaction(),
            _ => {
                let counter = self.choices.hit(Rate::percent(20));
                let key = if counter { self.counter() } else { self.register() };
                Operation::new(Function::Read, key)
            }
        })
    }

    /// The pause before the next operation, nominal nanoseconds (the world compresses it). None is made during a load burst.
    pub fn pause_ns(&mut self) -> u64 {
        let pause = self.pauses.range(self.options.think_ns_min..=self.options.think_ns_max);
        if self.pauses.hit(self.options.rest) { pause + self.options.rest_ns } else { pause }
    }

    /// Takes note of what the client was told, which later operations build on. An operation without an answer is not noted.
    pub fn told(&mut self, operation: &Operation, told: &Told) {
        let key = operation.key;
        match operation.function {
            Function::StreamCreate if told.error.is_none() || told.error == Some(OperationError::StreamExists) => {
                self.streams.entry(key).or_insert(0);
            }
            Function::StreamAppend => {
                if let Some(offset) = told.result {
                    self.streams.insert(key, offset + 1);
                }
            }
            _ if told.error.is_some() => {}
            Function::Write => _ = self.known.insert(key, operation.value),
            Function::Read | Function::ReadModifyWrite => _ = self.known.insert(key, told.result),
            Function::CompareAndSet if told.result == Some(1) => _ = self.known.insert(key, operation.value),
            // What the key holds instead was not told: read it again before the next attempt succeeds.
            Function::CompareAndSet => _ = self.known.remove(&key),
            Function::Scan => {
                let last = operation.key_last.unwrap_or(key);
                self.known.retain(|known, _| !(key..=last).contains(known));
                self.known.extend(told.results.iter().flatten().copied());
            }
            Function::Transaction => {
                self.known.extend(told.results.iter().flatten().copied());
                self.known.extend(operation.writes.iter().map(|&(key, value)| (key, Some(value))));
            }
            _ => {}
        }
    }

    /// A value that nobody else writes: `(tenant + 1) << 48 | client << 32 | n`.
    fn value(&mut self) -> u64 {
        self.values_made += 1;
        self.signature | self.values_made
    }

    /// Of all registers; half of the time of the few hot ones, so that clients meet.
    fn register(&mut self) -> u64 {
        let hot = self.choices.hit(Rate::percent(50));
        let count = if hot { self.options.hot_registers } else { self.options.registers };
        self.base + self.choices.below(count)
    }

    /// Counters lie behind the registers: their values carry no tenant, and nothing else writes them.
    fn counter(&mut self) -> u64 {
        self.base + self.options.registers + self.choices.below(self.options.counters)
    }

    fn write(&mut self) -> Operation {
        Operation { value: Some(self.value()), ..Operation::new(Function::Write, self.register()) }
    }

    fn read_modify_write(&mut self) -> Operation {
        Operation { value: Some(self.choices.range(1..=9)), ..Operation::new(Function::ReadModifyWrite, self.counter()) }
    }

    /// Expects what the client last knew of the key; absence, if it knows nothing.
    fn compare_and_set(&mut self) -> Operation {
        let key = self.register();
        let expected = self.known.get(&key).copied().flatten();
        Operation { expected, value: Some(self.value()), ..Operation::new(Function::CompareAndSet, key) }
    }

    /// Half of the scans end at the tenant's last key: behind it begins another tenant's range.
    fn scan(&mut self) -> Operation {
        let first = self.base + self.choices.below(self.options.registers);
        let whole = self.choices.hit(Rate::percent(50));
        let width = self.choices.below(self.options.registers);
        let last = if whole { self.last } else { (first + width).min(self.last) };
        Operation { key_last: Some(last), ..Operation::new(Function::Scan, first) }
    }

    /// Appends to a stream, or creates it as long as the client does not know of it (now and then, even if it does).
    fn stream_append(&mut self) -> Operation {
        let stream = self.stream();
        let create = Rate::percent(if self.streams.contains_key(&stream) { 3 } else { 60 });
        if self.choices.hit(create) {
            return Operation::new(Function::StreamCreate, stream);
        }
        Operation { value: Some(self.value()), ..Operation::new(Function::StreamAppend, stream) }
    }

    /// Reads a few elements, most often near the end that the client knows of.
    fn stream_read(&mut self) -> Operation {
        let stream = self.stream();
        let length = self.streams.get(&stream).copied().unwrap_or(0);
        let back = if self.choices.hit(Rate::percent(75)) { 8 } else { length };
        let offset = self.choices.range(length.saturating_sub(back)..=length);
        let count = self.choices.range(1..=16);
        Operation { value: Some(offset), expected: Some(count), ..Operation::new(Function::StreamRead, stream) }
    }

    fn stream(&mut self) -> u64 {
        self.base + self.choices.below(self.options.streams)
    }

    /// Between two accounts; seldom one and the same, or one that does not exist. Some amounts are more than an account holds.
    fn transfer(&mut self) -> Operation {
        let from = self.choices.below(self.accounts);
        let to = match self.choices.below(50) {
            0 => from,
            1 => self.accounts,
            _ => (from + 1 + self.choices.below(self.accounts - 1)) % self.accounts,
        };
        // A transfer to the same account asks for next to nothing, so that there is one reason only to refuse it.
        let amount = self.choices.range(1..=if to == from { 1 } else { 700 });
        Operation { key_last: Some(self.base + to), value: Some(amount), ..Operation::new(Function::Transfer, self.base + from) }
    }

    /// Two to four different keys: some are read (counters too), the others written.
    fn transaction(&mut self) -> Operation {
        let mut keys = Vec::new();
        for _ in 0..self.choices.range(2..=4) {
            let key = self.register();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut writes: Vec<(u64, u64)> = Vec::new();
        for key in keys.split_off(self.choices.index(keys.len())) {
            writes.push((key, self.value()));
        }
        if self.choices.hit(Rate::percent(20)) {
            keys.push(self.counter());
        }
        let key = keys.first().copied().unwrap_or(writes[0].0);
        Operation { reads: keys, writes, ..Operation::new(Function::Transaction, key) }
    }
}

impl Mix {
    /// A function, as often as its weight says; none when all weights are 0.
    fn draw(&self, stream: &mut Stream) -> Option<Function> {
        let weights = [
            (Function::Write, self.write),
            (Function::Read, self.read),
            (Function::ReadModifyWrite, self.read_modify_write),
            (Function::CompareAndSet, self.compare_and_set),
            (Function::Scan, self.scan),
            (Function::StreamAppend, self.stream_append),
            (Function::StreamRead, self.stream_read),
            (Function::Transfer, self.transfer),
            (Function::Balance, self.balance),
            (Function::Transaction, self.transaction),
        ];
        let mut left = stream.below(weights.iter().map(|(_, weight)| u64::from(*weight)).sum());
        weights.into_iter().find_map(|(function, weight)| {
            let hit = left < u64::from(weight);
            left = left.saturating_sub(u64::from(weight));
            hit.then_some(function)
        })
    }
}

#[cfg(test)]
mod tests;
