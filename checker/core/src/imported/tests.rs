//! Imported runs are judged by the model that they name.

use super::*;

#[test]
fn settings_come_back_from_the_options_of_a_run() {
    let settings = Imported {
        model: Model::CasRegister,
        format: "jepsen-edn".to_owned(),
        file: "a.edn".to_owned(),
        alternative: Some(Model::Bag),
        nil_read: NilRead::Any,
        failed_cas: FailedCas::Compared,
        initial: Some(3),
        total: Some(-7),
        negative_balances: true,
        keyed: true,
        texts_as_numbers: false,
        fault_events: 1,
        given_up: 2,
        without_invocation: 3,
        skipped_lines: 4,
        values: vec!["\"apple\"".to_owned(), "-4".to_owned(), "nil".to_owned()],
    };
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
