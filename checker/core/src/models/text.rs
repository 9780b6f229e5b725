//! One key that holds a text: get, put, append.
//!
//! Some public test suites record it; where the pieces can be told apart, a list is the better model.

use super::Model;

/// A request to a text, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextAction {
    /// Saw the text; absent is the empty text.
    Get {
        /// What was seen.
        seen: Box<str>,
    },
    /// Replaced the text.
    Put {
        /// By this.
        text: Box<str>,
    },
    /// Added to its end.
    Append {
        /// This.
        text: Box<str>,
    },
}

/// A text that is empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Model for Text {
    type State = Box<str>;
    type Action = TextAction;

    fn initial(&self) -> Box<str> {
        Box::default()
    }

    fn step(&self, state: &Box<str>, action: &TextAction) -> Option<Box<str>> {
        match action {
            TextAction::Get { seen } => (seen == state).then(|| state.clone()),
            TextAction::Put { text } => Some(text.clone()),
            TextAction::Append { text } => Some([&**state, &**text].concat().into_boxed_str()),
        }
    }

    fn allows(&self, state: &Box<str>, action: &TextAction) -> bool {
        match action {
            TextAction::Get { seen } => seen == state,
            TextAction::Put { .. } | TextAction::Append { .. } => true,
        }
    }

    fn is_read_only(&self, action: &TextAction) -> bool {
        matches!(action, TextAction::Get { .. })
    }

    fn erases(&self, later: &TextAction, earlier: &TextAction) -> bool {
        matches!(later, TextAction::Put { .. }) && !self.is_read_only(earlier)
    }

    fn state_bytes(&self, state: &Box<str>) -> usize {
        size_of::<Box<str>>() + state.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_grows_until_it_is_replaced() {
        let append = TextAction::Append { text: "b".into() };
        let state = Text.step(&"a".into(), &append).expect("fits every state");
        assert!(Text.allows(&state, &TextAction::Get { seen: "ab".into() }));
        assert_eq!(Text.step(&state, &TextAction::Put { text: "c".into() }).as_deref(), Some("c"));
    }
}
