//! What each replica was waiting for when a run stalled, or ended without having settled: its status, its timers, its last words, and what it
//! had asked for and not got.
//!
//! Nothing here is a cause. It is what a person collects first of a cluster that stands still, each line with the row that says so.

use super::scene::Scene;
use std::collections::{BTreeMap, BTreeSet};
use vopr_checker::Step;
use vopr_checker::words::counted;
use vopr_schema::{Command, Dictionary, History, Status, TransitionEvent as Event};

/// Open repairs that are told one by one.
const REPAIRS_MAX: usize = 3;

/// A replica at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub replica: u8,
    /// Its last status.
    pub status: Status,
    /// Its view.
    pub view: u64,
    /// Its commit number.
    pub commit: u64,
    /// What it was waiting for, in words.
    pub sentence: String,
    /// The rows that say so: its state, its last message out and in, its timers, its open repairs.
    pub rows: Vec<Step>,
}

/// When the world saw a run stall, if it did: position and time in nanoseconds. What comes later is how it healed.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn stalled(history: &History, run: usize) -> Option<(u64, u64)> {
    let table = &history.transitions;
    let row = table.rows_of_run(run).find(|row| table.event.get(*row) == Event::Stalled)?;
    Some((table.seq[row], table.time_ns[row]))
}

/// What every replica was waiting for at the end of a scene, in the order of their numbers; none of a replica without any row.
pub(super) fn waiting(scene: &Scene<'_>) -> Vec<Waiting> {
    (0..scene.index.replicas()).filter_map(|replica| of(scene, u8::try_from(replica).ok()?)).collect()
}

fn of(scene: &Scene<'_>, replica: u8) -> Option<Waiting> {
    let table = scene.index.transitions();
    let own: Vec<usize> = scene.transitions().filter(|row| table.replica[*row] == replica).collect();
    let last = *own.last()?;
    // A vote for a view is written with that view before the replica is in it.
    let is_state = |row: &&usize| !matches!(scene.event(**row), Event::VoteCast);
    let state = own.iter().rev().find(is_state).copied().unwrap_or(last);
    let status = if scene.event(last) == Event::Crashed { Status::Down } else { table.status.get(last) };
    let life: Vec<usize> = own.into_iter().filter(|row| table.incarnation[*row] == table.incarnation[last]).collect();
    let replica = Replica { scene, number: replica, life, status, view: table.view[state], commit: table.commit[state] };
    let (sentence, because) = replica.sentence();
    let mut rows = vec![scene.transition(last, format!("its last row: {}", scene.event(last).name().replace('_', " ")))];
    rows.extend(because);
    rows.extend(replica.message(true));
    rows.extend(replica.message(false));
    rows.extend(replica.timers());
    rows.extend(replica.open_repairs());
    Some(Waiting { replica: replica.number, status, view: replica.view, commit: replica.commit, sentence, rows })
}

/// A replica, and the rows of its last incarnation.
struct Replica<'a> {
    scene: &'a Scene<'a>,
    number: u8,
    life: Vec<usize>,
    status: Status,
    view: u64,
    commit: u64,
}

impl Replica<'_> {
    /// What it waits for, and rows that show it.
    fn sentence(&self) -> (String, Vec<Step>) {
        let primary = self.scene.index.primary(self.view);
        let leader = primary.map_or_else(|| "the primary".to_owned(), |primary| format!("replica {primary}, the primary,"));
        match self.status {
            Status::Down => ("it is down".to_owned(), Vec::new()),
            Status::Recovering => ("for answers that say what its uncertain head or view was".to_owned(), Vec::new()),
            Status::StateTransfer => ("for a peer's checkpoint".to_owned(), Vec::new()),
            Status::ViewChange => self.in_view_change(&leader),
            Status::Normal if primary == Some(self.number) => self.as_primary(),
            Status::Normal => (format!("for {leader} to prepare or commit something behind op {}", self.commit), Vec::new()),
        }
    }

    fn in_view_change(&self, leader: &str) -> (String, Vec<Step>) {
        let (table, view) = (self.scene.index.messages(), self.view);
        let of_view = |row: &usize, command: Command| table.command.get(*row) == command && table.view.get(*row) == Some(view);
        let rows = || self.scene.index.message_rows();
        let is_primary = self.scene.index.primary(view) == Some(self.number);
        let own = u16::from(self.number);
        let sent = rows().rev().find(|row| table.from[*row] == own && of_view(row, Command::DoViewChange));
        let command = if is_primary { Command::DoViewChange } else { Command::StartViewChange };
        let from: BTreeSet<u16> = rows()
            .filter(|row| of_view(row, command) && table.to[*row] == own && self.scene.taken(*row))
            .map(|row| table.from[row])
            .collect();
        let heard = if from.is_empty() { "nobody".to_owned() } else { told_replicas(&from) };
        if is_primary {
            return (format!("to have a quorum's logs for view {view}, which it is to lead; it has got one from {heard}"), Vec::new());
        }
        if let Some(sent) = sent {
            let step = self.scene.message(sent, " leaves");
            return (format!("for {leader} to begin view {view}; it has sent its log there"), vec![step]);
        }
        (format!("for a quorum to vote for view {view}; it has heard of such a vote from {heard}"), Vec::new())
    }

    fn as_primary(&self) -> (String, Vec<Step>) {
        let (index, table) = (&self.scene.index, self.scene.index.transitions());
        let next = self.commit + 1;
        let held = self.life.iter().rev().find(|row| self.scene.event(**row) == Event::EntryAppended && table.op.get(**row) == Some(next));
        let Some(held) = held else {
            return (
                format!("for a request: it leads view {}, and everything up to op {} is committed", self.view, self.commit),
                Vec::new(),
            );
        };
        let votes: BTreeSet<u16> = self
            .scene
            .transitions()
            .filter(|row| {
                self.scene.event(*row) == Event::Acknowledged && table.op.get(*row) == Some(next) && table.view[*row] == self.view
            })
            .filter(|row| index.entries().of_row(*row) == index.entries().of_row(*held))
            .map(|row| u16::from(table.replica[row]))
            .collect();
        let told = if votes.is_empty() { "nobody has".to_owned() } else { format!("{} voted", told_replicas(&votes)) };
        let sentence = format!("for votes for op {next}, as the primary of view {}; {told}", self.view);
        (sentence, vec![self.scene.transition(*held, format!("op {next} is in its log"))])
    }

    /// The last message that it sent, or got and took; clock samples say nothing and are passed over.
    fn message(&self, sent: bool) -> Option<Step> {
        let table = self.scene.index.messages();
        let own = u16::from(self.number);
        let is_sample = |row: &usize| matches!(table.command.get(*row), Command::Ping | Command::Pong);
        let rows = self.scene.index.message_rows().filter(|row| !is_sample(row));
        if sent {
            let last = rows.filter(|row| table.from[*row] == own).max_by_key(|row| table.seq[*row])?;
            let fate = table.fate.get(last).name().replace('_', " ");
            return Some(self.scene.message(last, &format!(": the last that it sent ({fate})")));
        }
        let last = rows.filter(|row| table.to[*row] == own && table.fate_seq.get(*row).is_some() && self.arrived(*row));
        let last = last.max_by_key(|row| table.fate_seq.get(*row))?;
        let refused = table.reject_reason.get(last).map_or_else(String::new, |why| format!(", refused: {}", why.name().replace('_', " ")));
        Some(self.scene.message(last, &format!(": the last that it got{refused}")))
    }

    fn arrived(&self, row: usize) -> bool {
        self.scene.index.messages().fate.get(row) == vopr_schema::Fate::Delivered
    }

    /// The timers that have fired since it last changed its status or its view: each with its last row. What it waits for has not come
    /// since.
    fn timers(&self) -> Vec<Step> {
        let table = self.scene.index.transitions();
        let changes =
            |row: &usize| matches!(self.scene.event(*row), Event::StatusChanged | Event::ViewEntered | Event::Restarted | Event::Started);
        let since = self.life.iter().rposition(changes).map_or(0, |place| place + 1);
        let mut fired: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
        for row in self.life[since..].iter().copied().filter(|row| self.scene.event(*row) == Event::TimerFired) {
            let name = table.detail.get(row).map_or("other", |timer| timer.name());
            if name == "scrub" || name == "ping" {
                continue;
            }
            let (times, last) = fired.entry(name).or_default();
            (*times, *last) = (*times + 1, row);
        }
        let step = |(name, (times, last)): (&'static str, (usize, usize))| {
            let words =
                format!("its timer {name} fired {} since it last changed its status or view: the last time", counted(times, "time"));
            self.scene.transition(last, words)
        };
        fired.into_iter().map(step).collect()
    }

    /// What it has asked for and neither got nor given up.
    fn open_repairs(&self) -> Vec<Step> {
        let table = self.scene.index.transitions();
        let mut open: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for row in self.life.iter().copied() {
            let Some(op) = table.op.get(row) else { continue };
            match self.scene.event(row) {
                Event::RepairRequested => {
                    let (times, last) = open.entry(op).or_default();
                    (*times, *last) = (*times + 1, row);
                }
                Event::Repaired | Event::EntryAppended | Event::EntryDurable | Event::EntryTruncated => drop(open.remove(&op)),
                Event::StateInstalled => open.retain(|wanted, _| *wanted > op),
                _ => {}
            }
        }
        let more = open.len().saturating_sub(REPAIRS_MAX);
        let step = |(place, (op, (times, last))): (usize, (u64, (usize, usize)))| {
            let more =
                if more > 0 && place + 1 == REPAIRS_MAX { format!("; open besides: {}", counted(more, "op")) } else { String::new() };
            self.scene.transition(last, format!("it asked for op {op} {} and has not got it: the last time{more}", counted(times, "time")))
        };
        open.into_iter().take(REPAIRS_MAX).enumerate().map(step).collect()
    }
}

fn told_replicas(replicas: &BTreeSet<u16>) -> String {
    let names: Vec<String> = replicas.iter().map(u16::to_string).collect();
    format!("{} {}", if names.len() == 1 { "replica" } else { "replicas" }, names.join(", "))
}

impl Waiting {
    /// One line: where it stands and what it waits for.
    #[must_use]
    pub fn line(&self) -> String {
        let status = self.status.name().replace('_', " ");
        let waits = if self.status == Status::Down { String::new() } else { format!(", waits {}", self.sentence) };
        format!("replica {}: {status}, view {}, commit number {}{waits}", self.replica, self.view, self.commit)
    }
}
