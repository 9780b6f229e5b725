//! `repair_selection`: a peer that is known to be slow is asked for little.
//!
//! A replica that asks a slow peer as often as the others falls further behind with each question, while entries that it needs lie
//! ready elsewhere.
//!
//! **Formally.** For each replica r and other member p, E(p) is the smoothed time (alpha 0.2) from a `repair_request` of r to p to
//! its end: an answer of p (`repair_response` or nack) that arrived and was not refused, or r's repair timer. A question that ends by
//! another request, a vote, or a change of r's status or view, tells nothing; a restart forgets everything. A voter p of the
//! configuration of r's request is known to be slow while E of all other voters is known and E(p) is at least twice each of them. A
//! time of more than eight timeouts of 200 ms counts as that many. A replica explores with every tenth of its requests, of whatever
//! kind: of those for something new (another end of the range than the request before) while some voter is known to be slow, no more
//! go to it than a tenth of all its requests and one. Judged once there are 20 of them.
//!
//! **Evidence.** run: replicas, standbys. message: copy, command, from, to, op, epoch, `entry_hash`, fate, `fate_seq`,
//! `fate_time_ns`, `reject_reason`, mutation. transition: replica, event, detail.
//!
//! **Deliberately not checked.** Requests for the same once more: those go round. The choice between voters that are about as quick.
//! A share of the requests beside a slow peer alone: version 1 allowed one in five of those, and a replica whose slowest peer changed
//! often had five of its 23 explorations fall among 23 such requests (`byzantine_invalid_repair_range`, seed 3100041). Members that
//! do not vote: version 2 compared those that voted at the beginning. Counter-example, in steps: (1) replicas 0 to 2 vote; (2) a
//! change makes 1 to 3 the voters; (3) 3 is cut off, and replica 2 asks 1 for everything; (4) 1 is slower than 0, which nobody may
//! ask any more.

use crate::budget::Meter;
use crate::index::{Configuration, QuestionEnd, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "repair_selection",
    version: 3,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Run, columns: &["replicas", "standbys"] },
        Reads {
            kind: Kind::Message,
            columns: &[
                "copy",
                "command",
                "from",
                "to",
                "op",
                "entry_hash",
                "epoch",
                "fate",
                "fate_seq",
                "fate_time_ns",
                "reject_reason",
                "mutation",
            ],
        },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "quorum", "epoch", "detail"] },
    ],
    statement: "a peer that is known to be slow is asked for repairs only to explore: one request in ten",
    because_of: &["repair_budget"],
    check,
};

/// So many times slower than each of the others is slow.
const SLOWER: u64 = 2;
/// Requests while a voter is known to be slow, before a share of them means anything.
pub const REQUESTS_MIN: u64 = 20;
/// One request in so many may go to a slow peer.
const EXPLORATION_PERIOD: u64 = 10;
/// No answer counts as slower, nanoseconds: eight repair timeouts.
const SLOWEST_NS: u64 = 8 * 200_000_000;

/// What happens to questions, in the run's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A request leaves.
    Asked,
    /// An answer arrives.
    Answered,
    /// No answer came in time.
    TimedOut,
    /// The question is given up.
    Dropped,
    /// A process begins.
    Begun,
}

/// Position, replica, what happened, the message if it was one.
type Happened = (u64, u16, Step, usize);

/// What one replica knows of the others.
#[derive(Clone)]
struct Asker {
    smoothed_ns: Vec<u64>,
    /// Row of the open request.
    open: Option<usize>,
    /// End of the range asked for last.
    question: Option<(u64, u64)>,
    /// All requests.
    sent: u64,
    /// Requests for something new while a voter was known to be slow, and those that went to it.
    requests: u64,
    to_slow: Vec<usize>,
}

/// Requests for something new while a voter was known to be slow, of whichever replica has sent most of them.
#[must_use]
pub fn requests_beside_a_slow_peer(index: &RunIndex<'_>) -> u64 {
    let mut askers = askers(index);
    for step in happened(index) {
        follow(index, &mut askers, step);
    }
    askers.iter().map(|asker| asker.requests).max().unwrap_or(0)
}

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nobody asked for 20 repairs beside a slow peer", || judge(index, meter))
}

fn judge(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let mut ticker = meter.ticker();
    let mut askers = askers(index);
    for step in happened(index) {
        ticker.step()?;
        follow(index, &mut askers, step);
    }
    let mut facts = 0;
    for (number, asker) in askers.iter().enumerate().filter(|(_, asker)| asker.requests >= REQUESTS_MIN) {
        if asker.to_slow.len() as u64 > asker.sent / EXPLORATION_PERIOD + 1 {
            return Err(witness(index, number, asker).into());
        }
        facts += asker.requests;
    }
    Ok(facts)
}

fn askers(index: &RunIndex<'_>) -> Vec<Asker> {
    let asker = Asker { smoothed_ns: vec![0; index.members()], open: None, question: None, sent: 0, requests: 0, to_slow: Vec::new() };
    vec![asker; index.members()]
}

fn happened(index: &RunIndex<'_>) -> Vec<Happened> {
    let table = index.messages();
    let mut happened = Vec::new();
    for row in index.message_rows() {
        let command = table.command.get(row);
        let is_answer = matches!(command, Command::RepairResponse | Command::Nack);
        if command == Command::RepairRequest && table.copy[row] == 0 {
            happened.push((table.seq[row], table.from[row], Step::Asked, row));
        }
        let arrived = table.fate.get(row) == Fate::Delivered && table.reject_reason.codes[row] == u8::NONE;
        if let Some(seq) = table.fate_seq.get(row).filter(|_| is_answer && arrived) {
            happened.push((seq, table.to[row], Step::Answered, row));
        }
    }
    if !happened.is_empty() {
        let transitions = index.transitions();
        happened.extend(index.questions_ended().map(|(row, end)| {
            let step = match end {
                QuestionEnd::Begun => Step::Begun,
                QuestionEnd::TimedOut => Step::TimedOut,
                QuestionEnd::GivenUp => Step::Dropped,
            };
            (transitions.seq[row], u16::from(transitions.replica[row]), step, row)
        }));
    }
    happened.sort_unstable_by_key(|(seq, ..)| *seq);
    happened
}

fn follow(index: &RunIndex<'_>, askers: &mut [Asker], (_, number, step, row): Happened) {
    let table = index.messages();
    let Some(asker) = askers.get_mut(usize::from(number)) else { return };
    match step {
        Step::Begun => {
            asker.smoothed_ns.fill(0);
            (asker.open, asker.question) = (None, None);
        }
        Step::Dropped => asker.open = None,
        Step::TimedOut => {
            if let Some(open) = asker.open.take() {
                asker.learn(table.to[open], index.transitions().time_ns[row].saturating_sub(table.time_ns[open]));
            }
        }
        Step::Answered => {
            if let Some(open) = asker.open.take_if(|open| table.to[*open] == table.from[row]) {
                let answered_ns = table.fate_time_ns.get(row).unwrap_or(table.time_ns[row]);
                asker.learn(table.to[open], answered_ns.saturating_sub(table.time_ns[open]));
            }
        }
        Step::Asked => {
            // Whatever a fault has made of it on its way, its receiver is whom the replica chose.
            let question = table.op.get(row).zip(table.entry_hash.get(row));
            let voters = index.configurations().of_epoch(table.epoch[row]);
            let slow = voters.and_then(|voters| asker.slow(number, voters));
            if let Some(slow) = slow.filter(|_| question.is_some() && question != asker.question) {
                asker.requests += 1;
                asker.to_slow.extend((usize::from(table.to[row]) == slow).then_some(row));
            }
            asker.sent += 1;
            (asker.open, asker.question) = (Some(row), question);
        }
    }
}

impl Asker {
    fn learn(&mut self, peer: u16, took_ns: u64) {
        let Some(known_ns) = self.smoothed_ns.get_mut(usize::from(peer)) else { return };
        let took_ns = took_ns.clamp(1, SLOWEST_NS);
        *known_ns = if *known_ns == 0 { took_ns } else { known_ns.saturating_mul(4).saturating_add(took_ns) / 5 };
    }

    /// The voter that is known to be slow, if one is.
    fn slow(&self, own: u16, voters: Configuration) -> Option<usize> {
        let is_other = |member: usize| member != usize::from(own) && u8::try_from(member).is_ok_and(|member| voters.has(member));
        let others = || self.smoothed_ns.iter().copied().enumerate().filter(|(member, _)| is_other(*member));
        let (slowest, smoothed_ns) = others().max_by_key(|(_, smoothed_ns)| *smoothed_ns)?;
        let mut rest = others().filter(|(voter, _)| *voter != slowest).map(|(_, smoothed_ns)| smoothed_ns).peekable();
        rest.peek()?;
        rest.all(|other_ns| other_ns > 0 && other_ns.saturating_mul(SLOWER) <= smoothed_ns).then_some(slowest)
    }
}

fn witness(index: &RunIndex<'_>, number: usize, asker: &Asker) -> Witness {
    let (slow, requests, sent) = (asker.to_slow.len(), asker.requests, asker.sent);
    let summary = format!(
        "replica {number} sent {slow} of {requests} repair requests to the peer that it knew to be slow: more than every tenth of its {sent}"
    );
    let table = index.messages();
    let step = |row: &usize| index.message_step(*row, format!("another repair_request from {number} to {}, which is slow", table.to[*row]));
    Witness::new("slow_peer_asked", summary).steps(asker.to_slow.iter().take(3).map(step))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, Detail, TransitionEvent as Event};

    const NAME: &str = "repair_selection";

    /// Replica 0 asks `peer` for the entry of `op`, and is answered after so many microseconds.
    fn ask(story: &mut Story, peer: u16, op: u64, took: u64) {
        story.message(Command::RepairRequest, 0, peer, |row| (row.op, row.entry_hash, row.log_count) = (Some(op), Some(op), Some(1)));
        (0..took).for_each(|_| {
            story.tick();
        });
        story.message(Command::RepairResponse, peer, 0, |row| row.log_count = Some(1));
    }

    /// Replica 2 is known to be slow, and gets so many of forty requests.
    fn story(to_slow: u64) -> Story {
        let mut story = Story::clean(4);
        ask(&mut story, 1, 100, 5);
        ask(&mut story, 2, 101, 50);
        for op in 0..40 {
            let slow = op < to_slow;
            ask(&mut story, if slow { 2 } else { 1 }, 200 + op, if slow { 50 } else { 5 });
        }
        story
    }

    #[test]
    fn one_in_ten_may_go_to_a_slow_peer() {
        assert_eq!(story(0).verdict(NAME).facts(), 40);
        assert_eq!(story(5).verdict(NAME).facts(), 40);
        assert_eq!(story(6).verdict(NAME).witness().expect("a violation").shape, "slow_peer_asked");
    }

    #[test]
    fn asking_for_the_same_again_is_no_choice() {
        let mut story = story(5);
        for _ in 0..20 {
            ask(&mut story, 2, 239, 50);
        }
        assert_eq!(story.verdict(NAME).facts(), 40);
    }

    #[test]
    fn without_an_answer_a_peer_is_as_slow_as_the_question_was_open() {
        let mut story = Story::clean(4);
        ask(&mut story, 1, 100, 5);
        story.message(Command::RepairRequest, 0, 2, |row| (row.op, row.entry_hash) = (Some(101), Some(101)));
        (0..50).for_each(|_| {
            story.tick();
        });
        story.event(0, Event::TimerFired, |row| row.detail = Some(Detail::RepairTimer));
        (0..20).for_each(|op| ask(&mut story, 1, 200 + op, 5));
        assert_eq!(story.verdict(NAME).facts(), 20);
        let mut dropped = Story::clean(4);
        ask(&mut dropped, 1, 100, 5);
        dropped.message(Command::RepairRequest, 0, 2, |row| (row.op, row.entry_hash) = (Some(101), Some(101)));
        dropped.event(0, Event::StatusChanged, |_| {});
        (0..20).for_each(|op| ask(&mut dropped, 1, 200 + op, 5));
        assert_eq!(dropped.verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn who_does_not_vote_any_more_is_not_compared() {
        let story = |epoch| {
            let mut story = Story::new(5);
            (story.run.replicas, story.run.standbys) = (3, 2);
            for replica in 0..5 {
                story.state(replica).epoch = epoch;
                story.event(replica, Event::EpochEntered, |row| (row.op, row.quorum) = (Some(5), Some(0b1011)));
            }
            ask(&mut story, 1, 100, 50);
            ask(&mut story, 2, 101, 5);
            (0..40).for_each(|op| ask(&mut story, 1, 200 + op, 50));
            story.messages.iter_mut().for_each(|row| row.epoch = epoch);
            story
        };
        assert_eq!(story(0).verdict(NAME).witness().expect("replicas 1 and 2 vote").shape, "slow_peer_asked");
        // Replica 2 has lost its vote, and nothing is known of replica 3.
        assert_eq!(story(1).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn few_requests_and_a_restart_mean_nothing() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut story = story(12);
        let seq = story.messages[30].seq;
        assert_eq!(story.cut_off(seq).verdict(NAME).name(), "not_applicable");
        story.crash(0);
        story.restart(0, |_| {});
        (0..40).for_each(|op| ask(&mut story, 1, 300 + op, 5));
        assert!(story.verdict(NAME).is_violation(), "what was asked before is not forgotten, what was known is");
    }
}
