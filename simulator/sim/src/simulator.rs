//! The simulator as a library: requests in, summaries (and histories) out.
//!
//! A request is options and plan, nothing else: drawn from a scenario and a seed, or taken from a recorded run. Everything
//! that happens follows from it.

mod possible;

use crate::bugs::{self, UnknownBug};
use crate::entropy::STREAMS_VERSION;
use crate::fault_plan::{FaultPlan, draw_plan};
use crate::options::RunOptions;
use crate::panics;
use crate::scenario::{Overrides, Scenario};
use crate::workload_plan::WorkloadPlan;
use crate::world::World;
use vopr_schema::{Ended, History, Run};

/// One run to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRequest {
    /// Every drawn value.
    pub options: RunOptions,
    /// What is injected when.
    pub plan: FaultPlan,
    /// What clients do when; none: it is drawn from their streams while they work.
    pub workload: Option<WorkloadPlan>,
}

/// Why a run cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No guard has this name.
    #[error(transparent)]
    UnknownBug(#[from] UnknownBug),
    /// The options of a recorded run cannot be read.
    #[error("the recorded options cannot be read: {0}")]
    Options(#[source] serde_json::Error),
    /// The plan of a recorded run cannot be read.
    #[error("the recorded fault plan cannot be read: {0}")]
    Plan(#[source] serde_json::Error),
    /// The run was recorded with other random streams.
    #[error("the run was recorded with version {0} of the random streams; this program has version {STREAMS_VERSION}")]
    Streams(u32),
    /// Options that no world can be built from.
    #[error("the options make no world: {0}")]
    Impossible(&'static str),
}

impl RunRequest {
    /// The run of `seed` in `scenario`.
    ///
    /// # Errors
    /// [`RequestError::UnknownBug`], and [`RequestError::Impossible`] for overrides that contradict each other.
    pub fn new(scenario: &Scenario, seed: u64, overrides: &Overrides) -> Result<Self, RequestError> {
        let options = scenario.draw(seed, overrides);
        let plan = draw_plan(scenario, &options);
        Self { options, plan, workload: None }.validated()
    }

    /// A recorded run once more, from its row alone: nothing is drawn again but the streams of single accesses.
    ///
    /// # Errors
    /// The row's options or plan cannot be read, or belong to another version of the random streams.
    pub fn recorded(run: &Run) -> Result<Self, RequestError> {
        if run.streams_version != STREAMS_VERSION {
            return Err(RequestError::Streams(run.streams_version));
        }
        let options = RunOptions::from_json(&run.options).map_err(RequestError::Options)?;
        let plan = FaultPlan::from_json(&run.plan).map_err(RequestError::Plan)?;
        Self { options, plan, workload: None }.validated_with_times()
    }

    /// The same run with a workload that is planned instead of drawn, or with other options or faults.
    ///
    /// # Errors
    /// [`RequestError::UnknownBug`], and [`RequestError::Impossible`] when the parts do not belong together.
    pub fn planned(options: RunOptions, plan: FaultPlan, workload: WorkloadPlan) -> Result<Self, RequestError> {
        Self { options, plan, workload: Some(workload) }.validated_with_times()
    }

    /// The same for what no scenario has drawn: nobody has looked at its times yet.
    fn validated_with_times(self) -> Result<Self, RequestError> {
        let request = self.validated()?;
        request.has_possible_times().map_err(RequestError::Impossible)?;
        Ok(request)
    }

    fn validated(self) -> Result<Self, RequestError> {
        if let Some(bug) = &self.options.bug {
            bugs::find(bug)?;
        }
        self.possible().map_err(RequestError::Impossible)?;
        Ok(self)
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Why the run ended.
    pub ended: Ended,
    /// Reason of a stuck run, place and message of a panic.
    pub ended_detail: Option<String>,
    /// Simulated events.
    pub events: u64,
    /// Messages that left a sender, copies not counted.
    pub messages: u64,
    /// Operations that clients invoked.
    pub operations_invoked: u64,
    /// Operations that returned and happened.
    pub operations_ok: u64,
    /// Operations that the state machine refused.
    pub operations_error: u64,
    /// Operations that never returned, or returned without an answer.
    pub operations_unknown: u64,
    /// Virtual time of the end, nanoseconds.
    pub end_time_ns: u64,
    /// Virtual time at which the heal phase began.
    pub heal_time_ns: Option<u64>,
    /// Stalls in the safety phase, each while a quorum was well.
    pub stalls: u64,
    /// Injected faults by family, in the order of [`vopr_schema::FaultFamily`].
    pub faults_by_family: [u64; 7],
    /// A cheap hash over all events, recorded or not: equal for equal runs.
    pub trace: u64,
    /// Digest of the recorded run; none when it was not recorded.
    pub digest: Option<[u8; 32]>,
    /// Rows that the run added to the history.
    pub rows: usize,
}

/// Simulates one run after another on one thread, reusing memory.
#[derive(Default)]
pub struct Simulator {
    world: Option<World>,
}

impl Simulator {
    /// A simulator without a past.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Simulates a run; with a history its rows are appended there. A panic of the system under test ends the run, not the
    /// program: it is told in the summary and in the run's row.
    pub fn simulate(&mut self, request: &RunRequest, history: Option<&mut History>) -> RunSummary {
        let world = World::new(request, self.world.take());
        self.run(world, request, history)
    }

    /// The same, and writes down what clients did when: with that plan in its place the workload need not be drawn again.
    pub fn simulate_logged(&mut self, request: &RunRequest, history: Option<&mut History>) -> (RunSummary, WorkloadPlan) {
        let mut world = World::new(request, self.world.take());
        world.workload_log = Some(WorkloadPlan::idle(request.options.clients()));
        let summary = self.run(world, request, history);
        let log = self.world.as_mut().and_then(|world| world.workload_log.take());
        (summary, log.unwrap_or_default())
    }

    fn run(&mut self, mut world: World, request: &RunRequest, history: Option<&mut History>) -> RunSummary {
        let mut history = history;
        let rows_before = history.as_deref().map_or(0, History::rows);
        world.recorder.begin(history.as_deref_mut());
        let (ended, detail) = match panics::catch(|| world.run()) {
            Ok(end) => end,
            Err(message) => (Ended::Panicked, Some(message)),
        };
        let run = run_row(&world, request, ended, detail.clone());
        let digest = world.recorder.finish(run, history.as_deref_mut());
        let summary = RunSummary {
            ended,
            ended_detail: detail,
            events: world.events,
            messages: world.messages_sent,
            operations_invoked: world.operations_invoked,
            operations_ok: world.operations_ok,
            operations_error: world.operations_error,
            operations_unknown: world.operations_invoked - world.operations_ok - world.operations_error,
            end_time_ns: world.now_ns,
            heal_time_ns: world.heal_time_ns,
            stalls: world.stalls,
            faults_by_family: world.faults_by_family,
            trace: world.trace,
            digest,
            rows: history.as_deref().map_or(0, History::rows) - rows_before,
        };
        self.world = Some(world);
        summary
    }
}

fn run_row(world: &World, request: &RunRequest, ended: Ended, ended_detail: Option<String>) -> Run {
    let options = &request.options;
    Run {
        scenario: options.scenario.clone(),
        seed: options.seed,
        replicas: options.cluster.replicas,
        standbys: options.cluster.standbys,
        clients: options.clients(),
        tenants: options.cluster.tenants,
        bug: options.bug.clone(),
        options: options.to_json(),
        plan: request.plan.to_json(),
        streams_version: STREAMS_VERSION,
        end_time_ns: world.now_ns,
        heal_time_ns: world.heal_time_ns,
        events: world.events,
        ended,
        ended_detail,
        ..Run::default()
    }
}
