//! `cargo xtask test`: every test that there is, in the order in which a failure tells most.

use crate::build;
use crate::corpus::{self, Load};
use crate::host::{self, Kernel};
use crate::problem::Result;
use crate::setup;
use crate::tally::Tally;

/// The tests of the workspace, those that need `test-hooks`, the corpus through a live engine, then the test host.
pub fn all(with_host: bool) -> Result<Tally> {
    setup::ensure()?;
    // The programs come first: tests of engined start the jaild beside it.
    let programs = build::release()?;
    let mut tally = workspace()?;
    tally.add(corpus::run(&programs, Load { times: 1, jobs: 1 })?);
    if with_host {
        tally.add(host::run(&programs, Kernel::Newer)?);
    } else {
        println!("xtask: skipped: the test host (--no-host)");
    }
    Ok(tally)
}

/// Only the part in the test host.
pub fn host_only() -> Result<Tally> {
    setup::ensure()?;
    host::run(&build::release()?, Kernel::Newer)
}

/// Every test of the workspace, and again with the hooks by which each layer is tested in pairs.
pub fn workspace() -> Result<Tally> {
    let mut tally = build::test("workspace tests", &["--workspace"])?;
    let hooked = ["--package", "jail", "--package", "engined", "--features", "jail/test-hooks,engined/test-hooks"];
    tally.add(build::test("tests with test-hooks", &hooked)?);
    Ok(tally)
}
