//! What a campaign tells: the same events for people, for programs, or one line each.
//!
//! The campaign says what happened and never how it looks; here is the only place that prints results.

mod compact;
mod human;
mod json;

use crate::args::Form;
use crate::campaign::plan::{Plan, path_word};
use crate::checkpoint::Checkpoint;
use crate::rig::JudgedRun;
use crate::seeds::SeedRange;
use crate::tally::Failure;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use vopr_check::exit::Exit;
use vopr_check::inputs;
use vopr_check::shell;
use vopr_check::terminal::{Paint, Sink};
use vopr_checker::Report;
use vopr_checker::situations::{Coverage, Situation};

pub use json::{FORMAT, tagged};

/// Directory that the printed commands record single runs in.
const FAILURES: &str = "failures";

/// What came of a campaign.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The outcome.
    pub exit: Exit,
    /// What is done, over all processes that worked on the campaign.
    pub state: &'a Checkpoint,
    /// What this process has judged.
    pub report: &'a Report,
    /// The situations that the campaign's runs came into.
    pub situations: &'a Coverage,
    /// Situations that must have come about.
    pub required: &'a [Situation],
    /// Whether runs were checked.
    pub checked: bool,
    /// Time of this process.
    pub elapsed: Duration,
    /// Threads that simulated.
    pub threads: usize,
    /// Why it could not go on.
    pub broke: Option<&'a str>,
    /// Commands for what is left, empty when nothing is.
    pub resume: Vec<String>,
}

/// The commands that belong to a failure; each works when pasted, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// Simulates the run again and shows the witness.
    pub reproduce: String,
    /// Records the run's history, where that has not been done.
    pub record: Option<String>,
    /// Judges the recorded history.
    pub check: String,
    /// Names likely causes, if the run is kept as a bundle.
    pub diagnose: Option<String>,
    /// Makes the saved run smaller, where one was saved.
    pub minimize: Option<String>,
}

/// Prints a campaign in one form.
#[derive(Debug)]
pub struct Renderer {
    form: Form,
    verbose: bool,
    sink: Sink<'static>,
    paint: Paint,
    /// Failures of each group that were told; none where somebody else groups them.
    groups: Option<BTreeMap<String, Group>>,
}

/// Failures of one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    count: u64,
    /// Seed and scenario of its first run: that of the lowest seed, in whatever order the threads came to them.
    first: (u64, String),
}

impl Renderer {
    /// Prints to standard output.
    #[must_use]
    pub fn new(form: Form, verbose: bool) -> Self {
        Self { form, verbose, sink: Sink::stdout(), paint: Paint::for_stdout(), groups: None }
    }

    /// Tells the first failure of each group whole, and of the others one line each.
    #[must_use]
    pub fn grouping(self) -> Self {
        Self { groups: Some(BTreeMap::new()), ..self }
    }

    /// The campaign is about to begin; `resumed` is what an earlier process has done of it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn started(&mut self, plan: &Plan, resumed: Option<&Checkpoint>) -> io::Result<()> {
        match self.form {
            Form::Human => human::started(plan, resumed, self.paint, &mut self.sink)?,
            Form::Json => json::started(plan, resumed, &mut self.sink)?,
            Form::Compact => compact::started(plan, &mut self.sink)?,
        }
        let records = resumed.into_iter().flat_map(|state| &state.scenarios).flat_map(|scenario| &scenario.done);
        for failure in records.flat_map(|record| &record.failures) {
            self.failure(plan, failure, None)?;
        }
        Ok(())
    }

    /// Whether anything is printed for this run.
    #[must_use]
    pub fn has_to_say(&self, run: &JudgedRun) -> bool {
        self.verbose || run.failure.is_some()
    }

    /// A run is done.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn run(&mut self, plan: &Plan, scenario: &str, run: &JudgedRun) -> io::Result<()> {
        if self.verbose {
            match self.form {
                Form::Human => human::run(scenario, run, self.paint, &mut self.sink)?,
                Form::Json => json::run(scenario, run, &mut self.sink)?,
                Form::Compact => {}
            }
        }
        match &run.failure {
            Some(failure) => self.failure(plan, failure, Some(run)),
            None => Ok(()),
        }
    }

    fn failure(&mut self, plan: &Plan, failure: &Failure, run: Option<&JudgedRun>) -> io::Result<()> {
        let commands = commands(plan, failure);
        let told = self.groups.as_mut().map(|groups| count(groups, failure));
        match self.form {
            Form::Human => {
                let verbose = run.filter(|_| self.verbose);
                match told {
                    Some((group, count)) if count > 1 && !self.verbose => {
                        self.sink.line(&human::again(failure, (&group, count), self.paint))
                    }
                    told => human::failure(failure, (&commands, told.map(|(group, _)| group)), verbose, self.paint, &mut self.sink),
                }
            }
            Form::Json => json::failure(failure, &commands, run, &mut self.sink),
            Form::Compact => compact::failure(failure, &commands, &mut self.sink),
        }
    }

    /// The campaign is over.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn finished(&mut self, summary: &Summary<'_>) -> io::Result<()> {
        match self.form {
            Form::Human => {
                let groups = self.groups.take().unwrap_or_default();
                human::finished(summary, &groups, self.verbose, self.paint, &mut self.sink)
            }
            Form::Json => json::finished(summary, &mut self.sink),
            Form::Compact => compact::finished(summary, &mut self.sink),
        }
    }
}

/// Counts a failure; its group, and which of the group's it is. Checkpoints of earlier versions know the invariant alone.
fn count(groups: &mut BTreeMap<String, Group>, failure: &Failure) -> (String, u64) {
    let name = failure.group.clone().unwrap_or_else(|| failure.invariant.clone());
    let own = (failure.seed, failure.scenario.clone());
    let group = groups.entry(name.clone()).or_insert_with(|| Group { count: 0, first: own.clone() });
    group.first = core::mem::take(&mut group.first).min(own);
    group.count += 1;
    (name, group.count)
}

/// What to type after a failure.
#[must_use]
pub fn commands(plan: &Plan, failure: &Failure) -> Commands {
    let seeds = SeedRange { first: failure.seed, count: 1 };
    let reproduce = plan.command_of(&failure.scenario, seeds, &["--verbose"]);
    let seed = failure.seed.to_string();
    if let Some(file) = &failure.file {
        let (file, smaller) = (path_word(file.as_ref()), path_word(&inputs::minimized(file.as_ref(), None)));
        return Commands {
            reproduce: shell::command(["vopr", "repro", &file]),
            record: None,
            check: shell::command(["vopr-check", &file]),
            diagnose: Some(shell::command(["vopr", "diagnose", &file])),
            minimize: Some(shell::command(["vopr", "minimize", &file, "-o", &smaller])),
        };
    }
    if let Some(out) = &plan.out {
        let check = shell::command(["vopr-check", &path_word(out), "--scenario", &failure.scenario, "--seed", &seed]);
        return Commands { reproduce, record: None, check, diagnose: None, minimize: None };
    }
    let record = plan.command_of(&failure.scenario, seeds, &["--out", FAILURES]);
    let file = format!("{FAILURES}/{}", vopr_schema::write::file_name(&failure.scenario, failure.seed, 1));
    Commands { reproduce, record: Some(record), check: shell::command(["vopr-check", &file]), diagnose: None, minimize: None }
}
