//! Conditions on changes of membership: that a configuration worked, and what went on when it began.

use super::conditions::faults;
use crate::index::RunIndex;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, FaultKind, RejectReason, Status, TransitionEvent};

/// Transitions of one event.
fn events<'a>(index: &'a RunIndex<'_>, event: TransitionEvent) -> impl Iterator<Item = usize> + 'a {
    let table = index.transitions();
    index.transition_rows().filter(move |row| table.event.get(*row) == event)
}

pub(super) fn epoch_entered(index: &RunIndex<'_>) -> bool {
    events(index, TransitionEvent::EpochEntered).next().is_some()
}

/// Every voter of the second configuration that is none of the first has acknowledged an entry in it.
pub(super) fn newcomers_acknowledged(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let Some(second) = index.configurations().of_epoch(1) else { return false };
    let newcomers = second.voters & !index.configurations().all()[0].voters;
    let in_epoch = events(index, TransitionEvent::Acknowledged).filter(|row| table.epoch[*row] > 0);
    let voted = in_epoch.fold(0, |set, row| set | 1_u32.checked_shl(table.replica[row].into()).unwrap_or(0));
    newcomers != 0 && newcomers & !voted == 0
}

/// A member that had acknowledged before entered an epoch in which it does not vote, appended an entry there, and acknowledged nothing.
pub(super) fn removed_member_stopped(index: &RunIndex<'_>) -> bool {
    let (table, known) = (index.transitions(), index.configurations());
    events(index, TransitionEvent::EpochEntered).any(|entered| {
        let (replica, epoch) = (table.replica[entered], table.epoch[entered]);
        let of_replica = |row: &usize| table.replica[*row] == replica;
        let votes = || events(index, TransitionEvent::Acknowledged).filter(of_replica);
        known.of_epoch(epoch).is_some_and(|voters| !voters.has(replica))
            && votes().any(|row| row < entered)
            && !votes().any(|row| table.epoch[row] == epoch)
            && events(index, TransitionEvent::EntryAppended).any(|row| of_replica(&row) && table.epoch[row] == epoch)
    })
}

/// An epoch began while a partition was stopping messages.
pub(super) fn epoch_in_partition(index: &RunIndex<'_>) -> bool {
    let (table, faults_table, messages) = (index.transitions(), index.faults(), index.messages());
    let begins: Vec<u64> = index.configurations().all().iter().filter_map(|known| known.row).map(|row| table.time_ns[row]).collect();
    faults(index, FaultKind::PartitionFull).any(|fault| {
        let span = faults_table.time_ns[fault]..=faults_table.end_time_ns.0[fault];
        begins.iter().any(|time| span.contains(time))
            && index.message_rows().any(|row| {
                messages.fate.get(row) == Fate::Partitioned && span.contains(&messages.fate_time_ns.get(row).unwrap_or(u64::NONE))
            })
    })
}

/// Between the request for a change and the beginning of its epoch, or the end of the run, some replica was changing views.
pub(super) fn view_change_before_epoch(index: &RunIndex<'_>) -> bool {
    let (table, faults_table) = (index.transitions(), index.faults());
    let begins: Vec<u64> = index.configurations().all().iter().filter_map(|known| known.row).map(|row| table.seq[row]).collect();
    faults(index, FaultKind::Reconfigure).any(|fault| {
        let asked = faults_table.seq[fault];
        let Some(begun) = begins.iter().copied().find(|begun| *begun > asked) else { return false };
        index.transition_rows().any(|row| (asked..begun).contains(&table.seq[row]) && table.status.get(row) == Status::ViewChange)
    })
}

/// A change was refused because another one had not committed yet.
pub(super) fn change_refused(index: &RunIndex<'_>) -> bool {
    let table = index.messages();
    index.message_rows().any(|row| {
        table.command.get(row) == Command::Reconfigure && table.reject_reason.get(row) == Some(RejectReason::ReconfigurationPending)
    })
}

#[cfg(test)]
mod tests {
    use crate::RunIndex;
    use crate::testing::Story;
    use vopr_schema::{Command, Fate, FaultKind, FaultRow, RejectReason, Status, TransitionEvent as Event};

    /// Five replicas of which three vote, and then `voters`.
    fn changed(voters: u32) -> Story {
        let mut story = Story::new(5);
        story.run.replicas = 3;
        story.run.standbys = 2;
        for replica in 0..5 {
            story.entry(replica, Event::Acknowledged, 1, 0);
        }
        for replica in 0..5 {
            story.state(replica).epoch = 1;
            let place = story.event(replica, Event::EpochEntered, |row| row.quorum = Some(voters));
            story.transitions[place].op = Some(1);
        }
        story
    }

    fn holds(story: &Story, condition: fn(&RunIndex<'_>) -> bool) -> bool {
        condition(&RunIndex::new(&story.history(), 0))
    }

    #[test]
    fn newcomers_must_all_vote_in_the_new_epoch() {
        let mut story = changed(0b11111);
        assert!(holds(&story, super::epoch_entered));
        story.entry(3, Event::Acknowledged, 2, 0);
        assert!(!holds(&story, super::newcomers_acknowledged));
        story.entry(4, Event::Acknowledged, 2, 0);
        assert!(holds(&story, super::newcomers_acknowledged));
    }

    #[test]
    fn a_removed_member_replicates_and_does_not_vote() {
        let mut story = changed(0b110);
        assert!(!holds(&story, super::removed_member_stopped));
        story.append(0, 2, 0);
        assert!(holds(&story, super::removed_member_stopped));
        story.entry(0, Event::Acknowledged, 2, 0);
        assert!(!holds(&story, super::removed_member_stopped));
    }

    #[test]
    fn an_epoch_begins_while_a_partition_stops_messages() {
        let mut story = changed(0b110);
        story.faults.push(FaultRow { fault: FaultKind::PartitionFull, target: Some(1), end_time_ns: Some(1 << 40), ..FaultRow::default() });
        assert!(!holds(&story, super::epoch_in_partition));
        story.message(Command::Ping, 0, 1, |row| row.fate = Fate::Partitioned);
        assert!(holds(&story, super::epoch_in_partition));
    }

    #[test]
    fn a_view_change_comes_between_request_and_epoch() {
        let mut story = Story::new(3);
        let seq = story.tick();
        story.faults.push(FaultRow { seq, time_ns: seq * 1000, fault: FaultKind::Reconfigure, ..FaultRow::default() });
        story.event(1, Event::StatusChanged, |row| row.status = Status::ViewChange);
        assert!(!holds(&story, super::view_change_before_epoch));
        story.state(1).epoch = 1;
        story.event(1, Event::EpochEntered, |row| (row.op, row.quorum) = (Some(1), Some(0b11)));
        assert!(holds(&story, super::view_change_before_epoch));
    }

    #[test]
    fn a_second_change_is_refused() {
        let mut story = Story::new(3);
        let place = story.message(Command::Reconfigure, 1004, 0, |_| {});
        assert!(!holds(&story, super::change_refused));
        story.messages[place].reject_reason = Some(RejectReason::ReconfigurationPending);
        assert!(holds(&story, super::change_refused));
    }
}
