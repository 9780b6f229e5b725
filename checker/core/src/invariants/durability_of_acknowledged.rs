//! `durability_of_acknowledged`: what a client was told has happened stays in the log for ever.
//!
//! It is the promise that clients buy: an answer means that no crash, view change or recovery will forget the operation.
//!
//! **Formally.** For each answered operation outside of reads answered beside the log: its request was applied at some op
//! number p; every `applied` transition at p names this request; a replica that applies an op number above p has applied p
//! before, or holds a checkpoint that covers p (`state_installed` at or above p, or a restart from one); and at the end of a
//! completed run some live replica has applied p.
//!
//! **Evidence.** operation: tenant, client, session, request number, function, writes, outcome, op; transition: replica,
//! event, op, commit, tenant, client, session, request number; run: ended.
//!
//! **Deliberately not checked.** How many disks hold the entry in between (`vsr_durability`), what the answer said
//! (`data_correctness`), operations of unknown outcome: nothing was promised.

use crate::budget::Meter;
use crate::index::{RunIndex, applied_request, is_read};
use crate::registry::{Category, Invariant, Reads};
use crate::replay::operation_words;
use crate::verdict::Verdict;
use crate::witness::Witness;
use vopr_schema::{Ended, Kind, Outcome, TransitionEvent};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "durability_of_acknowledged",
    version: 1,
    category: Category::Client,
    reads: &[
        Reads { kind: Kind::Run, columns: &["ended"] },
        Reads { kind: Kind::Operation, columns: &["tenant", "client", "session", "request_number", "function", "writes", "outcome", "op"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "commit", "tenant", "client", "session", "request_number"] },
    ],
    statement: "each acknowledged operation is in every later committed prefix to the end of the run",
    because_of: &["vsr_agreement"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no answered operation belongs to a log", || {
        let applied = index.journal().applied();
        if applied == 0 && (index.members() == 0 || !index.transition_rows().is_empty()) && nothing_answered(index) {
            return Ok(0);
        }
        if applied == 0 {
            let external = index.members() == 0 && index.transition_rows().is_empty();
            return if external { Ok(0) } else { Err(Box::new(nothing_applied(index))) };
        }
        let (facts, last) = everything_applied(index, meter)?;
        kept_by_all(index, meter)?;
        kept_to_the_end(index, last)?;
        Ok(facts)
    })
}

/// Whether an operation is answered, and changes something or stands in the log.
fn is_promised(index: &RunIndex<'_>, row: usize) -> bool {
    let answered = index.operations().outcome.codes[row] != Outcome::Unknown as u8;
    answered && (index.journal().place_of(row).is_some() || !is_read(index, row))
}

fn nothing_answered(index: &RunIndex<'_>) -> bool {
    !index.operation_rows().any(|row| is_promised(index, row))
}

/// Operations were answered, but the history shows nothing applied.
fn nothing_applied(index: &RunIndex<'_>) -> Verdict {
    if index.transition_rows().is_empty() {
        return Verdict::unknown("there are no transition rows");
    }
    let lost = index.operation_rows().find(|row| is_promised(index, *row));
    lost.map_or_else(|| Verdict::not_applicable("nothing was applied"), |row| Verdict::Violation(never_applied(index, row)))
}

/// Every answered operation was applied somewhere. Returns their number and the one with the largest op number.
fn everything_applied(index: &RunIndex<'_>, meter: &Meter) -> Result<(u64, Option<usize>), Box<Verdict>> {
    let mut ticker = meter.ticker();
    let (mut facts, mut last) = (0, None);
    for row in index.operation_rows().filter(|row| is_promised(index, *row)) {
        ticker.step()?;
        let place = index.journal().place_of(row);
        if place.is_none() {
            return Err(never_applied(index, row).into());
        }
        facts += 1;
        if last.is_none_or(|known| index.journal().place_of(known) < place) {
            last = Some(row);
        }
    }
    Ok((facts, last))
}

fn never_applied(index: &RunIndex<'_>, row: usize) -> Witness {
    let summary = format!("{}, but no replica ever applied it", operation_words(index, row));
    Witness::new("answered_but_never_applied", summary).step(index.operation_step(row, operation_words(index, row)))
}

/// No replica applies something else in its place, and none skips it.
fn kept_by_all(index: &RunIndex<'_>, meter: &Meter) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    // Per replica the op number up to which its state includes everything.
    let mut reached = vec![0_u64; index.replicas()];
    let (applied, installed) = (TransitionEvent::Applied as u8, TransitionEvent::StateInstalled as u8);
    let restarted = TransitionEvent::Restarted as u8;
    let diverged = index.diverged().is_some();
    for row in index.transition_rows() {
        let event = table.event.codes[row];
        let Some(reached) = reached.get_mut(usize::from(table.replica[row])) else { continue };
        if event == applied {
            ticker.step()?;
            let Some(op) = table.op.get(row) else { continue };
            if op > reached.saturating_add(1)
                && let Some(lost) = first_promised(index, *reached + 1..op)
            {
                return Err(skipped(index, lost, row).into());
            }
            if diverged {
                same_request(index, row)?;
            }
            // A replica may apply again from its checkpoint on, without a word about where that is.
            *reached = op.max(*reached);
        } else if event == installed {
            *reached = table.op.get(row).unwrap_or(0).max(*reached);
        } else if event == restarted {
            *reached = table.commit[row];
        }
    }
    Ok(())
}

/// The first promised operation at one of these op numbers.
fn first_promised(index: &RunIndex<'_>, ops: core::ops::Range<u64>) -> Option<usize> {
    let ops = ops.start..ops.end.min(index.ops() as u64);
    ops.filter_map(|op| index.journal().operation_at(usize::try_from(op).ok()?)).find(|row| is_promised(index, *row))
}

/// The operation at an op number that a replica applies is the one that this op number promised.
fn same_request(index: &RunIndex<'_>, row: usize) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let op = table.op.0[row];
    let Some(first) = index.committed().applied_row(op) else { return Ok(()) };
    if applied_request(index, first) == applied_request(index, row) {
        return Ok(());
    }
    let promised = usize::try_from(op).ok().and_then(|op| index.journal().operation_at(op)).filter(|row| is_promised(index, *row));
    let Some(promised) = promised else { return Ok(()) };
    let replica = table.replica[row];
    let summary =
        format!("{} and has it at op {op}, but replica {replica} applied another request there", operation_words(index, promised));
    Err(Witness::new("answered_but_replaced", summary)
        .step(index.operation_step(promised, operation_words(index, promised)))
        .step(index.transition_step(first, format!("replica {} applies it at op {op}", table.replica[first])))
        .step(index.transition_step(row, format!("replica {replica} applies something else at op {op}")))
        .into())
}

fn skipped(index: &RunIndex<'_>, promised: usize, row: usize) -> Witness {
    let table = index.transitions();
    let replica = table.replica[row];
    let (op, next) = (index.journal().place_of(promised).unwrap_or(0), table.op.0[row]);
    let summary = format!("{}, at op {op}, but replica {replica} applied op {next} without it", operation_words(index, promised));
    Witness::new("answered_but_skipped", summary)
        .step(index.operation_step(promised, operation_words(index, promised)))
        .step(index.transition_step(row, format!("replica {replica} applies op {next}, having nothing from op {op}")))
}

/// At the end of a run that settled, the operation with the largest op number is part of some live replica's state.
fn kept_to_the_end(index: &RunIndex<'_>, last: Option<usize>) -> Result<(), Box<Verdict>> {
    let Some((last, op)) = last.and_then(|row| Some((row, index.journal().place_of(row)?))) else { return Ok(()) };
    if index.meta().ended != Ended::Completed {
        return Ok(());
    }
    let table = index.transitions();
    let mut states: Vec<Option<(u64, usize)>> = vec![None; index.replicas()];
    for row in index.transition_rows() {
        let Some(state) = states.get_mut(usize::from(table.replica[row])) else { continue };
        *state = match table.event.get(row) {
            TransitionEvent::Applied | TransitionEvent::StateInstalled => Some((table.op.0[row], row)),
            TransitionEvent::Started | TransitionEvent::Restarted => Some((table.commit[row], row)),
            TransitionEvent::Crashed => None,
            _ => continue,
        };
    }
    let Some((reached, row)) = states.into_iter().flatten().max() else { return Ok(()) };
    if reached >= op {
        return Ok(());
    }
    let summary =
        format!("{}, at op {op}, but at the end the live replicas' states go only up to op {reached}", operation_words(index, last));
    Err(Witness::new("answered_but_gone_at_end", summary)
        .step(index.operation_step(last, operation_words(index, last)))
        .step(index.transition_step(row, format!("replica {} ends with op {reached}", table.replica[row])))
        .into())
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, read, write};
    use vopr_schema::TransitionEvent;

    const NAME: &str = "durability_of_acknowledged";

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        (0..4).for_each(|value| _ = dialogue.call(0, 1, write(5, value)));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn each_answered_operation_that_stays_is_a_fact() {
        let mut dialogue = dialogue();
        dialogue.invoke(0, 1, write(5, 9));
        assert_eq!(dialogue.verdict(NAME).facts(), 4);
    }

    #[test]
    fn an_answer_without_an_applied_request_is_a_violation_unless_it_is_a_read() {
        let mut dialogue = dialogue();
        let op = dialogue.op();
        dialogue.served(0, 1, op, read(5, 3));
        assert_eq!(dialogue.verdict(NAME).facts(), 4);
        let place = dialogue.invoke(0, 1, write(5, 9));
        dialogue.answer(place, op);
        assert_eq!(shape(&dialogue), "answered_but_never_applied");
    }

    #[test]
    fn another_request_in_its_place_is_a_violation() {
        let mut dialogue = dialogue();
        let place = dialogue.invoke(0, 2, write(5, 8));
        let row = dialogue.story.operations[place].clone();
        dialogue.story.crash(2);
        dialogue.story.restart(2, |_| {});
        for (op, request) in [(1, 0), (2, 1)] {
            dialogue.apply_on(2, op, (0, 1, 1, request));
        }
        dialogue.apply_on(2, 3, (0, 2, row.session.expect("registered"), row.request_number));
        assert_eq!(shape(&dialogue), "answered_but_replaced");
    }

    #[test]
    fn a_replica_that_skips_it_is_a_violation_unless_a_checkpoint_covers_it() {
        let mut skipping = dialogue();
        skipping.story.restart(2, |_| {});
        skipping.apply_on(2, 1, (0, 1, 1, 0));
        skipping.apply_on(2, 5, (0, 1, 1, 4));
        assert_eq!(shape(&skipping), "answered_but_skipped");
        let mut installed = dialogue();
        installed.story.restart(2, |_| {});
        installed.story.event(2, TransitionEvent::StateInstalled, |row| row.op = Some(4));
        installed.apply_on(2, 5, (0, 1, 1, 4));
        assert_eq!(installed.verdict(NAME).facts(), 4);
        let mut checkpoint = dialogue();
        checkpoint.story.restart(2, |state| state.commit = 4);
        checkpoint.apply_on(2, 5, (0, 1, 1, 4));
        assert_eq!(checkpoint.verdict(NAME).facts(), 4);
    }

    #[test]
    fn an_operation_that_is_gone_everywhere_at_the_end_is_a_violation() {
        let mut dialogue = dialogue();
        for replica in 0..3 {
            dialogue.story.crash(replica);
            dialogue.story.restart(replica, |_| {});
            (0..3).for_each(|request| dialogue.apply_on(replica, request + 1, (0, 1, 1, request)));
        }
        assert_eq!(shape(&dialogue), "answered_but_gone_at_end");
        dialogue.story.run.ended = vopr_schema::Ended::TimeLimit;
        assert!(dialogue.verdict(NAME).is_pass(), "the run was cut off: the others may have come back");
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        assert_eq!(Dialogue::new(1).verdict(NAME).name(), "not_applicable");
        let mut no_transitions = dialogue();
        no_transitions.story.transitions.clear();
        assert_eq!(no_transitions.verdict(NAME).name(), "unknown");
        no_transitions.story.run.replicas = 0;
        assert_eq!(no_transitions.verdict(NAME).name(), "not_applicable");
        let mut unanswered = Dialogue::new(1);
        unanswered.invoke(0, 1, write(1, 1));
        assert_eq!(unanswered.verdict(NAME).name(), "not_applicable");
        let mut nothing_applied = dialogue();
        nothing_applied.story.transitions.retain(|row| row.event != TransitionEvent::Applied);
        assert_eq!(shape(&nothing_applied), "answered_but_never_applied");
    }
}
