//! The kernel against a naive model, and its bytes against arbitrary ones.

use super::*;
use alloc::collections::BTreeMap;
use alloc::vec;
use proptest::prelude::*;

const LAYOUT: Layout = Layout { tenants: 3, keys_per_tenant: 20, accounts_per_tenant: 4, initial_balance: 50 };

fn at(tenant: u32) -> Context {
    Context { tenant, local_clock_ns: 1 << 20 }
}

/// One tenant's state, as plainly as can be: everything by full scans of lists of pairs.
#[derive(Clone, Default)]
struct Model {
    keys: BTreeMap<u64, u64>,
    streams: BTreeMap<u64, Vec<u64>>,
    balances: Vec<u64>,
}

impl Model {
    fn apply(&mut self, base: u64, command: &Command) -> Reply {
        let done = Reply::Done;
        match command.clone() {
            Command::Noop => done,
            Command::Write { key, value } => {
                self.keys.insert(key, value);
                done
            }
            Command::Put { key, value } => {
                self.keys.insert(key, value);
                Reply::Value(Some(value))
            }
            Command::Read { key } => Reply::Value(self.keys.get(&key).copied()),
            Command::Add { key, delta } => {
                let cell = self.keys.entry(key).or_insert(0);
                *cell = cell.wrapping_add(delta);
                Reply::Value(Some(*cell))
            }
            Command::CompareAndSet { key, expected, value } => {
                if self.keys.get(&key).copied() != expected {
                    return Reply::Value(Some(0));
                }
                self.keys.insert(key, value);
                Reply::Value(Some(1))
            }
            Command::Scan { first, last } if first > last => Reply::Refused(Refusal::OutOfRange),
            Command::Scan { first, last } => {
                Reply::Pairs(self.keys.iter().filter(|(k, _)| (first..=last).contains(*k)).map(|(&k, &v)| (k, Some(v))).collect())
            }
            Command::StreamCreate { stream } if self.streams.contains_key(&stream) => Reply::Refused(Refusal::StreamExists),
            Command::StreamCreate { stream } => {
                self.streams.insert(stream, vec![]);
                done
            }
            Command::StreamAppend { stream, value } => match self.streams.get_mut(&stream) {
                None => Reply::Refused(Refusal::NoSuchStream),
                Some(elements) => {
                    elements.push(value);
                    Reply::Value(Some(elements.len() as u64 - 1))
                }
            },
            Command::StreamRead { stream, offset, count } => match self.streams.get(&stream) {
                None => Reply::Refused(Refusal::NoSuchStream),
                Some(elements) => Reply::Pairs(
                    (0..)
                        .zip(elements)
                        .filter(|(at, _)| (u128::from(offset)..u128::from(offset) + u128::from(count)).contains(&u128::from(*at)))
                        .map(|(at, &v)| (at, Some(v)))
                        .collect(),
                ),
            },
            Command::Transfer { from, to, amount } => self.transfer(from - base, to - base, amount),
            Command::Balance { first, last } if first > last => Reply::Refused(Refusal::OutOfRange),
            Command::Balance { first, last } => {
                Reply::Pairs((base..).zip(&self.balances).filter(|(a, _)| (first..=last).contains(a)).map(|(a, &v)| (a, Some(v))).collect())
            }
            Command::Transaction { reads, writes } => {
                let pairs = reads.iter().map(|key| (*key, self.keys.get(key).copied())).collect();
                self.keys.extend(writes);
                Reply::Pairs(pairs)
            }
        }
    }

    fn transfer(&mut self, from: u64, to: u64, amount: u64) -> Reply {
        let (from, to) = (usize::try_from(from).expect("small"), usize::try_from(to).expect("small"));
        if from == to {
            return Reply::Refused(Refusal::SameAccount);
        }
        if from.max(to) >= self.balances.len() {
            return Reply::Refused(Refusal::NoSuchAccount);
        }
        if self.balances[from] < amount {
            return Reply::Refused(Refusal::InsufficientFunds);
        }
        self.balances[from] -= amount;
        self.balances[to] += amount;
        Reply::Done
    }
}

/// A command on numbers of a tenant whose range begins at `base`.
fn command(base: u64) -> impl Strategy<Value = Command> {
    let key = move || (0..20_u64).prop_map(move |k| base + k);
    let hot = move || (0..3_u64).prop_map(move |k| base + k);
    let account = move || (0..6_u64).prop_map(move |k| base + k);
    prop_oneof![
        Just(Command::Noop),
        (key(), any::<u64>()).prop_map(|(key, value)| Command::Write { key, value }),
        (key(), any::<u64>()).prop_map(|(key, value)| Command::Put { key, value }),
        key().prop_map(|key| Command::Read { key }),
        (hot(), any::<u64>()).prop_map(|(key, delta)| Command::Add { key, delta }),
        (hot(), prop::option::of(0..3_u64), 0..3_u64).prop_map(|(key, expected, value)| Command::CompareAndSet { key, expected, value }),
        (key(), key()).prop_map(|(first, last)| Command::Scan { first, last }),
        hot().prop_map(|stream| Command::StreamCreate { stream }),
        (hot(), any::<u64>()).prop_map(|(stream, value)| Command::StreamAppend { stream, value }),
        (hot(), 0..9_u64, prop_oneof![0..9_u64, Just(u64::MAX)]).prop_map(|(stream, offset, count)| Command::StreamRead {
            stream,
            offset,
            count
        }),
        (account(), account(), 0..70_u64).prop_map(|(from, to, amount)| Command::Transfer { from, to, amount }),
        (key(), key()).prop_map(|(first, last)| Command::Balance { first, last }),
        (prop::collection::vec(hot(), 0..4), prop::collection::vec((hot(), any::<u64>()), 0..4))
            .prop_map(|(reads, writes)| Command::Transaction { reads, writes }),
    ]
}

fn tenant_command() -> impl Strategy<Value = (u32, Command)> {
    (0..3_u32).prop_flat_map(|tenant| (Just(tenant), command(u64::from(tenant) * 20)))
}

proptest! {
    #[test]
    fn every_tenant_behaves_as_the_model(commands in prop::collection::vec(tenant_command(), 0..120)) {
        let mut kernel = Kernel::new(LAYOUT, None);
        let mut models = vec![Model { balances: vec![50; 4], ..Model::default() }; 3];
        for (tenant, command) in commands {
            let bytes = command.encode();
            prop_assert_eq!(kernel.prepare(&bytes), None);
            let queried = command.is_read().then(|| kernel.query(tenant, &bytes));
            let before = kernel.state_hash();
            let reply = kernel.apply(at(tenant), &bytes);
            if let Some(queried) = queried {
                prop_assert_eq!(&queried, &reply);
            }
            if command.is_read() || matches!(reply, Reply::Refused(_)) {
                prop_assert_eq!(before, kernel.state_hash());
            }
            prop_assert_eq!(&reply, &models[tenant as usize].apply(u64::from(tenant) * 20, &command));
            prop_assert_eq!(Reply::decode(&reply.encode()), Some(reply));
            prop_assert_eq!(kernel.hash, kernel.hash_of_all());
        }
    }

    #[test]
    fn a_snapshot_gives_the_state_back(commands in prop::collection::vec(tenant_command(), 0..60), split: bool) {
        let bug = split.then_some(KernelBug::TransferNotAtomic);
        let mut kernel = Kernel::new(LAYOUT, bug);
        for (tenant, command) in &commands {
            kernel.apply(at(*tenant), &command.encode());
        }
        let snapshot = kernel.snapshot();
        let mut other = Kernel::new(LAYOUT, bug);
        other.apply(at(0), &Command::Write { key: 1, value: 99 }.encode());
        prop_assert!(other.restore(&snapshot));
        prop_assert_eq!(other.snapshot(), snapshot.clone());
        prop_assert_eq!(other.state_hash(), kernel.state_hash());
        for cut in 0..snapshot.len() {
            let mut victim = other.clone();
            prop_assert!(!victim.restore(&snapshot[..cut]));
            prop_assert_eq!(victim.state_hash(), other.state_hash());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), tenant: u32) {
        let mut kernel = Kernel::new(LAYOUT, None);
        let before = kernel.clone();
        if let Some(command) = Command::decode(&bytes) {
            prop_assert_eq!(command.encode(), bytes.clone());
        }
        if let Some(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(reply.encode(), bytes.clone());
        }
        kernel.apply(at(tenant), &bytes);
        let _ = before.query(tenant, &bytes);
        if kernel.restore(&bytes) {
            prop_assert_eq!(kernel.snapshot(), bytes);
        }
    }

    #[test]
    fn a_damaged_snapshot_is_restored_whole_or_not_at_all(
        commands in prop::collection::vec(tenant_command(), 0..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut kernel = Kernel::new(LAYOUT, None);
        for (tenant, command) in &commands {
            kernel.apply(at(*tenant), &command.encode());
        }
        let mut bytes = kernel.snapshot();
        for (index, value) in damage {
            let length = bytes.len();
            bytes[index.index(length)] = value;
        }
        let before = kernel.state_hash();
        if kernel.restore(&bytes) {
            prop_assert_eq!(kernel.snapshot(), bytes);
        } else {
            prop_assert_eq!(kernel.state_hash(), before);
        }
    }

    #[test]
    fn a_tenant_names_only_its_own_range(tenant in 0..3_u32, victim in 0..3_u32, command in command(0)) {
        let shifted = shift(command, u64::from(victim) * 20);
        let mut kernel = Kernel::new(LAYOUT, None);
        let reply = kernel.apply(at(tenant), &shifted.encode());
        let names_nothing = matches!(&shifted, Command::Noop)
            || matches!(&shifted, Command::Transaction { reads, writes } if reads.is_empty() && writes.is_empty());
        if tenant != victim && !names_nothing {
            prop_assert_eq!(reply, Reply::Refused(Refusal::OutOfRange));
        }
    }
}

fn shift(command: Command, by: u64) -> Command {
    match command {
        Command::Noop => Command::Noop,
        Command::Write { key, value } => Command::Write { key: key + by, value },
        Command::Read { key } => Command::Read { key: key + by },
        Command::Add { key, delta } => Command::Add { key: key + by, delta },
        Command::Put { key, value } => Command::Put { key: key + by, value },
        Command::CompareAndSet { key, expected, value } => Command::CompareAndSet { key: key + by, expected, value },
        Command::Scan { first, last } => Command::Scan { first: first + by, last: last + by },
        Command::StreamCreate { stream } => Command::StreamCreate { stream: stream + by },
        Command::StreamAppend { stream, value } => Command::StreamAppend { stream: stream + by, value },
        Command::StreamRead { stream, offset, count } => Command::StreamRead { stream: stream + by, offset, count },
        Command::Transfer { from, to, amount } => Command::Transfer { from: from + by, to: to + by, amount },
        Command::Balance { first, last } => Command::Balance { first: first + by, last: last + by },
        Command::Transaction { reads, writes } => Command::Transaction {
            reads: reads.into_iter().map(|key| key + by).collect(),
            writes: writes.into_iter().map(|(key, value)| (key + by, value)).collect(),
        },
    }
}

fn run(kernel: &mut Kernel, tenant: u32, command: &Command) -> Reply {
    let logged = kernel.prepare(&command.encode()).unwrap_or_else(|| command.encode());
    kernel.apply(at(tenant), &logged)
}

#[test]
fn the_order_of_writes_to_different_cells_does_not_matter_to_the_hash() {
    let commands = [Command::Write { key: 1, value: 5 }, Command::Write { key: 2, value: 6 }, Command::StreamCreate { stream: 3 }];
    let (mut forward, mut backward) = (Kernel::new(LAYOUT, None), Kernel::new(LAYOUT, None));
    for (first, last) in commands.iter().zip(commands.iter().rev()) {
        run(&mut forward, 0, first);
        run(&mut backward, 0, last);
    }
    assert_eq!(forward.state_hash(), backward.state_hash());
    run(&mut backward, 0, &Command::Write { key: 2, value: 7 });
    assert_ne!(forward.state_hash(), backward.state_hash());
}

#[test]
fn a_transfer_back_gives_the_initial_state_and_its_hash() {
    let mut kernel = Kernel::new(LAYOUT, None);
    let fresh = kernel.state_hash();
    run(&mut kernel, 1, &Command::Transfer { from: 20, to: 21, amount: 7 });
    assert_ne!(kernel.state_hash(), fresh);
    run(&mut kernel, 1, &Command::Transfer { from: 21, to: 20, amount: 7 });
    assert_eq!(kernel.state_hash(), fresh);
}

#[test]
fn lost_update_loses_an_addition_in_flight_with_another() {
    let mut kernel = Kernel::new(LAYOUT, Some(KernelBug::LostUpdate));
    let addition = Command::Add { key: 3, delta: 10 }.encode();
    let (first, second) = (kernel.prepare(&addition).expect("replaced"), kernel.prepare(&addition).expect("replaced"));
    assert_eq!(kernel.apply(at(0), &first), Reply::Value(Some(10)));
    assert_eq!(kernel.apply(at(0), &second), Reply::Value(Some(10)), "an intact kernel answers 20");
    assert_eq!(kernel.prepare(&Command::CompareAndSet { key: 3, expected: None, value: 1 }.encode()), None);
}

#[test]
fn scan_past_tenant_end_shows_the_next_tenants_keys() {
    for (bug, expected) in [(None, 1), (Some(KernelBug::ScanPastTenantEnd), 2)] {
        let mut kernel = Kernel::new(LAYOUT, bug);
        run(&mut kernel, 0, &Command::Write { key: 19, value: 1 });
        run(&mut kernel, 1, &Command::Write { key: 20, value: 2 });
        let Reply::Pairs(pairs) = run(&mut kernel, 0, &Command::Scan { first: 0, last: 19 }) else { panic!("a scan answers pairs") };
        assert_eq!(pairs.len(), expected);
        let Reply::Pairs(pairs) = run(&mut kernel, 0, &Command::Scan { first: 0, last: 18 }) else { panic!("a scan answers pairs") };
        assert_eq!(pairs, vec![]);
    }
}

#[test]
fn transfer_not_atomic_shows_too_little_in_between() {
    let total = |kernel: &mut Kernel| match run(kernel, 0, &Command::Balance { first: 0, last: 19 }) {
        Reply::Pairs(pairs) => pairs.iter().filter_map(|pair| pair.1).sum::<u64>(),
        other => panic!("{other:?}"),
    };
    let mut kernel = Kernel::new(LAYOUT, Some(KernelBug::TransferNotAtomic));
    assert_eq!(run(&mut kernel, 0, &Command::Transfer { from: 0, to: 1, amount: 30 }), Reply::Done);
    assert_eq!(total(&mut kernel), 170);
    assert_eq!(total(&mut kernel), 200);
    let mut intact = Kernel::new(LAYOUT, None);
    run(&mut intact, 0, &Command::Transfer { from: 0, to: 1, amount: 30 });
    assert_eq!(total(&mut intact), 200);
}

#[test]
fn nondeterministic_apply_depends_on_the_clock_now_and_then() {
    let states = |bug| {
        let mut states: Vec<u64> = (0..8_u64)
            .map(|window| {
                let mut kernel = Kernel::new(LAYOUT, bug);
                let context = Context { tenant: 0, local_clock_ns: window << 20 };
                kernel.apply(context, &Command::Add { key: 3, delta: 10 }.encode());
                kernel.state_hash()
            })
            .collect();
        states.sort_unstable();
        states.dedup();
        states.len()
    };
    assert_eq!((states(None), states(Some(KernelBug::NondeterministicApply))), (1, 2));
}
