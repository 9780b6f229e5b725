//! Tasks of this repository, as a library, so that tests can use the recipes of goldens and of the detection matrix.
//!
//! Everything here is glue over the product's own crates.

pub mod bench;
pub mod campaign;
pub mod cpu;
pub mod differential;
pub mod external;
pub mod goldens;
pub mod linearizability;
pub mod matrix;
pub mod transactions;

use std::path::{Path, PathBuf};
use vopr_schema::write::{HistoryWriter, WriteError, WriteOptions};
use vopr_schema::{History, Provenance};
use vopr_sim::RunRequest;
use vopr_sim::scenario::{Overrides, Scenario};

/// The root of the repository.
///
/// # Panics
/// Never: the crate lies two folders below it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tools/xtask lies two folders below the root").to_path_buf()
}

/// The run of `seed`, with another limit of events or a guard switched off.
///
/// # Panics
/// When no guard has that name: recipes name guards that exist.
#[must_use]
pub fn request(scenario: &Scenario, seed: u64, events_max: Option<u64>, bug: Option<&str>) -> RunRequest {
    let overrides = Overrides { events_max, bug: bug.map(str::to_owned), ..Overrides::default() };
    RunRequest::new(scenario, seed, &overrides).expect("a scenario of the table makes a world, and the guard exists")
}

/// Writes one history file; returns its size in bytes.
///
/// # Errors
/// As the writer's.
pub fn write_file(path: &Path, history: &History) -> Result<u64, WriteError> {
    let provenance =
        Provenance { program: "xtask".to_owned(), program_version: env!("CARGO_PKG_VERSION").to_owned(), ..Provenance::default() };
    let mut writer = HistoryWriter::create(path, provenance, WriteOptions::default())?;
    writer.write(history)?;
    writer.finish().map(|written| written.bytes)
}
