//! Repair questions: what ends one that is open, apart from an answer.

use super::{EventSet, RunIndex};
use vopr_schema::{Detail, TransitionEvent as Event};

/// How a replica came to await no answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionEnd {
    /// A process began, and knows of no question.
    Begun,
    /// No answer came in time.
    TimedOut,
    /// A vote, another view or status, or a checkpoint made the question pointless.
    GivenUp,
}

const ENDING: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::ViewEntered,
    Event::StatusChanged,
    Event::VoteCast,
    Event::StateInstalled,
    Event::TimerFired,
]);

impl RunIndex<'_> {
    /// Rows of this run's transitions after which their replica awaits no answer to a repair request, in order.
    pub fn questions_ended(&self) -> impl Iterator<Item = (usize, QuestionEnd)> + '_ {
        let transitions = self.transitions();
        self.events(ENDING).filter_map(move |(row, event)| {
            let end = match event {
                Event::Started | Event::Restarted => QuestionEnd::Begun,
                Event::TimerFired if transitions.detail.get(row) == Some(Detail::RepairTimer) => QuestionEnd::TimedOut,
                Event::TimerFired => return None,
                _ => QuestionEnd::GivenUp,
            };
            Some((row, end))
        })
    }
}
