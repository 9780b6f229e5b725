//! `data_correctness`: each answer is what a sequential model gives when the committed log is replayed.
//!
//! Replicas may agree on every entry and still all compute the same wrong thing; only a second implementation notices.
//!
//! **Formally.** Let M be the checker's model, replaying the requests of op numbers 1, 2, 3, … as first applied, joined with
//! the operations that asked for them. The answer of each answered operation equals that of M at its op number; the answer
//! of a read outside the log equals that of M directly behind the op number whose state it claims. Every applied request was
//! asked for by an operation.
//!
//! **Evidence.** run: options (`cluster`: who owns which keys, what accounts hold at first); transition: event, op, tenant,
//! client, session, request number; operation: what was asked and answered, outcome, op.
//!
//! **Deliberately not checked.** Whether the log's order agrees with real time (`linearizability`), whether replicas agree on
//! the log (`vsr_agreement`: where they do not, nothing is said about what follows), answered operations that the log lacks
//! (`durability_of_acknowledged`).

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::{RunIndex, applied_request};
use crate::registry::{Category, Invariant, Reads};
use crate::replay::REPLAYED;
use crate::replay::{Replay, operation_words};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Function, Kind};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "data_correctness",
    version: 1,
    category: Category::Client,
    reads: &[Reads { kind: Kind::Run, columns: &["options"] }, APPLIED_REQUESTS, REPLAYED],
    statement: "each result equals what a sequential model gives when the committed log is replayed",
    because_of: &["vsr_agreement", "idempotency", "client_session"],
    check,
};

fn check(index: &RunIndex<'_>, _meter: &Meter) -> Verdict {
    Verdict::decide("no answer belongs to an applied request", || answers(index))
}

fn answers(index: &RunIndex<'_>) -> Decision {
    let journal = index.journal();
    if journal.applied() == 0 {
        return Ok(0);
    }
    if index.operation_rows().is_empty() {
        return Err(Box::new(Verdict::unknown("there are no operation rows")));
    }
    let Some(replay) = index.replay() else {
        return Err(Box::new(Verdict::unknown("the run's options do not say who owns which keys (cluster.keys_per_tenant and so on)")));
    };
    let table = index.transitions();
    let doubtful = index.diverged().map(|(_, second)| table.op.0[second]);
    let stranger = journal.strangers().first().map(|row| table.op.0[*row as usize]);
    let mismatch = replay.mismatches.first().map(|row| position(index, *row as usize));
    // Causes come before their consequences: what stands first in the log is told.
    let before = |op: Option<u64>, others: [Option<u64>; 2]| op.is_some_and(|op| others.iter().flatten().all(|other| op < *other));
    if before(stranger, [doubtful, mismatch]) {
        return Err(nobody_asked(index, journal.strangers()[0] as usize).into());
    }
    if before(mismatch, [doubtful, stranger.map(|op| op + 1)]) {
        return Err(wrong_answer(index, replay).into());
    }
    if let Some(op) = doubtful {
        return Err(Box::new(Verdict::unknown(format!("replicas applied different requests at op {op}: see vsr_agreement"))));
    }
    if let Some(op) = stranger {
        return Err(Box::new(Verdict::unknown(format!("nobody asked for the request at op {op}"))));
    }
    if let Some(row) = replay.inexecutable {
        let seq = index.operations().seq[row];
        return Err(Box::new(Verdict::unknown(format!("operation row {seq} lacks an argument, or names an unknown function"))));
    }
    Ok(replay.compared)
}

/// Where in the log an operation's answer was compared.
fn position(index: &RunIndex<'_>, row: usize) -> u64 {
    index.operations().op.get(row).filter(|op| *op < index.ops() as u64).or(index.journal().place_of(row)).unwrap_or(0)
}

fn nobody_asked(index: &RunIndex<'_>, applied: usize) -> Witness {
    let table = index.transitions();
    let name = applied_request(index, applied).map_or_else(String::new, |(tenant, client, session, request)| {
        format!("request {request} of session {session} of client {client} of tenant {tenant}")
    });
    let op = table.op.0[applied];
    let summary = format!("{name} was applied at op {op}, but no client asked for it");
    Witness::new("request_nobody_asked_for", summary)
        .step(index.transition_step(applied, format!("replica {} applies it", table.replica[applied])))
}

fn wrong_answer(index: &RunIndex<'_>, replay: &Replay) -> Witness {
    let table = index.operations();
    let row = replay.mismatches[0] as usize;
    let op = position(index, row);
    let function = table.function.get(row);
    let summary = format!(
        "the answer to a {function} at op {op} is not what the log up to there gives: the model says {}, {}",
        replay.first_expected,
        crate::replay::answer_words(index, row).trim_start_matches("and ").replacen("is told", "the client was told", 1)
    );
    let mut witness = Witness::new(format!("wrong_answer_{function}"), summary);
    if let Some((before, writer)) = last_change(index, row, op) {
        let words = format!("op {before}: {}", operation_words(index, writer));
        witness = witness.step(index.operation_step(writer, words));
    }
    let applied = index.committed().applied_row(op).filter(|_| index.journal().place_of(row) == Some(op));
    witness
        .step_if(applied.map(|applied| {
            index.transition_step(applied, format!("replica {} applies the request at op {op}", index.transitions().replica[applied]))
        }))
        .step(index.operation_step(row, operation_words(index, row)))
}

/// The last operation in the log before `op` that may have changed what `row` saw first.
fn last_change(index: &RunIndex<'_>, row: usize, op: u64) -> Option<(u64, usize)> {
    let table = index.operations();
    let key = table.key[row];
    let touches = |other: usize| match table.function.get(other) {
        Function::Write | Function::ReadModifyWrite | Function::CompareAndSet | Function::StreamCreate | Function::StreamAppend => {
            table.key[other] == key
        }
        Function::Transfer => table.key[other] == key || table.key_last.get(other) == Some(key),
        Function::Transaction => table.writes.get(other).into_iter().flatten().any(|pair| pair.key == key),
        _ => false,
    };
    let same_kind = |other: usize| kind(table.function.get(other)) == kind(table.function.get(row));
    (1..op).rev().find_map(|before| {
        let other = index.journal().operation_at(usize::try_from(before).ok()?)?;
        (other != row && table.tenant[other] == table.tenant[row] && same_kind(other) && touches(other)).then_some((before, other))
    })
}

/// Keys, streams and accounts are spaces of their own.
fn kind(function: Function) -> u8 {
    match function {
        Function::StreamCreate | Function::StreamAppend | Function::StreamRead => 1,
        Function::Transfer | Function::Balance => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, ask, balance, read, scan, transfer, write};
    use vopr_schema::{Function, OperationError, OperationRow};

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(2);
        dialogue.call(0, 1, write(5, 50));
        dialogue.call(0, 2, read(5, 50));
        dialogue.call(1, 1, write(105, 7));
        dialogue.call(0, 2, scan(0, 99, &[(5, 50)]));
        dialogue.call(0, 1, transfer(0, 1, 30));
        dialogue.refused(0, 1, OperationError::InsufficientFunds, transfer(0, 1, 71));
        dialogue.call(0, 2, balance(0, 99, &[(0, 70), (1, 130), (2, 100), (3, 100)]));
        dialogue.refused(0, 1, OperationError::NoSuchStream, OperationRow { value: Some(1), ..ask(Function::StreamAppend, 4) });
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict("data_correctness");
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn each_answer_that_the_model_gives_too_is_a_fact() {
        assert_eq!(dialogue().verdict("data_correctness").facts(), 8);
    }

    #[test]
    fn a_changed_answer_is_a_violation_that_names_the_last_change() {
        let mut changed = dialogue();
        changed.story.operations[1].result = Some(51);
        let verdict = changed.verdict("data_correctness");
        let witness = verdict.witness().expect("51 was never written");
        assert_eq!(
            witness.summary,
            "the answer to a read at op 4 is not what the log up to there gives: the model says 50, the client was told 51"
        );
        assert!(witness.steps[0].words.contains("client 1 of tenant 0 writes 50 to key 5"), "{:?}", witness.steps);
        let mut lost = dialogue();
        lost.story.operations[3].results = Some(Vec::new());
        assert_eq!(shape(&lost), "wrong_answer_scan");
        let mut refused = dialogue();
        refused.story.operations[5].error = Some(OperationError::NoSuchAccount);
        assert_eq!(shape(&refused), "wrong_answer_transfer");
    }

    #[test]
    fn a_swapped_commit_is_a_violation() {
        let mut dialogue = Dialogue::new(1);
        dialogue.register(0, 1);
        dialogue.register(0, 2);
        let (first, second) = (dialogue.invoke(0, 1, write(5, 1)), dialogue.invoke(0, 2, read(5, None)));
        let op = dialogue.commit(first);
        dialogue.answer(first, op);
        let op = dialogue.commit(second);
        dialogue.answer(second, op);
        assert_eq!(shape(&dialogue), "wrong_answer_read");
    }

    #[test]
    fn an_unknown_operation_counts_exactly_if_it_was_applied() {
        let mut applied = dialogue();
        let place = applied.invoke(0, 1, write(5, 51));
        applied.commit(place);
        applied.call(0, 2, read(5, 51));
        assert_eq!(applied.verdict("data_correctness").facts(), 9);
        let mut dropped = dialogue();
        dropped.invoke(0, 1, write(5, 51));
        dropped.call(0, 2, read(5, 51));
        assert_eq!(shape(&dropped), "wrong_answer_read");
    }

    #[test]
    fn a_read_outside_the_log_sees_the_state_it_claims() {
        let mut dialogue = dialogue();
        let before = dialogue.op();
        dialogue.call(0, 1, write(5, 51));
        dialogue.served(0, 2, before, read(5, 50));
        assert_eq!(dialogue.verdict("data_correctness").facts(), 10);
        dialogue.served(0, 2, before, read(5, 51));
        assert_eq!(shape(&dialogue), "wrong_answer_read");
    }

    #[test]
    fn a_request_that_nobody_asked_for_is_a_violation() {
        let mut dialogue = dialogue();
        dialogue.apply((0, 1, 1, 9));
        assert_eq!(shape(&dialogue), "request_nobody_asked_for");
    }

    #[test]
    fn behind_a_divergence_nothing_is_said() {
        let mut dialogue = dialogue();
        dialogue.apply_on(2, 2, (0, 1, 1, 9));
        dialogue.story.operations[6].results = Some(Vec::new());
        assert_eq!(dialogue.verdict("data_correctness").name(), "unknown");
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        assert_eq!(Dialogue::new(1).verdict("data_correctness").name(), "not_applicable");
        let mut no_operations = dialogue();
        no_operations.story.operations.clear();
        assert_eq!(no_operations.verdict("data_correctness").name(), "unknown");
        let mut no_options = dialogue();
        no_options.story.run.options.clear();
        assert_eq!(no_options.verdict("data_correctness").name(), "unknown");
        let mut incomplete = dialogue();
        incomplete.story.operations[0].value = None;
        assert_eq!(incomplete.verdict("data_correctness").name(), "unknown");
    }
}
