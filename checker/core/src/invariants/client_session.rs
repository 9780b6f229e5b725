//! `client_session`: sessions count their requests, replies match their requests, evictions are the same everywhere.
//!
//! A client that is told another request's answer, or whose session is gone on one replica only, cannot tell any more what
//! it has done.
//!
//! **Formally.** In the order of op numbers, the applied requests of each session are numbered 1, 2, 3, …; a number may be
//! missing only if it belongs to a read that was answered outside the log. The op number that an answered operation, or a
//! `replied` transition, names is the one at which its own request was applied, or the operation is a read answered from the
//! state at that op number. Two `session_evicted` transitions at one op number name the same session, and each replica that
//! applied such an op number and a later one in one incarnation has such a transition.
//!
//! **Evidence.** operation: tenant, client, session, request number, function, writes, outcome, op; transition: replica,
//! incarnation, event, op, tenant, client, session, request number.
//!
//! **Deliberately not checked.** What the answers say (`data_correctness`), whether a request was applied twice
//! (`idempotency`), whether an answered request stays in the log (`durability_of_acknowledged`).

use crate::budget::Meter;
use crate::index::{RequestName, RunIndex, applied_request, is_read};
use crate::registry::{Category, Invariant, Reads};
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use vopr_schema::column::Niche;
use vopr_schema::{Kind, Outcome, TransitionEvent};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "client_session",
    version: 1,
    category: Category::Client,
    reads: &[
        Reads { kind: Kind::Operation, columns: &["tenant", "client", "session", "request_number", "function", "writes", "outcome", "op"] },
        Reads {
            kind: Kind::Transition,
            columns: &["replica", "incarnation", "event", "op", "tenant", "client", "session", "request_number"],
        },
    ],
    statement: "request numbers of a session rise without a gap in commit order; replies match their request; evictions are the same \
                on every replica",
    because_of: &["vsr_agreement", "idempotency"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no client's request was applied", || {
        if index.journal().applied() > 0 && index.operation_rows().is_empty() {
            return Err(Box::new(Verdict::unknown("there are no operation rows")));
        }
        let counted = numbers_rise(index, meter)?;
        let matched = replies_match(index, meter)?;
        Ok(counted + matched + evictions_agree(index, meter)?)
    })
}

/// The requests of each session in the order of the log.
fn numbers_rise(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let mut ticker = meter.ticker();
    // Per session (the op number of its registration) its last request's number and op number.
    let mut last = vec![(0_u64, 0_u64); index.ops()];
    let mut facts = 0;
    for op in 1..index.ops() as u64 {
        let Some(row) = index.committed().applied_row(op) else { continue };
        let Some(name) = applied_request(index, row) else { continue };
        ticker.step()?;
        facts += 1;
        let Some(session) = index.op_index(name.2) else {
            let words = format!("op {op} holds a request of session {}, which no op number registered", name.2);
            return Err(Witness::new("unregistered_session", words).step(index.transition_step(row, name_words(name))).into());
        };
        let (number, before) = last[session];
        if name.3 != number + 1 && !gap_is_reads(index, name, number) {
            return Err(wrong_number(index, name, row, (number, before)).into());
        }
        last[session] = (name.3, op);
    }
    Ok(facts)
}

/// Whether all numbers between `before` and the request's are those of reads outside the log.
fn gap_is_reads(index: &RunIndex<'_>, (tenant, client, session, number): RequestName, before: u64) -> bool {
    let missing = before + 1..number;
    let possible = number > before && missing.end - missing.start <= index.operation_rows().len() as u64;
    possible
        && missing.into_iter().all(|number| {
            let rows = index.requests().find(index, tenant, client, Some(session), number);
            rows.iter().any(|row| is_read(index, *row as usize) && index.journal().place_of(*row as usize).is_none())
        })
}

fn wrong_number(index: &RunIndex<'_>, name: RequestName, row: usize, (number, before): (u64, u64)) -> Witness {
    let op = index.transitions().op.0[row];
    let shape = if name.3 <= number { "number_does_not_rise" } else { "number_is_missing" };
    let summary = format!("{} stands at op {op}, directly behind request {number} of that session at op {before}", name_words(name));
    let earlier = index.committed().applied_row(before).map(|row| index.transition_step(row, format!("request {number} is applied")));
    let step = index.transition_step(row, format!("request {} is applied", name.3));
    Witness::new(shape, summary).step_if(earlier.filter(|_| before > 0)).step(step)
}

/// What clients were told against the log.
fn replies_match(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    if index.journal().applied() == 0 {
        return Ok(0);
    }
    if let Some(row) = index.journal().misplaced().iter().map(|row| *row as usize).find(|row| index.operations().op.get(*row).is_some()) {
        return Err(mismatched_reply(index, row).into());
    }
    let table = index.operations();
    let unknown = Outcome::Unknown as u8;
    let told = index.operation_rows().filter(|row| table.outcome.codes[*row] != unknown && table.op.0[*row] != u64::NONE);
    let facts = told.count() as u64;
    replicas_replies(index, meter)?;
    Ok(facts)
}

/// What replicas say that they replied.
fn replicas_replies(index: &RunIndex<'_>, meter: &Meter) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let replied = TransitionEvent::Replied as u8;
    for row in index.transition_rows().filter(|row| table.event.codes[*row] == replied) {
        ticker.step()?;
        let Some(name) = applied_request(index, row) else { continue };
        let op = table.op.0[row];
        let Some(applied) = index.committed().applied_row(op) else { continue };
        if applied_request(index, applied) == Some(name) {
            continue;
        }
        let rows = index.requests().find(index, name.0, name.1, Some(name.2), name.3);
        let outside = |row: &u32| is_read(index, *row as usize) && index.journal().place_of(*row as usize).is_none();
        if rows.is_empty() || rows.iter().any(outside) {
            continue;
        }
        let summary = format!("replica {} answered {} with op {op}, which holds another request", table.replica[row], name_words(name));
        let step = index.transition_step(row, "the reply leaves");
        return Err(Witness::new("reply_of_another_request", summary).step(step).step(log_step(index, op)).into());
    }
    Ok(())
}

fn mismatched_reply(index: &RunIndex<'_>, row: usize) -> Witness {
    let table = index.operations();
    let claimed = table.op.0[row];
    let name = (table.tenant[row], table.client[row], table.session.0[row], table.request_number[row]);
    let own = index.journal().place_of(row);
    let place = own.map_or_else(|| "was never applied".to_owned(), |op| format!("was applied at op {op}"));
    let summary = format!("the answer to {} names op {claimed}, but the request {place}", name_words(name));
    let mut witness = Witness::new("reply_of_another_request", summary).step(index.operation_step(row, operation_words(index, row)));
    if index.committed().applied_row(claimed).is_some() {
        witness = witness.step(log_step(index, claimed));
    }
    witness.step_if(own.map(|op| log_step(index, op)))
}

/// What the log holds at an op number that was applied.
fn log_step(index: &RunIndex<'_>, op: u64) -> Step {
    let row = index.committed().applied_row(op).expect("the caller found it applied");
    let holds = applied_request(index, row).map_or_else(|| "no client's request".to_owned(), name_words);
    let asked = usize::try_from(op).ok().and_then(|op| index.journal().operation_at(op));
    let asked = asked.map_or_else(String::new, |row| format!(" ({})", operation_words(index, row)));
    index.transition_step(row, format!("op {op} holds {holds}{asked}"))
}

/// Evictions by the registration that caused them.
fn evictions_agree(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let evicted = TransitionEvent::SessionEvicted as u8;
    let named = |row: usize| (table.tenant.0[row], table.client.0[row], table.session.0[row]);
    let mut rows: Vec<(u64, usize)> = Vec::new();
    for row in index.transition_rows().filter(|row| table.event.codes[*row] == evicted) {
        ticker.step()?;
        rows.push((table.op.0[row], row));
    }
    rows.sort_unstable();
    for pair in rows.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (first, second) = (pair[0].1, pair[1].1);
        if named(first) != named(second) {
            let op = pair[0].0;
            let summary = format!("the registration at op {op} evicted different sessions on different replicas");
            let words = |row: usize| format!("replica {} evicts session {}", table.replica[row], table.session.0[row]);
            let steps = [first, second].map(|row| index.transition_step(row, words(row)));
            return Err(Witness::new("different_evictions", summary).steps(steps).into());
        }
    }
    if rows.is_empty() {
        return Ok(0);
    }
    nobody_kept(index, &rows)?;
    Ok(rows.len() as u64)
}

/// A replica that applied the registration, and a later entry in the same incarnation, has evicted too.
fn nobody_kept(index: &RunIndex<'_>, evictions: &[(u64, usize)]) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let applied = TransitionEvent::Applied as u8;
    let who = |row: usize| (table.replica[row], table.incarnation[row], table.op.0[row]);
    let mut done: Vec<(u8, u32, u64)> = evictions.iter().map(|(_, row)| who(*row)).collect();
    done.sort_unstable();
    // Per replica the last application; one step further in the same incarnation, it must have evicted before.
    let mut before: Vec<Option<usize>> = vec![None; index.replicas()];
    for row in index.transition_rows().filter(|row| table.event.codes[*row] == applied) {
        let Some(slot) = before.get_mut(usize::from(table.replica[row])) else { continue };
        let earlier = slot.replace(row);
        let Some(earlier) = earlier.filter(|earlier| table.incarnation[*earlier] == table.incarnation[row]) else { continue };
        let place = evictions.partition_point(|eviction| eviction.0 < table.op.0[earlier]);
        let Some(eviction) = evictions.get(place).filter(|eviction| eviction.0 == table.op.0[earlier]) else { continue };
        if done.binary_search(&who(earlier)).is_err() {
            let op = table.op.0[earlier];
            let replica = table.replica[earlier];
            let summary = format!("replica {replica} applied the registration at op {op} without evicting anyone, unlike others");
            return Err(Witness::new("missing_eviction", summary)
                .step(index.transition_step(eviction.1, format!("replica {} evicts", table.replica[eviction.1])))
                .step(index.transition_step(earlier, format!("replica {replica} applies op {op}")))
                .into());
        }
    }
    Ok(())
}

fn name_words((tenant, client, session, request): RequestName) -> String {
    format!("request {request} of session {session} of client {client} of tenant {tenant}")
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, read, write};
    use vopr_schema::TransitionEvent;

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        (0..3).for_each(|value| _ = dialogue.call(0, 1, write(5, value)));
        dialogue.call(0, 2, read(5, 2));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict("client_session");
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn evict(dialogue: &mut Dialogue, replica: u8, session: u64) {
        let op = dialogue.op() + 1;
        dialogue.story.event(replica, TransitionEvent::SessionEvicted, |row| {
            (row.op, row.tenant, row.client, row.session) = (Some(op), Some(0), Some(9), Some(session));
        });
    }

    #[test]
    fn four_requests_and_their_answers_are_eight_facts() {
        assert_eq!(dialogue().verdict("client_session").facts(), 8);
    }

    #[test]
    fn a_skipped_number_is_a_violation_unless_a_read_outside_the_log_has_it() {
        let mut skipped = dialogue();
        skipped.invoke(0, 1, write(5, 3));
        skipped.call(0, 1, write(5, 4));
        assert_eq!(shape(&skipped), "number_is_missing");
        let mut served = dialogue();
        let op = served.op();
        served.served(0, 1, op, read(5, 2));
        served.call(0, 1, write(5, 4));
        assert_eq!(served.verdict("client_session").facts(), 8 + 3);
    }

    #[test]
    fn a_number_that_comes_again_is_a_violation() {
        let mut dialogue = dialogue();
        dialogue.apply((0, 1, 1, 2));
        assert_eq!(shape(&dialogue), "number_does_not_rise");
    }

    #[test]
    fn a_session_beyond_the_log_is_a_violation() {
        let mut dialogue = dialogue();
        dialogue.apply((0, 1, 77_777, 1));
        assert_eq!(shape(&dialogue), "unregistered_session");
    }

    #[test]
    fn an_answer_that_names_another_requests_op_is_a_violation() {
        let mut dialogue = dialogue();
        dialogue.story.operations[2].op = Some(3);
        assert_eq!(shape(&dialogue), "reply_of_another_request");
        dialogue.story.operations[2].op = Some(99);
        assert_eq!(shape(&dialogue), "reply_of_another_request");
    }

    #[test]
    fn a_read_that_was_applied_must_not_name_another_op() {
        let mut dialogue = dialogue();
        dialogue.story.operations[3].op = Some(2);
        assert_eq!(shape(&dialogue), "reply_of_another_request");
    }

    #[test]
    fn a_replica_that_replies_with_another_requests_op_is_caught_even_if_no_client_hears_it() {
        let mut dialogue = dialogue();
        dialogue.story.event(0, TransitionEvent::Replied, |row| {
            (row.op, row.tenant, row.client, row.session, row.request_number) = (Some(2), Some(0), Some(1), Some(1), Some(2));
        });
        assert_eq!(shape(&dialogue), "reply_of_another_request");
    }

    #[test]
    fn evictions_must_agree_and_none_may_be_missing() {
        let mut agreeing = dialogue();
        (0..3).for_each(|replica| evict(&mut agreeing, replica, 1));
        agreeing.register(0, 3);
        agreeing.call(0, 3, write(1, 1));
        assert_eq!(agreeing.verdict("client_session").facts(), 8 + 2 + 3);

        let mut different = dialogue();
        evict(&mut different, 0, 1);
        evict(&mut different, 1, 5);
        assert_eq!(shape(&different), "different_evictions");

        let mut missing = dialogue();
        (0..2).for_each(|replica| evict(&mut missing, replica, 1));
        missing.register(0, 3);
        assert!(missing.verdict("client_session").is_pass(), "replica 2 may have stopped in between");
        missing.call(0, 3, write(1, 1));
        assert_eq!(shape(&missing), "missing_eviction");
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        let mut empty = Dialogue::new(1);
        empty.register(0, 1);
        empty.story.operations.clear();
        assert_eq!(empty.verdict("client_session").name(), "unknown");
        assert_eq!(Dialogue::new(1).verdict("client_session").name(), "not_applicable");
        let mut no_transitions = dialogue();
        no_transitions.story.transitions.clear();
        assert_eq!(no_transitions.verdict("client_session").name(), "not_applicable");
    }
}
