//! Tasks of this repository, as a library, so that tests can use the recipes of goldens and of the detection matrix.
//!
//! Everything here is glue over the product's own crates.

pub mod bench;
pub mod campaign;
pub mod cpu;
pub mod documents;
pub mod goldens;
pub mod matrix;

use std::path::{Path, PathBuf};

/// The root of the repository.
///
/// # Panics
/// Never: the crate lies two folders below it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tools/xtask lies two folders below the root").to_path_buf()
}
