//! One run as the hypotheses see it: its rows, and never the row that says which guard was off.

use core::ops::Range;
use vopr_checker::{RunIndex, Step};
use vopr_schema::{Dictionary, Fate, History, StorageAccesses, StorageIo, StorageOutcome, TransitionEvent};

/// A copy of one run from which everything is removed that names a planted bug: the run's own row, and its options.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn blind(history: &History, run: usize) -> History {
    let mut blind = vopr_schema::cut::run(history, run, u64::MAX);
    let meta = &mut blind.runs[0];
    meta.bug = None;
    meta.scenario.clear();
    if let Ok(mut options) = serde_json::from_str::<serde_json::Value>(&meta.options) {
        if let Some(options) = options.as_object_mut() {
            options.remove("bug");
            options.remove("scenario");
        }
        meta.options = options.to_string();
    }
    blind
}

/// Whether an access is a read that returned something else than what had been written.
pub(super) fn is_damaged_read(table: &StorageAccesses, access: usize) -> bool {
    let is_good = matches!(table.outcome.get(access), StorageOutcome::Ok | StorageOutcome::Slow | StorageOutcome::Failed);
    table.io.get(access) == StorageIo::Read && !is_good
}

/// How sure a sign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// The rows fit, and would fit something else as well.
    Possible,
    /// Hard to explain otherwise.
    Likely,
    /// The cited rows break the rule by themselves.
    Proven,
}

impl Strength {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Proven => "proven",
        }
    }
}

/// What a hypothesis found in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// How sure it is.
    pub strength: Strength,
    /// What happened the first time, with its numbers.
    pub sentence: String,
    /// The rows that show it, in the order of the story.
    pub rows: Vec<Step>,
    /// How often it happened.
    pub times: u64,
}

impl Sign {
    /// Rows that break a rule by themselves.
    pub fn proven(sentence: impl Into<String>) -> Self {
        Self { strength: Strength::Proven, sentence: sentence.into(), rows: Vec::new(), times: 1 }
    }

    /// Rows that are hard to explain otherwise.
    pub fn likely(sentence: impl Into<String>) -> Self {
        Self { strength: Strength::Likely, ..Self::proven(sentence) }
    }

    /// Cites a row.
    #[must_use]
    pub fn row(mut self, step: Step) -> Self {
        self.rows.push(step);
        self
    }

    /// Cites a row, if there is one.
    #[must_use]
    pub fn row_if(mut self, step: Option<Step>) -> Self {
        self.rows.extend(step);
        self
    }

    /// The first of several, and how many there were.
    pub fn first(signs: impl Iterator<Item = Self>) -> Option<Self> {
        let mut signs = signs;
        let mut first = signs.next()?;
        first.times += signs.count() as u64;
        Some(first)
    }

    /// Position of the last row that it takes to see it.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.rows.iter().map(|step| step.seq).max().unwrap_or(u64::MAX)
    }
}

/// One run.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Its rows and tables.
    pub index: RunIndex<'a>,
}

impl<'a> Scene<'a> {
    /// The only run of a history made by [`blind`].
    #[must_use]
    pub fn new(blind: &'a History) -> Self {
        Self { index: RunIndex::new(blind, 0) }
    }

    /// A number that the run's options hold, by its path.
    #[must_use]
    pub fn option(&self, path: &str) -> Option<f64> {
        serde_json::from_str::<serde_json::Value>(&self.index.meta().options).ok()?.pointer(path)?.as_f64()
    }

    /// Slots of the log ring; as many as there are op numbers when the options do not say.
    #[must_use]
    pub fn ring(&self) -> u64 {
        let slots = self.option("/cluster/log_slots").filter(|slots| *slots >= 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number of slots")]
        slots.map_or(u64::MAX, |slots| slots as u64)
    }

    /// Whether a message arrived and was not refused.
    #[must_use]
    pub fn taken(&self, row: usize) -> bool {
        let table = self.index.messages();
        table.fate.get(row) == Fate::Delivered && table.reject_reason.get(row).is_none()
    }

    /// Messages to replicas that arrived and were not refused.
    pub fn taken_rows(&self) -> impl Iterator<Item = usize> + '_ {
        let replicas = self.index.replicas();
        self.index.message_rows().filter(move |row| self.taken(*row) && usize::from(self.index.messages().to[*row]) < replicas)
    }

    /// The message that a transition names as its cause.
    #[must_use]
    pub fn cause(&self, transition: usize) -> Option<usize> {
        self.index.transitions().cause.get(transition).and_then(|id| self.index.deliveries().message(id))
    }

    /// A message as a step, in words.
    #[must_use]
    pub fn message(&self, row: usize, words: &str) -> Step {
        let table = self.index.messages();
        let op = table.op.get(row).map_or_else(String::new, |op| format!(" of op {op}"));
        let changed = table.mutation.get(row).map_or_else(String::new, |what| format!(", changed on its way ({what})"));
        let name = table.command.get(row).name();
        self.index.message_step(row, format!("{name}{op} from {} to {}{changed}{words}", table.from[row], table.to[row]))
    }

    /// A transition as a step.
    #[must_use]
    pub fn transition(&self, row: usize, words: impl Into<String>) -> Step {
        self.index.transition_step(row, words)
    }

    /// What the replica of a transition does at the same moment, from that row on (the row itself included).
    pub fn same_step(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let table = self.index.transitions();
        let (replica, time) = (table.replica[row], table.time_ns[row]);
        (row..self.index.transition_rows().end)
            .take_while(move |other| table.time_ns[*other] == time)
            .filter(move |other| table.replica[*other] == replica)
    }

    /// Later rows of the same incarnation of the same replica.
    pub fn afterwards(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let table = self.index.transitions();
        let (replica, incarnation) = (table.replica[row], table.incarnation[row]);
        (row + 1..self.index.transition_rows().end)
            .filter(move |other| table.replica[*other] == replica)
            .take_while(move |other| table.incarnation[*other] == incarnation)
    }

    /// All transitions.
    #[must_use]
    pub fn transitions(&self) -> Range<usize> {
        self.index.transition_rows()
    }

    /// What a transition is.
    #[must_use]
    pub fn event(&self, row: usize) -> TransitionEvent {
        self.index.transitions().event.get(row)
    }
}
