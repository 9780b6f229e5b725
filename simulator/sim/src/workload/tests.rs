//! The workload against a kernel: what it asks for makes sense, meets, and can be told apart.

use super::*;
use crate::machine::Machine;
use crate::scenario::Overrides;
use crate::scenarios;
use std::collections::BTreeSet;
use vopr_schema::Dictionary;
use vsr::ids::{ClientId, ClientKey, Op, TenantId};
use vsr::state_machine::{ApplyContext, StateMachine};

fn options(name: &str, overrides: &Overrides) -> RunOptions {
    scenarios::find(name).expect("a scenario of the registry").draw(11, overrides)
}

/// All clients take turns on one kernel; every operation is answered.
fn run(options: &RunOptions, rounds: usize) -> Vec<(ClientName, Operation, Told)> {
    let mut machine = Machine::new(&options.cluster, None);
    let clients = options.cluster.clients_per_tenant;
    let names = (0..options.cluster.tenants).flat_map(|tenant| (0..clients).map(move |client| ClientName { tenant, client }));
    let mut workloads: Vec<(ClientName, Workload)> = names.map(|name| (name, Workload::new(options, name))).collect();
    let mut done = Vec::new();
    for _ in 0..rounds {
        for (name, workload) in &mut workloads {
            let Some(operation) = workload.next_operation() else { continue };
            let client = ClientKey { tenant: TenantId(name.tenant), client: ClientId(name.client) };
            let context = ApplyContext { op: Op(1), timestamp: 0, client, local_clock_ns: 0 };
            let told = Told::from_reply(&machine.apply(context, &operation.command().encode())).expect("a reply");
            workload.told(&operation, &told);
            done.push((*name, operation, told));
        }
    }
    done
}

#[test]
fn every_function_occurs_succeeds_and_is_refused_only_for_its_own_reasons() {
    let done = run(&options("multi_tenant_isolation", &Overrides::default()), 400);
    // The functions of the store come first; what follows is known from other systems' histories only.
    let functions: Vec<Function> = (0..11).filter_map(Function::from_code).collect();
    assert_eq!(functions.len(), 11);
    for function in functions {
        assert!(done.iter().any(|(_, operation, told)| operation.function == function && told.error.is_none()), "{function:?}");
    }
    let refusals: BTreeSet<OperationError> = done.iter().filter_map(|(_, _, told)| told.error).collect();
    let expected = [
        OperationError::NoSuchStream,
        OperationError::StreamExists,
        OperationError::InsufficientFunds,
        OperationError::SameAccount,
        OperationError::NoSuchAccount,
    ];
    assert_eq!(refusals, expected.into_iter().collect());
}

#[test]
fn written_values_are_unique_and_name_tenant_and_writer() {
    let done = run(&options("combined", &Overrides::default()), 300);
    let mut seen = BTreeSet::new();
    for (name, operation, _) in &done {
        let own = match operation.function {
            Function::Write | Function::CompareAndSet | Function::StreamAppend => operation.value,
            _ => None,
        };
        for value in own.into_iter().chain(operation.writes.iter().map(|pair| pair.1)) {
            assert!(seen.insert(value), "{value:#x} twice");
            assert_eq!((value >> 48, value >> 32 & 0xffff), (u64::from(name.tenant) + 1, u64::from(name.client)));
        }
    }
    assert!(seen.len() > 1_000);
}

#[test]
fn clients_stay_in_their_tenants_range_and_meet_on_its_keys() {
    let done = run(&options("multi_tenant_isolation", &Overrides::default()), 100);
    for tenant in 0..5_u32 {
        let range = u64::from(tenant) * 100..=u64::from(tenant) * 100 + 99;
        let mut by_key: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for (name, operation, told) in done.iter().filter(|(name, _, _)| name.tenant == tenant) {
            let reads = operation.reads.iter().copied().chain(operation.writes.iter().map(|pair| pair.0));
            assert!(reads.chain([operation.key]).chain(operation.key_last).all(|key| range.contains(&key)));
            let carried = told.results.iter().flatten().filter_map(|pair| pair.1).chain(told.result);
            assert!(carried.map(|value| value >> 48).all(|upper| upper == 0 || upper == u64::from(tenant) + 1));
            by_key.entry(operation.key).or_default().insert(name.client);
        }
        assert!(by_key.values().filter(|clients| clients.len() == 3).count() >= 5);
        assert!(done.iter().any(|(_, operation, _)| operation.function == Function::Scan && operation.key_last == Some(*range.end())));
    }
}

#[test]
fn compare_and_sets_succeed_and_fail_often_enough_to_matter() {
    let done = run(&options("baseline", &Overrides::default()), 1_000);
    let of = |wanted: u64| {
        done.iter().filter(|(_, operation, told)| operation.function == Function::CompareAndSet && told.result == Some(wanted)).count()
    };
    assert!(of(1) > 40 && of(0) > 40, "{} set, {} not", of(1), of(0));
}

#[test]
fn the_plain_workload_has_neither_scans_nor_read_modify_writes() {
    let done = run(&options("baseline", &Overrides { plain_workload: true, ..Overrides::default() }), 300);
    assert!(done.len() == 1_200);
    assert!(done.iter().all(|(_, operation, _)| !matches!(operation.function, Function::Scan | Function::ReadModifyWrite)));
}

#[test]
fn a_client_is_not_disturbed_by_the_number_of_others() {
    let mut options = options("combined", &Overrides::default());
    let first = |options: &RunOptions| {
        let mut workload = Workload::new(options, ClientName { tenant: 0, client: 1 });
        (0..50).map(|_| (workload.next_operation(), workload.pause_ns())).collect::<Vec<_>>()
    };
    let before = first(&options);
    options.cluster.tenants += 4;
    assert_eq!(first(&options), before);
    options.workload.operations_max = 10;
    assert_eq!(first(&options).iter().filter(|(operation, _)| operation.is_some()).count(), 10);
}
