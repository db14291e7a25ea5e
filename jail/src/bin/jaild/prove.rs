//! The proof at start: one sandbox, made as all others, in which [`jail::probe`] tries what the layers forbid.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;

use jail::cores::Cpus;
use jail::error::{At, JailError, Step};
use jail::privileges::PAYLOAD_ID;
use jail::probe;
use jail::records::{Kind, RecordWriter};
use jail::sandbox::Spec;
use jail::spec::{Bytes, Ended, Layer, Layers, Limits, Millis, Outcome, RunId, WatchedCall};
use jail::talk::now_us;

use crate::policy::Policy;

/// The order of the proof, and where its answer comes out.
pub fn order(policy: &Policy) -> Result<(Spec, Vec<OwnedFd>, PipeReader), JailError> {
    let ceiling = policy.config.ceiling;
    let spec = Spec {
        id: RunId(0),
        limits: Limits {
            cpu_time: Millis(5_000),
            wall_time: Millis(10_000),
            memory: Bytes(64 << 20),
            processes: 8,
            cpus_milli: ceiling.cpus_milli.min(1000),
            file: Bytes(1 << 20),
            disk: Bytes(1 << 20),
            open_files: 64,
            stack: Bytes(8 << 20),
        },
        filter: 0,
        probe: true,
        has_artifact: false,
        collects: false,
        ordered_us: now_us(),
        cpus: None,
    };
    let mut bundle = RecordWriter::new().at(Step::Probe)?;
    bundle.put(Kind::Env, false, format!("UID={PAYLOAD_ID}").as_bytes(), b"").at(Step::Probe)?;
    let bundle = bundle.seal().at(Step::Probe)?;
    let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from).at(Step::Probe);
    let (answer, stdout) = io::pipe().at(Step::Probe)?;
    Ok((spec, vec![bundle, null()?, stdout.into(), null()?], answer))
}

/// The layers that held. A probe that was `pinned` must have had those CPUs, and no others however it asked.
pub fn judge(ended: &Ended, answer: &mut PipeReader, pinned: Option<&Cpus>) -> Result<Layers, JailError> {
    if ended.outcome != Outcome::Exited(0) {
        let why = match ended.outcome {
            Outcome::Failed { step, errno, .. } => {
                let doing = Step::from_number(step).map_or("do something unknown", Step::doing);
                let remedy = Step::from_number(step).map_or("engined doctor", Step::remedy);
                format!("could not {doing}: {}; try: {remedy}", io::Error::from_raw_os_error(errno))
            }
            other => format!("the probe ended with {other:?}, stopped by {:?}", ended.stop),
        };
        return Err(io::Error::other(why)).on(Step::Probe, "start");
    }
    let mut report = Vec::new();
    answer.read_to_end(&mut report).at(Step::Probe)?;
    let held = probe::parse_report(&report).ok_or(io::ErrorKind::InvalidData).map_err(io::Error::from);
    let (held, cpus) = held.on(Step::Probe, "report")?;
    if let Some(wanted) = pinned.filter(|wanted| **wanted != cpus) {
        return Err(io::Error::other(format!("a run that was kept to {wanted} got {cpus}"))).on(Step::Cpus, "start");
    }
    // The probe has made one network socket. A filter that nobody is told of is not the one that we want.
    let told = ended.attempts.of(WatchedCall::SOCKET) == 1;
    Ok(if told { held } else { held.without([Layer::Seccomp].into_iter().collect()) })
}
