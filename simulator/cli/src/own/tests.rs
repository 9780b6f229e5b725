//! Tests of scenarios as text.

use super::*;
use vopr_sim::options::{MILLISECOND, Mix, Rate};
use vopr_sim::scenario::{Inject, Rates, Times};

fn own(text: &str) -> Scenario {
    parse(text, "mine.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    parse(text, "mine.toml").expect_err(text).to_string()
}

#[test]
fn every_row_goes_through_text_and_back() {
    for scenario in scenarios::all() {
        let text = to_toml(scenario);
        assert_eq!(&own(&text), scenario, "{text}");
    }
}

#[test]
fn every_row_can_be_written_without_the_others() {
    // Without `like` nothing is inherited: the text itself must say everything but the evidence.
    for scenario in scenarios::all() {
        let text = to_toml(scenario).replacen(&format!("like = \"{0}\"\nname = \"{0}\"", scenario.name), "name = \"mine\"", 1);
        let expected = Scenario { name: "mine", evidence: NONE_ASKED, ..scenario.clone() };
        assert_eq!(own(&text), expected, "{text}");
    }
}

#[test]
fn no_key_is_a_bare_number_of_nanoseconds() {
    for scenario in scenarios::all() {
        let text = to_toml(scenario);
        assert!(!text.contains("_ns"), "a field of nanoseconds is written as a time: {text}");
    }
}

#[test]
fn values_are_written_as_people_say_them() {
    let text = r#"
        name = "mine"
        script = ["clogs", "primary_loss"]
        [base]
        time = "2.5s"
        plan = "2s"
        latency = ["500us", "3ms"]
        drop = 0.05
        duplicate = ["0%", "2%"]
        swarm.always = ["network", "crash"]
        mix = { write = 1, read = 2 }
    "#;
    let scenario = own(text);
    assert_eq!(scenario.script, [Inject::Clogs, Inject::PrimaryLoss]);
    let base = scenario.base;
    assert_eq!((base.time_ns, base.latency), (2_500 * MILLISECOND, Times(MILLISECOND / 2, 3 * MILLISECOND)));
    assert_eq!((base.drop, base.duplicate), (Rates::fixed(Rate::percent(5)), Rates(Rate::NEVER, Rate::percent(2))));
    assert!(base.swarm.always.network && base.swarm.always.crash && !base.swarm.always.storage);
    assert_eq!(base.mix, Mix { write: 1, read: 2, ..Mix::default() });
    assert_eq!((scenario.evidence, base.evidence_of), (NONE_ASKED, None));
}

#[test]
fn what_is_like_another_scenario_has_its_script_and_evidence() {
    let combined = scenarios::find("combined").unwrap();
    let scenario = own("like = \"combined\"\nname = \"mine\"\n[base]\nreplicas = [5]\n");
    let mut expected = Scenario { name: "mine", ..combined.clone() };
    expected.base.replicas = &[5];
    expected.base.evidence_of = Some("combined");
    assert_eq!(scenario, expected);
    assert_eq!(own(&to_toml(&scenario)), scenario);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_nearest_word() {
    for (text, expected) in [
        ("name = \"a\"\n[base]\n  latncy = \"1ms\"\n", "mine.toml:3:3: unknown key `latncy`; did you mean `latency`?"),
        ("nam = \"a\"\n", "mine.toml:1:1: unknown key `nam`; did you mean `name`?"),
        ("name = \"a\"\nscript = [\"clogs\", \"gray\"]\n", "mine.toml:2:20: unknown word `gray`; did you mean `grays`?"),
        ("name = \"a\"\n[base]\nclogger = \"mldi\"\n", "mine.toml:3:11: unknown word `mldi`"),
        ("name = \"a\"\n[base]\nevents = \"many\"\n", "mine.toml:3:10: invalid type: string \"many\", expected u64"),
        ("name = \"a\"\n[base]\nevents = -1\n", "mine.toml:3:10: invalid value: integer `-1`"),
        ("name = \"a\"\n[base]\ntime = 20\n", "mine.toml:3:8: invalid type: integer `20`, expected a time with its unit"),
        ("name = \"a\"\n[base]\ntime = \"20 parsecs\"\n", "mine.toml:3:8: invalid value: string \"20 parsecs\", expected a time"),
        ("name = \"a\"\n[base]\ndrop = \"120%\"\n", "mine.toml:3:8: invalid value: string \"120%\", expected a rate"),
        ("name = \"a\"\n[base]\nlatency = [\"5ms\", \"1ms\"]\n", "mine.toml:3:11: the range is reversed"),
        ("name = \"a\"\n[base]\nreplicas = [0]\n", "mine.toml:3:12: numbers of replicas from 1 to"),
        ("name = \"a\"\n[base]\nreplicas = [3, 300]\n", "mine.toml:3:16: invalid value: integer `300`"),
        ("name = \"a\"\n[base.mix]\nwrit = 3\n", "mine.toml:3:1: unknown key `writ`; did you mean `write`?"),
        ("name = \"a\"\n[base.swarm]\nalways = [\"netwrok\"]\n", "mine.toml:3:10: unknown word `netwrok`; did you mean `network`?"),
        ("name = \"a\"\nlike = \"combind\"\n", "mine.toml:2:8: no scenario is called \"combind\"; did you mean combined?"),
        ("name = \"a\"\nlike = \"phase:0\"\n", "mine.toml:2:8: like: one scenario is meant"),
        ("name = \"baseline\"\n", "mine.toml:1:8: the registry has another scenario baseline"),
        ("name = \"No Name\"\n", "mine.toml:1:8: lower-case letters"),
        ("like = \"baseline\"\n", "missing field `name`"),
        ("name = \"a\"\nname = \"b\"\n", "mine.toml:2:1: duplicate key"),
        ("name = \"a\n", "mine.toml:1:"),
        ("name = \"a\"\nlike = \"combined\"\n[base]\ncompression = 7\n", "mine.toml:4:15: a divisor of 1000"),
    ] {
        let message = refused(text);
        assert!(message.contains(expected), "{text}\n{message}");
    }
}

#[test]
fn the_committed_schema_is_that_of_this_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scenario.schema.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == schema(), "docs/scenario.schema.json is old: vopr scenarios --schema > docs/scenario.schema.json");
}

#[test]
fn the_schema_describes_every_key_of_every_row() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    for scenario in scenarios::all() {
        let row: Value = toml::from_str(&to_toml(scenario)).unwrap();
        let known = |object: &Value, properties: &Value| {
            for key in object.as_object().unwrap().keys() {
                assert!(properties.get(key).is_some(), "{}: {key}", scenario.name);
            }
        };
        known(&row, &schema["properties"]);
        known(&row["base"], &schema["$defs"]["Base"]["properties"]);
    }
}

#[test]
fn what_is_like_no_other_scenario_is_printed_without_one_and_read_again() {
    let scenario = own("name = \"mine\"\nbase.latency = \"5s\"");
    let text = to_toml(&scenario);
    assert!(text.starts_with("name = \"mine\"\n"), "{text}");
    assert_eq!(own(&text), scenario);
}
