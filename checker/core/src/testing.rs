//! Tiny histories written by hand, for tests of invariants.
//!
//! A story keeps what each replica would say of itself, so that a test only writes what it is about; every row can be
//! changed before the history is made.

pub mod dialogue;

use vopr_schema::{
    Command, Fate, FaultRow, History, MessageRow, OperationRow, Outcome, Run, Status, StorageRow, TransitionEvent, TransitionRow,
};

/// A history of one run in the making.
#[derive(Clone, Debug)]
pub struct Story {
    /// The run's own row.
    pub run: Run,
    /// Client operations, in the order of invocation.
    pub operations: Vec<OperationRow>,
    /// Messages, in the order of sending.
    pub messages: Vec<MessageRow>,
    /// Transitions, in order.
    pub transitions: Vec<TransitionRow>,
    /// Disk accesses, in order.
    pub storage: Vec<StorageRow>,
    /// Faults, in order.
    pub faults: Vec<FaultRow>,
    replicas: Vec<TransitionRow>,
    seq: u64,
}

/// The hash that stories give to the entry of `op` prepared in `view`.
#[must_use]
pub fn entry_hash(op: u64, view: u64) -> u64 {
    if op == 0 { 1 } else { 1_000_000 * (view + 1) + op }
}

impl Story {
    /// `replicas` voting members, each of which has just started.
    #[must_use]
    pub fn new(replicas: u8) -> Self {
        let run = Run { scenario: "story".to_owned(), seed: 1, replicas, clients: 1, tenants: 1, ..Run::default() };
        let row = |replica| TransitionRow { replica, status: Status::Normal, op: Some(0), ..TransitionRow::default() };
        let mut story = Self {
            run,
            operations: Vec::new(),
            messages: Vec::new(),
            transitions: Vec::new(),
            storage: Vec::new(),
            faults: Vec::new(),
            replicas: (0..replicas).map(row).collect(),
            seq: 0,
        };
        (0..replicas).for_each(|replica| {
            story.event(replica, TransitionEvent::Started, |_| {});
        });
        story
    }

    /// Three replicas that commit and apply `ops` entries in view 0 without any trouble.
    #[must_use]
    pub fn clean(ops: u64) -> Self {
        let mut story = Self::new(3);
        for op in 1..=ops {
            story.replicate(op, 0);
        }
        story
    }

    /// The next position in the run's order. Times rise with it, a microsecond each.
    pub fn tick(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// What replica `replica` says of itself: view, commit number and so on of its next rows.
    pub fn state(&mut self, replica: u8) -> &mut TransitionRow {
        &mut self.replicas[usize::from(replica)]
    }

    /// A transition of `replica`; its row starts as the replica's state without op number. Returns its place.
    pub fn event(&mut self, replica: u8, event: TransitionEvent, edit: impl FnOnce(&mut TransitionRow)) -> usize {
        let seq = self.tick();
        let state = self.replicas[usize::from(replica)].clone();
        let mut row = TransitionRow { seq, time_ns: seq * 1000, event, ..state };
        edit(&mut row);
        self.transitions.push(row);
        self.transitions.len() - 1
    }

    /// A transition about the entry of `op` prepared in `view`. Returns its place.
    pub fn entry(&mut self, replica: u8, event: TransitionEvent, op: u64, view: u64) -> usize {
        self.event(replica, event, |row| {
            row.op = Some(op);
            row.entry_hash = Some(entry_hash(op, view));
        })
    }

    /// Puts the entry of `op`, prepared in `view`, behind one prepared in the same view (or behind nothing).
    pub fn append(&mut self, replica: u8, op: u64, view: u64) -> usize {
        self.append_after(replica, op, view, view)
    }

    /// Puts the entry of `op`, prepared in `view`, behind the one prepared in `previous_view`.
    pub fn append_after(&mut self, replica: u8, op: u64, view: u64, previous_view: u64) -> usize {
        self.state(replica).op = Some(op);
        let place = self.entry(replica, TransitionEvent::EntryAppended, op, view);
        let row = &mut self.transitions[place];
        row.previous_hash = Some(entry_hash(op.saturating_sub(1), previous_view));
        row.entry_view = Some(view);
        fill_request(row, op);
        place
    }

    /// Appends, makes durable and acknowledges.
    pub fn accept(&mut self, replica: u8, op: u64, view: u64) {
        self.append(replica, op, view);
        self.entry(replica, TransitionEvent::EntryDurable, op, view);
        self.entry(replica, TransitionEvent::Acknowledged, op, view);
    }

    /// Commits and applies; `quorum` on the primary that counted.
    pub fn commit(&mut self, replica: u8, op: u64, view: u64, quorum: Option<u32>) {
        self.state(replica).commit = op;
        let place = self.entry(replica, TransitionEvent::Committed, op, view);
        self.transitions[place].quorum = quorum;
        self.apply(replica, op, view);
    }

    /// Applies. Returns the row's place.
    pub fn apply(&mut self, replica: u8, op: u64, view: u64) -> usize {
        let place = self.entry(replica, TransitionEvent::Applied, op, view);
        let row = &mut self.transitions[place];
        row.state_hash = Some(7_000_000 + op);
        fill_request(row, op);
        place
    }

    /// A message that leaves now and arrives at once. Returns its place.
    pub fn message(&mut self, command: Command, from: u16, to: u16, edit: impl FnOnce(&mut MessageRow)) -> usize {
        let (seq, fate_seq) = (self.tick(), self.tick());
        let mut row = MessageRow {
            seq,
            time_ns: seq * 1000,
            id: self.messages.len() as u64 + 1,
            command,
            from,
            to,
            fate: Fate::Delivered,
            fate_seq: Some(fate_seq),
            fate_time_ns: Some(fate_seq * 1000),
            ..MessageRow::default()
        };
        edit(&mut row);
        self.messages.push(row);
        self.messages.len() - 1
    }

    /// A message about the entry of `op` prepared in `entry_view`, sent in view `view`. Returns its place.
    pub fn about(&mut self, command: Command, from: u16, to: u16, (op, entry_view, view): (u64, u64, u64)) -> usize {
        self.message(command, from, to, |row| {
            row.view = Some(view);
            row.op = Some(op);
            row.entry_hash = Some(entry_hash(op, entry_view));
        })
    }

    /// A whole round for `op` in `view`: the primary prepares, everybody accepts, commits and applies.
    ///
    /// # Panics
    /// When the story has more replicas than a byte can number.
    pub fn replicate(&mut self, op: u64, view: u64) {
        let members = u8::try_from(self.replicas.len()).expect("a story has few replicas");
        let primary = u8::try_from(view % u64::from(members)).expect("smaller than the number of replicas");
        self.accept(primary, op, view);
        for backup in (0..members).filter(|replica| *replica != primary) {
            self.about(Command::Prepare, primary.into(), backup.into(), (op, view, view));
            let cause = self.messages.len() as u64;
            self.append(backup, op, view);
            self.transitions.last_mut().expect("just appended").cause = Some(cause);
            self.entry(backup, TransitionEvent::EntryDurable, op, view);
            self.entry(backup, TransitionEvent::Acknowledged, op, view);
            self.about(Command::PrepareOk, backup.into(), primary.into(), (op, view, view));
        }
        self.commit(primary, op, view, Some((1 << members) - 1));
        for backup in (0..members).filter(|replica| *replica != primary) {
            self.commit(backup, op, view, None);
        }
    }

    /// The process dies.
    pub fn crash(&mut self, replica: u8) {
        self.event(replica, TransitionEvent::Crashed, |row| row.status = Status::Down);
    }

    /// A new incarnation reads its disk and finds what `recovered` leaves in its state.
    pub fn restart(&mut self, replica: u8, recovered: impl FnOnce(&mut TransitionRow)) {
        let state = self.state(replica);
        state.incarnation += 1;
        state.commit = 0;
        recovered(state);
        self.event(replica, TransitionEvent::Restarted, |_| {});
    }

    /// An operation that is invoked now and returns at once. Returns its place.
    pub fn operation(&mut self, edit: impl FnOnce(&mut OperationRow)) -> usize {
        let (seq, return_seq) = (self.tick(), self.tick());
        let mut row = OperationRow {
            seq,
            time_ns: seq * 1000,
            outcome: Outcome::Ok,
            return_seq: Some(return_seq),
            return_time_ns: Some(return_seq * 1000),
            attempts: 1,
            ..OperationRow::default()
        };
        edit(&mut row);
        self.operations.push(row);
        self.operations.len() - 1
    }

    /// The history of this one run.
    #[must_use]
    pub fn history(&self) -> History {
        let mut history = History::default();
        self.append_to(&mut history);
        history
    }

    /// Adds the run to a history.
    pub fn append_to(&self, history: &mut History) {
        for row in &self.operations {
            history.operations.push(row.clone());
        }
        for row in &self.messages {
            history.messages.push(row.clone());
        }
        for row in &self.transitions {
            history.transitions.push(row.clone());
        }
        for row in &self.storage {
            history.storage.push(row.clone());
        }
        for row in &self.faults {
            history.faults.push(row.clone());
        }
        let end_time_ns = (self.seq + 1) * 1000;
        history.close_run(Run { end_time_ns, events: self.seq, ..self.run.clone() });
    }

    /// The history without its rows from position `seq` on, as if recording had been cut off.
    #[must_use]
    pub fn cut_off(&self, seq: u64) -> Self {
        let mut story = self.clone();
        story.operations.retain(|row| row.seq < seq);
        story.messages.retain(|row| row.seq < seq);
        story.transitions.retain(|row| row.seq < seq);
        story.storage.retain(|row| row.seq < seq);
        story.faults.retain(|row| row.seq < seq);
        for row in story.messages.iter_mut().filter(|row| row.fate_seq >= Some(seq)) {
            (row.fate, row.fate_seq, row.fate_time_ns) = (Fate::InFlightAtEnd, None, None);
        }
        for row in story.operations.iter_mut().filter(|row| row.return_seq >= Some(seq)) {
            (row.outcome, row.return_seq, row.return_time_ns, row.result) = (Outcome::Unknown, None, None, None);
        }
        story
    }

    /// The verdict of one invariant on this story.
    ///
    /// # Panics
    /// When no invariant has that name.
    #[must_use]
    pub fn verdict(&self, invariant: &str) -> crate::Verdict {
        let selection = crate::Selection::only(&[invariant]).expect("a registered invariant");
        let mut verdicts = crate::check_run(&self.history(), 0, &selection, &crate::Budget::default());
        verdicts.pop().expect("one verdict per chosen invariant").1
    }
}

/// Every op number of a story is request `op` of session 1 of client 1 of tenant 0.
fn fill_request(row: &mut TransitionRow, op: u64) {
    row.timestamp = Some(op);
    row.tenant = Some(0);
    row.client = Some(1);
    row.session = Some(1);
    row.request_number = Some(op);
}
