//! The directory of a campaign: the one place that knows its files, for whoever writes or reads them.
//!
//! A directory is a database of files that are only ever added to and whose names are unique, so that directories of several machines
//! are merged by copying them together, and a process that is killed at any moment takes nothing with it that it has reported:
//!
//! | file | holds |
//! |---|---|
//! | `plan-ID.json` | what a campaign, or one shard of it, is to do ([`PlanRecord`]) |
//! | `runs-ID-DRAWN.jsonl` | one process's work on that plan: a line when it begins, one per finished run, one at its end ([`Line`]) |
//! | `rerun-ID-DRAWN.jsonl` | failing runs that were tried again |
//! | `scenario-ID-NAME.toml` | a scenario of the user's own that the plan names |
//! | `failures/ID/*.kmb` | bundles of failing runs |
//! | `kept/ID/*.parquet` | rows of rare runs and of a sample |
//! | `known*.toml` | failures that are known ([`Known`]); written by people |
//!
//! Bundles and rows of a plan that turn out to be too many are removed by whoever works on it, after a line that says so.
//!
//! A line is flushed to the disk before anything on the screen says what is in it, and its bundle before it. [`Directory`] reads all of
//! this and says what it amounts to. It can be refreshed while a campaign goes on, and reads then only what was added.

pub mod date;
mod group;
pub mod kin;
mod known;
mod line;
mod read;
mod walk;
mod write;

pub use date::Day;
pub use group::{FailingRun, Group, RunKey, Status};
pub use known::{Known, KnownError, KnownFailure, is_known_file};
pub use line::{Begin, DroppedLine, End, FORMAT, FailureLine, Line, LineError, Outcome, PlanRecord, RerunLine, RunLine, SlowLine};
pub use read::{Conflict, Damage, Directory, Pace, Process, Scenario, Sighting, is_campaign};
pub use walk::each_run;
pub use write::{Part, hold_plan, new_id, plan_file, write_plan, write_whole};
