//! The link between engined and jaild, read by each end.

use std::collections::BTreeMap;
use std::fmt::Debug;

use api_spec::{OnOutputLimit, Verdict};
use arbitrary::{Arbitrary, Unstructured};
use engined::capture::{Captured, Output};
use engined::job::Step;
use engined::link::RunEnd;
use engined::verdict::{Facts, of_compile, of_run};
use jail::inventory::{Held, Inventory};
use jail::link::{
    CgroupVersion, DecodeError, MESSAGE_BYTES, Order, ProfileName, Refusal, Report, Request, VERSION, Welcome,
};
use jail::spec::{
    Attempts, Bytes, Collected, Ended, Layer, Layers, Limits, Micros, Millis, Outcome, PeakSource, RunId, StopReason,
    Usage, WatchedCall,
};

/// What jaild does with a message of an engined that somebody has taken over.
pub fn jaild(data: &[u8]) {
    decoded(data, Request::decode, |request| request.encode());
    let mut u = Unstructured::new(data);
    if let Ok(request) = request(&mut u) {
        assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
        if let (Request::Order(order), Ok(ceiling)) = (request, limits(&mut u)) {
            within(&order, &ceiling);
        }
    }
}

/// What engined does with a message of a jaild, down to the verdict.
pub fn engined(data: &[u8]) {
    if let Some(report) = decoded(data, Report::decode, |report| report.encode()) {
        judged(&report, data);
    }
    if let Ok(report) = report(&mut Unstructured::new(data)) {
        assert_eq!(Report::decode(&report.encode()), Ok(report));
        judged(&report, data);
    }
}

/// Decodes the bytes as they are, and as a message of this version. What comes out must be what those bytes say and
/// nothing else: no other bytes may mean the same.
fn decoded<T: Debug>(
    data: &[u8],
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    encode: fn(&T) -> [u8; MESSAGE_BYTES],
) -> Option<T> {
    let mut message = [0; MESSAGE_BYTES];
    let length = data.len().min(MESSAGE_BYTES - 4);
    message[..4].copy_from_slice(&VERSION.to_le_bytes());
    message[4..4 + length].copy_from_slice(&data[..length]);
    if decode(data).is_ok_and(|read| encode(&read) != data) {
        panic!("another message says the same as {data:02x?}");
    }
    let read = decode(&message).ok()?;
    assert_eq!(encode(&read), message, "{read:?}");
    Some(read)
}

/// An order that jaild would take has every limit between its floor and the ceiling.
fn within(order: &Order, ceiling: &Limits) {
    let l = &order.limits;
    if l.first_outside(ceiling).is_none() {
        assert!(
            l.cpu_time.0 > 0 && l.wall_time.0 > 0 && l.memory.0 > 0 && l.file.0 > 0 && l.disk.0 > 0 && l.stack.0 > 0
        );
        assert!(l.processes > 0 && l.cpus_milli > 0 && l.open_files > 0);
        assert!(l.cpu_time <= ceiling.cpu_time && l.wall_time <= ceiling.wall_time && l.memory <= ceiling.memory);
        assert!(l.file <= ceiling.file && l.disk <= ceiling.disk && l.stack <= ceiling.stack);
        assert!(l.processes <= ceiling.processes && l.cpus_milli <= ceiling.cpus_milli);
        assert!(l.open_files <= ceiling.open_files);
    }
}

/// Every report has a verdict, `ok` only for a program that ended by itself with 0.
fn judged(report: &Report, data: &[u8]) {
    let end = match *report {
        Report::Ended(ended) => RunEnd::Ended(ended),
        Report::Refused { why, .. } => RunEnd::Refused(why),
        Report::Welcome(_) | Report::Inventory(_) => return,
    };
    let Some(profile) = ProfileName::new("c/gcc/run") else { return };
    // As high as an operator may set them.
    let (day, tib) = (86_400_000, 1 << 40);
    let limits = Limits {
        cpu_time: Millis(day),
        wall_time: Millis(day),
        memory: Bytes(tib),
        processes: 65_536,
        cpus_milli: 1_024_000,
        file: Bytes(tib),
        disk: Bytes(tib),
        open_files: 1 << 20,
        stack: Bytes(tib),
    };
    let (args, env, parts) = (Vec::new(), BTreeMap::new(), Vec::new());
    let step = Step { profile, args, env, limits, output_bytes: 16, parts };
    let said = Captured { kept: data.to_vec(), bytes: data.len() as u64 };
    let output = Output { stdout: Captured::default(), stderr: said };
    for on_output_limit in [OnOutputLimit::Truncate, OnOutputLimit::Kill] {
        let facts = Facts { end: &end, step: &step, output: &output, on_output_limit, gone: None };
        let (verdict, reason) = of_run(&facts);
        assert_eq!(verdict == Verdict::Ok, reason.is_none(), "{verdict:?} {reason:?}");
        let well = matches!(end, RunEnd::Ended(Ended { outcome: Outcome::Exited(0), .. }));
        assert!(verdict != Verdict::Ok || well, "{end:?}");
        assert!(of_compile(&facts, false).is_some(), "a compiler that made nothing has failed");
        assert!(of_compile(&facts, true).is_none_or(|(verdict, _)| verdict != Verdict::Ok));
    }
}

type Made<T> = arbitrary::Result<T>;

fn limits(u: &mut Unstructured<'_>) -> Made<Limits> {
    Ok(Limits {
        cpu_time: Millis(u.arbitrary()?),
        wall_time: Millis(u.arbitrary()?),
        memory: Bytes(u.arbitrary()?),
        processes: u.arbitrary()?,
        cpus_milli: u.arbitrary()?,
        file: Bytes(u.arbitrary()?),
        disk: Bytes(u.arbitrary()?),
        open_files: u.arbitrary()?,
        stack: Bytes(u.arbitrary()?),
    })
}

fn request(u: &mut Unstructured<'_>) -> Made<Request> {
    let id = RunId(u.arbitrary()?);
    if u.ratio(1, 16)? {
        return Ok(Request::Inventory);
    }
    if u.arbitrary()? {
        let why = *u.choose(&[StopReason::Output, StopReason::Cancelled, StopReason::Gone])?;
        return Ok(Request::Stop { id, why });
    }
    let name: String = u.arbitrary::<&str>()?.chars().take(64).collect();
    let profile = ProfileName::new(&name).ok_or(arbitrary::Error::IncorrectFormat)?;
    let (limits, has_artifact, collects, aside) = (limits(u)?, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
    Ok(Request::Order(Order { id, profile, limits, has_artifact, collects, aside }))
}

fn layers(u: &mut Unstructured<'_>) -> Made<Layers> {
    let bits = u32::arbitrary(u)?;
    Ok(Layer::ALL.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, layer)| layer).collect())
}

fn report(u: &mut Unstructured<'_>) -> Made<Report> {
    const REFUSALS: [Refusal; 7] = [
        Refusal::Malformed,
        Refusal::UnknownProfile,
        Refusal::LimitOutside,
        Refusal::BadDescriptors,
        Refusal::DuplicateId,
        Refusal::NoRoom,
        Refusal::Broken,
    ];
    Ok(match u.int_in_range(0..=4)? {
        0 => Report::Welcome(Welcome {
            wanted: layers(u)?,
            obtained: layers(u)?,
            cgroup: *u.choose(&[CgroupVersion::V1, CgroupVersion::V2])?,
            landlock_abi: u.arbitrary()?,
            slots: u.arbitrary()?,
            ceiling: limits(u)?,
            pinned_cpus: u.arbitrary()?,
        }),
        1 => Report::Refused { id: RunId(u.arbitrary()?), why: *u.choose(&REFUSALS)? },
        2 => {
            let mut inventory = Inventory::default();
            for what in Held::ALL {
                inventory = inventory.with(what, u.arbitrary()?);
            }
            Report::Inventory(inventory)
        }
        _ => Report::Ended(ended(u)?),
    })
}

fn attempts(u: &mut Unstructured<'_>) -> Made<Attempts> {
    let mut attempts = Attempts::default();
    attempts.fatal = WatchedCall::at(u.arbitrary::<u8>()?.into());
    for _ in 0..u.int_in_range(0..=8)? {
        WatchedCall::at(u.arbitrary::<u8>()?.into()).into_iter().for_each(|call| attempts.count(call));
    }
    Ok(attempts)
}

fn ended(u: &mut Unstructured<'_>) -> Made<Ended> {
    const STOPS: [Option<StopReason>; 7] = [
        None,
        Some(StopReason::CpuTime),
        Some(StopReason::WallTime),
        Some(StopReason::Memory),
        Some(StopReason::Output),
        Some(StopReason::Cancelled),
        Some(StopReason::Gone),
    ];
    Ok(Ended {
        id: RunId(u.arbitrary()?),
        outcome: match u.int_in_range(0..=2)? {
            0 => Outcome::Exited(u.arbitrary()?),
            1 => Outcome::Signalled(u.arbitrary()?),
            _ => Outcome::Failed { step: u.arbitrary()?, errno: u.arbitrary()?, index: u.arbitrary()? },
        },
        stop: *u.choose(&STOPS)?,
        filter_killed: u.arbitrary()?,
        attempts: attempts(u)?,
        usage: Usage {
            cpu: Micros(u.arbitrary()?),
            user: Micros(u.arbitrary()?),
            system: Micros(u.arbitrary()?),
            wall: Micros(u.arbitrary()?),
            memory_peak: Bytes(u.arbitrary()?),
            memory_peak_source: *u.choose(&[PeakSource::Kernel, PeakSource::Sampled])?,
            processes_peak: u.arbitrary()?,
            throttled: Micros(u.arbitrary()?),
            involuntary_switches: u.arbitrary()?,
            oom_kills: u.arbitrary()?,
            processes_hit: u.arbitrary()?,
            disk_hit: u.arbitrary()?,
        },
        setup: Micros(u.arbitrary()?),
        collected: *u.choose(&[Collected::None, Collected::Complete, Collected::Cut])?,
        layers: layers(u)?,
    })
}
