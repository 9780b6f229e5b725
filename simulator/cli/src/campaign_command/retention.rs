//! What is kept of a campaign's runs besides their lines: failing runs, rare ones, and a sample.
//!
//! A year of campaigns must fit on a disk, and every run can be simulated again from its seed; what is kept is what somebody will want
//! to look at first.
//!
//! What a campaign keeps depends on the runs that are done and on nothing else. Threads finish runs in any order, and a campaign that was
//! killed leaves gaps: so a run is kept when it is among the first *so far* that show something, in the order of the plan, and dropped
//! when one that comes before it is done after it. Who was not among the first of fewer runs is not among the first of more, so
//! that nothing has to be simulated again.

use crate::campaign::worker::Keep;
use crate::campaign_dir::date::now_ms;
use crate::campaign_dir::{Directory, DroppedLine, PlanRecord, RunLine, each_run};
use crate::failure::symptom::Symptom;
use crate::rig::JudgedRun;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vopr_checker::situations::{Counts, Situation};
use vopr_schema::write::{file_name, partial_path};

/// Decides what is kept, for all threads of a process.
#[derive(Debug)]
pub struct Retention {
    record: PlanRecord,
    failures: PathBuf,
    kept: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Failing runs by fingerprint.
    failing: Firsts<String>,
    /// Runs by situation.
    rare: Firsts<Situation>,
    /// What is kept and may have to be dropped: by turn, its file from the directory on, and whether its run fails.
    files: BTreeMap<u64, (String, bool)>,
}

impl Retention {
    /// What a plan asks to keep, given what its directory holds already.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn new(directory: &Directory, record: &PlanRecord) -> io::Result<Self> {
        let retention = Self {
            record: record.clone(),
            failures: directory.path.join("failures").join(&record.id),
            kept: directory.path.join("kept").join(&record.id),
            seen: Mutex::new(Seen { failing: Firsts::new(record.bundles), rare: Firsts::new(record.rare), files: BTreeMap::new() }),
        };
        let own = ["failures", "kept"].map(|folder| format!("{folder}/{}/", record.id));
        each_run(&directory.path, &record.family, |run| {
            let Some(turn) = record.turn_of(&run.scenario, run.seed) else { return };
            let mut seen = retention.seen();
            let fingerprint = run.failure.as_ref().filter(|_| run.events > 0).map(|failure| failure.fingerprint.clone());
            seen.note(turn, &Counts::from_names(&run.situations), fingerprint);
            let is_own = |file: &&String| own.iter().any(|folder| file.starts_with(folder)) && !directory.dropped().contains(*file);
            if let Some(file) = run.file.as_ref().filter(is_own) {
                seen.files.insert(turn, (file.clone(), run.failure.is_some()));
            }
        })?;
        retention.tidy_up(directory);
        Ok(retention)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folders that files go to.
    pub fn folders(&self) -> [&PathBuf; 2] {
        [&self.failures, &self.kept]
    }

    /// What is kept of a run that was just judged.
    pub fn of(&self, scenario: &str, run: &JudgedRun) -> Keep {
        let Some(turn) = self.record.turn_of(scenario, run.seed) else { return Keep::Nothing };
        let mut seen = self.seen();
        let symptom = Symptom::of_judged(run);
        let situations = run.verdicts.as_ref().map(|verdicts| verdicts.situations.clone()).unwrap_or_default();
        // A simulator that panicked has no run to keep.
        let fingerprint = symptom.as_ref().filter(|_| run.tally.events > 0).map(Symptom::fingerprint);
        seen.note(turn, &situations, fingerprint);
        if symptom.is_some() {
            return if seen.failing.has(turn) { Keep::Bundle(self.failures.clone()) } else { Keep::Nothing };
        }
        let wanted = seen.rare.has(turn) || is_sampled(scenario, run.seed, self.record.sample);
        if run.digest.is_some() && wanted { Keep::History(self.kept.clone()) } else { Keep::Nothing }
    }

    /// What is kept and no longer among the first, given the lines of further runs. Whoever asks removes it.
    pub fn superfluous(&self, lines: &[RunLine]) -> Vec<DroppedLine> {
        let mut known = self.seen();
        for line in lines {
            if let Some((turn, file)) = self.record.turn_of(&line.scenario, line.seed).zip(line.file.as_ref()) {
                known.files.insert(turn, (file.clone(), line.failure.is_some()));
            }
        }
        let mut dropped = Vec::new();
        let Seen { failing, rare, files } = &mut *known;
        files.retain(|turn, (file, fails)| {
            let Some((scenario, seed)) = self.run_of(*turn) else { return true };
            let sampled = !*fails && is_sampled(scenario, seed, self.record.sample);
            let stays = sampled || if *fails { failing.has(*turn) } else { rare.has(*turn) };
            if !stays {
                dropped.push(DroppedLine { scenario: scenario.to_owned(), seed, file: file.clone(), at_ms: now_ms() });
            }
            // What is sampled stays for ever and need not be looked at again.
            stays && !sampled
        });
        dropped
    }

    /// Scenario and seed of a turn.
    fn run_of(&self, turn: u64) -> Option<(&str, u64)> {
        let scenarios = self.record.scenarios.len() as u64;
        let place = usize::try_from(turn.checked_rem(scenarios)?).ok()?;
        Some((self.record.scenarios.get(place)?, self.record.seed_at(turn / scenarios)?))
    }

    /// Removes what a process that was killed left behind: files that it dropped, and rows of runs that it did not come to tell of.
    /// What it cannot remove does no harm.
    fn tidy_up(&self, directory: &Directory) {
        for file in directory.dropped() {
            let path = directory.path.join(file);
            if path.starts_with(&self.kept) || path.starts_with(&self.failures) {
                std::fs::remove_file(path).unwrap_or_default();
            }
        }
        let named: BTreeSet<PathBuf> = self.seen().files.values().map(|(file, _)| directory.path.join(file)).collect();
        let entries = std::fs::read_dir(&self.kept).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| !named.contains(path) && self.is_ours(path)) {
            std::fs::remove_file(path).unwrap_or_default();
        }
    }

    /// Whether a file has the name of a run's rows, or of a half-written one.
    fn is_ours(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.record.scenarios.iter().any(|scenario| {
            let rest = name.strip_prefix(scenario.as_str()).and_then(|rest| rest.strip_prefix('-'));
            let seed = rest.and_then(|rest| rest.split('-').next()?.parse().ok());
            seed.is_some_and(|seed| {
                let whole = self.kept.join(file_name(scenario, seed, 1));
                self.record.turn_of(scenario, seed).is_some() && (path == whole || path == partial_path(&whole))
            })
        })
    }
}

impl Seen {
    /// Counts a run.
    fn note(&mut self, turn: u64, situations: &Counts, fingerprint: Option<String>) {
        for (situation, _) in situations.iter().filter(|(_, times)| *times > 0) {
            self.rare.add(situation, turn);
        }
        if let Some(fingerprint) = fingerprint {
            self.failing.add(fingerprint, turn);
        }
    }
}

/// Under each key the first turns, so many at most; which they are does not depend on the order in which they are added.
#[derive(Debug)]
struct Firsts<K> {
    max: u64,
    turns: BTreeMap<K, BTreeSet<u64>>,
    /// Under how many keys a turn stands.
    keys: BTreeMap<u64, usize>,
}

impl<K: Ord> Firsts<K> {
    const fn new(max: u64) -> Self {
        Self { max, turns: BTreeMap::new(), keys: BTreeMap::new() }
    }

    fn add(&mut self, key: K, turn: u64) {
        let turns = self.turns.entry(key).or_default();
        if !turns.insert(turn) {
            return;
        }
        *self.keys.entry(turn).or_default() += 1;
        if turns.len() as u64 > self.max
            && let Some(last) = turns.pop_last()
            && let Some(keys) = self.keys.get_mut(&last)
        {
            *keys -= 1;
            if *keys == 0 {
                self.keys.remove(&last);
            }
        }
    }

    fn has(&self, turn: u64) -> bool {
        self.keys.contains_key(&turn)
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

    /// The turns that are kept when runs that show these situations are counted in this order.
    fn kept(runs: &[&[Situation]], order: &[usize], max: u64) -> Vec<u64> {
        let mut firsts = Firsts::new(max);
        let mut stayed = BTreeSet::new();
        for turn in order {
            runs[*turn].iter().for_each(|situation| firsts.add(*situation, *turn as u64));
            if firsts.has(*turn as u64) {
                stayed.insert(*turn as u64);
            }
            // Whoever was refused or displaced never comes back.
            stayed.retain(|turn| firsts.has(*turn));
            assert!(firsts.keys.keys().all(|turn| stayed.contains(turn)), "{order:?}");
        }
        stayed.into_iter().collect()
    }

    #[test]
    fn the_order_in_which_runs_end_does_not_decide_what_is_kept() {
        let [a, b, c] = [Situation::ALL[0], Situation::ALL[1], Situation::ALL[2]];
        let runs: [&[Situation]; 6] = [&[a], &[a, b], &[a], &[b, a], &[c, b], &[]];
        let orders: [[usize; 6]; 5] = [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2], [2, 4, 0, 3, 1, 5], [1, 0, 3, 2, 5, 4]];
        for order in orders {
            assert_eq!(kept(&runs, &order, 0), [] as [u64; 0], "{order:?}");
            assert_eq!(kept(&runs, &order, 1), [0, 1, 4], "{order:?}");
            assert_eq!(kept(&runs, &order, 2), [0, 1, 3, 4], "{order:?}");
            assert_eq!(kept(&runs, &order, 9), [0, 1, 2, 3, 4], "{order:?}");
        }
    }

    #[test]
    fn the_sample_has_about_the_size_that_was_asked_for() {
        let sampled = |one_in: u64| (0..100_000).filter(|seed| is_sampled("baseline", *seed, one_in)).count();
        assert_eq!((sampled(0), sampled(1)), (0, 100_000));
        assert!((80..=120).contains(&sampled(1000)), "{}", sampled(1000));
    }
}
