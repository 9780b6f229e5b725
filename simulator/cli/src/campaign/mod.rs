//! `vopr run`: many seeds of some scenarios on all cores, checked, recorded, resumable.
//!
//! Threads simulate and write; this one listens to them, prints, and keeps the checkpoint. It is the only one that prints, so
//! lines never mix.

pub mod plan;
pub mod worker;

use crate::args::{JudgementArguments, RunArguments};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::output::{Renderer, Summary};
use crate::rig::JudgedRun;
use crate::tally::Tally;
use plan::{Batch, Plan};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::time::{Duration, Instant};
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::output::tested_nothing;
use vopr_check::page;
use vopr_check::progress::Progress;
use vopr_check::situations::required;
use vopr_check::terminal::note;
use vopr_checker::situations::Coverage;
use vopr_checker::{Report, Selection};
use worker::{Crew, Keep, Message};

/// Longest time between two states of a checkpoint file.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Runs a campaign to its end, or until it is interrupted.
///
/// # Errors
/// When it cannot begin: contradictory arguments, a checkpoint of another campaign, a directory that cannot be made.
pub fn run(arguments: &RunArguments) -> Result<Exit, Problem> {
    interrupt::listen("the runs and files under way are finished and the results printed");
    let resumed = match &arguments.checkpoint_file {
        Some(path) => checkpoint(path)?,
        None => None,
    };
    let plan = Plan::new(arguments, resumed.as_ref())?;
    for (folder, flag) in [(&plan.out, "--out"), (&plan.save_failures, "--save-failures")] {
        folder.iter().try_for_each(|folder| prepare(folder, flag))?;
    }
    if let Some(resumed) = &resumed {
        belongs(&plan, resumed)?;
    }
    let mut renderer = Renderer::new(arguments.telling.form(), arguments.telling.verbose).grouping();
    renderer.started(&plan, resumed.as_ref())?;
    let state = state(&plan, resumed);
    let mut campaign = Campaign::new(&plan, state, renderer);
    campaign.save(true)?;
    let batches = plan.batches(&campaign.state);
    campaign.work(&batches)?;
    campaign.finish(&arguments.judgement)
}

/// What an earlier process left in a checkpoint file, if it is there.
fn checkpoint(path: &Path) -> Result<Option<Checkpoint>, Problem> {
    Checkpoint::read(path).map_err(|error| match error {
        // Where no file can be, none can be written either.
        CheckpointError::Read { source, .. } if path.is_dir() || source.kind() == std::io::ErrorKind::NotADirectory => {
            Problem::unwritable(path, "the checkpoint", &source)
        }
        other => Problem::refused(other.to_string()),
    })
}

/// Refuses the state of another campaign.
fn belongs(plan: &Plan, resumed: &Checkpoint) -> Result<(), Problem> {
    let path = plan.checkpoint_file.as_deref().unwrap_or(Path::new(""));
    let ours = plan.state_of(plan.scenario_states(|_| 0));
    resumed.belongs_to(&ours, path).map_err(|error| Problem::usage(error.to_string()))
}

/// The state to begin with: a fresh one, or what an earlier campaign left.
fn state(plan: &Plan, resumed: Option<Checkpoint>) -> Checkpoint {
    let Some(mut resumed) = resumed else { return plan.fresh_state() };
    for missing in resumed.forget_missing_files() {
        note(&format!("warning: {} is gone: its seeds are simulated again", missing.display()));
    }
    resumed
}

/// Makes a directory for histories, tries whether files can be made in it, and names what an earlier, killed campaign left in it.
fn prepare(folder: &Path, flag: &str) -> Result<(), Problem> {
    let what = format!("what {flag} records");
    let failed = |error: std::io::Error| Problem::unwritable(folder, &what, &error);
    if folder.exists() && !folder.is_dir() {
        return Err(Problem::usage(format!("{}: {flag} needs a directory, and this is a file", folder.display())));
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    page::try_place(&folder.join(format!("tried-{}", std::process::id()))).map_err(failed)?;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "partial") {
            note(&format!("note: {} was not finished by an earlier campaign; it is no history and is replaced or ignored", path.display()));
        }
    }
    Ok(())
}

struct Campaign<'a> {
    plan: &'a Plan,
    state: Checkpoint,
    /// What this process has judged.
    report: Report,
    progress: Progress,
    renderer: Renderer,
    started: Instant,
    saved: Instant,
    broke: Option<String>,
}

impl<'a> Campaign<'a> {
    fn new(plan: &'a Plan, state: Checkpoint, renderer: Renderer) -> Self {
        let total = plan.iterations * plan.scenarios.len() as u64;
        let left: u64 = plan.batches(&state).iter().map(|batch| batch.seeds.count).sum();
        let none = Selection::default();
        let report = Report::new(plan.orders.selection.as_ref().unwrap_or(&none));
        let now = Instant::now();
        let progress = Progress::new(total, total - left, "runs");
        Self { plan, state, report, progress, renderer, started: now, saved: now, broke: None }
    }

    /// Starts the threads and listens until the last one has ended.
    fn work(&mut self, batches: &[Batch]) -> Result<(), Problem> {
        let (plan, next) = (self.plan, AtomicUsize::new(0));
        let hand_out = || batches.get(next.fetch_add(1, Ordering::Relaxed)).copied();
        let retention = |_, run: &JudgedRun| match (&run.failure, &plan.save_failures) {
            (Some(_), Some(folder)) => Keep::Bundle(folder.clone()),
            _ => Keep::Nothing,
        };
        let crew = Crew::new(plan, plan.command(), Box::new(hand_out), Box::new(retention));
        std::thread::scope(|scope| {
            let (messages, inbox) = channel();
            let writers = if self.plan.out.is_some() { worker::writers(self.plan.jobs) } else { 0 };
            let (recorded, to_write) = sync_channel(writers);
            let to_write = std::sync::Arc::new(Mutex::new(to_write));
            for _ in 0..writers {
                let (crew, messages, to_write) = (&crew, messages.clone(), to_write.clone());
                scope.spawn(move || crew.write_all(&to_write, &messages));
            }
            for _ in 0..self.plan.jobs {
                let (crew, messages) = (&crew, messages.clone());
                let recorded = (writers > 0).then(|| recorded.clone());
                scope.spawn(move || crew.simulate(&messages, recorded.as_ref()));
            }
            drop((messages, recorded));
            let heard = self.listen(&inbox, &crew);
            crew.stop();
            heard
        })
    }

    fn listen(&mut self, inbox: &Receiver<Message>, crew: &Crew<'_>) -> Result<(), Problem> {
        loop {
            match inbox.recv_timeout(Duration::from_millis(200)) {
                Ok(Message::Run { scenario, run }) => self.run(scenario, &run)?,
                Ok(Message::Finished { scenario, record }) => {
                    self.state.scenarios[scenario].finish(record);
                    self.save(false)?;
                }
                Ok(Message::Broke(error)) => {
                    crew.stop();
                    self.broke.get_or_insert(error);
                }
                Err(RecvTimeoutError::Timeout) => self.progress.tick(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn run(&mut self, scenario: usize, run: &JudgedRun) -> Result<(), Problem> {
        if let Some(verdicts) = &run.verdicts {
            self.report.add(verdicts);
        }
        let (plan, renderer) = (self.plan, &mut self.renderer);
        if renderer.has_to_say(run) {
            self.progress.suspend(|| renderer.run(plan, plan.scenarios[scenario].name, run))?;
        }
        self.progress.advance(1, u64::from(run.failure.is_some()));
        Ok(())
    }

    /// Writes the checkpoint file, if there is one and it is time to.
    fn save(&mut self, now: bool) -> Result<(), Problem> {
        let Some(path) = &self.plan.checkpoint_file else { return Ok(()) };
        if now || self.saved.elapsed() >= SAVE_EVERY {
            self.state.write(path).map_err(|error| Problem::unwritable(path, "the checkpoint", &error))?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    fn finish(mut self, judgement: &JudgementArguments) -> Result<Exit, Problem> {
        self.save(true)?;
        self.progress.finish();
        let left: Vec<Batch> = self.plan.batches(&self.state);
        let interrupted = interrupt::requested() && !left.is_empty();
        let mut total = Tally::default();
        let mut vacuous = false;
        let mut situations = Coverage::default();
        for scenario in &self.state.scenarios {
            let tally = scenario.tally();
            vacuous |= tally.runs > 0 && !tally.is_exercised();
            total.add(&tally);
            situations.merge(&scenario.situations());
        }
        let required = required(&judgement.require);
        let outcomes = [
            (interrupted, Exit::Interrupted),
            (total.failed > 0, Exit::Violated),
            (total.broken > 0 || self.broke.is_some(), Exit::Internal),
            (judgement.strict && total.undecided > 0, Exit::Inconclusive),
            (judgement.require_evidence && vacuous, Exit::Inconclusive),
            (situations.missing(&required).next().is_some(), Exit::Inconclusive),
            (total.facts == 0 && tested_nothing(&self.report), Exit::NothingToDo),
        ];
        let exit = outcomes.into_iter().filter(|(applies, _)| *applies).map(|(_, exit)| exit).fold(Exit::Held, Exit::and);
        let resume = if left.is_empty() { Vec::new() } else { self.resume() };
        let summary = Summary {
            exit,
            state: &self.state,
            report: &self.report,
            situations: &situations,
            required: &required,
            checked: self.plan.orders.selection.is_some(),
            elapsed: self.started.elapsed(),
            threads: self.plan.jobs,
            broke: self.broke.as_deref(),
            resume,
        };
        self.renderer.finished(&summary)?;
        if total.broken > 0 {
            note("vopr: a check broke down: please report it with the command above and the output of --version");
        }
        Ok(exit)
    }

    /// The commands that do what is left.
    fn resume(&self) -> Vec<String> {
        if self.plan.checkpoint_file.is_some() {
            return vec![self.plan.command()];
        }
        let of_scenario = |state: &crate::checkpoint::ScenarioState| {
            let left = state.left(self.plan.whole());
            left.into_iter().map(|seeds| self.plan.command_of_rest(&state.name, seeds)).collect::<Vec<_>>()
        };
        self.state.scenarios.iter().flat_map(of_scenario).collect()
    }
}
