//! The vopr program, as this package's own binary.

fn main() -> std::process::ExitCode {
    vopr::main()
}
