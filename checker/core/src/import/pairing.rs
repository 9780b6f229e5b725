//! Pairs invocations with their completions.
//!
//! The order of events is that of the file: recorded times are of several clocks and are kept for people only. A process has
//! one operation open at a time; what histories in the wild do beyond that is settled here, once:
//!
//! * an invocation without completion may have taken effect at any time after it, or never;
//! * a process that invokes again while an operation of its is open has given that one up: the same;
//! * a completion without invocation was invoked at a time that nobody recorded, behind the process's event before.

use super::edn::{Edn, Expected};
use super::event::{Event, EventKind};
use std::collections::BTreeMap;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There is no completion.
    Open,
    /// It was done.
    Ok,
    /// It was not done.
    Fail,
    /// Nobody knows.
    Info,
}

/// A place in the run's order, with the recorded time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Position, from 1.
    pub seq: u64,
    /// Nanoseconds since the start; never before that of an earlier position.
    pub time_ns: u64,
}

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client.
    pub process: u32,
    /// What was asked for.
    pub function: Box<str>,
    /// The key, in formats that keep it apart.
    pub key: Option<Edn>,
    /// What was asked.
    pub asked: Edn,
    /// What the completion says, if there is one.
    pub told: Option<Edn>,
    /// How it ended.
    pub ending: Ending,
    /// Its invocation.
    pub invoked: Moment,
    /// Its completion.
    pub returned: Option<Moment>,
    /// Whether the file has its invocation.
    pub has_invocation: bool,
    /// Offset of its first event in the file.
    pub offset: usize,
}

/// The operations of a file, in the order of their invocation.
#[derive(Clone, Debug, Default)]
pub struct Paired {
    /// Operations.
    pub operations: Vec<Operation>,
    /// Completions without invocation.
    pub without_invocation: u64,
    /// Operations that their process gave up without a completion.
    pub given_up: u64,
}

/// Places are sorted by event, and behind an event by number.
type Place = (usize, usize);

/// Pairs events.
///
/// # Errors
/// A completion of another function than was invoked.
pub fn pair(events: Vec<Event>) -> Result<Paired, Expected> {
    let mut paired = Paired::default();
    let mut places: Vec<(Place, Option<Place>)> = Vec::new();
    let mut open: BTreeMap<u32, usize> = BTreeMap::new();
    let mut last_of: BTreeMap<u32, usize> = BTreeMap::new();
    let mut times = Vec::with_capacity(events.len() + 1);
    times.push(0);
    for (number, event) in events.into_iter().enumerate() {
        let place = (number + 1, 0);
        times.push(event.time_ns.unwrap_or(0).max(times[number]));
        let before = last_of.insert(event.process, number + 1).unwrap_or(0);
        if event.kind == EventKind::Invoke {
            paired.given_up += u64::from(open.insert(event.process, paired.operations.len()).is_some());
            places.push((place, None));
            paired.operations.push(invocation(event));
            continue;
        }
        let ending = match event.kind {
            EventKind::Ok => Ending::Ok,
            EventKind::Fail => Ending::Fail,
            _ => Ending::Info,
        };
        let operation = if let Some(operation) = open.remove(&event.process) {
            operation
        } else {
            paired.without_invocation += 1;
            places.push(((before, 1 + paired.operations.len()), None));
            paired.operations.push(Operation { has_invocation: false, ..invocation(event.clone()) });
            paired.operations.len() - 1
        };
        places[operation].1 = Some(place);
        let operation = &mut paired.operations[operation];
        if operation.function != event.function {
            let (asked, told) = (&operation.function, &event.function);
            return Err(Expected::at(
                event.offset,
                format!("the completion of :{asked} by process {}, found one of :{told}", event.process),
            ));
        }
        if let (Some(key), Some(told)) = (&operation.key, &event.key)
            && key != told
        {
            return Err(Expected::at(event.offset, format!("a completion for the key {key}, found one for {told}")));
        }
        operation.ending = ending;
        operation.told = Some(event.value);
    }
    number_moments(&mut paired.operations, &places, &times);
    Ok(paired)
}

fn invocation(event: Event) -> Operation {
    let Event { process, function, key, value, offset, .. } = event;
    Operation {
        process,
        function,
        key,
        asked: value,
        told: None,
        ending: Ending::Open,
        invoked: Moment::default(),
        returned: None,
        has_invocation: true,
        offset,
    }
}

/// Numbers all places from 1, and sorts operations by their invocation.
fn number_moments(operations: &mut [Operation], places: &[(Place, Option<Place>)], times: &[u64]) {
    let mut all: Vec<Place> = places.iter().flat_map(|(invoked, returned)| [Some(*invoked), *returned]).flatten().collect();
    all.sort_unstable();
    let moment = |place: Place| Moment { seq: all.partition_point(|other| *other < place) as u64 + 1, time_ns: times[place.0] };
    for (operation, (invoked, returned)) in operations.iter_mut().zip(places) {
        operation.invoked = moment(*invoked);
        operation.returned = returned.map(moment);
    }
    operations.sort_by_key(|operation| operation.invoked.seq);
}
