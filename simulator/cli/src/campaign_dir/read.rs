//! Reading a campaign's directory: every line that is whole, added up once, whatever else lies there.
//!
//! What cannot be read is named and left out. A run that stands in several files counts once.

use super::group::{FailingRun, Group, RunKey, Status};
use super::kin;
use super::known::{Known, is_known_file};
use super::line::{Begin, End, FailureLine, Line, PlanRecord, RerunLine, RunLine, SlowLine};
use super::{Day, write};
use crate::tally::Tally;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use vopr_check::inputs::{BUNDLE_ENDING, ENDING};
use vopr_checker::report::ScenarioEvidence;
use vopr_checker::situations::{Counts, Coverage};

/// Damages that are kept one by one of each file; more are counted.
const DAMAGE_MAX: usize = 20;

/// The family of runs whose file does not say what they belong to.
const NO_FAMILY: &str = "?";

/// What a campaign's directory amounts to.
#[derive(Debug, Default)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// Plans by their id.
    pub plans: BTreeMap<String, PlanRecord>,
    /// Processes that worked on it, by the name of their file.
    pub processes: BTreeMap<String, Process>,
    /// What came of each scenario, by name.
    pub scenarios: BTreeMap<String, Scenario>,
    /// Work done by time: seconds since 1970.
    pub pace: BTreeMap<u64, Pace>,
    /// Where each situation came about first, by name.
    pub sightings: BTreeMap<String, Sighting>,
    /// Failures that are known.
    pub known: Known,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Runs that came out differently in two files.
    pub conflicts: Vec<Conflict>,
    groups: BTreeMap<String, Group>,
    reruns: BTreeMap<RunKey, (RerunLine, String)>,
    /// By family and scenario: the seeds that are done, and whether each failed.
    done: Done,
    /// Files that were kept and are not any more.
    dropped: BTreeSet<String>,
}

type Done = BTreeMap<String, BTreeMap<String, BTreeMap<u64, bool>>>;

/// A process that worked on the campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The plan that it worked on; none of one that only tried failures again.
    pub plan: Option<String>,
    /// Version and source commit of its program.
    pub program: [String; 2],
    /// Threads that simulated.
    pub threads: usize,
    /// When it began, milliseconds since 1970.
    pub began_ms: u64,
    /// When it was last heard of, milliseconds since 1970.
    pub last_ms: u64,
    /// Runs that it finished.
    pub runs: u64,
    /// How it ended; none of one that was killed, or goes on.
    pub end: Option<End>,
    /// Runs that were under way for long when it was last heard of; those that ended are not among them.
    pub slow: Vec<SlowLine>,
    /// Bytes behind its last whole line: a line that is being written, or was when the process was killed.
    pub torn: u64,
    family: String,
    /// Bytes read.
    offset: u64,
    /// Lines read.
    lines: u64,
    damaged: usize,
}

/// What came of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// Counts.
    pub tally: Tally,
    /// CPU time, nanoseconds.
    pub cpu_ns: u64,
    /// Situations that its runs came into.
    pub situations: Coverage,
    /// What was missing of its evidence, in words, and in how many runs.
    pub missing: BTreeMap<String, u64>,
    /// Failing runs without all of it: a failure may have cut short what the scenario promises.
    pub cut_short: u64,
    /// Invariants that could not be decided, and in how many runs.
    pub undecided: BTreeMap<String, u64>,
    /// Runs whose rows were kept although they hold: seed and file.
    pub kept: Vec<(u64, String)>,
}

impl Scenario {
    /// Its evidence in the checker's words.
    #[must_use]
    pub fn evidence(&self) -> ScenarioEvidence {
        let Tally { exercised, promised: runs, .. } = self.tally;
        ScenarioEvidence { exercised, runs, cut_short: self.cut_short, ..ScenarioEvidence::default() }
    }
}

/// What was done in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Runs that ended.
    pub runs: u64,
    /// Their simulated events.
    pub events: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Their CPU time, nanoseconds.
    pub cpu_ns: u64,
}

impl Pace {
    /// Adds another time's; what files claim may be anything, and a sum that no number holds stays at the largest one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs = self.runs.saturating_add(other.runs);
        self.events = self.events.saturating_add(other.events);
        self.failed = self.failed.saturating_add(other.failed);
        self.cpu_ns = self.cpu_ns.saturating_add(other.cpu_ns);
    }
}

/// Where a situation came about first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// File, and line where it has lines.
    pub place: String,
    /// What is wrong there, and what follows from it.
    pub what: String,
}

/// A run that held in one file and failed in another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
}

/// Whether a directory holds a campaign.
#[must_use]
pub fn is_campaign(path: &Path) -> bool {
    let named = |name: &str| is_plan_file(name) || part_kind(name).is_some();
    std::fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(|entry| named(&entry.file_name().to_string_lossy())))
}

fn is_plan_file(name: &str) -> bool {
    name.starts_with("plan-") && Path::new(name).extension().is_some_and(|ending| ending == "json")
}

/// What a map holds for a name; the name is copied only when it is new.
fn inner<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was just put there")
}

/// The seeds that are done of a family's scenario.
fn inner_of<'a>(done: &'a Done, family: &str, scenario: &str) -> Option<&'a BTreeMap<u64, bool>> {
    done.get(family)?.get(scenario)
}

/// The plan that the file of a process belongs to by its name, if it is one; the plan is empty where there is none.
pub(super) fn part_kind(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".jsonl")?;
    let rest = name.strip_prefix("runs-").or_else(|| name.strip_prefix("rerun-"))?;
    rest.rsplit_once('-').map(|(plan, _)| plan)
}

impl Directory {
    /// Reads a directory.
    ///
    /// # Errors
    /// When there is no such directory. What is wrong inside is in [`Directory::damage`].
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut directory = Self { path: path.to_owned(), ..Self::default() };
        directory.refresh()?;
        Ok(directory)
    }

    /// Reads what was added since.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn refresh(&mut self) -> io::Result<()> {
        let mut names: Vec<String> =
            std::fs::read_dir(&self.path)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        self.damage.retain(|damage| part_kind(damage.place.split(':').next().unwrap_or_default()).is_some());
        for name in names.iter().filter(|name| is_plan_file(name)) {
            self.read_plan(name);
        }
        self.known = Known::default();
        for name in names.iter().filter(|name| is_known_file(name)) {
            if let Err(error) = self.known.add_file(&self.path.join(name)) {
                self.damage.push(Damage { place: name.clone(), what: format!("no failure is known by it: {}", error.message) });
            }
        }
        for name in &names {
            if let Some(plan) = part_kind(name)
                && let Err(error) = self.read_part(name, plan)
            {
                self.damage.push(Damage { place: name.clone(), what: error.to_string() });
            }
        }
        Ok(())
    }

    fn read_plan(&mut self, name: &str) {
        let read = std::fs::read(self.path.join(name)).map_err(|error| error.to_string());
        let plan = read.and_then(|text| serde_json::from_slice::<PlanRecord>(&text).map_err(|error| error.to_string()));
        match plan {
            Ok(plan) => {
                if let Err(what) = self.add_plan(plan) {
                    self.damage.push(Damage { place: name.to_owned(), what });
                }
            }
            Err(error) => self.damage.push(Damage { place: name.to_owned(), what: format!("not a plan: {error}") }),
        }
    }

    fn add_plan(&mut self, plan: PlanRecord) -> Result<(), String> {
        plan.check()?;
        self.plans.entry(plan.id.clone()).or_insert(plan);
        Ok(())
    }

    /// Reads what was added to the file of one process.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn refresh_file(&mut self, name: &str) -> io::Result<()> {
        part_kind(name).map_or(Ok(()), |plan| self.read_part(name, plan))
    }

    /// Reads the lines of a process's file that were not there before.
    fn read_part(&mut self, name: &str, plan: &str) -> io::Result<()> {
        let mut process = self.processes.remove(name).unwrap_or_else(|| Process {
            plan: self.plans.get(plan).map(|plan| plan.id.clone()),
            family: self.plans.get(plan).map_or_else(|| NO_FAMILY.to_owned(), |plan| plan.family.clone()),
            ..Process::default()
        });
        let outcome = self.read_lines(name, &mut process);
        self.processes.insert(name.to_owned(), process);
        outcome
    }

    fn read_lines(&mut self, name: &str, process: &mut Process) -> io::Result<()> {
        let mut file = File::open(self.path.join(name))?;
        if file.metadata()?.len() <= process.offset {
            return Ok(());
        }
        file.seek(SeekFrom::Start(process.offset))?;
        let mut reader = BufReader::new(file);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let length = reader.read_until(b'\n', &mut bytes)? as u64;
            if bytes.pop() != Some(b'\n') {
                process.torn = length;
                return Ok(());
            }
            process.torn = 0;
            process.offset += length;
            process.lines += 1;
            match Line::parse(&bytes) {
                Ok(line) => self.add(name, &line, process),
                Err(error) => self.damaged(name, process, &error.to_string()),
            }
        }
    }

    /// Notes a line that cannot be taken.
    fn damaged(&mut self, name: &str, process: &mut Process, error: &str) {
        process.damaged += 1;
        let (place, what) = match process.damaged {
            few if few < DAMAGE_MAX => (format!("{name}:{}", process.lines), error.to_owned()),
            DAMAGE_MAX => (format!("{name}:{} and after", process.lines), "more lines are damaged".to_owned()),
            _ => return,
        };
        self.damage.push(Damage { place, what: format!("{what}; its run counts as not done") });
    }

    fn add(&mut self, name: &str, line: &Line, process: &mut Process) {
        match line {
            Line::Begin(begin) => {
                if let Err(what) = self.begin(begin, process) {
                    self.damage.push(Damage { place: format!("{name}:{}", process.lines), what });
                }
            }
            Line::Run(run) => {
                process.runs += 1;
                process.last_ms = process.last_ms.max(run.at_ms);
                process.slow.retain(|slow| (&slow.scenario, slow.seed) != (&run.scenario, run.seed));
                self.run(run, &process.family, &process.program[1]);
            }
            Line::Rerun(rerun) => {
                process.last_ms = process.last_ms.max(rerun.at_ms);
                let key = (rerun.family.clone(), rerun.scenario.clone(), rerun.seed);
                let later = self.reruns.get(&key).is_none_or(|(other, _)| other.at_ms <= rerun.at_ms);
                if later {
                    self.reruns.insert(key, (RerunLine::clone(rerun), process.program[1].clone()));
                }
            }
            Line::Slow(slow) => {
                process.last_ms = process.last_ms.max(slow.at_ms);
                process.slow.retain(|other| (&other.scenario, other.seed) != (&slow.scenario, slow.seed));
                process.slow.push(slow.clone());
            }
            Line::Dropped(dropped) => {
                process.last_ms = process.last_ms.max(dropped.at_ms);
                self.drop_file(&dropped.file);
            }
            Line::End(end) => {
                process.last_ms = process.last_ms.max(end.at_ms);
                process.end = Some(end.clone());
            }
        }
    }

    fn begin(&mut self, begin: &Begin, process: &mut Process) -> Result<(), String> {
        process.program = [begin.version.clone(), begin.commit.clone()];
        process.threads = begin.threads;
        process.began_ms = begin.at_ms;
        process.last_ms = process.last_ms.max(begin.at_ms);
        if let Some(plan) = &begin.plan {
            process.family.clone_from(&plan.family);
            process.plan = Some(plan.id.clone());
            self.add_plan(plan.clone())?;
        }
        Ok(())
    }

    fn run(&mut self, run: &RunLine, family: &str, commit: &str) {
        let failed = run.failure.is_some();
        let seeds = inner(inner(&mut self.done, family), &run.scenario);
        let before = seeds.get(&run.seed).copied();
        seeds.insert(run.seed, failed || before == Some(true));
        if before.is_some_and(|before| before != failed) {
            self.conflicts.push(Conflict { scenario: run.scenario.clone(), seed: run.seed });
        }
        if let Some(failure) = run.failure.as_ref().filter(|_| before != Some(true)) {
            self.fail(run, failure, family, commit);
        }
        if before.is_some() {
            // Counted before; that it fails now counts all the same.
            if let Some(scenario) = self.scenarios.get_mut(&run.scenario).filter(|_| failed && before == Some(false)) {
                scenario.tally.failed += 1;
            }
            return;
        }
        self.count(run);
    }

    fn count(&mut self, run: &RunLine) {
        let pace = self.pace.entry(run.at_ms / 1000).or_default();
        pace.add(&Pace { runs: 1, events: run.events, failed: u64::from(run.failure.is_some()), cpu_ns: run.cpu_ns });
        for name in run.situations.keys() {
            let is_first = |first: &Sighting| (run.at_ms, &run.scenario, run.seed) < (first.at_ms, &first.scenario, first.seed);
            if self.sightings.get(name).is_none_or(is_first) {
                let sighting = Sighting { at_ms: run.at_ms, scenario: run.scenario.clone(), seed: run.seed };
                self.sightings.insert(name.clone(), sighting);
            }
        }
        let scenario = inner(&mut self.scenarios, &run.scenario);
        scenario.tally.add(&run.tally());
        scenario.cpu_ns = scenario.cpu_ns.saturating_add(run.cpu_ns);
        scenario.situations.add(&Counts::from_names(&run.situations));
        scenario.cut_short += u64::from(run.failure.is_some() && run.missing.as_ref().is_some_and(|missing| !missing.is_empty()));
        for words in run.missing.iter().flatten() {
            *scenario.missing.entry(words.clone()).or_default() += 1;
        }
        for name in &run.undecided {
            *scenario.undecided.entry(name.clone()).or_default() += 1;
        }
        if let Some(file) = run.file.as_ref().filter(|file| run.failure.is_none() && !self.dropped.contains(*file)) {
            scenario.kept.push((run.seed, file.clone()));
        }
    }

    fn fail(&mut self, run: &RunLine, failure: &FailureLine, family: &str, commit: &str) {
        let group = self.groups.entry(failure.fingerprint.clone()).or_insert_with(|| Group::new(failure));
        let run = FailingRun {
            family: family.to_owned(),
            scenario: run.scenario.clone(),
            seed: run.seed,
            invariant: failure.invariant.clone(),
            events: run.events,
            file: run.file.clone().filter(|file| !self.dropped.contains(file)),
            sentence: failure.sentence.clone(),
            at_ms: run.at_ms,
            commit: commit.to_owned(),
        };
        group.add(failure, run);
    }

    /// Forgets a file, whether the line of its run was read before or comes later.
    fn drop_file(&mut self, file: &str) {
        self.dropped.insert(file.to_owned());
        self.scenarios.values_mut().for_each(|scenario| scenario.kept.retain(|(_, kept)| kept != file));
        let runs = self.groups.values_mut().flat_map(|group| &mut group.runs);
        runs.filter(|run| run.file.as_deref() == Some(file)).for_each(|run| run.file = None);
    }

    /// Files, from the directory on, that were kept and are not any more.
    #[must_use]
    pub const fn dropped(&self) -> &BTreeSet<String> {
        &self.dropped
    }

    /// Groups of failures with what is to be thought of each today: alarming ones first, then those with many runs, and behind each those
    /// that are likely of one cause with it.
    #[must_use]
    pub fn groups(&self) -> Vec<(&Group, Status)> {
        let mut groups: Vec<(&Group, Status)> = self.groups.values().map(|group| (group, self.status(group))).collect();
        groups.sort_by_key(|(group, status)| (status.clone(), core::cmp::Reverse(group.count()), group.fingerprint.clone()));
        kin::together(groups)
    }

    /// What is to be thought of a group today.
    #[must_use]
    pub fn status(&self, group: &Group) -> Status {
        Status::of(&group.fingerprint, &self.known, self.fixed(group), Day::today())
    }

    /// The group of a fingerprint.
    #[must_use]
    pub fn group(&self, fingerprint: &str) -> Option<&Group> {
        self.groups.get(fingerprint)
    }

    /// The commit of the program with which all runs of the group held when they were tried again, if they all were and did.
    fn fixed(&self, group: &Group) -> Option<String> {
        let mut latest: Option<&(RerunLine, String)> = None;
        for run in &group.runs {
            let again = self.rerun(run).filter(|(again, _)| again.now.is_none() && again.at_ms >= run.at_ms)?;
            latest = latest.filter(|latest| latest.0.at_ms > again.0.at_ms).or(Some(again));
        }
        latest.map(|(_, commit)| commit.clone())
    }

    /// The latest time that a failing run was tried again, and the commit of the program.
    #[must_use]
    pub fn rerun(&self, run: &FailingRun) -> Option<&(RerunLine, String)> {
        self.reruns.get(&run.key())
    }

    /// Counts over all scenarios.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.scenarios.values().for_each(|scenario| total.add(&scenario.tally));
        total
    }

    /// Runs that were under way for long when their process was last heard of, and that nobody has finished since.
    pub fn slow(&self) -> impl Iterator<Item = &SlowLine> {
        self.processes.values().flat_map(|process| {
            let done = |slow: &&SlowLine| {
                !inner_of(&self.done, &process.family, &slow.scenario).is_some_and(|seeds| seeds.contains_key(&slow.seed))
            };
            process.slow.iter().filter(done)
        })
    }

    /// Situations over all scenarios.
    #[must_use]
    pub fn situations(&self) -> Coverage {
        let mut sum = Coverage::default();
        self.scenarios.values().for_each(|scenario| sum.merge(&scenario.situations));
        sum
    }

    /// The seeds of a scenario that are done in a family of runs.
    #[must_use]
    pub fn done(&self, family: &str, scenario: &str) -> BTreeSet<u64> {
        let seeds = inner_of(&self.done, family, scenario);
        seeds.map(|seeds| seeds.keys().copied().collect()).unwrap_or_default()
    }

    /// Time that processes have spent on a plan, milliseconds.
    #[must_use]
    pub fn spent_ms(&self, plan: &str) -> u64 {
        let of_plan = self.processes.values().filter(|process| process.plan.as_deref() == Some(plan));
        of_plan.map(|process| process.last_ms.saturating_sub(process.began_ms)).fold(0, u64::saturating_add)
    }

    /// Runs of a plan that are not done, counted over all of its scenarios; none of a plan that only time ends.
    #[must_use]
    pub fn left(&self, plan: &PlanRecord) -> Option<u64> {
        let per_scenario = plan.seeds_of_shard()?;
        let of_shard = |seed: &u64| plan.index_of(*seed).is_some_and(|index| index < per_scenario);
        let done = |scenario: &String| self.done(&plan.family, scenario).iter().filter(|seed| of_shard(seed)).count() as u64;
        Some(plan.scenarios.iter().map(|scenario| per_scenario.saturating_sub(done(scenario))).fold(0, u64::saturating_add))
    }

    /// The same over all plans.
    #[must_use]
    pub fn left_altogether(&self) -> Option<u64> {
        self.plans.values().try_fold(0_u64, |sum, plan| Some(sum.saturating_add(self.left(plan)?)))
    }

    /// CPU time of all scenarios, nanoseconds.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.scenarios.values().map(|scenario| scenario.cpu_ns).fold(0, u64::saturating_add)
    }

    /// The bundles and histories that were kept, by name.
    #[must_use]
    pub fn recorded(&self) -> Vec<PathBuf> {
        let inside = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = ["failures", "kept"].into_iter().flat_map(|name| inside(self.path.join(name)));
        let mut files: Vec<PathBuf> = folders.filter(|path| path.is_dir()).flat_map(inside).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == ENDING || ending == BUNDLE_ENDING));
        // Whoever dropped a file may have been killed before it was removed.
        let is_dropped = |path: &Path| path.strip_prefix(&self.path).is_ok_and(|name| self.dropped.contains(&*name.to_string_lossy()));
        files.retain(|path| !is_dropped(path));
        files.sort();
        files
    }

    /// Whether a process works on a plan now, on this machine.
    #[must_use]
    pub fn is_worked_on(&self, plan: &str) -> bool {
        write::is_held(&self.path, plan)
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::{plan, run_line};
    use super::super::{DroppedLine, Outcome, Part};
    use super::*;

    fn begin(family: &str) -> Begin {
        let plan = PlanRecord { family: family.to_owned(), seeds: Some(10), ..plan(0, Some(10), [1, 1]) };
        let format = super::super::FORMAT.to_owned();
        Begin { format, plan: Some(plan), version: "1".to_owned(), commit: "c".to_owned(), threads: 1, at_ms: 1_796_000_000_000 }
    }

    fn failing(seed: u64) -> RunLine {
        let failure = FailureLine {
            fingerprint: "liveness-1".to_owned(),
            causes: Vec::new(),
            invariant: "liveness".to_owned(),
            sentence: "it stopped".to_owned(),
            also: Vec::new(),
        };
        RunLine { outcome: Outcome::Failed, failure: Some(failure), ..run_line("baseline", seed) }
    }

    fn run(line: RunLine) -> Line {
        Line::Run(Box::new(line))
    }

    #[test]
    fn a_refresh_reads_only_what_was_added_and_comes_to_the_same() {
        let home = tempfile::tempdir().unwrap();
        let mut part = Part::create(home.path(), "runs", "p1", begin("f")).unwrap();
        let mut watched = Directory::open(home.path()).unwrap();
        for seed in 0..5 {
            part.append(&[run(run_line("baseline", seed)), run(failing(seed + 5))]).unwrap();
            watched.refresh().unwrap();
            watched.refresh().unwrap();
            let anew = Directory::open(home.path()).unwrap();
            assert_eq!((watched.total(), &watched.pace, &watched.sightings), (anew.total(), &anew.pace, &anew.sightings));
            assert_eq!(watched.total().runs, 2 * seed + 2);
        }
        part.end("done").unwrap();
        watched.refresh().unwrap();
        let process = watched.processes.values().next().unwrap();
        assert_eq!((process.runs, process.end.as_ref().map(|end| end.why.as_str())), (10, Some("done")));
        assert_eq!(watched.left(watched.plans.values().next().unwrap()), Some(0));
        let (group, status) = watched.groups().remove(0);
        assert_eq!((group.count(), status, group.first().seed), (5, Status::New, 5));
    }

    #[test]
    fn half_a_line_waits_for_its_other_half() {
        let home = tempfile::tempdir().unwrap();
        let name = Part::create(home.path(), "runs", "p1", begin("f")).unwrap().name;
        let path = home.path().join(&name);
        let mut bytes = std::fs::read(&path).unwrap();
        let text = run(run_line("baseline", 1)).text();
        let (first, second) = text.split_at(50);
        bytes.extend(first.as_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let mut directory = Directory::open(home.path()).unwrap();
        assert_eq!((directory.total().runs, directory.processes[&name].torn), (0, 50));
        bytes.extend(second.as_bytes());
        std::fs::write(&path, &bytes).unwrap();
        directory.refresh().unwrap();
        assert_eq!((directory.total().runs, directory.processes[&name].torn, directory.damage.len()), (1, 0, 0));
    }

    #[test]
    fn a_slow_run_is_told_until_somebody_has_finished_it() {
        let home = tempfile::tempdir().unwrap();
        let slow = |at_ms| Line::Slow(SlowLine { scenario: "baseline".to_owned(), seed: 5, since_ms: 1000, at_ms });
        let mut part = Part::create(home.path(), "runs", "p1", begin("f")).unwrap();
        part.append(&[slow(11_000), slow(21_000)]).unwrap();
        let mut directory = Directory::open(home.path()).unwrap();
        assert_eq!(directory.slow().map(|slow| (slow.seed, slow.at_ms)).collect::<Vec<_>>(), [(5, 21_000)]);
        Part::create(home.path(), "runs", "p1", begin("f")).unwrap().append(&[run(run_line("baseline", 5))]).unwrap();
        directory.refresh().unwrap();
        assert_eq!(directory.slow().count(), 0);
    }

    #[test]
    fn a_dropped_file_is_forgotten_whichever_line_is_read_first() {
        let kept = |line: RunLine| RunLine { file: Some(format!("kept/p1/{}", line.seed)), ..line };
        let lines = [run(kept(run_line("baseline", 4))), run(kept(run_line("baseline", 5))), run(kept(failing(6)))];
        let dropped = [5, 6].map(|seed| {
            let file = format!("kept/p1/{seed}");
            Line::Dropped(DroppedLine { scenario: "baseline".to_owned(), seed, file, at_ms: 1_796_000_000_000 })
        });
        for orders in [[&lines[..], &dropped[..]], [&dropped[..], &lines[..]]] {
            let home = tempfile::tempdir().unwrap();
            let mut part = Part::create(home.path(), "runs", "p1", begin("f")).unwrap();
            for lines in orders {
                part.append(lines).unwrap();
            }
            let directory = Directory::open(home.path()).unwrap();
            assert_eq!(directory.scenarios["baseline"].kept, [(4, "kept/p1/4".to_owned())]);
            assert_eq!((directory.groups()[0].0.first().seed, &directory.groups()[0].0.first().file), (6, &None));
            assert!(directory.damage.is_empty() && directory.dropped().len() == 2);
        }
    }

    #[test]
    fn a_run_in_two_files_counts_once_and_a_difference_is_told() {
        let home = tempfile::tempdir().unwrap();
        for line in [run_line("baseline", 5), failing(5), run_line("baseline", 5)] {
            Part::create(home.path(), "runs", "p1", begin("f")).unwrap().append(&[run(line)]).unwrap();
        }
        let directory = Directory::open(home.path()).unwrap();
        assert_eq!((directory.total().runs, directory.total().failed, directory.groups().len()), (1, 1, 1));
        assert!(!directory.conflicts.is_empty());
        // Another family is another run.
        Part::create(home.path(), "runs", "p1", begin("g")).unwrap().append(&[run(failing(5))]).unwrap();
        let directory = Directory::open(home.path()).unwrap();
        assert_eq!((directory.total().runs, directory.groups()[0].0.count()), (2, 2));
    }
}
