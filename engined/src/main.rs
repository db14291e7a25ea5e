//! The engine that runs strangers' code: see the library of the same name.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    #[cfg(feature = "test-hooks")]
    jail::stop::attach();
    engined::cli::main()
}
