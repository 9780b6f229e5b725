//! Causes in view changes and recoveries: which view a replica is in, and which log it starts it with.

use crate::diagnose::scene::{Scene, Sign};
use std::collections::BTreeMap;
use vopr_checker::index::EventSet;
use vopr_checker::words::counted;
use vopr_schema::{Command, Fate, Mutation, TransitionEvent as Event};

/// A restart in an older view than one that the replica had voted for.
pub(super) fn view_forgotten_at_restart(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let mut highest: Vec<Option<(u64, usize)>> = vec![None; scene.index.replicas()];
    let events = EventSet::of(&[Event::VoteCast, Event::ViewEntered, Event::Acknowledged, Event::Restarted, Event::Started]);
    let mut found = Vec::new();
    for (row, event) in scene.index.events(events) {
        let (replica, view) = (table.replica[row], table.view[row]);
        let Some(highest) = highest.get_mut(usize::from(replica)) else { continue };
        match event {
            Event::Started => *highest = None,
            Event::Restarted => {
                if let Some((promised, promise)) = highest.filter(|(promised, _)| *promised > view) {
                    let sentence = format!("replica {replica} had voted for view {promised} and came back in view {view}");
                    let sign = Sign::proven(sentence)
                        .row(scene.transition(promise, format!("replica {replica} is bound to view {promised} ({})", scene.event(promise))))
                        .row(scene.transition(row, format!("its restart finds view {view} on the disk")));
                    found.push(sign);
                }
            }
            _ if highest.is_none_or(|(known, _)| view > known) => *highest = Some((view, row)),
            _ => {}
        }
    }
    Sign::first(found.into_iter())
}

/// The row of the same incarnation just before each row of a replica that says something of its own view and commit number.
fn consecutive<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = (usize, usize)> + 'a {
    let table = scene.index.transitions();
    let mut last: Vec<Option<usize>> = vec![None; scene.index.replicas()];
    scene.transitions().filter(|row| !matches!(scene.event(*row), Event::VoteCast | Event::Stalled)).filter_map(move |row| {
        let last = last.get_mut(usize::from(table.replica[row]))?;
        let before = last.replace(row)?;
        (table.incarnation[before] == table.incarnation[row] && scene.event(row) != Event::Started).then_some((before, row))
    })
}

/// The last message that a replica took before one of its transitions, among those that fit.
fn taken_before(scene: &Scene<'_>, transition: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let (replica, seq) = (u16::from(table.replica[transition]), table.seq[transition]);
    let arrived = |row: &usize| messages.fate_seq.get(*row).unwrap_or(u64::MAX);
    let fitting = scene.index.message_rows().filter(|row| messages.to[*row] == replica && scene.taken(*row) && fits(*row));
    fitting.filter(|row| arrived(row) < seq).max_by_key(arrived)
}

/// A replica that went back to an older view, on a message of that view.
pub(super) fn old_view_obeyed(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let fell = consecutive(scene).filter(|(before, row)| table.view[*row] < table.view[*before]);
    let signs = fell.map(|(before, row)| {
        let (replica, old, new) = (table.replica[row], table.view[before], table.view[row]);
        let sentence = format!("replica {replica} was in view {old} and went back to view {new}");
        let message = taken_before(scene, row, |message| messages.view.get(message) == Some(new));
        let sign = if message.is_some() { Sign::proven(sentence) } else { Sign::likely(sentence) };
        sign.row(scene.transition(before, format!("replica {replica} is in view {old}")))
            .row_if(message.map(|message| scene.message(message, &format!(" of view {new}: taken"))))
            .row(scene.transition(row, format!("replica {replica} is in view {new}")))
    });
    Sign::first(signs).or_else(|| old_message_taken(scene))
}

/// A message of an older view's primary that came once more and was taken.
fn old_message_taken(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let of_primary = |row: &usize| {
        let command = messages.command.get(*row);
        let again = messages.mutation.get(*row) == Some(Mutation::Replayed);
        again && matches!(command, Command::Prepare | Command::Commit | Command::StartView)
    };
    let old = scene.taken_rows().filter(of_primary).filter_map(|row| {
        let (arrived, to, view) = (messages.fate_seq.get(row)?, messages.to[row], messages.view.get(row)?);
        let own = scene
            .transitions()
            .rev()
            .find(|own| u16::from(table.replica[*own]) == to && table.seq[*own] < arrived && scene.event(*own) != Event::VoteCast)?;
        let current = table.view[own];
        let sentence = format!("replica {to} was in view {current} and took a message of view {view} that came once more");
        (view < current).then(|| {
            Sign::proven(sentence)
                .row(scene.message(row, &format!(" of view {view}: taken")))
                .row(scene.transition(own, format!("replica {to} is in view {current}")))
        })
    });
    Sign::first(old)
}

/// Whether a replica replaces, in the step of a transition, an entry that it had committed.
fn overwrites(scene: &Scene<'_>, row: usize, commit: u64) -> bool {
    let table = scene.index.transitions();
    let mut step = scene.same_step(row);
    step.any(|other| scene.event(other) == Event::EntryTruncated && table.op.get(other).is_some_and(|op| op <= commit))
}

/// A commit number that fell when a replica took a new view's log.
pub(super) fn commit_number_fell(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let fell = consecutive(scene).filter(|(before, row)| table.commit[*row] < table.commit[*before]);
    let signs = fell.filter(|(before, row)| !overwrites(scene, *row, table.commit[*before])).filter_map(|(before, row)| {
        let is_start =
            |message: usize| messages.command.get(message) == Command::StartView && messages.view.get(message) == Some(table.view[row]);
        let start = taken_before(scene, row, is_start)?;
        let (replica, old, new) = (table.replica[row], table.commit[before], table.commit[row]);
        let sentence = format!("the commit number of replica {replica} fell from {old} to {new} when it took a start_view");
        Some(
            Sign::proven(sentence)
                .row(scene.message(start, &format!(" says commit {}", messages.commit.get(start).unwrap_or_default())))
                .row(scene.transition(before, format!("its commit number is {old}")))
                .row(scene.transition(row, format!("its commit number is {new}"))),
        )
    });
    Sign::first(signs)
}

/// A log sent to a new primary before a quorum had left the old view.
pub(super) fn left_view_alone(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let is_call = |row: &usize| {
        let command = messages.command.get(*row);
        matches!(command, Command::StartViewChange | Command::DoViewChange | Command::StartView) && messages.fate_seq.get(*row).is_some()
    };
    let calls: Vec<usize> = scene.taken_rows().filter(is_call).collect();
    // Links may lie: who had voted for a view by then counts as well, whatever arrived.
    let mut leavers: BTreeMap<u64, u32> = BTreeMap::new();
    let votes = scene.index.events(EventSet::of(&[Event::VoteCast]));
    let votes = votes.map(|(row, _)| {
        let gone = leavers.entry(table.view[row]).or_default();
        *gone |= 1_u32.checked_shl(table.replica[row].into()).unwrap_or(0);
        (row, *gone)
    });
    let votes = votes.filter(|(row, _)| table.entry_hash.get(*row).is_some());
    let alone = votes.filter_map(|(row, gone)| {
        let (replica, view, seq) = (table.replica[row], table.view[row], table.seq[row]);
        let configuration = scene.index.configurations().of_epoch(table.epoch[row]).filter(|known| known.has(replica))?;
        let heard = calls.iter().filter(|call| {
            messages.to[**call] == u16::from(replica)
                && messages.view.get(**call) == Some(view)
                && messages.fate_seq.get(**call).is_some_and(|arrived| arrived < seq)
        });
        let set = heard.fold(1_u32 << replica, |set, call| set | 1_u32.checked_shl(messages.from[*call].into()).unwrap_or(0));
        let epochs = scene.index.configurations().all().iter().take_while(|known| known.epoch <= configuration.epoch);
        if configuration.decides(set) || epochs.into_iter().any(|known| known.decides(gone)) {
            return None;
        }
        let (known, needed) = ((set & configuration.voters).count_ones(), configuration.quorum());
        let sentence =
            format!("replica {replica} sent its log for view {view} when {known} of {} had called for it", counted(needed, "member"));
        Some(Sign::proven(sentence).row(scene.transition(row, format!("replica {replica} votes for view {view} with its log"))))
    });
    Sign::first(alone)
}

/// An entry at or below the own commit number that left the log.
pub(super) fn committed_entry_overwritten(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    // Per replica the largest commit number of its incarnation, and the row that said so.
    let mut committed: Vec<Option<(u32, u64, usize)>> = vec![None; scene.index.replicas()];
    let signs = scene.transitions().filter_map(|row| {
        let known = committed.get_mut(usize::from(table.replica[row]))?;
        let (incarnation, commit) = (table.incarnation[row], table.commit[row]);
        if scene.event(row) != Event::EntryTruncated {
            if known.is_none_or(|(of, most, _)| of != incarnation || commit > most) {
                *known = Some((incarnation, commit, row));
            }
            return None;
        }
        let (_, commit, said) = known.filter(|(of, ..)| *of == incarnation)?;
        let op = table.op.get(row).filter(|op| *op <= commit && *op > 0)?;
        if scene.index.installed_in_this_step(row, op) || matches!(scene.event(said), Event::Restarted | Event::CorruptionDetected) {
            return None;
        }
        let replica = table.replica[row];
        let start = taken_before(scene, row, |message| messages.command.get(message) == Command::StartView);
        let sentence = format!("replica {replica} had committed up to op {commit} and let a start_view replace op {op}");
        Some(
            Sign::proven(sentence)
                .row(scene.transition(said, format!("the commit number of replica {replica} is {commit}")))
                .row_if(start.map(|message| scene.message(message, ": taken")))
                .row(scene.transition(row, format!("op {op} leaves the log of replica {replica}"))),
        )
    });
    Sign::first(signs)
}

/// Of two logs that claim the same, the one with the smaller hash began the view.
pub(super) fn tie_decided_by_arrival(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let logs: Vec<usize> = scene.taken_rows().filter(|row| messages.command.get(*row) == Command::DoViewChange).collect();
    let entered = scene.index.events(EventSet::of(&[Event::ViewEntered]));
    let ties = entered.filter_map(|(row, _)| {
        table.quorum.get(row)?;
        let (replica, view, seq) = (table.replica[row], table.view[row], table.seq[row]);
        let (head, chosen) = (table.op.get(row)?, table.entry_hash.get(row)?);
        let claim = |log: usize| Some((messages.last_normal_view.get(log)?, messages.op.get(log)?, messages.entry_hash.get(log)?));
        let mine = logs.iter().copied().filter(|log| {
            let here = messages.to[*log] == u16::from(replica) && messages.view.get(*log) == Some(view);
            here && messages.fate_seq.get(*log).is_some_and(|arrived| arrived < seq)
        });
        let winner = mine.clone().find(|log| claim(*log).is_some_and(|(_, op, hash)| (op, hash) == (head, chosen)))?;
        let (normal, ..) = claim(winner)?;
        let own = scene.index.events(EventSet::of(&[Event::VoteCast])).filter(|(vote, _)| {
            table.replica[*vote] == replica && table.view[*vote] == view && table.seq[*vote] < seq && table.entry_hash.get(*vote).is_some()
        });
        let own =
            own.last().and_then(|(vote, _)| Some((vote, table.last_normal_view[vote], table.op.get(vote)?, table.entry_hash.get(vote)?)));
        // Hashes are compared byte by byte; a column holds the first eight of them, the least significant first.
        let beats = |hash: u64| hash.swap_bytes() > chosen.swap_bytes();
        let loser = mine.clone().find(|log| claim(*log).is_some_and(|(lnv, op, hash)| (lnv, op) == (normal, head) && beats(hash)));
        let beaten = own.filter(|(_, lnv, op, hash)| (*lnv, *op) == (normal, head) && beats(*hash));
        let other = loser.map(|log| scene.message(log, ": the greater hash")).or_else(|| {
            beaten.map(|(vote, ..)| scene.transition(vote, format!("replica {replica} has the greater hash in its own log")))
        })?;
        let sentence = format!("two logs claimed op {head} of view {normal}, and the one with the smaller hash began view {view}");
        let words = format!("replica {replica} enters view {view} with it");
        Some(Sign::proven(sentence).row(other).row(scene.message(winner, ": the smaller hash")).row(scene.transition(row, words)))
    });
    Sign::first(ties)
}

/// A view that began with a log which lacks what had been committed.
pub(super) fn old_log_won(scene: &Scene<'_>) -> Option<Sign> {
    let index = &scene.index;
    let table = index.transitions();
    let commits: Vec<usize> = {
        let counted = index.events(EventSet::of(&[Event::Committed])).map(|(row, _)| row);
        counted.filter(|row| table.quorum.get(*row).is_some()).collect()
    };
    let entered = index.events(EventSet::of(&[Event::ViewEntered])).filter(|(row, _)| table.quorum.get(*row).is_some());
    let signs = entered.filter_map(|(row, _)| {
        let head = index.entries().of_row(row)?;
        let before = commits.iter().copied().filter(|commit| table.view[*commit] < table.view[row] && table.seq[*commit] < table.seq[row]);
        let last = before.max_by_key(|commit| table.op.get(*commit))?;
        let (op, hash) = (table.op.get(last)?, table.entry_hash.get(last)?);
        let lacks = index.entries().op(head) < op || index.entries().ancestor_hash(head, op).is_some_and(|held| held != hash);
        let (replica, view) = (table.replica[row], table.view[row]);
        let sentence = format!("view {view} began with a log that lacks op {op}, which had been committed in view {}", table.view[last]);
        let words = format!("replica {replica} enters view {view} with a log that ends at op {}", index.entries().op(head));
        lacks.then(|| Sign::proven(sentence).row(scene.transition(last, format!("op {op} is committed"))).row(scene.transition(row, words)))
    });
    Sign::first(signs)
}

/// A primary that goes on although it hears nobody.
pub(super) fn deaf_primary_stayed(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let compression = scene.option("/time_compression").filter(|factor| *factor > 0.0).unwrap_or(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds in nanoseconds")]
    let patience = (DEAF_NS / compression) as u64;
    let signs = terms(scene).into_iter().filter_map(|(from, end)| {
        let (replica, view) = (table.replica[from], table.view[from]);
        let (since, until) = longest_silence(scene, from, end).filter(|(since, until)| until - since > patience)?;
        let [began, ended] = [since, until].map(|time| vopr_check::output::violation::seconds(time).trim().to_owned());
        let sentence =
            format!("replica {replica} led view {view} from {began} to {ended} without a word from a quorum, and did not step down");
        let still = scene.transitions().rfind(|row| table.replica[*row] == replica && table.time_ns[*row] <= until);
        Some(
            Sign::proven(sentence)
                .row(scene.transition(from, format!("replica {replica} begins to lead view {view}")))
                .row_if(still.map(|row| scene.transition(row, format!("it still leads view {view}")))),
        )
    });
    Sign::first(signs)
}

/// Each time that a replica led a view: the row with which it began, and when it ended, nanoseconds.
fn terms(scene: &Scene<'_>) -> Vec<(usize, u64)> {
    let table = scene.index.transitions();
    let mut leads: Vec<Option<usize>> = vec![None; scene.index.replicas()];
    let mut terms = Vec::new();
    for row in scene.transitions() {
        let Some(lead) = leads.get_mut(usize::from(table.replica[row])) else { continue };
        let event = scene.event(row);
        if matches!(event, Event::Crashed | Event::Paused | Event::Abdicated | Event::StatusChanged | Event::ViewEntered) {
            terms.extend(lead.take().map(|from| (from, table.time_ns[row])));
        }
        // Another epoch has another quorum: what was heard until then is no answer to who must be heard now.
        if let (Event::EpochEntered, Some(from)) = (event, *lead) {
            terms.push((from, table.time_ns[row]));
            *lead = Some(row);
        }
        if event == Event::ViewEntered && scene.index.primary(table.view[row]) == Some(table.replica[row]) {
            *lead = Some(row);
        }
    }
    let end = scene.index.meta().heal_time_ns.unwrap_or(scene.index.meta().end_time_ns);
    terms.extend(leads.into_iter().flatten().map(|from| (from, end)));
    terms
}

/// The longest time in which a primary heard fewer than a quorum needs, itself included: from when and until when, nanoseconds.
fn longest_silence(scene: &Scene<'_>, from: usize, end: u64) -> Option<(u64, u64)> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let replica = table.replica[from];
    let configuration = scene.index.configurations().of_epoch(table.epoch[from])?;
    let end = replaced(scene, from).map_or(end, |time| time.min(end));
    let mut heard: Vec<u64> = vec![table.time_ns[from]; scene.index.replicas()];
    let to_primary = scene.taken_rows().filter(|row| messages.to[*row] == u16::from(replica));
    let arrivals = to_primary.filter_map(|row| Some((messages.fate_time_ns.get(row)?, usize::from(messages.from[row]))));
    let mut arrivals: Vec<(u64, usize)> = arrivals.filter(|(time, _)| (table.time_ns[from]..end).contains(time)).collect();
    arrivals.push((end, usize::MAX));
    arrivals.sort_unstable();
    // A quorum was last heard when the last one of those that it needs said something.
    let needed = configuration.quorum().checked_sub(2)?;
    let mut longest = (0, 0);
    for (time, sender) in arrivals {
        let others = (0_u8..).zip(&heard).filter(|(other, _)| *other != replica && configuration.has(*other));
        let mut words: Vec<u64> = others.map(|(_, time)| *time).collect();
        words.sort_unstable_by(|one, other| other.cmp(one));
        let since = *words.get(needed)?;
        if time.saturating_sub(since) > longest.1 - longest.0 {
            longest = (since, time);
        }
        if let Some(word) = heard.get_mut(sender) {
            *word = time;
        }
    }
    Some(longest)
}

/// When a primary first hears of a newer view: it leads no more then, however long its disk takes to write the new view down.
fn replaced(scene: &Scene<'_>, from: usize) -> Option<u64> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let heard = |row: &usize| messages.to[*row] == u16::from(table.replica[from]) && messages.fate.get(*row) == Fate::Delivered;
    let newer = scene.index.message_rows().filter(heard).filter(|row| messages.view.get(*row) > Some(table.view[from]));
    newer.filter_map(|row| messages.fate_time_ns.get(row)).filter(|time| *time > table.time_ns[from]).min()
}

/// A primary that hears nobody steps down after two seconds; it looks once in that time, so that it may take twice as long.
const DEAF_NS: f64 = 5e9;
