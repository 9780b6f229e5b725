//! `scrub_rate`: a scrubber reads at most ten places per tick, and its ticks keep their distance.
//!
//! A scrubber has all the time in the world; whoever waits for a disk that it keeps busy has not.
//!
//! **Formally.** Per incarnation of a replica: (1) between two ticks of its scrubber (`timer_fired` with detail `scrub`) lie at most 10
//! `scrub_read`; before the first tick none. (2) Two ticks are at least nine tenths of the interval apart that the run's options name.
//!
//! **Evidence.** run: options (`cluster.scrub_tick_ns`, `time_compression`; without them only (1) is checked). transition: replica,
//! event, detail.
//!
//! **Deliberately not checked.** What the reads cost others: that is measured, run against run, by a test of the simulator.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Detail, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "scrub_rate",
    version: 1,
    category: Category::Storage,
    reads: &[Reads { kind: Kind::Run, columns: &["options"] }, Reads { kind: Kind::Transition, columns: &["replica", "event", "detail"] }],
    statement: "a scrubber reads at most ten places per tick",
    because_of: &[],
    check,
};

/// Reads of one tick, at most.
const READS_MAX: u32 = 10;

const EVENTS: EventSet = EventSet::of(&[Event::Started, Event::Restarted, Event::TimerFired, Event::ScrubRead]);

/// Since the last tick of one incarnation.
#[derive(Clone, Copy, Default)]
struct Scrubber {
    tick: Option<usize>,
    reads: u32,
}

/// The time between two ticks in this run, nanoseconds, if its options say it.
pub(super) fn tick_ns(index: &RunIndex<'_>) -> Option<u64> {
    let options: serde_json::Value = serde_json::from_str(&index.meta().options).ok()?;
    let number = |path: &str| options.pointer(path).and_then(serde_json::Value::as_u64);
    let nominal = number("/cluster/scrub_tick_ns").filter(|tick_ns| *tick_ns > 0)?;
    Some(nominal / number("/time_compression").unwrap_or(1).max(1))
}

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no scrubber read anything", || follow(index, meter))
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let apart_ns = tick_ns(index).unwrap_or(0) / 10 * 9;
    let mut ticker = meter.ticker();
    let mut scrubbers = vec![Scrubber::default(); index.replicas()];
    let mut facts = 0;
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        let number = table.replica[row];
        let Some(scrubber) = scrubbers.get_mut(usize::from(number)) else { continue };
        match event {
            Event::ScrubRead => {
                facts += 1;
                scrubber.reads += 1;
                let limit = if scrubber.tick.is_some() { READS_MAX } else { 0 };
                if scrubber.reads > limit {
                    let summary = format!("the scrubber of replica {number} read {} places in one tick, more than {limit}", scrubber.reads);
                    return Err(witness(index, "too_many_reads", summary, scrubber.tick, (row, "one read too many")).into());
                }
            }
            Event::TimerFired if table.detail.get(row) == Some(Detail::ScrubTimer) => {
                let since_ns = scrubber.tick.map_or(u64::MAX, |tick| table.time_ns[row].saturating_sub(table.time_ns[tick]));
                if since_ns < apart_ns {
                    let summary = format!("the scrubber of replica {number} ticked again after {since_ns} ns");
                    return Err(witness(index, "ticks_too_fast", summary, scrubber.tick, (row, "the next tick")).into());
                }
                *scrubber = Scrubber { tick: Some(row), reads: 0 };
            }
            Event::TimerFired => {}
            _ => *scrubber = Scrubber::default(),
        }
    }
    Ok(facts)
}

fn witness(index: &RunIndex<'_>, shape: &str, summary: String, tick: Option<usize>, (row, what): (usize, &str)) -> Witness {
    Witness::new(shape, summary).step_if(tick.map(|tick| index.transition_step(tick, "a tick"))).step(index.transition_step(row, what))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Detail, TransitionEvent as Event};

    const NAME: &str = "scrub_rate";

    fn tick(story: &mut Story, reads: u64) {
        story.event(1, Event::TimerFired, |row| row.detail = Some(Detail::ScrubTimer));
        for op in 1..=reads {
            story.event(1, Event::ScrubRead, |row| row.op = Some(op));
        }
    }

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn ten_reads_per_tick_are_facts() {
        let mut story = Story::clean(4);
        tick(&mut story, 10);
        tick(&mut story, 3);
        assert_eq!(story.verdict(NAME).facts(), 13);
        // Other timers are no ticks, and other replicas have ticks of their own.
        story.event(1, Event::TimerFired, |row| row.detail = Some(Detail::RepairTimer));
        story.event(2, Event::TimerFired, |row| row.detail = Some(Detail::ScrubTimer));
        for op in 1..=8 {
            story.event(1, Event::ScrubRead, |row| row.op = Some(op));
        }
        assert_eq!(shape(&story), "too_many_reads");
    }

    #[test]
    fn an_eleventh_read_is_a_violation_and_so_is_one_without_a_tick() {
        let mut story = Story::clean(4);
        tick(&mut story, 11);
        assert_eq!(shape(&story), "too_many_reads");
        let mut story = Story::clean(4);
        tick(&mut story, 1);
        story.crash(1);
        story.restart(1, |_| {});
        story.event(1, Event::ScrubRead, |_| {});
        assert_eq!(shape(&story), "too_many_reads");
    }

    #[test]
    fn ticks_keep_their_distance() {
        let mut story = Story::clean(4);
        tick(&mut story, 9);
        tick(&mut story, 9);
        story.run.options = r#"{"cluster":{"scrub_tick_ns":50000},"time_compression":5}"#.to_owned();
        assert!(story.verdict(NAME).is_pass(), "ten microseconds apart");
        story.run.options = r#"{"cluster":{"scrub_tick_ns":60000},"time_compression":5}"#.to_owned();
        assert_eq!(shape(&story), "ticks_too_fast");
    }

    #[test]
    fn without_a_scrubber_it_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut story = Story::clean(4);
        tick(&mut story, 11);
        let last = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(last).verdict(NAME).facts(), 10);
    }
}
