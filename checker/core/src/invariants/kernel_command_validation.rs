//! `kernel_command_validation`: commands that must be refused are, for the right reason, and change nothing anywhere.
//!
//! A refused command is committed like any other: if it left a trace on one replica only, the replicas would part over a request
//! that was never granted.
//!
//! **Formally.** (1) An answered operation whose arguments alone forbid it (a number outside its tenant's range, a range whose end is
//! before its start, a transfer between one and the same account or with a number that is no account) was refused, with that error.
//! (2) Any other operation was refused only with an error that its function can meet: an existing or missing stream, insufficient
//! funds. (3) Where a replica applied the refused request of op number n directly after n - 1, its state hash is the same after
//! both; that holds on each replica and in each incarnation. (4) A replica that commits op number n has applied n - 1 before, whatever
//! the state machine said to it.
//!
//! **Evidence.** run: options (`cluster`: who owns which keys, what is an account). operation: tenant, client, session,
//! `request_number`, function, key, `key_last`, reads, writes, outcome, error, op. transition: replica, event, op, commit, `state_hash`,
//! tenant, client, session, `request_number`.
//!
//! **Deliberately not checked.** The error that a replica computed whose answer nobody saw: it is not recorded; equal state hashes are
//! what is left of it. Whether a refusal that depends on the state was due: `data_correctness`.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::models::layout::Layout;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Function, Kind, OperationError as Error, Outcome, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "kernel_command_validation",
    version: 1,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options"] },
        Reads {
            kind: Kind::Operation,
            columns: &[
                "tenant",
                "client",
                "session",
                "request_number",
                "function",
                "key",
                "key_last",
                "reads",
                "writes",
                "outcome",
                "error",
                "op",
            ],
        },
        Reads {
            kind: Kind::Transition,
            columns: &["replica", "event", "op", "commit", "state_hash", "tenant", "client", "session", "request_number"],
        },
    ],
    statement: "commands that must be refused are, with the right error, and a refused command changes no replica's state",
    because_of: &["vsr_agreement", "replica_consistency", "client_session", "tenant_isolation"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was refused", || Ok(arguments(index, meter)? + states(index, meter)?))
}

/// What the arguments say about each answered operation.
fn arguments(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.operations();
    let Some(layout) = index.layout() else { return Ok(0) };
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for row in index.operation_rows() {
        ticker.step()?;
        let (outcome, error) = (table.outcome.get(row), table.error.get(row));
        if outcome == Outcome::Unknown {
            continue;
        }
        let forbidden = forbidden(index, &layout, row);
        let violation = match (forbidden, outcome) {
            (Some(_), Outcome::Ok) => ("accepted_what_must_be_refused", "must be refused for its arguments, and was not"),
            (Some(fitting), _) if !error.is_some_and(|error| fitting.contains(&error)) => {
                ("refused_with_another_error", "must be refused for its arguments, but with another error")
            }
            (None, Outcome::Error) if error != depending_on_state(table.function.get(row)) => {
                ("refused_without_cause", "was refused with an error that it cannot meet")
            }
            _ => {
                facts += u64::from(outcome == Outcome::Error);
                continue;
            }
        };
        let summary = format!("an operation {}: {}", violation.1, operation_words(index, row));
        return Err(Witness::new(violation.0, summary).step(index.operation_step(row, operation_words(index, row))).into());
    }
    Ok(facts)
}

/// The error with which a function may be refused whose arguments are in order.
fn depending_on_state(function: Function) -> Option<Error> {
    match function {
        Function::StreamCreate => Some(Error::StreamExists),
        Function::StreamAppend | Function::StreamRead => Some(Error::NoSuchStream),
        Function::Transfer => Some(Error::InsufficientFunds),
        _ => None,
    }
}

/// The errors of which one is due whatever the state is; none when the arguments are in order.
fn forbidden(index: &RunIndex<'_>, layout: &Layout, row: usize) -> Option<&'static [Error]> {
    let table = index.operations();
    let (tenant, key, function) = (table.tenant[row], table.key[row], table.function.get(row));
    let owned = |number: u64| layout.owns(tenant, number);
    let last = table.key_last.get(row).unwrap_or(key);
    let inside = match function {
        Function::Transaction => {
            let lists = [table.reads.get(row), table.writes.get(row)];
            lists.into_iter().flatten().flatten().all(|pair| owned(pair.key))
        }
        Function::Scan | Function::Balance => owned(key) && owned(last) && key <= last,
        Function::Transfer => owned(key) && owned(last),
        _ => owned(key),
    };
    if !inside {
        return Some(&[Error::OutOfRange]);
    }
    let no_account = !layout.is_account(key) || !layout.is_account(last);
    match (function, key == last, no_account) {
        (Function::Transfer, true, true) => Some(&[Error::SameAccount, Error::NoSuchAccount]),
        (Function::Transfer, true, false) => Some(&[Error::SameAccount]),
        (Function::Transfer, false, true) => Some(&[Error::NoSuchAccount]),
        _ => None,
    }
}

const STATES: EventSet = EventSet::of(&[Event::Started, Event::Restarted, Event::Committed, Event::Applied, Event::StateInstalled]);

/// A refused request leaves the state of each replica as it was.
fn states(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, operations) = (index.transitions(), index.operations());
    let mut ticker = meter.ticker();
    // Per replica the row that showed its state last.
    let mut shown: Vec<Option<usize>> = vec![None; index.replicas()];
    // Per replica the last op that it applied, or was given.
    let mut applied = vec![0_u64; index.replicas()];
    let mut facts = 0;
    for (row, event) in index.events(STATES) {
        ticker.step()?;
        let replica = usize::from(table.replica[row]);
        let Some((shown, applied)) = shown.get_mut(replica).zip(applied.get_mut(replica)) else { continue };
        match event {
            Event::Started | Event::Restarted => {
                (*shown, *applied) = (None, if event == Event::Started { 0 } else { table.commit[row] });
                continue;
            }
            Event::Committed => {
                left_behind(index, row, *applied)?;
                continue;
            }
            _ => *applied = table.op.get(row).unwrap_or(0),
        }
        let before = shown.replace(row);
        let op = table.op.0[row];
        let Some(before) = before.filter(|before| table.op.0[*before].checked_add(1) == Some(op)) else { continue };
        let refused = |operation: &usize| operations.outcome.get(*operation) == Outcome::Error && operations.op.get(*operation) == Some(op);
        let place = index.op_index(op).filter(|_| event == Event::Applied);
        let Some(operation) = place.and_then(|place| index.journal().operation_at(place)).filter(refused) else { continue };
        let Some((old, new)) = table.state_hash.get(before).zip(table.state_hash.get(row)) else { continue };
        facts += 1;
        if old != new {
            let replica = table.replica[row];
            let summary = format!("op {op} was refused, but changed the state of replica {replica} from {old:016x} to {new:016x}");
            let witness = Witness::new("refused_command_changed_state", summary)
                .step(index.transition_step(before, format!("replica {replica}: state {old:016x} at op {}", op - 1)))
                .step(index.transition_step(row, format!("replica {replica}: state {new:016x} at op {op}")))
                .step(index.operation_step(operation, operation_words(index, operation)));
            return Err(witness.into());
        }
    }
    Ok(facts)
}

/// A commit shows that its predecessor was applied; a replica that stops at a command, refused or not, has stopped for good.
fn left_behind(index: &RunIndex<'_>, row: usize, applied: u64) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let Some(op) = table.op.get(row).filter(|op| *op > applied.saturating_add(1)) else { return Ok(()) };
    let replica = table.replica[row];
    let summary = format!("replica {replica} commits op {op}, but op {applied} is the last one that it applied");
    let step = index.transition_step(row, format!("replica {replica} commits op {op}"));
    Err(Witness::new("stopped_applying", summary).step(step).into())
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, ask, read, scan, transfer, write};
    use vopr_schema::{Function, OperationError as Error, TransitionEvent as Event};

    const NAME: &str = "kernel_command_validation";

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    /// Refused requests leave the state hash as it was, as they should.
    fn settled(mut dialogue: Dialogue) -> Dialogue {
        let refused: Vec<_> = dialogue.story.operations.iter().filter(|row| row.error.is_some()).filter_map(|row| row.op).collect();
        let applied = dialogue.story.transitions.iter_mut().filter(|row| row.event == Event::Applied);
        for row in applied.filter(|row| row.op.is_some_and(|op| refused.contains(&op))) {
            row.state_hash = row.state_hash.map(|hash| hash - 1);
        }
        dialogue
    }

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(2);
        dialogue.call(0, 1, write(5, 50));
        dialogue.call(0, 1, transfer(0, 1, 5));
        dialogue.refused(0, 1, Error::InsufficientFunds, transfer(0, 1, 500));
        dialogue
    }

    #[test]
    fn refusals_that_change_nothing_are_facts() {
        assert_eq!(settled(dialogue()).verdict(NAME).facts(), 1 + 3);
        let mut many = Dialogue::new(2);
        many.call(0, 1, write(5, 50));
        many.refused(0, 1, Error::OutOfRange, read(105, None));
        assert_eq!(settled(many).verdict(NAME).facts(), 1 + 3);
    }

    #[test]
    fn a_refused_command_that_changes_a_state_is_a_violation() {
        let dialogue = dialogue();
        assert_eq!(shape(&dialogue), "refused_command_changed_state");
    }

    #[test]
    fn a_replica_that_stops_applying_is_a_violation() {
        let mut stopped = settled(dialogue());
        let last = stopped.story.transitions.iter().rposition(|row| row.event == Event::Applied && row.replica == 1).expect("applied");
        let op = stopped.story.transitions.remove(last).op.expect("an op");
        assert!(stopped.verdict(NAME).is_pass(), "it may still come");
        stopped.story.commit(1, op + 1, 0, None);
        assert_eq!(shape(&stopped), "stopped_applying");
    }

    #[test]
    fn what_the_arguments_forbid_must_be_refused() {
        let mut stranger = Dialogue::new(2);
        stranger.call(0, 1, write(105, 1));
        assert_eq!(shape(&stranger), "accepted_what_must_be_refused");
        let mut reversed = Dialogue::new(2);
        reversed.call(0, 1, scan(9, 5, &[]));
        assert_eq!(shape(&reversed), "accepted_what_must_be_refused");
        let mut same = Dialogue::new(2);
        same.refused(0, 1, Error::InsufficientFunds, transfer(1, 1, 5));
        assert_eq!(shape(&same), "refused_with_another_error");
        let mut no_account = Dialogue::new(2);
        no_account.call(0, 1, transfer(1, 50, 5));
        assert_eq!(shape(&no_account), "accepted_what_must_be_refused");
    }

    #[test]
    fn a_refusal_must_have_a_cause_that_its_function_can_meet() {
        let mut story = Dialogue::new(2);
        story.refused(0, 1, Error::NoSuchStream, write(5, 50));
        assert_eq!(shape(&story), "refused_without_cause");
        let mut story = Dialogue::new(2);
        story.refused(0, 1, Error::StreamExists, ask(Function::StreamAppend, 4));
        assert_eq!(shape(&story), "refused_without_cause");
    }

    #[test]
    fn nothing_refused_is_not_applicable_and_a_cut_off_run_passes() {
        let mut story = Dialogue::new(1);
        story.call(0, 1, write(5, 50));
        assert_eq!(story.verdict(NAME).name(), "not_applicable");
        let story = settled(dialogue());
        let last = story.story.transitions.last().expect("applied").seq;
        assert_eq!(story.story.cut_off(last).verdict(NAME).name(), "not_applicable");
        let mut no_options = settled(dialogue());
        no_options.story.run.options.clear();
        assert_eq!(no_options.verdict(NAME).facts(), 3);
    }
}
