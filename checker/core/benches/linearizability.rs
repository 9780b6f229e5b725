//! How many operations per second each way of deciding linearizability takes.
//!
//! All histories come from executions of concurrent clients, so all are linearizable: the answer that costs most.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use vopr_checker::linearize::{Answer, Call, Effort, NEVER, frontier, wgl, zones};
use vopr_checker::models::register::{Register, RegisterAction};
use vopr_checker::{Budget, Selection, check_run};
use vopr_schema::{Function, History, OperationRow, Outcome, Run, TransitionEvent, TransitionRow};

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// One operation of an execution: key, action, and the positions of invocation, effect and return.
struct Done {
    client: u64,
    key: u64,
    action: RegisterAction,
    invoke: u64,
    effect: u64,
    returned: u64,
}

/// `clients` clients that read and write keys at random; `values` different values, or unique ones.
fn execution(operations: usize, clients: u64, keys: u64, values: Option<u64>) -> Vec<Done> {
    let mut random = Random(42);
    let mut state = vec![None; usize::try_from(keys).expect("few keys")];
    let mut open: Vec<Option<(usize, bool)>> = (0..clients).map(|_| None).collect();
    let mut done: Vec<Done> = Vec::new();
    let (mut now, mut returned) = (0, 0);
    while returned < operations {
        now += 1;
        let client = random.below(clients);
        let slot = usize::try_from(client).expect("few clients");
        match open[slot] {
            None if done.len() < operations => {
                let key = random.below(keys);
                let value = 1 + values.map_or(done.len() as u64, |values| random.below(values));
                let write = random.below(2) == 0;
                let action = if write { RegisterAction::Write { value } } else { RegisterAction::Read { seen: None } };
                open[slot] = Some((done.len(), false));
                done.push(Done { client, key, action, invoke: now, effect: 0, returned: NEVER });
            }
            Some((number, false)) => {
                let operation = &mut done[number];
                let held = &mut state[usize::try_from(operation.key).expect("few keys")];
                match &mut operation.action {
                    RegisterAction::Read { seen } => *seen = *held,
                    RegisterAction::Write { value } => *held = Some(*value),
                    _ => {}
                }
                operation.effect = now;
                open[slot] = Some((number, true));
            }
            Some((number, true)) => {
                done[number].returned = now;
                open[slot] = None;
                returned += 1;
            }
            None => {}
        }
    }
    done
}

/// The execution as one recorded run with its log.
fn recorded(execution: &[Done]) -> History {
    let mut history = History::default();
    let mut order: Vec<usize> = (0..execution.len()).collect();
    order.sort_unstable_by_key(|number| execution[*number].effect);
    let mut ops = vec![0; execution.len()];
    let mut requests = vec![0_u64; 1 << 10];
    let mut names = Vec::new();
    for done in execution {
        let request = &mut requests[usize::try_from(done.client).expect("few clients")];
        *request += 1;
        names.push(*request);
    }
    for (place, number) in order.into_iter().enumerate() {
        let done = &execution[number];
        ops[number] = place as u64 + 1;
        history.transitions.push(TransitionRow {
            seq: done.effect,
            time_ns: done.effect,
            event: TransitionEvent::Applied,
            op: Some(ops[number]),
            entry_hash: Some(ops[number]),
            tenant: Some(0),
            client: u32::try_from(done.client).ok(),
            session: Some(done.client),
            request_number: Some(names[number]),
            ..TransitionRow::default()
        });
    }
    for (number, done) in execution.iter().enumerate() {
        let (function, value, result) = match done.action {
            RegisterAction::Read { seen } => (Function::Read, None, seen),
            RegisterAction::Write { value } => (Function::Write, Some(value), None),
            _ => continue,
        };
        history.operations.push(OperationRow {
            seq: done.invoke,
            time_ns: done.invoke,
            client: u32::try_from(done.client).expect("few clients"),
            session: Some(done.client),
            request_number: names[number],
            function,
            key: done.key,
            value,
            result,
            outcome: Outcome::Ok,
            return_seq: Some(done.returned),
            return_time_ns: Some(done.returned),
            op: Some(ops[number]),
            ..OperationRow::default()
        });
    }
    let options = r#"{"cluster": {"tenants": 1, "keys_per_tenant": 100, "accounts_per_tenant": 4, "initial_balance": 100}}"#;
    history.close_run(Run { options: options.to_owned(), replicas: 1, tenants: 1, ..Run::default() });
    history
}

fn calls(execution: &[Done], key: u64) -> Vec<Call<RegisterAction>> {
    let own = execution.iter().filter(|done| done.key == key);
    own.map(|done| Call { invoke: done.invoke, returned: done.returned, action: done.action }).collect()
}

fn witness(criterion: &mut Criterion) {
    const OPERATIONS: usize = 200_000;
    let history = recorded(&execution(OPERATIONS, 10, 100, None));
    let only = Selection::only(&["linearizability"]).expect("a registered name");
    let judge = || check_run(black_box(&history), 0, &only, &Budget::default()).remove(0).1;
    assert!(judge().is_pass());
    let mut group = criterion.benchmark_group("linearizability");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    group.throughput(Throughput::Elements(OPERATIONS as u64));
    group.bench_function("witness", |bencher| bencher.iter(judge));
    group.finish();
}

fn unique_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("zones");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    let mut scratch = zones::Scratch::default();
    for (operations, clients, keys) in [(100_000, 10, 1), (100_000, 100, 1), (100_000, 10, 1_000)] {
        let execution = execution(operations, clients, keys, None);
        let objects: Vec<_> = (0..keys).map(|key| calls(&execution, key)).collect();
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function(BenchmarkId::new(format!("{keys}_keys"), clients), |bencher| {
            bencher.iter(|| {
                let linearizable =
                    |calls: &Vec<_>, scratch: &mut _| zones::decide(None, black_box(calls), scratch) == zones::Zones::Linearizable;
                assert!(objects.iter().all(|calls| linearizable(calls, &mut scratch)));
            });
        });
    }
    group.finish();
}

fn repeated_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("searches");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(10);
    let meter = Budget::default().meter();
    for (operations, clients) in [(10_000, 5), (10_000, 10), (1_000, 50)] {
        let calls = calls(&execution(operations, clients, 1, Some(5)), 0);
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function(BenchmarkId::new("frontier", clients), |bencher| {
            bencher.iter(|| frontier::decide(&Register::default(), black_box(&calls), &mut Effort::new(&meter)) == Answer::Linearizable);
        });
        if clients == 5 {
            group.bench_function(BenchmarkId::new("wgl", clients), |bencher| {
                bencher.iter(|| wgl::decide(&Register::default(), black_box(&calls), &mut Effort::new(&meter)) == Answer::Linearizable);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, witness, unique_values, repeated_values);
criterion_main!(benches);
