//! Who was what when: the status and view of each replica over a run.
//!
//! Many conditions ask whether something happened to a primary, or in the middle of a view change; the rows say it only at events.

use crate::index::RunIndex;
use vopr_schema::{Status, TransitionEvent};

/// What a replica was from one position of the run's order on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub seq: u64,
    pub status: Status,
    pub view: u64,
}

/// The states of all replicas, in order.
pub(super) struct Course {
    replicas: Vec<Vec<State>>,
}

impl Course {
    pub fn of(index: &RunIndex<'_>) -> Self {
        let table = index.transitions();
        let mut replicas: Vec<Vec<State>> = vec![Vec::new(); index.replicas()];
        for row in index.transition_rows() {
            // A vote's row names the view that is voted for, not the replica's own.
            if table.event.get(row) == TransitionEvent::VoteCast {
                continue;
            }
            let Some(states) = replicas.get_mut(usize::from(table.replica[row])) else { continue };
            let state = State { seq: table.seq[row], status: table.status.get(row), view: table.view[row] };
            if states.last().is_none_or(|last| (last.status, last.view) != (state.status, state.view)) {
                states.push(state);
            }
        }
        Self { replicas }
    }

    /// What a replica was at a position.
    pub fn at(&self, replica: usize, seq: u64) -> Option<State> {
        let states = self.replicas.get(replica)?;
        let behind = states.partition_point(|state| state.seq <= seq);
        states.get(behind.checked_sub(1)?).copied()
    }

    /// What it became later.
    pub fn after(&self, replica: usize, seq: u64) -> impl Iterator<Item = State> + '_ {
        self.replicas.get(replica).into_iter().flatten().copied().filter(move |state| state.seq > seq)
    }

    /// The view that a replica led at a position, if it did.
    pub fn led(&self, index: &RunIndex<'_>, replica: usize, seq: u64) -> Option<u64> {
        let state = self.at(replica, seq).filter(|state| state.status == Status::Normal)?;
        (index.primary(state.view).map(usize::from) == Some(replica)).then_some(state.view)
    }
}

/// A number that the run's options hold, if they hold it.
pub(super) fn option(index: &RunIndex<'_>, path: &str) -> Option<u64> {
    let options: serde_json::Value = serde_json::from_str(&index.meta().options).unwrap_or_default();
    options.pointer(path).and_then(serde_json::Value::as_u64)
}

/// A nominal time as it is in this run.
pub(super) fn compressed(index: &RunIndex<'_>, nominal_ns: u64) -> u64 {
    nominal_ns / option(index, "/time_compression").unwrap_or(1).max(1)
}
