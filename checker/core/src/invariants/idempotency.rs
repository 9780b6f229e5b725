//! `idempotency`: a request is applied once, however often it was sent, in whatever views.
//!
//! Clients ask again when no answer comes; a state machine that executes the second copy too adds twice, transfers twice.
//!
//! **Formally.** For all `applied` transitions a, b of client requests: if (tenant, client, session, request number) of a and
//! b are equal, then a.op = b.op. Replicas that apply one op number each, or again after a restart, apply it once.
//!
//! **Evidence.** transition: event, op, tenant, client, session, request number.
//!
//! **Deliberately not checked.** Whether copies of one request got the same answer (`data_correctness`), whether different
//! requests stand at one op number (`vsr_agreement`), registrations, which may be repeated.

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::{RequestName, RunIndex, applied_request};
use crate::registry::{Category, Invariant};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::counted;
use vopr_schema::TransitionEvent;
use vopr_schema::column::Niche;

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "idempotency",
    version: 1,
    category: Category::Client,
    reads: &[APPLIED_REQUESTS],
    statement: "a request (client, session, request number) is applied once, however often it was sent, in whatever views",
    because_of: &["vsr_agreement"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no client's request was applied", || requests(index, meter))
}

fn requests(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let mut ticker = meter.ticker();
    // The usual case in one pass without sorting: each session belongs to one client, and its numbers rise.
    let nobody = (u32::NONE, u32::NONE);
    let mut sessions = vec![(nobody, 0_u64); index.ops()];
    let (mut facts, mut rising) = (0, index.diverged().is_none());
    for op in 1..index.ops() as u64 {
        let Some(name) = index.committed().applied_row(op).and_then(|row| applied_request(index, row)) else { continue };
        ticker.step()?;
        facts += 1;
        let (tenant, client, session, request) = name;
        match index.op_index(session).map(|session| &mut sessions[session]) {
            Some(known) if (known.0 == nobody || known.0 == (tenant, client)) && known.1 < request => *known = ((tenant, client), request),
            _ => rising = false,
        }
    }
    if !rising {
        all_distinct(index, meter)?;
    }
    Ok(facts)
}

/// Sorts all applied requests by name and looks for one at two op numbers.
fn all_distinct(index: &RunIndex<'_>, meter: &Meter) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let applied = TransitionEvent::Applied as u8;
    let rows = index.transition_rows().filter(|row| table.event.codes[*row] == applied);
    let named = |row: usize| applied_request(index, row).map(|name| (name, table.op.0[row], row));
    let mut requests: Vec<(RequestName, u64, usize)> = rows.filter_map(named).collect();
    meter.check()?;
    requests.sort_unstable();
    match requests.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1) {
        Some(pair) => Err(applied_twice(index, pair[0].2, pair[1].2).into()),
        None => Ok(()),
    }
}

fn applied_twice(index: &RunIndex<'_>, first: usize, second: usize) -> Witness {
    let table = index.transitions();
    let (tenant, client, session, request) =
        (table.tenant.0[first], table.client.0[first], table.session.0[first], table.request_number.0[first]);
    let request_words = format!("request {request} of session {session} of client {client} of tenant {tenant}");
    let operations = index.requests().find(index, tenant, client, Some(session), request);
    let asked = operations.first().map(|row| *row as usize).map(|row| {
        let sent = counted(index.operations().attempts[row], "time");
        let words = format!("{}; it was sent {sent}", crate::replay::operation_words(index, row));
        index.operation_step(row, words)
    });
    let step = |row: usize| index.transition_step(row, format!("replica {} applies it at op {}", table.replica[row], table.op.0[row]));
    let summary = format!("{request_words} was applied at op {} and again at op {}", table.op.0[first], table.op.0[second]);
    Witness::new("applied_twice", summary).step_if(asked).step(step(first)).step(step(second))
}

#[cfg(test)]
mod tests {
    use crate::Verdict;
    use crate::testing::dialogue::{Dialogue, write};

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        (0..3).for_each(|value| _ = dialogue.call(0, 1, write(5, value)));
        dialogue.call(0, 2, write(6, 9));
        dialogue
    }

    #[test]
    fn each_request_applied_once_is_a_fact() {
        assert_eq!(dialogue().verdict("idempotency").facts(), 4);
    }

    #[test]
    fn a_request_at_two_op_numbers_is_a_violation() {
        let mut dialogue = dialogue();
        let row = dialogue.story.operations[1].clone();
        let again = dialogue.apply((0, 1, row.session.expect("it has one"), row.request_number));
        let verdict = dialogue.verdict("idempotency");
        let witness = verdict.witness().expect("applied twice");
        assert!(witness.summary.ends_with(&format!("was applied at op 3 and again at op {again}")), "{}", witness.summary);
        assert_eq!(witness.steps.len(), 3);
    }

    #[test]
    fn one_replica_that_applies_a_request_elsewhere_is_a_violation() {
        let mut dialogue = dialogue();
        let row = dialogue.story.operations[0].clone();
        let op = dialogue.op();
        dialogue.apply_on(2, op, (0, 1, row.session.expect("it has one"), row.request_number));
        assert!(dialogue.verdict("idempotency").is_violation());
    }

    #[test]
    fn the_same_numbers_of_another_session_or_client_are_other_requests() {
        let mut dialogue = dialogue();
        dialogue.register(0, 1);
        dialogue.call(0, 1, write(5, 7));
        dialogue.call(0, 3, write(5, 8));
        assert_eq!(dialogue.verdict("idempotency").facts(), 6);
    }

    #[test]
    fn applying_again_after_a_restart_is_no_second_time() {
        let mut dialogue = dialogue();
        dialogue.story.crash(1);
        dialogue.story.restart(1, |_| {});
        dialogue.apply_on(1, 1, (0, 1, 1, 0));
        dialogue.apply_on(1, 2, (0, 1, 1, 1));
        assert!(dialogue.verdict("idempotency").is_pass());
    }

    #[test]
    fn without_applied_requests_there_is_nothing_to_check() {
        let mut dialogue = Dialogue::new(1);
        dialogue.register(0, 1);
        assert_eq!(dialogue.verdict("idempotency"), Verdict::not_applicable("no client's request was applied"));
        let cut = dialogue.story.cut_off(1);
        assert_eq!(cut.verdict("idempotency").name(), "not_applicable");
    }
}
