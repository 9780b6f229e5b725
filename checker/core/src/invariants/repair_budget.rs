//! `repair_budget`: a replica has one question open at a time, small ones only, and serves few at once.
//!
//! Repairs come in the worst moments; without a budget they would take the links and disks that the cluster needs to go on.
//!
//! **Formally.** (1) A `repair_request` asks for at most 16 entries, and a `repair_response` brings at most as many. (2) Between two
//! requests of one replica lies an end of the first one: an answer (`repair_response` or nack) that arrived and was not refused, its
//! repair timer (`timer_fired`), a vote, a change of its view or status, a state that it installed, or a restart. So at most one
//! is in flight that its sender still counts on, to all peers together. (3) A replica works on at most 8 requests at once: requests that
//! arrived and were not refused, less the answers it has sent since it started.
//!
//! **Evidence.** message: copy, command, from, to, `log_count`, fate, `fate_seq`, `reject_reason`. transition: replica, event, detail.
//!
//! **Deliberately not checked.** Requests that the network has doubled count once for their sender, and twice for their receiver, as
//! they must. That a timer ran long enough: timers follow a replica's own clock.

use crate::budget::Meter;
use crate::index::{QuestionEnd, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "repair_budget",
    version: 1,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Message, columns: &["copy", "command", "from", "to", "log_count", "fate", "fate_seq", "reject_reason"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "detail"] },
    ],
    statement: "a replica has one small repair request open at a time, and serves few at once",
    because_of: &[],
    check,
};

/// Entries of one request, and of one answer, at most.
const ENTRIES_MAX: u32 = 16;
/// Requests that a replica works on at once, at most.
const SERVED_MAX: u32 = 8;

/// What happens to requests, in the run's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A request leaves.
    Asked,
    /// A request arrives and is not refused.
    Taken,
    /// An answer leaves.
    Answered,
    /// The sender of a request does not count on an answer any more, or has it.
    Settled,
    /// A process begins: whatever was open is not.
    Begun,
}

/// Position, replica, what happened, and the message if it was one.
type Happened = (u64, u16, Step, usize);

const NO_MESSAGE: usize = usize::MAX;

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nobody asked for a repair", || {
        let happened = happened(index, meter)?;
        follow(index, meter, &happened)
    })
}

fn happened(index: &RunIndex<'_>, meter: &Meter) -> Result<Vec<Happened>, Box<Verdict>> {
    let table = index.messages();
    let mut happened = Vec::new();
    let mut asked = false;
    for row in index.message_rows() {
        let command = table.command.get(row);
        let (is_request, is_response) = (command == Command::RepairRequest, command == Command::RepairResponse);
        if !is_request && !is_response && command != Command::Nack {
            continue;
        }
        meter.check()?;
        // Whoever sent it asked for less than a fault has made of it.
        let is_genuine = table.mutation.codes[row] == u8::NONE;
        if is_genuine && (is_request || is_response) && table.log_count.get(row).is_some_and(|count| count > ENTRIES_MAX) {
            return Err(too_long(index, row).into());
        }
        let arrived = table.fate.get(row) == Fate::Delivered && table.reject_reason.codes[row] == u8::NONE;
        let arrived_seq = table.fate_seq.get(row).filter(|_| arrived);
        if table.copy[row] == 0 {
            happened.push((table.seq[row], table.from[row], if is_request { Step::Asked } else { Step::Answered }, row));
        }
        if let Some(seq) = arrived_seq {
            happened.push((seq, table.to[row], if is_request { Step::Taken } else { Step::Settled }, row));
        }
        asked |= is_request;
    }
    if asked {
        happened.extend(settling(index));
    }
    happened.sort_unstable_by_key(|(seq, ..)| *seq);
    Ok(happened)
}

/// Rows after which a replica does not count on an answer.
fn settling<'a>(index: &'a RunIndex<'_>) -> impl Iterator<Item = Happened> + 'a {
    let table = index.transitions();
    index.questions_ended().map(move |(row, end)| {
        let step = if end == QuestionEnd::Begun { Step::Begun } else { Step::Settled };
        (table.seq[row], u16::from(table.replica[row]), step, NO_MESSAGE)
    })
}

/// One replica's requests and those of others.
#[derive(Clone, Copy, Default)]
struct Replica {
    /// The open request, as row + 1.
    open: usize,
    /// Requests that it works on.
    serving: u32,
}

fn follow(index: &RunIndex<'_>, meter: &Meter, happened: &[Happened]) -> Decision {
    let mut ticker = meter.ticker();
    let mut replicas = vec![Replica::default(); index.replicas()];
    let mut facts = 0;
    for &(_, number, step, row) in happened {
        ticker.step()?;
        let Some(replica) = replicas.get_mut(usize::from(number)) else { continue };
        match step {
            Step::Begun => *replica = Replica::default(),
            Step::Settled => replica.open = 0,
            Step::Answered => replica.serving = replica.serving.saturating_sub(1),
            Step::Asked => {
                facts += 1;
                if let Some(open) = replica.open.checked_sub(1) {
                    let summary = format!("replica {number} asked for a repair while its last request was still open");
                    return Err(witness(index, "two_requests_open", summary, &[open, row]).into());
                }
                replica.open = row + 1;
            }
            Step::Taken => {
                facts += 1;
                replica.serving += 1;
                if replica.serving > SERVED_MAX {
                    let summary = format!("replica {number} works on {} repair requests at once, more than {SERVED_MAX}", replica.serving);
                    return Err(witness(index, "too_many_served", summary, &[row]).into());
                }
            }
        }
    }
    Ok(facts)
}

fn too_long(index: &RunIndex<'_>, row: usize) -> Witness {
    let (command, count) = (index.messages().command.get(row), index.messages().log_count.get(row).unwrap_or_default());
    witness(index, "repair_too_long", format!("a {command} is about {count} entries, more than {ENTRIES_MAX}"), &[row])
}

fn witness(index: &RunIndex<'_>, shape: &str, summary: String, rows: &[usize]) -> Witness {
    let table = index.messages();
    let step = |row: &usize| {
        let (command, from, to) = (table.command.get(*row), table.from[*row], table.to[*row]);
        index.message_step(*row, format!("{command} from {from} to {to}, up to op {}", table.op.get(*row).unwrap_or_default()))
    };
    Witness::new(shape, summary).steps(rows.iter().map(step))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, Detail, Fate, MessageRow, Mutation, TransitionEvent as Event};

    const NAME: &str = "repair_budget";

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn ask(story: &mut Story, to: u16) {
        story.message(Command::RepairRequest, 2, to, |row| (row.op, row.log_count) = (Some(4), Some(2)));
    }

    #[test]
    fn questions_one_after_another_are_facts() {
        let mut story = Story::clean(4);
        ask(&mut story, 0);
        story.message(Command::RepairResponse, 0, 2, |row| row.log_count = Some(2));
        ask(&mut story, 0);
        story.message(Command::Nack, 0, 2, |_| {});
        ask(&mut story, 1);
        story.event(2, Event::TimerFired, |row| row.detail = Some(Detail::RepairTimer));
        ask(&mut story, 0);
        story.event(2, Event::ViewEntered, |row| row.view = 1);
        ask(&mut story, 1);
        assert_eq!(story.verdict(NAME).facts(), 10);
    }

    #[test]
    fn a_second_question_before_the_first_is_settled_is_a_violation() {
        let twice = |between: fn(&mut Story)| {
            let mut story = Story::clean(4);
            ask(&mut story, 0);
            between(&mut story);
            ask(&mut story, 1);
            story
        };
        assert_eq!(shape(&twice(|_| {})), "two_requests_open");
        assert_eq!(
            shape(&twice(|story| {
                story.event(2, Event::TimerFired, |row| row.detail = Some(Detail::PrepareTimer));
            })),
            "two_requests_open"
        );
        let lost = |row: &mut MessageRow| row.fate = Fate::Lost;
        let mut unanswered = twice(|story| {
            story.message(Command::RepairResponse, 0, 2, |row| row.log_count = Some(2));
        });
        assert!(unanswered.verdict(NAME).is_pass());
        let answer = unanswered.messages.iter().position(|row| row.command == Command::RepairResponse).unwrap();
        lost(&mut unanswered.messages[answer]);
        assert_eq!(shape(&unanswered), "two_requests_open");
    }

    #[test]
    fn long_questions_and_too_many_at_once_are_violations() {
        let mut long = Story::clean(4);
        long.message(Command::RepairRequest, 2, 0, |row| row.log_count = Some(17));
        assert_eq!(shape(&long), "repair_too_long");
        long.messages.last_mut().unwrap().mutation = Some(Mutation::Range);
        assert!(long.verdict(NAME).is_pass(), "its sender asked for less");
        let mut many = Story::clean(4);
        for _ in 0..8 {
            ask(&mut many, 0);
            many.event(2, Event::TimerFired, |row| row.detail = Some(Detail::RepairTimer));
        }
        assert_eq!(many.verdict(NAME).facts(), 16);
        let mut answered = many.clone();
        answered.message(Command::Nack, 0, 2, |_| {});
        ask(&mut answered, 0);
        assert!(answered.verdict(NAME).is_pass());
        ask(&mut many, 0);
        assert_eq!(shape(&many), "too_many_served");
    }

    #[test]
    fn no_repair_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut story = Story::clean(4);
        ask(&mut story, 0);
        ask(&mut story, 1);
        let second = story.messages.last().unwrap().seq;
        assert_eq!(story.cut_off(second).verdict(NAME).facts(), 2);
    }
}
