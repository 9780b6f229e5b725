//! One set: add, remove, look for an element, read everything.
//!
//! Elements that are added twice, or removed, are allowed: only the fast engine wants less.

use super::Model;

/// A request to a set, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetAction {
    /// Added an element, which may have been there already.
    Add {
        /// The element.
        element: u64,
    },
    /// Removed an element, which need not have been there.
    Remove {
        /// The element.
        element: u64,
    },
    /// Looked for one element.
    Contains {
        /// The element.
        element: u64,
        /// Whether it was there.
        found: bool,
    },
    /// Saw the whole set.
    Read {
        /// The elements, rising.
        seen: Box<[u64]>,
    },
}

impl SetAction {
    /// Everything that was seen, brought into order.
    #[must_use]
    pub fn read(mut seen: Vec<u64>) -> Self {
        seen.sort_unstable();
        seen.dedup();
        Self::Read { seen: seen.into_boxed_slice() }
    }

    /// The one element that the action is about, if it is about one.
    #[must_use]
    pub fn element(&self) -> Option<u64> {
        match self {
            Self::Add { element } | Self::Remove { element } | Self::Contains { element, .. } => Some(*element),
            Self::Read { .. } => None,
        }
    }

    /// What the action says of some elements, which rise; none when nothing.
    #[must_use]
    pub fn about(&self, elements: &[u64]) -> Option<Self> {
        match self {
            Self::Read { seen } => {
                let seen = seen.iter().copied().filter(|element| elements.binary_search(element).is_ok());
                Some(Self::Read { seen: seen.collect() })
            }
            other => other.element().filter(|element| elements.binary_search(element).is_ok()).map(|_| other.clone()),
        }
    }

    /// Whether the answer says that an element was there.
    #[must_use]
    pub fn observes(&self, wanted: u64) -> bool {
        match self {
            Self::Contains { element, found } => *found && *element == wanted,
            Self::Read { seen } => seen.binary_search(&wanted).is_ok(),
            Self::Add { .. } | Self::Remove { .. } => false,
        }
    }
}

/// A set that is empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

impl Model for Set {
    type State = Box<[u64]>;
    type Action = SetAction;

    fn initial(&self) -> Box<[u64]> {
        Box::default()
    }

    fn step(&self, state: &Box<[u64]>, action: &SetAction) -> Option<Box<[u64]>> {
        match action {
            SetAction::Add { element } => Some(match state.binary_search(element) {
                Ok(_) => state.clone(),
                Err(place) => state[..place].iter().chain([element]).chain(&state[place..]).copied().collect(),
            }),
            SetAction::Remove { element } => Some(state.iter().copied().filter(|held| held != element).collect()),
            SetAction::Contains { .. } | SetAction::Read { .. } => self.allows(state, action).then(|| state.clone()),
        }
    }

    fn allows(&self, state: &Box<[u64]>, action: &SetAction) -> bool {
        match action {
            SetAction::Add { .. } | SetAction::Remove { .. } => true,
            SetAction::Contains { element, found } => state.binary_search(element).is_ok() == *found,
            SetAction::Read { seen } => seen == state,
        }
    }

    fn is_read_only(&self, action: &SetAction) -> bool {
        matches!(action, SetAction::Contains { .. } | SetAction::Read { .. })
    }

    fn erases(&self, later: &SetAction, earlier: &SetAction) -> bool {
        !self.is_read_only(later) && !self.is_read_only(earlier) && later.element() == earlier.element()
    }

    fn drops_safely<'a>(&self, action: &'a SetAction, mut rest: impl Iterator<Item = &'a SetAction>) -> bool {
        match action {
            SetAction::Add { element } => !rest.any(|other| other.observes(*element)),
            SetAction::Remove { element } => !rest.any(|other| *other == SetAction::Add { element: *element }),
            SetAction::Contains { .. } | SetAction::Read { .. } => true,
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
    fn elements_are_held_once_and_in_order() {
        let add = |state: &<Set as Model>::State, element| Set.step(state, &SetAction::Add { element }).expect("adding fits every state");
        let state = add(&add(&add(&Set.initial(), 5), 3), 5);
        assert_eq!(*state, [3, 5]);
        assert!(Set.allows(&state, &SetAction::read(vec![5, 3, 5])));
        assert!(!Set.allows(&state, &SetAction::Contains { element: 4, found: true }));
        assert_eq!(Set.step(&state, &SetAction::Remove { element: 3 }).as_deref(), Some([5].as_slice()));
    }

    #[test]
    fn a_change_erases_an_earlier_one_of_its_element_and_no_answer() {
        let (add, remove) = (SetAction::Add { element: 3 }, SetAction::Remove { element: 3 });
        let found = SetAction::Contains { element: 3, found: true };
        assert!(Set.erases(&remove, &add) && Set.erases(&add, &remove) && Set.erases(&add, &add));
        assert!(!Set.erases(&SetAction::Add { element: 4 }, &add));
        assert!(!Set.erases(&add, &found) && !Set.erases(&found, &add) && !Set.erases(&found, &found));
    }
}
