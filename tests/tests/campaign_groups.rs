//! Failures of a campaign in groups: one bug gives few, and two bugs are never one.

use e2e::sandbox::Sandbox;
use std::collections::BTreeSet;
use vopr::campaign_dir::Directory;

/// Planted bugs, each with a scenario that shows it, and the cause that its group is called by. Some of them break the same invariant in the
/// same way (votes, view changes, tails), some break another one in every second run (old reads, damaged entries).
const BUGS: &[(&str, &str, &str)] = &[
    ("stale_primary_serves_reads", "quorum_reads", "deposed_primary_answered"),
    ("skips_entry_checksum", "corruption_checksum_validation", "damaged_entry_taken"),
    ("counts_duplicate_votes", "byzantine_leader_race", "votes_counted_twice"),
    ("old_acks_count_in_new_view", "race_commit_during_dvc", "old_view_votes_counted"),
    ("merge_overwrites_committed", "byzantine_view_change_merge", "committed_entry_overwritten"),
    ("unvalidated_view_change_log", "byzantine_malicious_view_change", "forged_log_chosen"),
    ("trusts_inflated_commit", "byzantine_inflated_commit", "inflated_commit_believed"),
    ("ignores_tail_length", "byzantine_dvc_tail_length_mismatch", "tail_not_as_claimed"),
];

/// Seeds of each bug.
const SEEDS: u64 = 24;

#[test]
fn one_bug_gives_few_groups_and_two_bugs_are_never_one() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for (bug, scenario, cause) in BUGS {
        let campaign = format!("vopr campaign {scenario} --bug {bug} --seed 1 --seeds {SEEDS} --dir {bug}");
        let told = sandbox.run(&format!("{campaign} --keep-failing 0 --keep-rare 0")).exits(1).says("proven by its rows: ");
        let directory = Directory::open(&sandbox.path(bug)).unwrap();
        let groups = directory.groups();
        let names: Vec<(&str, u64)> = groups.iter().map(|(group, _)| (group.fingerprint.as_str(), group.count())).collect();
        assert_eq!(names[0].0, *cause, "{bug}: {names:?}\n{}", told.out);
        assert!(names.len() <= 3 && names[0].1 * 10 >= directory.total().failed * 8, "{bug}: {names:?}");
        for (name, _) in names {
            assert!(taken.insert(name.to_owned()), "{name} is a group of {bug} and of another bug");
        }
    }
}

#[test]
fn a_group_by_its_cause_is_repeated_minimised_and_tried_again_under_its_name() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let campaign = "vopr campaign quorum_reads --bug stale_primary_serves_reads --seed 1 --seeds 12 --keep-failing 2 --dir runs";
    let _ = sandbox.run(campaign).exits(1).says("deposed_primary_answered");
    let directory = Directory::open(&sandbox.path("runs")).unwrap();
    let (group, _) = directory.groups().remove(0);
    let bundle = sandbox.path("runs").join(group.easiest().file.as_ref().expect("a bundle was kept"));
    let bundle = bundle.display();
    let _ = sandbox.run(&format!("vopr repro {bundle}")).exits(1).says("the same failure (deposed_primary_answered)");
    let _ = sandbox.run(&format!("vopr minimize {bundle} -o small.kmb --for 20s")).exits(0);
    let _ = sandbox.run("vopr repro small.kmb").exits(1).says("the same failure (deposed_primary_answered)");
    let _ = sandbox.run("vopr diagnose small.kmb").exits(0).says("1. deposed_primary_answered");
    let again = sandbox.run("vopr campaign rerun runs --fingerprint deposed_primary_answered").exits(1);
    assert!(again.out.contains("still deposed_primary_answered") && !again.out.contains(": now "), "{}", again.out);
}
