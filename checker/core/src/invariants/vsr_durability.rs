//! `vsr_durability`: a committed entry stays on the disks of a quorum until checkpoints cover it.
//!
//! As long as a quorum holds it, every later view change meets a replica that has it; below a quorum it can be lost for ever.
//!
//! **Formally.** Replica r *keeps* entry e of op o from its `entry_durable` of e on, until it gives e up: by an
//! `entry_truncated` of e, or by acting (a `do_view_change`, a vote for an entry, entering a view) with a head below o; a
//! `do_view_change` does not give up what was reported damaged. It also keeps e while it has a checkpoint at or above o
//! (`checkpoint_durable`, `state_installed`, `restarted.commit`). From the first `committed` of e on, at least floor(n/2) + 1
//! replicas keep e. Tested when e is first committed and whenever a replica gives e up. And a replica that has voted for e
//! (`acknowledged`) does not give a committed e up at all before a checkpoint of its own covers it, if it has voted for e in the view in
//! which a quorum did or later, or is in such a view by now: the quorum consists of such replicas, and every later view has e.
//!
//! n are the voters of the newest epoch that any replica has entered.
//!
//! **Evidence.** transition: replica, event, op, commit, `entry_hash`, epoch, quorum.
//!
//! **Deliberately not checked.** Damage that was injected does not end keeping: (1) members 0 and 1 of three hold committed op
//! 7; (2) a fault damages the slot of member 0: one good copy is left; (3) member 0 finds the damage, does not vote, and
//! repairs op 7 from member (1) Nothing was lost, though for a while only one disk could show op (7) If member 0 acts as if it
//! had never held op 7, it gives it up, and that is the violation. Ring slots that are reused too early are not seen either:
//! rows do not name slots. Nor does a vote of an older view bind anybody to an entry that this view did not decide: (1) of five
//! members 1 and 3 vote for op 218 in view 1, which ends; (2) members 0, 2 and 4, which lack it, send their logs for view 2; (3)
//! members 0 and 4 go on and begin view 4 with member 3, whose log it takes: they decide op 218 there; (4) member 2 begins view
//! 2 late, and its `start_view` reaches member 1, which gives op 218 up: both are behind, and hear of view 4 next.

use crate::budget::Meter;
use crate::index::{Configuration, EntryId, EventSet, RunIndex, Statement};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::{counted, replicas};
use std::collections::BTreeMap;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "vsr_durability",
    version: 3,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "event", "view", "op", "commit", "entry_hash", "epoch", "quorum"] }],
    statement: "a committed entry stays in the log of a quorum's worth of disks until a checkpoint covers it",
    because_of: &["quorum_commit", "vsr_recovery_safety", "vsr_agreement"],
    check,
};

const EVENTS: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::EntryAppended,
    Event::Repaired,
    Event::EntryDurable,
    Event::EntryTruncated,
    Event::Committed,
    Event::CheckpointDurable,
    Event::StateInstalled,
    Event::CorruptionDetected,
    Event::VoteCast,
    Event::Acknowledged,
    Event::ViewEntered,
    Event::EpochEntered,
]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was committed", || follow(index, meter))
}

#[derive(Clone, Default)]
struct Replica {
    /// Op numbers up to this one are covered by a checkpoint.
    covered: u64,
    /// Largest op number that it ever made durable and has not given up.
    durable: u64,
    /// Head of its log.
    head: u64,
    /// Op numbers whose slots it reported damaged since its restart.
    damaged: Vec<u64>,
}

struct Disks<'a, 'h> {
    index: &'a RunIndex<'h>,
    replicas: Vec<Replica>,
    /// Per entry, the replicas that keep it.
    keepers: Vec<u32>,
    /// Per op number, the row that committed it first, as row + 1.
    committed: Vec<usize>,
    /// The newest configuration that any replica has entered.
    in_force: Configuration,
    facts: u64,
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let mut ticker = meter.ticker();
    let mut disks = Disks {
        index,
        replicas: vec![Replica::default(); index.replicas()],
        keepers: vec![0; index.entries().len()],
        committed: vec![0; index.ops()],
        in_force: index.configurations().all()[0],
        facts: 0,
    };
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        disks.row(row, event)?;
    }
    Ok(disks.facts)
}

impl Disks<'_, '_> {
    fn row(&mut self, row: usize, event: Event) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let bit = 1_u32.checked_shl(number.into()).unwrap_or(0);
        let op = table.op.get(row).unwrap_or(0);
        let entry = self.index.entries().of_row(row);
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        match event {
            Event::Started => *replica = Replica::default(),
            Event::Restarted => {
                (replica.covered, replica.head) = (table.commit[row], op);
                replica.damaged.clear();
            }
            Event::CorruptionDetected => replica.damaged.extend(table.op.get(row)),
            Event::EntryAppended | Event::Repaired => replica.head = replica.head.max(op),
            Event::EntryDurable => {
                replica.durable = replica.durable.max(op);
                if let Some(entry) = entry {
                    self.keepers[entry.index()] |= bit;
                }
            }
            Event::CheckpointDurable | Event::StateInstalled => {
                replica.covered = replica.covered.max(op);
                replica.head = replica.head.max(op);
            }
            Event::EntryTruncated => {
                if replica.head == op {
                    replica.head = op.saturating_sub(1);
                }
                if let Some(entry) = entry.filter(|_| !self.index.installed_in_this_step(row, op)) {
                    self.gives_up(entry, bit, row)?;
                }
            }
            Event::Committed => {
                if let (Some(place), Some(entry)) = (self.index.op_index(op), entry)
                    && self.committed[place] == 0
                {
                    self.committed[place] = row + 1;
                    self.facts += 1;
                    self.kept_by_quorum(entry, row)?;
                }
            }
            Event::Acknowledged => {
                let head = replica.head.max(op);
                self.acts(number, head, row)?;
            }
            // Of the rest, op is the replica's head. A start_view_change says nothing about the log.
            Event::VoteCast if entry.is_some() => self.acts(number, op, row)?,
            Event::ViewEntered => self.acts(number, op, row)?,
            Event::EpochEntered if table.epoch[row] > self.in_force.epoch => {
                self.in_force = self.index.configurations().of_epoch(table.epoch[row]).unwrap_or(self.in_force);
            }
            _ => {}
        }
        Ok(())
    }

    /// A replica that acts with this head has given up everything above it.
    fn acts(&mut self, number: u8, head: u64, row: usize) -> Result<(), Box<Verdict>> {
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        replica.head = head;
        let above = replica.durable;
        // A log that is voted with may end in slots that are unknown: they are not denied.
        let votes = self.index.transitions().event.get(row) == Event::VoteCast;
        let unknown = if votes { replica.damaged.clone() } else { Vec::new() };
        replica.durable = if unknown.is_empty() { above.min(head) } else { above };
        let bit = 1_u32.checked_shl(number.into()).unwrap_or(0);
        for op in head.saturating_add(1)..=above.min(self.index.ops() as u64) {
            let kept = self.index.entries().at_op(op).find(|entry| self.keepers[entry.index()] & bit != 0);
            if let Some(entry) = kept.filter(|_| !unknown.contains(&op)) {
                self.gives_up(entry, bit, row)?;
            }
        }
        Ok(())
    }

    fn gives_up(&mut self, entry: EntryId, bit: u32, row: usize) -> Result<(), Box<Verdict>> {
        let keepers = &mut self.keepers[entry.index()];
        if *keepers & bit == 0 {
            return Ok(());
        }
        *keepers &= !bit;
        let place = self.index.op_index(self.index.entries().op(entry));
        let committed = place.map_or(0, |place| self.committed[place]);
        if committed == 0 || self.index.entries().of_row(committed - 1) != Some(entry) {
            return Ok(());
        }
        self.facts += 1;
        self.kept_by_quorum(entry, row)?;
        self.not_by_its_voter(entry, committed - 1, row)
    }

    /// Who has voted for a committed entry keeps it until a checkpoint of its own covers it, unless the vote and the replica are of views
    /// before that which decided it.
    fn not_by_its_voter(&self, entry: EntryId, committed: usize, row: usize) -> Result<(), Box<Verdict>> {
        let (table, op) = (self.index.transitions(), self.index.entries().op(entry));
        let replica = table.replica[row];
        let covered = self.replicas.get(usize::from(replica)).map_or(u64::MAX, |replica| replica.covered);
        let own = self.votes(entry, row).filter(|vote| vote.replica == replica).map(|vote| vote.view).max();
        if covered >= op || own.is_none_or(|voted| voted.max(table.view[row]) < self.decided_in(entry, committed, row)) {
            return Ok(());
        }
        let summary = format!("replica {replica} gave committed op {op} up, for which it had voted; its checkpoint ends at op {covered}");
        let commit = self.index.transition_step(committed, format!("replica {} commits op {op}", table.replica[committed]));
        let gives_up = self.index.transition_step(row, format!("replica {replica} gives op {op} up: {}", table.event.get(row)));
        Err(Witness::new("given_up_by_a_voter", summary).step(commit).step(gives_up).into())
    }

    /// The votes for an entry before a row.
    fn votes(&self, entry: EntryId, row: usize) -> impl Iterator<Item = &Statement> {
        let seq = self.index.transitions().seq[row];
        let said = self.index.testimony().about(entry).iter();
        said.filter(move |said| said.event == Event::Acknowledged && said.seq < seq)
    }

    /// The first view in which a quorum has voted for a committed entry; that of the first commit where no such quorum is seen.
    fn decided_in(&self, entry: EntryId, committed: usize, row: usize) -> u64 {
        let table = self.index.transitions();
        let members = self.index.configurations().of_epoch(table.epoch[committed]).unwrap_or(self.in_force);
        let mut by_view: BTreeMap<u64, u32> = BTreeMap::new();
        for vote in self.votes(entry, row) {
            *by_view.entry(vote.view).or_default() |= 1_u32.checked_shl(vote.replica.into()).unwrap_or(0);
        }
        let decided = by_view.into_iter().find(|(_, voters)| members.decides(*voters)).map(|(view, _)| view);
        decided.unwrap_or(table.view[committed]).min(table.view[committed])
    }

    fn kept_by_quorum(&self, entry: EntryId, row: usize) -> Result<(), Box<Verdict>> {
        let (table, entries) = (self.index.transitions(), self.index.entries());
        let op = entries.op(entry);
        let covers = self.replicas.iter().enumerate().filter(|(_, replica)| replica.covered >= op);
        let covering = covers.fold(0, |set, (number, _)| set | 1_u32.checked_shl(u32::try_from(number).unwrap_or(32)).unwrap_or(0));
        let survivors = self.survivors(entry, row);
        let keepers = (self.keepers[entry.index()] | covering | survivors) & self.in_force.voters;
        if self.in_force.decides(keepers) {
            return Ok(());
        }
        let committed = self.index.op_index(op).map_or(0, |place| self.committed[place]);
        let only = if keepers == 0 { "" } else { " only" };
        let all = counted(self.in_force.voters.count_ones(), "member");
        let summary = format!("committed op {op} is kept by {}{only}, of {all}", replicas(keepers));
        let commit = |row: usize| {
            self.index.transition_step(row, format!("replica {} commits op {op}, hash {:016x}", table.replica[row], entries.hash(entry)))
        };
        let at_commit = committed == row + 1;
        let gives_up = (!at_commit)
            .then(|| self.index.transition_step(row, format!("replica {} gives op {op} up: {}", table.replica[row], table.event.get(row))));
        let shape = if at_commit { "committed_below_quorum_of_disks" } else { "given_up" };
        Err(Witness::new(shape, summary).step_if(committed.checked_sub(1).map(commit)).step_if(gives_up).into())
    }

    /// Members whose restart may have found the entry on disk without a confirmed flush, and that have voted for it since.
    fn survivors(&self, entry: EntryId, row: usize) -> u32 {
        let testimony = self.index.testimony();
        self.votes(entry, row)
            .filter(|said| testimony.may_have_survived(self.index, entry, said.row as usize))
            .fold(0, |set, said| set | 1_u32.checked_shl(said.replica.into()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Status, TransitionEvent as Event};

    const NAME: &str = "vsr_durability";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).facts(), 3);
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn a_commit_without_a_quorum_of_disks_is_a_violation() {
        let mut story = Story::clean(1);
        story.accept(0, 2, 0);
        story.append(1, 2, 0);
        story.commit(0, 2, 0, Some(3));
        assert_eq!(shape(&story), "committed_below_quorum_of_disks");
    }

    /// As if nobody had voted: only what a quorum keeps counts then.
    fn without_votes(ops: u64) -> Story {
        let mut story = Story::clean(ops);
        story.transitions.retain(|row| row.event != Event::Acknowledged);
        story
    }

    #[test]
    fn a_voter_does_not_give_a_committed_entry_up_while_no_checkpoint_of_its_own_covers_it() {
        let mut story = Story::clean(2);
        story.event(2, Event::CheckpointDurable, |row| row.op = Some(2));
        story.entry(2, Event::EntryTruncated, 2, 0);
        assert!(story.verdict(NAME).is_pass());
        story.entry(1, Event::EntryTruncated, 2, 0);
        assert_eq!(shape(&story), "given_up_by_a_voter");
    }

    /// Members 1 and 3 of five vote for op 2 in view 1; members 0, 3 and 4 decide it in view 4.
    fn decided_in_a_later_view() -> Story {
        let mut story = Story::new(5);
        for replica in 0..5 {
            story.accept(replica, 1, 1);
        }
        story.commit(1, 1, 1, Some(0b11111));
        for replica in [1, 3] {
            story.state(replica).view = 1;
            story.accept(replica, 2, 1);
        }
        for replica in [0, 3, 4] {
            story.state(replica).view = 4;
            story.event(replica, Event::ViewEntered, |row| row.op = Some(2));
            story.append(replica, 2, 1);
            story.entry(replica, Event::EntryDurable, 2, 1);
            story.entry(replica, Event::Acknowledged, 2, 1);
        }
        story.commit(4, 2, 1, Some(0b11001));
        story
    }

    #[test]
    fn a_vote_of_an_older_view_does_not_bind_to_what_that_view_did_not_decide() {
        let truncated_in = |view: u64, replica: u8, edit: &dyn Fn(&mut Story)| {
            let mut story = decided_in_a_later_view();
            edit(&mut story);
            story.state(replica).view = view;
            story.entry(replica, Event::EntryTruncated, 2, 1);
            story
        };
        // The start_view of view 2, which begins without op 2, reaches member 1 late.
        assert!(truncated_in(2, 1, &|_| {}).verdict(NAME).is_pass());
        // View 4 has decided it, and so has every later one.
        for view in [4, 5] {
            assert_eq!(shape(&truncated_in(view, 1, &|_| {})), "given_up_by_a_voter");
        }
        // Who has voted in view 4 and is found in view 2 has forgotten its view. With four keepers a quorum still keeps it.
        let votes_again = |story: &mut Story| {
            story.state(1).view = 4;
            story.entry(1, Event::Acknowledged, 2, 1);
        };
        assert_eq!(shape(&truncated_in(2, 1, &votes_again)), "given_up_by_a_voter");
        // A quorum voted for it in view 1 already, although nobody had committed it there.
        let decided_before = |story: &mut Story| {
            for replica in [2, 3, 1] {
                story.state(replica).view = 1;
                story.entry(replica, Event::EntryDurable, 2, 1);
                story.entry(replica, Event::Acknowledged, 2, 1);
            }
        };
        assert_eq!(shape(&truncated_in(2, 1, &decided_before)), "given_up_by_a_voter");
    }

    #[test]
    fn truncating_a_committed_entry_below_a_quorum_is_a_violation() {
        let mut story = without_votes(2);
        story.entry(1, Event::EntryTruncated, 2, 0);
        assert!(story.verdict(NAME).is_pass(), "two of three still keep it");
        story.entry(2, Event::EntryTruncated, 2, 0);
        assert_eq!(shape(&story), "given_up");
    }

    #[test]
    fn a_checkpoint_keeps_what_it_covers() {
        let mut story = without_votes(2);
        story.event(1, Event::CheckpointDurable, |row| row.op = Some(2));
        story.entry(1, Event::EntryTruncated, 2, 0);
        story.entry(2, Event::EntryTruncated, 2, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_state_that_is_installed_in_the_same_step_covers_what_leaves() {
        let mut story = without_votes(2);
        for replica in [1, 2] {
            let truncated = story.entry(replica, Event::EntryTruncated, 2, 0);
            let installed = story.event(replica, Event::StateInstalled, |row| row.op = Some(2));
            story.transitions[installed].time_ns = story.transitions[truncated].time_ns;
        }
        assert!(story.verdict(NAME).is_pass());
        story.transitions.retain(|row| row.event != Event::StateInstalled);
        assert_eq!(shape(&story), "given_up");
    }

    #[test]
    fn a_restart_below_a_committed_entry_gives_it_up_once_it_acts() {
        let mut story = without_votes(2);
        for replica in [1, 2] {
            story.crash(replica);
            story.restart(replica, |state| (state.op, state.status) = (Some(1), Status::Recovering));
        }
        assert!(story.verdict(NAME).is_pass(), "recovering replicas do not act");
        let mut repaired = story.clone();
        for replica in [1, 2] {
            repaired.event(replica, Event::ViewEntered, |row| row.op = Some(2));
        }
        assert!(repaired.verdict(NAME).is_pass());
        for replica in [1, 2] {
            story.event(replica, Event::ViewEntered, |_| {});
        }
        assert_eq!(shape(&story), "given_up");
    }

    #[test]
    fn a_vote_with_a_log_does_not_deny_what_was_reported_damaged() {
        let vote = |story: &mut Story| {
            for replica in [1, 2] {
                story.entry(replica, Event::VoteCast, 1, 0);
            }
        };
        let mut story = without_votes(2);
        vote(&mut story);
        assert_eq!(shape(&story), "given_up");
        let mut story = without_votes(2);
        for replica in [1, 2] {
            story.event(replica, Event::CorruptionDetected, |row| row.op = Some(2));
        }
        let reported = story.clone();
        vote(&mut story);
        assert!(story.verdict(NAME).is_pass());
        for replica in [1, 2] {
            story.event(replica, Event::ViewEntered, |row| row.op = Some(1));
        }
        assert_eq!(shape(&story), "given_up", "whoever enters a view knows its log");
        let mut forgotten = reported;
        for replica in [1, 2] {
            forgotten.crash(replica);
            forgotten.restart(replica, |state| (state.op, state.status) = (Some(1), Status::Recovering));
        }
        vote(&mut forgotten);
        assert_eq!(shape(&forgotten), "given_up", "reported before the restart");
    }

    #[test]
    fn truncating_what_was_never_committed_passes() {
        let mut story = Story::clean(2);
        story.accept(0, 3, 0);
        story.accept(1, 3, 0);
        story.entry(1, Event::EntryTruncated, 3, 0);
        story.entry(0, Event::EntryTruncated, 3, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = Story::clean(3);
        assert!(story.cut_off(story.transitions.last().unwrap().seq).verdict(NAME).is_pass());
    }
}
