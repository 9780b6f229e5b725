//! `vsr_view_change_safety`: a new view starts from votes of a quorum and from a log that holds all that was committed before.
//!
//! The new primary replaces everybody's log by its own, so whatever that log lacks is lost.
//!
//! **Formally.** (1) A `view_entered` of view v with quorum Q on replica p: p is the primary of v, Q holds only the n voters of p's epoch
//! and at least floor(n/2) + 1 of them; each m in Q has a `vote_cast` with a head for v before it, and, if m is not p, an unrefused
//! `do_view_change` of v from m to p arrived before it, which no fault changed (but for `identical_claim`; a copy that a fault delivers
//! later is what m sent: when m's own ones are lost, a replayed one may be the first to arrive). (2) Let e be the entry with the largest
//! op that any primary counted votes for in a view below v, at any time. The log that ends in the head with which the primary of v
//! entered it holds e; so does the log of each `start_view` of v that no fault changed. A log holds e when following the entries' links
//! down from its head ends at e.
//!
//! **Evidence.** transition: replica, event, view, op, `entry_hash`, `previous_hash`, quorum, epoch. message: command, from, to, view, op,
//! `entry_hash`, fate, `fate_seq`, `reject_reason`, mutation, epoch.
//!
//! **Deliberately not checked.** Which of several candidate logs was chosen, as long as it holds what was committed. Heads whose links
//! are not known down to e (nobody appended an entry in between in this run): they count as no fact.

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex, is_as_sent, members};
use crate::invariants::quorum_commit::unknown_epoch;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use crate::words::{replicas, votes_among, votes_of};
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, Mutation, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "vsr_view_change_safety",
    version: 3,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Transition, columns: &["replica", "event", "view", "op", "entry_hash", "previous_hash", "quorum", "epoch"] },
        Reads {
            kind: Kind::Message,
            columns: &["command", "from", "to", "view", "op", "entry_hash", "fate", "fate_seq", "reject_reason", "mutation", "epoch"],
        },
    ],
    statement: "a new view is built from do_view_changes of a quorum of distinct members and holds every entry committed in earlier views",
    because_of: &["hash_chain", "quorum_commit"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no view changed", || {
        let votes = votes_by_view(index, meter)?;
        let commits = commits_by_view(index, meter)?;
        Ok(views(index, &votes, &commits, meter)? + start_views(index, &commits, meter)?)
    })
}

/// A vote for a view with a log: who cast it, and when it left or arrived.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    view: u64,
    from: u16,
    /// The receiver; of a vote that was cast, nobody.
    to: Option<u16>,
    seq: u64,
}

/// Votes as cast by their members and as they arrived, sorted by view.
fn votes_by_view(index: &RunIndex<'_>, meter: &Meter) -> Result<Vec<Vote>, Box<Verdict>> {
    let (table, messages) = (index.transitions(), index.messages());
    let mut ticker = meter.ticker();
    let mut votes = Vec::new();
    for (row, _) in index.events(EventSet::of(&[Event::VoteCast])) {
        ticker.step()?;
        if table.entry_hash.0[row] != u64::NONE {
            votes.push(Vote { view: table.view[row], from: table.replica[row].into(), to: None, seq: table.seq[row] });
        }
    }
    let (wanted, delivered) = (Command::DoViewChange as u8, Fate::Delivered as u8);
    for row in index.message_rows() {
        if messages.command.codes[row] != wanted || messages.fate.codes[row] != delivered {
            continue;
        }
        // A lie about the log is the receiver's to refuse; one that it cannot tell from the truth is its sender's vote all the same.
        let mutation = messages.mutation.get(row);
        let is_vote = is_as_sent(mutation) || mutation == Some(Mutation::IdenticalClaim);
        if messages.reject_reason.codes[row] != u8::NONE || !is_vote {
            continue;
        }
        let (view, seq) = (messages.view.0[row], messages.fate_seq.0[row]);
        votes.push(Vote { view, from: messages.from[row], to: Some(messages.to[row]), seq });
    }
    votes.sort_unstable();
    Ok(votes)
}

/// An entry that was committed with counted votes.
#[derive(Clone, Copy)]
struct Commit {
    view: u64,
    entry: EntryId,
    row: usize,
}

/// For each view in which something was committed: the largest op up to and including it, by rising view.
fn commits_by_view(index: &RunIndex<'_>, meter: &Meter) -> Result<Vec<Commit>, Box<Verdict>> {
    let (table, entries) = (index.transitions(), index.entries());
    let mut ticker = meter.ticker();
    let mut commits: Vec<Commit> = Vec::new();
    for (row, _) in index.events(EventSet::of(&[Event::Committed])) {
        ticker.step()?;
        if table.quorum.0[row] == u32::NONE {
            continue;
        }
        let Some(entry) = entries.of_row(row) else { continue };
        let commit = Commit { view: table.view[row], entry, row };
        match commits.iter_mut().rfind(|known| known.view == commit.view) {
            Some(known) if entries.op(known.entry) < entries.op(entry) => *known = commit,
            Some(_) => {}
            None => commits.push(commit),
        }
    }
    commits.sort_by_key(|commit| commit.view);
    for place in 1..commits.len() {
        let before = commits[place - 1];
        if entries.op(before.entry) > entries.op(commits[place].entry) {
            (commits[place].entry, commits[place].row) = (before.entry, before.row);
        }
    }
    Ok(commits)
}

fn views(index: &RunIndex<'_>, votes: &[Vote], commits: &[Commit], meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for (row, _) in index.events(EventSet::of(&[Event::ViewEntered])) {
        ticker.step()?;
        let view = table.view[row];
        if let Some(quorum) = table.quorum.get(row) {
            facts += 1;
            backed(index, row, quorum, votes)?;
        }
        if index.primary(view) == Some(table.replica[row]) {
            let head = Head { view, op: table.op.0[row], hash: table.entry_hash.0[row] };
            let words = format!("replica {} enters view {view} with head {}", table.replica[row], head.op);
            facts += holds(index, head, commits, index.transition_step(row, words))?;
        }
    }
    Ok(facts)
}

fn backed(index: &RunIndex<'_>, row: usize, quorum: u32, votes: &[Vote]) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let (replica, view, seq) = (table.replica[row], table.view[row], table.seq[row]);
    let entered = || index.transition_step(row, format!("replica {replica} enters view {view} with {}", votes_of(quorum)));
    let Some(in_force) = index.configurations().of_epoch(table.epoch[row]) else {
        return Err(Box::new(unknown_epoch(table.epoch[row])));
    };
    let (strangers, short) = (quorum & !in_force.voters, !in_force.decides(quorum));
    if strangers != 0 || short || index.primary(view) != Some(replica) {
        let (shape, what) = if strangers != 0 {
            ("vote_of_no_member", format!(" with {}, where only these vote: {}", votes_of(strangers), replicas(in_force.voters)))
        } else if short {
            ("below_quorum", format!(" with too few votes: {}", votes_among(quorum, in_force.voters.count_ones())))
        } else {
            ("not_primary", ", which is not its primary".to_owned())
        };
        let summary = format!("view {view} began on replica {replica}{what}");
        return Err(Witness::new(shape, summary).step(entered()).into());
    }
    let of_view = votes.partition_point(|vote| vote.view < view)..votes.partition_point(|vote| vote.view <= view);
    let votes = &votes[of_view];
    let primary = u16::from(replica);
    for member in members(quorum).map(u16::from) {
        let exists = |to: Option<u16>| votes.iter().any(|vote| vote.from == member && vote.to == to && vote.seq < seq);
        let (shape, what) = match (exists(None), member == primary || exists(Some(primary))) {
            (true, true) => continue,
            (false, _) => ("vote_never_cast", "which it never cast"),
            (true, false) => ("vote_never_arrived", "which never arrived"),
        };
        let summary = format!("view {view} began with a vote of replica {member}, {what}");
        return Err(Witness::new(shape, summary).step(entered()).into());
    }
    Ok(())
}

/// The head of a log and the view that it begins.
#[derive(Clone, Copy)]
struct Head {
    view: u64,
    op: u64,
    hash: u64,
}

/// The log below `head` holds the last entry that was committed in an earlier view.
fn holds(index: &RunIndex<'_>, head: Head, commits: &[Commit], step: Step) -> Decision {
    let (table, entries) = (index.transitions(), index.entries());
    let earlier = commits.partition_point(|commit| commit.view < head.view);
    let Some(commit) = earlier.checked_sub(1).map(|place| commits[place]) else { return Ok(0) };
    let op = entries.op(commit.entry);
    let (shape, lacks) = if head.op == u64::NONE {
        return Ok(0);
    } else if head.op < op {
        ("log_too_short", format!("ends at op {}", head.op))
    } else {
        let Some(found) = entries.find(head.op, head.hash).and_then(|head| entries.ancestor_hash(head, op)) else { return Ok(0) };
        if found == entries.hash(commit.entry) {
            return Ok(1);
        }
        ("other_log", format!("holds hash {found:016x} there"))
    };
    let (replica, view) = (table.replica[commit.row], table.view[commit.row]);
    let summary = format!("op {op} was committed in view {view}, but the log that began view {} {lacks}", head.view);
    let words = format!("replica {replica} commits op {op}, hash {:016x}, in view {view}", entries.hash(commit.entry));
    Err(Witness::new(shape, summary).step(index.transition_step(commit.row, words)).step(step).into())
}

fn start_views(index: &RunIndex<'_>, commits: &[Commit], meter: &Meter) -> Decision {
    let table = index.messages();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    let wanted = Command::StartView as u8;
    let mut before = None;
    for row in index.message_rows() {
        if table.command.codes[row] != wanted || table.mutation.codes[row] != u8::NONE {
            continue;
        }
        ticker.step()?;
        let head = Head { view: table.view.0[row], op: table.op.0[row], hash: table.entry_hash.0[row] };
        // One start_view leaves for each backup; the log is the same.
        if head.view == u64::NONE || before.replace((head.view, head.op, head.hash)) == Some((head.view, head.op, head.hash)) {
            continue;
        }
        let words = format!("replica {} sends the log of view {} with head {}", table.from[row], head.view, head.op);
        facts += holds(index, head, commits, index.message_step(row, words))?;
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Story, entry_hash};
    use vopr_schema::{Command, Fate, Mutation, RejectReason, TransitionEvent as Event};

    const NAME: &str = "vsr_view_change_safety";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    fn vote(story: &mut Story, replica: u8, op: u64) {
        story.state(replica).view = 1;
        let place = story.entry(replica, Event::VoteCast, op, 0);
        story.transitions[place].view = 1;
    }

    /// Two ops committed in view 0, then members 1 and 2 start view 1 with head `op`.
    fn changed(op: u64) -> Story {
        let mut story = Story::clean(2);
        vote(&mut story, 2, op);
        story.about(Command::DoViewChange, 2, 1, (op, 0, 1));
        vote(&mut story, 1, op);
        let place = story.entry(1, Event::ViewEntered, op, 0);
        story.transitions[place].quorum = Some(0b110);
        story.about(Command::StartView, 1, 2, (op, 0, 1));
        story
    }

    #[test]
    fn a_proper_view_change_passes() {
        assert_eq!(changed(2).verdict(NAME).facts(), 3);
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn a_log_that_lacks_a_committed_entry_is_a_violation() {
        assert_eq!(shape(&changed(1)), "log_too_short");
        let mut story = changed(2);
        let place = story.transitions.iter().rposition(|row| row.event == Event::ViewEntered).unwrap();
        story.transitions[place].entry_hash = Some(entry_hash(2, 9));
        assert_eq!(shape(&story), "other_log");
    }

    #[test]
    fn a_start_view_that_lacks_a_committed_entry_is_a_violation() {
        let mut story = changed(2);
        story.about(Command::StartView, 1, 2, (1, 0, 1));
        assert_eq!(shape(&story), "log_too_short");
    }

    #[test]
    fn a_commit_in_the_old_view_that_comes_late_counts_too() {
        let mut story = Story::clean(2);
        vote(&mut story, 1, 2);
        story.about(Command::DoViewChange, 2, 1, (2, 0, 1));
        vote(&mut story, 2, 2);
        story.about(Command::DoViewChange, 2, 1, (2, 0, 1));
        let place = story.entry(1, Event::ViewEntered, 2, 0);
        story.transitions[place].quorum = Some(0b110);
        assert!(story.verdict(NAME).is_pass());
        story.commit(0, 3, 0, Some(0b101));
        assert_eq!(shape(&story), "log_too_short");
    }

    #[test]
    fn the_quorum_must_be_one_and_its_votes_must_have_arrived() {
        let entered = |story: &Story| story.transitions.iter().rposition(|row| row.event == Event::ViewEntered).unwrap();
        let mut story = changed(2);
        let place = entered(&story);
        story.transitions[place].quorum = Some(0b010);
        assert_eq!(shape(&story), "below_quorum");
        story.transitions[place].quorum = Some(0b1010);
        assert_eq!(shape(&story), "vote_of_no_member");
        story.transitions[place].quorum = Some(0b011);
        assert_eq!(shape(&story), "vote_never_cast");
        story.transitions[place].quorum = Some(0b110);
        let message = story.messages.iter().position(|row| row.command == Command::DoViewChange).unwrap();
        story.messages[message].reject_reason = Some(RejectReason::BrokenChain);
        assert_eq!(shape(&story), "vote_never_arrived");
        story.messages[message].reject_reason = None;
        story.messages[message].mutation = Some(Mutation::TailContent);
        assert_eq!(shape(&story), "vote_never_arrived");
        for mutation in [Mutation::IdenticalClaim, Mutation::Replayed, Mutation::Flood] {
            story.messages[message].mutation = Some(mutation);
            assert!(story.verdict(NAME).is_pass(), "{mutation}");
        }
        story.messages[message].mutation = None;
        story.messages[message].fate = Fate::Lost;
        assert_eq!(shape(&story), "vote_never_arrived");
    }

    #[test]
    fn entering_a_view_as_a_backup_needs_no_votes() {
        let mut story = changed(2);
        story.entry(2, Event::ViewEntered, 2, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = changed(2);
        let entered = story.transitions.iter().rposition(|row| row.event == Event::ViewEntered).unwrap();
        assert_eq!(story.cut_off(story.transitions[entered].seq).verdict(NAME).name(), "not_applicable");
    }
}
