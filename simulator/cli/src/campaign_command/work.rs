//! One process's work on a plan: threads simulate, this one makes their results durable, and only then tells of them.
//!
//! Whatever has piled up while the disk was busy becomes durable with one flush, so that a slow disk costs little and a fast one nothing.

use super::plan::{self, Prepared};
use super::print;
use super::retention::Retention;
use crate::args::TellingArguments;
use crate::args::{Form, JudgementArguments};
use crate::campaign::plan::Batch;
use crate::campaign::worker::{Crew, Message};
use crate::campaign_dir::date::now_ms;
use crate::campaign_dir::{Begin, Directory, FORMAT, FailureLine, Line, Outcome, Part, PlanRecord, RunLine, SlowLine};
use crate::failure::symptom::Symptom;
use crate::output::Renderer;
use crate::rig::JudgedRun;
use crate::seeds::SeedRange;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::output::INTERNAL;
use vopr_check::output::json::hex;
use vopr_check::progress::Progress;
use vopr_check::situations::required;
use vopr_check::terminal::{Sink, counted, note};
use vopr_check::version::{COMMIT, VERSION};
use vopr_checker::Verdict;
use vopr_checker::situations::Situation;

/// Runs that become durable with one flush at most.
const FLUSH_MAX: usize = 256;

/// A run that is under way for so long is told of, and again after each doubling: a process that never ends is killed by somebody, and its
/// seed must not be lost with it.
const SLOW: Duration = Duration::from_secs(10);

/// Shortest time between two remarks behind the progress.
const REMARK_EVERY: Duration = Duration::from_millis(200);

/// What a thread is doing.
#[derive(Debug)]
struct UnderWay {
    thread: ThreadId,
    batch: Batch,
    since_ms: u64,
    started: Instant,
    /// Time after which it is told of next.
    tell_after: Duration,
}

/// What a thread has to do next: scenarios take turns, and of each the seeds of this shard that are not done, in order.
#[derive(Debug)]
struct Queue<'a> {
    record: &'a PlanRecord,
    /// By place of the scenario.
    done: Vec<BTreeSet<u64>>,
    next: AtomicU64,
    deadline: Option<Instant>,
    exhausted: AtomicBool,
    under_way: Mutex<Vec<UnderWay>>,
}

impl<'a> Queue<'a> {
    fn new(directory: &Directory, record: &'a PlanRecord, time: Option<Duration>) -> Self {
        Self {
            record,
            done: record.scenarios.iter().map(|scenario| directory.done(&record.family, scenario)).collect(),
            next: AtomicU64::new(0),
            deadline: time.and_then(|time| Instant::now().checked_add(time)),
            exhausted: AtomicBool::new(false),
            under_way: Mutex::default(),
        }
    }

    /// Notes that this thread has ended what it did, and what it does now.
    fn begin(&self, batch: Option<Batch>) {
        let thread = std::thread::current().id();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|other| other.thread != thread);
        let (since_ms, started) = (now_ms(), Instant::now());
        under_way.extend(batch.map(|batch| UnderWay { thread, batch, since_ms, started, tell_after: SLOW }));
    }

    /// Runs that are under way for long and are to be told of; `later`: as if so much more time had passed.
    fn slow(&self, later: Duration) -> Vec<SlowLine> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = under_way.iter_mut().filter(|run| run.started.elapsed() + later >= run.tell_after);
        let line = |run: &mut UnderWay| {
            run.tell_after *= 2;
            let scenario = self.record.scenarios[run.batch.scenario].clone();
            SlowLine { scenario, seed: run.batch.seeds.first, since_ms: run.since_ms, at_ms: now_ms() }
        };
        slow.map(line).collect()
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn next(&self) -> Option<Batch> {
        let next = self.take();
        self.begin(next);
        next
    }

    fn take(&self) -> Option<Batch> {
        let scenarios = self.done.len() as u64;
        while !self.is_over() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = self.record.seed_at(turn / scenarios) else {
                self.exhausted.store(true, Ordering::Relaxed);
                return None;
            };
            let scenario = usize::try_from(turn % scenarios).unwrap_or_default();
            if !self.done[scenario].contains(&seed) {
                return Some(Batch { scenario, seeds: SeedRange { first: seed, count: 1 } });
            }
        }
        None
    }
}

/// Works on a plan until it is done, time is over, or somebody wants an end.
///
/// # Errors
/// When the disk or standard output refuses. What was told until then is durable.
pub fn run(directory: Directory, prepared: &Prepared, time: Option<Duration>, telling: TellingArguments) -> Result<Exit, Problem> {
    let (record, dir) = (&prepared.record, directory.path.clone());
    let form = telling.form();
    print::started(&directory, prepared, form)?;
    let queue = Queue::new(&directory, record, time);
    let retention = Retention::new(&directory, record).map_err(super::disk(&dir))?;
    for folder in retention.folders() {
        std::fs::create_dir_all(folder).map_err(super::disk(folder))?;
    }
    let begin = Begin {
        format: FORMAT.to_owned(),
        plan: Some(record.clone()),
        version: VERSION.to_owned(),
        commit: COMMIT.to_owned(),
        threads: prepared.plan.jobs,
        at_ms: now_ms(),
    };
    let part = Part::create(&dir, "runs", &record.id, begin).map_err(super::disk(&dir))?;
    let mut teller = Teller::new(directory, prepared, part, &queue, telling);
    let go_on = |problem: Problem| Problem { message: format!("{problem}; to go on: {}", super::resume_command(&dir)), ..problem };
    teller.work(&queue, &retention).map_err(go_on)?;
    let why = teller.why(&queue);
    teller.part.end(&why).map_err(super::disk(&dir))?;
    let broke = teller.broke.take();
    teller.progress.finish();
    drop(teller);
    // What is told at the end is what a reader of the directory finds, other processes' work included.
    let directory = Directory::open(&dir).map_err(super::unreadable(&dir))?;
    let interrupted = interrupt::requested() && !super::is_finished(&directory, record);
    let judged = outcome(&directory, &plan::strictness(&directory));
    let exit = if interrupted { judged.and(Exit::Interrupted) } else { judged };
    let exit = if broke.is_some() { exit.and(Exit::Internal) } else { exit };
    let resume = (interrupted || broke.is_some()).then(|| super::resume_command(&dir));
    print::summary(&directory, &print::Ending { exit: Some(exit), resume, broke }, form, telling.verbose, &mut Sink::stdout())?;
    Ok(exit)
}

/// What a directory comes to: known failures do not count against it.
pub fn outcome(directory: &Directory, judgement: &JudgementArguments) -> Exit {
    let total = directory.total();
    let alarming = directory.groups().iter().any(|(_, status)| status.is_alarming());
    let vacuous = directory.scenarios.values().any(|scenario| scenario.tally.runs > 0 && !scenario.tally.is_exercised());
    let required = required(&judgement.require);
    let outcomes = [
        (alarming || !directory.conflicts.is_empty(), Exit::Violated),
        (total.broken > 0, Exit::Internal),
        (judgement.strict && total.undecided > 0, Exit::Inconclusive),
        (judgement.require_evidence && vacuous, Exit::Inconclusive),
        (directory.situations().missing(&required).next().is_some(), Exit::Inconclusive),
    ];
    outcomes.into_iter().filter(|(applies, _)| *applies).map(|(_, exit)| exit).fold(Exit::Held, Exit::and)
}

/// Makes results durable and tells of them.
struct Teller<'a> {
    directory: Directory,
    prepared: &'a Prepared,
    part: Part,
    progress: Progress,
    renderer: Renderer,
    form: Form,
    verbose: bool,
    remarked: Instant,
    broke: Option<String>,
}

impl<'a> Teller<'a> {
    fn new(directory: Directory, prepared: &'a Prepared, part: Part, queue: &Queue<'_>, telling: TellingArguments) -> Self {
        let left = directory.left(&prepared.record);
        let total = prepared.record.seeds_of_shard().map_or(0, |seeds| seeds * prepared.record.scenarios.len() as u64);
        let progress = Progress::new(total, total - left.unwrap_or(total), "runs").until(queue.deadline);
        let (form, verbose) = (telling.form(), telling.verbose);
        Self {
            directory,
            prepared,
            part,
            progress,
            renderer: Renderer::new(form, verbose),
            form,
            verbose,
            remarked: Instant::now(),
            broke: None,
        }
    }

    /// Starts the threads and listens until the last one has ended.
    fn work(&mut self, queue: &Queue<'_>, retention: &Retention) -> Result<(), Problem> {
        let plan = &self.prepared.plan;
        let command = plan::command(&self.prepared.record, &self.directory.path);
        let keep = |scenario: usize, run: &JudgedRun| retention.of(plan.scenarios[scenario].name, run);
        let crew = Crew::new(plan, command, Box::new(|| queue.next()), Box::new(keep));
        std::thread::scope(|scope| {
            let (messages, inbox) = channel();
            for _ in 0..plan.jobs {
                let (crew, messages) = (&crew, messages.clone());
                scope.spawn(move || crew.simulate(&messages, None));
            }
            drop(messages);
            let heard = self.listen(&inbox, &crew, queue, retention);
            crew.stop();
            heard
        })
    }

    fn listen(&mut self, inbox: &Receiver<Message>, crew: &Crew<'_>, queue: &Queue<'_>, retention: &Retention) -> Result<(), Problem> {
        let mut runs: Vec<(usize, Box<JudgedRun>)> = Vec::new();
        loop {
            let mut next = match inbox.recv_timeout(Duration::from_millis(200)) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            while let Some(message) = next {
                match message {
                    Message::Run { scenario, run } => runs.push((scenario, run)),
                    Message::Finished { .. } => {}
                    Message::Broke(error) => {
                        crew.stop();
                        self.broke.get_or_insert(error);
                    }
                }
                next = if runs.len() < FLUSH_MAX { inbox.try_recv().ok() } else { None };
            }
            self.record(&runs, retention)?;
            runs.clear();
            self.tell_slow(queue.slow(Duration::ZERO))?;
            self.progress.tick();
        }
    }

    /// Makes runs durable, then tells of them.
    fn record(&mut self, runs: &[(usize, Box<JudgedRun>)], retention: &Retention) -> Result<(), Problem> {
        if runs.is_empty() {
            return Ok(());
        }
        let name = |scenario: usize| self.prepared.plan.scenarios[scenario].name;
        let found: Vec<RunLine> = runs.iter().map(|(scenario, run)| line(name(*scenario), run, &self.directory.path)).collect();
        // What makes way is told before the runs that it makes way for: half of the lines is never too much kept for good.
        let dropped = retention.superfluous(&found);
        let told = dropped.iter().cloned().map(Line::Dropped);
        let lines: Vec<Line> = told.chain(found.iter().cloned().map(|run| Line::Run(Box::new(run)))).collect();
        let path = self.directory.path.join(&self.part.name);
        self.part.append(&lines).map_err(super::disk(&path))?;
        for line in dropped {
            // One that cannot be removed is forgotten all the same.
            std::fs::remove_file(self.directory.path.join(line.file)).unwrap_or_default();
        }
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        for failure in found.iter().filter_map(|run| run.failure.as_ref()) {
            let before = self.directory.group(&failure.fingerprint).map_or(0, crate::campaign_dir::Group::count);
            told.entry(failure.fingerprint.clone()).or_insert(before);
        }
        self.directory.refresh_file(&self.part.name).map_err(super::disk(&path))?;
        for ((scenario, run), line) in runs.iter().zip(&found) {
            self.tell(name(*scenario), run, line, &mut told)?;
        }
        let failed = runs.iter().filter(|(_, run)| run.failure.is_some()).count() as u64;
        if self.remarked.elapsed() >= REMARK_EVERY {
            self.progress.remark(remark(&self.directory));
            self.remarked = Instant::now();
        }
        self.progress.advance(runs.len() as u64, failed);
        Ok(())
    }

    /// Writes down runs that are under way for long, and tells of them.
    fn tell_slow(&mut self, slow: Vec<SlowLine>) -> Result<(), Problem> {
        if slow.is_empty() {
            return Ok(());
        }
        let words = |line: &SlowLine| {
            let command = self.prepared.plan.command_of(&line.scenario, SeedRange { first: line.seed, count: 1 }, &[]);
            format!("slow: under way for {} s: {command}", line.at_ms.saturating_sub(line.since_ms) / 1000)
        };
        let told: Vec<String> = slow.iter().map(words).collect();
        self.part.append(&slow.into_iter().map(Line::Slow).collect::<Vec<_>>()).map_err(super::disk(&self.directory.path))?;
        self.progress.suspend(|| told.iter().for_each(|line| note(line)));
        Ok(())
    }

    /// Tells of a run: the first failure of a group whole, the others in a line. `told`: failures of each group told so far.
    fn tell(&mut self, scenario: &str, run: &JudgedRun, line: &RunLine, told: &mut BTreeMap<String, u64>) -> Result<(), Problem> {
        let count = line.failure.as_ref().map(|failure| {
            let count = told.entry(failure.fingerprint.clone()).or_default();
            *count += 1;
            *count
        });
        let (plan, renderer, directory) = (&self.prepared.plan, &mut self.renderer, &self.directory);
        let brief = self.form == Form::Human && count.is_some_and(|count| count > 1);
        let (form, verbose) = (self.form, self.verbose);
        self.progress.suspend(|| {
            if !brief && renderer.has_to_say(run) {
                renderer.run(plan, scenario, run)?;
            }
            match (&line.failure, count) {
                (Some(failure), Some(count)) => print::failure(directory, line, failure, count, form, verbose),
                _ => Ok(()),
            }
        })?;
        Ok(())
    }

    /// Why the work ended.
    fn why(&self, queue: &Queue<'_>) -> String {
        match &self.broke {
            Some(error) => format!("broke: {error}"),
            None if queue.exhausted.load(Ordering::Relaxed) => "done".to_owned(),
            None if queue.is_over() => "time".to_owned(),
            None => "interrupted".to_owned(),
        }
    }
}

/// What stands behind the numbers of the progress.
fn remark(directory: &Directory) -> String {
    let coverage = directory.situations();
    let seen = Situation::ALL.iter().filter(|situation| coverage.of(**situation).runs > 0).count();
    let groups = directory.groups();
    let known = groups.iter().filter(|(_, status)| !status.is_alarming()).count();
    format!("{seen}/{} situations · {} ({known} known)", Situation::ALL.len(), counted(groups.len() as u64, "group"))
}

/// A judged run as the line that stands for it.
fn line(scenario: &str, run: &JudgedRun, dir: &Path) -> RunLine {
    let verdicts = run.verdicts.as_ref();
    let undecided = |(id, verdict): &(vopr_checker::InvariantId, Verdict)| match verdict {
        Verdict::Unknown { .. } => Some(id.name().to_owned()),
        _ => None,
    };
    let broke = |(_, verdict): &(_, Verdict)| matches!(verdict, Verdict::Unknown { reason } if reason.starts_with(INTERNAL));
    let failure = run.failure.as_ref().zip(Symptom::of_judged(run)).map(|(told, symptom)| FailureLine {
        fingerprint: symptom.fingerprint(),
        causes: run.causes.iter().map(|cause| (*cause).to_owned()).collect(),
        invariant: symptom.invariant,
        sentence: told.sentence.clone(),
        also: told.also.clone(),
    });
    let undecided: Vec<String> = verdicts.iter().flat_map(|all| &all.verdicts).filter_map(undecided).collect();
    let broken = run.tally.broken > 0 || verdicts.iter().flat_map(|all| &all.verdicts).any(broke);
    let outcome = match (&failure, verdicts) {
        (Some(_), _) => Outcome::Failed,
        _ if broken => Outcome::Broken,
        (None, None) => Outcome::Unchecked,
        (None, Some(_)) if undecided.is_empty() => Outcome::Held,
        (None, Some(_)) => Outcome::Undecided,
    };
    let evidence = verdicts.and_then(|verdicts| verdicts.evidence.as_ref());
    let situations = verdicts.iter().flat_map(|verdicts| verdicts.situations.iter()).filter(|(_, times)| *times > 0);
    let kept = run.kept.as_ref().map(|path| path.strip_prefix(dir).unwrap_or(path));
    RunLine {
        scenario: scenario.to_owned(),
        seed: run.seed,
        outcome,
        failure,
        undecided,
        missing: evidence.map(|evidence| evidence.missing.iter().map(|words| (*words).to_owned()).collect()),
        events: run.tally.events,
        rows: run.tally.rows,
        operations: run.tally.operations,
        facts: run.tally.facts,
        simulating_ns: run.tally.simulating_ns,
        checking_ns: run.tally.checking_ns,
        cpu_ns: run.cpu_ns,
        situations: situations.map(|(situation, times)| (situation.name().to_owned(), times)).collect(),
        digest: run.digest.as_ref().map(|digest| hex(&digest[..16])),
        file: kept.map(|path| path.display().to_string()),
        at_ms: now_ms(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(scenarios: &[&str], seeds: u64) -> PlanRecord {
        let text = serde_json::json!({
            "format": FORMAT, "id": "p", "scenarios": scenarios, "seed": 5, "seeds": seeds, "for_ms": null, "shard": [1, 1], "options": [],
            "family": "", "judgement": [], "sample": 0, "rare": 0, "bundles": 0, "at_ms": 0, "program": "",
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn scenarios_take_turns_and_nothing_is_done_twice() {
        let record = record(&["a", "b"], 3);
        let mut queue = Queue::new(&Directory::default(), &record, None);
        queue.done[1].insert(6);
        let taken: Vec<_> = core::iter::from_fn(|| queue.next()).map(|batch| (batch.scenario, batch.seeds.first)).collect();
        assert_eq!(taken, [(0, 5), (1, 5), (0, 6), (0, 7), (1, 7)]);
        assert!(queue.exhausted.load(Ordering::Relaxed) && !queue.is_over());
        let over = Queue::new(&Directory::default(), &record, Some(Duration::ZERO));
        assert!(over.next().is_none() && over.is_over() && !over.exhausted.load(Ordering::Relaxed));
    }

    #[test]
    fn a_run_that_is_under_way_for_long_is_told_after_each_doubling() {
        let record = record(&["a"], 3);
        let queue = Queue::new(&Directory::default(), &record, None);
        let slow = |later: Duration| queue.slow(later).into_iter().map(|line| line.seed).collect::<Vec<_>>();
        queue.next();
        assert!(slow(Duration::ZERO).is_empty());
        assert_eq!(slow(SLOW), [5]);
        assert!(slow(SLOW).is_empty());
        assert_eq!(slow(2 * SLOW), [5]);
        queue.next();
        assert!(slow(Duration::ZERO).is_empty());
        assert_eq!(slow(SLOW), [6]);
        while queue.next().is_some() {}
        assert!(slow(100 * SLOW).is_empty());
    }
}
