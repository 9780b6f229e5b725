//! Imported runs are judged by the model that they name.

use super::*;
use crate::RunIndex;
use crate::testing::Story;
use vopr_schema::{Function, OperationRow, Outcome, Pair};

fn settings() -> Imported {
    Imported {
        model: Model::CasRegister,
        format: "jepsen-edn".to_owned(),
        file: "a.edn".to_owned(),
        alternative: Some(Model::Bag),
        nil_read: NilRead::Any,
        failed_cas: FailedCas::Compared,
        initial: Some(3),
        total: Some(-7),
        negative_balances: true,
        register_order: crate::transactions::KeyOrder::Sequential,
        keyed: true,
        texts_as_numbers: false,
        fault_events: 1,
        given_up: 2,
        without_invocation: 3,
        skipped_lines: 4,
        values: vec!["\"apple\"".to_owned(), "-4".to_owned(), "nil".to_owned()],
    }
}

#[test]
fn settings_come_back_from_the_options_of_a_run() {
    let settings = settings();
    let run = vopr_schema::Run { options: settings.to_options(), ..vopr_schema::Run::default() };
    assert_eq!(Imported::of_run(&run), Some(settings.clone()));
    let first = crate::import::interner::FIRST;
    assert_eq!((settings.words(first), settings.words(7)), ("\"apple\"".to_owned(), "7".to_owned()));
    assert_eq!((settings.integer(first + 1), settings.integer(first), settings.integer(9)), (Some(-4), None, Some(9)));
    assert_eq!((settings.present(first + 2), settings.present(5)), (None, Some(5)));
    assert_eq!(step_words(&settings, &format!("held {first} or {NOTHING}, not 7")), "held \"apple\" or nil, not 7");
}

#[test]
fn runs_of_our_own_are_not_imported() {
    assert_eq!(Imported::of_run(&vopr_schema::Run::default()), None);
    let run = vopr_schema::Run { options: "{\"import\":{}}".to_owned(), ..vopr_schema::Run::default() };
    assert_eq!(Imported::of_run(&run), None);
}

/// An operation of client 3 on key 0, in words.
fn told(model: Model, row: OperationRow) -> String {
    let mut story = Story::new(1);
    story.operations.push(OperationRow { client: 3, ..row });
    operation_words(&RunIndex::new(&story.history(), 0), &Imported { model, keyed: false, ..settings() }, 0)
}

#[test]
fn operations_are_told_in_words() {
    use Function as F;
    let ok = |function, value, result| OperationRow { function, value, result, outcome: Outcome::Ok, ..OperationRow::default() };
    let expecting = |expected, row: OperationRow| OperationRow { expected, ..row };
    let listing = |row: OperationRow, pairs: &[(u64, u64)]| {
        let results = pairs.iter().map(|&(key, value)| Pair { key, value: Some(value) }).collect();
        OperationRow { results: Some(results), ..row }
    };
    let first = crate::import::interner::FIRST;
    let cases = [
        (Model::Register, ok(F::Read, None, Some(first)), "reads the register and is told \"apple\""),
        (Model::Register, ok(F::Read, None, None), "reads the register and is told nil"),
        (Model::Register, ok(F::Write, Some(7), None), "writes 7 to the register and is told that it is done"),
        (Model::Register, ok(F::Write, None, None), "writes nil to the register and is told that it is done"),
        (Model::CasRegister, expecting(Some(7), ok(F::CompareAndSet, Some(8), Some(1))), "sets the register from 7 to 8 and succeeds"),
        (
            Model::CasRegister,
            expecting(None, ok(F::CompareAndSet, Some(8), Some(0))),
            "sets the register from nil to 8 and is told that it held something else",
        ),
        (Model::Mutex, ok(F::CompareAndSet, Some(1), Some(1)), "takes the lock and succeeds"),
        (Model::Mutex, expecting(Some(1), ok(F::CompareAndSet, None, Some(1))), "gives back the lock and succeeds"),
        (Model::Counter, ok(F::Read, None, Some(4)), "reads the counter and is told 4"),
        (Model::Counter, ok(F::CounterAdd, Some(4), None), "adds 4 to the counter and is told that it is done"),
        (Model::Set, ok(F::SetAdd, Some(4), None), "adds 4 to the set and is told that it is done"),
        (Model::Set, ok(F::SetRemove, Some(4), None), "removes 4 from the set and is told that it is done"),
        (Model::Set, ok(F::SetContains, Some(4), Some(1)), "looks for 4 in the set and is told true"),
        (Model::Set, ok(F::SetContains, Some(4), Some(0)), "looks for 4 in the set and is told false"),
        (Model::Set, listing(ok(F::SetRead, None, None), &[(0, 4), (1, first)]), "reads the set and is told [4 \"apple\"]"),
        (Model::Queue, ok(F::Enqueue, Some(4), None), "enqueues 4 and is told that it is done"),
        (Model::Queue, ok(F::Dequeue, None, Some(4)), "dequeues and is told 4"),
        (Model::Queue, ok(F::Dequeue, None, None), "dequeues and is told that it is empty"),
        (Model::Queue, listing(ok(F::Drain, None, None), &[(0, 4)]), "drains the queue and is told [4]"),
        (Model::Kv, ok(F::TextAppend, Some(first), None), "appends \"apple\" to the text 0 and is told that it is done"),
        (Model::Kv, ok(F::Delete, None, None), "deletes 0 and is told that it is done"),
        (
            Model::Bank,
            OperationRow { key_last: Some(1), ..ok(F::Transfer, Some(5), None) },
            "transfers 5 from account 0 to 1 and is told that it is done",
        ),
        (Model::Bank, listing(ok(F::Balance, None, None), &[(0, 5), (1, 6)]), "reads all balances and is told 0 has 5, 1 has 6"),
    ];
    for (model, row, words) in cases {
        assert_eq!(told(model, row), format!("process 3 {words}"));
    }
    let ending = |outcome| told(Model::Set, OperationRow { outcome, ..ok(F::SetAdd, Some(4), None) });
    assert_eq!(ending(Outcome::Error), "process 3 adds 4 to the set and is told that it failed");
    assert_eq!(ending(Outcome::Unknown), "process 3 adds 4 to the set and never learns whether it happened: it may or may not have");
}
