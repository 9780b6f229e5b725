//! This checker beside others of crates.io on the same histories: are the verdicts the same, and at what price?
//!
//! Every checker works in a process of its own, because none but one can be told to stop.

mod checkers;
mod histories;

use checkers::CHECKERS;
use histories::{History, Random};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Small histories that are compared unless told otherwise.
const SMALL: u64 = 20_000;
/// CPU seconds that a checker has for a large history unless told otherwise.
const LIMIT: u64 = 10;
/// How a process ends whose checker took too long.
const TOO_LONG: u8 = 9;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: Option<&&str>, usual: u64| word.map_or(Some(usual), |word| word.parse().ok());
    match *words.first().unwrap_or(&"all") {
        "all" if words.len() < 2 => {
            let same = verdicts(SMALL);
            speed(LIMIT);
            same
        }
        "verdicts" => number(words.get(1), SMALL).map_or_else(usage, verdicts),
        "speed" => number(words.get(1), LIMIT).map_or_else(usage, |seconds| {
            speed(seconds);
            ExitCode::SUCCESS
        }),
        // A process of its own for one checker and one history.
        "judge" => match (&words[1..], words.get(2).and_then(|row| histories::LARGE.get(row.parse::<usize>().ok()?))) {
            ([name, _, limit], Some((_, workload))) => limit.parse().map_or_else(|_| usage(), |limit| judge(name, workload, limit)),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("vopr-compare [verdicts [HISTORIES] | speed [SECONDS]]");
    ExitCode::from(2)
}

/// Judges small histories of which some are damaged, one or several keys, by all checkers.
fn verdicts(count: u64) -> ExitCode {
    let mut random = Random(1);
    let mut linearizable = 0;
    for number in 0..count {
        let history = histories::small(&mut random);
        let told: Vec<(&str, bool)> = CHECKERS.iter().map(|(name, check)| (*name, check(&history))).collect();
        if told.iter().any(|(_, verdict)| *verdict != told[0].1) {
            println!("history {number}: {told:?}\n{history:#?}");
            return ExitCode::FAILURE;
        }
        linearizable += u64::from(told[0].1);
    }
    let names: Vec<&str> = CHECKERS.iter().map(|(name, _)| *name).collect();
    println!("{count} small histories, {linearizable} linearizable: the same verdicts by {}", names.join(", "));
    ExitCode::SUCCESS
}

/// Prints one row per large history: this checker's time per operation, and the others' times as multiples of it.
fn speed(limit: u64) {
    print!("{:<54}", "large linearizable histories");
    for (name, _) in CHECKERS {
        print!(" {name:>20}");
    }
    println!();
    for (row, (name, workload)) in histories::LARGE.iter().enumerate() {
        print!("{name:<54}");
        let mut ours = None;
        for (checker, _) in CHECKERS {
            let cell = match in_a_process(checker, row, limit) {
                Ok((true, seconds)) => {
                    let first = *ours.get_or_insert(seconds);
                    #[expect(clippy::cast_precision_loss, reason = "counts of operations stay far below 2^53")]
                    let rate = workload.operations as f64 / seconds / 1e6;
                    format!("{rate:.3} M/s x{:.1}", seconds / first)
                }
                Ok((false, _)) => "WRONG: refuted".to_owned(),
                Err(why) => why,
            };
            print!(" {cell:>20}");
        }
        println!();
    }
    println!("M/s: million operations per CPU second; x: CPU time as a multiple of the first checker's");
}

/// Verdict and CPU seconds, or why there is none.
fn in_a_process(checker: &str, row: usize, limit: u64) -> Result<(bool, f64), String> {
    let failed = |error: std::io::Error| error.to_string();
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    let output = command.args(["judge", checker, &row.to_string(), &limit.to_string()]).stderr(Stdio::null()).output().map_err(failed)?;
    if output.status.code() == Some(TOO_LONG.into()) {
        return Err(format!("none in {limit} s"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.trim().split_once(' ').and_then(|(verdict, seconds)| Some((verdict == "true", seconds.parse::<f64>().ok()?)));
    told.ok_or_else(|| format!("failed ({})", output.status))
}

/// Judges in this process, on a thread with a stack for checkers that recurse, and prints verdict and CPU seconds.
fn judge(name: &str, workload: &histories::Workload, limit: u64) -> ExitCode {
    let Some((_, check)) = CHECKERS.into_iter().find(|(known, _)| *known == name) else { return usage() };
    let history = History::of(workload.history());
    let start = cpu_time::ProcessTime::now();
    let thread = std::thread::Builder::new().stack_size(4 << 30).spawn(move || {
        let verdict = check(&history);
        println!("{verdict} {}", start.elapsed().as_secs_f64());
    });
    let Ok(thread) = thread else { return ExitCode::FAILURE };
    while !thread.is_finished() {
        if start.elapsed() > Duration::from_secs(limit) {
            return ExitCode::from(TOO_LONG);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.join().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
