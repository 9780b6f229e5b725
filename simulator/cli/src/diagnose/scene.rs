//! One run as the hypotheses see it: its rows, and never the row that says which guard was off.

use core::ops::Range;
use vopr_checker::{RunIndex, Step};
use vopr_schema::{Dictionary, Fate, History, Kind, Run, StorageAccesses, StorageIo, StorageOutcome, TransitionEvent};
use vopr_sim::network::FIRST_CLIENT;

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

/// An end of a link in words: a replica, or a client, by its number in its tenant where the run's options tell them apart.
pub(crate) fn end_words(run: &Run, end: u32) -> String {
    let Some(index) = end.checked_sub(FIRST_CLIENT.into()) else { return format!("replica {end}") };
    let options = serde_json::from_str::<serde_json::Value>(&run.options).ok();
    let of_tenant = options.and_then(|options| options.pointer("/cluster/clients_per_tenant")?.as_u64()).filter(|clients| *clients > 0);
    match of_tenant {
        Some(clients) => format!("client {} of tenant {}", u64::from(index) % clients, u64::from(index) / clients),
        None => format!("client {index}"),
    }
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
    /// What happened, with its numbers: the first time, unless another time was asked for.
    pub sentence: String,
    /// The rows that show it, in the order of the story.
    pub rows: Vec<Step>,
    /// How often it happened.
    pub times: u64,
    /// Sentence and rows of the other times, in the order in which they were found.
    others: Vec<(String, Vec<Step>)>,
}

impl Sign {
    /// Rows that break a rule by themselves.
    pub fn proven(sentence: impl Into<String>) -> Self {
        Self { strength: Strength::Proven, sentence: sentence.into(), rows: Vec::new(), times: 1, others: Vec::new() }
    }

    /// Rows that are hard to explain otherwise.
    pub fn likely(sentence: impl Into<String>) -> Self {
        Self { strength: Strength::Likely, ..Self::proven(sentence) }
    }

    /// Rows that would fit something else as well.
    pub fn possible(sentence: impl Into<String>) -> Self {
        Self { strength: Strength::Possible, ..Self::proven(sentence) }
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

    /// The first of several, which knows of the others.
    pub fn first(signs: impl Iterator<Item = Self>) -> Option<Self> {
        let mut signs = signs;
        let mut first = signs.next()?;
        for other in signs {
            first.times += 1;
            first.others.push((other.sentence, other.rows));
        }
        Some(first)
    }

    /// The time that led to this witness, as far as rows say it: one that cites a row of the witness, else one about the same op on
    /// the same replica, else the last one before the end of the witness; the first one where none of them is.
    #[must_use]
    pub fn nearest(mut self, history: &History, run: usize, witness: &[Step]) -> Self {
        let Some(end) = witness.iter().map(|step| step.seq).max() else { return self };
        let place = |step: &Step| Some((step.replica?, op_of(history, run, step)?));
        let cited: Vec<(Kind, u64)> = witness.iter().map(|step| (step.kind, step.seq)).collect();
        let places: Vec<(u8, u64)> = witness.iter().filter_map(place).collect();
        let fits = |rows: &[Step]| {
            let begun = rows.iter().map(|step| step.seq).max().is_some_and(|last| last <= end);
            let is_cited = rows.iter().any(|step| cited.contains(&(step.kind, step.seq)));
            // Its last row may say what came of it later.
            let is_there = rows.iter().any(|step| step.seq <= end) && rows.iter().filter_map(place).any(|place| places.contains(&place));
            (is_cited, is_there, begun)
        };
        let own = (fits(&self.rows), 0);
        // Of those that are cited, or about the op, the first; of those that only came before, the last.
        let better = self.others.iter().enumerate().map(|(at, (_, rows))| (fits(rows), at + 1)).fold(own, |best, other| {
            let is_later = other.0 == best.0 && other.0 == (false, false, true);
            if other.0 > best.0 || is_later { other } else { best }
        });
        if let Some(other) = better.1.checked_sub(1) {
            (self.sentence, self.rows) = self.others.swap_remove(other);
        }
        self
    }

    /// Position of the last row that it takes to see it.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.rows.iter().map(|step| step.seq).max().unwrap_or(u64::MAX)
    }
}

/// The op number that a row is about.
fn op_of(history: &History, run: usize, step: &Step) -> Option<u64> {
    match step.kind {
        Kind::Message => history.messages.row_at(run, step.seq).and_then(|row| history.messages.op.get(row)),
        Kind::Transition => history.transitions.row_at(run, step.seq).and_then(|row| history.transitions.op.get(row)),
        Kind::Storage => history.storage.row_at(run, step.seq).and_then(|row| history.storage.op.get(row)),
        _ => None,
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
        let person = table.tenant.get(row).zip(table.client.get(row));
        let end = |end: u16| match person {
            Some((tenant, client)) if end >= FIRST_CLIENT => format!("client {client} of tenant {tenant}"),
            _ => end_words(self.index.meta(), end.into()),
        };
        self.index.message_step(row, format!("{name}{op} from {} to {}{changed}{words}", end(table.from[row]), end(table.to[row])))
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

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{Run, TransitionRow};

    /// Replica 1 does something about ops 5, 6, 7, 8 and once more 6, at rows 10, 20, 30, 40 and 50.
    fn history() -> History {
        let mut history = History::default();
        for (seq, op) in [(10, 5), (20, 6), (30, 7), (40, 8), (50, 6)] {
            history.transitions.push(TransitionRow { seq, replica: 1, op: Some(op), ..TransitionRow::default() });
        }
        history.close_run(Run { replicas: 3, ..Run::default() });
        history
    }

    fn step(seq: u64) -> Step {
        Step::new(Kind::Transition, seq, format!("row {seq}")).on(1)
    }

    #[test]
    fn a_cause_is_told_where_it_led_to_the_witness() {
        let history = history();
        let signs = [10, 20, 30, 40].map(|seq| Sign::proven(format!("at {seq}")).row(step(seq)));
        let sign = Sign::first(signs.into_iter()).unwrap();
        let near = |witness: &[u64]| {
            let witness: Vec<Step> = witness.iter().map(|seq| step(*seq)).collect();
            let near = sign.clone().nearest(&history, 0, &witness);
            assert_eq!((near.times, near.rows.len()), (4, 1));
            near.sentence
        };
        assert_eq!(near(&[]), "at 10", "nothing is cited: the first");
        assert_eq!(near(&[30, 39]), "at 30", "a row of the witness");
        assert_eq!(near(&[50]), "at 20", "the op and the replica of the witness");
        assert_eq!(near(&[35]), "at 30", "the last one before");
        assert_eq!(near(&[5]), "at 10", "all came behind: the first");
    }

    #[test]
    fn the_ends_of_a_link_are_called_what_they_are() {
        let run = |options: &str| Run { options: options.to_owned(), ..Run::default() };
        let of_three = run(r#"{"cluster":{"clients_per_tenant":3}}"#);
        assert_eq!(end_words(&of_three, 2), "replica 2");
        assert_eq!(end_words(&of_three, 1_004), "client 1 of tenant 1");
        assert_eq!(end_words(&run(""), 1_004), "client 4");
    }
}
