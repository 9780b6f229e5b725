//! Which client operation stands at each op number of the log, by what replicas applied.
//!
//! Entries name requests, operation rows hold what was asked and answered: most invariants that clients care about start
//! from this join. What clients claim (`operation.op`) only speeds it up; a claim that the log contradicts is kept apart.

use super::entries::narrow;
use super::{EventSet, RunIndex};
use crate::registry::Reads;
use core::ops::Range;
use vopr_schema::column::Niche;
use vopr_schema::{Function, Kind, Outcome, TransitionEvent};

const NONE: u32 = u32::MAX;

/// The columns of transitions that say which request was applied where.
pub const APPLIED_REQUESTS: Reads =
    Reads { kind: Kind::Transition, columns: &["event", "op", "tenant", "client", "session", "request_number"] };

/// A request's name: tenant, client, session, request number.
pub type RequestName = (u32, u32, u64, u64);

/// The log as clients know it.
#[derive(Debug)]
pub struct Journal {
    entries: Vec<u32>,
    /// Per operation of the run: the first op number at which its request was applied, 0 for none.
    places: Vec<u32>,
    first_row: usize,
    served: Vec<(u32, u32)>,
    misplaced: Vec<u32>,
    strangers: Vec<u32>,
    repeated: Vec<u32>,
    applied: usize,
}

impl Journal {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let rows = index.operation_rows();
        let mut journal = Self {
            entries: vec![NONE; index.ops()],
            places: vec![0; rows.len()],
            first_row: rows.start,
            served: Vec::new(),
            misplaced: Vec::new(),
            strangers: Vec::new(),
            repeated: Vec::new(),
            applied: 0,
        };
        let claims = claims(index, rows.clone());
        for (op, claim) in claims.into_iter().enumerate().skip(1) {
            journal.place(index, op, claim);
        }
        for row in rows {
            journal.verify_claim(index, row);
        }
        journal.served.sort_unstable();
        journal
    }

    /// Finds the operation whose request was applied at `op`; `claim` is one that says so itself.
    fn place(&mut self, index: &RunIndex<'_>, op: usize, claim: u32) {
        let Some(applied) = index.committed().applied_row(op as u64) else { return };
        self.applied += 1;
        let Some(name) = applied_request(index, applied) else { return };
        let row = if claim != NONE && operation_request(index, claim as usize) == name {
            claim
        } else {
            let (tenant, client, session, request_number) = name;
            let found = index.requests().find(index, tenant, client, Some(session), request_number);
            let Some(row) = found.iter().copied().find(|row| !self.is_placed(*row as usize)).or(found.first().copied()) else {
                self.strangers.push(narrow(applied));
                return;
            };
            row
        };
        self.entries[op] = row;
        let place = &mut self.places[row as usize - self.first_row];
        if *place == 0 {
            *place = narrow(op);
        } else {
            self.repeated.push(row);
        }
    }

    fn is_placed(&self, row: usize) -> bool {
        self.places[row - self.first_row] != 0
    }

    fn verify_claim(&mut self, index: &RunIndex<'_>, row: usize) {
        let table = index.operations();
        if table.outcome.codes[row] == Outcome::Unknown as u8 {
            return;
        }
        let op = table.op.0[row];
        let known = index.op_index(op).filter(|op| *op == 0 || index.committed().applied_row(*op as u64).is_some());
        match known {
            Some(op) if self.entries[op] == narrow(row) => {}
            Some(op) if is_read(index, row) && !self.is_placed(row) => self.served.push((narrow(op), narrow(row))),
            _ => self.misplaced.push(narrow(row)),
        }
    }

    /// The operation whose request was applied at `op`; none for registrations, for entries of the protocol's own, and for
    /// requests that no operation row asked for.
    #[inline]
    #[must_use]
    pub fn operation_at(&self, op: usize) -> Option<usize> {
        self.entries.get(op).filter(|row| **row != NONE).map(|row| *row as usize)
    }

    /// The first op number at which an operation's request was applied.
    #[inline]
    #[must_use]
    pub fn place_of(&self, row: usize) -> Option<u64> {
        let place = self.places[row - self.first_row];
        (place != 0).then_some(u64::from(place))
    }

    /// Answered reads outside the log as (op number whose state they claim, operation row), sorted.
    #[must_use]
    pub fn served(&self) -> &[(u32, u32)] {
        &self.served
    }

    /// Answered operations whose claimed op number holds something else, or nothing.
    #[must_use]
    pub fn misplaced(&self) -> &[u32] {
        &self.misplaced
    }

    /// Applied transitions of requests that no operation row asked for.
    #[must_use]
    pub fn strangers(&self) -> &[u32] {
        &self.strangers
    }

    /// Operations whose requests were applied at another op number before, once for each time.
    #[must_use]
    pub fn repeated(&self) -> &[u32] {
        &self.repeated
    }

    /// Number of op numbers that were applied.
    #[must_use]
    pub fn applied(&self) -> usize {
        self.applied
    }

    /// Operations in the order of the log: at each op number the operation applied there, then the reads that claim its
    /// state, by invocation. Calls `visit` with op number and operation row until it stops.
    ///
    /// # Errors
    /// What `visit` stopped with.
    pub fn replay<E>(&self, mut visit: impl FnMut(u64, usize) -> Result<(), E>) -> Result<(), E> {
        let mut served = self.served.iter().peekable();
        for (op, row) in self.entries.iter().enumerate() {
            if *row != NONE {
                visit(op as u64, *row as usize)?;
            }
            while let Some((_, read)) = served.next_if(|(place, _)| *place as usize == op) {
                visit(op as u64, *read as usize)?;
            }
        }
        Ok(())
    }
}

/// Whether an operation changes nothing whatever the state is: only such ones may be answered outside the log.
#[inline]
#[must_use]
pub fn is_read(index: &RunIndex<'_>, row: usize) -> bool {
    let table = index.operations();
    match table.function.get(row) {
        Function::Read | Function::Scan | Function::StreamRead | Function::Balance => true,
        Function::Transaction => table.writes.get(row).is_none_or(|writes| writes.len() == 0),
        _ => false,
    }
}

/// The request that an applied transition names; none for registrations and entries without a client.
#[inline]
#[must_use]
pub fn applied_request(index: &RunIndex<'_>, row: usize) -> Option<RequestName> {
    let table = index.transitions();
    let name = (table.tenant.0[row], table.client.0[row], table.session.0[row], table.request_number.0[row]);
    (name.1 != u32::NONE && name.3 != u64::NONE && name.3 != 0).then_some(name)
}

/// The request of an operation row.
#[inline]
#[must_use]
pub fn operation_request(index: &RunIndex<'_>, row: usize) -> RequestName {
    let table = index.operations();
    (table.tenant[row], table.client[row], table.session.0[row], table.request_number[row])
}

/// Per op number an answered operation that claims it, one that changes something if there is one.
fn claims(index: &RunIndex<'_>, rows: Range<usize>) -> Vec<u32> {
    let table = index.operations();
    let mut claims = vec![NONE; index.ops()];
    for row in rows {
        if let Some(op) = index.op_index(table.op.0[row])
            && (claims[op] == NONE || !is_read(index, row))
        {
            claims[op] = narrow(row);
        }
    }
    claims
}

/// The first two applied transitions that put different requests at one op number.
pub(super) fn diverged(index: &RunIndex<'_>) -> Option<(usize, usize)> {
    let table = index.transitions();
    let committed = index.committed();
    index.rows_of(EventSet::of(&[TransitionEvent::Applied])).find_map(|row| {
        let first = committed.applied_row(table.op.0[row])?;
        (applied_request(index, first) != applied_request(index, row)).then_some((first, row))
    })
}
