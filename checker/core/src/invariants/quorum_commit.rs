//! `quorum_commit`: a commit is backed by the durable votes of a quorum of distinct members, in its own view.
//!
//! It is what makes a commit survive: any later view change meets at least one of those members. The votes are not taken from the
//! primary's word; each must be found as a message that arrived and as a vote on the member that cast it.
//!
//! **Formally.** For each `committed` with `quorum` Q on replica p in view v, entry e: (1) p is the primary of v; (2) Q holds only
//! voters of the configuration in force on p, n of them, and at least floor(n/2) + 1; if e is the entry that brings the next
//! configuration, voters of both, and enough of either; (3) for each m in Q: m has an `acknowledged` of e in view v before it, which
//! has an `entry_durable` of e on m before it; (4) for each m in Q other than p: an unrefused `prepare_ok` of (v, e) from m to p
//! arrived before it, whose content no fault changed. A `committed` without quorum (learnt) stands behind one with quorum of the same
//! op and entry. (5) A `replied` of a read without an entry, which names a quorum Q, comes from the primary of its view; Q holds that
//! primary, and more than half of the voters of a configuration that was in force by then, and nobody who had never been a voter.
//!
//! **Evidence.** transition: replica, event, view, op, `entry_hash`, quorum, epoch. message: command, from, to, view, op,
//! `entry_hash`, fate, `fate_seq`, `reject_reason`, mutation.
//!
//! **Deliberately not checked.** Whether the configuration in force on p is the one that the op needs (`reconfiguration_safety`). In
//! which configuration a read was confirmed, in steps: (1) a quorum of the first confirms who leads; (2) the change to the second is
//! applied; (3) the read is, and its reply leaves in the second. An entry that a restart found on disk counts as durable without
//! `entry_durable`: (1) a backup writes entry e and crashes before the flush is confirmed; (2) the write survived; (3) the restarted
//! backup finds e whole on disk and may vote for it, though no flush of e was ever confirmed.

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex, is_as_sent, members};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use crate::words::{replicas, votes_among, votes_of};
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "quorum_commit",
    version: 3,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Transition, columns: &["replica", "event", "view", "op", "entry_hash", "quorum", "epoch"] },
        Reads {
            kind: Kind::Message,
            columns: &["command", "from", "to", "view", "op", "entry_hash", "fate", "fate_seq", "reject_reason", "mutation"],
        },
    ],
    statement: "a commit is backed by durable acknowledgements of a quorum of distinct members, given and received in its view",
    because_of: &["leader_uniqueness", "replica_head"],
    check,
};

const EVENTS: EventSet = EventSet::of(&[Event::Committed, Event::Replied]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was committed", || commits(index, meter))
}

fn commits(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    // Which entries some primary has counted votes for.
    let mut counted = vec![false; index.entries().len()];
    let mut facts = 0;
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        if event == Event::Replied {
            if let Some(quorum) = table.quorum.get(row) {
                confirmed(index, row, quorum)?;
                facts += 1;
            }
            continue;
        }
        let Some(entry) = index.entries().of_row(row) else { continue };
        facts += 1;
        match table.quorum.get(row) {
            Some(quorum) => {
                backed(index, row, entry, quorum)?;
                counted[entry.index()] = true;
            }
            None if !counted[entry.index()] => return Err(hearsay(index, row).into()),
            None => {}
        }
    }
    Ok(facts)
}

fn hearsay(index: &RunIndex<'_>, row: usize) -> Witness {
    let (replica, op) = (index.transitions().replica[row], index.transitions().op.0[row]);
    let summary = format!("replica {replica} learnt that op {op} is committed, but no primary had counted votes for it");
    Witness::new("learnt_without_count", summary)
        .step(index.transition_step(row, format!("replica {replica} commits op {op} without votes of its own")))
}

fn backed(index: &RunIndex<'_>, row: usize, entry: EntryId, quorum: u32) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let (replica, view, op) = (table.replica[row], table.view[row], table.op.0[row]);
    let commit = |words: String| index.transition_step(row, words);
    let set = || format!("replica {replica} commits op {op} in view {view} with {}", votes_of(quorum));
    if index.primary(view) != Some(replica) {
        let summary = format!("replica {replica} counted votes for op {op} in view {view}, of which it is not the primary");
        return Err(Witness::new("not_primary", summary).step(commit(set())).into());
    }
    let known = index.configurations();
    let Some(voters) = known.of_epoch(table.epoch[row]) else { return Err(Box::new(unknown_epoch(table.epoch[row]))) };
    let next = known.after(voters.epoch).filter(|next| next.since == op).unwrap_or(voters);
    let strangers = quorum & !(voters.voters | next.voters);
    if strangers != 0 || !voters.decides(quorum) || !next.decides(quorum) {
        let (shape, what) = if strangers != 0 {
            let all = replicas(voters.voters | next.voters);
            ("no_member", format!("{}, where only these vote: {all}", votes_of(strangers)))
        } else {
            ("below_quorum", format!("too few votes: {}", votes_among(quorum, voters.voters.count_ones())))
        };
        let summary = format!("op {op} was committed with {what}");
        return Err(Witness::new(shape, summary).step(commit(set())).into());
    }
    for member in members(quorum) {
        if let Err(missing) = vote(index, row, entry, member) {
            let summary = format!("op {op} was committed with a vote of replica {member}, which {}", missing.summary);
            return Err(Witness::new(missing.shape, summary).steps(missing.step).step(commit(set())).into());
        }
    }
    Ok(())
}

/// A read that has no entry: a quorum had confirmed who leads.
fn confirmed(index: &RunIndex<'_>, row: usize, quorum: u32) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let (replica, view, epoch) = (table.replica[row], table.view[row], table.epoch[row]);
    let known = index.configurations();
    let Some(voters) = known.of_epoch(epoch) else { return Err(Box::new(unknown_epoch(epoch))) };
    let until = || known.all().iter().take_while(|known| known.epoch <= epoch);
    let foreign = quorum & !until().fold(0, |all, known| all | known.voters) != 0;
    let (shape, what) = if index.primary(view) != Some(replica) {
        ("reader_not_primary", format!("and is not the primary of view {view}"))
    } else if quorum.checked_shr(replica.into()).unwrap_or(0) & 1 == 0 {
        ("reader_not_in_quorum", "and is none of them".to_owned())
    } else if foreign || !until().any(|known| known.decides(quorum)) {
        ("read_below_quorum", format!("no majority of {}", replicas(voters.voters)))
    } else {
        return Ok(());
    };
    let summary = format!("replica {replica} answered a read without an entry on the word of {}, {what}", replicas(quorum));
    Err(Witness::new(shape, summary).step(index.transition_step(row, format!("replica {replica} replies in view {view}"))).into())
}

/// Nobody can say what a quorum is where no replica has told who votes.
pub(crate) fn unknown_epoch(epoch: u32) -> Verdict {
    Verdict::unknown(format!("no epoch_entered says who votes in epoch {epoch}"))
}

/// Why a vote does not count.
struct Missing {
    shape: &'static str,
    summary: &'static str,
    step: Option<Step>,
}

fn vote(index: &RunIndex<'_>, row: usize, entry: EntryId, member: u8) -> Result<(), Missing> {
    let table = index.transitions();
    let (seq, view, primary) = (table.seq[row], table.view[row], table.replica[row]);
    let said = index.testimony().about(entry);
    let cast = said.iter().find(|said| said.replica == member && said.event == Event::Acknowledged && said.view == view && said.seq < seq);
    let Some(cast) = cast else {
        return Err(Missing { shape: "vote_never_cast", summary: "it never cast in this view", step: None });
    };
    let cast_row = cast.row as usize;
    let durable = said.iter().any(|said| said.replica == member && said.event == Event::EntryDurable && said.seq < cast.seq);
    if !durable && !index.testimony().may_have_survived(index, entry, cast_row) {
        let step = Some(index.transition_step(cast_row, format!("replica {member} votes before the entry is on its disk")));
        return Err(Missing { shape: "vote_not_durable", summary: "was not durable when it was given", step });
    }
    if member == primary {
        return Ok(());
    }
    let (from, to) = (u16::from(member), u16::from(primary));
    let messages = index.messages();
    let votes = index.deliveries().votes(entry);
    let arrived = votes.iter().any(|vote| {
        let genuine = is_as_sent(messages.mutation.get(vote.row as usize));
        vote.from == from && vote.to == to && vote.view == view && vote.fate_seq < seq && genuine
    });
    if arrived {
        return Ok(());
    }
    let step = Some(index.transition_step(cast_row, format!("replica {member} votes in view {view}")));
    Err(Missing { shape: "vote_never_arrived", summary: "never arrived", step })
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, Fate, Mutation, RejectReason, TransitionEvent as Event};

    const NAME: &str = "quorum_commit";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    /// A clean run, and the places of the last `prepare_ok` of replica 1 and of the commit that it backs.
    fn last_vote() -> (Story, usize, usize) {
        let story = Story::clean(3);
        let vote = story.messages.iter().rposition(|row| row.command == Command::PrepareOk && row.from == 1).unwrap();
        let commit = story.transitions.iter().rposition(|row| row.event == Event::Committed && row.quorum.is_some()).unwrap();
        (story, vote, commit)
    }

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).facts(), 9);
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn a_read_without_an_entry_needs_the_word_of_a_quorum() {
        let story = |replica, quorum, epoch| {
            let mut story = Story::clean(3);
            story.state(replica).epoch = epoch;
            if epoch > 0 {
                story.event(replica, Event::EpochEntered, |row| (row.op, row.quorum) = (Some(3), Some(0b1)));
            }
            story.event(replica, Event::Replied, |row| row.quorum = quorum);
            story
        };
        let facts = |quorum, epoch| story(0, quorum, epoch).verdict(NAME).facts();
        assert_eq!((facts(None, 0), facts(Some(0b11), 0), facts(Some(0b101), 1), facts(Some(0b1), 1)), (9, 10, 10, 10));
        assert_eq!(shape(&story(0, Some(0b1), 0)), "read_below_quorum");
        assert_eq!(shape(&story(0, Some(0b1011), 0)), "read_below_quorum");
        assert_eq!(shape(&story(0, Some(0b110), 0)), "reader_not_in_quorum");
        assert_eq!(shape(&story(1, Some(0b11), 0)), "reader_not_primary");
    }

    #[test]
    fn too_few_or_foreign_votes_are_violations() {
        let (mut story, _, commit) = last_vote();
        story.transitions[commit].quorum = Some(0b001);
        assert_eq!(shape(&story), "below_quorum");
        story.transitions[commit].quorum = Some(0b1011);
        assert_eq!(shape(&story), "no_member");
        story.transitions[commit].quorum = Some(0b101);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_vote_must_have_arrived() {
        for tamper in [
            |row: &mut vopr_schema::MessageRow| row.fate = Fate::Lost,
            |row: &mut vopr_schema::MessageRow| row.from = 2,
            |row: &mut vopr_schema::MessageRow| row.view = Some(3),
            |row: &mut vopr_schema::MessageRow| row.entry_hash = Some(5),
            |row: &mut vopr_schema::MessageRow| row.reject_reason = Some(RejectReason::OldView),
            |row: &mut vopr_schema::MessageRow| row.mutation = Some(Mutation::OpNumber),
            |row: &mut vopr_schema::MessageRow| row.fate_seq = Some(u64::MAX - 1),
        ] {
            let (mut story, vote, _) = last_vote();
            tamper(&mut story.messages[vote]);
            assert_eq!(shape(&story), "vote_never_arrived");
        }
    }

    #[test]
    fn a_vote_that_a_fault_delivered_once_more_is_its_senders() {
        for mutation in [Mutation::Flood, Mutation::Replayed] {
            let (mut story, vote, _) = last_vote();
            story.messages[vote].mutation = Some(mutation);
            assert!(story.verdict(NAME).is_pass());
        }
    }

    #[test]
    fn a_vote_must_have_been_cast_and_durable() {
        let (story, _, _) = last_vote();
        let without = |event: Event| {
            let mut story = story.clone();
            story.transitions.retain(|row| row.event != event || row.replica != 1 || row.op != Some(3));
            shape(&story)
        };
        assert_eq!(without(Event::Acknowledged), "vote_never_cast");
        assert_eq!(without(Event::EntryDurable), "vote_not_durable");
    }

    #[test]
    fn votes_of_an_older_view_do_not_count() {
        let (mut story, _, commit) = last_vote();
        story.transitions[commit].view = 3;
        assert_eq!(shape(&story), "vote_never_cast");
        story.transitions[commit].view = 4;
        assert_eq!(shape(&story), "not_primary");
    }

    #[test]
    fn a_commit_that_nobody_counted_is_a_violation() {
        let (mut story, _, commit) = last_vote();
        story.transitions[commit].quorum = None;
        assert_eq!(shape(&story), "learnt_without_count");
    }

    #[test]
    fn an_entry_found_on_disk_by_a_restart_needs_no_flush() {
        let mut story = Story::clean(2);
        story.accept(0, 3, 0);
        story.append(1, 3, 0);
        story.crash(1);
        story.restart(1, |state| state.op = Some(3));
        story.entry(1, Event::Acknowledged, 3, 0);
        story.about(Command::PrepareOk, 1, 0, (3, 0, 0));
        story.commit(0, 3, 0, Some(0b011));
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_cut_off_run_passes() {
        let (story, _, commit) = last_vote();
        assert!(story.cut_off(story.transitions[commit].seq).verdict(NAME).is_pass());
    }
}
