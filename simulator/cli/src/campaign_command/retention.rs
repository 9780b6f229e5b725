//! What is kept of a campaign's runs besides their lines: failing runs, rare ones, and a sample.
//!
//! A year of campaigns must fit on a disk, and every run can be simulated again from its seed; what is kept is what somebody will want
//! to look at first.

use crate::campaign::worker::Keep;
use crate::campaign_dir::{Directory, PlanRecord};
use crate::failure::symptom::Symptom;
use crate::rig::JudgedRun;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use vopr_checker::situations::Situation;

/// Decides what is kept, for all threads of a process.
#[derive(Debug)]
pub struct Retention {
    bundles_max: u64,
    rare_below: u64,
    sample: u64,
    failures: PathBuf,
    kept: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Bundles by fingerprint.
    bundles: BTreeMap<String, u64>,
    /// Runs by situation.
    runs: BTreeMap<Situation, u64>,
}

impl Retention {
    /// What a plan asks to keep, given what the directory holds already.
    pub fn new(directory: &Directory, record: &PlanRecord) -> Self {
        let bundles = |group: &crate::campaign_dir::Group| group.runs.iter().filter(|run| run.file.is_some()).count() as u64;
        let situations = directory.situations();
        let seen = Seen {
            bundles: directory.groups().iter().map(|(group, _)| (group.fingerprint.clone(), bundles(group))).collect(),
            runs: Situation::ALL.iter().map(|situation| (*situation, situations.of(*situation).runs)).collect(),
        };
        Self {
            bundles_max: record.bundles,
            rare_below: record.rare,
            sample: record.sample,
            failures: directory.path.join("failures").join(&record.id),
            kept: directory.path.join("kept").join(&record.id),
            seen: Mutex::new(seen),
        }
    }

    /// The folders that files go to.
    pub fn folders(&self) -> [&PathBuf; 2] {
        [&self.failures, &self.kept]
    }

    /// What is kept of a run.
    pub fn of(&self, scenario: &str, run: &JudgedRun) -> Keep {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let rare = seen.come_about(run, self.rare_below);
        if let Some(symptom) = Symptom::of_judged(run) {
            // A simulator that panicked has no run to keep.
            let bundles = seen.bundles.entry(symptom.fingerprint()).or_default();
            if run.tally.events == 0 || *bundles >= self.bundles_max {
                return Keep::Nothing;
            }
            *bundles += 1;
            return Keep::Bundle(self.failures.clone());
        }
        let has_rows = run.digest.is_some();
        if has_rows && (rare || is_sampled(scenario, run.seed, self.sample)) { Keep::History(self.kept.clone()) } else { Keep::Nothing }
    }
}

impl Seen {
    /// Counts the situations of a run; says whether one of them is rare so far.
    fn come_about(&mut self, run: &JudgedRun, rare_below: u64) -> bool {
        let mut rare = false;
        let counts = run.verdicts.iter().flat_map(|verdicts| verdicts.situations.iter());
        for (situation, _) in counts.filter(|(_, times)| *times > 0) {
            let runs = self.runs.entry(situation).or_default();
            rare |= *runs < rare_below;
            *runs += 1;
        }
        rare
    }
}

/// Whether a run is one of the sample: decided by its name alone, so that every shard and every attempt decides alike.
fn is_sampled(scenario: &str, seed: u64, one_in: u64) -> bool {
    let mixed = (seed ^ u64::from(crc32fast::hash(scenario.as_bytes()))).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    one_in > 0 && mixed.is_multiple_of(one_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_about_the_size_that_was_asked_for() {
        let sampled = |one_in: u64| (0..100_000).filter(|seed| is_sampled("baseline", *seed, one_in)).count();
        assert_eq!((sampled(0), sampled(1)), (0, 100_000));
        assert!((80..=120).contains(&sampled(1000)), "{}", sampled(1000));
    }
}
