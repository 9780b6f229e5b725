//! `vopr-check --sql`: a user's own invariants, asked with whatever engine this machine has.
//!
//! Without an engine the answer is tested that says how to get one; `tools/test.sh` installs one, so that both are tested there.

use e2e::sandbox::Sandbox;
use serde_json::Value;

fn recorded() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let _ = sandbox.run("vopr --scenario baseline -n 3 --seed 1 --max-events 2000 --no-check --out histories").exits(0);
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/../.venv");
    if std::path::Path::new(venv).exists() {
        std::os::unix::fs::symlink(venv, sandbox.path(".venv")).expect("the directory is new");
    }
    sandbox.write("nothing.sql", "select scenario, seed, seq from operations where time_ns < 0");
    sandbox.write(
        "first_write.sql",
        "-- The first write of each run.\nselect scenario, seed, min(seq) as seq, count(*) as writes from operations\n\
         where \"function\" = 'write' group by all;",
    );
    sandbox.write("wrong.sql", "select no_such_column from operations");
    sandbox
}

fn has_engine(sandbox: &Sandbox) -> bool {
    sandbox.run("vopr-check histories --sql nothing.sql").code != Some(70)
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

#[test]
fn each_row_is_a_violation_in_report_and_exit_status() {
    let sandbox = recorded();
    if !has_engine(&sandbox) {
        let _ = sandbox.run("vopr-check histories --sql nothing.sql").exits(70).warns("pip install duckdb");
        return;
    }
    let _ = sandbox.run("vopr-check histories --sql nothing.sql").exits(0).says("nothing");
    let outcome = sandbox.run("vopr-check histories --sql nothing.sql --sql first_write.sql").exits(1);
    let _ = outcome.says("VIOLATED  first_write   histories/baseline-1-1.parquet   baseline seed 1").says("operation row ");
    let outcome = sandbox.run("vopr-check histories --sql first_write.sql --seed 2 --json").exits(1);
    let objects = objects(&outcome.out);
    let violations: Vec<&Value> = objects.iter().filter(|object| object["type"] == "violation").collect();
    assert_eq!((violations.len(), &violations[0]["seed"]), (1, &Value::from(2)), "runs that are not wanted are left alone");
    let finding = &violations[0]["findings"][0];
    assert_eq!((&finding["invariant"], &finding["witness"]["steps"][0]["kind"]), (&"first_write".into(), &"operation".into()));
    let counts = objects.iter().find(|object| object["type"] == "invariant" && object["invariant"] == "first_write");
    assert_eq!(counts.map(|counts| &counts["violation"]), Some(&Value::from(1)));
}

#[test]
fn a_query_that_is_wrong_is_refused_by_name_and_the_rest_is_checked() {
    let sandbox = recorded();
    if has_engine(&sandbox) {
        let outcome = sandbox.run("vopr-check histories --sql wrong.sql --sql first_write.sql").exits(1);
        let _ = outcome.says("refused  wrong.sql").says("no_such_column").says("VIOLATED  first_write");
        let _ = sandbox.run("vopr-check histories --sql wrong.sql").exits(4);
    }
}

#[test]
fn an_engine_that_is_not_there_is_told_with_the_way_to_get_it() {
    let sandbox = recorded();
    let _ = sandbox.run("VOPR_DUCKDB=/nowhere/duckdb vopr-check histories --sql nothing.sql").exits(70).warns("/nowhere/duckdb");
    let outcome = sandbox.run("rm -f .venv; PATH=bin /bin/bash -c 'bin/vopr-check histories --sql nothing.sql'");
    let _ = outcome.exits(70).warns("pip install duckdb");
    let _ = sandbox.run("vopr-check histories --sql none.sql").exits(2).warns("none.sql");
}
