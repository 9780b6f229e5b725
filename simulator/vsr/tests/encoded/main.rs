//! Encoded forms: what goes over the wire comes back the same, and bytes that lie are refused without a panic.

mod messages;
mod stored;
mod strategies;
