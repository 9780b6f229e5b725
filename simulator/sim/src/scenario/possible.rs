//! Whether a scenario makes sense, with the place of what does not.
//!
//! The registry's rows are tested; a user's own scenario is judged when it is read, so that no world has to.

use super::{Assault, Base, Inject, Scenario, Times};
use crate::fault_plan::Target;
use crate::options::MILLISECOND;
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

impl Assault {
    fn is_possible(&self, base: &Base) -> Result<(), Impossible> {
        if self.ambushes.is_empty() {
            return Ok(());
        }
        let is_there = |target: Target| match target {
            Target::Primary => true,
            Target::Replica(number) => number < base.replicas_min(),
            Target::Backup(place) => place + 1 < base.replicas_min(),
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
}
