//! Whether options, faults and operations make a world: they may come from a file, which may say anything.
//!
//! The limits are far beyond what any scenario draws, and close enough that sums of times stay numbers and a world fits into memory.

use super::RunRequest;
use crate::fault_plan::{Fault, GrayMode};
use crate::options::{LONGEST_NS, RunOptions};
use crate::workload_plan::{Step, WorkloadPlan};
use serde_json::Value;
use vsr::constants::{REPLICAS_MAX, TAIL_ENTRIES_MAX};

/// Clients of all tenants at most.
const CLIENTS_MAX: u32 = 10_000;
/// Accounts of all tenants at most.
const ACCOUNTS_MAX: u64 = 1_000_000;
/// Entries between two checkpoints, entries in flight, and sessions at most.
const ENTRIES_MAX: u32 = 100_000;
/// How many times as long a message may take at most.
const FACTOR_MAX: u32 = 50;
/// Longest time of drawn options and faults, nanoseconds: some are sums and multiples of a scenario's.
const TIME_MAX: u64 = 10 * LONGEST_NS;

impl RunRequest {
    /// Whether a world can be built from it.
    pub(super) fn possible(&self) -> Result<(), &'static str> {
        possible_cluster(&self.options)?;
        possible_workload(&self.options)?;
        demand(self.plan.0.is_sorted_by_key(|planned| planned.time_ns), "the fault plan is in the order of time")?;
        self.plan.0.iter().try_for_each(|planned| possible_fault(&planned.fault))?;
        self.workload.as_ref().map_or(Ok(()), |workload| possible_plan(workload, self.options.clients() as usize))
    }

    /// Whether all times of what was read from a file can be added up.
    pub(super) fn has_possible_times(&self) -> Result<(), &'static str> {
        let workload = self.workload.iter().flat_map(|workload| &workload.0).flatten();
        let parts = [serde_json::to_value(&self.options), serde_json::to_value(&self.plan)];
        let short = parts.iter().flatten().all(times_are_short) && workload.into_iter().all(|planned| planned.time_ns <= TIME_MAX);
        demand(short, "no time is longer than 1,000 hours")
    }
}

fn demand(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

/// Whether every number under a name of nanoseconds is no more than [`TIME_MAX`], either way.
fn times_are_short(value: &Value) -> bool {
    let short = |time: &Value| time.as_u64().or_else(|| time.as_i64().map(i64::unsigned_abs)).is_none_or(|time| time <= TIME_MAX);
    match value {
        Value::Array(values) => values.iter().all(times_are_short),
        Value::Object(fields) => {
            fields.iter().all(|(name, value)| if name.contains("_ns") { short(value) } else { times_are_short(value) })
        }
        _ => true,
    }
}

fn possible_cluster(options: &RunOptions) -> Result<(), &'static str> {
    let cluster = &options.cluster;
    let members = cluster.replicas.saturating_add(cluster.standbys);
    demand(cluster.replicas > 0 && members <= REPLICAS_MAX, "1 to 7 replicas vote, and no more than 7 are there")?;
    demand((1..=CLIENTS_MAX).contains(&options.clients()), "1 to 10,000 clients work")?;
    let sizes = [cluster.checkpoint_interval, cluster.pipeline_max, cluster.sessions_max];
    let log_fits = cluster.log_slots > 0 && cluster.log_slots as usize <= TAIL_ENTRIES_MAX;
    demand(
        log_fits && sizes.iter().all(|size| (1..=ENTRIES_MAX).contains(size)),
        "log (of up to 10,000 slots), checkpoints, pipeline and session table have a size",
    )?;
    let (tenants, keys, accounts) = (u64::from(cluster.tenants), cluster.keys_per_tenant, cluster.accounts_per_tenant);
    demand(keys > 0 && tenants.checked_mul(keys).is_some(), "every tenant has keys")?;
    demand(accounts <= keys && tenants * accounts <= ACCOUNTS_MAX, "no more accounts than keys, and up to a million of all tenants")?;
    demand((tenants * accounts).checked_mul(cluster.initial_balance).is_some(), "the sum of all accounts is a number")?;
    demand(1_000_u32.is_multiple_of(options.time_compression.max(1)), "time is compressed by a divisor of 1,000")?;
    demand(options.clock.drift_ppm_max < 1_000_000, "no clock stands still")
}

fn possible_workload(options: &RunOptions) -> Result<(), &'static str> {
    let (workload, cluster) = (&options.workload, &options.cluster);
    demand(workload.readers <= cluster.clients_per_tenant, "no more clients read than there are")?;
    let kinds = [workload.registers, workload.hot_registers, workload.counters, workload.streams];
    demand(kinds.iter().all(|kind| (1..=cluster.keys_per_tenant).contains(kind)), "registers, counters and streams are among the keys")?;
    let (mix, accounts) = (&workload.mix, cluster.accounts_per_tenant);
    let asked = mix.transfer > 0 || mix.balance > 0;
    demand(!asked || accounts > 1, "transfers need two accounts")
}

fn possible_fault(fault: &Fault) -> Result<(), &'static str> {
    match *fault {
        Fault::Attack { attack, .. } => {
            demand(attack.is_possible(), "attacks stay in proportion: 1 to 50,000 entries, 1 to 1,000 copies, 1 to 2^32 ahead")
        }
        Fault::Clog { delay_factor: factor, .. } | Fault::Gray { mode: GrayMode::Slow { factor }, .. } => {
            demand(factor <= FACTOR_MAX, "nothing takes more than 50 times as long")
        }
        Fault::ClockDrift { ppm, .. } => demand(ppm.unsigned_abs() < 1_000_000, "no clock stands still"),
        _ => Ok(()),
    }
}

fn possible_plan(workload: &WorkloadPlan, clients: usize) -> Result<(), &'static str> {
    let ordered = workload.0.iter().all(|steps| steps.is_sorted_by_key(|planned| planned.time_ns));
    let why = "the workload plan is for no more clients than there are, each in the order of time";
    demand(workload.0.len() <= clients && ordered, why)?;
    let complete =
        workload.0.iter().flatten().all(|planned| if let Step::Invoke(operation) = &planned.step { operation.is_complete() } else { true });
    demand(complete, "every planned operation has the values that its function needs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Base, Inject, Overrides, Scenario, Times};
    use crate::scenarios;
    use crate::simulator::RequestError;
    use vopr_schema::Run;

    /// The row of a run whose options say something else.
    fn told(changes: &[(&str, Value)]) -> String {
        let scenario = scenarios::find("combined").expect("of the registry");
        let request = RunRequest::new(scenario, 7, &Overrides::default()).expect("a row of the registry");
        let mut options = serde_json::to_value(&request.options).expect("plain data");
        for (path, value) in changes {
            *options.pointer_mut(path).expect("the path of an option") = value.clone();
        }
        let streams_version = crate::entropy::STREAMS_VERSION;
        let run = Run { options: options.to_string(), plan: request.plan.to_json(), streams_version, ..Run::default() };
        RunRequest::recorded(&run).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn options_that_no_memory_holds_or_that_are_no_numbers_are_refused() {
        assert_eq!(told(&[]), "");
        let huge = || Value::from(u32::MAX);
        for (changes, expected) in [
            (vec![("/cluster/tenants", Value::from(65_536)), ("/cluster/clients_per_tenant", Value::from(65_536))], "10,000 clients"),
            (vec![("/cluster/standbys", Value::from(250))], "no more than 7"),
            (vec![("/cluster/log_slots", huge())], "have a size"),
            (vec![("/cluster/sessions_max", huge())], "have a size"),
            (vec![("/cluster/keys_per_tenant", Value::from(u64::MAX))], "every tenant has keys"),
            (vec![("/cluster/accounts_per_tenant", huge())], "no more accounts than keys"),
            (vec![("/cluster/initial_balance", Value::from(u64::MAX))], "the sum of all accounts"),
            (vec![("/time_compression", Value::from(2_000))], "a divisor of 1,000"),
            (vec![("/network/latency_ns_max", Value::from(u64::MAX))], "longer than 1,000 hours"),
            (vec![("/clock/drift_ppm_max", huge())], "no clock stands still"),
            (vec![("/workload/readers", huge())], "no more clients read"),
            (vec![("/workload/streams", Value::from(0))], "registers, counters and streams"),
            (vec![("/cluster/accounts_per_tenant", Value::from(1))], "transfers need two accounts"),
        ] {
            let error = told(&changes);
            assert!(error.contains(expected), "{changes:?}: {error}");
        }
    }

    #[test]
    fn what_is_drawn_from_the_longest_times_can_be_recorded() {
        let times = Times(LONGEST_NS / 2, LONGEST_NS);
        let of_registry = scenarios::find("combined").expect("of the registry");
        let base = Base { latency: times, restart: times, think: times, laggards: (2, times), time_ns: LONGEST_NS, ..of_registry.base };
        let script = &[Inject::Laggards, Inject::Crashes, Inject::Restarts, Inject::Clogs, Inject::Partitions];
        let scenario = Scenario { script, base, ..of_registry.clone() };
        assert_eq!(scenario.possible(), Ok(()));
        for seed in 0..20 {
            let request = RunRequest::new(&scenario, seed, &Overrides::default()).expect("it makes a world");
            let streams_version = crate::entropy::STREAMS_VERSION;
            let run = Run { options: request.options.to_json(), plan: request.plan.to_json(), streams_version, ..Run::default() };
            assert_eq!(RunRequest::recorded(&run).map_err(|error| error.to_string()), Ok(request));
        }
    }

    #[test]
    fn faults_and_operations_that_no_world_can_carry_out_are_refused() {
        let scenario = scenarios::find("baseline").expect("of the registry");
        let request = RunRequest::new(scenario, 7, &Overrides::default()).expect("a row of the registry");
        let planned = |plan: &str, workload: &str| {
            let plan = serde_json::from_str(plan).expect("a plan");
            let workload = WorkloadPlan::from_json(workload).expect("a workload");
            match RunRequest::planned(request.options.clone(), plan, workload) {
                Err(RequestError::Impossible(why)) => why,
                other => panic!("{other:?}"),
            }
        };
        let drift = r#"[{"time_ns":1,"fault":{"clock_drift":{"target":"primary","ppm":-2147483648}}}]"#;
        assert_eq!(planned(drift, "[]"), "no clock stands still");
        let step = r#"[{"time_ns":1,"fault":{"clock_step":{"target":"primary","step_ns":-9223372036854775808}}}]"#;
        assert_eq!(planned(step, "[]"), "no time is longer than 1,000 hours");
        let slow = r#"[{"time_ns":1,"fault":{"gray":{"target":"primary","mode":{"slow":{"factor":4294967295}}}}}]"#;
        assert_eq!(planned(slow, "[]"), "nothing takes more than 50 times as long");
        let write = r#"[[{"time_ns":1,"register":null},{"time_ns":2,"invoke":{"function":"write","key":2}}]]"#;
        assert_eq!(planned("[]", write), "every planned operation has the values that its function needs");
        assert_eq!(planned("[]", r#"[[{"time_ns":18446744073709551615,"retire":null}]]"#), "no time is longer than 1,000 hours");
    }
}
