//! docs/report.schema.json against everything that `vopr-check` really prints.
//!
//! The validator below knows the keywords that the schema uses and refuses any other, so that no rule is passed over in silence.

use e2e::sandbox::{Outcome, Sandbox};
use serde_json::Value;
use std::collections::BTreeSet;

/// Why `value` is not what `schema` asks for; none when it is.
fn mismatch(root: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    let rules = schema.as_object().expect("a schema is an object");
    rules.iter().find_map(|(rule, wanted)| {
        let fits = match rule.as_str() {
            "description" | "$schema" | "title" | "$defs" => true,
            "$ref" => {
                let pointer = wanted.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference within the file");
                return mismatch(root, root.pointer(pointer).expect("what is referred to exists"), value, place);
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().expect("a list").contains(value),
            "type" => wanted.as_array().map_or_else(|| is_of(wanted, value), |types| types.iter().any(|wanted| is_of(wanted, value))),
            "minimum" => value.as_i64().is_none_or(|number| number >= wanted.as_i64().expect("a number")),
            "pattern" => {
                assert_eq!(wanted, "^[0-9a-f]{64}$", "a pattern that this validator knows");
                value.as_str().is_none_or(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            }
            "required" => {
                let names = wanted.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name"));
                value.as_object().is_none_or(|object| names.clone().all(|name| object.contains_key(name)))
            }
            "properties" => return properties(root, wanted, value, place),
            "additionalProperties" => {
                let values = value.as_object().into_iter().flatten();
                return values.clone().find_map(|(name, value)| mismatch(root, wanted, value, &format!("{place}.{name}")));
            }
            "items" => {
                let values = value.as_array().into_iter().flatten().enumerate();
                return values.clone().find_map(|(index, value)| mismatch(root, wanted, value, &format!("{place}[{index}]")));
            }
            "oneOf" => {
                let choices = wanted.as_array().expect("a list");
                let failed: Vec<String> = choices.iter().filter_map(|choice| mismatch(root, choice, value, place)).collect();
                if failed.len() + 1 == choices.len() {
                    return None;
                }
                return Some(format!("{place} fits {} of {} shapes: {failed:#?}", choices.len() - failed.len(), choices.len()));
            }
            other => panic!("the validator does not know `{other}`"),
        };
        (!fits).then(|| format!("{place}: {value} breaks {rule} {wanted}"))
    })
}

fn properties(root: &Value, wanted: &Value, value: &Value, place: &str) -> Option<String> {
    let object = value.as_object()?;
    let known = wanted.as_object().expect("an object");
    known.iter().find_map(|(name, schema)| mismatch(root, schema, object.get(name)?, &format!("{place}.{name}")))
}

fn is_of(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str().expect("a type has a name") {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no type is called {other}"),
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/report.schema.json")).expect("the schema is JSON")
}

/// The types of all lines, each line tested; a known type may have no field that the schema does not name.
fn tested(schema: &Value, outcome: &Outcome) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for line in outcome.out.lines() {
        let object: Value = serde_json::from_str(line).expect("a JSON object");
        if let Some(why) = mismatch(schema, schema, &object, "line") {
            panic!("{}: {why}\n{line}", outcome.line);
        }
        let kind = object["type"].as_str().expect("every object has a type").to_owned();
        let shapes = schema["$defs"].as_object().expect("shapes").values().filter(|shape| shape["properties"]["type"]["const"] == kind);
        let named: BTreeSet<&str> =
            shapes.flat_map(|shape| shape["properties"].as_object().expect("fields").keys()).map(String::as_str).collect();
        for field in object.as_object().expect("an object").keys() {
            assert!(named.contains(field.as_str()), "docs/report.schema.json does not describe {kind}.{field}");
        }
        types.insert(kind);
    }
    types
}

#[test]
fn everything_that_is_printed_fits_the_published_schema() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let broken = "vopr --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 9 -n 2 --out histories";
    let _ = sandbox.run(broken).exits(1);
    sandbox.write("histories/broken.parquet", "not a history");
    let schema = schema();
    let mut types = BTreeSet::new();
    for line in [
        "vopr-check histories --json",
        "vopr-check histories --json --timeout-per-run 1ms --max-memory 1B --jobs 1",
        "vopr-check --list-invariants --json",
        "vopr-check verify histories --json",
    ] {
        types.extend(tested(&schema, &sandbox.run(line)));
    }
    let expected = ["elsewhere", "evidence", "invariant", "refused", "run", "situations", "summary", "unknown", "verify", "violation"];
    assert_eq!(types, expected.map(str::to_owned).into(), "each type was printed and tested");
}

#[test]
fn what_does_not_fit_is_found() {
    let schema = schema();
    let line = |text: &str| mismatch(&schema, &schema, &serde_json::from_str(text).expect("JSON"), "line");
    assert!(line(r#"{"format":"vopr-check/1","type":"refused","file":"a","error":"b"}"#).is_none());
    assert!(line(r#"{"format":"vopr-check/2","type":"refused","file":"a","error":"b"}"#).is_some());
    assert!(line(r#"{"format":"vopr-check/1","type":"refused","file":"a"}"#).is_some());
    assert!(line(r#"{"format":"vopr-check/1","type":"refused","file":7,"error":"b"}"#).is_some());
}

#[test]
fn other_formats_are_whole_documents() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let broken = "vopr --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 9 -n 2 --out histories";
    let _ = sandbox.run(broken).exits(1);
    let sarif: Value = serde_json::from_str(&sandbox.run("vopr-check histories --format sarif").exits(1).out).expect("one JSON document");
    assert_eq!((&sarif["version"], sarif["runs"][0]["results"].as_array().map(Vec::len)), (&"2.1.0".into(), Some(4)));
    let outcome = sandbox.run("GITHUB_STEP_SUMMARY=page.md vopr-check histories --format github").exits(1);
    let _ = outcome.says("::error file=histories/");
    let page = std::fs::read_to_string(sandbox.path("page.md")).expect("the page was written");
    assert!(page.contains("| invariant | pass |") && page.contains("vopr-check histories/"), "{page}");
}
