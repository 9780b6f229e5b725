//! `reconfiguration_safety`: no two configurations decide at once, and only those who vote are counted.
//!
//! Two majorities of different memberships need not meet: if an old and a new one could both commit, one op number would get two
//! entries.
//!
//! **Formally.** Let C(E) be the configuration of epoch E, with its voters and the op s(E) of the entry that brought it. (1) All
//! `epoch_entered` of one epoch name the same voters and op; s rises with E, and no epoch is left out. (2) No replica's epoch ever
//! falls, unless a fault (`reformat`) replaced its disk. (3) An epoch is first entered behind a `committed` of its op. (4) For each
//! `committed` with `quorum` Q of op o on a replica in epoch E: o <= s(E+1); Q holds only voters of C(E), and more than half of them;
//! if o = s(E+1), voters of either, and more than half of each: so the quorums of consecutive configurations intersect. (5) A view
//! that a replica in epoch E enters with the logs of Q: Q holds only voters of C(E), and more than half of them; if the log ends with
//! the entry that brings E+1, more than half of C(E+1) had their `do_view_change` for the view delivered to that replica, or are that
//! replica. (6) A replica in epoch E that acknowledges a committed entry of op o is a voter of C(E), or of C(E+1) if o = s(E+1).
//!
//! **Evidence.** transition: replica, event, view, op, `entry_hash`, quorum, epoch. message: command, from, to, view, fate,
//! `fate_seq`, `reject_reason`. fault: fault, target.
//!
//! **Deliberately not checked.** Which change an administrator asked for: what an entry says is not recorded, only what it brought.
//! An acknowledgement by no voter of an entry that was never committed: (1) the change to epoch 1 is prepared at op 9 and names
//! member 3; (2) member 3 acknowledges it, as it should; (3) a view change drops it, and op 9 goes to another entry.

use crate::budget::Meter;
use crate::index::{Configuration, EventSet, RunIndex};
use crate::invariants::quorum_commit::unknown_epoch;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::{replicas, votes_of};
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "reconfiguration_safety",
    version: 2,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Transition, columns: &["replica", "event", "view", "op", "entry_hash", "quorum", "epoch"] },
        Reads { kind: Kind::Message, columns: &["command", "from", "to", "view", "fate", "fate_seq", "reject_reason"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target"] },
    ],
    statement: "quorums of consecutive configurations intersect, and nobody outside the configuration in force is counted",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    let known = index.configurations().all();
    if known.len() < 2 && !index.transitions().epoch[index.transition_rows()].iter().any(|epoch| *epoch > 0) {
        return Verdict::not_applicable("the membership never changed");
    }
    Verdict::decide("the membership never changed", || {
        let mut run = Run { index, committed: vec![false; index.entries().len()], ops: vec![false; index.ops()], facts: 0 };
        run.follow(meter)?;
        acknowledgements(&mut run, meter)?;
        Ok(run.facts)
    })
}

struct Run<'a, 'h> {
    index: &'a RunIndex<'h>,
    /// Per entry, whether it was committed by counting.
    committed: Vec<bool>,
    /// Per op, whether it was committed so far.
    ops: Vec<bool>,
    facts: u64,
}

const EVENTS: EventSet = EventSet::of(&[Event::Committed, Event::ViewEntered, Event::EpochEntered, Event::Started, Event::Restarted]);

impl Run<'_, '_> {
    fn follow(&mut self, meter: &Meter) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let mut ticker = meter.ticker();
        let mut epochs = vec![0; self.index.replicas()];
        for (row, event) in self.index.events(EVENTS) {
            ticker.step()?;
            if let Some(epoch) = epochs.get_mut(usize::from(table.replica[row])) {
                if event == Event::Started && self.index.was_replaced(row) {
                    *epoch = 0;
                }
                if table.epoch[row] < *epoch {
                    let (replica, now) = (table.replica[row], table.epoch[row]);
                    let summary = format!("replica {replica} is in epoch {now}, and was in epoch {epoch} before");
                    return Err(self.violation("epoch_falls", row, summary).into());
                }
                *epoch = table.epoch[row];
            }
            match event {
                Event::EpochEntered => self.entered(row)?,
                Event::Committed => self.commits(row)?,
                Event::ViewEntered if table.quorum.get(row).is_some() => self.leads(row)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn violation(&self, shape: &'static str, row: usize, summary: String) -> Witness {
        let table = self.index.transitions();
        let words = format!("replica {}: {} in epoch {}", table.replica[row], table.event.get(row), table.epoch[row]);
        Witness::new(shape, summary).step(self.index.transition_step(row, words))
    }

    /// Votes that were counted, behind the row that says whose votes count.
    fn miscounted(&self, shape: &'static str, (row, quorum): (usize, u32), voters: Configuration, summary: String) -> Witness {
        let table = self.index.transitions();
        let begins = voters.row.map(|begins| {
            let (epoch, all) = (voters.epoch, replicas(voters.voters));
            self.index.transition_step(begins, format!("epoch {epoch} begins behind op {}: from here on these vote: {all}", voters.since))
        });
        let what = match (table.event.get(row), table.op.get(row)) {
            (Event::Committed, Some(op)) => format!("commits op {op}"),
            _ => format!("begins view {}", table.view[row]),
        };
        let words = format!("replica {} {what} in epoch {} with {}", table.replica[row], table.epoch[row], votes_of(quorum));
        Witness::new(shape, summary).step_if(begins).step(self.index.transition_step(row, words))
    }

    fn of_epoch(&self, row: usize) -> Result<Configuration, Box<Verdict>> {
        let epoch = self.index.transitions().epoch[row];
        self.index.configurations().of_epoch(epoch).ok_or_else(|| Box::new(unknown_epoch(epoch)))
    }

    fn entered(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let first = self.of_epoch(row)?;
        let (replica, epoch) = (table.replica[row], first.epoch);
        self.facts += 1;
        let (op, voters) = (table.op.0[row], table.quorum.0[row]);
        if (op, voters) != (first.since, first.voters) {
            let (own, others) = (replicas(voters), replicas(first.voters));
            let summary = format!(
                "epoch {epoch} has two configurations: {own} from op {op} on replica {replica}, {others} from op {} before",
                first.since
            );
            return Err(self.violation("two_configurations", row, summary).into());
        }
        if first.row != Some(row) {
            return Ok(());
        }
        let before = epoch.checked_sub(1).and_then(|before| self.index.configurations().of_epoch(before));
        if before.is_none_or(|before| before.since >= op) {
            return Err(self
                .violation("epochs_out_of_order", row, format!("epoch {epoch} begins at op {op}, not behind the epoch before"))
                .into());
        }
        if self.index.op_index(op).is_none_or(|op| !self.ops[op]) {
            let summary = format!("replica {replica} entered epoch {epoch} before op {op}, which brings it, was committed");
            return Err(self.violation("entered_before_commit", row, summary).into());
        }
        Ok(())
    }

    fn commits(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let op = table.op.0[row];
        if let Some(place) = self.index.op_index(op) {
            self.ops[place] = true;
        }
        let Some(quorum) = table.quorum.get(row) else { return Ok(()) };
        if let Some(entry) = self.index.entries().of_row(row) {
            self.committed[entry.index()] = true;
        }
        self.facts += 1;
        let voters = self.of_epoch(row)?;
        let next = self.index.configurations().after(voters.epoch);
        if let Some(next) = next.filter(|next| op > next.since) {
            let summary = format!("epoch {} decided op {op}, which belongs to epoch {}", voters.epoch, next.epoch);
            return Err(self.violation("old_configuration_decides", row, summary).into());
        }
        let change = next.filter(|next| next.since == op);
        self.counted(row, "op", op, quorum, voters, change)
    }

    /// A quorum of the configuration in force, of the next one too if there is one, and nobody else.
    fn counted(
        &self,
        row: usize,
        what: &str,
        number: u64,
        quorum: u32,
        voters: Configuration,
        change: Option<Configuration>,
    ) -> Result<(), Box<Verdict>> {
        let strangers = quorum & !(voters.voters | change.map_or(0, |next| next.voters));
        if strangers != 0 {
            let (who, all) = (votes_of(strangers), replicas(voters.voters));
            let summary = format!("{what} {number} was decided in epoch {} with {who}, where only these vote: {all}", voters.epoch);
            return Err(self.miscounted("stranger_counted", (row, quorum), voters, summary).into());
        }
        for needed in core::iter::once(voters).chain(change) {
            if !needed.decides(quorum) {
                let (who, all) = (replicas(quorum), replicas(needed.voters));
                let summary = format!("{what} {number} was decided by {who}, no majority of epoch {}: {all}", needed.epoch);
                return Err(self.miscounted("below_quorum", (row, quorum), needed, summary).into());
            }
        }
        Ok(())
    }

    fn leads(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let (view, quorum) = (table.view[row], table.quorum.0[row]);
        self.facts += 1;
        let voters = self.of_epoch(row)?;
        self.counted(row, "view", view, quorum, voters, None)?;
        let next = self.index.configurations().after(voters.epoch).filter(|next| table.op.get(row) == Some(next.since));
        let Some(next) = next.filter(|next| self.brings(row, next.since)) else { return Ok(()) };
        let senders = self.senders(row) | 1_u32.checked_shl(table.replica[row].into()).unwrap_or(0);
        if next.decides(senders) {
            return Ok(());
        }
        let (who, all) = (replicas(senders), replicas(next.voters));
        let summary = format!(
            "view {view} began with the logs of {who} and a log that ends with the change to epoch {}, of whose voters ({all}) a majority is needed",
            next.epoch
        );
        Err(self.violation("change_without_its_voters", row, summary).into())
    }

    /// Whether the head of the log that a view began with is the entry that was committed at `op`.
    fn brings(&self, row: usize, op: u64) -> bool {
        let (table, entries) = (self.index.transitions(), self.index.entries());
        let committed = self.index.committed().committed_row(op).and_then(|row| entries.of_row(row));
        committed.is_some_and(|entry| entries.hash(entry) == table.entry_hash.0[row])
    }

    /// Whose logs for a view had reached its primary.
    fn senders(&self, row: usize) -> u32 {
        let (table, messages) = (self.index.transitions(), self.index.messages());
        let (view, replica, seq) = (table.view[row], u16::from(table.replica[row]), table.seq[row]);
        let (wanted, delivered) = (Command::DoViewChange as u8, Fate::Delivered as u8);
        let counts = |row: &usize| {
            messages.command.codes[*row] == wanted
                && messages.fate.codes[*row] == delivered
                && messages.reject_reason.codes[*row] == u8::NONE
                && (messages.to[*row], messages.view.0[*row]) == (replica, view)
                && messages.fate_seq.0[*row] < seq
        };
        let senders = self.index.message_rows().filter(counts).map(|row| messages.from[row]);
        senders.fold(0, |set, from| set | 1_u32.checked_shl(from.into()).unwrap_or(0))
    }
}

/// Nobody but voters acknowledges what is committed.
fn acknowledgements(run: &mut Run<'_, '_>, meter: &Meter) -> Decision {
    let table = run.index.transitions();
    let mut ticker = meter.ticker();
    for (row, _) in run.index.events(EventSet::of(&[Event::Acknowledged])) {
        ticker.step()?;
        let committed = run.index.entries().of_row(row).is_some_and(|entry| run.committed[entry.index()]);
        if !committed {
            continue;
        }
        run.facts += 1;
        let (replica, op, voters) = (table.replica[row], table.op.0[row], run.of_epoch(row)?);
        let next = run.index.configurations().after(voters.epoch).filter(|next| next.since == op);
        if !voters.has(replica) && !next.is_some_and(|next| next.has(replica)) {
            let all = replicas(voters.voters);
            let summary = format!("replica {replica} acknowledged op {op} in epoch {}, where only these vote: {all}", voters.epoch);
            return Err(run.violation("stranger_votes", row, summary).into());
        }
    }
    Ok(run.facts)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Story, entry_hash};
    use vopr_schema::{Command, Fate, FaultKind, FaultRow, TransitionEvent as Event};

    const NAME: &str = "reconfiguration_safety";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    fn enters(story: &mut Story, replica: u8, epoch: u32, since: u64, voters: u32) {
        story.state(replica).epoch = epoch;
        story.event(replica, Event::EpochEntered, |row| (row.op, row.quorum) = (Some(since), Some(voters)));
    }

    /// Five replicas; replicas 0 to 2 vote, op 2 makes all five vote.
    fn grown(quorum: u32) -> Story {
        let mut story = Story::new(5);
        (story.run.replicas, story.run.standbys) = (3, 2);
        for replica in 0..5 {
            story.accept(replica, 1, 0);
            story.accept(replica, 2, 0);
        }
        // Whoever does not vote must not have acknowledged op 1.
        story.transitions.retain(|row| row.event != Event::Acknowledged || row.op != Some(1) || row.replica < 3);
        story.commit(0, 1, 0, Some(0b111));
        story.commit(0, 2, 0, Some(quorum));
        for replica in 0..5 {
            enters(&mut story, replica, 1, 2, 0b11111);
        }
        story
    }

    fn counts(story: &mut Story, op: u64, quorum: u32) {
        for replica in (0..5_u8).filter(|replica| quorum >> replica & 1 == 1) {
            story.accept(replica, op, 0);
        }
        story.commit(0, op, 0, Some(quorum));
    }

    #[test]
    fn a_change_that_both_majorities_commit_passes() {
        let mut story = grown(0b1011);
        counts(&mut story, 3, 0b11001);
        assert!(story.verdict(NAME).is_pass(), "{:?}", story.verdict(NAME));
    }

    #[test]
    fn a_run_without_changes_is_not_judged() {
        assert!(matches!(Story::clean(3).verdict(NAME), crate::Verdict::NotApplicable { .. }));
    }

    #[test]
    fn the_change_needs_both_majorities() {
        assert_eq!(shape(&grown(0b11)), "below_quorum");
        assert_eq!(shape(&grown(0b11001)), "below_quorum");
    }

    #[test]
    fn the_old_quorum_does_not_decide_in_the_new_epoch() {
        let mut story = grown(0b111);
        counts(&mut story, 3, 0b11);
        assert_eq!(shape(&story), "below_quorum");
    }

    #[test]
    fn the_old_configuration_decides_nothing_after_the_change() {
        let mut story = grown(0b111);
        story.state(0).epoch = 0;
        story.accept(0, 3, 0);
        story.commit(0, 3, 0, Some(0b11));
        // The row says what no replica may say: it is in the old epoch again.
        assert_eq!(shape(&story), "epoch_falls");
        let mut story = grown(0b111);
        story.transitions.retain(|row| row.event != Event::EpochEntered || row.replica != 1);
        story.state(1).epoch = 0;
        story.accept(1, 3, 0);
        story.commit(1, 3, 0, Some(0b111));
        assert_eq!(shape(&story), "old_configuration_decides");
    }

    /// Five voters of which replicas 2 to 4 are left after op 1.
    fn shrunk() -> Story {
        let mut story = Story::new(5);
        story.replicate(1, 0);
        for replica in 0..5 {
            enters(&mut story, replica, 1, 1, 0b11100);
        }
        story
    }

    #[test]
    fn a_removed_member_is_not_counted() {
        let mut story = shrunk();
        counts(&mut story, 2, 0b1101);
        assert_eq!(shape(&story), "stranger_counted");
    }

    #[test]
    fn a_removed_member_does_not_acknowledge() {
        let mut story = shrunk();
        counts(&mut story, 2, 0b1100);
        story.accept(1, 2, 0);
        assert_eq!(shape(&story), "stranger_votes");
    }

    #[test]
    fn an_acknowledgement_of_what_never_committed_is_nobodys_business() {
        let mut story = shrunk();
        story.accept(1, 2, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_replaced_disk_knows_of_no_epoch() {
        let mut story = shrunk();
        story.crash(3);
        let seq = story.tick();
        story.state(3).epoch = 0;
        story.event(3, Event::Started, |row| row.op = Some(0));
        assert_eq!(shape(&story), "epoch_falls");
        story.faults.push(FaultRow { seq, fault: FaultKind::Reformat, target: Some(3), ..FaultRow::default() });
        enters(&mut story, 3, 1, 1, 0b11100);
        assert!(story.verdict(NAME).is_pass(), "{:?}", story.verdict(NAME));
        // It is excused once, not for ever.
        story.crash(3);
        story.restart(3, |state| state.epoch = 0);
        assert_eq!(shape(&story), "epoch_falls");
    }

    #[test]
    fn an_epoch_has_one_configuration() {
        let mut story = shrunk();
        enters(&mut story, 0, 1, 1, 0b111);
        assert_eq!(shape(&story), "two_configurations");
    }

    #[test]
    fn an_epoch_begins_behind_its_entry_and_behind_the_epoch_before() {
        let mut story = shrunk();
        enters(&mut story, 0, 2, 9, 0b111);
        assert_eq!(shape(&story), "entered_before_commit");
        let mut story = shrunk();
        enters(&mut story, 0, 3, 1, 0b111);
        assert_eq!(shape(&story), "epochs_out_of_order");
    }

    /// Three voters; op 2, which makes all five vote, is prepared, and then member 1 leads view 1 with the logs of 1 and 2.
    fn view_changed(with: &[u16]) -> Story {
        let mut story = Story::new(5);
        (story.run.replicas, story.run.standbys) = (3, 2);
        for replica in 0..3 {
            story.accept(replica, 1, 0);
            story.accept(replica, 2, 0);
        }
        story.commit(0, 1, 0, Some(0b111));
        for from in with {
            story.message(Command::DoViewChange, *from, 1, |row| (row.view, row.fate) = (Some(1), Fate::Delivered));
        }
        story.state(1).view = 1;
        story.event(1, Event::ViewEntered, |row| {
            (row.op, row.entry_hash, row.quorum) = (Some(2), Some(entry_hash(2, 0)), Some(0b110));
        });
        story.commit(1, 1, 0, None);
        story.commit(1, 2, 0, Some(0b1111));
        enters(&mut story, 1, 1, 2, 0b11111);
        story
    }

    #[test]
    fn a_view_that_takes_a_change_over_needs_its_voters_too() {
        assert_eq!(shape(&view_changed(&[2])), "change_without_its_voters");
        assert!(view_changed(&[2, 4]).verdict(NAME).is_pass());
    }
}
