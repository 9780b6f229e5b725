//! One first-in-first-out queue: enqueue, dequeue.
//!
//! A dequeue of unknown outcome took away whatever stood first, or nothing; only this makes queues hard to judge.

use super::Model;

/// A request to a queue, with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueAction {
    /// Put a value at the end.
    Enqueue {
        /// The value.
        value: u64,
    },
    /// Took the value at the front.
    Dequeue {
        /// What the client was told.
        told: Dequeued,
    },
}

/// What the client of a dequeue was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dequeued {
    /// Nothing: outcome unknown.
    Unknown,
    /// That the queue is empty.
    Empty,
    /// This value.
    Value(u64),
}

impl QueueAction {
    /// The value that the action put in or took out, as far as it is known.
    #[must_use]
    pub fn value(&self) -> Option<u64> {
        match *self {
            Self::Enqueue { value } | Self::Dequeue { told: Dequeued::Value(value) } => Some(value),
            Self::Dequeue { .. } => None,
        }
    }
}

/// A queue that is empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

impl Model for Queue {
    type State = Box<[u64]>;
    type Action = QueueAction;

    fn initial(&self) -> Box<[u64]> {
        Box::default()
    }

    fn step(&self, state: &Box<[u64]>, action: &QueueAction) -> Option<Box<[u64]>> {
        match *action {
            QueueAction::Enqueue { value } => Some(state.iter().copied().chain([value]).collect()),
            QueueAction::Dequeue { .. } => self.allows(state, action).then(|| state.iter().skip(1).copied().collect()),
        }
    }

    fn allows(&self, state: &Box<[u64]>, action: &QueueAction) -> bool {
        match *action {
            QueueAction::Enqueue { .. } | QueueAction::Dequeue { told: Dequeued::Unknown } => true,
            QueueAction::Dequeue { told: Dequeued::Empty } => state.is_empty(),
            QueueAction::Dequeue { told: Dequeued::Value(value) } => state.first() == Some(&value),
        }
    }

    fn is_read_only(&self, action: &QueueAction) -> bool {
        *action == QueueAction::Dequeue { told: Dequeued::Empty }
    }

    fn drops_safely<'a>(&self, action: &'a QueueAction, mut rest: impl Iterator<Item = &'a QueueAction>) -> bool {
        match action {
            QueueAction::Dequeue { told } => *told == Dequeued::Empty,
            // Without it every other value stands where it stood, counted among the others.
            QueueAction::Enqueue { value } => {
                let (value, mut taken) = (*value, false);
                taken |= rest.any(|other| other.value() == Some(value) || *other == QueueAction::Dequeue { told: Dequeued::Unknown });
                !taken
            }
        }
    }

    fn state_bytes(&self, state: &Box<[u64]>) -> usize {
        size_of::<Box<[u64]>>() + size_of_val::<[u64]>(state)
    }

    fn describe_state(&self, state: &Box<[u64]>) -> String {
        super::store::words_of_list(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_leaves_first() {
        let put = |state: &<Queue as Model>::State, value| Queue.step(state, &QueueAction::Enqueue { value }).expect("fits every state");
        let take = |state: &<Queue as Model>::State, told| Queue.step(state, &QueueAction::Dequeue { told });
        let state = put(&put(&Queue.initial(), 5), 3);
        assert_eq!(take(&state, Dequeued::Value(3)), None);
        assert_eq!(take(&state, Dequeued::Value(5)).as_deref(), Some([3].as_slice()));
        assert_eq!(take(&state, Dequeued::Unknown).as_deref(), Some([3].as_slice()));
        assert_eq!(take(&state, Dequeued::Empty), None);
        assert_eq!(take(&Queue.initial(), Dequeued::Unknown).as_deref(), Some([].as_slice()));
    }
}
