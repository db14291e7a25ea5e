//! The engine that runs strangers' code: see the library of the same name.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    engined::cli::main()
}
