//! `vopr campaign`: many scenarios for hours, in a directory that outlives every process that works on it.
//!
//! The engine is that of `vopr run`; here is what makes it a campaign: plans and shards, lines that are durable before they are told,
//! groups of failures, and what is kept of the runs that hold.

pub(crate) mod plan;
pub(crate) mod print;
mod rerun;
mod retention;
mod work;

use crate::args::Form;
use crate::args::TellingArguments;
use crate::args::campaign::{CampaignAction, CampaignArguments, ReportArguments, ResumeArguments, StartArguments};
use crate::campaign::plan::path_word;
use crate::campaign_dir::{Directory, PlanRecord, hold_plan, is_campaign, plan_file, write_plan, write_whole};
use crate::dashboard::pages::{self, Links};
use plan::Prepared;
use std::path::Path;
use std::time::Duration;
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::shell;
use vopr_check::terminal::{Sink, note};
use vopr_check::version::VERSION_AND_COMMIT;

/// Begins, resumes, reruns or reports a campaign.
///
/// # Errors
/// When it cannot begin, or the disk refuses.
pub fn run(arguments: &CampaignArguments) -> Result<Exit, Problem> {
    match &arguments.action {
        None => start(&arguments.start),
        Some(CampaignAction::Resume(arguments)) => resume(arguments),
        Some(CampaignAction::Rerun(arguments)) => rerun::run(arguments),
        Some(CampaignAction::Report(arguments)) => report(arguments),
    }
}

/// Opens a directory that must hold a campaign.
///
/// # Errors
/// When it does not.
pub fn open(path: &Path) -> Result<Directory, Problem> {
    if path.is_dir() && !is_campaign(path) {
        return Err(Problem::nothing(format!("{}: no campaign is in this directory (no runs-*.jsonl)", path.display())));
    }
    Directory::open(path).map_err(|error| Problem::refused(format!("{}: {error}", path.display())))
}

fn listen() {
    interrupt::listen("the runs under way are finished and the results printed");
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> Problem {
    let path = path.to_owned();
    move |error| Problem::unwritable(&path, "the campaign", &error)
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Problem {
    let path = path.to_owned();
    move |error| Problem::refused(format!("{}: {error}", path.display()))
}

fn start(arguments: &StartArguments) -> Result<Exit, Problem> {
    listen();
    // Whatever is wrong with the arguments is told before anything is written.
    let (_, mut record) = plan::of_arguments(arguments)?;
    let dir = arguments.dir.clone().unwrap_or_else(|| plan::default_directory(record.at_ms));
    if let Some(known) = &arguments.known {
        crate::campaign_dir::Known::default().add_file(known).map_err(|error| Problem::refused(error.to_string()))?;
    }
    std::fs::create_dir_all(&dir).map_err(disk(&dir))?;
    plan::copy_configs(arguments, &mut record, &dir)?;
    if let Some(known) = &arguments.known {
        let text = std::fs::read(known).map_err(unreadable(known))?;
        write_whole(&dir.join(format!("known-{}.toml", record.id)), &text).map_err(disk(&dir))?;
    }
    let directory = open_for_work(&dir)?;
    write_plan(&dir, &record).map_err(disk(&dir))?;
    let prepared = plan::of_record(&record, &dir, arguments.telling.jobs)?;
    work_on(directory, &prepared, arguments.time, arguments.telling)
}

/// Opens a directory and refuses to work on one whose known failures cannot be read.
fn open_for_work(dir: &Path) -> Result<Directory, Problem> {
    let directory = Directory::open(dir).map_err(unreadable(dir))?;
    for damage in &directory.damage {
        note(&format!("warning: {}: {}", damage.place, damage.what));
    }
    match directory.damage.iter().find(|damage| crate::campaign_dir::is_known_file(&damage.place)) {
        Some(damage) => Err(Problem::refused(format!("{}: {}", dir.join(&damage.place).display(), damage.what))),
        None => Ok(directory),
    }
}

/// Holds a plan and works on it.
fn work_on(directory: Directory, prepared: &Prepared, time: Option<Duration>, telling: TellingArguments) -> Result<Exit, Problem> {
    let id = &prepared.record.id;
    if !directory.path.join(plan_file(id)).exists() {
        // Its lines say what it was.
        write_plan(&directory.path, &prepared.record).map_err(disk(&directory.path))?;
    }
    let held = hold_plan(&directory.path, id).map_err(disk(&directory.path))?;
    let Some(_held) = held else {
        return Err(Problem::usage(format!("another process works on plan {id} of {}", directory.path.display())));
    };
    work::run(directory, prepared, time, telling)
}

/// Time that a plan still has; none when time does not end it.
fn time_left(directory: &Directory, record: &PlanRecord) -> Option<Duration> {
    record.for_ms.map(|for_ms| Duration::from_millis(for_ms.saturating_sub(directory.spent_ms(&record.id))))
}

/// Whether there is nothing left to do of a plan.
fn is_finished(directory: &Directory, record: &PlanRecord) -> bool {
    directory.left(record) == Some(0) || time_left(directory, record).is_some_and(|left| left.is_zero())
}

fn resume(arguments: &ResumeArguments) -> Result<Exit, Problem> {
    listen();
    drop(open(&arguments.dir)?);
    let directory = open_for_work(&arguments.dir)?;
    let all_seeds_done = |plan: &PlanRecord| directory.left(plan) == Some(0);
    let is_open = |plan: &&PlanRecord| if arguments.time.is_some() { !all_seeds_done(plan) } else { !is_finished(&directory, plan) };
    let plans: Vec<PlanRecord> = directory.plans.values().filter(is_open).cloned().collect();
    tell_other_programs(&directory);
    let mut exit = None;
    for record in plans {
        if interrupt::requested() {
            break;
        }
        // Another plan may have done what this one was to do.
        let directory = open_for_work(&arguments.dir)?;
        let prepared = plan::of_record(&record, &arguments.dir, arguments.telling.jobs)?;
        let time = arguments.time.or_else(|| time_left(&directory, &record));
        exit = Some(work_on(directory, &prepared, time, arguments.telling)?);
    }
    if let Some(exit) = exit {
        return Ok(exit);
    }
    let telling = arguments.telling;
    print::summary(&directory, &print::Ending::finished(), telling.form(), telling.verbose, &mut Sink::stdout())?;
    Ok(work::outcome(&directory, &plan::strictness(&directory)))
}

/// Says which other programs have done parts of the campaign.
fn tell_other_programs(directory: &Directory) {
    let ours = VERSION_AND_COMMIT;
    for (program, runs) in print::programs(directory).into_iter().filter(|(program, _)| program != ours) {
        let runs = vopr_check::terminal::counted(runs, "run");
        note(&format!("warning: vopr {program} did {runs}; this is vopr {ours}, which does the rest and repeats none of them"));
    }
}

/// The command that goes on with a campaign.
fn resume_command(directory: &Path) -> String {
    shell::command(["vopr", "campaign", "resume", &path_word(directory)])
}

fn report(arguments: &ReportArguments) -> Result<Exit, Problem> {
    let directory = open(&arguments.dir)?;
    let mut sink = Sink::stdout();
    if let Some(out) = &arguments.html {
        let page = pages::campaign(&directory, &arguments.dir.display().to_string(), Links::Nowhere);
        vopr_check::page::save(out, &page).map_err(|error| Problem::unwritable(out, "the page", &error))?;
        sink.line(&format!("written: {}", out.display()))?;
    } else {
        let form = if arguments.json { Form::Json } else { Form::Human };
        print::summary(&directory, &print::Ending::finished(), form, arguments.verbose, &mut sink)?;
    }
    for damage in directory.damage.iter().filter(|_| arguments.html.is_some()) {
        note(&format!("damaged: {}: {}", damage.place, damage.what));
    }
    Ok(if directory.damage.is_empty() { Exit::Held } else { Exit::Refused })
}
