//! Of `clock`: what a replica may say of the time, and who may stamp entries.
//!
//! A replica cannot see true time; the history can. When enough of the clocks that it compared were right it has no excuse.

use super::skews::Skews;
use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::verdict::Decision;
use crate::witness::Witness;
use vopr_schema::{Command, Detail, Fate, Mutation, TransitionEvent as Event};

const SECOND: u64 = 1_000_000_000;
/// A right clock is at most this far from true time, nominal nanoseconds.
const TOLERANCE_NS: u64 = SECOND / 2;
/// No sample is older than this, nominal nanoseconds.
const WINDOW_NS: u64 = 10 * SECOND;
/// The first window, in which a cluster that was just formatted takes its primary's clock, nominal nanoseconds.
const FIRST_WINDOW_NS: u64 = 3 * SECOND;
/// An agreement holds no longer than this, nominal nanoseconds.
const EPOCH_NS: u64 = 30 * SECOND;
/// Who has not known the time for so long may fall back, nominal nanoseconds.
const FALLBACK_NS: u64 = 2 * SECOND;
/// A replica measures with its own clock, which may be wrong by so many thousandths.
const RATE_ERROR: u64 = 1;

/// The times above as they are in this run.
#[derive(Clone, Copy)]
struct Limits {
    compression: u64,
}

impl Limits {
    fn of(index: &RunIndex<'_>) -> Self {
        let options: serde_json::Value = serde_json::from_str(&index.meta().options).unwrap_or_default();
        let compression = options.pointer("/time_compression").and_then(serde_json::Value::as_u64);
        Self { compression: compression.unwrap_or(1).max(1) }
    }

    fn at_most(self, nominal_ns: u64) -> u64 {
        let exact = nominal_ns / self.compression;
        exact + exact / 1000 * RATE_ERROR
    }

    fn at_least(self, nominal_ns: u64) -> u64 {
        let exact = nominal_ns / self.compression;
        exact - exact / 1000 * RATE_ERROR
    }
}

/// A false reading of a clock that was delivered.
struct Lie {
    from: u16,
    to: u16,
    time_ns: u64,
}

fn lies(index: &RunIndex<'_>) -> Vec<Lie> {
    let table = index.messages();
    let is_lie = |row: &usize| {
        table.mutation.get(*row) == Some(Mutation::ClockSample)
            && table.command.get(*row) == Command::Pong
            && table.fate.get(*row) == Fate::Delivered
    };
    let lie = |row: usize| Lie { from: table.from[row], to: table.to[row], time_ns: table.fate_time_ns.get(row).unwrap_or(u64::MAX) };
    index.message_rows().filter(is_lie).map(lie).collect()
}

/// An interval contains true time if a quorum of the compared clocks was right for as long as a sample may be old.
#[expect(clippy::cast_precision_loss, reason = "a tolerance of half a second")]
pub(super) fn intervals(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, limits) = (index.transitions(), Limits::of(index));
    let mut ticker = meter.ticker();
    let (mut known, mut facts) = (None, 0);
    for (row, _) in index.events(EventSet::of(&[Event::ClockSynchronised])) {
        ticker.step()?;
        let Some((low_ns, high_ns)) = table.clock_low_ns.get(row).zip(table.clock_high_ns.get(row)) else { continue };
        let (skews, lies) = known.get_or_insert_with(|| (Skews::of(index), lies(index)));
        let (time_ns, replica, sources) = (table.time_ns[row], table.replica[row], table.quorum.get(row).unwrap_or(0));
        // Of a sample the round trip is a part: it may have been asked for a tolerance earlier still.
        let since_ns = time_ns.saturating_sub(limits.at_most(WINDOW_NS + 2 * TOLERANCE_NS));
        let tolerance_ns = (TOLERANCE_NS / limits.compression) as f64;
        let is_right = |member: &usize| {
            let is_of_it =
                |lie: &Lie| usize::from(lie.from) == *member && lie.to == u16::from(replica) && (since_ns..=time_ns).contains(&lie.time_ns);
            sources & (1 << member) != 0 && skews.farthest(*member, since_ns, time_ns) <= tolerance_ns && !lies.iter().any(is_of_it)
        };
        // In a later epoch more members may vote: a majority of all replicas is a quorum of any configuration's size.
        let quorum = if table.epoch[row] == 0 { index.quorum() } else { index.replicas() / 2 + 1 };
        if (0..index.replicas().min(32)).filter(is_right).count() < quorum {
            continue;
        }
        facts += 1;
        if !(low_ns..=high_ns).contains(&time_ns) {
            let summary = format!(
                "replica {replica} takes the time to lie from {low_ns} to {high_ns} ns, though it is {time_ns} ns and a quorum of the \
                 clocks that it compared was right"
            );
            let words = format!("replica {replica} is synchronised: {low_ns} to {high_ns} ns");
            return Err(Witness::new("true_time_outside_interval", summary).step(index.transition_step(row, words)).into());
        }
    }
    Ok(facts)
}

/// What a replica knows of the time.
#[derive(Clone, Copy, Default)]
struct Knowledge {
    /// Row of its last change: a start, a synchronisation, a loss; as row + 1.
    changed: usize,
    /// Since when it knows, or does not.
    since_ns: u64,
    is_known: bool,
    /// Whether this incarnation is the first one of its disk and has never known the time.
    is_new: bool,
}

const CHANGES: EventSet =
    EventSet::of(&[Event::Started, Event::Restarted, Event::ClockSynchronised, Event::ClockLost, Event::TimestampAssigned]);

/// In runs in which clocks are synchronised, who stamps an entry knows the time, or may fall back.
pub(super) fn stamps(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, limits) = (index.transitions(), Limits::of(index));
    if index.events(EventSet::of(&[Event::ClockSynchronised])).next().is_none() {
        return Ok(0);
    }
    let mut ticker = meter.ticker();
    let mut replicas = vec![Knowledge::default(); index.replicas()];
    let mut facts = 0;
    for (row, event) in index.events(CHANGES) {
        ticker.step()?;
        let Some(knows) = replicas.get_mut(usize::from(table.replica[row])) else { continue };
        let time_ns = table.time_ns[row];
        match event {
            Event::Started | Event::Restarted => {
                *knows = Knowledge { changed: row + 1, since_ns: time_ns, is_known: false, is_new: event == Event::Started };
            }
            Event::ClockSynchronised => *knows = Knowledge { changed: row + 1, since_ns: time_ns, is_known: true, is_new: false },
            Event::ClockLost => *knows = Knowledge { changed: row + 1, since_ns: time_ns, is_known: false, is_new: knows.is_new },
            _ => {
                facts += 1;
                let for_ns = time_ns.saturating_sub(knows.since_ns);
                let falls_back = table.detail.get(row) == Some(Detail::ClockUnsynchronised);
                let may = match (falls_back, knows.is_known) {
                    (false, true) => for_ns <= limits.at_most(EPOCH_NS),
                    (true, false) => {
                        let is_first = knows.is_new && table.view[row] == 0 && for_ns <= limits.at_most(FIRST_WINDOW_NS);
                        is_first || for_ns >= limits.at_least(FALLBACK_NS)
                    }
                    _ => false,
                };
                if !may {
                    return Err(stamped(index, row, *knows, falls_back).into());
                }
            }
        }
    }
    Ok(facts)
}

fn stamped(index: &RunIndex<'_>, row: usize, knows: Knowledge, falls_back: bool) -> Witness {
    let table = index.transitions();
    let (replica, op) = (table.replica[row], table.op.get(row).unwrap_or(0));
    let (shape, how) = match (falls_back, knows.is_known) {
        (true, true) => ("fallback_of_a_synchronised_clock", "by its fallback rule, though its clock is synchronised"),
        (true, false) => ("fallback_too_early", "by its fallback rule, though it has not waited for one who knows the time"),
        (false, true) => ("stamped_after_the_epoch_limit", "by what was agreed on longer ago than the epoch limit"),
        (false, false) => ("stamped_without_knowing_the_time", "though its clock is not synchronised"),
    };
    let witness = Witness::new(shape, format!("replica {replica} stamps op {op} {how}"));
    let changed = knows.changed.checked_sub(1);
    let detail = |row| table.detail.get(row).map_or_else(String::new, |detail| format!(" ({detail})"));
    let words = |row| match table.event.get(row) {
        Event::Started | Event::Restarted => format!("replica {replica} starts: what the time is it has yet to learn"),
        Event::ClockSynchronised => format!("replica {replica} knows the time: a quorum's clocks agree"),
        Event::ClockLost => format!("replica {replica} does not know the time any more{}", detail(row)),
        _ => format!("replica {replica} stamps op {op} with {} ns", table.timestamp.get(row).unwrap_or(0)),
    };
    let steps = changed.into_iter().chain([row]).map(|row| index.transition_step(row, words(row)));
    steps.fold(witness, Witness::step)
}
