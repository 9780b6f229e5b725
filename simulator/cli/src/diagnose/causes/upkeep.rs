//! Causes in what goes on beside the protocol: repairs, the scrubber, and clocks.

use crate::diagnose::scene::{Scene, Sign};
use std::collections::BTreeMap;
use vopr_checker::index::EventSet;
use vopr_checker::words::counted;
use vopr_schema::{Command, Detail, TransitionEvent as Event};

/// A scrubber reads so many places per tick.
const SCRUB_READS_MAX: u32 = 10;

/// How much a new answer changes what is known of a peer.
const SMOOTHING: f64 = 0.2;

/// No answer counts as slower, nanoseconds.
const SLOWEST_NS: u64 = 1_600_000_000;

/// Requests before one can say who is asked how often.
const REQUESTS_MIN: u64 = 20;

/// The same repair asked of several peers at one moment.
pub(super) fn everybody_asked_at_once(scene: &Scene<'_>) -> Option<Sign> {
    let messages = scene.index.messages();
    // One question: who asks, when, and for what. An answer may bring the next question at the same moment.
    let mut first: BTreeMap<(u16, u64, Option<u64>), usize> = BTreeMap::new();
    let mut found = Vec::new();
    let asks = |row: &usize| messages.command.get(*row) == Command::RepairRequest && messages.copy[*row] == 0;
    for row in scene.index.message_rows().filter(asks).filter(|row| messages.mutation.get(*row).is_none()) {
        let known = *first.entry((messages.from[row], messages.time_ns[row], messages.op.get(row))).or_insert(row);
        if messages.to[known] != messages.to[row] {
            let sentence = format!(
                "replica {} asked replicas {} and {} for a repair at once",
                messages.from[row], messages.to[known], messages.to[row]
            );
            found.push(Sign::proven(sentence).row(scene.message(known, "")).row(scene.message(row, " at the same moment")));
        }
    }
    Sign::first(found.into_iter())
}

/// What a replica knows of a peer's answers, and what it asked.
#[derive(Clone, Default)]
struct Asker {
    /// Per peer the smoothed time to an answer, nanoseconds.
    waits: BTreeMap<u16, f64>,
    /// The open question: to whom, since when, about what.
    open: Option<(u16, u64)>,
    wanted: Option<(u64, u64)>,
    asked: u64,
    while_known: u64,
    to_slow: u64,
    last: Option<usize>,
}

impl Asker {
    fn learn(&mut self, peer: u16, now_ns: u64) {
        let Some((_, since)) = self.open.take_if(|(asked, _)| *asked == peer) else { return };
        #[expect(clippy::cast_precision_loss, reason = "a few seconds in nanoseconds")]
        let sample = now_ns.saturating_sub(since).min(SLOWEST_NS) as f64;
        self.waits.entry(peer).and_modify(|wait| *wait += SMOOTHING * (sample - *wait)).or_insert(sample);
    }

    /// The peer that takes twice as long as each of the others, when all of them are known.
    fn slow(&self, peers: usize) -> Option<u16> {
        let (slow, most) = self.waits.iter().max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let is_slow = self.waits.iter().all(|(peer, wait)| peer == slow || *most >= 2.0 * wait);
        (self.waits.len() >= peers && is_slow).then_some(*slow)
    }

    fn ask(&mut self, scene: &Scene<'_>, row: usize, peers: usize) {
        let table = scene.index.messages();
        let (to, about) = (table.to[row], table.op.get(row).zip(table.entry_hash.get(row)));
        self.asked += 1;
        if about.is_some()
            && self.wanted != about
            && let Some(slow) = self.slow(peers)
        {
            self.while_known += 1;
            if slow == to {
                (self.to_slow, self.last) = (self.to_slow + 1, Some(row));
            }
        }
        (self.wanted, self.open) = (about, Some((to, table.time_ns[row])));
    }
}

/// Something that tells of repairs, in the order in which it happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Asked(usize),
    Answered(usize),
    TimedOut(usize),
    Dropped(usize),
    Restarted(usize),
}

fn words(scene: &Scene<'_>) -> Vec<(u64, Word)> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let mut words = Vec::new();
    for row in scene.index.message_rows() {
        match messages.command.get(row) {
            Command::RepairRequest if messages.copy[row] == 0 => words.push((messages.seq[row], Word::Asked(row))),
            Command::RepairResponse | Command::Nack if scene.taken(row) => {
                words.extend(messages.fate_seq.get(row).map(|seq| (seq, Word::Answered(row))));
            }
            _ => {}
        }
    }
    let ends = [Event::ViewEntered, Event::StatusChanged, Event::VoteCast, Event::StateInstalled];
    let others = [Event::TimerFired, Event::Restarted, Event::Started];
    words.extend(scene.index.events(EventSet::of(&ends)).map(|(row, _)| (table.seq[row], Word::Dropped(row))));
    for (row, event) in scene.index.events(EventSet::of(&others)) {
        if event != Event::TimerFired {
            words.push((table.seq[row], Word::Restarted(row)));
        } else if table.detail.get(row) == Some(Detail::RepairTimer) {
            words.push((table.seq[row], Word::TimedOut(row)));
        }
    }
    words.sort_unstable();
    words
}

/// A peer that is known to answer slowly and is asked as often as the others.
pub(super) fn slow_peer_asked(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let peers = scene.index.members().saturating_sub(1);
    let mut askers: BTreeMap<u16, Asker> = BTreeMap::new();
    for (_, word) in words(scene) {
        match word {
            Word::Asked(row) => askers.entry(messages.from[row]).or_default().ask(scene, row, peers),
            Word::Answered(row) => {
                let now = messages.fate_time_ns.get(row).unwrap_or_default();
                askers.entry(messages.to[row]).or_default().learn(messages.from[row], now);
            }
            Word::TimedOut(row) => {
                let asker = askers.entry(table.replica[row].into()).or_default();
                if let Some((peer, _)) = asker.open {
                    asker.learn(peer, table.time_ns[row]);
                }
            }
            Word::Dropped(row) => askers.entry(table.replica[row].into()).or_default().open = None,
            Word::Restarted(row) => {
                let asker = askers.entry(table.replica[row].into()).or_default();
                asker.waits.clear();
                (asker.open, asker.wanted) = (None, None);
            }
        }
    }
    let much = |asker: &Asker| asker.while_known >= REQUESTS_MIN && asker.to_slow > asker.asked / 10 + 1;
    let signs = askers.into_iter().filter(|(_, asker)| much(asker)).map(|(replica, asker)| {
        let sentence = format!(
            "replica {replica} sent {} of {} repair requests to a peer that took twice as long as any other to answer",
            asker.to_slow, asker.while_known
        );
        Sign::likely(sentence).row_if(asker.last.map(|row| scene.message(row, ": the slow peer is asked once more")))
    });
    Sign::first(signs)
}

/// More places read in one tick of a scrubber than it may.
pub(super) fn scrubber_over_its_limit(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let mut ticks: Vec<(Option<usize>, u32)> = vec![(None, 0); scene.index.replicas()];
    let mut found = Vec::new();
    for (row, event) in scene.index.events(EventSet::of(&[Event::TimerFired, Event::ScrubRead, Event::Started, Event::Restarted])) {
        let replica = table.replica[row];
        let Some((tick, reads)) = ticks.get_mut(usize::from(replica)) else { continue };
        match event {
            Event::ScrubRead => *reads += 1,
            Event::TimerFired if table.detail.get(row) != Some(Detail::ScrubTimer) => continue,
            _ => (*tick, *reads) = (Some(row), 0),
        }
        if *reads == SCRUB_READS_MAX + 1 {
            let sentence = format!("the scrubber of replica {replica} read more than {SCRUB_READS_MAX} places in one tick");
            let tick = tick.map(|tick| scene.transition(tick, "its tick begins".to_owned()));
            found.push(Sign::proven(sentence).row_if(tick).row(scene.transition(row, format!("read number {reads} of the tick"))));
        }
    }
    Sign::first(found.into_iter())
}

/// What lies on a disk since when, and when the scrubber saw it.
#[derive(Clone, Default)]
struct Tour {
    /// Per op: the row that made it durable, and the row of the last read.
    places: BTreeMap<u64, (usize, Option<usize>)>,
    began: Option<usize>,
    checkpoint: u64,
}

/// A tour that ended without a look at entries that a checkpoint covers.
pub(super) fn cold_entries_passed_over(scene: &Scene<'_>) -> Option<Sign> {
    let (table, ring) = (scene.index.transitions(), scene.ring());
    let mut tours: Vec<Tour> = vec![Tour::default(); scene.index.replicas()];
    let mut found = Vec::new();
    for row in scene.transitions() {
        let replica = table.replica[row];
        let Some(tour) = tours.get_mut(usize::from(replica)) else { continue };
        let op = table.op.get(row).unwrap_or(0);
        match scene.event(row) {
            Event::Started | Event::Restarted => *tour = Tour { began: Some(row), ..Tour::default() },
            Event::EntryDurable | Event::Repaired => {
                tour.places.insert(op, (row, None));
            }
            // The slot is about to be used again.
            Event::EntryAppended => tour.places = tour.places.split_off(&(op.saturating_sub(ring) + 1)),
            Event::EntryTruncated | Event::CorruptionDetected => drop(tour.places.remove(&op)),
            Event::StateInstalled => tour.places.clear(),
            Event::CheckpointDurable => tour.checkpoint = op,
            Event::ScrubRead => {
                if let Some((_, read)) = tour.places.get_mut(&op) {
                    *read = Some(row);
                }
            }
            Event::TourCompleted => {
                if let Some(began) = tour.began {
                    let missed = tour.places.iter().filter(|(_, (durable, read))| *durable < began && read.is_none_or(|read| read < began));
                    let missed: Vec<u64> = missed.map(|(op, _)| *op).filter(|op| *op <= tour.checkpoint).collect();
                    if let Some(op) = missed.first() {
                        let (durable, _) = tour.places[op];
                        found.push((row, began, durable, *op, missed.len()));
                    }
                }
                tour.began = Some(row);
            }
            _ => {}
        }
    }
    Sign::first(found.into_iter().map(|(row, began, durable, op, missed)| {
        let (replica, missed) = (table.replica[row], counted(missed, "entry"));
        let sentence = format!("a tour of the scrubber of replica {replica} passed over {missed} that a checkpoint covers, op {op} first");
        Sign::proven(sentence)
            .row(scene.transition(durable, format!("op {op} is on the disk of replica {replica}")))
            .row(scene.transition(began, "the tour begins".to_owned()))
            .row(scene.transition(row, format!("the tour ends without a read of op {op}")))
    }))
}

/// A timestamp that does not follow the one before it, or of a replica that did not know the time.
pub(super) fn local_clock_followed(scene: &Scene<'_>) -> Option<Sign> {
    let mut found = not_behind_the_log(scene);
    found.extend(stamped_without_time(scene));
    found.sort_by_key(Sign::seq);
    Sign::first(found.into_iter())
}

/// Entries that a replica stamped as if it knew the time when it had said that it does not. Nobody in the run need ever know it: then
/// clocks are not compared, and there is nothing to know.
fn stamped_without_time(scene: &Scene<'_>) -> Vec<Sign> {
    let table = scene.index.transitions();
    if scene.index.events(EventSet::of(&[Event::ClockSynchronised])).next().is_none() {
        return Vec::new();
    }
    let events = [Event::Started, Event::Restarted, Event::ClockSynchronised, Event::ClockLost, Event::TimestampAssigned];
    // Per replica the row since which it has not known the time.
    let mut ignorant: BTreeMap<u8, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (row, event) in scene.index.events(EventSet::of(&events)) {
        let replica = table.replica[row];
        match event {
            Event::ClockSynchronised => drop(ignorant.remove(&replica)),
            Event::TimestampAssigned => {
                let op = table.op.get(row).unwrap_or_default();
                // By its fallback rule it may.
                let Some(since) = ignorant.get(&replica).filter(|_| table.detail.get(row).is_none()) else { continue };
                let sentence = format!("replica {replica} stamped op {op} by its own clock, without knowing the cluster's time");
                let why = match scene.event(*since) {
                    Event::ClockLost => "does not know the time any more",
                    _ => "starts, and has yet to learn the time",
                };
                found.push(
                    Sign::proven(sentence)
                        .row(scene.transition(*since, format!("replica {replica} {why}")))
                        .row(scene.transition(row, format!("replica {replica} stamps op {op} all the same"))),
                );
            }
            _ => drop(ignorant.insert(replica, row)),
        }
    }
    found
}

/// Entries with a timestamp that is not later than that of the entry before.
fn not_behind_the_log(scene: &Scene<'_>) -> Vec<Sign> {
    let table = scene.index.transitions();
    let mut logs: Vec<BTreeMap<u64, (u64, usize)>> = vec![BTreeMap::new(); scene.index.replicas()];
    let mut found = Vec::new();
    for (row, event) in scene.index.events(EventSet::of(&[Event::EntryAppended, Event::TimestampAssigned])) {
        let replica = table.replica[row];
        let (Some(op), Some(stamp), Some(log)) = (table.op.get(row), table.timestamp.get(row), logs.get_mut(usize::from(replica))) else {
            continue;
        };
        if event == Event::EntryAppended {
            log.insert(op, (stamp, row));
            continue;
        }
        let before = op.checked_sub(1).and_then(|before| log.get(&before)).filter(|(before, _)| *before >= stamp);
        if let Some((known, appended)) = before {
            let sentence = format!("replica {replica} stamped op {op} with {stamp} ns, not later than op {}, which has {known} ns", op - 1);
            let words = format!("op {} has the timestamp {known} ns", op - 1);
            found.push(
                Sign::proven(sentence)
                    .row(scene.transition(*appended, words))
                    .row(scene.transition(row, format!("op {op} gets {stamp} ns"))),
            );
        }
    }
    found
}
