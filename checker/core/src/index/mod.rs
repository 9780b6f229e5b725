//! One run, prepared for all invariants: its rows, and dense tables built at most once and shared.
//!
//! Invariants sweep columns and look up by op number, entry, message and request in constant time; nobody hashes, nobody
//! builds a table twice. Every look-up survives arbitrary values: what does not fit a table is simply not in it.

mod committed;
mod configurations;
mod deliveries;
mod entries;
mod events;
mod grid;
mod journal;
mod questions;
mod requests;
mod states;
mod testimony;
mod well_formed;

pub use committed::CommittedLog;
pub use configurations::{Configuration, Configurations, members};
pub use deliveries::{Deliveries, Vote, is_as_sent};
pub use entries::{Entries, EntryId};
pub use events::EventSet;
pub use grid::Grid;
pub use journal::{APPLIED_REQUESTS, Journal, RequestName, applied_request, is_read, operation_request};
pub use questions::QuestionEnd;
pub use requests::Requests;
pub use states::{States, Transfer};
pub use testimony::{Statement, Testimony};
pub use well_formed::{Defect, IllFormed};

use crate::imported::Imported;
use crate::models::layout::Layout;
use crate::replay::Replay;
use crate::witness::Step;
use crate::writers::Writers;
use core::ops::Range;
use std::sync::OnceLock;
use vopr_schema::{FaultKind, Faults, History, Kind, Messages, Operations, Run, StorageAccesses, TransitionEvent, Transitions};

/// Replicas that a run may number: their sets are recorded as 32 bits.
pub const REPLICAS_MAX: usize = 32;

/// One run and its tables.
#[derive(Debug)]
pub struct RunIndex<'a> {
    history: &'a History,
    run: usize,
    replicas: usize,
    ops: usize,
    ill_formed: Option<IllFormed>,
    configurations: OnceLock<Configurations>,
    entries: OnceLock<Entries>,
    committed: OnceLock<CommittedLog>,
    deliveries: OnceLock<Deliveries>,
    requests: OnceLock<Requests>,
    testimony: OnceLock<Testimony>,
    states: OnceLock<States>,
    journal: OnceLock<Journal>,
    diverged: OnceLock<Option<(usize, usize)>>,
    imported: OnceLock<Option<Imported>>,
    layout: OnceLock<Option<Layout>>,
    replay: OnceLock<Option<Replay>>,
    writers: OnceLock<Writers>,
}

impl<'a> RunIndex<'a> {
    /// Prepares run `run` of `history`: one pass over its rows tests that they can be numbered and ordered.
    ///
    /// # Panics
    /// When the history has no such run.
    #[must_use]
    pub fn new(history: &'a History, run: usize) -> Self {
        let meta = &history.runs[run];
        let survey = well_formed::survey(history, run);
        let named = usize::from(meta.replicas) + usize::from(meta.standbys);
        Self {
            history,
            run,
            replicas: named.max(survey.replicas).min(REPLICAS_MAX),
            ops: survey.ops,
            ill_formed: survey.ill_formed,
            configurations: OnceLock::new(),
            entries: OnceLock::new(),
            committed: OnceLock::new(),
            deliveries: OnceLock::new(),
            requests: OnceLock::new(),
            testimony: OnceLock::new(),
            states: OnceLock::new(),
            journal: OnceLock::new(),
            diverged: OnceLock::new(),
            imported: OnceLock::new(),
            layout: OnceLock::new(),
            replay: OnceLock::new(),
            writers: OnceLock::new(),
        }
    }

    /// The run's own row.
    #[must_use]
    pub fn meta(&self) -> &'a Run {
        &self.history.runs[self.run]
    }

    /// What another system's run is; none for a run of our own.
    #[must_use]
    pub fn imported(&self) -> Option<&Imported> {
        self.imported.get_or_init(|| Imported::of_run(self.meta())).as_ref()
    }

    /// The whole history; rows of other runs are in it too.
    #[must_use]
    pub fn history(&self) -> &'a History {
        self.history
    }

    /// Number of this run in the history.
    #[must_use]
    pub fn run(&self) -> usize {
        self.run
    }

    /// What makes the rows impossible to order or number, if anything does.
    #[must_use]
    pub fn ill_formed(&self) -> Option<&IllFormed> {
        self.ill_formed.as_ref()
    }

    /// Replicas that take part, standbys and later members included: every replica of a well-formed run is below it.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// Voting members of epoch 0.
    #[must_use]
    pub fn members(&self) -> usize {
        usize::from(self.meta().replicas)
    }

    /// The primary of a view, in every epoch; none in a run without members. Views whose primary does not vote are passed over.
    #[inline]
    #[must_use]
    pub fn primary(&self, view: u64) -> Option<u8> {
        let members = u64::from(self.meta().replicas) + u64::from(self.meta().standbys);
        if members == 0 { None } else { u8::try_from(view % members).ok() }
    }

    /// Members whose agreement decides in epoch 0: more than half.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.members() / 2 + 1
    }

    /// One more than the largest op number that a table of this run holds. Op numbers far beyond what the run's rows could
    /// have filled are in no table.
    #[must_use]
    pub fn ops(&self) -> usize {
        self.ops
    }

    /// An op number as an index into tables of [`Self::ops`] places, if it is in them.
    #[inline]
    #[must_use]
    pub fn op_index(&self, op: u64) -> Option<usize> {
        usize::try_from(op).ok().filter(|op| *op < self.ops)
    }

    /// The operation table; see [`Self::operation_rows`].
    #[must_use]
    pub fn operations(&self) -> &'a Operations {
        &self.history.operations
    }

    /// The message table; see [`Self::message_rows`].
    #[must_use]
    pub fn messages(&self) -> &'a Messages {
        &self.history.messages
    }

    /// The transition table; see [`Self::transition_rows`].
    #[must_use]
    pub fn transitions(&self) -> &'a Transitions {
        &self.history.transitions
    }

    /// The storage table; see [`Self::storage_rows`].
    #[must_use]
    pub fn storage(&self) -> &'a StorageAccesses {
        &self.history.storage
    }

    /// The fault table; see [`Self::fault_rows`].
    #[must_use]
    pub fn faults(&self) -> &'a Faults {
        &self.history.faults
    }

    /// This run's rows in the operation table.
    #[must_use]
    pub fn operation_rows(&self) -> Range<usize> {
        self.history.operations.rows_of_run(self.run)
    }

    /// This run's rows in the message table.
    #[must_use]
    pub fn message_rows(&self) -> Range<usize> {
        self.history.messages.rows_of_run(self.run)
    }

    /// This run's rows in the transition table.
    #[must_use]
    pub fn transition_rows(&self) -> Range<usize> {
        self.history.transitions.rows_of_run(self.run)
    }

    /// This run's rows in the storage table.
    #[must_use]
    pub fn storage_rows(&self) -> Range<usize> {
        self.history.storage.rows_of_run(self.run)
    }

    /// This run's rows in the fault table.
    #[must_use]
    pub fn fault_rows(&self) -> Range<usize> {
        self.history.faults.rows_of_run(self.run)
    }

    /// Whether a fault had put an empty disk in the place of a replica's own before it `started` in this row.
    #[must_use]
    pub fn was_replaced(&self, start: usize) -> bool {
        let (table, faults) = (self.transitions(), self.faults());
        let is_own = |row: &usize| faults.target.get(*row) == Some(u32::from(table.replica[start])) && faults.seq[*row] < table.seq[start];
        self.fault_rows().filter(is_own).any(|row| faults.fault.get(row) == FaultKind::Reformat)
    }

    /// Which members vote in which epoch.
    pub fn configurations(&self) -> &Configurations {
        self.configurations.get_or_init(|| Configurations::build(self))
    }

    /// The log entries that the transitions name.
    pub fn entries(&self) -> &Entries {
        self.entries.get_or_init(|| Entries::build(self))
    }

    /// Where each op number was first committed and applied.
    pub fn committed(&self) -> &CommittedLog {
        self.committed.get_or_init(|| CommittedLog::build(self))
    }

    /// When messages arrived, and the acknowledgements among them.
    pub fn deliveries(&self) -> &Deliveries {
        self.deliveries.get_or_init(|| Deliveries::build(self))
    }

    /// Operations by client, session and request number.
    pub fn requests(&self) -> &Requests {
        self.requests.get_or_init(|| Requests::build(self))
    }

    /// Who made which entry durable and who voted for it.
    pub fn testimony(&self) -> &Testimony {
        self.testimony.get_or_init(|| Testimony::build(self))
    }

    /// Where the states came from that replicas start from.
    pub fn states(&self) -> &States {
        self.states.get_or_init(|| States::build(self))
    }

    /// Which operation stands at each op number.
    pub fn journal(&self) -> &Journal {
        self.journal.get_or_init(|| Journal::build(self))
    }

    /// Two applied transitions of one op number with different requests, if there are any.
    pub fn diverged(&self) -> Option<(usize, usize)> {
        *self.diverged.get_or_init(|| journal::diverged(self))
    }

    /// Which numbers belong to which tenant; none when the run's options do not say.
    pub fn layout(&self) -> Option<Layout> {
        *self.layout.get_or_init(|| Layout::of_run(self.meta()))
    }

    /// The committed log replayed through the checker's model; none when it cannot be replayed.
    pub fn replay(&self) -> Option<&Replay> {
        self.replay.get_or_init(|| Replay::of_run(self)).as_ref()
    }

    /// Who wrote which value to which key.
    pub fn writers(&self) -> &Writers {
        self.writers.get_or_init(|| Writers::of_run(self))
    }

    /// Whether the replica of transition `row` installs a peer's state that covers `op` in the same step: what leaves its log for that
    /// is told before the state that replaces it.
    #[must_use]
    pub fn installed_in_this_step(&self, row: usize, op: u64) -> bool {
        let table = self.transitions();
        let same_step = |other: &usize| table.replica[*other] == table.replica[row] && table.time_ns[*other] == table.time_ns[row];
        let rest = (row + 1..self.transition_rows().end).take_while(same_step);
        let installed = rest.into_iter().find(|other| table.event.get(*other) != TransitionEvent::EntryTruncated);
        installed.is_some_and(|other| {
            table.event.get(other) == TransitionEvent::StateInstalled && table.op.get(other).is_some_and(|state| state >= op)
        })
    }

    /// A transition as a step of a witness.
    pub fn transition_step(&self, row: usize, words: impl Into<String>) -> Step {
        let table = self.transitions();
        Step::new(Kind::Transition, table.seq[row], words).at(table.time_ns[row]).on(table.replica[row])
    }

    /// A message as a step of a witness.
    pub fn message_step(&self, row: usize, words: impl Into<String>) -> Step {
        let table = self.messages();
        Step::new(Kind::Message, table.seq[row], words).at(table.time_ns[row])
    }

    /// An operation as a step of a witness.
    pub fn operation_step(&self, row: usize, words: impl Into<String>) -> Step {
        let table = self.operations();
        let step = Step::new(Kind::Operation, table.seq[row], words);
        // Of other systems' histories nobody may know when something happened, but only in which order.
        let untimed = self.meta().replicas == 0 && self.meta().end_time_ns == 0;
        if untimed { step } else { step.at(table.time_ns[row]) }
    }

    /// A disk access as a step of a witness.
    pub fn storage_step(&self, row: usize, words: impl Into<String>) -> Step {
        let table = self.storage();
        Step::new(Kind::Storage, table.seq[row], words).at(table.time_ns[row]).on(table.replica[row])
    }

    /// A fault as a step of a witness.
    pub fn fault_step(&self, row: usize, words: impl Into<String>) -> Step {
        let table = self.faults();
        Step::new(Kind::Fault, table.seq[row], words).at(table.time_ns[row])
    }
}
