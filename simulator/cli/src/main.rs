//! The vopr program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vopr::main()
}
