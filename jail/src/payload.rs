//! Pid 2 of a sandbox: confines itself, unpacks its files as the payload that it is, and becomes the program.
//!
//! The bundle comes from `engined`, which may be broken: so it is read here, after the filter, without a capability
//! and under the program's own limits, where a mistake in the reader gives nothing that the program would not have.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use nix::fcntl::{OFlag, openat};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::symlinkat;

use crate::error::{At, JailError, Step};
use crate::probe;
use crate::records::{Kind, PATH_BYTES, Record, RecordReader, relative_components};
use crate::seccomp::Filter;
use crate::spec::{Layer, Layers};
use crate::stage;
use crate::stop_point;
use crate::sys;
use crate::talk::{Command, Event, now_us};

/// Everything that pid 2 does. Ends by becoming the program.
pub(crate) fn run(
    command: OwnedFd,
    mapped: OwnedFd,
    rules: Option<::landlock::RulesetCreated>,
    filter: &Filter,
    off: Layers,
) -> Infallible {
    stop_point!("payload.born");
    let failure = match stage::confine(mapped, rules, off).and_then(|()| become_program(&command, filter, off)) {
        Ok(never) => match never {},
        Err(e) => e,
    };
    // Without init there is nobody to tell; this process ends all the same.
    drop(Event::Failed(failure.outcome()).send(command.as_fd()));
    sys::exit_now(72)
}

fn become_program(command_socket: &OwnedFd, filter: &Filter, off: Layers) -> Result<Infallible, JailError> {
    stop_point!("payload.confined");
    let listener = if off.has(Layer::Seccomp) { None } else { Some(filter.install_with_listener().at(Step::Seccomp)?) };
    stop_point!("payload.filtered");
    let sent: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
    Event::Armed.send_with(command_socket.as_fd(), &sent).on(Step::Talk, "init")?;
    // Out of this process before anything foreign is read: whoever holds the listener can let calls through.
    drop(listener);
    let Some((command, descriptors)) = Command::recv(command_socket.as_fd())? else { sys::exit_now(0) };
    stop_point!("payload.commanded");
    // What it was interrupted while it was armed, at low priority, is no part of the run.
    let before = getrusage(UsageWho::RUSAGE_SELF).at(Step::Talk)?.involuntary_context_switches();
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let mut descriptors = descriptors.into_iter();
    let mut next = || descriptors.next().ok_or_else(missing).on(Step::Talk, "descriptors");
    let (bundle, stdin, stdout, stderr) = (File::from(next()?), next()?, next()?, next()?);
    let artifact = if command.has_artifact { Some(File::from(next()?)) } else { None };
    // Only the program is under these: our unpacking must not fail by a limit on its files or descriptors.
    let rlimits = || if off.has(Layer::Rlimits) { Ok(()) } else { command.rlimits.set() };
    if command.probe {
        rlimits()?;
        streams(stdin, stdout, stderr)?;
        probe::report_from_inside(&command.rlimits);
        sys::exit_now(0);
    }
    let program = unpack(&bundle)?;
    if let Some(artifact) = artifact {
        unpack(&artifact)?;
    }
    stop_point!("payload.unpacked");
    rlimits()?;
    streams(stdin, stdout, stderr)?;
    let before = u64::try_from(before).unwrap_or(0);
    Event::Starting(now_us(), before).send(command_socket.as_fd()).on(Step::Talk, "init")?;
    stop_point!("payload.starting");
    let path = program.arguments.first().ok_or_else(missing).on(Step::Exec, "no arguments")?;
    nix::unistd::execve(path, &program.arguments, &program.environment).on(Step::Exec, path.to_string_lossy())
}

/// Descriptors 0, 1 and 2 become the run's pipes. Everything else is close-on-exec.
fn streams(stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd) -> Result<(), JailError> {
    nix::unistd::dup2_stdin(stdin).on(Step::Streams, "stdin")?;
    nix::unistd::dup2_stdout(stdout).on(Step::Streams, "stdout")?;
    nix::unistd::dup2_stderr(stderr).on(Step::Streams, "stderr")
}

/// What a bundle says besides its files.
#[derive(Debug, Default)]
struct Program {
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

/// Puts the files of a stream into the work directory, which is the current one.
fn unpack(stream: &File) -> Result<Program, JailError> {
    let mut program = Program::default();
    let mut reader = RecordReader::new(stream).on(Step::Unpack, "records")?;
    let mut index = 0;
    while let Some(record) = reader.next_record().on(Step::Unpack, "records")? {
        index += 1;
        let text = || CString::new(record.name.clone()).map_err(io::Error::other).on(Step::Unpack, "NUL in a record");
        match record.kind {
            Kind::Arg => program.arguments.push(text()?),
            Kind::Env => program.environment.push(text()?),
            Kind::File => place(stream, &record).map_err(|e| JailError { index, ..e })?,
            Kind::Link => {
                let target = if record.length <= PATH_BYTES as u64 { reader.data(&record) } else { Err(bad_path()) };
                link(&record, &target.on(Step::Unpack, "link")?).map_err(|e| JailError { index, ..e })?;
            }
            // For init, when it collects.
            Kind::Collect | Kind::Glob | Kind::Except | Kind::Caps => {}
            Kind::Skipped | Kind::Head | Kind::More | Kind::End => {}
        }
    }
    Ok(program)
}

/// Writes one file. Nothing is followed and nothing overwritten.
fn place(stream: &File, record: &Record) -> Result<(), JailError> {
    let shown = || String::from_utf8_lossy(&record.name).into_owned();
    let (folder, name) = make_way(&record.name)?;
    let mode = if record.executable { 0o755 } else { 0o644 };
    let create = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = openat(&folder, name.as_c_str(), create, Mode::from_bits_truncate(mode)).on(Step::Unpack, shown())?;
    copy(stream, record, &mut File::from(fd)).on(Step::Unpack, shown())
}

/// Makes one symbolic link. It is the program's own: nobody here or in init ever follows it. What is there already stays.
fn link(record: &Record, target: &[u8]) -> Result<(), JailError> {
    let (folder, name) = make_way(&record.name)?;
    match symlinkat(OsStr::from_bytes(target), &folder, name.as_c_str()) {
        Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
        Err(e) => Err(e).on(Step::Unpack, String::from_utf8_lossy(&record.name)),
    }
}

fn bad_path() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a plain relative path")
}

/// Opens the folder of a path in the work directory, making the folders on the way; and the name in it.
fn make_way(path: &[u8]) -> Result<(OwnedFd, CString), JailError> {
    let shown = || String::from_utf8_lossy(path).into_owned();
    let mut components = relative_components(path).ok_or_else(bad_path).on(Step::Unpack, shown())?;
    let name = components.pop().ok_or_else(bad_path).on(Step::Unpack, shown())?;
    let open_folder = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at = openat(nix::fcntl::AT_FDCWD, c".", open_folder, Mode::empty()).on(Step::Unpack, shown())?;
    for folder in &components {
        match mkdirat(&at, folder.as_c_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(e) => return Err(e).on(Step::Unpack, shown()),
        }
        at = openat(&at, folder.as_c_str(), open_folder, Mode::empty()).on(Step::Unpack, shown())?;
    }
    Ok((at, name))
}

fn copy(stream: &File, record: &Record, to: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; usize::try_from(record.length).unwrap_or(usize::MAX).min(256 << 10)];
    let (mut at, end) = (record.offset, record.offset + record.length);
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let got = stream.read_at(&mut buffer[..want], at)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&buffer[..got])?;
        at += got as u64;
    }
    Ok(())
}
