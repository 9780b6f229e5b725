//! EDN as Jepsen writes it, as others do, and what is none.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Vec<Edn>, Expected> {
    let mut reader = Reader::new(text);
    let mut forms = Vec::new();
    while let Some(form) = reader.form()? {
        forms.push(form);
    }
    Ok(forms)
}

fn one(text: &str) -> Edn {
    let forms = read(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(forms.len(), 1, "{text}");
    forms.into_iter().next().expect("one form")
}

#[test]
fn everything_that_clojure_prints_is_read() {
    assert_eq!(one("nil"), Edn::Nil);
    assert_eq!(one("-17"), Edn::Integer(-17));
    assert_eq!(one("5N"), Edn::Integer(5));
    assert_eq!(one("123456789012345678901"), one("123456789012345678901N"));
    for number in ["1.5", "2/3", "1e10", "-0.5M", "##Inf", "##NaN"] {
        assert_eq!(one(number), Edn::Number(number.into()));
    }
    assert_eq!(one(r#""a\n\"\u00e9\ud83d\ude00\101""#), Edn::text("a\n\"é😀A"));
    assert_eq!(one(r"\a"), Edn::Character('a'));
    assert_eq!(one(r"[\newline \u0041 \( ]"), Edn::Vector(vec![Edn::Character('\n'), Edn::Character('A'), Edn::Character('(')]));
    assert_eq!(one(":name.space/word"), Edn::keyword("name.space/word"));
    assert_eq!(one("#{1 2}"), Edn::Set(vec![Edn::Integer(1), Edn::Integer(2)]));
    assert_eq!(one("(1,2 ; two\n #_ 3 #_ #_ 4 [5] )"), Edn::List(vec![Edn::Integer(1), Edn::Integer(2)]));
    assert_eq!(one("#jepsen.history.Op{:index 0, :type :ok}").untagged().get("type"), Some(&Edn::keyword("ok")));
    assert_eq!(one("#:op{:type :ok, :other/f 1}").get("op/type"), Some(&Edn::keyword("ok")));
    assert!(matches!(one("#object[java.lang.Thread 0x1f \"main\"]"), Edn::Tagged(..)));
    assert!(matches!(one("#inst \"2020-01-01T00:00:00Z\""), Edn::Tagged(..)));
    assert!(matches!(one("#\"a+\""), Edn::Tagged(..)));
    assert_eq!(read("\u{feff}{} []").unwrap().len(), 2);
    // Within a text, too, a byte order mark is a blank and no part of a word: the word would not be read again as it was.
    assert_eq!(read("{} \u{feff}:type a\u{feff}").unwrap()[1..], [Edn::keyword("type"), Edn::Symbol("a".into())]);
}

#[test]
fn malformed_text_is_refused_at_its_place() {
    let cases = [
        ("[1 2", 0, "']'"),
        ("{:a}", 0, "value for every key"),
        ("[1 )", 3, "']' or a form"),
        ("  ]", 2, "closes nothing"),
        ("\"abc", 0, "the file ends"),
        (r#""\x""#, 2, "behind a backslash"),
        ("[007]", 1, "a number"),
        ("[1a]", 1, "a number"),
        ("#_", 2, "to discard"),
        ("#tag", 4, "a form behind"),
        // A byte order mark ends words, so no tag begins with one; what follows was read as a form that has an empty tag.
        ("#\u{feff}:type", 0, "a set, a tag"),
        ("^:meta x", 0, "no EDN"),
        (r#""\ud800""#, 7, "second half"),
        (":", 0, "behind the colon"),
        (r"\nowhere", 0, "a character"),
        ("\\Ѩ显", 0, "a character"),
    ];
    for (text, offset, what) in cases {
        let error = read(text).expect_err(text);
        assert_eq!(error.offset, offset, "{text}: {error:?}");
        assert!(error.what.contains(what), "{text}: {error:?}");
    }
}

#[test]
fn nesting_has_a_limit() {
    assert!(read(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
    for opening in ["[", "{", "#{", "#_", "#a ", "(", "[#_"] {
        assert!(read(&opening.repeat(1_000_000)).unwrap_err().what.contains("deep"), "{opening}");
    }
}

fn forms() -> impl Strategy<Value = Edn> {
    let leaf = prop_oneof![
        Just(Edn::Nil),
        any::<bool>().prop_map(Edn::Bool),
        any::<i64>().prop_map(Edn::Integer),
        any::<char>().prop_map(Edn::Character),
        ".*".prop_map(|text: String| Edn::text(&text)),
        "[a-z][a-z0-9*!?<>=.+-]{0,8}(/[a-z]{1,4})?".prop_map(|word: String| Edn::keyword(&word)),
        "x[a-z0-9*!?<>=.+-]{0,8}".prop_map(|word: String| Edn::Symbol(word.into())),
        "[1-9][0-9]{20,30}N".prop_map(|number: String| Edn::Number(number.into())),
        "[1-9][0-9]{0,5}\\.[0-9]{1,5}".prop_map(|number: String| Edn::Number(number.into())),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let many = proptest::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            many.clone().prop_map(Edn::List),
            many.clone().prop_map(Edn::Vector),
            many.prop_map(Edn::Set),
            proptest::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Edn::Map),
            ("t[a-z.]{0,6}[a-z]", inner).prop_map(|(tag, form)| Edn::Tagged(tag.into(), Box::new(form))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(form in forms()) {
        prop_assert_eq!(read(&form.to_string()), Ok(vec![form]));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".*") {
        let _ = read(&text);
    }

    #[test]
    fn no_notation_makes_the_reader_panic(text in r#"([\[\](){}#_:;"\\^,/+. \n0-9a-fuxN-]|##|#_|nil){0,60}"#) {
        if let Ok(forms) = read(&text) {
            let printed: Vec<String> = forms.iter().map(Edn::to_string).collect();
            prop_assert_eq!(read(&printed.join("\n")), Ok(forms));
        }
    }
}
