//! Causes in what clients are told: retries, cached replies, sessions, and reads outside the log.

use crate::diagnose::scene::{Scene, Sign};
use std::collections::BTreeMap;
use vopr_checker::index::{EventSet, RequestName, applied_request, is_read, operation_request};
use vopr_schema::{Outcome, TransitionEvent as Event};
use vopr_sim::network::FIRST_CLIENT;

/// A request that stands at two places of the log, and who put it there the second time.
struct Twice {
    name: RequestName,
    first: (u64, usize),
    second: (u64, usize),
    /// Who put it into the log again.
    appended: usize,
    /// The state that this replica had installed before, if that covers the first place.
    installed: Option<usize>,
    /// Whether this replica had applied the first place itself.
    knew: bool,
}

fn twice(scene: &Scene<'_>) -> Vec<Twice> {
    let (index, table) = (&scene.index, scene.index.transitions());
    let mut places: BTreeMap<RequestName, (u64, usize)> = BTreeMap::new();
    let mut found = Vec::new();
    for op in 1..index.ops() as u64 {
        let Some(row) = index.committed().applied_row(op) else { continue };
        let Some(name) = applied_request(index, row) else { continue };
        let Some(first) = places.get(&name).copied() else {
            places.insert(name, (op, row));
            continue;
        };
        let Some(appended) = index.entries().of_row(row).and_then(|entry| index.entries().appended_row(entry)) else { continue };
        let (replica, seq) = (table.replica[appended], table.seq[appended]);
        let before = |event| {
            let rows = index.events(EventSet::of(&[event])).map(|(row, _)| row);
            rows.filter(move |row| table.replica[*row] == replica && table.seq[*row] < seq)
        };
        let installed = before(Event::StateInstalled).filter(|row| table.op.get(*row).is_some_and(|op| op >= first.0)).last();
        let knew = before(Event::Applied).any(|row| table.op.get(row) == Some(first.0));
        found.push(Twice { name, first, second: (op, row), appended, installed, knew });
    }
    found
}

impl Twice {
    fn sign(&self, scene: &Scene<'_>, why: &str) -> Sign {
        let ((tenant, client, session, request), (first, second)) = (self.name, (self.first.0, self.second.0));
        let replica = scene.index.transitions().replica[self.appended];
        let sentence = format!(
            "request {request} of session {session} of client {client} of tenant {tenant} was applied at op {first} and again at op \
             {second}: {why}"
        );
        Sign::proven(sentence)
            .row(scene.transition(self.first.1, format!("op {first} is applied")))
            .row_if(self.installed.map(|row| scene.transition(row, format!("replica {replica} installs a peer's state"))))
            .row(scene.transition(self.appended, format!("replica {replica} puts the request into the log again, as op {second}")))
            .row(scene.transition(self.second.1, format!("op {second} is applied")))
    }
}

/// A request that a replica prepared again although it had applied it.
pub(super) fn retry_applied_again(scene: &Scene<'_>) -> Option<Sign> {
    let all = twice(scene);
    let known = all.iter().filter(|twice| twice.knew || twice.installed.is_none());
    Sign::first(known.map(|twice| twice.sign(scene, "whoever prepared it the second time had seen it before")))
}

/// A request that was prepared again by a replica which knew of it by a peer's state only.
pub(super) fn sessions_lost_in_transfer(scene: &Scene<'_>) -> Option<Sign> {
    let all = twice(scene);
    let lost = all.iter().filter(|twice| !twice.knew && twice.installed.is_some());
    Sign::first(
        lost.map(|twice| twice.sign(scene, "whoever prepared it the second time had got its state from a peer, without the session")),
    )
}

/// An operation that was answered with an op number at which another request stands.
fn foreign_answers<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = (usize, usize, RequestName, RequestName)> + 'a {
    let (index, table) = (&scene.index, scene.index.operations());
    index.operation_rows().filter_map(move |row| {
        if table.outcome.get(row) == Outcome::Unknown || is_read(index, row) {
            return None;
        }
        let applied = index.committed().applied_row(table.op.get(row)?)?;
        let (own, other) = (operation_request(index, row), applied_request(index, applied)?);
        (own != other).then_some((row, applied, own, other))
    })
}

fn foreign(scene: &Scene<'_>, fits: impl Fn(RequestName, RequestName) -> bool, whose: impl Fn(RequestName) -> String) -> Option<Sign> {
    let table = scene.index.operations();
    let found = foreign_answers(scene).filter(|(_, _, own, other)| fits(*own, *other));
    Sign::first(found.map(|(row, applied, own, other)| {
        let op = table.op.get(row).unwrap_or_default();
        let sentence =
            format!("request {} of client {} of tenant {} was answered with op {op}, which is {}", own.3, own.1, own.0, whose(other));
        Sign::proven(sentence)
            .row(scene.transition(applied, format!("op {op} is request {} of client {} of tenant {}", other.3, other.1, other.0)))
            .row(scene.index.operation_step(row, format!("client {} of tenant {} is told of op {op}", own.1, own.0)))
    }))
}

/// A cached reply that belongs to a client of the same number of another tenant.
pub(super) fn reply_of_another_tenant(scene: &Scene<'_>) -> Option<Sign> {
    foreign(scene, |own, other| own.0 != other.0 && own.1 == other.1, |other| format!("a request of tenant {}", other.0))
}

/// A cached reply that belongs to another session, or another request.
pub(super) fn reply_of_another_request(scene: &Scene<'_>) -> Option<Sign> {
    let fits = |own: RequestName, other: RequestName| own.3 == other.3 && (own.0 == other.0 || own.1 != other.1);
    foreign(scene, fits, |other| format!("a request of that number of session {}", other.2))
}

/// Replicas that evicted different sessions for the same registration.
pub(super) fn evictions_differ(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let mut first: BTreeMap<u64, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (row, _) in scene.index.events(EventSet::of(&[Event::SessionEvicted])) {
        let Some(op) = table.op.get(row) else { continue };
        let known = *first.entry(op).or_insert(row);
        let (one, other) = (table.session.get(known).unwrap_or_default(), table.session.get(row).unwrap_or_default());
        if one != other {
            let sentence = format!(
                "for the registration at op {op} replica {} evicted session {one} and replica {} session {other}",
                table.replica[known], table.replica[row]
            );
            let words = |row: usize, session: u64| format!("replica {} evicts session {session}", table.replica[row]);
            let sign = Sign::proven(sentence).row(scene.transition(known, words(known, one))).row(scene.transition(row, words(row, other)));
            found.push(sign);
        }
    }
    Sign::first(found.into_iter())
}

/// A reply that reports an op number which its replica had not committed.
fn early<'a>(scene: &'a Scene<'_>, registrations: bool) -> impl Iterator<Item = usize> + 'a {
    let table = scene.index.transitions();
    scene.index.events(EventSet::of(&[Event::Replied])).map(|(row, _)| row).filter(move |row| {
        let is_registration = table.request_number.get(*row) == Some(0);
        is_registration == registrations && table.op.get(*row).is_some_and(|op| op > table.commit[*row])
    })
}

/// A client that was told of a session whose registration was not committed.
pub(super) fn uncommitted_session_kept(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    Sign::first(early(scene, true).map(|row| {
        let (op, commit, replica) = (table.op.get(row).unwrap_or_default(), table.commit[row], table.replica[row]);
        let client = table.client.get(row).unwrap_or_default();
        let sentence =
            format!("replica {replica} told client {client} of session {op}, whose registration was not committed (commit {commit})");
        let registration = scene.index.entries().at_op(op).find_map(|entry| scene.index.entries().appended_row(entry));
        let registration = registration.filter(|appended| table.seq[*appended] < table.seq[row]);
        Sign::proven(sentence)
            .row_if(
                registration.map(|appended| {
                    scene.transition(appended, format!("op {op} is put into the log of replica {}", table.replica[appended]))
                }),
            )
            .row(scene.transition(row, format!("replica {replica} answers with session {op}")))
    }))
}

/// A read that was answered from entries that were not committed.
pub(super) fn uncommitted_state_read(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    Sign::first(early(scene, false).map(|row| {
        let (op, commit, replica) = (table.op.get(row).unwrap_or_default(), table.commit[row], table.replica[row]);
        let sentence = format!("replica {replica} answered a client with the state of op {op} when op {commit} was the last committed one");
        Sign::proven(sentence).row(scene.transition(row, format!("replica {replica} answers; its commit number is {commit}")))
    }))
}

/// Commits by counting that went further than all before: row and op, in their order.
fn decided_so_far(scene: &Scene<'_>) -> Vec<(usize, u64)> {
    let table = scene.index.transitions();
    let mut decided: Vec<(usize, u64)> = Vec::new();
    for (row, _) in scene.index.events(EventSet::of(&[Event::Committed])).filter(|(row, _)| table.quorum.get(*row).is_some()) {
        let op = table.op.get(row).unwrap_or(0);
        if decided.last().is_none_or(|(_, most)| op > *most) {
            decided.push((row, op));
        }
    }
    decided
}

/// A read that a replica answered from its state without knowing whether it still leads, and has all that was committed.
pub(super) fn deposed_primary_answered(scene: &Scene<'_>) -> Option<Sign> {
    let (index, table) = (&scene.index, scene.index.transitions());
    let entered: Vec<usize> =
        index.events(EventSet::of(&[Event::ViewEntered])).map(|(row, _)| row).filter(|row| table.quorum.get(*row).is_some()).collect();
    let decided = decided_so_far(scene);
    let replies = index.events(EventSet::of(&[Event::Replied])).filter_map(|(row, _)| {
        let confirmed = table.quorum.get(row);
        let configuration = index.configurations().of_epoch(table.epoch[row])?;
        if confirmed.is_some_and(|quorum| configuration.decides(quorum)) || table.op.get(row).is_none_or(|op| op > table.commit[row]) {
            return None;
        }
        let (tenant, client) = (table.tenant.get(row)?, table.client.get(row)?);
        let request = table.request_number.get(row).filter(|request| *request > 0)?;
        let operations = index.requests().find(index, tenant, client, table.session.get(row), request);
        let operation =
            operations.iter().map(|row| *row as usize).find(|row| is_read(index, *row) && index.journal().place_of(*row).is_none())?;
        let newer = entered.iter().copied().find(|other| table.view[*other] > table.view[row] && table.seq[*other] < table.seq[row]);
        let (replica, view, op) = (table.replica[row], table.view[row], table.op.get(row)?);
        let before = decided.partition_point(|(decided, _)| table.seq[*decided] < table.seq[row]);
        let ahead = before.checked_sub(1).map(|at| decided[at]).filter(|(_, decided)| *decided > op);
        let (known, when) = if let Some(newer) = newer {
            let words = format!("replica {} begins to lead view {}", table.replica[newer], table.view[newer]);
            (scene.transition(newer, words), format!("when view {} had begun", table.view[newer]))
        } else {
            // It leads, and has not come as far as the primary before it.
            let (commit, decided) = ahead?;
            let words = format!("replica {} commits op {decided}, in view {}", table.replica[commit], table.view[commit]);
            (scene.transition(commit, words), format!("at op {op}, when op {decided} had been committed"))
        };
        let sentence = format!("replica {replica} answered a read as primary of view {view} {when}, and asked nobody");
        Some(
            Sign::proven(sentence)
                .row(known)
                .row(index.operation_step(operation, format!("client {client} of tenant {tenant} reads")))
                .row(scene.transition(row, format!("replica {replica} answers from its own state, in view {view}"))),
        )
    });
    Sign::first(replies)
}

/// A client that was told of a view which had not begun.
pub(super) fn client_told_of_unstarted_view(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let mut entered = scene.index.events(EventSet::of(&[Event::ViewEntered])).map(|(row, _)| row).peekable();
    let mut newest = 0;
    let to_client =
        |row: &usize| messages.to[*row] >= FIRST_CLIENT && messages.from[*row] < FIRST_CLIENT && messages.mutation.get(*row).is_none();
    let told = scene.index.message_rows().filter(to_client).filter_map(|row| {
        while let Some(entered) = entered.next_if(|entered| table.seq[*entered] < messages.seq[row]) {
            newest = newest.max(table.view[entered]);
        }
        let view = messages.view.get(row).filter(|view| *view > newest)?;
        let sentence = format!("replica {} told a client of view {view}, which nobody had entered", messages.from[row]);
        Some(Sign::proven(sentence).row(scene.message(row, &format!(" names view {view}"))))
    });
    Sign::first(told)
}
