//! One append-only stream: create, append, read from an offset.
//!
//! Offsets make appends distinguishable even where values repeat, so a stream is an object of its own kind.

use super::Model;

/// A request to one stream, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamAction {
    /// Creates the stream; `refused`: it existed already; none: outcome unknown.
    Create {
        /// Whether it was refused.
        refused: Option<bool>,
    },
    /// Appended an element.
    Append {
        /// The element.
        value: u64,
        /// What the client was told.
        answer: AppendAnswer,
    },
    /// Read elements from an offset.
    Read {
        /// First offset wanted.
        offset: u64,
        /// How many were wanted at most.
        count: u64,
        /// What was told; none: refused, there is no such stream.
        seen: Option<Box<[u64]>>,
    },
}

/// What the client of an append was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppendAnswer {
    /// Nothing: outcome unknown.
    Unknown,
    /// Refused: there is no such stream.
    Refused,
    /// Appended at this offset.
    At(u64),
    /// Appended, without its offset.
    Somewhere,
}

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Whether it exists at first, as lists do that nobody creates.
    pub exists: bool,
    /// Elements that answers tell the places of: in every legal order each stands where they say. Without this knowledge
    /// the model is right too, but a search would try appends of unknown outcome in every order.
    pub revealed: Vec<Option<u64>>,
}

impl Stream {
    /// A stream with what these answered actions reveal, or the numbers of two actions that contradict each other about one
    /// offset.
    ///
    /// # Errors
    /// Two actions that no history can hold both.
    pub fn revealed_by<'a>(actions: impl IntoIterator<Item = &'a StreamAction>) -> Result<Self, (usize, usize)> {
        let mut known: Vec<Option<(u64, usize)>> = Vec::new();
        let mut reveal = |offset: u64, value: u64, action: usize| {
            // Offsets far beyond what could have been appended reveal nothing that a search could use.
            let Some(place) = usize::try_from(offset).ok().filter(|place| *place < 1 << 24) else { return Ok(()) };
            if place >= known.len() {
                known.resize(place + 1, None);
            }
            match known[place] {
                Some((other, first)) if other != value => Err((first, action)),
                Some(_) => Ok(()),
                None => {
                    known[place] = Some((value, action));
                    Ok(())
                }
            }
        };
        for (number, action) in actions.into_iter().enumerate() {
            match action {
                StreamAction::Append { value, answer: AppendAnswer::At(offset) } => reveal(*offset, *value, number)?,
                StreamAction::Read { offset, seen: Some(seen), .. } => {
                    for (place, value) in (*offset..=u64::MAX).zip(seen) {
                        reveal(place, *value, number)?;
                    }
                }
                _ => {}
            }
        }
        Ok(Self { exists: false, revealed: known.into_iter().map(|known| known.map(|(value, _)| value)).collect() })
    }
}

/// The elements from `offset` on, `count` at most.
#[must_use]
pub fn window(elements: &[u64], offset: u64, count: u64) -> &[u64] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(elements.len());
    let end = start.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(elements.len());
    &elements[start..end]
}

impl Model for Stream {
    type State = Option<Vec<u64>>;
    type Action = StreamAction;

    fn initial(&self) -> Self::State {
        self.exists.then(Vec::new)
    }

    fn step(&self, state: &Self::State, action: &StreamAction) -> Option<Self::State> {
        match action {
            StreamAction::Create { .. } => self.allows(state, action).then(|| Some(state.clone().unwrap_or_default())),
            StreamAction::Append { value, .. } => {
                let Some(elements) = state else { return self.allows(state, action).then_some(None) };
                let elsewhere = self.revealed.get(elements.len()).copied().flatten().is_some_and(|known| known != *value);
                (!elsewhere && self.allows(state, action)).then(|| Some(elements.iter().copied().chain([*value]).collect()))
            }
            StreamAction::Read { .. } => self.allows(state, action).then(|| state.clone()),
        }
    }

    fn allows(&self, state: &Self::State, action: &StreamAction) -> bool {
        match (state, action) {
            (None, StreamAction::Read { seen, .. }) => seen.is_none(),
            (Some(elements), StreamAction::Read { offset, count, seen }) => {
                seen.as_ref().is_some_and(|seen| window(elements, *offset, *count) == &**seen)
            }
            (state, StreamAction::Append { answer, .. }) => match answer {
                AppendAnswer::Unknown => true,
                AppendAnswer::Refused => state.is_none(),
                AppendAnswer::Somewhere => state.is_some(),
                AppendAnswer::At(offset) => state.as_ref().is_some_and(|elements| elements.len() as u64 == *offset),
            },
            (state, StreamAction::Create { refused }) => refused.is_none_or(|refused| refused == state.is_some()),
        }
    }

    fn is_read_only(&self, action: &StreamAction) -> bool {
        matches!(
            action,
            StreamAction::Read { .. }
                | StreamAction::Create { refused: Some(true) }
                | StreamAction::Append { answer: AppendAnswer::Refused, .. }
        )
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        size_of::<Self::State>() + state.as_ref().map_or(0, |elements| elements.len() * size_of::<u64>())
    }

    fn describe_state(&self, state: &Self::State) -> String {
        match state {
            None => "no stream".to_owned(),
            Some(elements) if elements.len() <= 8 => format!("{elements:?}"),
            Some(elements) => format!("{} elements, the last ones {:?}", elements.len(), &elements[elements.len() - 4..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream::default()
    }

    #[test]
    fn offsets_are_given_out_in_order_and_only_once_the_stream_exists() {
        let append = |value, answer| StreamAction::Append { value, answer };
        assert_eq!(stream().step(&None, &append(7, AppendAnswer::At(0))), None);
        assert_eq!(stream().step(&None, &append(7, AppendAnswer::Refused)), Some(None));
        let empty = stream().step(&None, &StreamAction::Create { refused: Some(false) }).expect("it did not exist");
        let one = stream().step(&empty, &append(7, AppendAnswer::At(0))).expect("offset 0 is next");
        assert_eq!(stream().step(&one, &append(8, AppendAnswer::At(0))), None);
        assert_eq!(stream().step(&one, &append(8, AppendAnswer::Unknown)), Some(Some(vec![7, 8])));
    }

    #[test]
    fn a_read_beyond_the_end_is_empty() {
        assert_eq!(window(&[1, 2, 3], 1, 9), [2, 3]);
        assert!(window(&[1, 2, 3], 9, u64::MAX).is_empty());
        let read = StreamAction::Read { offset: 3, count: 5, seen: Some(Box::from([])) };
        assert!(stream().step(&Some(vec![1, 2, 3]), &read).is_some());
        assert!(stream().step(&None, &read).is_none());
    }

    #[test]
    fn answers_reveal_where_elements_stand() {
        let read = |offset, seen: &[u64]| StreamAction::Read { offset, count: 9, seen: Some(Box::from(seen)) };
        let model = Stream::revealed_by(&[read(1, &[5, 6]), read(0, &[4, 5])]).expect("they agree");
        assert_eq!(model.revealed, [Some(4), Some(5), Some(6)]);
        let unknown = |value| StreamAction::Append { value, answer: AppendAnswer::Unknown };
        assert_eq!(model.step(&Some(vec![]), &unknown(6)), None);
        assert_eq!(model.step(&Some(vec![]), &unknown(4)), Some(Some(vec![4])));
        assert_eq!(Stream::revealed_by(&[read(1, &[5, 6]), read(2, &[7])]).err(), Some((0, 1)));
    }
}
