//! The queue of future events: a four-ary heap ordered by virtual time, then by insertion.
//!
//! Four children per node halve the depth of a binary heap and keep siblings in one or two cache lines, and a queue of
//! a simulated cluster holds some hundreds of events: nothing more elaborate pays. The insertion number makes the order
//! total, so that a run never depends on how a heap happens to break ties.

const ARITY: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Node<T> {
    time_ns: u64,
    sequence: u64,
    event: T,
}

impl<T> Node<T> {
    #[inline]
    fn before(&self, other: &Self) -> bool {
        (self.time_ns, self.sequence) < (other.time_ns, other.sequence)
    }
}

/// Future events in the order of (time, insertion).
#[derive(Clone, Debug)]
pub struct EventQueue<T> {
    nodes: Vec<Node<T>>,
    next_sequence: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), next_sequence: 0 }
    }
}

impl<T: Copy> EventQueue<T> {
    /// Adds an event at `time_ns`; among events of one time the one added first comes first.
    #[inline]
    pub fn push(&mut self, time_ns: u64, event: T) {
        let node = Node { time_ns, sequence: self.next_sequence, event };
        self.next_sequence += 1;
        self.nodes.push(node);
        self.sift_up(self.nodes.len() - 1);
    }

    /// Removes the earliest event.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, T)> {
        let last = self.nodes.pop()?;
        let Some(root) = self.nodes.first().copied() else {
            return Some((last.time_ns, last.event));
        };
        self.sift_down(last);
        Some((root.time_ns, root.event))
    }

    /// Time of the earliest event.
    #[must_use]
    pub fn next_time_ns(&self) -> Option<u64> {
        self.nodes.first().map(|node| node.time_ns)
    }

    /// Number of queued events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Removes everything and starts counting insertions anew, keeping the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.next_sequence = 0;
    }

    fn sift_up(&mut self, mut index: usize) {
        let node = self.nodes[index];
        while index > 0 {
            let parent = (index - 1) / ARITY;
            if !node.before(&self.nodes[parent]) {
                break;
            }
            self.nodes[index] = self.nodes[parent];
            index = parent;
        }
        self.nodes[index] = node;
    }

    /// Lets `node` sink from the root, whose place is free.
    fn sift_down(&mut self, node: Node<T>) {
        let length = self.nodes.len();
        let mut index = 0;
        loop {
            let first = index * ARITY + 1;
            if first >= length {
                break;
            }
            let mut least = first;
            for child in first + 1..(first + ARITY).min(length) {
                if self.nodes[child].before(&self.nodes[least]) {
                    least = child;
                }
            }
            if !self.nodes[least].before(&node) {
                break;
            }
            self.nodes[index] = self.nodes[least];
            index = least;
        }
        self.nodes[index] = node;
    }
}

#[cfg(test)]
mod tests {
    use super::EventQueue;
    use proptest::prelude::*;

    #[test]
    fn events_of_one_time_keep_their_order() {
        let mut queue = EventQueue::default();
        for event in 0..100_u32 {
            queue.push(u64::from(event % 3), event);
        }
        let mut popped = Vec::new();
        while let Some((time_ns, event)) = queue.pop() {
            assert_eq!(time_ns, u64::from(event % 3));
            popped.push((time_ns, event));
        }
        assert!(popped.is_sorted());
        assert_eq!(popped.len(), 100);
    }

    proptest! {
        #[test]
        fn agrees_with_a_stable_sort(times in prop::collection::vec(prop::option::weighted(0.7, 0_u64..50), 0..400)) {
            // `None` pops; the model is a list kept in stable order.
            let mut queue = EventQueue::default();
            let mut model: Vec<(u64, usize)> = Vec::new();
            for (index, time) in times.into_iter().enumerate() {
                if let Some(time_ns) = time {
                    queue.push(time_ns, index);
                    let at = model.partition_point(|known| known.0 <= time_ns);
                    model.insert(at, (time_ns, index));
                } else {
                    prop_assert_eq!(queue.next_time_ns(), model.first().map(|known| known.0));
                    let expected = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(queue.pop(), expected);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
        }
    }
}
