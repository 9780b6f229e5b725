//! The vopr-check program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vopr_check::main()
}
