//! `view_monotonicity`: a replica never goes back to a view older than one it has voted for, across restarts too.
//!
//! A vote promises to have no part in older views; a replica that forgets it can help to commit in a view that was given up.
//!
//! **Formally.** Per replica: (1) within an incarnation the `view` column never falls (a `vote_cast` row holds the view voted for and
//! is no statement about the replica's own); (2) let p be the largest view of its `vote_cast` and `acknowledged` transitions since a
//! fault (`reformat`) replaced its disk, or ever: no `restarted` recovers a view below p; (3) no prepare, `prepare_ok`, commit,
//! `do_view_change` or `start_view` of a view below p leaves it; (4) a prepare, commit or `start_view` that a fault delivers once
//! more, of a view below the receiver's, is refused; (5) no `entry_appended` is caused by a prepare or `start_view` of a view below
//! its own.
//!
//! **Evidence.** transition: replica, event, view, cause. fault: fault, target. message: id, copy, command, from, to, view, mutation,
//! fate, `fate_seq`, `reject_reason`.
//!
//! **Deliberately not checked.** Messages that carry a view for information only (ping, reply, redirect, repair): they may be
//! answered late. Messages that a fault changed: their view is the fault's, not the sender's. A replica whose disk was replaced: what
//! its former self has promised is for `vsr_recovery_safety`. Counter-example to asking it here: (1) replica 0 votes for view 6; (2)
//! its disk is replaced, and it starts in view 0; (3) before anybody has told it of a view it crashes, and restarts in view 0, as it
//! must.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, Mutation, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "view_monotonicity",
    version: 2,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Transition, columns: &["replica", "event", "view", "cause"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target"] },
        Reads {
            kind: Kind::Message,
            columns: &["id", "copy", "command", "from", "to", "view", "mutation", "fate", "fate_seq", "reject_reason"],
        },
    ],
    statement: "a replica's view never falls, and nothing leaves it in a view older than one it voted for, across restarts too",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no replica ran", || follow(index, meter))
}

/// A view and the row that shows it.
#[derive(Clone, Copy, Default)]
struct Mark {
    view: u64,
    row: Option<usize>,
}

#[derive(Clone, Copy, Default)]
struct Replica {
    own: Mark,
    promised: Mark,
}

const PROMISES: EventSet = EventSet::of(&[Event::VoteCast, Event::Acknowledged]);
const BYSTANDERS: EventSet = EventSet::of(&[Event::Stalled, Event::Other]);

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, messages) = (index.transitions(), index.messages());
    let mut ticker = meter.ticker();
    let mut replicas = vec![Replica::default(); index.replicas()];
    let mut sent = index.message_rows().peekable();
    let mut replayed = replayed(index).into_iter().peekable();
    let mut facts = 0;
    for row in index.transition_rows() {
        ticker.step()?;
        while let Some(message) = sent.next_if(|message| messages.seq[*message] < table.seq[row]) {
            facts += leaves(index, &replicas, message)?;
        }
        while let Some(message) = replayed.next_if(|message| messages.fate_seq.0[*message] < table.seq[row]) {
            facts += comes_again(index, &replicas, message)?;
        }
        let event = table.event.codes[row];
        let Some(replica) = replicas.get_mut(usize::from(table.replica[row])) else { continue };
        if BYSTANDERS.has(event) {
            continue;
        }
        facts += happens(index, replica, row)?;
        if PROMISES.has(event) && table.view[row] >= replica.promised.view {
            replica.promised = Mark { view: table.view[row], row: Some(row) };
        }
    }
    for message in sent {
        facts += leaves(index, &replicas, message)?;
    }
    Ok(facts)
}

fn happens(index: &RunIndex<'_>, replica: &mut Replica, row: usize) -> Decision {
    let table = index.transitions();
    let (event, view) = (table.event.get(row), table.view[row]);
    if event == Event::VoteCast {
        return Ok(0);
    }
    if event == Event::Started && index.was_replaced(row) {
        replica.promised = Mark::default();
    }
    let before = if event == Event::Restarted { replica.promised } else { replica.own };
    if view < before.view && event != Event::Started {
        let shape = if event == Event::Restarted { "forgot_its_vote" } else { "view_fell" };
        let summary = format!("replica {} went back from view {} to view {view}", table.replica[row], before.view);
        let witness = Witness::new(shape, summary)
            .step_if(before.row.map(|row| index.transition_step(row, format!("{} in view {}", table.event.get(row), before.view))))
            .step(index.transition_step(row, format!("{event} in view {view}")));
        return Err(witness.into());
    }
    replica.own = Mark { view, row: Some(row) };
    if event == Event::EntryAppended && table.cause.0[row] != u64::NONE {
        old_cause(index, row)?;
    }
    Ok(1)
}

/// An entry that a message of an older view put into the log.
fn old_cause(index: &RunIndex<'_>, row: usize) -> Result<(), Box<Verdict>> {
    let (table, messages) = (index.transitions(), index.messages());
    let Some(message) = index.deliveries().message(table.cause.0[row]) else { return Ok(()) };
    let of_view = matches!(messages.command.get(message), Command::Prepare | Command::StartView);
    if !of_view || messages.view.0[message] >= table.view[row] {
        return Ok(());
    }
    let (replica, old) = (table.replica[row], messages.view.0[message]);
    let summary = format!("replica {replica} took an entry from a message of view {old} while in view {}", table.view[row]);
    let words = format!("{} of view {old} from {}", messages.command.get(message), messages.from[message]);
    let witness = Witness::new("accepted_old_view", summary)
        .step(index.message_step(message, words))
        .step(index.transition_step(row, format!("op {} is appended in view {}", table.op.0[row], table.view[row])));
    Err(witness.into())
}

/// Messages of a view's primary that a fault delivered once more, by arrival.
fn replayed(index: &RunIndex<'_>) -> Vec<usize> {
    let table = index.messages();
    let mut rows: Vec<usize> = index
        .message_rows()
        .filter(|row| table.mutation.get(*row) == Some(Mutation::Replayed) && table.fate.get(*row) == Fate::Delivered)
        .filter(|row| matches!(table.command.get(*row), Command::Prepare | Command::Commit | Command::StartView))
        .collect();
    rows.sort_unstable_by_key(|row| table.fate_seq.0[*row]);
    rows
}

/// It arrives: a receiver that has moved on refuses it.
fn comes_again(index: &RunIndex<'_>, replicas: &[Replica], message: usize) -> Decision {
    let messages = index.messages();
    let Some(receiver) = replicas.get(usize::from(messages.to[message])) else { return Ok(0) };
    let Some(view) = messages.view.get(message).filter(|view| *view < receiver.own.view) else { return Ok(0) };
    if messages.reject_reason.codes[message] != u8::NONE {
        return Ok(1);
    }
    let (to, command) = (messages.to[message], messages.command.get(message));
    let summary = format!("replica {to} took a {command} of view {view} that came once more while it was in view {}", receiver.own.view);
    let witness = Witness::new("accepted_replay", summary)
        .step_if(receiver.own.row.map(|row| index.transition_step(row, format!("replica {to} is in view {}", receiver.own.view))))
        .step(index.message_step(message, format!("{command} of view {view} from {}", messages.from[message])));
    Err(witness.into())
}

/// A message leaves: no vote of its sender may be newer than its view.
fn leaves(index: &RunIndex<'_>, replicas: &[Replica], message: usize) -> Decision {
    let messages = index.messages();
    if !binds(messages.command.get(message)) || messages.mutation.codes[message] != u8::NONE || messages.copy[message] > 0 {
        return Ok(0);
    }
    let Some(sender) = replicas.get(usize::from(messages.from[message])) else { return Ok(0) };
    let Some(view) = messages.view.get(message) else { return Ok(0) };
    if view >= sender.promised.view {
        return Ok(1);
    }
    let (from, command) = (messages.from[message], messages.command.get(message));
    let promise = sender.promised;
    let summary = format!("replica {from} sent a {command} of view {view} after its vote in view {}", promise.view);
    let event = |row: usize| index.transitions().event.get(row);
    let witness = Witness::new("sent_in_old_view", summary)
        .step_if(promise.row.map(|row| index.transition_step(row, format!("{} in view {}", event(row), promise.view))))
        .step(index.message_step(message, format!("{command} of view {view} leaves replica {from}")));
    Err(witness.into())
}

/// Whether sending it in a view takes part in that view.
fn binds(command: Command) -> bool {
    matches!(command, Command::Prepare | Command::PrepareOk | Command::Commit | Command::DoViewChange | Command::StartView)
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, FaultKind, FaultRow, Mutation, RejectReason, TransitionEvent as Event};

    const NAME: &str = "view_monotonicity";

    fn voted() -> Story {
        let mut story = Story::clean(2);
        story.state(1).view = 4;
        story.event(1, Event::VoteCast, |_| {});
        story
    }

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn a_clean_run_and_a_vote_pass() {
        assert!(Story::clean(3).verdict(NAME).is_pass());
        assert!(voted().verdict(NAME).is_pass());
        assert_eq!(Story::new(0).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn a_view_that_falls_is_a_violation() {
        let mut story = voted();
        story.event(1, Event::StatusChanged, |row| row.view = 4);
        story.event(1, Event::StatusChanged, |row| row.view = 3);
        assert_eq!(shape(&story), "view_fell");
    }

    #[test]
    fn a_restart_that_forgets_a_vote_is_a_violation() {
        let mut story = voted();
        story.crash(1);
        let mut forgetful = story.clone();
        forgetful.restart(1, |state| state.view = 3);
        assert_eq!(shape(&forgetful), "forgot_its_vote");
        story.restart(1, |state| state.view = 4);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_disk_that_a_fault_has_replaced_holds_no_vote() {
        let mut story = voted();
        story.crash(1);
        let seq = story.tick();
        story.state(1).view = 0;
        story.event(1, Event::Started, |row| row.op = Some(0));
        story.crash(1);
        story.restart(1, |state| state.view = 0);
        assert_eq!(shape(&story), "forgot_its_vote");
        story.faults.push(FaultRow { seq, fault: FaultKind::Reformat, target: Some(1), ..FaultRow::default() });
        assert!(story.verdict(NAME).is_pass(), "{:?}", story.verdict(NAME));
        story.event(1, Event::VoteCast, |row| row.view = 7);
        story.crash(1);
        story.restart(1, |state| state.view = 6);
        assert_eq!(shape(&story), "forgot_its_vote");
    }

    #[test]
    fn a_view_that_was_entered_but_never_promised_may_be_lost_in_a_crash() {
        let mut story = Story::clean(2);
        story.event(1, Event::StatusChanged, |row| row.view = 9);
        story.crash(1);
        story.restart(1, |state| state.view = 0);
        assert!(story.verdict(NAME).is_violation(), "the crash row itself shows view 0 after view 9");
        let crash = story.transitions.iter().position(|row| row.event == Event::Crashed).unwrap();
        story.transitions[crash].view = 9;
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn messages_of_an_older_view_may_not_leave() {
        let mut story = voted();
        let place = story.about(Command::PrepareOk, 1, 0, (2, 0, 3));
        assert_eq!(shape(&story), "sent_in_old_view");
        story.messages[place].mutation = Some(Mutation::ViewNumber);
        assert!(story.verdict(NAME).is_pass());
        story.messages[place].mutation = None;
        story.messages[place].command = Command::Reply;
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn an_entry_from_an_older_views_message_is_a_violation() {
        let mut story = voted();
        story.about(Command::Prepare, 0, 1, (3, 0, 0));
        let cause = story.messages.len() as u64;
        let place = story.append(1, 3, 0);
        assert!(story.verdict(NAME).is_pass());
        story.transitions[place].cause = Some(cause);
        assert_eq!(shape(&story), "accepted_old_view");
    }

    #[test]
    fn what_comes_again_from_an_older_view_is_refused() {
        let again = |view: u64, reason: Option<RejectReason>| {
            let mut story = Story::clean(2);
            story.state(1).view = 4;
            story.event(1, Event::ViewEntered, |_| {});
            story.message(Command::Commit, 0, 1, |row| {
                (row.view, row.mutation, row.reject_reason) = (Some(view), Some(Mutation::Replayed), reason);
            });
            story.event(2, Event::TimerFired, |_| {});
            story
        };
        let shape = |story: &Story| story.verdict(NAME).witness().expect("a violation").shape.clone();
        assert_eq!(shape(&again(3, None)), "accepted_replay");
        assert!(again(3, Some(RejectReason::OldView)).verdict(NAME).is_pass());
        assert!(again(4, None).verdict(NAME).is_pass());
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = voted();
        assert!(story.cut_off(story.transitions.last().unwrap().seq).verdict(NAME).is_pass());
    }
}
