//! Situations that the transitions of replicas show.

use super::{Counts, Situation};
use crate::index::RunIndex;
use vopr_schema::column::Niche;
use vopr_schema::{Detail, Status, TransitionEvent as Event};

/// Uncommitted entries of a primary that make its pipeline deep.
const DEEP: u64 = 8;
/// Commits at one instant that count as catching up.
const CAUGHT_UP: u32 = 4;

/// What one replica was when its last row was written.
#[derive(Clone, Copy, Debug)]
struct Replica {
    up: bool,
    /// Not scheduled for a while.
    paused: bool,
    status: Status,
    view: u64,
    /// The last view that it entered.
    entered: Option<u64>,
    op: u64,
    commit: u64,
    /// It has said that it restarted and nothing else yet but what its disk held.
    restarting: bool,
    /// The entry that is committed and not yet applied.
    owed: Option<u64>,
    /// The op number of the entry that left its log last.
    truncated: Option<u64>,
    /// The last vote: view and op number.
    acked: (u64, u64),
    /// Commits at one instant, and when.
    commits: (u32, u64),
    /// Entries above its commit number when it appended last.
    open: u64,
}

/// All replicas, as far as the sweep has come.
struct Sweep<'a, 'b> {
    index: &'a RunIndex<'a>,
    counts: &'b mut Counts,
    replicas: Vec<Replica>,
    takeovers: Vec<u64>,
    proposing: bool,
    rivals: bool,
}

/// Counts, and returns the positions at which new primaries entered their views.
pub(super) fn sweep(index: &RunIndex<'_>, counts: &mut Counts) -> Vec<u64> {
    let replica = Replica {
        up: true,
        paused: false,
        status: Status::Normal,
        view: 0,
        entered: None,
        op: 0,
        commit: 0,
        restarting: false,
        owed: None,
        truncated: None,
        acked: (u64::NONE, 0),
        commits: (0, 0),
        open: 0,
    };
    let replicas = vec![replica; index.replicas()];
    let mut sweep = Sweep { index, counts, replicas, takeovers: Vec::new(), proposing: false, rivals: false };
    for row in index.transition_rows() {
        sweep.row(row);
    }
    sweep.takeovers
}

impl Sweep<'_, '_> {
    fn hit_if(&mut self, happened: bool, situation: Situation) {
        if happened {
            self.counts.hit(situation);
        }
    }

    fn leads(&self, replica: usize) -> bool {
        let state = &self.replicas[replica];
        state.up && state.status == Status::Normal && self.index.primary(state.view).map(usize::from) == Some(replica)
    }

    fn changing_views(&self) -> bool {
        self.replicas.iter().any(|state| state.up && state.status == Status::ViewChange)
    }

    fn row(&mut self, row: usize) {
        let table = self.index.transitions();
        let (replica, event) = (usize::from(table.replica[row]), table.event.get(row));
        if replica >= self.replicas.len() {
            return;
        }
        match event {
            Event::Crashed => return self.crashed(replica),
            Event::Paused => return self.replicas[replica].paused = true,
            Event::Resumed => {
                let was = core::mem::take(&mut self.replicas[replica].paused);
                let leads = self.leads(replica);
                return self.hit_if(was && leads, Situation::PausedPrimaryResumed);
            }
            // The row of a vote names the view that is voted for, not the replica's own. A stall is a failure (`liveness`), no situation.
            Event::VoteCast | Event::Stalled => return,
            Event::TimerFired => self.timer(table.detail.get(row)),
            Event::CorruptionDetected => self.damage(replica, table.detail.get(row)),
            Event::ViewEntered => self.view_entered(replica, row),
            Event::EntryTruncated | Event::EntryAppended | Event::Acknowledged => self.entry(replica, row, event),
            Event::Committed | Event::Applied => self.progress(replica, row, event),
            Event::Abdicated => match table.detail.get(row) {
                Some(Detail::NoQuorum) => self.counts.hit(Situation::PrimaryLostItsQuorum),
                Some(Detail::ClockUnsynchronised) => self.counts.hit(Situation::PrimaryLostItsClock),
                _ => {}
            },
            Event::ClockLost => match table.detail.get(row) {
                Some(Detail::ClockContradicted) => self.counts.hit(Situation::ClockContradicted),
                Some(Detail::ClockStepped) => self.counts.hit(Situation::ClockSet),
                Some(Detail::ClockExpired) => self.counts.hit(Situation::TimeExpired),
                _ => {}
            },
            Event::TimestampAssigned => {
                self.hit_if(table.detail.get(row) == Some(Detail::ClockUnsynchronised), Situation::StampedWithoutTime);
            }
            Event::Repaired | Event::StateInstalled | Event::CheckpointDurable | Event::LogTrimmed => self.upkeep(event),
            _ => {}
        }
        self.follow(replica, row, event);
    }

    /// Takes over what the row says of its replica.
    fn follow(&mut self, replica: usize, row: usize, event: Event) {
        let table = self.index.transitions();
        let (status, view) = (table.status.get(row), table.view[row]);
        let before = self.replicas[replica];
        let in_view_change = status == Status::ViewChange;
        let abandoned = before.up && before.status == Status::ViewChange && in_view_change && view > before.view;
        self.hit_if(abandoned, Situation::ViewChangeAbandoned);
        self.hit_if(status == Status::Recovering && before.status != Status::Recovering, Situation::RecoveryNeeded);
        self.hit_if(before.status == Status::Recovering && before.up && status == Status::Normal, Situation::RecoveryCompleted);
        let state = &mut self.replicas[replica];
        (state.up, state.status, state.view) = (true, status, view);
        state.restarting = match event {
            Event::Started | Event::Restarted => true,
            Event::CorruptionDetected => state.restarting,
            _ => false,
        };
        state.commit = table.commit[row];
        if event == Event::Restarted {
            (state.op, state.owed) = (table.op.get(row).unwrap_or(state.commit), None);
        }
        if (before.status, before.view, before.up) != (status, view, true) {
            self.compare();
        }
    }

    /// Looks at all replicas together, after one of them has changed.
    fn compare(&mut self) {
        let proposed = || self.replicas.iter().filter(|state| state.up && state.status == Status::ViewChange).map(|state| state.view);
        let proposing = proposed().min() != proposed().max();
        let rivals = (0..self.replicas.len()).filter(|replica| self.leads(*replica)).count() > 1;
        self.hit_if(proposing && !self.proposing, Situation::ViewsProposedAtOnce);
        self.hit_if(rivals && !self.rivals, Situation::TwoPrimariesAtOnce);
        (self.proposing, self.rivals) = (proposing, rivals);
    }

    fn crashed(&mut self, replica: usize) {
        let state = self.replicas[replica];
        if !state.up {
            return;
        }
        let leads = self.leads(replica);
        self.hit_if(leads, Situation::PrimaryCrashed);
        self.hit_if(state.status == Status::ViewChange, Situation::CrashInViewChange);
        self.hit_if(state.status == Status::Recovering, Situation::CrashInRecovery);
        self.hit_if(state.status == Status::StateTransfer, Situation::CrashInStateTransfer);
        self.hit_if(state.op > state.commit, Situation::CrashWithOpenEntries);
        self.hit_if(state.owed.is_some(), Situation::CrashBeforeApply);
        self.replicas[replica] = Replica { up: false, paused: false, truncated: None, open: 0, ..state };
        let members = self.index.members().min(self.replicas.len());
        let down = self.replicas[..members].iter().filter(|state| !state.up).count();
        self.hit_if(down == 2, Situation::TwoDownAtOnce);
        self.hit_if(members - down + 1 == self.index.quorum(), Situation::QuorumDown);
        self.compare();
    }

    fn view_entered(&mut self, replica: usize, row: usize) {
        let table = self.index.transitions();
        let view = table.view[row];
        let before = self.replicas[replica].entered.replace(view);
        let head = table.op.get(row).unwrap_or(0);
        self.replicas[replica].op = head;
        self.hit_if(before.is_some_and(|before| view > before + 1), Situation::ViewSkipped);
        let led_before = before.is_some_and(|before| self.index.primary(before).map(usize::from) == Some(replica));
        let leads_now = self.index.primary(view).map(usize::from) == Some(replica);
        self.hit_if(led_before && !leads_now, Situation::OldPrimaryFollows);
        if table.quorum.get(row).is_some() && leads_now {
            self.counts.hit(Situation::ViewChangeCompleted);
            let open = head > table.commit[row];
            self.hit_if(open, Situation::ViewChangeWithOpenEntries);
            self.hit_if(!open, Situation::ViewChangeWithNothingOpen);
            self.takeovers.push(table.seq[row]);
        }
    }

    fn entry(&mut self, replica: usize, row: usize, event: Event) {
        let table = self.index.transitions();
        let (op, view) = (table.op.0[row], table.view[row]);
        if op == u64::NONE {
            return;
        }
        let state = &mut self.replicas[replica];
        match event {
            Event::EntryTruncated => {
                state.truncated = Some(op);
                self.counts.hit(Situation::EntryTruncated);
            }
            Event::EntryAppended => {
                state.op = op;
                let open = op.saturating_sub(state.commit);
                let newly_deep = core::mem::replace(&mut state.open, open) < DEEP && open >= DEEP;
                let replaced = state.truncated.take() == Some(op);
                let leads = self.leads(replica);
                self.hit_if(replaced, Situation::EntryReplaced);
                self.hit_if(newly_deep && leads, Situation::PipelineDeep);
            }
            _ => {
                let again = state.acked.0 == view && op <= state.acked.1;
                state.acked = (view, op);
                self.hit_if(again, Situation::VoteResent);
            }
        }
    }

    fn progress(&mut self, replica: usize, row: usize, event: Event) {
        let table = self.index.transitions();
        let state = &mut self.replicas[replica];
        state.owed = table.op.get(row).filter(|_| event == Event::Committed);
        if event == Event::Applied {
            return;
        }
        let now = table.time_ns[row];
        let count = if state.commits.1 == now { state.commits.0 + 1 } else { 1 };
        state.commits = (count, now);
        state.open = state.op.saturating_sub(table.op.get(row).unwrap_or(0));
        self.hit_if(count == CAUGHT_UP && table.quorum.get(row).is_none(), Situation::CommitCaughtUp);
        if table.quorum.get(row).is_some() {
            let entries = self.index.entries();
            let prepared = entries.of_row(row).and_then(|entry| entries.appended_row(entry)).and_then(|row| table.entry_view.get(row));
            self.hit_if(prepared.is_some_and(|view| view < table.view[row]), Situation::EntryOfOlderViewCommitted);
        }
    }

    fn upkeep(&mut self, event: Event) {
        let changing = self.changing_views();
        let (situation, meanwhile) = match event {
            Event::Repaired => (Situation::EntryRepaired, Some(Situation::RepairInViewChange)),
            Event::StateInstalled => (Situation::StateTransferred, Some(Situation::StateTransferInViewChange)),
            Event::CheckpointDurable => return self.hit_if(changing, Situation::CheckpointInViewChange),
            _ => (Situation::LogTrimmed, None),
        };
        self.counts.hit(situation);
        if let Some(meanwhile) = meanwhile {
            self.hit_if(changing, meanwhile);
        }
    }

    fn damage(&mut self, replica: usize, detail: Option<Detail>) {
        let restarting = self.replicas[replica].restarting;
        match detail {
            Some(Detail::TornEntry) => self.hit_if(restarting, Situation::TornTailAtRestart),
            Some(Detail::CorruptEntry) => self.hit_if(restarting, Situation::CorruptEntryAtRestart),
            Some(Detail::MisplacedEntry) => self.counts.hit(Situation::MisplacedEntryFound),
            Some(Detail::SuperblockCopy) => self.counts.hit(Situation::SuperblockCopyDamaged),
            Some(Detail::CheckpointCopy) => self.counts.hit(Situation::CheckpointCopyDamaged),
            _ => {}
        }
    }

    fn timer(&mut self, detail: Option<Detail>) {
        let situation = match detail {
            Some(Detail::PrepareTimer) => Situation::PrepareTimerFired,
            Some(Detail::ViewChangeTimer) => Situation::ViewChangeTimerFired,
            Some(Detail::ViewChangeWindowTimer) => Situation::ViewChangeWindowFired,
            Some(Detail::RecoveryTimer) => Situation::RecoveryTimerFired,
            Some(Detail::RepairTimer | Detail::RepairTimeoutTimer) => Situation::RepairTimeoutFired,
            Some(Detail::StateTransferTimer) => Situation::StateTransferTimerFired,
            _ => return,
        };
        self.counts.hit(situation);
    }
}
