//! Model check of the protocol core: the same replica that the simulator drives, through every interleaving of small bounds.
//!
//! Messages may be lost, duplicated and reordered, replicas crash between any two steps and lose what was not durable, and
//! timers fire at the worst moment. What a random simulation finds with luck, an exhaustive one finds within its bounds, or
//! proves absent there.

pub mod bounds;
pub mod facts;
pub mod machine;
pub mod node;
pub mod search;
pub mod tables;
