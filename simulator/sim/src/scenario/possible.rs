//! Whether a scenario makes sense, with the place of what does not.
//!
//! The registry's rows are tested; a user's own scenario is judged when it is read, so that no world has to.

use super::{Assault, Base, Inject, Scenario, Times};
use crate::fault_plan::Target;
use crate::options::{MILLISECOND, SECOND};
use vsr::constants::{CHECKPOINT_INTERVAL, PIPELINE_MAX, REPLICAS_MAX, TAIL_ENTRIES_MAX, ring_is_large_enough};

/// What no world can be built from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.join("."))]
pub struct Impossible {
    /// Names of the fields on the way to the value, as in the text form.
    pub path: Vec<&'static str>,
    /// What is wrong with it.
    pub why: String,
}

/// Clients of all tenants at most.
const CLIENTS_MAX: u32 = 10_000;
/// Nominal time at most for which faults are planned, nanoseconds: a plan is drawn whole before its run.
const PLANNED_MAX: u64 = 3_600 * SECOND;
/// Ticks at most in that time.
const TICKS_MAX: u64 = 1_000_000;
/// Losses of the primary, or rounds of attacks, at most in that time.
const ROUNDS_MAX: u64 = 10_000;
/// Crashes of replicas, or of clients, at most.
const CRASHES_MAX: u32 = 1_000;
/// Restarts of clients at most where a plan begins all of them anew every few seconds: clients times nominal seconds.
const RESTARTS_MAX: u64 = 1_000_000;
/// Entries of a list at most.
const LIST_MAX: usize = 64;
/// Fewest nanoseconds that the world's delays are made of.
const RESOLUTION: u64 = 1_000;

impl Scenario {
    /// The first thing that makes no sense, if any.
    ///
    /// # Errors
    /// With the place of the value and what is wrong with it.
    pub fn possible(&self) -> Result<(), Impossible> {
        let is_letter = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
        let names_a_file = self.name.starts_with(|first: char| first.is_ascii_lowercase()) && self.name.chars().all(is_letter);
        demand(names_a_file, &["name"], "lower-case letters, digits and underscores make a name, a letter first")?;
        self.base.cluster_is_possible()?;
        self.base.times_are_possible()?;
        demand(self.script.len() <= LIST_MAX, &["script"], "at most 64 kinds of injections")?;
        self.base.plan_is_possible(self.script)?;
        self.base.assault.is_possible(&self.base)?;
        let clocks = [Inject::Clocks, Inject::Skews].iter().any(|inject| self.script.contains(inject));
        demand(
            !clocks || self.base.clock.drift_ppm_max > 0,
            &["base", "clock", "drift_ppm_max"],
            "the script lets clocks drift: at least 1",
        )
    }
}

fn demand(holds: bool, path: &[&'static str], why: &str) -> Result<(), Impossible> {
    if holds { Ok(()) } else { Err(Impossible { path: path.to_vec(), why: why.to_owned() }) }
}

impl Base {
    fn replicas_min(&self) -> u8 {
        self.replicas.iter().copied().min().unwrap_or(0)
    }

    fn cluster_is_possible(&self) -> Result<(), Impossible> {
        let counted = !self.replicas.is_empty() && self.replicas.iter().all(|count| (1..=REPLICAS_MAX).contains(count));
        demand(counted, &["base", "replicas"], &format!("numbers of replicas from 1 to {REPLICAS_MAX}, each as likely"))?;
        demand(self.members <= REPLICAS_MAX, &["base", "members"], &format!("at most {REPLICAS_MAX}, voters or not"))?;
        demand(self.tenants > 0, &["base", "tenants"], "at least 1")?;
        demand(self.clients_per_tenant > 0, &["base", "clients_per_tenant"], "at least 1")?;
        let clients = self.tenants.saturating_mul(self.clients_per_tenant);
        demand(clients <= CLIENTS_MAX, &["base", "clients_per_tenant"], &format!("at most {CLIENTS_MAX} clients over all tenants"))?;
        demand(self.readers <= self.clients_per_tenant, &["base", "readers"], "no more than there are clients of a tenant")?;
        let has_room = ring_is_large_enough(self.log_slots, CHECKPOINT_INTERVAL, PIPELINE_MAX);
        demand(has_room, &["base", "log_slots"], "room for two checkpoint intervals and a full pipeline")?;
        demand(self.log_slots as usize <= TAIL_ENTRIES_MAX, &["base", "log_slots"], "a whole log fits into a message")?;
        demand(self.link_messages > 0, &["base", "link_messages"], "at least 1")?;
        demand(self.laggards.0 < self.replicas_min(), &["base", "laggards"], "fewer backups than replicas")?;
        let weights = serde_json::to_value(self.mix).ok().and_then(|mix| mix.as_object().cloned()).unwrap_or_default();
        let asked: u64 = weights.values().filter_map(serde_json::Value::as_u64).sum();
        demand(
            (1..=u64::from(u32::MAX)).contains(&asked),
            &["base", "mix"],
            "at least one function has a weight, and their sum is below 2^32",
        )?;
        let mix = self.mix.only_reads();
        let reads = mix.read + mix.scan + mix.stream_read + mix.balance > 0;
        demand(self.readers == 0 || reads, &["base", "mix"], "there are clients that only read, and no function that reads")
    }

    fn times_are_possible(&self) -> Result<(), Impossible> {
        demand(self.time_ns >= MILLISECOND, &["base", "time"], "at least 1ms")?;
        demand(self.plan_ns <= self.time_ns, &["base", "plan"], "faults are planned within the time of the run")?;
        demand(self.events > 0, &["base", "events"], "at least 1")?;
        let divides = self.compression > 0 && 1_000_u32.is_multiple_of(self.compression);
        demand(divides, &["base", "compression"], "a divisor of 1000, so that delays stay exact")?;
        demand(self.latency.0 >= RESOLUTION, &["base", "latency"], "at least 1us")?;
        for (tick, name) in [(self.clog_tick_ns, "clog_tick"), (self.gray_tick_ns, "gray_tick")] {
            demand(tick >= MILLISECOND, &["base", name], "at least 1ms")?;
        }
        demand(self.primary_loss.0 >= MILLISECOND, &["base", "primary_loss"], "at least 1ms")
    }
}

impl Base {
    /// Whether the plan of a run can be drawn in a moment.
    fn plan_is_possible(&self, script: &[Inject]) -> Result<(), Impossible> {
        let nominal = self.plan_ns.saturating_mul(u64::from(self.compression));
        demand(nominal <= PLANNED_MAX, &["base", "plan"], "at most 1h of nominal time")?;
        for (tick, name) in [(self.clog_tick_ns, "clog_tick"), (self.gray_tick_ns, "gray_tick")] {
            demand(nominal / tick <= TICKS_MAX, &["base", name], "faults are planned for at most a million ticks")?;
        }
        let (losses, rounds) = (nominal / self.primary_loss.0, nominal / self.assault.round.0.max(MILLISECOND));
        demand(losses <= ROUNDS_MAX, &["base", "primary_loss"], "at most 10,000 losses are planned")?;
        demand(
            rounds <= ROUNDS_MAX || self.assault.ambushes.is_empty(),
            &["base", "assault", "round"],
            "at most 10,000 rounds are planned",
        )?;
        demand(self.assault.ambushes.len() <= LIST_MAX, &["base", "assault", "ambushes"], "at most 64")?;
        demand(self.crashes <= CRASHES_MAX, &["base", "crashes"], "at most 1,000")?;
        demand(self.client_crashes <= CRASHES_MAX, &["base", "client_crashes"], "at most 1,000")?;
        let restarts = nominal / SECOND * u64::from(self.tenants.saturating_mul(self.clients_per_tenant));
        let few = restarts <= RESTARTS_MAX || !script.contains(&Inject::Registrations);
        demand(few, &["base", "clients_per_tenant"], "at most a million clients times seconds of planned registrations")?;
        demand(self.clock.drift_ppm_max < 1_000_000, &["base", "clock", "drift_ppm_max"], "below 1,000,000: a clock that stands still")
    }
}

impl Assault {
    fn is_possible(&self, base: &Base) -> Result<(), Impossible> {
        if self.ambushes.is_empty() {
            return Ok(());
        }
        let is_there = |target: Target| match target {
            Target::Primary => true,
            Target::Replica(number) => number < base.replicas_min(),
            Target::Backup(place) => place < base.replicas_min().saturating_sub(1),
        };
        for ambush in self.ambushes {
            demand(
                ambush.attack.is_possible(),
                &["base", "assault", "ambushes"],
                "1 to 50,000 entries, 1 to 1,000 copies, 1 to 2^32 ahead",
            )?;
            let there = is_there(ambush.from) && ambush.to.is_none_or(is_there);
            demand(there, &["base", "assault", "ambushes"], "an ambush names a replica that not every run has")?;
        }
        let Times(shortest, _) = self.round;
        demand(shortest >= MILLISECOND, &["base", "assault", "round"], "at least 1ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios;

    #[test]
    fn every_row_of_the_registry_is_possible() {
        for scenario in scenarios::all() {
            assert_eq!(scenario.possible(), Ok(()), "{}", scenario.name);
        }
    }

    #[test]
    fn nonsense_is_named_with_its_place() {
        let baseline = || scenarios::find("baseline").expect("of the registry").clone();
        let place = |scenario: Scenario| scenario.possible().expect_err("nonsense").path.join(".");
        let with = |base: Base| Scenario { base, ..baseline() };
        let base = baseline().base;
        assert_eq!(place(Scenario { name: "Mine!", ..baseline() }), "name");
        assert_eq!(place(with(Base { replicas: &[], ..base })), "base.replicas");
        assert_eq!(place(with(Base { replicas: &[3, 0], ..base })), "base.replicas");
        assert_eq!(place(with(Base { tenants: 0, ..base })), "base.tenants");
        assert_eq!(place(with(Base { tenants: u32::MAX, clients_per_tenant: u32::MAX, ..base })), "base.clients_per_tenant");
        assert_eq!(place(with(Base { mix: crate::options::Mix::default(), ..base })), "base.mix");
        assert_eq!(place(with(Base { compression: 3, ..base })), "base.compression");
        assert_eq!(place(with(Base { plan_ns: base.time_ns + 1, ..base })), "base.plan");
    }

    #[test]
    fn a_plan_that_no_memory_holds_is_refused_before_it_is_drawn() {
        let baseline = || scenarios::find("baseline").expect("of the registry").clone();
        let base = Base { time_ns: PLANNED_MAX, plan_ns: PLANNED_MAX, primary_loss: Times(SECOND, SECOND), ..baseline().base };
        let place = |base: Base, script| Scenario { script, base, ..baseline() }.possible().map_err(|error| error.path.join("."));
        assert_eq!(place(base, &[]), Ok(()));
        let refused = |base: Base, script| place(base, script).expect_err("too much");
        assert_eq!(refused(Base { time_ns: PLANNED_MAX + 1, plan_ns: PLANNED_MAX + 1, ..base }, &[]), "base.plan");
        assert_eq!(refused(Base { compression: 10, ..base }, &[]), "base.plan");
        assert_eq!(refused(Base { clog_tick_ns: MILLISECOND, ..base }, &[]), "base.clog_tick");
        assert_eq!(refused(Base { gray_tick_ns: MILLISECOND, ..base }, &[]), "base.gray_tick");
        assert_eq!(refused(Base { primary_loss: Times(100 * MILLISECOND, SECOND), ..base }, &[]), "base.primary_loss");
        assert_eq!(refused(Base { crashes: u32::MAX, ..base }, &[]), "base.crashes");
        assert_eq!(refused(Base { client_crashes: u32::MAX, ..base }, &[]), "base.client_crashes");
        assert_eq!(refused(Base { clients_per_tenant: 300, ..base }, &[Inject::Registrations]), "base.clients_per_tenant");
        assert_eq!(refused(base, &[Inject::Clogs; LIST_MAX + 1]), "script");
        let clock = crate::options::ClockOptions { drift_ppm_max: 1_000_000, ..base.clock };
        assert_eq!(refused(Base { clock, ..base }, &[]), "base.clock.drift_ppm_max");
    }

    #[test]
    fn an_ambush_names_replicas_that_every_run_has() {
        let attacked = scenarios::find("byzantine_view_change_merge").expect("of the registry").clone();
        let place = |from| {
            let ambushes = vec![crate::scenario::Ambush { from, ..attacked.base.assault.ambushes[0] }].leak();
            let base = Base { replicas: &[3], assault: Assault { ambushes, ..attacked.base.assault }, ..attacked.base };
            Scenario { base, ..attacked.clone() }.possible().map_err(|error| error.path.join("."))
        };
        let nobody = Err("base.assault.ambushes".to_owned());
        assert_eq!((place(Target::Backup(1)), place(Target::Backup(2))), (Ok(()), nobody.clone()));
        assert_eq!(place(Target::Backup(u8::MAX)), nobody, "behind the last number");
        assert_eq!((place(Target::Replica(2)), place(Target::Replica(3))), (Ok(()), nobody));
    }
}
