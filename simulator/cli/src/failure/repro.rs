//! `vopr repro`: a failure once more, from its bundle alone.
//!
//! Two questions, in this order: is it the same run, bit for bit, and if not, where do the two part; and does it still fail the
//! same way.

use crate::args::explain::ReproArguments;
use crate::failure::bundle::Bundle;
use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use crate::replay::{self, Comparison};
use serde_json::json;
use vopr_check::exit::{Exit, Problem};
use vopr_check::output::violation::story;
use vopr_check::terminal::{Paint, Sink};
use vopr_checker::Verdict;

/// Repeats a failure.
///
/// # Errors
/// The bundle cannot be read, or standard output cannot be written.
pub fn run(arguments: &ReproArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let bundle = Bundle::read(&arguments.file, arguments.run)?;
    replay::warn(&arguments.file, &bundle.provenance);
    let trial = bundle.again().ok_or_else(|| Problem::internal("the simulator broke down, which is a bug of this program"))?;
    let comparison = replay::comparison(&bundle.history, 0, &trial.history);
    let symptom = trial.symptom();
    let same_failure = bundle.symptom.as_ref().map(|wanted| trial.shows(wanted));
    if arguments.json {
        let mut object = replay::object(&arguments.file, bundle.run(), &comparison);
        object["type"] = json!("repro");
        object["symptom"] = json!(symptom);
        object["same_failure"] = json!(same_failure);
        sink.object(&object)?;
    } else {
        let paint = Paint::for_stdout();
        replay::lines(&arguments.file, bundle.run(), &comparison, paint).iter().try_for_each(|line| sink.line(line))?;
        sink.line("")?;
        fails(&bundle, &trial, symptom.as_ref(), paint).iter().try_for_each(|line| sink.line(line))?;
    }
    Ok(match (&comparison, &symptom) {
        (Comparison::Altered | Comparison::Impossible(_), _) => Exit::Refused,
        (_, Some(_)) | (Comparison::Different { .. }, None) => Exit::Violated,
        (Comparison::Identical, None) => Exit::Held,
    })
}

/// How the repeated run fails, and whether that is what the bundle was kept for.
fn fails(bundle: &Bundle, trial: &Trial, symptom: Option<&Symptom>, paint: Paint) -> Vec<String> {
    let Some(found) = symptom else {
        return vec![match &bundle.symptom {
            Some(wanted) => format!("{}  it was kept for {}: {}", paint.good("holds now"), wanted.invariant, wanted.sentence),
            None => paint.good("holds"),
        }];
    };
    let remark = match &bundle.symptom {
        Some(wanted) if wanted.is_like(found) => "the same failure".to_owned(),
        Some(wanted) if trial.shows(wanted) => format!("told first of the same failure, which was kept for {}", wanted.invariant),
        Some(_) => "ANOTHER failure than the one it was kept for".to_owned(),
        None => "a failure".to_owned(),
    };
    let mut lines = vec![format!("{}  {}: {remark} ({})", paint.bad("FAILS"), found.invariant, found.fingerprint()), String::new()];
    let verdicts = trial.verdicts.iter().flat_map(|run| &run.verdicts);
    let witness = verdicts.filter(|(id, _)| id.name() == found.invariant).find_map(|(_, verdict)| Verdict::witness(verdict));
    match witness {
        Some(witness) => lines.extend(story(witness, true, paint)),
        None => lines.push(format!("  {}", found.sentence)),
    }
    lines
}
