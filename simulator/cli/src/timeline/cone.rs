//! The causal cone of a violation: the rows that led to it, the latest ones first, until there are enough.
//!
//! A transition follows from the message that it names; a message follows from what its sender took at the moment of sending; an
//! answer follows from the reply that carried it. The page of a run follows knowledge forwards as well; here only what is needed to tell a
//! story in a few lines is kept.

use std::collections::{BTreeMap, BTreeSet};
use vopr_checker::Step;
use vopr_schema::{Command, Fate, History, Kind, TransitionEvent};

/// A row of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Operation(usize),
    Message(usize),
    Transition(usize),
}

/// Look-ups that the walk needs.
struct Tables<'a> {
    history: &'a History,
    /// Rows by message number; the copy that arrived, if one did.
    messages: BTreeMap<u64, usize>,
    /// Delivered messages by receiver and time of arrival.
    arrivals: BTreeMap<(u16, u64), usize>,
    /// Replies by tenant, client and request number; the earliest that arrived.
    replies: BTreeMap<(u32, u32, u64), usize>,
    /// What a disk may keep waiting: prepares and repairs by receiver and op, votes and logs of a view by receiver and view; with the
    /// position of their arrival, the earliest first.
    waiting: BTreeMap<(u16, bool, u64), Vec<(u64, usize)>>,
}

/// The rows that led to the steps of a witness, at most `limit` of them, in the order of the run.
pub(crate) fn of(history: &History, run: usize, steps: &[Step], limit: usize) -> Vec<Node> {
    let tables = Tables::new(history, run);
    let mut open: BTreeSet<(u64, Node)> =
        steps.iter().filter_map(|step| node(history, run, step)).map(|node| (seq(history, node), node)).collect();
    let mut cone: BTreeSet<(u64, Node)> = BTreeSet::new();
    // The steps themselves are always told.
    let mut room = limit.saturating_sub(open.len());
    let mut known = open.clone();
    while let Some((position, node)) = open.pop_last() {
        cone.insert((position, node));
        for before in tables.before(node) {
            let place = (seq(history, before), before);
            if room > 0 && known.insert(place) {
                room -= 1;
                open.insert(place);
            }
        }
    }
    cone.into_iter().map(|(_, node)| node).collect()
}

/// Position of a row.
pub(crate) fn seq(history: &History, node: Node) -> u64 {
    match node {
        Node::Operation(row) => history.operations.seq[row],
        Node::Message(row) => history.messages.seq[row],
        Node::Transition(row) => history.transitions.seq[row],
    }
}

fn node(history: &History, run: usize, step: &Step) -> Option<Node> {
    match step.kind {
        Kind::Operation => history.operations.row_at(run, step.seq).map(Node::Operation),
        Kind::Message => history.messages.row_at(run, step.seq).map(Node::Message),
        Kind::Transition => history.transitions.row_at(run, step.seq).map(Node::Transition),
        _ => None,
    }
}

impl<'a> Tables<'a> {
    fn new(history: &'a History, run: usize) -> Self {
        let table = &history.messages;
        let mut tables =
            Self { history, messages: BTreeMap::new(), arrivals: BTreeMap::new(), replies: BTreeMap::new(), waiting: BTreeMap::new() };
        for row in table.rows_of_run(run) {
            let arrived =
                table.fate_time_ns.get(row).filter(|_| table.fate.get(row) == Fate::Delivered && table.reject_reason.get(row).is_none());
            if arrived.is_some() || !tables.messages.contains_key(&table.id[row]) {
                tables.messages.insert(table.id[row], row);
            }
            let Some(time) = arrived else { continue };
            tables.arrivals.insert((table.to[row], time), row);
            let matter = match table.command.get(row) {
                Command::Prepare | Command::RepairResponse => table.op.get(row).map(|op| (false, op)),
                Command::StartViewChange | Command::DoViewChange | Command::StartView => table.view.get(row).map(|view| (true, view)),
                _ => None,
            };
            if let Some(((is_view, number), arrived)) = matter.zip(table.fate_seq.get(row)) {
                tables.waiting.entry((table.to[row], is_view, number)).or_default().push((arrived, row));
            }
            let request = table.tenant.get(row).zip(table.client.get(row)).zip(table.request_number.get(row));
            if let Some(((tenant, client), request)) = request.filter(|_| table.command.get(row) == Command::Reply) {
                tables.replies.entry((tenant, client, request)).or_insert(row);
            }
        }
        for arrivals in tables.waiting.values_mut() {
            arrivals.sort_unstable();
        }
        tables
    }

    /// The last message about an op, or a view, that a replica took before a position: what it does after a disk access follows from it.
    fn waited(&self, replica: u16, (is_view, number): (bool, u64), seq: u64) -> Option<usize> {
        let arrivals = self.waiting.get(&(replica, is_view, number))?;
        arrivals.iter().rev().find(|(arrived, _)| *arrived < seq).map(|(_, row)| *row)
    }

    /// What a row follows from.
    fn before(&self, node: Node) -> Vec<Node> {
        let history = self.history;
        match node {
            Node::Transition(row) => {
                let table = &history.transitions;
                let event = table.event.get(row);
                // A crash follows from nothing that was sent.
                if event == TransitionEvent::Crashed {
                    return Vec::new();
                }
                let (replica, seq) = (u16::from(table.replica[row]), table.seq[row]);
                let is_view = matches!(event, TransitionEvent::ViewEntered | TransitionEvent::VoteCast | TransitionEvent::StatusChanged);
                let number = if is_view { Some(table.view[row]) } else { table.op.get(row) };
                let named = table.cause.get(row).and_then(|cause| self.messages.get(&cause)).copied();
                let arrived = named.or_else(|| self.arrivals.get(&(replica, table.time_ns[row])).copied());
                let before = arrived.filter(|message| history.messages.seq[*message] < seq);
                let before = before.or_else(|| self.waited(replica, (is_view, number?), seq));
                before.map(Node::Message).into_iter().collect()
            }
            Node::Message(row) => {
                let table = &history.messages;
                let (from, seq) = (table.from[row], table.seq[row]);
                let matter = match table.command.get(row) {
                    Command::PrepareOk => table.op.get(row).map(|op| (false, op)),
                    Command::DoViewChange | Command::StartView | Command::StartViewChange => table.view.get(row).map(|view| (true, view)),
                    _ => None,
                };
                let arrived = self.arrivals.get(&(from, table.time_ns[row])).copied().filter(|other| table.seq[*other] < seq);
                let before = arrived.or_else(|| self.waited(from, matter?, seq));
                before.map(Node::Message).into_iter().collect()
            }
            Node::Operation(row) => {
                let table = &history.operations;
                let name = (table.tenant[row], table.client[row], table.request_number[row]);
                self.replies.get(&name).map(|reply| Node::Message(*reply)).into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{MessageRow, OperationRow, Run, TransitionRow};

    /// A client's request, a prepare, its answer, and a reply; and a ping that plays no part.
    fn history() -> History {
        let mut history = History::default();
        let message = |seq, id, command, from, to, sent, arrives| MessageRow {
            seq,
            id,
            command,
            from,
            to,
            time_ns: sent,
            fate: Fate::Delivered,
            fate_seq: Some(seq + 1),
            fate_time_ns: Some(arrives),
            tenant: Some(0),
            client: Some(1),
            request_number: Some(7),
            ..MessageRow::default()
        };
        history.operations.push(OperationRow { seq: 1, client: 1, request_number: 7, return_seq: Some(20), ..OperationRow::default() });
        for row in [
            message(2, 1, Command::Request, 1000, 0, 10, 20),
            message(4, 2, Command::Prepare, 0, 1, 20, 30),
            message(6, 3, Command::PrepareOk, 1, 0, 30, 40),
            message(8, 4, Command::Ping, 2, 1, 33, 38),
            message(10, 5, Command::Reply, 0, 1000, 40, 50),
        ] {
            history.messages.push(row);
        }
        history.transitions.push(TransitionRow {
            seq: 9,
            time_ns: 40,
            event: TransitionEvent::Committed,
            cause: Some(3),
            ..TransitionRow::default()
        });
        history.close_run(Run::default());
        history
    }

    #[test]
    fn an_answer_leads_back_to_its_request() {
        let history = history();
        let cone = of(&history, 0, &[Step::new(Kind::Operation, 1, "")], 10);
        let messages = |rows: &[usize]| rows.iter().map(|row| Node::Message(*row)).collect::<Vec<_>>();
        assert_eq!(cone, [vec![Node::Operation(0)], messages(&[0, 1, 2, 4])].concat());
        let short = of(&history, 0, &[Step::new(Kind::Transition, 9, "")], 2);
        assert_eq!(short, [Node::Message(2), Node::Transition(0)]);
    }
}
