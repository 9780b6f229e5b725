//! `clock`: the timestamps of a log rise strictly, none is ahead of true time by more than its clock could be, and who stamps knows the
//! time.
//!
//! Commands may use the timestamp of their entry as the time; a time that stands still, goes back or lies in the future breaks leases
//! and expiries on every replica at once.
//!
//! **Formally.** (1) All rows about one entry that carry a timestamp carry the same one. (2) An entry's timestamp is larger than that of
//! the entry before it (by `previous_hash`). (3) A `timestamp_assigned` at time t is at most t + s + n nanoseconds, where s is the
//! largest sum, over replicas, of all that recorded faults may have put that replica's clock ahead by t (positive `clock_offset` and
//! `clock_step`, and positive `clock_drift` since it began), and n is the op number: a primary whose clock is behind adds one
//! nanosecond to the entry before. (4) Let a `clock_synchronised` of replica r stand at time t. Call a member of its `quorum` right if
//! from t - 11 s to t its clock was, by the recorded faults, at most 500 ms from true time, and no pong from it that r received in that
//! time had its reading changed (`clock_sample`). If more than half of the voters are right (in a later epoch than 0: of
//! all replicas, which is at least as many), then `clock_low_ns` <= t <=
//! `clock_high_ns`: that is what Marzullo's interval promises, whatever the others say. (5) In a run with any `clock_synchronised`, who
//! stamps an entry without `detail` has a `clock_synchronised` at most 30 s before, and no `clock_lost` since. Who stamps one with the
//! detail `clock_unsynchronised` (the fallback) has none in force, and has had none for at least 2 s; or it has never had one, was never
//! restarted, is in view 0 and started at most 3 s before. All these times are divided by the run's time compression, and measured by
//! a replica's own clock: a thousandth is forgiven.
//!
//! **Evidence.** run: options (`time_compression`), `heal_time_ns`. transition: replica, event, view, op, `entry_hash`, `previous_hash`,
//! timestamp, quorum, detail, and, where the file has them, `clock_low_ns`, `clock_high_ns`. message: command, from, to, mutation, fate,
//! `fate_time_ns`. fault: fault, target, magnitude, `end_time_ns`. (`time_ns` is true time: no replica sees it.)
//!
//! **Deliberately not checked.** Intervals for which fewer than a quorum of the compared clocks was right: then they may be anywhere.
//! That nobody else knew the time when a primary fell back: it can only know what it has heard. That a timestamp lies inside the
//! interval: it follows the log where that is ahead. Timestamps of 0 may repeat: a clock that is behind by more than the run is old is
//! recorded as 0.

mod skews;
mod synchronised;

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{FaultKind, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "clock",
    version: 2,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options", "heal_time_ns"] },
        Reads { kind: Kind::Message, columns: &["command", "from", "to", "mutation", "fate", "fate_time_ns"] },
        Reads {
            kind: Kind::Transition,
            columns: &["replica", "event", "view", "op", "entry_hash", "previous_hash", "timestamp", "quorum", "detail"],
        },
        Reads { kind: Kind::Fault, columns: &["fault", "target", "magnitude", "end_time_ns"] },
    ],
    statement: "timestamps rise strictly along the log, are ahead of true time by no more than recorded clock faults allow, and come from \
                replicas that know the time; an interval that enough right clocks agree on contains true time",
    because_of: &["hash_chain", "vsr_agreement"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no entry carries a timestamp, and no clock is synchronised", || {
        let of_the_log = rising(index, meter)? + not_ahead(index, meter)?;
        Ok(of_the_log + synchronised::intervals(index, meter)? + synchronised::stamps(index, meter)?)
    })
}

const STAMPED: EventSet = EventSet::of(&[Event::EntryAppended, Event::Applied]);

/// One timestamp per entry, larger than that of the entry before.
fn rising(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, entries) = (index.transitions(), index.entries());
    let mut ticker = meter.ticker();
    // Per entry the row that showed its timestamp first, as row + 1.
    let mut shown = vec![0_usize; entries.len()];
    let mut facts = 0;
    for (row, _) in index.events(STAMPED) {
        ticker.step()?;
        let timestamp = table.timestamp.0[row];
        let Some(entry) = entries.of_row(row).filter(|_| timestamp != u64::NONE) else { continue };
        let first = shown[entry.index()];
        if first == 0 {
            shown[entry.index()] = row + 1;
        } else if table.timestamp.0[first - 1] != timestamp {
            let summary = format!("the entry of op {} carries two timestamps", table.op.0[row]);
            return Err(pair(index, "two_timestamps_of_one_entry", summary, first - 1, row).into());
        }
    }
    for (number, first) in shown.iter().enumerate() {
        ticker.step()?;
        let entry = EntryId(u32::try_from(number).unwrap_or(u32::MAX));
        let before = entries.parent(entry).map_or(0, |parent| shown[parent.index()]);
        if *first == 0 || before == 0 {
            continue;
        }
        facts += 1;
        let (earlier, later) = (table.timestamp.0[before - 1], table.timestamp.0[first - 1]);
        if later < earlier || (later == earlier && later != 0) {
            let op = entries.op(entry);
            let summary = format!("the timestamp of op {op} is {later} ns, that of the op before it {earlier} ns");
            return Err(pair(index, "timestamp_does_not_rise", summary, before - 1, first - 1).into());
        }
    }
    Ok(facts)
}

fn pair(index: &RunIndex<'_>, shape: &str, summary: String, first: usize, second: usize) -> Witness {
    let table = index.transitions();
    let step = |row: usize| {
        let (replica, op, timestamp) = (table.replica[row], table.op.0[row], table.timestamp.0[row]);
        index.transition_step(row, format!("replica {replica}: {} op {op}, timestamp {timestamp} ns", table.event.get(row)))
    };
    Witness::new(shape, summary).step(step(first)).step(step(second))
}

/// How far a replica's clock may be ahead.
#[derive(Clone, Copy, Default)]
struct Ahead {
    /// By offsets and steps, nanoseconds.
    constant_ns: f64,
    /// Sum of all drifts, parts per million, and the sum of their products with the times at which they began.
    drift_ppm: f64,
    drift_begun: f64,
}

impl Ahead {
    fn at(self, time_ns: f64) -> f64 {
        self.constant_ns + (self.drift_ppm * time_ns - self.drift_begun) / 1e6
    }
}

/// No assigned timestamp is in the future.
#[expect(clippy::cast_precision_loss, reason = "virtual times stay below 2^53 nanoseconds, which is a hundred days")]
fn not_ahead(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, faults) = (index.transitions(), index.faults());
    let mut ticker = meter.ticker();
    let mut replicas = vec![Ahead::default(); index.replicas()];
    let mut begun = index.fault_rows().filter(|row| is_clock_fault(faults.fault.get(*row))).peekable();
    let mut facts = 0;
    for (row, _) in index.events(EventSet::of(&[Event::TimestampAssigned])) {
        ticker.step()?;
        let Some(timestamp) = table.timestamp.get(row) else { continue };
        while let Some(fault) = begun.next_if(|fault| faults.seq[*fault] < table.seq[row]) {
            let target = faults.target.get(fault).and_then(|target| replicas.get_mut(target as usize));
            let (Some(ahead), magnitude) = (target, faults.magnitude[fault].max(0.0)) else { continue };
            if faults.fault.get(fault) == FaultKind::ClockDrift {
                ahead.drift_ppm += magnitude;
                ahead.drift_begun += magnitude * faults.time_ns[fault] as f64;
            } else {
                ahead.constant_ns += magnitude;
            }
        }
        facts += 1;
        let now_ns = table.time_ns[row];
        let op = table.op.get(row).unwrap_or(0);
        let allowed_ns = replicas.iter().map(|ahead| ahead.at(now_ns as f64)).fold(0.0, f64::max).ceil();
        if timestamp as f64 > now_ns as f64 + allowed_ns + op as f64 {
            let summary = format!(
                "op {op} was stamped {timestamp} ns at {now_ns} ns, though no clock of the run may have \
                 been ahead by more than {allowed_ns} ns"
            );
            let words = format!("replica {} stamps op {op} with {timestamp} ns", table.replica[row]);
            return Err(Witness::new("timestamp_in_the_future", summary).step(index.transition_step(row, words)).into());
        }
    }
    Ok(facts)
}

fn is_clock_fault(fault: FaultKind) -> bool {
    matches!(fault, FaultKind::ClockOffset | FaultKind::ClockStep | FaultKind::ClockDrift)
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, Detail, Fate, FaultKind, FaultRow, MessageRow, Mutation, TransitionEvent as Event};

    const NAME: &str = "clock";

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn assign(story: &mut Story, op: u64, ahead_ns: u64) {
        story.event(0, Event::TimestampAssigned, |row| (row.op, row.timestamp) = (Some(op), Some(row.time_ns + ahead_ns)));
    }

    fn fault(story: &mut Story, fault: FaultKind, magnitude: f64) {
        let seq = story.tick();
        story.faults.push(FaultRow { seq, time_ns: seq * 1000, fault, target: Some(0), magnitude, ..FaultRow::default() });
    }

    #[test]
    fn rising_timestamps_and_honest_clocks_are_facts() {
        let mut story = Story::clean(4);
        assert_eq!(story.verdict(NAME).facts(), 3);
        assign(&mut story, 5, 5);
        assert_eq!(story.verdict(NAME).facts(), 4);
    }

    #[test]
    fn timestamps_that_stand_still_or_differ_are_violations() {
        let mut still = Story::clean(2);
        still.transitions.iter_mut().for_each(|row| row.timestamp = row.timestamp.map(|_| 7));
        assert_eq!(shape(&still), "timestamp_does_not_rise");
        still.transitions.iter_mut().for_each(|row| row.timestamp = row.timestamp.map(|_| 0));
        assert!(still.verdict(NAME).is_pass());
        let mut two = Story::clean(2);
        let last = two.transitions.iter().rposition(|row| row.event == Event::Applied).unwrap();
        two.transitions[last].timestamp = Some(99);
        assert_eq!(shape(&two), "two_timestamps_of_one_entry");
    }

    #[test]
    fn a_timestamp_may_be_ahead_only_as_far_as_clock_faults_allow() {
        let mut story = Story::clean(2);
        assign(&mut story, 3, 2_000);
        assert_eq!(shape(&story), "timestamp_in_the_future");
        let mut excused = Story::clean(2);
        fault(&mut excused, FaultKind::ClockOffset, -9_000.0);
        fault(&mut excused, FaultKind::ClockStep, 1_500.0);
        fault(&mut excused, FaultKind::ClockOffset, 500.0);
        assign(&mut excused, 3, 2_000);
        assert!(excused.verdict(NAME).is_pass());
        assign(&mut excused, 4, 2_100);
        assert_eq!(shape(&excused), "timestamp_in_the_future");
        let mut drifting = Story::clean(2);
        fault(&mut drifting, FaultKind::ClockDrift, 500_000.0);
        (0..10).for_each(|_| {
            drifting.tick();
        });
        assign(&mut drifting, 3, 5_000);
        assert!(drifting.verdict(NAME).is_pass());
    }

    fn know(story: &mut Story, replica: u8, below_ns: u64, above_ns: u64) {
        story.event(replica, Event::ClockSynchronised, |row| {
            (row.clock_low_ns, row.clock_high_ns) = (Some(row.time_ns - below_ns), Some(row.time_ns + above_ns));
            row.quorum = Some(0b111);
        });
    }

    fn assign_by_fallback(story: &mut Story, op: u64) {
        story.event(0, Event::TimestampAssigned, |row| {
            (row.op, row.timestamp, row.detail) = (Some(op), Some(row.time_ns), Some(Detail::ClockUnsynchronised));
        });
    }

    /// Lets nominal milliseconds pass in a story whose time is compressed a thousandfold: a row is worth a millisecond.
    fn wait(story: &mut Story, ms: u64) {
        story.run.options = r#"{"time_compression":1000}"#.to_owned();
        (0..ms).for_each(|_| {
            story.tick();
        });
    }

    #[test]
    fn an_interval_contains_true_time_while_enough_clocks_are_right() {
        let mut story = Story::clean(2);
        know(&mut story, 0, 10, 20);
        assert_eq!(story.verdict(NAME).facts(), 2);
        story.event(1, Event::ClockSynchronised, |row| {
            (row.clock_low_ns, row.clock_high_ns, row.quorum) = (Some(row.time_ns + 1), Some(row.time_ns + 9), Some(0b110));
        });
        assert_eq!(shape(&story), "true_time_outside_interval");
        // With one of the two wrong, or lying, there is no quorum of right clocks behind it.
        let mut wrong = story.clone();
        let begin = FaultRow { fault: FaultKind::ClockOffset, target: Some(2), magnitude: 6e8, ..FaultRow::default() };
        wrong.faults.push(FaultRow { seq: 1, time_ns: 1000, ..begin });
        assert!(wrong.verdict(NAME).is_pass());
        let mut told = story.clone();
        let (send, arrive) = (told.tick(), told.tick());
        let last = told.transitions.last_mut().unwrap();
        (last.seq, last.time_ns) = (arrive + 1, (arrive + 1) * 1000);
        (last.clock_low_ns, last.clock_high_ns) = (Some(1), Some(2));
        told.tick();
        told.messages.push(MessageRow {
            seq: send,
            time_ns: send * 1000,
            id: 900,
            command: Command::Pong,
            from: 2,
            to: 1,
            mutation: Some(Mutation::ClockSample),
            fate: Fate::Delivered,
            fate_seq: Some(arrive),
            fate_time_ns: Some(arrive * 1000),
            ..MessageRow::default()
        });
        assert!(told.verdict(NAME).is_pass(), "{:?}", told.verdict(NAME));
        told.messages.last_mut().unwrap().mutation = Some(Mutation::ClockSampleWithheld);
        assert_eq!(shape(&told), "true_time_outside_interval");
    }

    #[test]
    fn who_stamps_knows_the_time() {
        let mut story = Story::clean(2);
        know(&mut story, 0, 10, 20);
        assign(&mut story, 3, 0);
        assert!(story.verdict(NAME).is_pass());
        story.event(0, Event::ClockLost, |row| row.detail = Some(Detail::ClockStepped));
        assign(&mut story, 4, 0);
        assert_eq!(shape(&story), "stamped_without_knowing_the_time");
        let mut old = Story::clean(2);
        know(&mut old, 0, 10, 20);
        wait(&mut old, 29_000);
        assign(&mut old, 3, 0);
        assert!(old.verdict(NAME).is_pass());
        wait(&mut old, 1_100);
        assign(&mut old, 4, 0);
        assert_eq!(shape(&old), "stamped_after_the_epoch_limit");
    }

    #[test]
    fn who_falls_back_has_waited_or_has_only_just_begun() {
        let mut story = Story::clean(2);
        wait(&mut story, 100);
        assign_by_fallback(&mut story, 3);
        know(&mut story, 0, 10, 20);
        assert!(story.verdict(NAME).is_pass());
        let mut known = story.clone();
        assign_by_fallback(&mut known, 4);
        assert_eq!(shape(&known), "fallback_of_a_synchronised_clock");
        story.event(0, Event::ClockLost, |row| row.detail = Some(Detail::ClockExpired));
        let mut early = story.clone();
        wait(&mut early, 1_900);
        assign_by_fallback(&mut early, 4);
        assert_eq!(shape(&early), "fallback_too_early");
        wait(&mut story, 2_000);
        assign_by_fallback(&mut story, 4);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn no_timestamps_are_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        let mut story = Story::clean(3);
        assign(&mut story, 4, 9_000);
        let seq = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(seq).verdict(NAME).facts(), 2);
    }
}
