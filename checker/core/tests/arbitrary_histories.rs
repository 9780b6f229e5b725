//! No history makes an invariant panic, however absurd its rows.
//!
//! Files come from anywhere: the reader refuses what is no history, and everything that it lets through must get a verdict.

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use vopr_checker::testing::Story;
use vopr_checker::{Budget, Selection, Verdict, judge_run};
use vopr_schema::{Dictionary, Ended, FaultRow, Function, History, MessageRow, OperationRow, Pair, Run, StorageRow, TransitionRow};

/// Mostly small numbers, so that rows meet; sometimes the ends of the range.
fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        8 => 0..6_u64,
        2 => 0..200_u64,
        1 => Just(u64::MAX - 1),
        1 => any::<u64>().prop_map(|value| value.min(u64::MAX - 1)),
    ]
    .boxed()
}

fn maybe() -> BoxedStrategy<Option<u64>> {
    prop_oneof![1 => Just(None), 4 => number().prop_map(Some)].boxed()
}

fn small() -> BoxedStrategy<u32> {
    number().prop_map(|value| u32::try_from(value).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)).boxed()
}

fn byte() -> BoxedStrategy<u8> {
    prop_oneof![30 => 0..3_u8, 1 => 3..32_u8].boxed()
}

fn word<E: Dictionary>() -> BoxedStrategy<E> {
    (0..E::ALL.len()).prop_map(|place| E::ALL[place]).boxed()
}

fn pairs() -> BoxedStrategy<Option<Vec<Pair>>> {
    let pair = (number(), maybe()).prop_map(|(key, value)| Pair { key, value });
    prop_oneof![2 => Just(None), 1 => prop::collection::vec(pair, 0..4).prop_map(Some)].boxed()
}

fn transition() -> BoxedStrategy<TransitionRow> {
    let who = (byte(), 0..3_u32, word(), word(), number(), number(), maybe(), number());
    let entry = (maybe(), maybe(), maybe(), maybe(), maybe(), prop::option::of(small()), prop::option::of(small()));
    let rest = (maybe(), maybe(), prop::option::of(small()), maybe(), prop::option::of(word()), 0..2_u32);
    (who, entry, rest)
        .prop_map(|(who, entry, rest)| TransitionRow {
            replica: who.0,
            incarnation: who.1,
            event: who.2,
            status: who.3,
            view: who.4,
            last_normal_view: who.5,
            op: who.6,
            commit: who.7,
            epoch: rest.5,
            entry_hash: entry.0,
            previous_hash: entry.1,
            entry_view: entry.2,
            state_hash: entry.3,
            timestamp: entry.4,
            tenant: entry.5,
            client: entry.6,
            session: rest.0,
            request_number: rest.1,
            quorum: rest.2,
            cause: rest.3,
            detail: rest.4,
            clock_low_ns: entry.4.or(entry.3),
            clock_high_ns: entry.3,
            ..TransitionRow::default()
        })
        .boxed()
}

fn message() -> BoxedStrategy<MessageRow> {
    let head = (number(), 0..2_u16, word(), byte(), byte(), maybe(), maybe(), maybe());
    let body = (maybe(), maybe(), maybe(), prop::option::of(small()), prop::option::of(word()), word(), prop::option::of(0..90_u64));
    let rest = (prop::option::of(word()), 0..2_u32, prop::option::of(small()), maybe(), maybe());
    (head, body, rest)
        .prop_map(|(head, body, rest)| MessageRow {
            id: head.0,
            copy: head.1,
            command: head.2,
            from: head.3.into(),
            to: head.4.into(),
            view: head.5,
            last_normal_view: head.6,
            op: head.7,
            commit: body.0,
            entry_hash: body.1,
            log_first: body.2,
            log_count: body.3,
            mutation: body.4,
            fate: body.5,
            fate_seq: body.6,
            reject_reason: rest.0,
            epoch: rest.1,
            client: rest.2,
            session: rest.3,
            request_number: rest.4,
            ..MessageRow::default()
        })
        .boxed()
}

fn operation() -> BoxedStrategy<OperationRow> {
    let what = (0..3_u32, 0..3_u32, word::<Function>(), number(), maybe(), maybe(), maybe(), pairs());
    let answer = (pairs(), maybe(), pairs(), word(), prop::option::of(word()), prop::option::of(0..90_u64), maybe(), maybe());
    (what, answer, maybe(), number())
        .prop_map(|(what, answer, session, request_number)| OperationRow {
            client: what.0,
            tenant: what.1,
            session,
            request_number,
            function: what.2,
            key: what.3,
            key_last: what.4,
            value: what.5,
            expected: what.6,
            reads: what.7,
            writes: answer.0,
            result: answer.1,
            results: answer.2,
            outcome: answer.3,
            error: answer.4,
            return_seq: answer.5,
            return_time_ns: answer.5,
            op: answer.6,
            view: answer.7,
            ..OperationRow::default()
        })
        .boxed()
}

fn storage() -> BoxedStrategy<StorageRow> {
    (byte(), word(), word(), maybe(), number(), word())
        .prop_map(|(replica, io, zone, op, started_seq, outcome)| {
            let row = StorageRow { replica, io, zone, op, ..StorageRow::default() };
            StorageRow { started_seq, outcome, ..row }
        })
        .boxed()
}

fn fault() -> BoxedStrategy<FaultRow> {
    (word(), word(), prop::option::of(small()), prop::option::of(small()), maybe())
        .prop_map(|(family, fault, target, peer, end_time_ns)| {
            let row = FaultRow { family, fault, target, ..FaultRow::default() };
            FaultRow { peer, end_time_ns, ..row }
        })
        .boxed()
}

#[derive(Clone, Debug)]
enum Row {
    Operation(OperationRow),
    Message(MessageRow),
    Transition(TransitionRow),
    Storage(StorageRow),
    Fault(FaultRow),
}

fn row() -> BoxedStrategy<Row> {
    prop_oneof![
        2 => operation().prop_map(Row::Operation),
        4 => message().prop_map(Row::Message),
        8 => transition().prop_map(Row::Transition),
        1 => storage().prop_map(Row::Storage),
        1 => fault().prop_map(Row::Fault),
    ]
    .boxed()
}

fn run() -> BoxedStrategy<Run> {
    let names: Vec<&'static str> = vopr_checker::evidence::PROMISES.iter().map(|promise| promise.scenario).collect();
    let replicas = prop_oneof![8 => 1..4_u8, 1 => Just(0), 1 => Just(255_u8), 1 => 0..255_u8];
    (prop::sample::select(names), replicas, 0..3_u8, small(), word::<Ended>(), maybe())
        .prop_map(|(scenario, replicas, standbys, tenants, ended, heal_time_ns)| Run {
            scenario: scenario.to_owned(),
            replicas,
            standbys,
            tenants,
            ended,
            heal_time_ns,
            ..Run::default()
        })
        .boxed()
}

/// Pushes rows at rising positions, as the reader guarantees.
fn push(history: &mut History, rows: &[Row], first: u64) {
    for (place, row) in rows.iter().enumerate() {
        let seq = first + place as u64;
        let time_ns = seq * 1000;
        match row.clone() {
            Row::Operation(row) => {
                let return_seq = row.return_seq.map(|after| seq + after);
                history.operations.push(OperationRow { seq, time_ns, return_seq, ..row });
            }
            Row::Message(row) => {
                let fate_seq = row.fate_seq.map(|after| seq + after);
                history.messages.push(MessageRow { seq, time_ns, fate_seq, ..row });
            }
            Row::Transition(row) => history.transitions.push(TransitionRow { seq, time_ns, ..row }),
            Row::Storage(row) => history.storage.push(StorageRow { seq, time_ns, ..row }),
            Row::Fault(row) => history.faults.push(FaultRow { seq, time_ns, ..row }),
        }
    }
}

fn judged_without_panic(history: &History) -> Result<(), TestCaseError> {
    let time_per_invariant = Some(core::time::Duration::from_millis(500));
    let budget = Budget { time_per_invariant, memory_bytes: Some(64 << 20), ..Budget::default() };
    let run = judge_run(history, 0, &Selection::all(), &budget);
    for (id, verdict) in &run.verdicts {
        if let Verdict::Unknown { reason } = verdict {
            prop_assert!(!reason.starts_with("internal"), "{}: {reason}", id.name());
        }
        if let Some(witness) = verdict.witness() {
            prop_assert!(!witness.summary.is_empty() && !witness.shape.is_empty(), "{}: an empty witness", id.name());
        }
    }
    Ok(())
}

/// Opens the story's run again, so that rows can be added behind it.
fn reopened(story: &Story) -> (History, Run) {
    let mut history = story.history();
    let run = history.runs.pop().expect("a story is one run");
    history.operations.run_ends.clear();
    history.messages.run_ends.clear();
    history.transitions.run_ends.clear();
    history.storage.run_ends.clear();
    history.faults.run_ends.clear();
    (history, run)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_rows_get_verdicts(rows in prop::collection::vec(row(), 0..80), run in run()) {
        let mut history = History::default();
        push(&mut history, &rows, 1);
        history.close_run(run);
        judged_without_panic(&history)?;
    }

    #[test]
    fn replicas_that_cannot_be_numbered_get_verdicts(rows in prop::collection::vec(row(), 0..20), replica in any::<u8>(), run in run()) {
        let mut history = History::default();
        push(&mut history, &rows, 2);
        history.transitions.push(TransitionRow { seq: 100, time_ns: 100_000, replica, ..TransitionRow::default() });
        history.storage.push(StorageRow { seq: 101, time_ns: 101_000, replica, ..StorageRow::default() });
        history.close_run(run);
        judged_without_panic(&history)?;
    }

    #[test]
    fn random_rows_behind_a_sensible_beginning_get_verdicts(ops in 1..6_u64, rows in prop::collection::vec(row(), 1..30)) {
        let mut story = Story::clean(ops);
        let first = story.tick();
        let (mut history, run) = reopened(&story);
        push(&mut history, &rows, first);
        history.close_run(run);
        judged_without_panic(&history)?;
    }
}
