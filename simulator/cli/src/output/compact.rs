//! A campaign in few lines: one per failure, one per scenario, one for the outcome.

use crate::campaign::plan::Plan;
use crate::output::{Commands, Summary};
use crate::tally::Failure;
use std::io;
use vopr_check::terminal::Sink;

pub(super) fn started(plan: &Plan, sink: &mut Sink<'_>) -> io::Result<()> {
    sink.line(&plan.command())
}

pub(super) fn failure(failure: &Failure, commands: &Commands, sink: &mut Sink<'_>) -> io::Result<()> {
    let Failure { scenario, seed, invariant, sentence, .. } = failure;
    sink.line(&format!("FAILED seed {seed}: {invariant}: {sentence} ({scenario}) # {}", commands.reproduce))
}

pub(super) fn finished(summary: &Summary<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
    for scenario in &summary.state.scenarios {
        let tally = scenario.tally();
        let evidence = if summary.checked { format!(" evidence={}/{}", tally.exercised, tally.promised) } else { String::new() };
        let counts = format!("runs={} failed={} undecided={}{evidence}", tally.runs, tally.failed, tally.undecided);
        sink.line(&format!("{} {counts} events={} rows={}", scenario.name, tally.events, tally.rows))?;
    }
    for undecided in &summary.report.undecided {
        sink.line(&format!("unknown {} runs={}: {}", undecided.invariant, undecided.runs, undecided.reason))?;
    }
    if let Some(broke) = summary.broke {
        sink.line(&format!("stopped: {broke}"))?;
    }
    for command in &summary.resume {
        sink.line(&format!("resume: {command}"))?;
    }
    sink.line(&format!("exit={} elapsed_ms={}", summary.exit.code(), summary.elapsed.as_millis()))
}
