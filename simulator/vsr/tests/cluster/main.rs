//! Whole clusters in one process: random schedules, seeded bugs, and transcripts of the protocol's rules.

mod admin;
mod bugs;
mod clients;
mod disk;
mod draw;
mod facts;
mod machine;
mod schedules;
mod stage;
mod telling;
mod transcripts;
mod world;
