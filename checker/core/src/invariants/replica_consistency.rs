//! `replica_consistency`: replicas that applied the same op number have the same state.
//!
//! Equal logs are worth nothing when applying them depends on anything but the log.
//!
//! **Formally.** (1) For all transitions a, b that carry `state_hash` (applied, checkpoint taken, state installed): a.op = b.op
//! implies equal state hashes, across replicas and incarnations. (2) The session table is a part of the state that the hash does not
//! cover: two `session_evicted` at one op number name the same session of the same client.
//!
//! **Evidence.** transition: replica, event, op, `state_hash`, tenant, client, session.
//!
//! **Deliberately not checked.** Whether the state is the right one: `data_correctness` replays a model of its own. That a session was
//! evicted on each replica: `client_session`.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "replica_consistency",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "state_hash", "tenant", "client", "session"] }],
    statement: "same applied op number, same state hash, on every replica and after every restart",
    because_of: &["vsr_agreement"],
    check,
};

const STATES: EventSet = EventSet::of(&[Event::Applied, Event::CheckpointTaken, Event::StateInstalled]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was applied", || Ok(states(index, meter)? + evictions(index, meter)?))
}

/// One session leaves at an op number, whoever applies it.
fn evictions(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut first = std::collections::BTreeMap::new();
    for (row, _) in index.events(EventSet::of(&[Event::SessionEvicted])) {
        ticker.step()?;
        let Some(op) = table.op.get(row) else { continue };
        let first = *first.entry(op).or_insert(row);
        let evicted = |row: usize| (table.tenant.0[row], table.client.0[row], table.session.0[row]);
        if evicted(first) != evicted(row) {
            let words = |row: usize| {
                let (replica, (tenant, client, session)) = (table.replica[row], evicted(row));
                index.transition_step(row, format!("replica {replica} evicts session {session} of client {client} of tenant {tenant}"))
            };
            let summary = format!("replicas {} and {} evicted different sessions at op {op}", table.replica[first], table.replica[row]);
            return Err(Witness::new("two_evictions_at_one_op", summary).step(words(first)).step(words(row)).into());
        }
    }
    Ok(first.len() as u64)
}

fn states(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    // Per op number, the row that showed a state first, as row + 1.
    let mut first = vec![0_usize; index.ops()];
    let mut facts = 0;
    for (row, _) in index.events(STATES) {
        ticker.step()?;
        let Some(state) = table.state_hash.get(row) else { continue };
        let Some(first) = table.op.get(row).and_then(|op| index.op_index(op)).map(|op| &mut first[op]) else { continue };
        facts += 1;
        if *first == 0 {
            *first = row + 1;
        } else if table.state_hash.0[*first - 1] != state {
            return Err(divergence(index, *first - 1, row).into());
        }
    }
    Ok(facts)
}

fn divergence(index: &RunIndex<'_>, first: usize, second: usize) -> Witness {
    let table = index.transitions();
    let words = |row: usize| {
        let (replica, op, state) = (table.replica[row], table.op.0[row], table.state_hash.0[row]);
        format!("replica {replica}: {} op {op}, state {state:016x}", table.event.get(row))
    };
    let (op, one, other) = (table.op.0[first], table.replica[first], table.replica[second]);
    let who = if one == other { format!("replica {one} at two times") } else { format!("replicas {one} and {other}") };
    Witness::new("two_states_at_one_op", format!("{who} reached different states at op {op}"))
        .step(index.transition_step(first, words(first)))
        .step(index.transition_step(second, words(second)))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::TransitionEvent as Event;

    const NAME: &str = "replica_consistency";

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(4).verdict(NAME).facts(), 12);
    }

    #[test]
    fn a_state_that_differs_is_a_violation() {
        let mut story = Story::clean(4);
        let last = story.transitions.iter().rposition(|row| row.event == Event::Applied).unwrap();
        story.transitions[last].state_hash = Some(1);
        let verdict = story.verdict(NAME);
        assert_eq!(verdict.witness().unwrap().summary, "replicas 0 and 2 reached different states at op 4");
    }

    #[test]
    fn an_installed_state_must_be_that_of_its_op() {
        let mut story = Story::clean(3);
        story.event(1, Event::StateInstalled, |row| (row.op, row.state_hash) = (Some(3), Some(7_000_003)));
        assert!(story.verdict(NAME).is_pass());
        story.event(2, Event::StateInstalled, |row| (row.op, row.state_hash) = (Some(3), Some(7_000_002)));
        assert!(story.verdict(NAME).is_violation());
    }

    #[test]
    fn an_eviction_must_be_the_same_everywhere() {
        let mut story = Story::clean(3);
        let mut evict = |replica, client| {
            story.event(replica, Event::SessionEvicted, |row| {
                (row.op, row.tenant, row.client, row.session) = (Some(3), Some(0), Some(client), Some(1));
            });
            story.clone()
        };
        evict(0, 4);
        assert_eq!(evict(1, 4).verdict(NAME).facts(), 9 + 1);
        let verdict = evict(2, 5).verdict(NAME);
        assert_eq!(verdict.witness().unwrap().summary, "replicas 0 and 2 evicted different sessions at op 3");
    }

    #[test]
    fn nothing_applied_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        let story = Story::clean(3);
        let seq = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(seq).verdict(NAME).facts(), 8);
    }
}
