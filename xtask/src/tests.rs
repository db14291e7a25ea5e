//! `cargo xtask test`: every test that there is, in the order in which a failure tells most.

use crate::build;
use crate::corpus::{self, Load};
use crate::host::{self, Depth, Kernel};
use crate::problem::Result;
use crate::schemathesis::Length;
use crate::tally::Tally;
use crate::{examples, python_client, schemathesis, setup};

/// An attack runs alone, so that the hello after it tells what it did; the many honest programs share the cores.
const CORPUS: [Load; 2] =
    [Load { folders: &["benign", "hostile"], times: 1, jobs: 1 }, Load { folders: &["semantics"], times: 1, jobs: 2 }];

/// The tests of the workspace, those that need `test-hooks`, the Python client, schemathesis, the corpus,
/// then the test host.
pub fn all(host: Option<Kernel>) -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    // The programs come first: tests of engined start the jaild beside it.
    let programs = build::release()?;
    let mut tally = workspace()?;
    tally.add(examples::run(&programs)?);
    tally.add(python_client::run(&programs)?);
    tally.add(schemathesis::run(&programs, Length::Short)?);
    tally.add(corpus::run(&programs, &CORPUS)?);
    match host {
        Some(kernel) => tally.add(host::run(&programs, kernel, Depth::Short)?),
        None => println!("xtask: skipped: the test host (--no-host)"),
    }
    Ok(tally)
}

/// Only the part in the test host.
pub fn host_only(kernel: Kernel, rootless: bool, depth: Depth) -> Result<Tally> {
    setup::ensure()?;
    let programs = build::release()?;
    if rootless { host::rootless(&programs, kernel, depth) } else { host::run(&programs, kernel, depth) }
}

/// Only the corpus through a live engine.
pub fn corpus_only() -> Result<Tally> {
    setup::ensure()?;
    corpus::run(&build::release()?, &CORPUS)
}

/// Only the Python client.
pub fn client_only() -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    python_client::run(&build::release()?)
}

/// Only schemathesis.
pub fn schemathesis_only() -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    schemathesis::run(&build::release()?, Length::Short)
}

/// Every test of the workspace, and again with the hooks by which each layer is tested in pairs.
pub fn workspace() -> Result<Tally> {
    let mut tally = build::test("workspace tests", &["--workspace"])?;
    let hooked = ["--package", "jail", "--features", "test-hooks"];
    tally.add(build::test("tests with test-hooks", &hooked)?);
    // Of engined this one alone: its other tests want a jaild that says what it says in production.
    let confined = ["--package", "engined", "--features", "test-hooks", "--test", "confinement"];
    tally.add(build::test("engined's confinement", &confined)?);
    Ok(tally)
}
