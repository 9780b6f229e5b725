//! The threads of a campaign: some simulate and check, some write histories.
//!
//! Memory is bounded: a thread that simulates owns one history, and hands it over only when a writer has room. What the threads
//! share is the list of batches and a flag; every decision about a run is made from its seed alone.

use crate::campaign::plan::{Batch, Plan};
use crate::campaign_dir::date::now_ms;
use crate::checkpoint::Record;
use crate::failure::bundle::{self, Bundle};
use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use crate::listing;
use crate::rig::{JudgedRun, Rig};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use vopr_check::interrupt;
use vopr_check::version::{COMMIT, VERSION};
use vopr_checker::Selection;
use vopr_schema::write::{HistoryWriter, WriteError, WriteOptions, file_name};
use vopr_schema::{History, Provenance};
use vopr_sim::RunRequest;
use vopr_sim::scenario::Scenario;

/// Threads that write histories: one keeps up with about four that simulate and check.
#[must_use]
pub fn writers(jobs: usize) -> usize {
    jobs.div_ceil(4)
}

/// What a thread reports.
#[derive(Debug)]
pub enum Message {
    /// A run was simulated and judged.
    Run {
        /// Place of its scenario in the plan.
        scenario: usize,
        /// The run.
        run: Box<JudgedRun>,
    },
    /// A batch is done, and durable if it is recorded.
    Finished {
        /// Place of its scenario in the plan.
        scenario: usize,
        /// The batch.
        record: Record,
    },
    /// A history could not be written: the campaign cannot go on.
    Broke(String),
}

/// A batch whose history is to be written.
#[derive(Debug)]
pub struct Recorded {
    scenario: usize,
    record: Record,
    history: History,
}

/// What is kept of a run, besides its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// A failing run as a bundle in this directory.
    Bundle(PathBuf),
    /// The run's rows as a history in this directory; not for a campaign that records everything.
    History(PathBuf),
}

/// Hands out the next batch, until nothing is left; called by all threads.
pub type Source<'a> = Box<dyn Fn() -> Option<Batch> + Sync + 'a>;

/// Decides about a run that was just judged, by the place of its scenario in the plan; called by all threads.
pub type Retention<'a> = Box<dyn Fn(usize, &JudgedRun) -> Keep + Sync + 'a>;

/// What the threads share.
pub struct Crew<'a> {
    plan: &'a Plan,
    next: Source<'a>,
    retention: Retention<'a>,
    stop: AtomicBool,
    /// Histories whose memory can be used again.
    spare: Mutex<Vec<History>>,
    command: String,
    started_unix_ms: u64,
}

impl core::fmt::Debug for Crew<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Crew").field("command", &self.command).field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl<'a> Crew<'a> {
    /// The crew that does what `next` hands out and keeps what `retention` says; `command` goes into the files that it writes.
    #[must_use]
    pub fn new(plan: &'a Plan, command: String, next: Source<'a>, retention: Retention<'a>) -> Self {
        Self { plan, next, retention, stop: AtomicBool::new(false), spare: Mutex::new(Vec::new()), command, started_unix_ms: now_ms() }
    }

    /// Asks all threads to come to an end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || interrupt::requested()
    }

    /// The body of a thread that simulates. `recorded` leads to the writers of a campaign that records everything.
    pub fn simulate(&self, messages: &Sender<Message>, recorded: Option<&SyncSender<Recorded>>) {
        let mut rig = Rig::default();
        while !self.stopped()
            && let Some(batch) = (self.next)()
        {
            let spare = self.spare.lock().map(|mut spare| spare.pop()).unwrap_or_default();
            let mut history = spare.unwrap_or_default();
            history.clear();
            let record = self.batch(batch, &mut rig, &mut history, messages);
            if record.count == 0 {
                continue;
            }
            if let Some(recorded) = recorded {
                // A writer that is gone has reported why.
                drop(recorded.send(Recorded { scenario: batch.scenario, record, history }));
            } else {
                self.recycle(history);
                drop(messages.send(Message::Finished { scenario: batch.scenario, record }));
            }
        }
    }

    /// Simulates the seeds of a batch, fewer when the campaign is stopped.
    fn batch(&self, batch: Batch, rig: &mut Rig, history: &mut History, messages: &Sender<Message>) -> Record {
        let scenario = self.plan.scenarios[batch.scenario];
        let mut record = Record { first: batch.seeds.first, ..Record::default() };
        for seed in batch.seeds.seeds() {
            if self.stopped() {
                break;
            }
            if self.plan.out.is_none() {
                history.clear();
            }
            let mut run = rig.run(scenario, seed, &self.plan.orders, self.plan.needs_rows().then_some(&mut *history));
            run.explain(history);
            if let Err(error) = self.keep(batch.scenario, &mut run, history) {
                // The seed is not done: whoever resumes keeps it then.
                drop(messages.send(Message::Broke(error)));
                drop(messages.send(Message::Run { scenario: batch.scenario, run: Box::new(run) }));
                break;
            }
            let group = Symptom::of_judged(&run).map(|symptom| symptom.fingerprint());
            if let Some(failure) = &mut run.failure {
                failure.group = group;
            }
            record.count += 1;
            record.tally.add(&run.tally);
            if let Some(verdicts) = &run.verdicts {
                record.situations.add(&verdicts.situations);
            }
            record.failures.extend(run.failure.clone());
            drop(messages.send(Message::Run { scenario: batch.scenario, run: Box::new(run) }));
        }
        record
    }

    /// Keeps of a run what is to be kept. A bundle comes from another simulation, whose digest says whether the run is deterministic.
    fn keep(&self, place: usize, run: &mut JudgedRun, history: &History) -> Result<(), String> {
        let scenario = self.plan.scenarios[place];
        match (self.retention)(place, run) {
            Keep::Nothing => {}
            Keep::Bundle(folder) => {
                let (path, digest) = self.save(scenario, run.seed, &folder)?;
                if let Some(failure) = &mut run.failure {
                    failure.also.extend((run.digest.is_some() && digest != run.digest).then(|| "determinism".to_owned()));
                    failure.file = Some(path.display().to_string());
                }
                run.kept = Some(path);
            }
            Keep::History(folder) => {
                let path = folder.join(file_name(scenario.name, run.seed, 1));
                self.write(scenario, run.seed, 1, &path, history)?;
                run.kept = Some(path);
            }
        }
        Ok(())
    }

    /// Simulates a failing run once more, writing down its workload, and keeps it as a bundle; the digest says whether it is the
    /// same run.
    fn save(&self, scenario: &'static Scenario, seed: u64, folder: &Path) -> Result<(PathBuf, Option<[u8; 32]>), String> {
        let orders = &self.plan.orders;
        let path = folder.join(bundle::file_name(scenario.name, seed, orders.overrides.bug.as_deref()));
        let request = RunRequest::new(scenario, seed, &orders.overrides).map_err(|error| error.to_string())?;
        let selection = orders.selection.clone().unwrap_or_else(Selection::all);
        let trial = Trial::run(&request, &selection, History::default())
            .ok_or_else(|| format!("{}: the run cannot be simulated once more to be saved", path.display()))?;
        let digest = trial.summary.digest;
        let bundle = Bundle::of_trial(&request, trial, listing::scenario(scenario).to_string(), self.command.clone());
        bundle.write(&path).map_err(|error| discarded(&path, &error))?;
        Ok((path, digest))
    }

    /// The body of a thread that writes histories.
    pub fn write_all(&self, recorded: &Mutex<Receiver<Recorded>>, messages: &Sender<Message>) {
        loop {
            let Ok(next) = recorded.lock().map(|receiver| receiver.recv()) else { return };
            let Ok(Recorded { scenario, mut record, history }) = next else { return };
            let folder = self.plan.out.as_deref().unwrap_or(Path::new("."));
            let name = file_name(self.plan.scenarios[scenario].name, record.first, record.count);
            match self.write(self.plan.scenarios[scenario], record.first, record.count, &folder.join(&name), &history) {
                Ok(()) => {
                    record.file = Some(name);
                    drop(messages.send(Message::Finished { scenario, record }));
                }
                Err(error) => {
                    self.stop();
                    drop(messages.send(Message::Broke(error)));
                }
            }
            self.recycle(history);
        }
    }

    fn write(&self, scenario: &'static Scenario, first_seed: u64, seeds: u64, path: &Path, history: &History) -> Result<(), String> {
        let provenance = Provenance {
            program: "vopr".to_owned(),
            program_version: VERSION.to_owned(),
            source_commit: COMMIT.to_owned(),
            scenario: listing::scenario(scenario).to_string(),
            first_seed,
            seeds,
            bug: self.plan.orders.overrides.bug.clone(),
            command_line: self.command.clone(),
            started_unix_ms: self.started_unix_ms,
            ..Provenance::default()
        };
        let written = HistoryWriter::create(path, provenance, WriteOptions::default()).and_then(|mut writer| {
            writer.write(history)?;
            writer.finish()
        });
        written.map(drop).map_err(|error| discarded(path, &error))
    }

    fn recycle(&self, history: History) {
        if let Ok(mut spare) = self.spare.lock() {
            spare.push(history);
        }
    }
}

/// Why a history could not be written; what there is of it is removed, because a half-written file is of no use to anyone, and
/// a full disk needs the room.
fn discarded(path: &Path, error: &WriteError) -> String {
    std::fs::remove_file(vopr_schema::write::partial_path(path)).unwrap_or_default();
    let (text, name) = (error.to_string(), path.display().to_string());
    if text.contains(&name) { text } else { format!("{name}: {text}") }
}
