//! Each format: what it means, what is refused and where, and the way to Parquet and back.

use super::*;
use crate::{Budget, Selection, Verdict, check_run};
use proptest::prelude::*;
use vopr_schema::{Function, Outcome};

mod random;
mod wild;

fn bring_as(text: &str, request: &Request) -> Result<Brought, ImportError> {
    bring_text(Path::new("h"), text, request)
}

fn brought(text: &str) -> Brought {
    bring_as(text, &Request::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(text: &str) -> String {
    bring_as(text, &Request::default()).expect_err(text).to_string()
}

/// Whether the history is linearizable.
fn judge(text: &str, request: &Request) -> Verdict {
    judge_by("linearizability", text, request)
}

/// What one invariant says of the history.
fn judge_by(invariant: &str, text: &str, request: &Request) -> Verdict {
    let history = history(&[bring_as(text, request).unwrap_or_else(|error| panic!("{error}"))]);
    let selection = Selection::only(&[invariant]).expect("it is registered");
    check_run(&history, 0, &selection, &Budget::default()).remove(0).1
}

const REGISTER: &str = "\
; a register
{:type :invoke, :f :write, :value 1, :process 0, :time 10, :index 0}
{:type :info, :f :start, :value nil, :process :nemesis, :time 12}
#jepsen.history.Op{:type :invoke :f :cas :value [1 2] :process 1 :time 15 :extra {:a #{1}}}
{:type :ok, :f :write, :value 1, :process 0, :time 20}
{:type :fail, :f :cas, :value [1 2], :process 1, :time 30, :error :timeout}
{:type :invoke, :f :read, :value nil, :process 2, :time 40} #_ {:not :there}
{:type :info, :f :read, :value nil, :process 2, :time 50}
{:type :invoke, :f :read, :value nil, :process 3, :time 60}
{:type :ok, :f :read, :value 1, :process 3, :time 70}
{:type :invoke, :f :write, :value \"x\", :process 3, :time 80}
";

#[test]
fn both_layouts_of_jepsen_give_the_same_rows() {
    let lines = brought(REGISTER);
    let vector = brought(&format!("[{REGISTER}]"));
    let list = brought(&format!("({REGISTER})"));
    assert_eq!(lines.rows, vector.rows);
    assert_eq!(lines.rows, list.rows);
    assert_eq!((lines.settings.model, lines.settings.fault_events), (Model::CasRegister, 1));
    let outcomes: Vec<Outcome> = lines.rows.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Error, Outcome::Unknown, Outcome::Ok, Outcome::Unknown]);
    assert_eq!(lines.rows[4].value, Some(interner::FIRST));
    assert_eq!(lines.settings.values, ["\"x\""]);
    assert_eq!(lines.rows[4].return_seq, None);
    assert_eq!(lines.rows[2].return_seq, Some(6));
}

#[test]
fn json_tells_the_same_as_edn() {
    let json = r#"[{"type": "invoke", "f": "write", "value": 1, "process": 0}, {"type": "ok", "f": "write", "value": 1, "process": 0},
        {"type": "invoke", "f": "read", "value": null, "process": 1}, {"type": "info", "f": "kill", "process": "nemesis"},
        {"type": "ok", "f": "read", "value": 1, "process": 1}]"#;
    let read = brought(json);
    assert_eq!((read.settings.format.as_str(), read.settings.model, read.rows.len()), ("jepsen-json", Model::Register, 2));
    let txn = r#"{"type":"invoke","process":0,"f":"txn","value":[["r","x",null],["append","x",1]]}
{"type":"ok","process":0,"f":"txn","value":[["r","x",[]],["append","x",1]]}"#;
    let edn = "{:type :invoke :process 0 :f :txn :value [[:r \"x\" nil] [:append \"x\" 1]]}
{:type :ok :process 0 :f :txn :value ([:r \"x\" []] [:append \"x\" 1])}";
    assert_eq!(brought(txn).rows, brought(edn).rows);
    assert_eq!(brought(txn).settings.model, Model::ListAppend);
}

#[test]
fn transactions_keep_the_order_of_their_steps() {
    let text = "{:process 0 :type :invoke :value [[:r :x nil] [:append :y 1] [:r :y nil] [:append :x 2]]}
{:process 0 :type :ok :value [[:r :x [7 8]] [:append :y 1] [:r :y nil] [:append :x 2]]}
{:process 1 :type :ok :value [[:append :x 7]]}";
    let brought = brought(text);
    // The completion without invocation comes first: nothing says when it was invoked.
    let row = &brought.rows[1];
    let places = |pairs: &Option<Vec<vopr_schema::Pair>>| pairs.iter().flatten().map(|pair| pair.value).collect::<Vec<_>>();
    assert_eq!(places(&row.reads), [Some(0), Some(1)]);
    assert_eq!(places(&row.writes), [Some(1), Some(2)]);
    assert_eq!(places(&row.results), [Some(2), Some(7), Some(8), None]);
    assert_eq!(brought.settings.without_invocation, 1);
}

#[test]
fn lines_of_a_log_are_operations_and_others_are_passed_over() {
    let log = "INFO  jepsen.core - up\nINFO  jepsen.util - 4\t:invoke\t:cas\t[3 1]\nINFO jepsen.util - 4\t:info\t:cas\t:timed-out\n\
               INFO  jepsen.util - 10  :invoke :read   nil\nINFO  jepsen.util - :nemesis\t:info\t:start\tnil\nINFO  jepsen.util - 10\t:ok\t:read\t3\n";
    let read = brought(log);
    assert_eq!((read.settings.format.as_str(), read.settings.model, read.settings.fault_events), ("porcupine-log", Model::CasRegister, 1));
    assert_eq!((read.rows[0].outcome, read.rows[0].expected, read.rows[1].result), (Outcome::Unknown, Some(3), Some(3)));
    assert!(refusal("INFO  jepsen.util - 4\t:invoke\t:cas\t[3 1\n").starts_with("h:1:"));
}

#[test]
fn keys_apart_from_values_make_a_store_of_texts() {
    let text = r#"{:process 0, :type :invoke, :f :append, :key "0", :value "a"}
{:process 0, :type :ok, :f :append, :key "0", :value "a"}
{:process 1, :type :invoke, :f :get, :key "0", :value nil}
{:process 1, :type :ok, :f :get, :key "0", :value "ab"}
{:process 2, :type :invoke, :f :append, :key "0", :value "b"}
"#;
    assert_eq!(brought(text).settings.model, Model::Kv);
    assert!(judge(text, &Request::default()).is_violation());
    let overlapping: Vec<&str> = text.lines().collect();
    let overlapping = [overlapping[0], overlapping[1], overlapping[4], overlapping[2], overlapping[3]].join("\n");
    assert!(judge(&overlapping, &Request::default()).is_pass());
}

#[test]
fn tables_are_read_by_the_names_of_their_columns() {
    let csv = "call_ns,return_ns,client_id,op,key,value,output\n5,9,0,PUT,k,\"a,\"\"b\",\n\
               6,8,1,GET,k,,NotFound\n10,,1,DELETE,k,,\n11,12,2,GET,k,,\"a,\"\"b\"\r\n";
    let read = brought(csv);
    assert_eq!((read.settings.model, read.rows.len()), (Model::Kv, 4));
    assert_eq!((read.rows[1].result, read.rows[2].return_seq, read.rows[2].function), (None, None, Function::Delete));
    assert_eq!(read.settings.values, ["\"k\"", "\"a,\\\"b\""]);
    assert!(judge(csv, &Request::default()).is_pass());
    let rows = r#"{"start": 5, "end": 9, "thread": 0, "method": "enqueue", "value": 7}
{"start": 10, "end": 11, "thread": 1, "method": "dequeue", "output": null}"#;
    assert!(judge(rows, &Request::default()).is_violation());
    let mapping = Mapping { columns: vec![("client".to_owned(), "who".to_owned())], absent: vec!["-".to_owned()] };
    let request = Request { mapping, ..Request::default() };
    let named = bring_as("who,op,value,output,call,return\n3,read,,-,1,2\n", &request).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((named.rows[0].client, named.rows[0].result), (3, None));
}

#[test]
fn equal_times_overlap() {
    let touching = "call,return,client,op,value,output\n1,5,0,write,1,\n5,6,1,read,,nil\n";
    assert!(judge(touching, &Request { nil_read: Some(NilRead::Absent), ..Request::default() }).is_pass());
    let apart = touching.replace("\n5,6", "\n6,7");
    assert!(judge(&apart, &Request { nil_read: Some(NilRead::Absent), ..Request::default() }).is_violation());
}

#[test]
fn what_nil_and_failures_say_is_a_setting() {
    let nil = "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}
{:process 1 :type :invoke :f :read :value nil}{:process 1 :type :ok :f :read :value nil}";
    assert!(judge(nil, &Request::default()).is_pass());
    assert!(judge(nil, &Request { nil_read: Some(NilRead::Absent), ..Request::default() }).is_violation());
    let cas = "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}
{:process 1 :type :invoke :f :cas :value [1 2]}{:process 1 :type :fail :f :cas :value [1 2]}";
    assert!(judge(cas, &Request::default()).is_pass());
    assert!(judge(cas, &Request { failed_cas: Some(FailedCas::Compared), ..Request::default() }).is_violation());
    let zero = "{:process 1 :type :invoke :f :read :value nil}{:process 1 :type :ok :f :read :value 0}";
    assert!(judge(zero, &Request::default()).is_violation());
    assert!(judge(zero, &Request { initial: Some("0".to_owned()), ..Request::default() }).is_pass());
}

#[test]
fn independent_keys_are_judged_by_themselves() {
    let text = "{:process 0 :type :invoke :f :write :value [:x 1]}{:process 0 :type :ok :f :write :value [:x 1]}
{:process 1 :type :invoke :f :cas :value [:y [nil 5]]}{:process 1 :type :ok :f :cas :value [:y [nil 5]]}
{:process 2 :type :invoke :f :read :value [:y nil]}{:process 2 :type :ok :f :read :value [:y 5]}";
    assert!(brought(text).settings.keyed);
    assert!(judge(text, &Request::default()).is_pass());
    let Verdict::Violation(witness) = judge(&text.replace("[:y 5]}", "[:y 6]}"), &Request::default()) else { panic!("nobody wrote 6") };
    assert!(witness.summary.contains("register :y"), "{}", witness.summary);
}

#[test]
fn the_other_models_are_judged_too() {
    let operation = |process: u32, f: &str, asked: &str, told: &str| {
        format!("{{:process {process} :type :invoke :f :{f} :value {asked}}}{{:process {process} :type :ok :f :{f} :value {told}}}\n")
    };
    let cases = [
        (
            [operation(0, "add", "5", "5"), operation(1, "read", "nil", "#{5}")],
            [operation(0, "add", "5", "5"), operation(1, "read", "nil", "#{6}")],
        ),
        (
            [operation(0, "add", "-5", "-5"), operation(1, "read", "nil", "-5")],
            [operation(0, "add", "-5", "-5"), operation(1, "read", "nil", "5")],
        ),
        (
            [operation(0, "enqueue", "5", "5"), operation(1, "drain", "nil", "[5]")],
            [operation(0, "enqueue", "5", "5"), operation(1, "dequeue", "nil", "6")],
        ),
        (
            [
                operation(0, "read", "nil", "{0 10, 1 0}"),
                operation(1, "transfer", "{:from 0 :to 1 :amount 4}", "{:from 0 :to 1 :amount 4}"),
            ],
            [operation(0, "read", "nil", "{0 10, 1 0}"), operation(1, "read", "nil", "{0 6, 1 4}")],
        ),
        (
            [
                operation(0, "txn", "[[:write :x 5] [:read :x nil]]", "[[:write :x 5] [:read :x 5]]"),
                operation(1, "txn", "[[:read :x nil]]", "[[:read :x 5]]"),
            ],
            [
                operation(0, "txn", "[[:write :x 5] [:read :x nil]]", "[[:write :x 5] [:read :x 4]]"),
                operation(1, "txn", "[[:read :x nil]]", "[[:read :x 5]]"),
            ],
        ),
    ];
    for (good, bad) in cases {
        let verdict = judge(&good.concat(), &Request::default());
        assert!(verdict.is_pass(), "{good:?}: {verdict:?}");
        let verdict = judge(&bad.concat(), &Request::default());
        assert!(verdict.is_violation(), "{bad:?}: {verdict:?}");
    }
}

#[test]
fn a_store_of_texts_answers_with_the_numbers_that_were_written() {
    let text = "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}
{:process 1 :type :invoke :f :read :value nil}{:process 1 :type :ok :f :read :value \"1\"}";
    assert!(brought(text).settings.texts_as_numbers);
    assert!(judge(text, &Request::default()).is_pass());
}

#[test]
fn what_histories_do_beyond_the_rules_is_settled() {
    let given_up = "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :invoke :f :write :value 2}{:process 0 :type :ok :f :write :value 2}";
    let read = brought(given_up);
    assert_eq!((read.settings.given_up, read.rows[0].outcome, read.rows[1].outcome), (1, Outcome::Unknown, Outcome::Ok));
    let lonely =
        "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}{:process 0 :type :ok :f :read :value 1}";
    let read = brought(lonely);
    assert_eq!((read.settings.without_invocation, read.rows[1].seq, read.rows[1].return_seq), (1, 3, Some(4)));
}

#[test]
fn malformed_histories_are_refused_at_their_place() {
    let cases = [
        ("", "no known format"),
        ("[", "h:1:1: ']'"),
        ("{:type :ok}", "h:1:1: an operation with a :process"),
        ("\n  {:process 0 :type :perhaps}", "h:2:3: a :type that is"),
        ("{:process 5000000000 :type :ok}", "a :process from 0"),
        ("{:process -1 :type :ok}", "a :process from 0"),
        ("{:process 0 :process 1 :type :ok}", "found two"),
        ("{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :write}", "the completion of :read by process 0"),
        ("{:process 0 :type :invoke :f :frobnicate}", "say --model"),
        ("{:process 0 :type :invoke :f :cas :value 7}", "[expected new]"),
        ("{:process 0 :type :invoke :f :write :value 7}{:process 0 :type :invoke :f :jump}", "a function of the model register"),
        ("{:process :nemesis :type :info :f :start}", "no operation of a client"),
        ("[{:process 0 :type :invoke :f :read}] 5", "nothing behind the history"),
        ("[1 2]", "h:1:1: an operation such as"),
        ("[0 :invoke :read nil]\n[0 :perhaps :read nil]", "h:2:1: a :type that is"),
        ("[[0 \"invoke\" \"read\" null]]", "h:1:2: an operation such as"),
        ("[[0 :invoke :read nil]", "h:1:1: ']'"),
        ("[{\"process\": 0, \"type\": \"ok\",}]", "a name in quotes"),
        ("[{\"process\": 0 \"type\": \"ok\"}]", "',' or '}'"),
        ("a,b,c\n1,2,3\n", "a column for the client"),
        ("client,op,value,call\n1,read,2\n", "h:2:1: 4 cells"),
        ("client,op,call,return\n1,read,5,4\n", "a return that is not before the call"),
        ("client,op,call,return\n1,\"read,5,4\n", "h:2:3: '\"' for the cell"),
        ("client,op,call,return\n1,read,x,4\n", "a whole number of nanoseconds"),
        (
            "{:process 0 :type :invoke :f :txn :value [[:append :x 1]]}{:process 0 :type :ok :f :txn :value [[:r :x [1]]]}",
            "the reads and writes of its invocation",
        ),
        ("{:process 0 :type :ok :f :txn :value [[:append :x 1] [:w :y 2]]}", "reads and appends in a transaction"),
    ];
    for (text, expected) in cases {
        let error = refusal(text);
        assert!(error.contains(expected), "{text}\n  expected: {expected}\n  found:    {error}");
    }
}

/// The events of a text, without places.
fn events(text: &str) -> Vec<event::Event> {
    let events = jepsen::read(text).unwrap_or_else(|error| panic!("{error:?}")).events;
    events.into_iter().map(|event| event::Event { offset: 0, time_ns: None, ..event }).collect()
}

#[test]
fn what_was_imported_is_exported_again() {
    let texts = [
        REGISTER,
        "{:process 0 :type :invoke :f :txn :value [[:r :x nil] [:append :y 1] [:r :y nil]]}
{:process 1 :type :invoke :f :txn :value [[:append :y 2]]}
{:process 0 :type :ok :f :txn :value [[:r :x nil] [:append :y 1] [:r :y [1]]]}
{:process 2 :type :ok :f :txn :value [[:append :x 3]]}",
        "{:process 0 :type :invoke :f :write :value [7 -1]}{:process 0 :type :ok :f :write :value [7 -1]}
{:process 3 :type :invoke :f :cas :value [7 [nil :a]]}{:process 3 :type :fail :f :cas :value [7 [nil :a]]}
{:process 1 :type :invoke :f :read :value [7 nil]}{:process 1 :type :ok :f :read :value [7 -1]}",
    ];
    for text in texts {
        let history = history(&[brought(text)]);
        let exported = export::jepsen_edn(&history, 0).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(events(&exported), events(text), "{exported}");
    }
}

#[test]
fn an_imported_history_survives_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("theirs.parquet");
    let history = history(&[brought(REGISTER), brought("{:process 0 :type :ok :f :txn :value [[:r :x [1 \"b\"]] [:append :x 2]]}")]);
    let mut writer = vopr_schema::HistoryWriter::create(&path, vopr_schema::Provenance::default(), vopr_schema::WriteOptions::default())
        .expect("a file");
    writer.write(&history).expect("the history is whole");
    writer.finish().expect("it is written");
    let file = vopr_schema::HistoryFile::open(&path).expect("it is there");
    assert_eq!(file.read_all(&vopr_schema::Projection::all()).expect("it is whole"), history);
}

proptest! {
    #[test]
    fn no_text_makes_an_importer_panic(text in ".{0,200}", format in 0..9_usize) {
        let request = Request { format: Format::ALL.get(format).copied(), ..Request::default() };
        let _ = bring_as(&text, &request);
    }

    #[test]
    fn no_history_makes_an_importer_panic(words in proptest::collection::vec(0..31_usize, 0..40), format in 0..9_usize, model in 0..11_usize) {
        const WORDS: [&str; 31] = [
            "{", "}", "[", "]", ":process 0", ":process 1", ":type :invoke", ":type :ok", ":type :info", ":f :read", ":f :cas", ":f :add",
            ":value [1 2]", ":value nil", ":value", "[[:r :x [1]]]", "[:append :x 1]", "\n", ",", "\"", "client,op,call,return\n", "1,read,2,3\n",
            "\"type\": \"ok\"", "\"process\": 1", "9223372036854775807", "-1", "5 :invoke :read nil\n", ":key 1", ":f :transfer",
            "{:from 0 :to 1 :amount 5}", "{:process 0 :type :ok :f :read :value {0 5}}",
        ];
        let text: String = words.iter().flat_map(|word| [WORDS[*word], " "]).collect();
        let request = Request { format: Format::ALL.get(format).copied(), model: Model::ALL.get(model).copied(), ..Request::default() };
        if let Ok(brought) = bring_as(&text, &request) {
            let history = history(&[brought]);
            let _ = export::jepsen_edn(&history, 0);
            let _ = check_run(&history, 0, &Selection::all(), &Budget::default());
        }
    }
}
