//! `cargo xtask test`: every test that there is, in the order in which a failure tells most.

use std::path::Path;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::binaries::{Binaries, SecondTries};
use crate::build::{self, Programs};
use crate::corpus::{self, Load};
use crate::host::{self, Depth, Kernel};
use crate::mixed::{self, Mixed};
use crate::problem::{Problem, Result};
use crate::problems::{self, Beside};
use crate::schemathesis::Length;
use crate::soak::{self, Soak};
use crate::tally::Tally;
use crate::{bench, examples, fuzz, power, prometheus, python_client, schemathesis, secrets, setup};

/// A hello after each attack tells what it did. What they do one at a time is for `prove`: most of them wait for a limit,
/// and two that wait take no longer than one.
/// CI has time for a sixth of what the languages mean; `prove` runs all of it.
const CORPUS: [Load; 2] = [
    Load { folders: &["benign", "hostile"], times: 1, jobs: 2, one_in: 1 },
    Load { folders: &["semantics"], times: 1, jobs: 2, one_in: 6 },
];

/// The tests of the workspace and those that need `test-hooks`; beside them the test host with its power cuts, the Python
/// client, schemathesis, Prometheus and the fuzz targets. Then what measures or loads the machine itself: the corpus, the
/// problems, a short soak, where secrets go, whether the books are equal after restarts, what speed is promised with a
/// wide margin.
pub fn all(host: Option<Kernel>) -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    let programs = timed("release build", build::release)?;
    let tests = timed("build of the tests", || Binaries::build(&WORKSPACE))?;
    let tries = SecondTries::few();
    // Half of those tests is waiting, as is half of the others. Who is through with these takes the next of those.
    let others = || {
        let mut tally = in_the_host(host, &programs)?;
        tally.add(timed("Python client, schemathesis, Prometheus", || from_outside(&programs))?);
        tally.add(timed("fuzz", || Ok(fuzz::run(&[], fuzz::SHORT_SECONDS)?.0))?);
        tally.add(tests.work(&tries)?);
        Ok(tally)
    };
    let mut tally = timed("tests of the workspace beside others", || beside([&others, &|| tests.work(&tries)]))?;
    tally.add(timed("documentation's examples", documented)?);
    let tests = timed("build of the tests with test-hooks", || Binaries::build(&hooked()))?;
    // One after another: the faults look at the whole host's mounts, and the walls without a layer leave traces in it.
    tally.add(timed("tests with test-hooks", || tests.work(&tries))?);
    let mut part = |name, run: &mut dyn FnMut() -> Result<Tally>| -> Result<()> {
        tally.add(timed(name, run)?);
        Ok(())
    };
    part("examples", &mut || examples::run(&programs))?;
    part("corpus", &mut || corpus::run(&programs, &CORPUS))?;
    part("problems", &mut || problems::run(&programs, &[Beside::Others]))?;
    part("soak", &mut || soak::run(&programs, Soak::SHORT))?;
    part("secrets", &mut || secrets::run(&programs))?;
    part("mixed", &mut || mixed::run(&programs, Mixed::SHORT, None))?;
    part("bench guard", &mut || bench::guard(&programs))?;
    Ok(tally)
}

/// Says how long it took and what CPU time its processes used: what takes long and uses little can stand beside another.
fn timed<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let used = || {
        getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |u| u.user_time().num_seconds() + u.system_time().num_seconds())
    };
    let (begun, before) = (Instant::now(), used());
    let done = run();
    println!("xtask: {name}: {} s, of the CPU {} s", begun.elapsed().as_secs(), used() - before);
    done
}

/// Runs parts at the same time.
fn beside<const N: usize>(parts: [&(dyn Fn() -> Result<Tally> + Sync); N]) -> Result<Tally> {
    std::thread::scope(|scope| {
        let mut tally = Tally::default();
        for part in parts.map(|part| scope.spawn(part)) {
            let done = part.join().map_err(|_| Problem::new("a part of the tests panicked", "read why above"))?;
            tally.add(done?);
        }
        Ok(tally)
    })
}

/// The test host, which is a machine of its own, and its power cuts.
fn in_the_host(host: Option<Kernel>, programs: &Programs) -> Result<Tally> {
    let Some(kernel) = host else {
        println!("xtask: skipped: the test host (--no-host)");
        return Ok(Tally::default());
    };
    let mut tally = timed("test host", || host::run(programs, kernel, Depth::Short))?;
    let cuts = power::Power { cuts: power::SHORT, seed: 1, durable: true };
    tally.add(timed("power cuts", || power::run(cuts))?);
    Ok(tally)
}

/// Callers of an engine of their own each, that wait more than they work.
fn from_outside(programs: &Programs) -> Result<Tally> {
    beside([&|| python_client::run(programs), &|| schemathesis::run(programs, Length::Short), &|| {
        prometheus::run(programs)
    }])
}

/// Only the part in the test host.
pub fn host_only(kernel: Kernel, rootless: bool, depth: Depth) -> Result<Tally> {
    setup::ensure()?;
    let programs = build::release()?;
    if rootless { host::rootless(&programs, kernel, depth) } else { host::run(&programs, kernel, depth) }
}

/// Only the corpus through a live engine; then, where that is asked for, with each of what makes it fast switched off.
pub fn corpus_only(without: bool) -> Result<Tally> {
    setup::ensure()?;
    let programs = build::release()?;
    let mut tally = corpus::run(&programs, &CORPUS)?;
    for (what, options) in corpus::WITHOUT.iter().filter(|_| without) {
        println!("xtask: corpus without {what}");
        tally.add(corpus::run_with(&programs, &CORPUS, options)?);
    }
    Ok(tally)
}

/// Only the Python client.
pub fn client_only() -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    python_client::run(&build::release()?)
}

/// Only the problems: all at once, or as `prove` judges them.
pub fn problems_only(thoroughly: bool) -> Result<Tally> {
    setup::ensure()?;
    problems::run(&build::release()?, if thoroughly { &problems::THOROUGHLY } else { &[Beside::Others] })
}

/// Only schemathesis.
pub fn schemathesis_only() -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    schemathesis::run(&build::release()?, Length::Short)
}

/// Only Prometheus.
pub fn prometheus_only(built: Option<&Path>) -> Result<Tally> {
    setup::ensure()?;
    let programs = match built {
        Some(folder) => Programs { engined: folder.join("engined"), jaild: folder.join("jaild") },
        None => build::release()?,
    };
    prometheus::run(&programs)
}

/// Every test of the workspace, one binary after another; then those that need the hooks: each layer in pairs, what
/// remains without it, the faults, and engined's confinement. The others want programs that say what they say in production.
/// Nothing is tried again.
pub fn workspace() -> Result<Tally> {
    let mut tally = Binaries::build(&WORKSPACE)?.work(&SecondTries::none())?;
    tally.add(documented()?);
    tally.add(Binaries::build(&hooked())?.work(&SecondTries::none())?);
    Ok(tally)
}

fn documented() -> Result<Tally> {
    build::test("documentation's examples", &[&WORKSPACE[..], &["--doc"]].concat())
}

/// Both programs are built with these, of the same crates, and beside each other as tests of engined want them.
fn hooked() -> Vec<&'static str> {
    let tests =
        ["--test", "pairs", "--test", "remains", "--test", "pinned", "--test", "faults", "--test", "confinement"];
    [&HOOKED[..], &tests].concat()
}

const WORKSPACE: [&str; 1] = ["--workspace"];

/// Every program of `corpus/tuning` with tuned and with bare toolchains. The tests of the workspace try one in eight.
pub fn tuned() -> Result<Tally> {
    build::test_with(
        "tuned and bare toolchains",
        &["--package", "engined", "--test", "tuned"],
        ("ENGINED_TUNING_ALL", "1"),
    )
}

/// An engine that is killed so many times under load: usage must be the sums over the audit lines.
pub fn killed(times: &str) -> Result<Tally> {
    build::test_with(
        "usage after kill -9",
        &["--package", "engined", "--test", "audit", "killed", "--", "--test-threads=1"],
        ("ENGINED_TEST_KILLS", times),
    )
}

const HOOKED: [&str; 6] =
    ["--package", "engined", "--package", "jail", "--features", "jail/test-hooks,engined/test-hooks"];

/// -9 at every point of a run's life and every other fault, so many times in a row: a race needs more than one try.
pub fn faults(times: u32) -> Result<Tally> {
    let mut tally = Tally::default();
    build::hooked(&HOOKED)?;
    for time in 1..=times {
        println!("xtask: faults, {time} of {times}");
        tally.add(build::test("faults", &[&HOOKED[..], &["--test", "faults"]].concat())?);
    }
    Ok(tally)
}

/// An engine that is killed so many times while it judges batches, at any moment: each run ends with exactly one result.
pub fn batches_killed(times: &str) -> Result<Tally> {
    build::hooked(&HOOKED)?;
    let which = ["--test", "faults", "killed_at_any_moment"];
    build::test_with("batches after kill -9", &[&HOOKED[..], &which].concat(), ("ENGINED_TEST_KILLS", times))
}

/// A process with the store of batches that is killed so many times, each time opened again.
pub fn store_killed(times: &str) -> Result<Tally> {
    build::test_with(
        "the store after kill -9",
        &["--package", "store", "--test", "kills"],
        ("ENGINED_TEST_KILLS", times),
    )
}

/// Only the faults.
pub fn faults_only(times: u32) -> Result<Tally> {
    setup::ensure()?;
    faults(times)
}
