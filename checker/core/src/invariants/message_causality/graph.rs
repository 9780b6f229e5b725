//! The happens-before graph of a part of a run, for the witness of a cycle.
//!
//! A cycle needs an edge that goes backwards in the run's order. Those are found by comparing positions; only then is the graph
//! built, between the two ends of the offending edge, to show the shortest path that closes the cycle.

use crate::index::RunIndex;
use crate::witness::Step;
use petgraph::algo::astar;
use petgraph::graph::{DiGraph, NodeIndex};
use vopr_schema::{Fate, Kind};

/// Events that a path is looked for among; a longer way is reported without its middle.
const EVENTS_MAX: usize = 200_000;

/// One event of a replica.
#[derive(Clone, Copy)]
struct Event {
    seq: u64,
    replica: u16,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Transition(usize),
    Sent(usize),
    Delivered(usize),
}

/// The shortest happens-before path from transition `row` to the sending of `message`; empty when there is none.
pub(super) fn path(index: &RunIndex<'_>, row: usize, message: usize) -> Vec<Step> {
    let span = (index.transitions().seq[row], index.messages().seq[message]);
    let events = events(index, span);
    if events.len() > EVENTS_MAX {
        return Vec::new();
    }
    let (graph, nodes) = graph(index, &events);
    let node = |wanted: u64| events.iter().position(|event| event.seq == wanted).map(|place| nodes[place]);
    let (Some(start), Some(goal)) = (node(span.0), node(span.1)) else { return Vec::new() };
    let found = astar(&graph, start, |at| at == goal, |_| 1_u32, |_| 0);
    let steps = found.map(|(_, path)| path).unwrap_or_default();
    steps.into_iter().map(|node| step(index, &events[graph[node]])).collect()
}

/// The events of all replicas between two positions, in order.
fn events(index: &RunIndex<'_>, (first, last): (u64, u64)) -> Vec<Event> {
    let (table, messages) = (index.transitions(), index.messages());
    let within = |seq: u64| (first..=last).contains(&seq);
    let transitions = index.transition_rows().filter(|row| within(table.seq[*row]));
    let mut events: Vec<Event> =
        transitions.map(|row| Event { seq: table.seq[row], replica: table.replica[row].into(), what: What::Transition(row) }).collect();
    for row in index.message_rows() {
        if within(messages.seq[row]) {
            events.push(Event { seq: messages.seq[row], replica: messages.from[row], what: What::Sent(row) });
        }
        if messages.fate.get(row) == Fate::Delivered && within(messages.fate_seq.0[row]) {
            events.push(Event { seq: messages.fate_seq.0[row], replica: messages.to[row], what: What::Delivered(row) });
        }
    }
    events.sort_by_key(|event| event.seq);
    events
}

fn graph(index: &RunIndex<'_>, events: &[Event]) -> (DiGraph<usize, ()>, Vec<NodeIndex>) {
    let mut graph = DiGraph::with_capacity(events.len(), 2 * events.len());
    let nodes: Vec<NodeIndex> = (0..events.len()).map(|place| graph.add_node(place)).collect();
    let mut latest: Vec<Option<NodeIndex>> = Vec::new();
    for (event, node) in events.iter().zip(&nodes) {
        let replica = usize::from(event.replica);
        if latest.len() <= replica {
            latest.resize(replica + 1, None);
        }
        if let Some(before) = latest[replica].replace(*node) {
            graph.add_edge(before, *node, ());
        }
        if let What::Delivered(row) = event.what {
            let sent = events.binary_search_by_key(&index.messages().seq[row], |event| event.seq);
            if let Ok(place) = sent {
                graph.add_edge(nodes[place], *node, ());
            }
        }
    }
    (graph, nodes)
}

fn step(index: &RunIndex<'_>, event: &Event) -> Step {
    let messages = index.messages();
    let about = |row: usize| format!("{} from {} to {}", messages.command.get(row), messages.from[row], messages.to[row]);
    match event.what {
        What::Transition(row) => index.transition_step(row, index.transitions().event.get(row).to_string()),
        What::Sent(row) => index.message_step(row, format!("{} is sent", about(row))),
        What::Delivered(row) => Step::new(Kind::Message, messages.seq[row], format!("{} arrives", about(row))),
    }
}
