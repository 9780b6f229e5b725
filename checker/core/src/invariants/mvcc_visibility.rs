//! `mvcc_visibility`: a read at a log position sees the versions that were current there, no later and no earlier ones.
//!
//! Multi-version reads promise a snapshot: everything committed at or before the position, nothing of what comes after it.
//!
//! **Formally.** Each committed write, successful compare-and-set, addition or transaction puts a version of its keys at its op
//! number; each committed append makes its stream longer by one. An observation of key k by an operation at op number p (its place
//! in the log, or the position that a read outside the log claims) sees the value of the last version of k before p, or absence if
//! there is none: what it writes itself comes behind what it sees. A scan shows exactly the keys that have a version. A read of a
//! stream at p shows as many elements as its range holds of the stream's length there. A version of an addition is what its client
//! was told; where it was not told, the sum.
//!
//! **Evidence.** run: options (`cluster`: who owns which keys). transition: event, op, tenant, client, session, request number.
//! operation: what was asked and answered, outcome, op.
//!
//! **Deliberately not checked.** Balances and refusals: `data_correctness`. What the elements of a stream are: `offset_monotonicity`.
//! Whether the position is the right one for real time: `linearizability`. Behind an op number at which replicas differ, or whose
//! request nobody asked for, nothing is said.

mod versions;

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::REPLAYED;
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use versions::{Unseen, Versions};
use vopr_schema::Kind;

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "mvcc_visibility",
    version: 2,
    category: Category::Client,
    reads: &[Reads { kind: Kind::Run, columns: &["options"] }, APPLIED_REQUESTS, REPLAYED],
    statement: "a read at a log position sees what was committed at or before it, and nothing later",
    because_of: &["idempotency", "client_session", "tenant_isolation", "data_correctness"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no answered read belongs to a log position", || walk(index, meter))
}

fn walk(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let journal = index.journal();
    if journal.applied() == 0 || index.operation_rows().is_empty() {
        return Ok(0);
    }
    let Some(layout) = index.layout() else {
        return Err(Box::new(Verdict::unknown("the run's options do not say who owns which keys (cluster.keys_per_tenant and so on)")));
    };
    let table = index.transitions();
    let diverged = index.diverged().map_or(u64::MAX, |(_, second)| table.op.0[second]);
    let stranger = journal.strangers().first().map_or(u64::MAX, |row| table.op.0[*row as usize]);
    let known_below = diverged.min(stranger);
    let mut ticker = meter.ticker();
    let mut versions = Versions::new(index, layout);
    journal.replay(|op, row| {
        ticker.step()?;
        if op >= known_below {
            return Err(Box::new(Verdict::unknown(format!("what stands at op {known_below} is not known: see data_correctness"))));
        }
        versions.visit(op, row).map_err(|unseen| witness(index, &versions, op, row, &unseen).into())
    })?;
    Ok(versions.facts())
}

fn witness(index: &RunIndex<'_>, versions: &Versions<'_>, op: u64, row: usize, unseen: &Unseen) -> Witness {
    let value = |value: Option<u64>| value.map_or_else(|| "absence".to_owned(), |value| value.to_string());
    let step = |row: usize, words: &str| index.operation_step(row, format!("{words}: {}", operation_words(index, row)));
    match unseen {
        Unseen::Length { stream, length } => {
            let summary = format!("a read at op {op} does not show what stream {stream} held there: {length} elements");
            Witness::new("stream_of_another_length", summary).step(step(row, &format!("at op {op}")))
        }
        Unseen::Version { key, seen, current } => {
            let found = Versions::find(index, *key, *seen);
            let (shape, whence) = match found {
                Some((place, _)) if place >= op => ("saw_a_later_version", format!("which was written only at op {place}")),
                Some((place, _)) => ("saw_an_earlier_version", format!("which was written at op {place} and overwritten since")),
                None if seen.is_none() => ("missed_a_version", "though it had been written".to_owned()),
                None => ("saw_no_version", "which the log does not write there".to_owned()),
            };
            let written = versions.current(*key);
            let summary =
                format!("an operation at op {op} saw {} at key {key}, {whence}; current there was {}", value(*seen), value(*current));
            Witness::new(shape, summary)
                .step_if(found.filter(|(_, writer)| *writer != row).map(|(place, writer)| step(writer, &format!("at op {place}"))))
                .step_if(written.map(|(place, writer)| step(writer, &format!("at op {place}"))))
                .step(step(row, &format!("at op {op}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, ask, read, scan, told, write};
    use vopr_schema::{Function, OperationRow, Pair};

    const NAME: &str = "mvcc_visibility";

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, write(5, 50));
        dialogue.call(0, 2, read(5, 50));
        dialogue.call(0, 1, write(5, 51));
        dialogue.call(0, 2, scan(0, 9, &[(5, 51)]));
        dialogue
    }

    fn add(delta: u64, sum: u64) -> OperationRow {
        OperationRow { value: Some(delta), result: Some(sum), ..ask(Function::ReadModifyWrite, 6) }
    }

    fn compare_and_set(expected: u64, value: u64, done: bool) -> OperationRow {
        let result = Some(u64::from(done));
        OperationRow { expected: Some(expected), value: Some(value), result, ..ask(Function::CompareAndSet, 5) }
    }

    #[test]
    fn current_versions_are_facts() {
        let mut dialogue = dialogue();
        dialogue.call(0, 1, add(3, 3));
        dialogue.call(0, 1, add(4, 7));
        dialogue.call(0, 1, compare_and_set(51, 52, true));
        dialogue.call(0, 1, compare_and_set(51, 53, false));
        let pairs = |pairs: &[(u64, u64)]| Some(told(pairs));
        let (reads, writes) = (Some(vec![Pair { key: 5, value: None }]), pairs(&[(5, 60), (8, 80)]));
        dialogue.call(0, 1, OperationRow { reads, writes, results: pairs(&[(5, 52)]), ..ask(Function::Transaction, 5) });
        dialogue.call(0, 2, scan(0, 9, &[(5, 60), (6, 7), (8, 80)]));
        assert_eq!(dialogue.verdict(NAME).facts(), 2 + 2 + 2 + 1 + 3);
    }

    #[test]
    fn versions_of_other_positions_are_violations() {
        let mut earlier = dialogue();
        earlier.call(0, 2, read(5, 50));
        assert_eq!(shape(&earlier), "saw_an_earlier_version");
        let mut missed = dialogue();
        missed.call(0, 2, scan(0, 9, &[]));
        assert_eq!(shape(&missed), "missed_a_version");
        let mut invented = dialogue();
        invented.call(0, 2, read(5, 99));
        assert_eq!(shape(&invented), "saw_no_version");
        let mut lost = dialogue();
        lost.call(0, 1, add(3, 3));
        lost.call(0, 1, add(4, 4));
        assert_eq!(shape(&lost), "missed_a_version");
        let mut set = dialogue();
        set.call(0, 1, compare_and_set(50, 52, true));
        assert_eq!(shape(&set), "saw_an_earlier_version");
    }

    #[test]
    fn a_read_outside_the_log_sees_the_position_it_claims() {
        let mut dialogue = dialogue();
        let before = dialogue.op();
        dialogue.call(0, 1, write(5, 52));
        dialogue.served(0, 2, before, read(5, 51));
        assert_eq!(dialogue.verdict(NAME).facts(), 3);
        dialogue.served(0, 2, before, read(5, 52));
        assert_eq!(shape(&dialogue), "saw_a_later_version");
    }

    #[test]
    fn what_an_operation_writes_itself_comes_behind_what_it_sees() {
        let mut dialogue = dialogue();
        let (reads, writes) = (Some(vec![Pair { key: 5, value: None }]), Some(told(&[(5, 60)])));
        dialogue.call(0, 1, OperationRow { reads, writes: writes.clone(), results: writes, ..ask(Function::Transaction, 5) });
        let verdict = dialogue.verdict(NAME);
        let witness = verdict.witness().expect("a violation");
        assert_eq!(witness.shape, "saw_a_later_version", "{witness:?}");
        assert!(witness.summary.contains("written only at op"), "{witness:?}");
        assert_eq!(witness.steps.len(), 2, "the write before it, and itself once: {witness:?}");
    }

    #[test]
    fn a_stream_is_as_long_as_its_appends_made_it() {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, ask(Function::StreamCreate, 7));
        dialogue.call(0, 1, OperationRow { value: Some(70), result: Some(0), ..ask(Function::StreamAppend, 7) });
        let shown = |pairs| OperationRow { value: Some(0), expected: Some(9), results: Some(told(pairs)), ..ask(Function::StreamRead, 7) };
        dialogue.call(0, 2, shown(&[(0, 70)]));
        assert_eq!(dialogue.verdict(NAME).facts(), 1);
        dialogue.call(0, 2, shown(&[]));
        assert_eq!(shape(&dialogue), "stream_of_another_length");
    }

    #[test]
    fn what_was_never_answered_counts_where_it_was_applied() {
        let mut dialogue = dialogue();
        let unknown = dialogue.invoke(0, 1, write(5, 52));
        dialogue.commit(unknown);
        let unknown = dialogue.invoke(0, 1, compare_and_set(51, 53, true));
        dialogue.commit(unknown);
        dialogue.call(0, 2, read(5, 52));
        assert_eq!(dialogue.verdict(NAME).facts(), 3);
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        assert_eq!(Dialogue::new(1).verdict(NAME).name(), "not_applicable");
        let mut no_options = dialogue();
        no_options.story.run.options.clear();
        assert_eq!(no_options.verdict(NAME).name(), "unknown");
        let mut no_log = dialogue();
        no_log.story.transitions.clear();
        assert_eq!(no_log.verdict(NAME).name(), "not_applicable");
        let mut stranger = dialogue();
        stranger.story.operations.remove(0);
        assert_eq!(stranger.verdict(NAME).name(), "unknown");
    }
}
