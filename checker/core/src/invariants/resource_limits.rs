//! `resource_limits`: logs, messages, pipelines and session tables stay within their limits.
//!
//! A bound that is only hoped for is found by the first long outage; every queue that can grow must have been made to refuse.
//!
//! **Formally.** (1) A message has at most 16 MiB and carries at most 10 000 entries, and not more than the ring has slots; one that a
//! fault has made larger is refused. (2) An
//! `entry_appended` of op n has n <= b + `log_slots`, b being the op of the replica's newest durable or installed checkpoint of that
//! incarnation. (3) A `timestamp_assigned` of op n has n - commit <= `pipeline_max`. (4) After each registration, in the order of op
//! numbers, at most `sessions_max` clients have a session.
//!
//! **Evidence.** run: options (`cluster`: `log_slots`, `pipeline_max`, `sessions_max`; what they do not say is not checked). message:
//! command, `log_count`, `size_bytes`, mutation, fate, `reject_reason`. transition: replica, event, op, commit, tenant, client.
//!
//! **Deliberately not checked.** The links' queues, which are the world's and say `overflow` when they are full. Requests of repairs:
//! `repair_budget`. Memory and disk space: not recorded.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::linearize::interner::Interner;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use serde::Deserialize;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "resource_limits",
    version: 1,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options"] },
        Reads { kind: Kind::Message, columns: &["command", "log_count", "size_bytes", "mutation", "fate", "reject_reason"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "commit", "tenant", "client"] },
    ],
    statement: "log rings, message sizes, pipelines and session tables stay within their limits",
    because_of: &[],
    check,
};

/// Bytes of one message, at most.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;
/// Entries in one message, at most.
const TAIL_ENTRIES_MAX: u32 = 10_000;

/// What the run's options say about limits.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Limits {
    log_slots: Option<u64>,
    pipeline_max: Option<u64>,
    sessions_max: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    cluster: Limits,
}

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    let Options { cluster: limits } = serde_json::from_str(&index.meta().options).unwrap_or_default();
    Verdict::decide("nothing was sent and nothing logged", || {
        Ok(messages(index, meter, &limits)? + logs(index, meter, &limits)? + sessions(index, &limits)?)
    })
}

fn messages(index: &RunIndex<'_>, meter: &Meter, limits: &Limits) -> Decision {
    meter.check()?;
    let table = index.messages();
    let rows = index.message_rows();
    let slots = limits.log_slots.and_then(|slots| u32::try_from(slots).ok()).unwrap_or(u32::MAX).min(TAIL_ENTRIES_MAX);
    let entries = |row: usize| table.log_count.0[row];
    // Nulls are the largest value; a count of wanted entries is no tail.
    let too_long = |row: &usize| entries(*row) > slots && entries(*row) != u32::NONE && carries_entries(table.command.get(*row));
    let too_large = |row: &usize| table.size_bytes[*row] > MESSAGE_BYTES_MAX;
    // What a fault has blown up is its receiver's business: to refuse.
    let is_taken = |row: &usize| {
        table.mutation.codes[*row] == u8::NONE || (table.fate.get(*row) == Fate::Delivered && table.reject_reason.codes[*row] == u8::NONE)
    };
    if let Some(row) = rows.clone().find(|row| (too_large(row) || too_long(row)) && is_taken(row)) {
        let (size, command) = (table.size_bytes[row], table.command.get(row));
        let (shape, what) = if too_large(&row) {
            ("message_too_large", format!("{size} bytes, more than {MESSAGE_BYTES_MAX}"))
        } else {
            ("tail_too_long", format!("{} entries, more than {slots}", entries(row)))
        };
        let step = index.message_step(row, format!("{command} from {} to {}: {what}", table.from[row], table.to[row]));
        return Err(Witness::new(shape, format!("a {command} has {what}")).step(step).into());
    }
    Ok(rows.len() as u64)
}

fn carries_entries(command: Command) -> bool {
    matches!(
        command,
        Command::DoViewChange | Command::StartView | Command::RecoveryResponse | Command::StateTransferResponse | Command::RepairResponse
    )
}

const LOGGED: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::CheckpointDurable,
    Event::StateInstalled,
    Event::EntryAppended,
    Event::TimestampAssigned,
]);

/// Rings and pipelines.
fn logs(index: &RunIndex<'_>, meter: &Meter, limits: &Limits) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut bases = vec![0_u64; index.replicas()];
    let mut facts = 0;
    for (row, event) in index.events(LOGGED) {
        ticker.step()?;
        let replica = table.replica[row];
        let Some(base) = bases.get_mut(usize::from(replica)) else { continue };
        let op = table.op.get(row).unwrap_or(0);
        let (limit, used, shape, what) = match event {
            Event::Started => {
                *base = 0;
                continue;
            }
            Event::Restarted => {
                *base = table.commit[row];
                continue;
            }
            Event::CheckpointDurable | Event::StateInstalled => {
                *base = op.max(*base);
                continue;
            }
            Event::EntryAppended => (limits.log_slots, op.saturating_sub(*base), "ring_overflows", "entries above its checkpoint"),
            _ => (limits.pipeline_max, op.saturating_sub(table.commit[row]), "pipeline_overflows", "uncommitted entries"),
        };
        let Some(limit) = limit else { continue };
        facts += 1;
        if used > limit {
            let summary = format!("with op {op} replica {replica} has {used} {what}, more than {limit}");
            let step = index.transition_step(row, format!("replica {replica}: {event} op {op}"));
            return Err(Witness::new(shape, summary).step(step).into());
        }
    }
    Ok(facts)
}

const SESSIONS: EventSet = EventSet::of(&[Event::SessionRegistered, Event::SessionEvicted]);

/// The session table in the order of the log, as whoever applied an op first tells it.
fn sessions(index: &RunIndex<'_>, limits: &Limits) -> Decision {
    let table = index.transitions();
    let Some(limit) = limits.sessions_max else { return Ok(0) };
    // Per op number the replica and incarnation that told of it first, as a number above 0.
    let teller = |row: usize| 1 + (u64::from(table.incarnation[row]) << 8 | u64::from(table.replica[row]));
    let mut tellers = vec![0_u64; index.ops()];
    let mut told = Vec::new();
    for (row, event) in index.events(SESSIONS) {
        let Some(op) = table.op.get(row).and_then(|op| index.op_index(op)) else { continue };
        if tellers[op] == 0 {
            tellers[op] = teller(row);
        }
        if tellers[op] == teller(row) {
            told.push((op, row, event));
        }
    }
    told.sort_unstable_by_key(|(op, row, _)| (*op, *row));
    let mut clients = Interner::default();
    let (mut open, mut count, mut facts) = (Vec::new(), 0_u64, 0);
    for (op, row, event) in told {
        let (client, new) = clients.intern((table.tenant.0[row], table.client.0[row]));
        if new {
            open.push(false);
        }
        let was_open = core::mem::replace(&mut open[client as usize], event == Event::SessionRegistered);
        count = count + u64::from(event == Event::SessionRegistered) - u64::from(was_open);
        facts += 1;
        if count > limit {
            let summary = format!("with the registration of op {op} there are {count} sessions, more than {limit}");
            let step = index.transition_step(row, format!("replica {} opens a session at op {op}", table.replica[row]));
            return Err(Witness::new("session_table_overflows", summary).step(step).into());
        }
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, Fate, Mutation, RejectReason, TransitionEvent as Event};

    const NAME: &str = "resource_limits";

    fn story(ops: u64) -> Story {
        let mut story = Story::clean(ops);
        story.run.options = r#"{"cluster": {"log_slots": 4, "pipeline_max": 2, "sessions_max": 2}}"#.to_owned();
        story
    }

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn session(story: &mut Story, event: Event, op: u64, client: u32) {
        story.event(0, event, |row| (row.op, row.tenant, row.client) = (Some(op), Some(0), Some(client)));
    }

    #[test]
    fn what_stays_within_its_limit_is_a_fact() {
        let mut story = story(4);
        story.event(0, Event::TimestampAssigned, |row| row.op = Some(6));
        session(&mut story, Event::SessionRegistered, 1, 1);
        session(&mut story, Event::SessionRegistered, 2, 2);
        session(&mut story, Event::SessionRegistered, 3, 1);
        session(&mut story, Event::SessionEvicted, 4, 2);
        session(&mut story, Event::SessionRegistered, 4, 3);
        let messages = story.messages.len() as u64;
        assert_eq!(story.verdict(NAME).facts(), messages + 12 + 1 + 5);
    }

    #[test]
    fn rings_and_pipelines_that_overflow_are_violations() {
        let mut ring = story(5);
        assert_eq!(shape(&ring), "ring_overflows");
        ring.run.options.clear();
        assert!(ring.verdict(NAME).is_pass());
        let mut covered = story(4);
        (0..3).for_each(|replica| {
            covered.event(replica, Event::CheckpointDurable, |row| row.op = Some(4));
        });
        covered.replicate(5, 0);
        assert!(covered.verdict(NAME).is_pass());
        let mut pipeline = story(2);
        pipeline.event(0, Event::TimestampAssigned, |row| row.op = Some(5));
        assert_eq!(shape(&pipeline), "pipeline_overflows");
    }

    #[test]
    fn messages_and_tails_beyond_the_limits_are_violations() {
        let mut large = story(1);
        large.message(Command::StartView, 0, 1, |row| row.size_bytes = (16 << 20) + 1);
        assert_eq!(shape(&large), "message_too_large");
        let mut long = story(1);
        long.message(Command::Nack, 0, 1, |row| row.log_count = Some(5));
        assert!(long.verdict(NAME).is_pass());
        long.message(Command::StartView, 0, 1, |row| row.log_count = Some(5));
        assert_eq!(shape(&long), "tail_too_long");
    }

    #[test]
    fn what_a_fault_has_blown_up_must_be_refused() {
        let mut attacked = story(1);
        attacked.message(Command::StartView, 0, 1, |row| {
            (row.log_count, row.mutation, row.reject_reason) = (Some(50_000), Some(Mutation::Oversized), Some(RejectReason::TooLarge));
        });
        assert!(attacked.verdict(NAME).is_pass());
        attacked.messages.last_mut().unwrap().reject_reason = None;
        assert_eq!(shape(&attacked), "tail_too_long");
        attacked.messages.last_mut().unwrap().fate = Fate::Lost;
        assert!(attacked.verdict(NAME).is_pass());
    }

    #[test]
    fn a_third_session_where_two_fit_is_a_violation() {
        let mut story = story(2);
        session(&mut story, Event::SessionRegistered, 1, 1);
        session(&mut story, Event::SessionRegistered, 2, 2);
        session(&mut story, Event::SessionRegistered, 3, 3);
        // Whoever restarts tells of the same registrations once more.
        story.event(1, Event::SessionRegistered, |row| (row.op, row.client) = (Some(1), Some(1)));
        assert_eq!(shape(&story), "session_table_overflows");
    }

    #[test]
    fn an_empty_run_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        let story = story(5);
        let appended = story.transitions.iter().find(|row| row.event == Event::EntryAppended && row.op == Some(5)).unwrap();
        assert!(story.cut_off(appended.seq).verdict(NAME).is_pass());
    }
}
