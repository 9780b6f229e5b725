//! The vopr-check program, as this package's own binary.

fn main() -> std::process::ExitCode {
    vopr_check::main()
}
