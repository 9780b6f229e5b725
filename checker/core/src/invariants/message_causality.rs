//! `message_causality`: nothing is received that was not sent, and nothing happens before what caused it.
//!
//! All other invariants trust the order of the rows. This one tests that the order can be that of a real execution.
//!
//! **Formally.** Let the events of a run be its transitions, the sending and the fate of its messages, the invocation and return of its
//! operations. Happens-before is the order of each replica's own events, of each message's sending before its delivery, and of a
//! delivery before the transitions that name the message as their cause. (1) It is acyclic: every edge goes forward in `seq`.
//! (2) A transition's `cause` is a message that was delivered to that replica before. (3) A replica that is down neither acts nor
//! receives nor sends, and its incarnations are numbered without gaps. (4) An operation that returned with a log position returned
//! after that position was committed. (5) Rows can be ordered and numbered at all: positions rise, times do not fall, replicas have
//! numbers below 32.
//!
//! **Evidence.** message: id, from, to, fate, `fate_seq`. transition: replica, incarnation, event, op, cause. operation: op, `return_seq`.
//!
//! **Deliberately not checked.** That each effect names its cause: timers and disks cause things too, and their rows are not linked.

mod graph;

use crate::budget::Meter;
use crate::index::{EventSet, IllFormed, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use vopr_schema::column::Niche;
use vopr_schema::{Dictionary, Fate, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "message_causality",
    version: 1,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Message, columns: &["id", "from", "to", "fate", "fate_seq"] },
        Reads { kind: Kind::Transition, columns: &["replica", "incarnation", "event", "op", "cause"] },
        Reads { kind: Kind::Operation, columns: &["op", "return_seq"] },
    ],
    statement: "nothing received that was not sent, no effect before its cause, happens-before is acyclic",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    if let Some(defect) = index.ill_formed() {
        return Verdict::Violation(ill_formed(index, defect));
    }
    Verdict::decide("no message and no operation was recorded", || {
        Ok(causes(index, meter)? + alive(index, meter)? + answers(index, meter)?)
    })
}

fn ill_formed(index: &RunIndex<'_>, defect: &IllFormed) -> Witness {
    let summary = format!("a row of kind {} cannot be placed: {}", defect.kind, defect.defect);
    let step = Step::new(defect.kind, defect.seq, defect.defect.to_string());
    let rows = index.transition_rows();
    let replica = index.transitions().seq[rows.clone()].iter().position(|seq| defect.kind == Kind::Transition && *seq == defect.seq);
    let step = match replica {
        Some(place) => step.on(index.transitions().replica[rows.start + place]),
        None => step,
    };
    Witness::new(format!("ill_formed_{}_{}", defect.kind.name(), defect.defect.name()), summary).step(step)
}

/// Each cause is a message that was delivered to that replica before its effect.
fn causes(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, messages) = (index.transitions(), index.messages());
    let deliveries = index.deliveries();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    let delivered = Fate::Delivered as u8;
    for row in index.transition_rows() {
        let cause = table.cause.0[row];
        if cause == u64::NONE {
            continue;
        }
        ticker.step()?;
        facts += 1;
        let Some(message) = deliveries.message(cause) else { return Err(never_sent(index, row).into()) };
        let arrived = messages.fate.codes[message] == delivered && messages.to[message] == u16::from(table.replica[row]);
        if arrived && messages.fate_seq.0[message] < table.seq[row] {
            continue;
        }
        return Err(before_its_cause(index, row, message).into());
    }
    Ok(facts)
}

fn never_sent(index: &RunIndex<'_>, row: usize) -> Witness {
    let table = index.transitions();
    let (replica, cause) = (table.replica[row], table.cause.0[row]);
    let event = table.event.get(row);
    Witness::new("never_sent", format!("replica {replica} acted on message {cause}, which nobody sent"))
        .step(index.transition_step(row, format!("{event}, caused by message {cause}")))
}

fn before_its_cause(index: &RunIndex<'_>, row: usize, message: usize) -> Witness {
    let (table, messages) = (index.transitions(), index.messages());
    let (replica, cause) = (table.replica[row], table.cause.0[row]);
    let sent = index.message_step(message, format!("message {cause} leaves {} for {}", messages.from[message], messages.to[message]));
    let effect = index.transition_step(row, format!("replica {replica}: {}, caused by message {cause}", table.event.get(row)));
    if messages.to[message] != u16::from(replica) {
        let summary = format!("replica {replica} acted on message {cause}, which went to {}", messages.to[message]);
        return Witness::new("delivered_to_another", summary).step(sent).step(effect);
    }
    let fate = messages.fate.get(message);
    if fate != Fate::Delivered {
        let summary = format!("replica {replica} acted on message {cause}, which was never delivered: {fate}");
        return Witness::new("never_delivered", summary).step(sent).step(effect);
    }
    // The effect precedes the delivery. If a path leads from it to the sending, the message even caused itself.
    let path = graph::path(index, row, message);
    if path.is_empty() {
        let summary = format!("replica {replica} acted on message {cause} before it was delivered");
        return Witness::new("effect_before_cause", summary).step(effect).step(sent);
    }
    let summary = format!("message {cause} is a consequence of its own effect on replica {replica}: happens-before has a cycle");
    Witness::new("cycle", summary).steps(path).step(effect)
}

/// What a replica's process is doing.
#[derive(Clone, Copy, Default)]
struct Process {
    down: Option<usize>,
    incarnation: u32,
    seen: bool,
}

const LIFE: EventSet = EventSet::of(&[Event::Started, Event::Restarted, Event::Crashed]);
/// Rows that the world writes, whatever the replica's state is.
const WORLD: EventSet = EventSet::of(&[Event::Crashed, Event::Paused, Event::Resumed, Event::Stalled, Event::Other]);

/// Replicas that are down do nothing.
fn alive(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, messages) = (index.transitions(), index.messages());
    let mut ticker = meter.ticker();
    let mut processes = vec![Process::default(); index.replicas()];
    // Spans in which a replica was down, by replica: positions of crash and restart.
    let mut spans: Vec<Vec<(u64, u64, usize)>> = vec![Vec::new(); index.replicas()];
    for row in index.transition_rows() {
        ticker.step()?;
        let number = usize::from(table.replica[row]);
        let event = table.event.codes[row];
        let Some(process) = processes.get_mut(number) else { continue };
        if LIFE.has(event) {
            if let Some(crash) = process.down.filter(|_| event != Event::Crashed.code()) {
                spans[number].push((table.seq[crash], table.seq[row], crash));
            }
            live(index, process, row)?;
        } else if let Some(crash) = process.down.filter(|_| !WORLD.has(event)) {
            return Err(acted_while_down(index, crash, row).into());
        }
    }
    for (number, process) in processes.iter().enumerate() {
        spans[number].extend(process.down.map(|crash| (table.seq[crash], u64::MAX, crash)));
    }
    if spans.iter().all(Vec::is_empty) {
        return Ok(0);
    }
    let down_at = |end: u16, seq: u64| {
        let spans = spans.get(usize::from(end))?;
        let behind = spans.partition_point(|(crash, _, _)| *crash < seq);
        spans[..behind].last().filter(|(_, restart, _)| seq < *restart).map(|(_, _, crash)| *crash)
    };
    let mut facts = 0;
    for row in index.message_rows() {
        ticker.step()?;
        facts += 1;
        // Copies and mutated or replayed messages leave the network, not the replica.
        let genuine = messages.copy[row] == 0 && messages.mutation.codes[row] == u8::NONE;
        if let Some(crash) = down_at(messages.from[row], messages.seq[row]).filter(|_| genuine) {
            return Err(message_while_down(index, crash, row, "sent").into());
        }
        let received = messages.fate.get(row) == Fate::Delivered;
        if let Some(crash) = down_at(messages.to[row], messages.fate_seq.0[row]).filter(|_| received) {
            return Err(message_while_down(index, crash, row, "received").into());
        }
    }
    Ok(facts)
}

fn live(index: &RunIndex<'_>, process: &mut Process, row: usize) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let (replica, incarnation) = (table.replica[row], table.incarnation[row]);
    let event = table.event.get(row);
    let expected = match event {
        Event::Restarted => process.incarnation.saturating_add(1),
        _ if process.seen => process.incarnation,
        _ => incarnation,
    };
    // A replica whose disk was formatted starts anew, with whatever number its host gives it.
    if incarnation != expected && event != Event::Started {
        let summary = format!("replica {replica} is in incarnation {incarnation} where {expected} must be");
        let step = index.transition_step(row, format!("{event} in incarnation {incarnation}"));
        return Err(Witness::new("incarnation", summary).step(step).into());
    }
    *process = Process { down: (event == Event::Crashed).then_some(row), incarnation, seen: true };
    Ok(())
}

fn acted_while_down(index: &RunIndex<'_>, crash: usize, row: usize) -> Witness {
    let table = index.transitions();
    let (replica, event) = (table.replica[row], table.event.get(row));
    Witness::new("acted_while_down", format!("replica {replica} acted after it had crashed: {event}"))
        .step(index.transition_step(crash, format!("replica {replica} crashes")))
        .step(index.transition_step(row, format!("it acts all the same: {event}")))
}

fn message_while_down(index: &RunIndex<'_>, crash: usize, message: usize, verb: &str) -> Witness {
    let (table, messages) = (index.transitions(), index.messages());
    let (replica, command) = (table.replica[crash], messages.command.get(message));
    Witness::new(format!("{verb}_while_down"), format!("replica {replica} {verb} a {command} while it was down"))
        .step(index.transition_step(crash, format!("replica {replica} crashes")))
        .step(index.message_step(message, format!("{command} from {} to {}", messages.from[message], messages.to[message])))
}

/// An answer stands behind the commit of the log position that it reports.
fn answers(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, operations) = (index.transitions(), index.operations());
    let mut ticker = meter.ticker();
    // External histories have positions of their own and no transitions.
    if index.transition_rows().is_empty() {
        return Ok(0);
    }
    let mut facts = 0;
    for row in index.operation_rows() {
        let (Some(op), Some(returned)) = (operations.op.get(row), operations.return_seq.get(row)) else { continue };
        ticker.step()?;
        facts += 1;
        let committed = index.committed().committed_row(op);
        if op == 0 || committed.is_some_and(|commit| table.seq[commit] < returned) {
            continue;
        }
        let what = if committed.is_some() { "was committed only later" } else { "was never committed" };
        let summary = format!("an operation was answered at op {op}, which {what}");
        let witness = Witness::new("answered_before_commit", summary)
            .step(index.operation_step(row, format!("answered at position {returned} with op {op}")))
            .step_if(committed.map(|commit| index.transition_step(commit, format!("op {op} is committed for the first time"))));
        return Err(witness.into());
    }
    Ok(facts)
}

#[cfg(test)]
mod tests;
