//! `scrub_tour`: a scrubber sees everything that lies on its disk in each tour, and ends each tour within its window.
//!
//! Latent damage is harmless as long as it is found before the other copies go bad too: so nothing may be passed over, and nothing may wait
//! for ever.
//!
//! **Formally.** A tour of an incarnation lasts from its start, or from a `tour_completed`, to the next `tour_completed`. (1) Each op n
//! that the replica had made durable (`entry_durable`, `repaired`) before the tour began and that lay there unchanged until the tour ended
//! has a `scrub_read` in it. Changed means: written again, found damaged (`corruption_detected`), truncated, covered by a `state_installed`,
//! or out of the ring (n + `log_slots` is not above the highest head). (2) A tour, the last and unfinished one included, lasts at most
//! 2 (p / 10 + 10) ticks, p being the number of places on the disk; the first one counts from the first durable entry. A tour during
//! which the replica was paused or gray, or its disk slow or failing, is not timed.
//!
//! **Evidence.** run: options (`cluster.log_slots`, `cluster.scrub_tick_ns`, `time_compression`; without them (2) is not checked, and no
//! entry leaves the ring), `end_time_ns`. transition: replica, event, op. fault: fault, target, `end_time_ns`.
//!
//! **Deliberately not checked.** What a restart found: which slots held what is not recorded then, so such an entry is looked for only once
//! it has been written again. Checkpoints and superblocks: their reads have no number.

use super::scrub_rate::tick_ns;
use crate::budget::Meter;
use crate::index::{EventSet, Grid, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{FaultKind, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "scrub_tour",
    version: 1,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options", "end_time_ns"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target", "end_time_ns"] },
    ],
    statement: "a tour of the scrubber sees every entry on the disk, and ends inside its window",
    because_of: &[],
    check,
};

/// Places that are no slots: a checkpoint and two copies of the superblock.
const PLACES_BEHIND_THE_LOG: u64 = 3;
/// Reads per tick.
const READS_PER_TICK: u64 = 10;
/// How long a single failure of the disk holds up what waits for it, nanoseconds.
const FAILURE_NS: u64 = 500_000_000;

const EVENTS: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::Crashed,
    Event::Paused,
    Event::Resumed,
    Event::EntryAppended,
    Event::EntryDurable,
    Event::Repaired,
    Event::EntryTruncated,
    Event::CorruptionDetected,
    Event::StateInstalled,
    Event::ViewEntered,
    Event::ScrubRead,
    Event::TourCompleted,
]);

/// One incarnation's tour.
#[derive(Clone, Copy, Default)]
struct Tour {
    /// Position at which it began.
    began_seq: u64,
    /// The row from which it is timed; none while there is nothing to see, or nobody to see it.
    timed_from: Option<usize>,
    /// The highest head so far.
    reach: u64,
}

struct Tours<'a, 'h> {
    index: &'a RunIndex<'h>,
    slots: Option<u64>,
    window_ns: Option<u64>,
    open: Vec<Tour>,
    /// Per replica and op, the position from which on the entry lies there unchanged; 0: it does not.
    whole_from: Grid<u64>,
    /// Per replica and op, the position of its last read.
    read: Grid<u64>,
    /// Per replica, when something held its disk or process up: from and to, nanoseconds.
    held_up: Vec<Vec<(u64, u64)>>,
    ended: u64,
}

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no scrubber ended a tour", || follow(index, meter))
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let slots = slots(index);
    let window_ns = tick_ns(index).zip(slots).map(|(tick_ns, slots)| {
        let ticks = (slots + PLACES_BEHIND_THE_LOG).div_ceil(READS_PER_TICK) + 10;
        tick_ns.saturating_mul(2 * ticks)
    });
    let mut tours = Tours {
        index,
        slots,
        window_ns,
        open: vec![Tour::default(); index.replicas()],
        whole_from: Grid::new(index.replicas(), index.ops(), 0),
        read: Grid::new(index.replicas(), index.ops(), 0),
        held_up: held_up(index),
        ended: 0,
    };
    let mut ticker = meter.ticker();
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        tours.row(row, event)?;
    }
    let end_ns = index.meta().end_time_ns;
    for number in 0..tours.open.len() {
        tours.timed(number, end_ns, None)?;
    }
    Ok(tours.ended)
}

fn slots(index: &RunIndex<'_>) -> Option<u64> {
    let options: serde_json::Value = serde_json::from_str(&index.meta().options).ok()?;
    options.pointer("/cluster/log_slots")?.as_u64()
}

fn held_up(index: &RunIndex<'_>) -> Vec<Vec<(u64, u64)>> {
    let table = index.faults();
    let mut held_up = vec![Vec::new(); index.replicas()];
    for row in index.fault_rows() {
        let lasts = match table.fault.get(row) {
            FaultKind::SlowDisk
            | FaultKind::GraySlow
            | FaultKind::GrayIntermittent
            | FaultKind::GrayPartial
            | FaultKind::GrayUnresponsive
            | FaultKind::Pause => table.end_time_ns.get(row).unwrap_or(u64::MAX),
            FaultKind::WriteFailure | FaultKind::FlushFailure | FaultKind::ReadFailure => table.time_ns[row].saturating_add(FAILURE_NS),
            _ => continue,
        };
        let target = table.target.get(row).and_then(|target| usize::try_from(target).ok());
        if let Some(times) = target.and_then(|target| held_up.get_mut(target)) {
            times.push((table.time_ns[row], lasts));
        }
    }
    held_up
}

impl Tours<'_, '_> {
    fn row(&mut self, row: usize, event: Event) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let (number, seq) = (table.replica[row], table.seq[row]);
        let op = table.op.get(row);
        let Some(tour) = self.open.get_mut(usize::from(number)) else { return Ok(()) };
        match event {
            Event::Started | Event::Restarted => {
                *tour = Tour { began_seq: seq, timed_from: None, reach: op.unwrap_or(0) };
                self.whole_from.row_mut(number).fill(0);
            }
            Event::Crashed | Event::Paused => {
                self.timed(usize::from(number), table.time_ns[row], Some(row))?;
                self.open[usize::from(number)].timed_from = None;
            }
            Event::Resumed => tour.timed_from = Some(row),
            Event::EntryDurable | Event::Repaired => {
                tour.timed_from.get_or_insert(row);
                self.whole_from.set(number, op.unwrap_or(0), seq);
            }
            Event::EntryAppended => {
                tour.reach = tour.reach.max(op.unwrap_or(0));
                self.whole_from.set(number, op.unwrap_or(0), 0);
            }
            Event::ViewEntered => tour.reach = tour.reach.max(op.unwrap_or(0)),
            Event::EntryTruncated | Event::CorruptionDetected => self.whole_from.set(number, op.unwrap_or(0), 0),
            Event::StateInstalled => {
                let upto = usize::try_from(op.unwrap_or(0)).unwrap_or(usize::MAX);
                self.whole_from.row_mut(number).iter_mut().take(upto.saturating_add(1)).for_each(|from| *from = 0);
            }
            Event::ScrubRead => self.read.set(number, op.unwrap_or(0), seq),
            _ => self.tour_ended(row)?,
        }
        Ok(())
    }

    fn tour_ended(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let tour = self.open[usize::from(number)];
        self.timed(usize::from(number), table.time_ns[row], Some(row))?;
        let gone = self.slots.map_or(0, |slots| tour.reach.saturating_sub(slots));
        let first = usize::try_from(gone).unwrap_or(usize::MAX).saturating_add(1);
        let whole = self.whole_from.row(number).iter().zip(self.read.row(number)).zip(0_u64..);
        let mut passed_over =
            whole.skip(first).filter(|((from, read), _)| **from > 0 && **from < tour.began_seq && **read < tour.began_seq);
        if let Some((_, op)) = passed_over.next() {
            return Err(self.passed_over(row, op).into());
        }
        self.ended += 1;
        self.open[usize::from(number)] = Tour { began_seq: table.seq[row], timed_from: Some(row), ..tour };
        Ok(())
    }

    /// Looks whether a tour took, or takes, too long.
    fn timed(&self, number: usize, end_ns: u64, end: Option<usize>) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let (Some(window_ns), Some(from)) = (self.window_ns, self.open[number].timed_from) else { return Ok(()) };
        let began_ns = table.time_ns[from];
        let took_ns = end_ns.saturating_sub(began_ns);
        let is_held_up = self.held_up[number].iter().any(|(from_ns, to_ns)| *from_ns <= end_ns && *to_ns >= began_ns);
        if took_ns <= window_ns || is_held_up {
            return Ok(());
        }
        let summary = format!("a tour of the scrubber of replica {number} takes {took_ns} ns, longer than its window of {window_ns} ns");
        let witness = Witness::new("tour_too_long", summary).step(self.index.transition_step(from, "the tour begins"));
        Err(witness.step_if(end.map(|row| self.index.transition_step(row, "it has not ended before"))).into())
    }

    fn passed_over(&self, row: usize, op: u64) -> Witness {
        let table = self.index.transitions();
        let number = table.replica[row];
        let written = self.whole_from.get(number, op).and_then(|seq| self.index.transition_rows().find(|other| table.seq[*other] == seq));
        Witness::new("entry_passed_over", format!("the scrubber of replica {number} ended a tour without having read op {op}"))
            .step_if(written.map(|row| self.index.transition_step(row, format!("op {op} is on the disk of replica {number}"))))
            .step(self.index.transition_step(row, "the tour ends"))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{FaultFamily, FaultKind, FaultRow, TransitionEvent as Event};

    const NAME: &str = "scrub_tour";

    fn tour(story: &mut Story, ops: impl IntoIterator<Item = u64>) {
        for op in ops {
            story.event(1, Event::ScrubRead, |row| row.op = Some(op));
        }
        story.event(1, Event::TourCompleted, |row| row.op = None);
    }

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    /// Four entries, and a first tour, which nothing is asked of.
    fn story() -> Story {
        let mut story = Story::clean(4);
        tour(&mut story, []);
        story
    }

    #[test]
    fn a_tour_that_sees_everything_is_a_fact() {
        let mut story = story();
        tour(&mut story, 1..=4);
        story.replicate(5, 0);
        tour(&mut story, [4, 3, 2, 1]);
        assert_eq!(story.verdict(NAME).facts(), 3);
        tour(&mut story, 1..=4);
        assert_eq!(shape(&story), "entry_passed_over", "op 5 was there from the beginning of this tour");
    }

    #[test]
    fn what_was_written_or_found_damaged_or_left_need_not_be_seen() {
        for event in [Event::EntryDurable, Event::Repaired, Event::EntryTruncated, Event::CorruptionDetected, Event::StateInstalled] {
            let mut story = story();
            story.event(1, event, |row| row.op = Some(1));
            tour(&mut story, 2..=4);
            assert!(story.verdict(NAME).is_pass(), "{event}");
        }
        let mut other = story();
        other.event(1, Event::EntryTruncated, |row| row.op = Some(2));
        tour(&mut other, 2..=4);
        assert_eq!(shape(&other), "entry_passed_over");
    }

    #[test]
    fn a_slot_that_is_used_again_and_a_restart_ask_for_nothing() {
        let mut ring = Story::clean(5);
        ring.run.options = r#"{"cluster":{"log_slots":4}}"#.to_owned();
        tour(&mut ring, []);
        tour(&mut ring, 2..=5);
        assert!(ring.verdict(NAME).is_pass());
        let mut restarted = story();
        restarted.crash(1);
        restarted.restart(1, |state| state.op = Some(4));
        tour(&mut restarted, []);
        tour(&mut restarted, []);
        assert!(restarted.verdict(NAME).is_pass());
    }

    #[test]
    fn a_tour_ends_inside_its_window_unless_its_disk_is_held_up() {
        let mut story = story();
        // 2 (7 / 10 + 10) ticks: 22 microseconds.
        story.run.options = r#"{"cluster":{"log_slots":4,"scrub_tick_ns":1000}}"#.to_owned();
        (0..30).for_each(|_| {
            story.tick();
        });
        assert_eq!(shape(&story), "tour_too_long", "it is not over at the end");
        let mut ended = story.clone();
        tour(&mut ended, 1..=4);
        assert_eq!(shape(&ended), "tour_too_long");
        let mut slow = story.clone();
        let at = slow.transitions.last().unwrap().time_ns;
        let row = FaultRow { time_ns: at, family: FaultFamily::Storage, fault: FaultKind::SlowDisk, ..FaultRow::default() };
        slow.faults.push(FaultRow { seq: slow.transitions.last().unwrap().seq, target: Some(1), end_time_ns: Some(at + 1), ..row.clone() });
        // Of two others nobody ever says that a tour ended.
        let verdict = slow.verdict(NAME);
        assert!(verdict.witness().is_none_or(|witness| !witness.summary.contains("replica 1")));
        story.faults.push(FaultRow { seq: 1, target: Some(2), end_time_ns: Some(at), ..row });
        assert_eq!(shape(&story), "tour_too_long");
    }

    #[test]
    fn without_a_tour_it_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut story = story();
        tour(&mut story, 2..=4);
        let last = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(last).verdict(NAME).facts(), 1);
        assert_eq!(shape(&story), "entry_passed_over");
    }
}
