//! Clients: each registers a session, invokes one operation at a time, and asks again until it is told.
//!
//! A client believes what a reply says, as a real one would: whether the cluster may say so is the checker's business.

use crate::entropy::{Actor, Purpose, Stream};
use crate::fault_plan::ClientName;
use crate::network::FIRST_CLIENT;
use crate::options::{ClusterOptions, RunOptions};
use crate::recorder::{OperationReturn, RowIndex};
use crate::workload::{Operation, Told, Workload};
use crate::workload_plan::{PlannedStep, Script, Step};
use crate::world::{Event, World};
use std::sync::Arc;
use vopr_schema::{OperationRow, Outcome, Pair};
use vsr::entry::request_hash;
use vsr::ids::{ClientId, ClientKey, Epoch, Hash, Op, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::message::{Body, Message};

/// After so many attempts (a round of a usual cluster) a client's patience doubles,
const ATTEMPTS_A_ROUND: u32 = 3;
/// so many times at most: a client that waits long finds a new primary late.
const PATIENCE_DOUBLINGS_MAX: u32 = 2;

/// What a client is doing.
#[derive(Debug)]
enum Stage {
    /// It crashed.
    Down,
    /// It has nothing more to do.
    Done,
    /// It asks for a session, which it asked for by this number.
    Registering(u64),
    /// It has a session and pauses.
    Pausing,
    /// It waits for the answer to its operation.
    Waiting(Pending),
}

/// An operation that has not returned.
#[derive(Debug)]
struct Pending {
    operation: Operation,
    command: Arc<[u8]>,
    row: RowIndex,
    since_ns: u64,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    name: ClientName,
    stage: Stage,
    session: u64,
    request: u64,
    /// The replica that it asks.
    target: u8,
    /// The newest view that it was told of.
    view: u64,
    attempts: u32,
    /// Only the alarm of this number counts.
    alarm: u32,
    workload: Workload,
    /// What it does instead of drawing, if that is planned.
    script: Option<Script>,
    retry: Stream,
}

impl Client {
    /// A client that has not been started. With a script it does what that says; without, its operations are drawn.
    #[must_use]
    pub(crate) fn new(options: &RunOptions, index: u32, script: Option<Script>) -> Self {
        let of_tenant = options.cluster.clients_per_tenant;
        let name = ClientName { tenant: index / of_tenant, client: index % of_tenant };
        Self {
            name,
            stage: Stage::Down,
            session: 0,
            request: 0,
            target: 0,
            view: 0,
            attempts: 0,
            alarm: 0,
            workload: Workload::new(options, name),
            script,
            retry: Stream::new(options.seed, Actor::Client(index), Purpose::Retry, 0),
        }
    }

    /// The client's number over all tenants.
    #[must_use]
    pub fn index(cluster: &ClusterOptions, key: ClientKey) -> u16 {
        u16::try_from(key.tenant.0 * cluster.clients_per_tenant + key.client.0).unwrap_or(u16::MAX)
    }

    /// Whether it crashed.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self.stage, Stage::Down)
    }

    /// Its pending operation in words.
    #[must_use]
    pub fn pending(&self) -> Option<String> {
        let ClientName { tenant, client } = self.name;
        match &self.stage {
            Stage::Waiting(_) => Some(format!(
                "request {} of session {} of client {client} of tenant {tenant} is pending, attempt {}",
                self.request, self.session, self.attempts
            )),
            _ => None,
        }
    }

    /// Since when an operation has not returned, if so.
    #[must_use]
    pub fn waiting_since_ns(&self) -> Option<u64> {
        if let Stage::Waiting(pending) = &self.stage { Some(pending.since_ns) } else { None }
    }

    fn key(&self) -> ClientKey {
        ClientKey { tenant: TenantId(self.name.tenant), client: ClientId(self.name.client) }
    }

    fn message(&self) -> Option<Message> {
        let body = match &self.stage {
            Stage::Registering(nonce) => Body::Register { nonce: *nonce },
            Stage::Waiting(pending) => Body::Request {
                session: SessionNumber(self.session),
                request: RequestNumber(self.request),
                command: Arc::clone(&pending.command),
            },
            _ => return None,
        };
        let (from, to) = (Peer::Client(self.key()), Peer::Replica(ReplicaId(self.target)));
        Some(Message { epoch: Epoch(0), view: View(self.view), from, to, body })
    }

    fn hash_of_registration(&self, nonce: u64) -> Hash {
        request_hash(self.key(), SessionNumber(0), RequestNumber(0), &nonce.to_le_bytes())
    }
}

/// A reply's fields.
struct Answer {
    session: SessionNumber,
    request: RequestNumber,
    op: Op,
    request_hash: Hash,
    result: Arc<[u8]>,
}

impl World {
    /// A client begins its life, or comes back: it has no session, and its request numbers begin at 1.
    pub(crate) fn start_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let nominal = client.workload.pause_ns();
        client.stage = Stage::Registering(client.retry.bits());
        client.attempts = 0;
        let begins = match &mut client.script {
            Some(script) => script.registers_at(),
            None => Some(self.now_ns + self.options.compress(nominal)),
        };
        if let Some(time_ns) = begins {
            self.set_alarm(index, time_ns.saturating_sub(self.now_ns));
        }
    }

    /// Writes down what a client does of its own accord, if anybody asked for it.
    fn log_step(&mut self, index: usize, step: impl FnOnce() -> Step) {
        if let Some(log) = &mut self.workload_log {
            log.0[index].push(PlannedStep { time_ns: self.now_ns, step: step() });
        }
    }

    /// A client crashes: session, request number and pending operation are forgotten. The operation may still happen.
    pub(crate) fn crash_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if matches!(client.stage, Stage::Done) {
            self.clients_working += 1;
        }
        client.stage = Stage::Down;
        (client.session, client.request, client.attempts) = (0, 0, 0);
        client.alarm += 1;
    }

    fn set_alarm(&mut self, index: usize, wait_ns: u64) {
        let client = &mut self.clients[index];
        client.alarm += 1;
        let event = Event::Client { client: endpoint(index) - FIRST_CLIENT, alarm: client.alarm };
        self.queue.push(self.now_ns + wait_ns, event);
    }

    /// A client's alarm rings; false when a later one has taken its place.
    pub(crate) fn client_alarm(&mut self, index: usize, alarm: u32) -> bool {
        if self.clients[index].alarm != alarm {
            return false;
        }
        match self.clients[index].stage {
            Stage::Down | Stage::Done => return false,
            Stage::Pausing => self.invoke(index),
            Stage::Registering(_) if self.healed => self.retire_client(index),
            Stage::Registering(_) | Stage::Waiting(_) => {
                if self.clients[index].attempts == 0 {
                    self.log_step(index, || Step::Register);
                    if let Some(script) = &mut self.clients[index].script {
                        script.registers();
                    }
                }
                let client = &mut self.clients[index];
                if client.attempts > 0 {
                    // No answer: perhaps another replica leads by now.
                    client.target = (client.target + 1) % self.options.cluster.members();
                }
                self.attempt(index);
            }
        }
        true
    }

    /// Sends what the client waits for (again), and sets its patience.
    fn attempt(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(message) = client.message() else {
            return;
        };
        let patience = 1_u64 << (client.attempts / ATTEMPTS_A_ROUND).min(PATIENCE_DOUBLINGS_MAX);
        client.attempts += 1;
        let nominal = self.options.workload.retry_ns * patience;
        let nominal = nominal + client.retry.below(nominal / 4 + 1);
        if let Stage::Waiting(pending) = &client.stage {
            self.recorder.attempted(pending.row);
        }
        let to = u16::from(client.target);
        self.send(endpoint(index), to, message);
        let wait = self.options.compress(nominal);
        self.set_alarm(index, wait);
    }

    /// The next operation begins, if there is one and the world is not at rest.
    fn invoke(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let next = match &mut client.script {
            _ if self.healed => None,
            Some(script) => script.operation(),
            None => client.workload.next_operation(),
        };
        self.log_step(index, || next.clone().map_or(Step::Retire, Step::Invoke));
        let Some(operation) = next else {
            self.retire_client(index);
            return;
        };
        let client = &mut self.clients[index];
        client.request += 1;
        client.attempts = 0;
        self.operations_invoked += 1;
        let row = if self.recorder.is_on() { self.recorder.invoked(row_of(client, &operation)) } else { RowIndex::NONE };
        let command = operation.command().encode().into();
        self.clients[index].stage = Stage::Waiting(Pending { operation, command, row, since_ns: self.now_ns });
        self.attempt(index);
    }

    /// A client has nothing more to do.
    fn retire_client(&mut self, index: usize) {
        self.clients[index].stage = Stage::Done;
        self.clients_working -= 1;
    }

    fn pause_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.stage = Stage::Pausing;
        let nominal = client.workload.pause_ns();
        let wait = match &client.script {
            Some(script) => script.acts_at().map(|time_ns| time_ns.saturating_sub(self.now_ns)),
            None if self.load_bursts > 0 => Some(0),
            None => Some(self.options.compress(nominal)),
        };
        match wait {
            Some(0) => self.invoke(index),
            Some(wait) => self.set_alarm(index, wait),
            // The alarm that would have asked again must not ring for an operation that has returned.
            None => self.clients[index].alarm += 1,
        }
    }

    /// A message reaches a client that runs.
    pub(crate) fn client_receives(&mut self, index: usize, message: Message) {
        let client = &mut self.clients[index];
        let from = message.from_replica().map(|replica| replica.0);
        match message.body {
            Body::Reply { session, request, op, request_hash, result } => {
                client.view = client.view.max(message.view.0);
                let answer = Answer { session, request, op, request_hash, result };
                self.client_reply(index, from, message.view, &answer);
            }
            Body::Redirect => self.client_redirected(index, message.view),
            Body::Eviction { session } if session.0 == client.session && client.session != 0 => {
                // Whether the pending operation happened is not known: asking again in a new session could do it twice.
                let nonce = client.retry.bits();
                if let Stage::Waiting(pending) = core::mem::replace(&mut client.stage, Stage::Registering(nonce)) {
                    self.recorder.returned(pending.row, OperationReturn { replica: from, ..OperationReturn::default() });
                }
                (client.session, client.request, client.attempts) = (0, 0, 0);
                if self.healed {
                    self.retire_client(index);
                } else {
                    self.attempt(index);
                }
            }
            _ => {}
        }
    }

    fn client_redirected(&mut self, index: usize, view: View) {
        let client = &mut self.clients[index];
        if view.0 < client.view {
            return;
        }
        client.view = view.0;
        let primary = u8::try_from(view.0 % u64::from(self.options.cluster.members())).unwrap_or(0);
        if primary != client.target && matches!(client.stage, Stage::Registering(_) | Stage::Waiting(_)) {
            client.target = primary;
            self.attempt(index);
        }
    }

    fn client_reply(&mut self, index: usize, from: Option<u8>, view: View, answer: &Answer) {
        let client = &mut self.clients[index];
        match &client.stage {
            Stage::Registering(nonce) if answer.request.0 == 0 && answer.request_hash == client.hash_of_registration(*nonce) => {
                (client.session, client.request) = (answer.session.0, 0);
                client.target = from.unwrap_or(client.target);
                self.pause_client(index);
            }
            Stage::Waiting(_) if (answer.session.0, answer.request.0) == (client.session, client.request) => {
                let Some(told) = Told::from_reply(&answer.result) else {
                    return;
                };
                let Stage::Waiting(pending) = core::mem::replace(&mut client.stage, Stage::Pausing) else {
                    return;
                };
                client.target = from.unwrap_or(client.target);
                client.workload.told(&pending.operation, &told);
                let refused = told.error.is_some();
                *(if refused { &mut self.operations_error } else { &mut self.operations_ok }) += 1;
                if self.recorder.is_on() {
                    self.recorder.returned(pending.row, return_of(told, answer.op, view, from));
                }
                self.pause_client(index);
            }
            _ => {}
        }
    }
}

fn endpoint(index: usize) -> u16 {
    FIRST_CLIENT + u16::try_from(index).unwrap_or(u16::MAX - FIRST_CLIENT)
}

fn return_of(told: Told, op: Op, view: View, replica: Option<u8>) -> OperationReturn {
    OperationReturn {
        outcome: if told.error.is_some() { Outcome::Error } else { Outcome::Ok },
        result: told.result,
        results: told.results.map(|pairs| pairs.into_iter().map(|(key, value)| Pair { key, value }).collect()),
        error: told.error,
        op: Some(op.0),
        view: Some(view.0),
        replica,
    }
}

fn row_of(client: &Client, operation: &Operation) -> OperationRow {
    let keys = |keys: &[u64]| Some(keys.iter().map(|&key| Pair { key, value: None }).collect());
    let pairs = |pairs: &[(u64, u64)]| Some(pairs.iter().map(|&(key, value)| Pair { key, value: Some(value) }).collect());
    let transaction = operation.function == vopr_schema::Function::Transaction;
    OperationRow {
        client: client.name.client,
        session: Some(client.session),
        request_number: client.request,
        tenant: client.name.tenant,
        function: operation.function,
        key: operation.key,
        key_last: operation.key_last,
        value: operation.value,
        expected: operation.expected,
        reads: if transaction { keys(&operation.reads) } else { None },
        writes: if transaction { pairs(&operation.writes) } else { None },
        ..OperationRow::default()
    }
}
