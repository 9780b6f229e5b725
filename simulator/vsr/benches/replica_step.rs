//! How fast a replica is: steps per second of three replicas that commit requests, with nothing around them.
//!
//! The host is the thinnest that works: every write is durable at once, messages arrive in the order in which they were sent, no
//! timer runs out. What is measured is the protocol, and the hashing and copying of entries that belong to it.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::VecDeque;
use vsr::ids::{ClientId, ClientKey, Epoch, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::io::{Effect, Input};
use vsr::message::{Body, Message};
use vsr::state_machine::{ApplyContext, StateMachine};
use vsr::{Config, Replica};

const REPLICAS: u8 = 3;
const CLIENT: ClientKey = ClientKey { tenant: TenantId(0), client: ClientId(1) };

/// Counts commands: what it does is not what is measured.
#[derive(Clone, Debug, Default)]
struct Counter(u64);

impl StateMachine for Counter {
    fn apply(&mut self, _context: ApplyContext, _command: &[u8]) -> Vec<u8> {
        self.0 += 1;
        self.0.to_le_bytes().to_vec()
    }

    fn state_hash(&self) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let Ok(bytes) = <[u8; 8]>::try_from(snapshot) else { return false };
        self.0 = u64::from_le_bytes(bytes);
        true
    }

    fn is_read(&self, _command: &[u8]) -> bool {
        false
    }

    fn query(&self, _tenant: TenantId, _command: &[u8], _pending: &mut dyn Iterator<Item = (ClientKey, &[u8])>) -> Vec<u8> {
        Vec::new()
    }

    fn prepare(&self, _tenant: TenantId, _command: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

struct Cluster {
    replicas: Vec<Replica<Counter>>,
    inputs: VecDeque<(usize, Input)>,
    effects: Vec<Effect>,
    clock_ns: u64,
    session: SessionNumber,
    replies: u64,
    steps: u64,
}

impl Cluster {
    /// Three replicas and a session.
    fn new() -> Self {
        let replicas: Vec<_> =
            (0..REPLICAS).map(|index| Replica::new(Config::new(ReplicaId(index), REPLICAS), Counter::default())).collect();
        let inputs = (0..replicas.len()).map(|index| (index, Input::Start)).collect();
        let mut cluster = Self { replicas, inputs, effects: Vec::new(), clock_ns: 0, session: SessionNumber(0), replies: 0, steps: 0 };
        cluster.send(Body::Register { nonce: 1 });
        cluster
    }

    /// A client's message to the primary, and everything that follows from it.
    fn send(&mut self, body: Body) {
        let primary = Peer::Replica(ReplicaId(0));
        let message = Message { epoch: Epoch(0), view: View(0), from: Peer::Client(CLIENT), to: primary, body };
        self.inputs.push_back((0, Input::Message(message)));
        while let Some((index, input)) = self.inputs.pop_front() {
            self.step(index, input);
        }
    }

    fn step(&mut self, index: usize, input: Input) {
        self.steps += 1;
        self.clock_ns += 1_000;
        self.replicas[index].step(self.clock_ns, input, &mut self.effects);
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Persist { write, .. } => self.inputs.push_back((index, Input::Written(write))),
                Effect::Send(message) => match (message.to, &message.body) {
                    (Peer::Replica(to), _) => self.inputs.push_back((usize::from(to.0), Input::Message(message))),
                    (Peer::Client(_), Body::Reply { session, .. }) => {
                        self.session = *session;
                        self.replies += 1;
                    }
                    (Peer::Client(_), _) => {}
                },
                Effect::Read { .. }
                | Effect::Scan { .. }
                | Effect::SetTimer { .. }
                | Effect::CancelTimer(_)
                | Effect::Note { .. }
                | Effect::Reject(_) => {}
            }
        }
    }

    /// Commits as many requests and returns the number of steps that it took.
    fn commit(&mut self, requests: u64) -> u64 {
        let steps = self.steps;
        let first = self.replies;
        for number in first..first + requests {
            let command: std::sync::Arc<[u8]> = number.to_le_bytes().as_slice().into();
            self.send(Body::Request { session: self.session, request: RequestNumber(number), command });
        }
        assert_eq!(self.replies, first + requests, "every request is answered");
        self.steps - steps
    }
}

fn replica_step(criterion: &mut Criterion) {
    // Few enough that neither the log ring nor its checkpoints come into it.
    const REQUESTS: u64 = 50;
    let steps = Cluster::new().commit(REQUESTS);
    let mut group = criterion.benchmark_group("replica_step");
    group.throughput(Throughput::Elements(steps));
    group.bench_function("commit", |bencher| {
        bencher.iter_batched(Cluster::new, |mut cluster| cluster.commit(REQUESTS), BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, replica_step);
criterion_main!(benches);
