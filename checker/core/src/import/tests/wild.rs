//! What histories in the wild do beyond what the formats promise.

use super::*;

/// One operation after the other: process, function, asked, told, how it ended.
fn in_turn(operations: &[(u32, &str, &str, &str, &str)]) -> String {
    let line = |process: u32, kind: &str, f: &str, value: &str| format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n");
    operations
        .iter()
        .map(|(process, f, asked, told, ending)| line(*process, "invoke", f, asked) + &line(*process, ending, f, told))
        .collect()
}

fn verdict(text: &str) -> &'static str {
    judge(text, &Request::default()).name()
}

fn all_pass_and_fail(model: Model, good: &[String], bad: &[String]) {
    for (texts, expected) in [(good, "pass"), (bad, "violation")] {
        for text in texts {
            assert_eq!((brought(text).settings.model, verdict(text)), (model, expected), "{text}");
        }
    }
}

#[test]
fn what_is_written_may_be_said_by_the_completion_alone() {
    let write = |told: &str, seen: &str| in_turn(&[(0, "write", "nil", told, "ok"), (1, "read", "nil", seen, "ok")]);
    all_pass_and_fail(Model::Register, &[write("3", "3")], &[write("3", "4")]);
    // What a client was told besides is not what it wrote.
    assert_eq!(verdict(&in_turn(&[(0, "write", "3", "\"OK\"", "ok"), (1, "read", "nil", "3", "ok")])), "pass");
    let text = in_turn(&[(0, "txn", "nil", "[[:append 1 1]]", "ok"), (1, "txn", "nil", "[[:r 1 nil]]", "ok")]);
    assert!(judge_by("serializability", &text, &Request::default()).is_violation());
    assert!(
        refusal(&in_turn(&[(1, "txn", "[[:append 1 1]]", "[[:append 1 1]]", "ok"), (0, "txn", "nil", "nil", "info")])).contains("h:3:1")
    );
}

#[test]
fn fields_with_two_names_are_taken_from_the_usual_one() {
    let text =
        "{:client 7 :process 0 :time 5 :timestamp \"noon\" :type :invoke :f :read}{:client 7, :timestamp 6.5 :type :invoke :f :read}";
    let rows = brought(text).rows;
    assert_eq!((rows[0].client, rows[0].time_ns, rows[1].client, rows.len()), (0, 5, 7, 2));
    let record = |kind: &str, value: &str, time: u32| {
        format!(
            r#"{{"type": "{kind}", "f": "read", "key": "x", "client": 3, "value": {value}, "time": {time}, "timestamp": {}}}"#,
            time + 1
        )
    };
    let read = brought(&format!("[ {},\n{}]", record("invoke", "null", 7), record("ok", "4", 9)));
    assert_eq!((&*read.settings.format, read.rows[0].client, read.rows[0].time_ns), ("jepsen-json", 3, 7));
}

#[test]
fn events_are_written_as_vectors_too() {
    let events = "[0 :invoke :write 3]\n[:nemesis :info :start nil]\n[0 :ok :write 3]\n[1 :invoke :cas [3 1]]\n[1 :fail :cas [3 1] :no-conns]\n\
                  [2 :invoke :read nil]\n[2 :ok :read 3]\n";
    let wrong = events.replace(":ok :read 3", ":ok :read 4");
    let whole = |events: &str| format!("[{events}]");
    all_pass_and_fail(Model::CasRegister, &[events.to_owned(), whole(events)], &[wrong.clone(), whole(&wrong)]);
    let read = brought(events);
    assert_eq!((read.rows.len(), read.settings.fault_events), (3, 1));
    assert_eq!(read.rows, brought(&whole(events)).rows);
    assert_eq!(brought("[:nemesis :info :start nil]\n[0 :invoke :read nil]\n").rows.len(), 1);
}

#[test]
fn without_processes_one_operation_follows_the_other() {
    let wrote = "{:type :invoke :value [[:append 1 1]]}{:type :ok :value [[:append 1 1]]}\n";
    let read = |seen: &str| format!("{{:type :invoke :value [[:r 1 nil]]}}{{:type :ok :value [[:r 1 {seen}]]}}\n");
    let judged = |text: &str| judge_by("serializability", text, &Request::default()).is_violation();
    assert!(!judged(&(wrote.to_owned() + &read("[1]"))));
    assert!(judged(&(wrote.to_owned() + &read("[2]"))));
    assert_eq!(brought(&(wrote.to_owned() + &read("[1]"))).rows.iter().map(|row| row.client).collect::<Vec<_>>(), [0, 1]);
    // Overlapping operations could be told apart only by a process; nor may some events have one.
    let begun = "{:type :invoke :value [[:append 1 1]]}";
    assert!(refusal(&format!("{begun}\n{wrote}")).contains("h:2:1: an operation with a :process; without one"));
    assert!(refusal(&format!("{wrote}{{:type :ok :value [[:append 1 2]]}}")).contains("h:2:1: an operation with a :process; without one"));
    assert!(refusal(&format!("{wrote}{{:process 1 :type :invoke :value [[:append 1 2]]}}")).contains("h:2:1: an operation without"));
    let named = in_turn(&[(0, "txn", "[[:append 1 1]]", "[[:append 1 1]]", "ok")]);
    assert!(refusal(&format!("{named}{wrote}")).contains("h:3:1: an operation with a :process, as those before"));
}

#[test]
fn registers_of_transactions_are_ordered_as_the_user_says() {
    let write = |value| (0, "txn", value, value, "ok");
    let text = in_turn(&[write("[[:w :x 1]]"), write("[[:w :x 2]]"), (0, "txn", "[[:r :x nil]]", "[[:r :x 1]]", "ok")]);
    let judged = |register_order| judge_by("serializability", &text, &Request { register_order, ..Request::default() }).name();
    let said = [None, Some(KeyOrder::None), Some(KeyOrder::Sequential), Some(KeyOrder::Linearizable)].map(judged);
    assert_eq!(said, ["unknown", "unknown", "violation", "violation"]);
    let other = "{:process 0 :type :invoke :f :write :value 1}";
    let request = Request { register_order: Some(KeyOrder::Sequential), ..Request::default() };
    let error = bring_text(std::path::Path::new("h"), other, &request).expect_err("no transactions").to_string();
    assert!(error.contains("--register-order is about transactions of registers; the model is register"), "{error}");
}

#[test]
fn remarks_behind_the_value_of_a_log_say_nothing() {
    let log = "INFO  jepsen.util - 6 \t:invoke :write \t38 \t:hint 0\nINFO  jepsen.util - 6 \t:ok :write \t38 \t:hint 2\n\
               INFO  jepsen.util - 4 \t:invoke :read \tnil \t:hint 0\nINFO  jepsen.util - 4 \t:ok :read \t38 \t:hint 2\n";
    all_pass_and_fail(Model::Register, &[log.to_owned()], &[log.replace(":read \t38", ":read \t2")]);
    assert!(
        refusal(&log.replace(":hint 2", "2 2")).starts_with("h:2:21: a process, a type"),
        "{}",
        refusal(&log.replace(":hint 2", "2 2"))
    );
}

#[test]
fn events_stand_in_the_order_of_their_index() {
    let line = |index: &str, process: u32, kind: &str, f: &str, value: &str| {
        format!("{{:process {process} :type :{kind} :f :{f} :value {value}{index}}}\n")
    };
    let events = [(0, "invoke", "write", "1"), (0, "ok", "write", "1"), (1, "invoke", "read", "nil"), (1, "ok", "read", "1")];
    let text = |order: [usize; 4], index: &dyn Fn(usize) -> String| -> String {
        order
            .iter()
            .map(|place| (index(*place), events[*place]))
            .map(|(index, event)| line(&index, event.0, event.1, event.2, event.3))
            .collect()
    };
    let numbered = |place: usize| format!(" :index {}", place * 2);
    assert_eq!(verdict(&text([2, 3, 0, 1], &numbered)), "pass");
    assert_eq!(brought(&text([2, 3, 0, 1], &numbered)).rows, brought(&text([0, 1, 2, 3], &numbered)).rows);
    // Where not each event has one of its own, the file's order is the order.
    assert_eq!(verdict(&text([2, 3, 0, 1], &|_| " :index -1".to_owned())), "violation");
    assert_eq!(verdict(&text([2, 3, 0, 1], &|place| if place == 0 { String::new() } else { numbered(place) })), "violation");
}

#[test]
fn keys_that_only_some_operations_name_are_refused() {
    let mixed =
        in_turn(&[(0, "write", "[:a 1]", "[:a 1]", "ok"), (1, "read", "[:a nil]", "[:a 1]", "ok"), (1, "read", "nil", "[:a 1]", "ok")]);
    assert!(refusal(&mixed).contains("h:5:1: [key value], as in other operations, found nil"), "{}", refusal(&mixed));
    let unsaid =
        in_turn(&[(0, "write", "[:a 1]", "[:a 1]", "ok"), (0, "write", "[:b 2]", "[:b 2]", "ok"), (1, "read", "nil", "[:a 1]", "ok")]);
    assert!(refusal(&unsaid).contains("say --keyed"));
    let said = |keyed| judge(&unsaid, &Request { keyed: Some(keyed), ..Request::default() }).name();
    assert_eq!((said(true), said(false)), ("pass", "violation"));
    let pairs = in_turn(&[(0, "enqueue", "[1 2]", "[1 2]", "ok"), (1, "dequeue", "nil", "[1 2]", "ok")]);
    assert_eq!((brought(&pairs).settings.keyed, verdict(&pairs)), (false, "pass"));
}

#[test]
fn locks_are_judged() {
    let lock = |calls: &[(u32, &str, &str)]| {
        in_turn(&calls.iter().map(|(process, f, ending)| (*process, *f, "nil", "nil", *ending)).collect::<Vec<_>>())
    };
    let (a, r) = ("acquire", "release");
    let good = [
        lock(&[(0, a, "ok"), (0, r, "ok"), (1, a, "ok")]),
        lock(&[(0, a, "ok"), (1, a, "fail"), (0, r, "info"), (1, a, "ok")]),
        in_turn(&[(0, "acquire", "[:x nil]", "[:x nil]", "ok"), (1, "acquire", "[:y nil]", "[:y nil]", "ok")]),
    ];
    let bad =
        [lock(&[(0, a, "ok"), (1, a, "ok")]), lock(&[(0, r, "ok")]), lock(&[(0, a, "ok"), (0, r, "info"), (1, a, "ok"), (2, a, "ok")])];
    all_pass_and_fail(Model::Mutex, &good, &bad);
    let Verdict::Violation(witness) = judge(&bad[0], &Request::default()) else { panic!("both hold it") };
    assert!(witness.summary.contains("takes the lock and succeeds"), "{}", witness.summary);
    let exported = export::jepsen_edn(&history(&[brought(&good[1])]), 0).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(events(&exported), events(&good[1]));
}

#[test]
fn registers_are_read_and_written_as_maps() {
    let write = |map| (0, "write", map, map, "ok");
    let good = [
        in_turn(&[write("{:x 1}"), write("{:y 2}"), (1, "read", "nil", "{:x 1, :y 2}", "ok"), (1, "read", "[:x]", "{:x 1}", "ok")]),
        in_turn(&[(0, "write", "{:x 1}", "{:x 1}", "info"), (1, "read", "nil", "{:x 1, :y 0}", "ok"), (1, "read", "nil", "nil", "fail")]),
    ];
    let bad = [in_turn(&[write("{:x 1}"), write("{:y 2}"), (1, "read", "nil", "{:x 0, :y 2}", "ok")])];
    all_pass_and_fail(Model::MultiRegister, &good, &bad);
}

#[test]
fn counters_rise_and_fall_by_one_unless_told() {
    let good = in_turn(&[(0, "incr", "nil", "nil", "ok"), (0, "decr", "3", "3", "ok"), (1, "read", "nil", "-2", "ok")]);
    all_pass_and_fail(Model::Counter, std::slice::from_ref(&good), &[good.replace("-2", "-1")]);
}

#[test]
fn texts_stand_for_numbers_in_every_model_that_keeps_values() {
    let set = in_turn(&[(0, "add", "1", "1", "ok"), (1, "read", "nil", "[\"1\"]", "ok")]);
    let queue = in_turn(&[(0, "enqueue", "1", "1", "ok"), (1, "dequeue", "nil", "\"1\"", "ok")]);
    all_pass_and_fail(Model::Set, std::slice::from_ref(&set), &[set.replace("\"1\"", "\"2\"")]);
    all_pass_and_fail(Model::Queue, std::slice::from_ref(&queue), &[queue.replace("\"1\"", "\"2\"")]);
    let counter = in_turn(&[(0, "inc", "5", "5", "ok"), (1, "read", "nil", "\"5\"", "ok")]);
    all_pass_and_fail(Model::Counter, std::slice::from_ref(&counter), &[counter.replace("\"5\"", "\"6\"")]);
}

#[test]
fn balances_may_be_listed() {
    let bank = |first: &str, second: &str| {
        let transfer = "{:from 0, :to 1, :amount 5}";
        in_turn(&[(0, "read", "nil", first, "ok"), (1, "transfer", transfer, transfer, "ok"), (0, "read", "nil", second, "ok")])
    };
    let good = [bank("[10 10]", "(5 15)"), bank("([0 10] [1 10])", "{0 5, 1 15}")];
    all_pass_and_fail(Model::Bank, &good, &[bank("[10 10]", "[5 14]"), bank("[10 10]", "[10 10]")]);
    assert!(refusal(&in_turn(&[(0, "read", "nil", "[10 10]", "ok")])).contains("say --model"));
}

#[test]
fn an_empty_text_is_no_value_where_reads_never_say_nil() {
    let empty = in_turn(&[(0, "get", "nil", "\"\"", "ok"), (0, "put", "\"a\"", "\"a\"", "ok"), (0, "get", "nil", "\"a\"", "ok")]);
    assert_eq!(verdict(&empty), "pass");
    let stale = in_turn(&[(0, "put", "\"a\"", "\"a\"", "ok"), (0, "get", "nil", "\"\"", "ok")]);
    assert_eq!(verdict(&stale), "violation");
    let both = in_turn(&[(0, "get", "nil", "nil", "ok"), (0, "get", "nil", "\"\"", "ok"), (0, "put", "\"a\"", "\"a\"", "ok")]);
    assert_eq!(verdict(&both), "violation");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let text = in_turn(&[(0, "txn", "[[:w 1 5]]", "[[:w 1 5]]", "ok"), (0, "txn", "[[:w 1 nil]]", "[[:w 1 nil]]", "ok")]);
    assert!(refusal(&text).contains("h:3:1: a value other than nil"), "{}", refusal(&text));
    assert!(refusal(&in_turn(&[(0, "cas", "[1 2]", "false", "ok")])).contains("found :ok and false"));
    // Nobody sees what failed.
    let text = in_turn(&[(0, "txn", "[[:w 1 5]]", "[[:w 1 5]]", "ok"), (0, "txn", "[[:w 1 nil]]", "[[:w 1 nil]]", "fail")]);
    assert_eq!(brought(&text).rows.len(), 2);
}

#[test]
fn values_that_several_transactions_wrote_leave_the_history_undecided() {
    let write = |ending| (0, "txn", "[[:w 1 1]]", "[[:w 1 1]]", ending);
    let read = (1, "txn", "[[:r 1 nil]]", "[[:r 1 1]]", "ok");
    let verdict = judge_by("serializability", &in_turn(&[write("ok"), write("ok"), read]), &Request::default());
    assert_eq!(verdict.name(), "unknown", "{verdict:?}");
    let verdict = judge_by("serializability", &in_turn(&[write("ok"), write("ok")]), &Request::default());
    assert_eq!(verdict.name(), "not_applicable", "{verdict:?}");
}

#[test]
fn keys_of_tables_come_back_from_an_export() {
    let table = "call,return,client,op,key,value,output\n1,2,0,write,a,1,\n3,4,1,read,a,,1\n5,6,1,read,b,,\n7,8,1,write,b,2,\n";
    assert_eq!((brought(table).settings.model, verdict(table)), (Model::Register, "pass"));
    let exported = export::jepsen_edn(&history(&[brought(table)]), 0).unwrap_or_else(|error| panic!("{error}"));
    let request = Request { nil_read: Some(NilRead::Absent), ..Request::default() };
    assert_eq!(judge(&exported, &request).name(), "pass", "{exported}");
    assert!(exported.contains(":key \"b\""), "{exported}");
}

#[test]
fn clients_of_tables_may_have_names() {
    let table = "call,return,client,op,value,output\n1,9,alice,write,1,\n3,4,bob,read,,1\n5,6,bob,read,,\n \n";
    let rows = brought(table).rows;
    assert_eq!(rows.iter().map(|row| row.client).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(verdict(table), "violation");
    assert!(refusal(&table.replace("bob", "7")).contains("h:3:1: a client from 0"));
}

#[test]
fn logs_of_every_age_are_read() {
    let line = |before: &str, rest: &str| format!("{before}{}\n", rest.replace(' ', "\t"));
    for before in [
        "",
        "INFO  jepsen.util - ",
        "INFO [2017-02-22 14:49:05,221] jepsen worker 0 - jepsen.util ",
        "2020-08-03 23:11:23,456{GMT}\tINFO\t[jepsen worker 0] jepsen.util: ",
    ] {
        let log = |seen: &str| {
            let lines =
                ["0 :invoke :write 1", "0 :info :write 1 java.net.SocketTimeoutException: Read timed out (", ":nemesis :info :start nil"];
            let read = ["1 :invoke :read nil".to_owned(), format!("1 :ok :read {seen}")];
            let lines = lines.map(str::to_owned).into_iter().chain(read).map(|rest| line(before, &rest)).collect::<String>();
            format!("\u{feff}{lines}INFO jepsen.core - done\n")
        };
        let read = brought(&log("1"));
        assert_eq!((read.settings.format.as_str(), read.settings.fault_events, read.settings.skipped_lines), ("porcupine-log", 1, 1));
        assert_eq!((read.rows.len(), verdict(&log("1")), verdict(&log("2"))), (2, "pass", "violation"), "{before}");
    }
}

#[test]
fn queues_may_promise_no_order() {
    let text = |seen: [&str; 2]| {
        let enqueue = |value| (0, "enqueue", value, value, "ok");
        let empty = (1, "dequeue", "nil", "nil", "fail");
        in_turn(&[empty, enqueue("1"), enqueue("2"), (1, "dequeue", "nil", seen[0], "ok"), (1, "drain", "nil", seen[1], "ok")])
    };
    let told = |text: &str, model| judge(text, &Request { model, ..Request::default() });
    for (seen, queue, bag, guessed) in [
        (["1", "[2]"], "pass", "pass", "pass"),
        (["2", "[1]"], "violation", "pass", "unknown"),
        (["2", "[2]"], "violation", "violation", "violation"),
        (["3", "[]"], "violation", "violation", "violation"),
    ] {
        let names = [Some(Model::Queue), Some(Model::Bag), None].map(|model| told(&text(seen), model).name());
        assert_eq!(names, [queue, bag, guessed], "{seen:?}");
    }
    let Verdict::Unknown { reason } = told(&text(["2", "[1]"]), None) else { panic!("it may be either") };
    assert!(reason.contains("say --model"), "{reason}");
    // In a table the first out is the first in, for that is what its checkers are about.
    let table = "call,return,client,op,value,output\n1,2,0,ENQ,a,\n3,4,0,ENQ,b,\n5,6,1,DEQ,,b\n7,8,1,DEQ,,a\n";
    assert_eq!(verdict(table), "violation");
}

#[test]
fn an_initial_value_that_means_nothing_is_refused() {
    let text = in_turn(&[(0, "add", "1", "1", "ok"), (1, "read", "nil", "#{1}", "ok")]);
    let error = |model, initial: &str| {
        let request = Request { model: Some(model), initial: Some(initial.to_owned()), ..Request::default() };
        bring_as(&text, &request).expect_err("nothing can be made of it").to_string()
    };
    assert!(error(Model::Set, "#{1}").contains("the model set holds at first is nothing"));
    assert!(error(Model::Counter, "1.5").contains("a whole number at first"));
}
