//! `vopr bugs --diagnose`: does a diagnosis name what was broken?
//!
//! Each seeded bug is switched on in runs until one of its invariants fires; that run is diagnosed by somebody who does not know of
//! the bug. The table says at which place the true cause stands. Which cause is true of which bug is known here and nowhere else.

use super::{causes_of, diagnose};
use crate::args::BugsArguments;
use crate::hunt::{self, Ended, Hunt, first_seeds, pursue_all};
use crate::listing::chosen_bugs;
use crate::output::tagged;
use crate::rig::{Orders, Rig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::terminal::{Paint, Sink, table};
use vopr_schema::History;
use vopr_sim::bugs::SeededBug;
use vopr_sim::scenario::Overrides;
use vopr_sim::scenarios;

/// A true cause counts as named when it is among the first so many.
pub const NAMED_WITHIN: usize = 3;

/// The share of diagnosed runs whose true cause must be named, in percent.
pub const NAMED_MIN_PERCENT: usize = 80;

/// Which cause is true of which bug.
pub const TRUE_CAUSES: &[(&str, &str)] = &[
    ("acks_before_durable", "acknowledged_before_durable"),
    ("commits_below_quorum", "committed_below_quorum"),
    ("forgets_view_on_restart", "view_forgotten_at_restart"),
    ("truncates_committed_on_recovery", "log_cut_at_damage"),
    ("skips_entry_checksum", "damaged_entry_taken"),
    ("applies_retry_twice", "retry_applied_again"),
    ("reply_cache_by_number_only", "reply_of_another_request"),
    ("stale_primary_serves_reads", "deposed_primary_answered"),
    ("reads_uncommitted", "uncommitted_state_read"),
    ("lost_update", "update_on_stale_value"),
    ("scan_past_tenant_end", "scan_past_its_end"),
    ("tenant_lost_in_cache", "reply_of_another_tenant"),
    ("transfer_not_atomic", "transfer_in_two_steps"),
    ("nondeterministic_apply", "apply_not_deterministic"),
    ("loses_commit_on_start_view", "commit_number_fell"),
    ("counts_duplicate_votes", "votes_counted_twice"),
    ("merge_overwrites_committed", "committed_entry_overwritten"),
    ("commit_applies_past_gap", "commit_beyond_log"),
    ("trusts_inflated_commit", "inflated_commit_believed"),
    ("unvalidated_view_change_log", "forged_log_chosen"),
    ("ignores_tail_length", "tail_not_as_claimed"),
    ("arbitrary_tie_break", "tie_decided_by_arrival"),
    ("skips_prepare_metadata_check", "entry_contradicts_header"),
    ("unbounded_log_tail", "oversized_message_taken"),
    ("serves_invalid_repair_range", "senseless_range_served"),
    ("stalls_on_refused_command", "stalled_behind_a_command"),
    ("accepts_old_view", "old_view_obeyed"),
    ("skips_message_checksum", "damaged_message_taken"),
    ("skips_hash_chain", "misplaced_entry_kept"),
    ("accepts_torn_write", "torn_entry_taken"),
    ("keeps_uncommitted_sessions", "uncommitted_session_kept"),
    ("evicts_by_local_order", "evictions_differ"),
    ("state_transfer_drops_sessions", "sessions_lost_in_transfer"),
    ("unlimited_repair", "everybody_asked_at_once"),
    ("leaves_damage_lying", "damage_left_on_disk"),
    ("primary_never_abdicates", "deaf_primary_stayed"),
    ("follows_local_clock", "local_clock_followed"),
    ("nacks_corrupt_entry", "damaged_slot_denied"),
    ("head_always_certain", "damaged_head_trusted"),
    ("unilateral_view_change", "left_view_alone"),
    ("old_acks_count_in_new_view", "old_view_votes_counted"),
    ("truncates_before_new_state_arrives", "log_cut_before_state_came"),
    ("client_learns_unstarted_view", "client_told_of_unstarted_view"),
    ("old_quorum_after_reconfig", "old_configuration_decided"),
    ("removed_member_votes", "removed_member_counted"),
    ("repairs_from_anybody", "slow_peer_asked"),
    ("ignores_scrub_finding", "scrub_finding_ignored"),
    ("scrubs_without_limit", "scrubber_over_its_limit"),
    ("scrub_skips_cold_entries", "cold_entries_passed_over"),
    ("votes_after_reformat", "reformatted_replica_voted"),
];

/// A diagnosed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosed {
    /// Its scenario.
    pub scenario: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Place of the true cause, from 1; none when it is not named.
    pub rank: Option<usize>,
    /// The causes named first, [`NAMED_WITHIN`] at most.
    pub named: Vec<&'static str>,
    /// The causes that the run of the same seed without the bug shows: each of them is a false alarm.
    pub false_alarms: Vec<&'static str>,
}

/// What came of the diagnoses of one bug.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// The runs, by rising seed.
    pub runs: Vec<Diagnosed>,
    /// Series of seeds in which the bug broke none of its invariants.
    pub missed: u64,
}

impl Score {
    /// Runs whose true cause stands first.
    #[must_use]
    pub fn first(&self) -> usize {
        self.runs.iter().filter(|run| run.rank == Some(1)).count()
    }

    /// Runs whose true cause is among the first [`NAMED_WITHIN`].
    #[must_use]
    pub fn named(&self) -> usize {
        self.runs.iter().filter(|run| run.rank.is_some_and(|rank| rank <= NAMED_WITHIN)).count()
    }

    /// Causes that healthy runs showed.
    #[must_use]
    pub fn false_alarms(&self) -> usize {
        self.runs.iter().map(|run| run.false_alarms.len()).sum()
    }

    /// Whether most of the runs name it.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.named() * 2 > self.runs.len()
    }
}

/// The true cause of a bug.
#[must_use]
pub fn true_cause(bug: &str) -> Option<&'static str> {
    TRUE_CAUSES.iter().find(|(name, _)| *name == bug).map(|(_, cause)| *cause)
}

/// Diagnoses runs of each bug; by the place of the bug in `bugs`.
///
/// # Errors
/// When so many seeds do not fit the numbers.
pub fn measure(bugs: &[&'static SeededBug], arguments: &BugsArguments) -> Result<BTreeMap<usize, Score>, Problem> {
    let first_seeds = first_seeds(arguments)?;
    let scenario = |bug: &SeededBug| bug.scenarios.first().and_then(|name| scenarios::find(name));
    let hunts: Vec<Hunt> = bugs
        .iter()
        .enumerate()
        .filter_map(|(bug, seeded)| Some((bug, scenario(seeded)?)))
        .flat_map(|(bug, scenario)| first_seeds.clone().map(move |first_seed| Hunt { bug, scenario, first_seed }))
        .collect();
    let mut scores: BTreeMap<usize, Score> = BTreeMap::new();
    let work = |hunt: &Hunt, rig: &mut Rig, history: &mut History| match hunt.pursue(bugs[hunt.bug], arguments.max_seeds, rig, history) {
        Ended::Caught(seed) => Some(diagnosed(hunt, bugs[hunt.bug], seed, rig, history)),
        Ended::Missed => Some(None),
        Ended::Interrupted => None,
    };
    pursue_all(&hunts, arguments.jobs, "runs", work, |hunt, found| {
        let score = scores.entry(hunt.bug).or_default();
        match found {
            Some(run) => score.runs.push(run),
            None => score.missed += 1,
        }
    });
    for score in scores.values_mut() {
        score.runs.sort_by_key(|run| run.seed);
    }
    Ok(scores)
}

/// The run in `history`, which was caught, diagnosed; and the same seed without the bug.
fn diagnosed(hunt: &Hunt, bug: &SeededBug, seed: u64, rig: &mut Rig, history: &mut History) -> Option<Diagnosed> {
    let diagnosis = diagnose(history, 0)?;
    history.clear();
    let healthy = Orders { overrides: Overrides::default(), selection: None, budget: hunt::budget(), twice: false };
    let _ = rig.run(hunt.scenario, seed, &healthy, Some(history));
    let alarms = if history.runs.is_empty() { Vec::new() } else { causes_of(history, 0) };
    Some(Diagnosed {
        scenario: hunt.scenario.name,
        seed,
        rank: true_cause(bug.name).and_then(|cause| diagnosis.rank(cause)),
        named: diagnosis.causes.iter().take(NAMED_WITHIN).map(|found| found.cause.name).collect(),
        false_alarms: alarms.iter().map(|found| found.cause.name).collect(),
    })
}

/// Diagnoses runs of the chosen bugs and prints a table.
///
/// # Errors
/// When so many seeds do not fit the numbers, or standard output cannot be written.
pub fn run(arguments: &BugsArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let bugs = chosen_bugs(&arguments.bug);
    interrupt::listen("the runs under way are finished and the table printed");
    let scores = measure(&bugs, arguments)?;
    let mut rows =
        vec![["bug", "true cause", "runs", "first", "in three", "false alarms", "named in the first run"].map(str::to_owned).to_vec()];
    for (place, score) in &scores {
        if arguments.json {
            sink.object(&object(bugs[*place], score))?;
        } else {
            rows.push(row(bugs[*place], score));
        }
    }
    let count = |of: fn(&Score) -> usize| scores.values().map(of).sum::<usize>();
    let (runs, first, named) = (count(|score| score.runs.len()), count(Score::first), count(Score::named));
    let alarms = count(Score::false_alarms);
    let solved = scores.values().filter(|score| score.is_named()).count();
    let enough = solved * 100 >= scores.len() * NAMED_MIN_PERCENT;
    if !arguments.json {
        table(&rows).iter().try_for_each(|line| sink.line(line))?;
        let sentence = format!(
            "\n{solved} of {} bugs have their true cause among the first {NAMED_WITHIN} in most runs; of {runs} runs, {named} name it \
             there, {first} name it first; the same seeds without the bug show {alarms} causes",
            scores.len()
        );
        let paint = Paint::for_stdout();
        sink.line(&if enough { paint.good(&sentence) } else { paint.bad(&sentence) })?;
    }
    let exit = if enough { Exit::Held } else { Exit::Inconclusive };
    Ok(if interrupt::requested() { exit.and(Exit::Interrupted) } else { exit })
}

fn row(bug: &SeededBug, score: &Score) -> Vec<String> {
    let named = score.runs.first().map_or_else(|| "-".to_owned(), |run| run.named.join(", "));
    let cause = true_cause(bug.name).unwrap_or("-").to_owned();
    let counts = [score.runs.len(), score.first(), score.named(), score.false_alarms()].map(|count| count.to_string());
    [bug.name.to_owned(), cause].into_iter().chain(counts).chain([named]).collect()
}

fn object(bug: &SeededBug, score: &Score) -> Value {
    let run = |run: &Diagnosed| {
        json!({
            "scenario": run.scenario,
            "seed": run.seed,
            "rank": run.rank,
            "named": run.named,
            "false_alarms": run.false_alarms,
        })
    };
    tagged(
        "diagnosis_score",
        json!({
            "name": bug.name,
            "true_cause": true_cause(bug.name),
            "first": score.first(),
            "in_three": score.named(),
            "missed": score.missed,
            "runs": score.runs.iter().map(run).collect::<Vec<_>>(),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn every_bug_has_one_true_cause_of_the_registry() {
        let mapped: Vec<&str> = TRUE_CAUSES.iter().map(|(bug, _)| *bug).collect();
        for bug in vopr_sim::bugs::all() {
            assert_eq!(mapped.iter().filter(|name| **name == bug.name).count(), 1, "{}", bug.name);
        }
        for (bug, cause) in TRUE_CAUSES {
            assert!(find(cause).is_some() && vopr_sim::bugs::find(bug).is_ok(), "{bug}: {cause}");
        }
    }
}
