//! Tiny histories of clients that talk to a log, for tests of what clients may see.
//!
//! Every request is committed and applied by all replicas at the next op number unless a test says otherwise; the answers
//! are whatever the test writes down.

use super::Story;
use vopr_schema::{Function, OperationError, OperationRow, Outcome, Pair, TransitionEvent};

/// A story in which every op number names a client's request.
#[derive(Clone, Debug)]
pub struct Dialogue {
    /// The rows so far.
    pub story: Story,
    /// Per client (tenant, number): session and last request number.
    sessions: Vec<((u32, u32), u64, u64)>,
    op: u64,
}

/// An operation to be asked for: a row with its arguments and its answer.
#[must_use]
pub fn ask(function: Function, key: u64) -> OperationRow {
    OperationRow { function, key, ..OperationRow::default() }
}

/// `key := value`.
#[must_use]
pub fn write(key: u64, value: u64) -> OperationRow {
    OperationRow { value: Some(value), ..ask(Function::Write, key) }
}

/// A read that is told `seen`.
#[must_use]
pub fn read(key: u64, seen: impl Into<Option<u64>>) -> OperationRow {
    OperationRow { result: seen.into(), ..ask(Function::Read, key) }
}

/// A scan that is told `pairs`.
#[must_use]
pub fn scan(first: u64, last: u64, pairs: &[(u64, u64)]) -> OperationRow {
    OperationRow { key_last: Some(last), results: Some(told(pairs)), ..ask(Function::Scan, first) }
}

/// A snapshot of balances that is told `pairs`.
#[must_use]
pub fn balance(first: u64, last: u64, pairs: &[(u64, u64)]) -> OperationRow {
    OperationRow { key_last: Some(last), results: Some(told(pairs)), ..ask(Function::Balance, first) }
}

/// A transfer that is done.
#[must_use]
pub fn transfer(from: u64, to: u64, amount: u64) -> OperationRow {
    OperationRow { key_last: Some(to), value: Some(amount), ..ask(Function::Transfer, from) }
}

/// Pairs without absent values.
#[must_use]
pub fn told(pairs: &[(u64, u64)]) -> Vec<Pair> {
    pairs.iter().map(|&(key, value)| Pair { key, value: Some(value) }).collect()
}

impl Dialogue {
    /// Three replicas, `tenants` tenants of 100 keys and 4 accounts that hold 100 each.
    #[must_use]
    pub fn new(tenants: u32) -> Self {
        let mut story = Story::new(3);
        story.run.tenants = tenants;
        story.run.options =
            format!(r#"{{"cluster": {{"tenants": {tenants}, "keys_per_tenant": 100, "accounts_per_tenant": 4, "initial_balance": 100}}}}"#);
        Self { story, sessions: Vec::new(), op: 0 }
    }

    /// The last op number of the log.
    #[must_use]
    pub fn op(&self) -> u64 {
        self.op
    }

    /// The client registers a new session. Returns its number.
    pub fn register(&mut self, tenant: u32, client: u32) -> u64 {
        let op = self.op + 1;
        self.sessions.retain(|session| session.0 != (tenant, client));
        self.sessions.push(((tenant, client), op, 0));
        self.apply((tenant, client, op, 0));
        op
    }

    /// An operation is invoked, and nothing more. Returns its place.
    ///
    /// # Panics
    /// When the operation, or the replica, does not exist.
    pub fn invoke(&mut self, tenant: u32, client: u32, row: OperationRow) -> usize {
        if !self.sessions.iter().any(|session| session.0 == (tenant, client)) {
            self.register(tenant, client);
        }
        let (_, session, request) = self.sessions.iter_mut().find(|session| session.0 == (tenant, client)).expect("registered");
        *request += 1;
        let (session, request_number) = (*session, *request);
        let place = self.story.operation(|blank| {
            let (seq, time_ns) = (blank.seq, blank.time_ns);
            *blank = row;
            (blank.seq, blank.time_ns, blank.attempts) = (seq, time_ns, 1);
            (blank.tenant, blank.client) = (tenant, client);
            (blank.session, blank.request_number) = (Some(session), request_number);
            blank.outcome = Outcome::Unknown;
        });
        self.story.operations[place].return_seq = None;
        place
    }

    /// All replicas commit and apply the request of an operation at the next op number, which is returned.
    ///
    /// # Panics
    /// When the operation, or the replica, does not exist.
    pub fn commit(&mut self, place: usize) -> u64 {
        let row = &self.story.operations[place];
        let name = (row.tenant, row.client, row.session.expect("invoked in a session"), row.request_number);
        self.apply(name)
    }

    /// All replicas commit and apply a request at the next op number, which is returned.
    pub fn apply(&mut self, name: (u32, u32, u64, u64)) -> u64 {
        self.op += 1;
        for replica in 0..3 {
            self.apply_on(replica, self.op, name);
        }
        self.op
    }

    /// One replica commits and applies a request.
    ///
    /// # Panics
    /// When the operation, or the replica, does not exist.
    pub fn apply_on(&mut self, replica: u8, op: u64, (tenant, client, session, request_number): (u32, u32, u64, u64)) {
        self.story.commit(replica, op, 0, None);
        let row = self.story.transitions.last_mut().expect("just applied");
        debug_assert_eq!(row.event, TransitionEvent::Applied);
        (row.tenant, row.client) = (Some(tenant), Some(client));
        (row.session, row.request_number) = (Some(session), Some(request_number));
    }

    /// The operation returns now, with the answer in its row, which claims `op`.
    pub fn answer(&mut self, place: usize, op: u64) {
        let seq = self.story.tick();
        let row = &mut self.story.operations[place];
        row.outcome = if row.error.is_some() { Outcome::Error } else { Outcome::Ok };
        (row.return_seq, row.return_time_ns, row.op) = (Some(seq), Some(seq * 1000), Some(op));
    }

    /// Invoked, committed, answered. Returns its place.
    pub fn call(&mut self, tenant: u32, client: u32, row: OperationRow) -> usize {
        let place = self.invoke(tenant, client, row);
        let op = self.commit(place);
        self.answer(place, op);
        place
    }

    /// The same for an operation that is refused.
    pub fn refused(&mut self, tenant: u32, client: u32, error: OperationError, row: OperationRow) -> usize {
        self.call(tenant, client, OperationRow { error: Some(error), ..row })
    }

    /// A read answered outside the log, from the state at `op`. Returns its place.
    pub fn served(&mut self, tenant: u32, client: u32, op: u64, row: OperationRow) -> usize {
        let place = self.invoke(tenant, client, row);
        self.answer(place, op);
        place
    }

    /// The verdict of one invariant.
    #[must_use]
    pub fn verdict(&self, invariant: &str) -> crate::Verdict {
        self.story.verdict(invariant)
    }
}
