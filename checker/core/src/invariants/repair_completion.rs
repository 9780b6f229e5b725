//! `repair_completion`: each stored entry that was found damaged is whole again before the end of the run.
//!
//! Damage that is known and left lying is one copy less, and the next fault finds it.
//!
//! **Formally.** A `corruption_detected` of op n at replica r is settled when, later, r writes the entry anew (`repaired` or
//! `entry_durable` of n), needs it no more (`checkpoint_durable` or `state_installed` of an op >= n), gives it up
//! (`entry_truncated` of n, or a `view_entered` with a head below n), or restarts: what it then reads, it reports anew. Damage of an
//! op that its checkpoint covers needs no repair: a torn write of op n + `log_slots`, of which nobody was told, is reported as damage
//! of op n by a replica whose log ends before it. But what a scrubber found (its `scrub_read` of n stands before the report) lies in the log:
//! no checkpoint settles it; a slot that is used again (`entry_appended` of n + `log_slots` or above) does. No other damage of a
//! replica that is up is unsettled at the end of a run that has settled after its heal phase: such a run ends when everything is
//! committed and applied everywhere and no disk has anything left to
//! do. In a run that did not settle the same holds when faults have been healed for 500 ms, r was up from then on, and the report is
//! as old. But where such a run is stuck, r and another replica must have ended normal: else there was nobody to repair, or nobody to
//! ask, the verdict is unknown, and `liveness` tells what went wrong.
//!
//! **Evidence.** run: ended, `end_time_ns`, `heal_time_ns`, options (`cluster.log_slots`; without it no slot is used again). transition:
//! replica, event, status, op, commit.
//!
//! **Deliberately not checked.** Damaged copies of superblocks and checkpoints: the next ones are written over them in turn. That what
//! was written is the right entry: `repair_safety`. That damage is reported at all: `corruption_detection`.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::Verdict;
use crate::witness::Witness;
use crate::words::counted;
use vopr_schema::{Ended, Kind, Status, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "repair_completion",
    version: 3,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Run, columns: &["ended", "end_time_ns", "heal_time_ns", "options"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "status", "op", "commit"] },
    ],
    statement: "each detected corrupt entry is repaired, or needed no more, before the end of the run",
    because_of: &[],
    check,
};

/// How long faults must have been over in a run that did not settle: a replica that the heal phase restarts with a score of torn
/// entries asks for them sixteen at a time, and was seen to write the last of them 149 ms later.
const HEALED_NS_MIN: u64 = 500_000_000;
/// How old a report must be.
const REPORTED_NS_MIN: u64 = 500_000_000;

const EVENTS: EventSet = EventSet::of(&[
    Event::CorruptionDetected,
    Event::ScrubRead,
    Event::EntryAppended,
    Event::Repaired,
    Event::EntryDurable,
    Event::CheckpointDurable,
    Event::StateInstalled,
    Event::EntryTruncated,
    Event::ViewEntered,
    Event::Started,
    Event::Restarted,
    Event::Crashed,
    Event::Paused,
    Event::Resumed,
]);

/// One replica: the rows of its unsettled reports, and whether it runs.
#[derive(Clone, Default)]
struct Replica {
    reports: Vec<usize>,
    /// Those of them that its scrubber made.
    scrubbed: Vec<usize>,
    /// The op that its scrubber read last.
    read: Option<u64>,
    /// The head of its log, as far as appended and truncated entries tell.
    head: u64,
    /// Op numbers up to this one are covered by its checkpoint.
    covered: u64,
    stopped: bool,
    /// When it last began to run, nanoseconds.
    since_ns: u64,
}

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no stored entry was found damaged", || {
        let (replicas, settled) = follow(index, meter)?;
        let unsettled = replicas.iter().map(|replica| replica.reports.len()).sum::<usize>();
        let is_stuck = index.meta().ended == Ended::Stuck;
        if let Some(row) = late(index, &replicas, |replica| !is_stuck || could_repair(index, replica)) {
            return Err(left_lying(index, row).into());
        }
        if late(index, &replicas, |_| true).is_some() {
            let words = "damaged entries are left in a cluster that is stuck, in which no two replicas could have repaired them";
            return Err(Box::new(Verdict::unknown(words)));
        }
        if settled == 0 && unsettled > 0 {
            return Err(Box::new(Verdict::unknown(format!(
                "{} reported too late in the run to be repaired",
                counted(unsettled, "damaged entry")
            ))));
        }
        Ok(settled)
    })
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Result<(Vec<Replica>, u64), Box<Verdict>> {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut replicas = vec![Replica::default(); index.replicas()];
    let slots = log_slots(index);
    let mut settled = 0;
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        let Some(replica) = replicas.get_mut(usize::from(table.replica[row])) else { continue };
        match event {
            Event::CorruptionDetected => {
                let Some(op) = table.op.get(row) else { continue };
                let is_scrubbed = replica.read.take() == Some(op);
                // The slot may have been given up, or used again, while it was being read.
                let is_needed =
                    if is_scrubbed { op <= replica.head && replica.head < op.saturating_add(slots) } else { op > replica.covered };
                if is_needed && !replica.reports.iter().any(|report| table.op.0[*report] == op) {
                    replica.reports.push(row);
                    replica.scrubbed.extend(is_scrubbed.then_some(row));
                }
                continue;
            }
            Event::ScrubRead => {
                replica.read = table.op.get(row);
                continue;
            }
            Event::Crashed | Event::Paused => replica.stopped = true,
            Event::Started | Event::Restarted | Event::Resumed => {
                (replica.stopped, replica.since_ns) = (false, table.time_ns[row]);
            }
            Event::CheckpointDurable | Event::StateInstalled => {
                replica.covered = replica.covered.max(table.op.get(row).unwrap_or(0));
            }
            _ => {}
        }
        if event == Event::Restarted {
            replica.covered = table.commit[row];
        }
        let op = table.op.get(row).unwrap_or(0);
        replica.follow_head(event, op);
        if replica.reports.is_empty() {
            continue;
        }
        let before = replica.reports.len();
        replica.reports.retain(|report| {
            let damaged = table.op.0[*report];
            let is_scrubbed = replica.scrubbed.contains(report);
            !match event {
                Event::EntryAppended => damaged.saturating_add(slots) <= op,
                Event::Repaired | Event::EntryDurable | Event::EntryTruncated => damaged == op,
                Event::CheckpointDurable => damaged <= op && !is_scrubbed,
                Event::StateInstalled => damaged <= op,
                Event::ViewEntered => damaged > op,
                Event::Started | Event::Restarted => true,
                _ => false,
            }
        });
        settled += (before - replica.reports.len()) as u64;
    }
    Ok((replicas, settled))
}

impl Replica {
    fn follow_head(&mut self, event: Event, op: u64) {
        match event {
            Event::EntryAppended | Event::StateInstalled => self.head = self.head.max(op),
            Event::EntryTruncated => self.head = self.head.min(op.saturating_sub(1)),
            Event::Started | Event::Restarted | Event::ViewEntered => self.head = op,
            _ => {}
        }
    }
}

/// Slots of the ring; so many that none is used again when the options do not say.
fn log_slots(index: &RunIndex<'_>) -> u64 {
    let options: serde_json::Value = serde_json::from_str(&index.meta().options).unwrap_or_default();
    options.pointer("/cluster/log_slots").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX)
}

/// The first report, of the replicas that count, that there was time enough to settle.
fn late(index: &RunIndex<'_>, replicas: &[Replica], counts: impl Fn(u8) -> bool) -> Option<usize> {
    let (table, meta) = (index.transitions(), index.meta());
    let healed_ns = meta.heal_time_ns?;
    let replicas = || (0_u8..).zip(replicas).filter(|(number, _)| counts(*number)).map(|(_, replica)| replica);
    if matches!(meta.ended, Ended::Completed | Ended::EventLimit) {
        return replicas().filter(|replica| !replica.stopped).flat_map(|replica| &replica.reports).copied().min();
    }
    let passed = |since_ns: u64| meta.end_time_ns.saturating_sub(since_ns);
    let running = replicas().filter(|replica| !replica.stopped && passed(replica.since_ns.max(healed_ns)) >= HEALED_NS_MIN);
    running.flat_map(|replica| &replica.reports).copied().filter(|row| passed(table.time_ns[*row]) >= REPORTED_NS_MIN).min()
}

/// Whether a replica, and another one that it could have asked, ended normal.
fn could_repair(index: &RunIndex<'_>, replica: u8) -> bool {
    let table = index.transitions();
    let is_normal = |replica: u8| {
        let last = index.transition_rows().rfind(|row| table.replica[*row] == replica);
        last.is_some_and(|row| table.status.get(row) == Status::Normal)
    };
    is_normal(replica) && (0..u8::MAX).take(index.replicas()).any(|peer| peer != replica && is_normal(peer))
}

fn left_lying(index: &RunIndex<'_>, row: usize) -> Witness {
    let table = index.transitions();
    let (replica, op) = (table.replica[row], table.op.0[row]);
    let passed_ms = index.meta().end_time_ns.saturating_sub(table.time_ns[row]) / 1_000_000;
    let summary = format!("replica {replica} found op {op} damaged and has not repaired it in the {passed_ms} ms to the end of the run");
    Witness::new("damage_left_lying", summary).step(index.transition_step(row, format!("replica {replica} finds op {op} damaged")))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Ended, Status, TransitionEvent as Event};

    const NAME: &str = "repair_completion";

    /// A run that is healed early and does not settle, in which replica 1 finds op 3 damaged.
    fn story() -> Story {
        let mut story = Story::clean(4);
        story.run.ended = Ended::TimeLimit;
        story.run.heal_time_ns = Some(50_000_000);
        story.event(1, Event::CorruptionDetected, |row| row.op = Some(3));
        story
    }

    fn end(mut story: Story) -> Story {
        (0..600_000).for_each(|_| {
            story.tick();
        });
        story
    }

    #[test]
    fn damage_that_is_written_over_or_needed_no_more_is_a_fact() {
        for (event, op) in [
            (Event::Repaired, 3),
            (Event::EntryDurable, 3),
            (Event::EntryTruncated, 3),
            (Event::CheckpointDurable, 4),
            (Event::StateInstalled, 3),
            (Event::ViewEntered, 2),
            (Event::Restarted, 4),
        ] {
            let mut story = story();
            story.event(1, event, |row| row.op = Some(op));
            assert_eq!(end(story).verdict(NAME).facts(), 1, "{event}");
        }
    }

    #[test]
    fn damage_that_is_left_lying_is_a_violation() {
        let mut story = story();
        story.event(1, Event::Repaired, |row| row.op = Some(2));
        story.event(2, Event::Repaired, |row| row.op = Some(3));
        story.event(1, Event::ViewEntered, |row| row.op = Some(3));
        let verdict = end(story).verdict(NAME);
        assert_eq!(verdict.witness().expect("nothing repaired op 3").shape, "damage_left_lying");
    }

    #[test]
    fn a_run_that_has_settled_leaves_no_damage_however_short_it_was() {
        let mut story = story();
        story.run.ended = Ended::EventLimit;
        assert!(story.verdict(NAME).is_violation());
        let mut down = story.clone();
        down.event(1, Event::Crashed, |row| row.status = Status::Down);
        assert_eq!(down.verdict(NAME).name(), "unknown");
        story.event(1, Event::Repaired, |row| row.op = Some(3));
        assert_eq!(story.verdict(NAME).facts(), 1);
    }

    #[test]
    fn a_stuck_run_is_judged_where_repairs_were_possible() {
        let mut story = end(story());
        story.run.ended = Ended::Stuck;
        assert!(story.verdict(NAME).is_violation());
        let mut alone = story.clone();
        for replica in [0, 2] {
            alone.event(replica, Event::StatusChanged, |row| row.status = Status::ViewChange);
        }
        assert_eq!(alone.verdict(NAME).name(), "unknown");
        story.event(1, Event::StatusChanged, |row| row.status = Status::Recovering);
        assert_eq!(story.verdict(NAME).name(), "unknown");
    }

    #[test]
    fn damage_below_the_checkpoint_needs_no_repair() {
        let mut story = Story::clean(4);
        story.run.heal_time_ns = Some(50_000_000);
        story.crash(1);
        story.restart(1, |state| state.commit = 3);
        let report = story.event(1, Event::CorruptionDetected, |row| row.op = Some(3));
        let mut story = end(story);
        assert_eq!(story.verdict(NAME).name(), "not_applicable");
        story.transitions[report].op = Some(4);
        assert!(story.verdict(NAME).is_violation());
    }

    #[test]
    fn what_a_scrubber_found_is_settled_by_no_checkpoint_but_by_the_next_entry_of_its_slot() {
        let mut story = Story::clean(4);
        story.run.heal_time_ns = Some(50_000_000);
        story.event(1, Event::ScrubRead, |row| row.op = Some(3));
        story.event(1, Event::CorruptionDetected, |row| row.op = Some(3));
        story.event(1, Event::CheckpointDurable, |row| row.op = Some(4));
        assert!(story.verdict(NAME).is_violation());
        let mut repaired = story.clone();
        repaired.event(1, Event::Repaired, |row| row.op = Some(3));
        assert_eq!(repaired.verdict(NAME).facts(), 1);
        story.run.options = r#"{"cluster":{"log_slots":4}}"#.to_owned();
        story.replicate(5, 0);
        story.replicate(6, 0);
        assert!(story.verdict(NAME).is_violation(), "another slot");
        story.replicate(7, 0);
        assert_eq!(story.verdict(NAME).facts(), 1);
        // What was read in vain, because the slot had been used again meanwhile, is nothing that is missing.
        story.event(1, Event::ScrubRead, |row| row.op = Some(3));
        story.event(1, Event::CorruptionDetected, |row| row.op = Some(3));
        assert_eq!(story.verdict(NAME).facts(), 1);
    }

    #[test]
    fn without_time_or_without_the_replica_it_is_unknown() {
        assert_eq!(story().verdict(NAME).name(), "unknown");
        let mut never_healed = end(story());
        never_healed.run.heal_time_ns = None;
        assert_eq!(never_healed.verdict(NAME).name(), "unknown");
        let mut down = story();
        down.event(1, Event::Crashed, |row| row.status = Status::Down);
        assert_eq!(end(down).verdict(NAME).name(), "unknown");
        let mut late = end(Story::clean(4));
        late.run.ended = Ended::TimeLimit;
        late.run.heal_time_ns = Some(50_000_000);
        late.event(1, Event::CorruptionDetected, |row| row.op = Some(3));
        assert_eq!(late.verdict(NAME).name(), "unknown");
    }

    #[test]
    fn no_damage_is_not_applicable_and_a_cut_off_run_is_not_judged() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut copies = Story::clean(3);
        copies.event(1, Event::CorruptionDetected, |row| row.op = None);
        assert_eq!(end(copies).verdict(NAME).name(), "not_applicable");
        let story = end(story());
        let seq = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(seq).verdict(NAME).name(), "not_applicable");
    }
}
