//! `state_transfer_safety`: a checkpoint that is installed is the state at its op number, and comes from one who had it.
//!
//! A transferred state stands in for a part of the log that nobody will read again: whatever is wrong with it stays wrong.
//!
//! **Formally.** (1) Of each `state_transfer_response` that a replica sends with a checkpoint of op c (`log_first` - 1), that replica has
//! a `checkpoint_taken` or `state_installed` of c before. (2) Each `state_installed` of c at r stands behind the arrival of such a
//! message at r, not refused. (3) Somebody committed and applied op c before it, and the state hash and entry hash that it shows
//! are those of the first `applied` of c.
//!
//! **Evidence.** message: command, from, to, `log_first`, fate, `fate_seq`, `reject_reason`. transition: replica, event, op,
//! `entry_hash`, `state_hash`.
//!
//! **Deliberately not checked.** The session table, which travels with the state: its content is not recorded; `client_session`
//! sees what a wrong one makes replicas do. That an install does not go back: `commit_monotonicity`.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex, Transfer};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "state_transfer_safety",
    version: 1,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Message, columns: &["command", "from", "to", "log_first", "fate", "fate_seq", "reject_reason"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "entry_hash", "state_hash"] },
    ],
    statement: "an installed checkpoint equals the state at its op number, and was sent by a replica that had it",
    because_of: &["vsr_agreement", "replica_consistency"],
    check,
};

const EVENTS: EventSet = EventSet::of(&[Event::StateInstalled]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no state was transferred", || {
        let mut facts = 0;
        for transfer in index.states().transfers() {
            facts += sent(index, transfer)?;
        }
        for (row, _) in index.events(EVENTS) {
            meter.check()?;
            facts += installed(index, row)?;
        }
        Ok(facts)
    })
}

/// The sender had what it sent.
fn sent(index: &RunIndex<'_>, transfer: &Transfer) -> Decision {
    let seq = index.messages().seq[transfer.row];
    let Some(sender) = u8::try_from(transfer.from).ok().filter(|sender| usize::from(*sender) < index.replicas()) else { return Ok(0) };
    if transfer.op == 0 || index.states().had(index, sender, transfer.op, seq).is_some() {
        return Ok(1);
    }
    let summary = format!("replica {sender} sent a checkpoint of op {}, but had never taken nor been given one", transfer.op);
    let step = index.message_step(transfer.row, format!("state_transfer_response from {sender} to {}, op {}", transfer.to, transfer.op));
    Err(Witness::new("sent_a_state_it_never_had", summary).step(step).into())
}

fn installed(index: &RunIndex<'_>, row: usize) -> Decision {
    let table = index.transitions();
    let (replica, seq) = (table.replica[row], table.seq[row]);
    let Some(op) = table.op.get(row) else { return Ok(0) };
    let own = || index.transition_step(row, format!("replica {replica} installs a checkpoint of op {op}"));
    let Some(transfer) = index.states().received(replica, op, seq) else {
        let summary = format!("replica {replica} installed a checkpoint of op {op} that nobody had sent it");
        return Err(Witness::new("installed_what_nobody_sent", summary).step(own()).into());
    };
    let arrival =
        || index.message_step(transfer.row, format!("replica {} sends replica {replica} its checkpoint of op {op}", transfer.from));
    let before = |row: &usize| table.seq[*row] < seq;
    let committed = index.committed().committed_row(op).filter(before);
    let Some(applied) = index.committed().applied_row(op).filter(before).filter(|_| committed.is_some()) else {
        let summary = format!("replica {replica} installed a checkpoint of op {op}, a state that no replica had reached");
        return Err(Witness::new("installed_a_state_nobody_reached", summary).step(arrival()).step(own()).into());
    };
    let differs = |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one != other);
    let what = if differs(table.state_hash.get(applied), table.state_hash.get(row)) {
        ("installed_another_state", "state")
    } else if differs(table.entry_hash.get(applied), table.entry_hash.get(row)) {
        ("installed_another_log", "entry")
    } else {
        return Ok(1);
    };
    let summary = format!("the checkpoint of op {op} that replica {replica} installed is not the {} at op {op}", what.1);
    let hashes = |row: usize| {
        format!(
            "state {:016x}, entry {:016x}",
            table.state_hash.get(row).unwrap_or_default(),
            table.entry_hash.get(row).unwrap_or_default()
        )
    };
    let step =
        |row: usize, verb: &str| index.transition_step(row, format!("replica {} {verb} op {op}: {}", table.replica[row], hashes(row)));
    Err(Witness::new(what.0, summary).step(step(applied, "applies")).step(arrival()).step(step(row, "installs")).into())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Story, entry_hash};
    use vopr_schema::{Command, RejectReason, TransitionEvent as Event};

    const NAME: &str = "state_transfer_safety";

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    /// Replica 0 has a checkpoint of op 3 and sends it to replica 2.
    fn transfer() -> Story {
        let mut story = Story::clean(4);
        story.event(0, Event::CheckpointTaken, |row| (row.op, row.state_hash) = (Some(3), Some(7_000_003)));
        story.message(Command::StateTransferResponse, 0, 2, |row| (row.op, row.log_first) = (Some(4), Some(4)));
        story
    }

    fn install(story: &mut Story, op: u64, state: u64, entry: u64) {
        story.event(2, Event::StateInstalled, |row| {
            (row.op, row.state_hash, row.entry_hash) = (Some(op), Some(state), Some(entry));
        });
    }

    #[test]
    fn what_was_sent_and_installed_as_it_was_is_a_fact() {
        let mut story = transfer();
        assert_eq!(story.verdict(NAME).facts(), 1);
        install(&mut story, 3, 7_000_003, entry_hash(3, 0));
        assert_eq!(story.verdict(NAME).facts(), 2);
    }

    #[test]
    fn another_state_or_another_log_is_a_violation() {
        let mut state = transfer();
        install(&mut state, 3, 7_000_002, entry_hash(3, 0));
        assert_eq!(shape(&state), "installed_another_state");
        let mut log = transfer();
        install(&mut log, 3, 7_000_003, entry_hash(3, 1));
        assert_eq!(shape(&log), "installed_another_log");
    }

    #[test]
    fn a_state_from_nowhere_is_a_violation() {
        let mut story = Story::clean(4);
        install(&mut story, 3, 7_000_003, entry_hash(3, 0));
        assert_eq!(shape(&story), "installed_what_nobody_sent");
        let mut refused = transfer();
        refused.messages.last_mut().unwrap().reject_reason = Some(RejectReason::Stale);
        install(&mut refused, 3, 7_000_003, entry_hash(3, 0));
        assert_eq!(shape(&refused), "installed_what_nobody_sent");
        let mut invented = Story::clean(4);
        invented.message(Command::StateTransferResponse, 0, 2, |row| row.log_first = Some(4));
        assert_eq!(shape(&invented), "sent_a_state_it_never_had");
        let mut future = Story::clean(4);
        future.event(0, Event::CheckpointTaken, |row| row.op = Some(9));
        future.message(Command::StateTransferResponse, 0, 2, |row| row.log_first = Some(10));
        install(&mut future, 9, 7_000_009, entry_hash(9, 0));
        assert_eq!(shape(&future), "installed_a_state_nobody_reached");
    }

    #[test]
    fn nothing_transferred_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut story = transfer();
        install(&mut story, 3, 1, 1);
        let seq = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(seq).verdict(NAME).facts(), 1);
    }
}
