//! Random schedules: what was committed is never contradicted, and when the faults end everything settles.

use crate::world::World;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vsr::bug::Bug;

/// Voters and standbys of the clusters that are tried.
const SIZES: [(u8, u8); 7] = [(3, 0), (3, 0), (5, 0), (1, 0), (2, 0), (4, 1), (3, 1)];

/// Runs one schedule.
pub fn run(seed: u64, bug: Option<Bug>, trace: bool) -> World {
    let (replicas, standbys) = SIZES[usize::try_from(seed % 7).unwrap()];
    let mut world = World::new(seed, replicas, standbys, bug);
    world.trace = trace.then(Vec::new);
    world.run(8_000, 60_000);
    world
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `SEED=n` runs one schedule and prints its trace; `FIRST=n SEEDS=m` runs m schedules from n on.
#[test]
fn schedules_agree_and_settle() {
    if let Some(seed) = number("SEED") {
        let world = run(seed, None, true);
        for line in world.trace.iter().flatten() {
            println!("{line}");
        }
        assert_eq!(world.broken(), None, "seed {seed}");
        return;
    }
    let first = number("FIRST").unwrap_or(0);
    let (mut steps, mut committed) = (0, 0);
    let (mut notes, mut rejected) = (BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    for seed in first..first + number("SEEDS").unwrap_or(70) {
        let world = run(seed, None, false);
        assert_eq!(world.broken(), None, "seed {seed}");
        steps += world.steps;
        committed += world.facts.committed();
        world.notes.iter().for_each(|(name, count)| *notes.entry(*name).or_default() += count);
        world.rejected.iter().for_each(|(reason, count)| *rejected.entry(*reason).or_default() += count);
    }
    println!("{steps} steps, {committed} ops\n{notes:?}\n{rejected:?}");
    if number("SEEDS").is_some() {
        return;
    }
    for name in ["view_entered", "restarted", "repaired", "state_installed", "entry_truncated", "checkpoint_durable", "abdicated"] {
        assert!(notes.contains_key(name), "the schedules never showed {name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule_agrees_and_settles(seed in 1_000_000_u64..) {
        let world = run(seed, None, false);
        prop_assert_eq!(world.broken(), None);
    }
}
