//! `cargo xtask power`: whether the store of batches keeps what it acknowledged when the power goes.
//!
//! A guest works on a store (`store/examples/store_torture.rs`) on a disk of its own, and says each step once the store says
//! that it is durable. QEMU logs each write and each flush of that disk. At a random moment the guest is gone with all that
//! it had in memory, and of what it wrote since its last flush the disk has a random part, torn between sectors. On that
//! disk the guest starts again, and says all that the store has.
mod guest;
mod log;
mod said;

use std::fs;
use std::time::{Duration, Instant};

use crate::engine::Scratch;
use crate::power::guest::{Disk, Guest, Image};
use crate::power::said::Said;
use crate::problem::{Context, Problem, Result};
use crate::soak::mix::Dice;
use crate::tally::Tally;

/// How many cuts there are in `cargo xtask test`.
pub const SHORT: u32 = 3;
/// How many in `cargo xtask prove`.
pub const LONG: u32 = 40;
/// A guest is emulated, on a host that may do other things besides.
const PATIENCE: Duration = Duration::from_secs(300);
/// Steps that a guest says at least, and how many more at most, before it is cut.
const STEPS: (u64, u64) = (50, 450);

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// How often the power goes.
    pub cuts: u32,
    /// Which moments are drawn.
    pub seed: u64,
    /// Whether the store waits for the disk. Where it does not, this must fail.
    pub durable: bool,
}

/// What a guest said in one life.
#[derive(Default)]
struct Life {
    /// What the store had at the start.
    there: Said,
    /// Each line after that, with how much of the log of the disk was written when it came.
    lines: Vec<(String, u64)>,
    /// How much of the log was written when it was ready.
    ready: u64,
}

/// Cuts the power so often, then lets the work come to its end.
///
/// # Errors
/// When there can be no guest. What the store lost is a failure in the tally.
pub fn run(power: Power) -> Result<Tally> {
    let scratch = Scratch::new("power")?;
    let image = Image::make(scratch.path())?;
    let disk = Disk::make(scratch.path())?;
    let mut dice = Dice::new(power.seed);
    let mut tally = Tally::default();
    let began = Instant::now();
    // What must be there, and what was acknowledged since.
    let mut owed: Option<(Said, Said)> = None;
    let (mut acknowledged, mut dropped) = (0, 0);
    for number in 1..=power.cuts {
        disk.keep()?;
        let mut life = live(&image, &disk, &mut dice, power, number)?;
        tally.check(&format!("power cut {number}"), kept(owed.take(), &life.there));
        let last = life.lines.last().map_or(life.ready, |(_, written)| *written);
        let cut = disk.cut(life.ready + dice.below(last - life.ready + 1), &mut dice)?;
        life.lines.retain(|(_, written)| *written <= cut.end);
        acknowledged += life.lines.len();
        dropped += cut.dropped;
        let did = Said::of(life.lines.iter().map(|(line, _)| line.as_str()));
        owed = Some((life.there, did.or_problem("what the guest said", "read store/examples/store_torture.rs")?));
    }
    disk.keep()?;
    tally.check("the end after the cuts", end(&image, &disk, power, owed)?);
    let cuts = power.cuts;
    println!(
        "xtask: power: {cuts} cuts, {acknowledged} steps acknowledged before them, {dropped} sectors lost or torn, {} s",
        began.elapsed().as_secs()
    );
    Ok(tally)
}

/// All that was there or acknowledged is there.
fn kept(owed: Option<(Said, Said)>, there: &Said) -> std::result::Result<(), String> {
    let Some((was, did)) = owed else { return there.is_whole() };
    was.is_in(there)?;
    did.is_in(there)?;
    there.is_whole()
}

/// A guest that works until it is ended after a random number of steps.
fn live(image: &Image, disk: &Disk, dice: &mut Dice, power: Power, number: u32) -> Result<Life> {
    let mut guest = Guest::start(image, disk, u64::from(number), power.durable, false)?;
    let steps = STEPS.0 + dice.below(STEPS.1);
    let mut life = Life::default();
    let mut ready = false;
    let mut there = Vec::new();
    while !ready || (life.lines.len() as u64) < steps {
        let (line, written) = guest.line(PATIENCE)?;
        match line.strip_prefix("have ") {
            _ if line == "ready" => (ready, life.ready) = (true, written),
            Some(line) if !ready => there.push(line.to_owned()),
            // What the kernel says begins with its time, also later, when a busy host keeps it waiting.
            _ if ready && !line.starts_with('[') => life.lines.push((line, written)),
            _ => {}
        }
    }
    guest.end()?;
    let there = Said::of(there.iter().map(String::as_str));
    life.there = there.or_problem("what the store has", "read store/examples/store_torture.rs")?;
    Ok(life)
}

/// A last guest brings everything to its end: each result is there once.
fn end(
    image: &Image,
    disk: &Disk,
    power: Power,
    owed: Option<(Said, Said)>,
) -> Result<std::result::Result<(), String>> {
    let mut guest = Guest::start(image, disk, 0, power.durable, true)?;
    let (mut there, mut did, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut ready = false;
    loop {
        let (line, _) = guest.line(PATIENCE)?;
        match line.strip_prefix("have ") {
            _ if line == "done" => break,
            _ if line == "ready" => ready = true,
            Some(line) if ready => last.push(line.to_owned()),
            Some(line) => there.push(line.to_owned()),
            None if ready && !line.starts_with('[') => did.push(line),
            // What the kernel says.
            None => {}
        }
    }
    guest.end()?;
    let all = || -> std::result::Result<(), String> {
        let read = |lines: &[String]| Said::of(lines.iter().map(String::as_str));
        let (there, did, last) = (read(&there)?, read(&did)?, read(&last)?);
        kept(owed, &there)?;
        kept(Some((there, did)), &last)?;
        last.is_finished()
    };
    Ok(all())
}

/// How long a file is.
fn file_length(path: &std::path::Path) -> Result<u64> {
    let meta = fs::metadata(path).or_problem(path.display().to_string(), "free some disk, or set TMPDIR")?;
    Ok(meta.len())
}

/// What QEMU is missing where it does not start.
fn lacking(what: impl Into<String>) -> Problem {
    Problem::new(what, "xtask/testhost/build-image.sh")
}
