//! What a scenario is: data, never code spread over the world.
//!
//! A scenario names ranges; [`Scenario::draw`] turns them into one run's options, from the seed's own stream.

use crate::options::{Families, GrayOptions, Mix, Rate, RunOptions};

/// One scenario of the registry.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Canonical name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Number of its phase.
    pub phase: u8,
    /// What it is for, one line.
    pub purpose: &'static str,
    /// Ranges that each seed draws from.
    pub base: Base,
    /// What its plan injects, in the order of drawing.
    pub script: &'static [Inject],
    /// The condition over one run's history that proves that it was exercised.
    pub evidence: &'static str,
    /// What it puts to the test, besides everything else.
    pub holds: &'static [&'static str],
}

/// A range of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates(pub Rate, pub Rate);

/// A range of nominal times, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times(pub u64, pub u64);

/// What the clogger may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloggerDraw {
    /// Off.
    Off,
    /// Mild.
    Mild,
    /// Mild or aggressive, evenly.
    Either,
}

/// The configuration that a scenario's runs are drawn from.
#[derive(Clone, Debug)]
pub struct Base {
    /// Numbers of replicas, drawn evenly.
    pub replicas: &'static [u8],
    /// Tenants.
    pub tenants: u32,
    /// Clients of each tenant.
    pub clients_per_tenant: u32,
    /// Virtual time of the safety phase at most, nanoseconds.
    pub time_ns: u64,
    /// Events of the safety phase at most.
    pub events: u64,
    /// Faults are planned up to this virtual time, nanoseconds.
    pub plan_ns: u64,
    /// Divisor of all delays.
    pub compression: u32,
    /// Families that every run has.
    pub always: Families,
    /// Families that a run may have too.
    pub sometimes: Families,
    /// Link delays.
    pub latency: Times,
    /// Loss.
    pub drop: Rates,
    /// Duplication.
    pub duplicate: Rates,
    /// Clogging.
    pub clogger: CloggerDraw,
    /// Partitions: chance per tick.
    pub partition: Rate,
    /// Failing writes.
    pub write_failure: Rates,
    /// Failing flushes.
    pub flush_failure: Rates,
    /// Damaged entries.
    pub corruption: Rates,
    /// Gray failures.
    pub gray: GrayOptions,
    /// Random crashes of replicas in the plan, at most.
    pub crashes: u32,
    /// Crashes at commits.
    pub crash_per_commit: Rate,
    /// Crashes at steps of a view change.
    pub crash_per_view_change_step: Rate,
    /// Mutation of messages.
    pub mutation: Rates,
    /// Crashes of clients in the plan, at most.
    pub client_crashes: u32,
    /// Pauses between operations.
    pub think: Times,
    /// Weights of the functions.
    pub mix: Mix,
}

/// One kind of injection that a scenario's plan is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inject {
    /// Links between replicas flap between clogged and clear, by the clogger's tick.
    Clogs,
    /// Replicas turn gray and recover, by the gray tick.
    Grays,
    /// Partitions of the four kinds, by the partition tick.
    Partitions,
    /// Crashes and pauses of replicas at random times.
    Crashes,
    /// Offsets, drifts and steps of clocks.
    Clocks,
    /// Latent damage of stored copies.
    Damage,
    /// Crashes of clients.
    ClientCrashes,
    /// Every tenant's clients in turn have bad links.
    TenantFaults,
    /// Clients send without pause.
    LoadBursts,
    /// The primary is cut off, or crashes, now and then: view changes.
    PrimaryLoss,
}

impl Scenario {
    /// The options of the run of `seed`.
    #[must_use]
    pub fn draw(&self, _seed: u64) -> RunOptions {
        unreachable!()
    }
}
