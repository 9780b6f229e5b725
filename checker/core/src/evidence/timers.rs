//! Conditions on timers: each is known by what it makes a replica do, where its firing itself is not recorded.

use crate::index::RunIndex;
use std::collections::BTreeMap;
use vopr_schema::{Command, Detail, Fate, TransitionEvent};

/// So many of the timers must fire in a run that is about all of them.
const TIMERS_MIN: usize = 7;

fn fired(index: &RunIndex<'_>, timer: Detail) -> bool {
    let table = index.transitions();
    index.transition_rows().any(|row| table.event.get(row) == TransitionEvent::TimerFired && table.detail.get(row) == Some(timer))
}

/// Messages of one kind that arrived and were not refused.
fn arrived<'a>(index: &'a RunIndex<'_>, command: Command) -> impl Iterator<Item = usize> + 'a {
    let table = index.messages();
    index.message_rows().filter(move |row| {
        table.command.get(*row) == command && table.fate.get(*row) == Fate::Delivered && table.reject_reason.get(*row).is_none()
    })
}

pub(super) fn heartbeat_arrived(index: &RunIndex<'_>) -> bool {
    arrived(index, Command::Commit).next().is_some()
}

pub(super) fn ping_answered(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let pings: Vec<usize> = arrived(index, Command::Ping).collect();
    fired(index, Detail::ViewChangeTimer)
        && arrived(index, Command::Pong).any(|pong| {
            let asked = |ping: &usize| {
                (table.from[*ping], table.to[*ping]) == (table.to[pong], table.from[pong]) && table.seq[*ping] < table.seq[pong]
            };
            pings.iter().any(asked)
        })
}

pub(super) fn commit_learnt_from_heartbeat(index: &RunIndex<'_>) -> bool {
    let (table, messages) = (index.transitions(), index.messages());
    index.transition_rows().filter(|row| table.event.get(*row) == TransitionEvent::Committed).any(|row| {
        let cause = table.cause.get(row).and_then(|cause| index.deliveries().message(cause));
        cause.is_some_and(|message| messages.command.get(message) == Command::Commit)
    })
}

pub(super) fn window_ran_out(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut view = None;
    for row in index.transition_rows() {
        match table.event.get(row) {
            TransitionEvent::TimerFired if table.detail.get(row) == Some(Detail::ViewChangeWindowTimer) => {
                view.get_or_insert(table.view[row]);
            }
            TransitionEvent::ViewEntered if view.is_some_and(|view| table.view[row] > view) => return true,
            _ => {}
        }
    }
    false
}

/// Whether a replica sent the same vote for a view to the same peer more than once.
fn vote_sent_again(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    let mut sent: BTreeMap<(u16, u16, u64), u64> = BTreeMap::new();
    index.message_rows().filter(|row| table.command.get(*row) == Command::StartViewChange).any(|row| {
        let name = (table.from[row], table.to[row], table.view.get(row).unwrap_or_default());
        *sent.entry(name).or_insert(table.id[row]) != table.id[row]
    })
}

/// Which of the protocol's ten timers fired, in words.
pub(super) fn timers_fired(index: &RunIndex<'_>) -> Vec<&'static str> {
    let sent = |command| index.message_rows().any(|row| index.messages().command.get(row) == command);
    let all = [
        ("prepare", fired(index, Detail::PrepareTimer)),
        ("heartbeat", sent(Command::Commit)),
        ("view_change", fired(index, Detail::ViewChangeTimer)),
        ("view_change_window", fired(index, Detail::ViewChangeWindowTimer)),
        ("view_change_resend", vote_sent_again(index)),
        ("recovery", fired(index, Detail::RecoveryTimer)),
        ("repair", fired(index, Detail::RepairTimer)),
        ("state_transfer", fired(index, Detail::StateTransferTimer)),
        ("abdication", fired(index, Detail::AbdicationTimer)),
        ("ping", sent(Command::Ping)),
    ];
    all.into_iter().filter(|(_, fired)| *fired).map(|(name, _)| name).collect()
}

pub(super) fn seven_timers_fired(index: &RunIndex<'_>) -> bool {
    timers_fired(index).len() >= TIMERS_MIN
}
