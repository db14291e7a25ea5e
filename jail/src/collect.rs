//! Brings files out of a sandbox: in init, once every other process of the sandbox is dead.
//!
//! The tree below `/box` is the program's work and may be anything. So each path is opened beneath `/box`, component
//! by component, without following a link and without blocking on a FIFO; what is not a regular file with one name is
//! passed over, with the reason; caps on bytes end the work, and the broker ends it when it takes too long.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;

use crate::records::{Kind, RecordReader, RecordWriter, relative_components};
use crate::spec::Collected;

/// Collects what `bundle` asks for into `stream`, at most `most` bytes of content.
pub(crate) fn collect(stream: OwnedFd, bundle: OwnedFd, most: u64) -> Collected {
    match collect_into(RecordWriter::over(stream), &File::from(bundle), most) {
        Ok(()) => Collected::Complete,
        // The reader at the other end finds a stream without its last record, which it refuses.
        Err(_) => Collected::Cut,
    }
}

/// How many paths may be asked for.
const MOST_PATHS: u32 = 1024;

fn collect_into(mut out: RecordWriter, bundle: &File, most: u64) -> io::Result<()> {
    let mut left = most;
    let mut reader = RecordReader::new(bundle)?;
    let mut asked = 0;
    while let Some(record) = reader.next_record()? {
        if record.kind != Kind::Collect {
            continue;
        }
        asked += 1;
        if asked > MOST_PATHS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match open_beneath(&record.name) {
            Ok((file, meta)) if meta.len() <= left => {
                left -= meta.len();
                copy(&mut out, &record.name, file, &meta)?;
            }
            Ok(_) => out.put(Kind::Skipped, false, &record.name, b"too large")?,
            Err(reason) => out.put(Kind::Skipped, false, &record.name, reason.as_bytes())?,
        }
    }
    out.end()?;
    Ok(())
}

fn open_beneath(path: &[u8]) -> Result<(File, std::fs::Metadata), &'static str> {
    let components = relative_components(path).ok_or("not a plain relative path")?;
    let (name, folders) = components.split_last().ok_or("not a plain relative path")?;
    let through = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at = openat(AT_FDCWD, c"/box", through, Mode::empty()).map_err(|_| "unreadable")?;
    for folder in folders {
        at = openat(&at, folder.as_c_str(), through, Mode::empty()).map_err(why)?;
    }
    let read = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = File::from(openat(&at, name.as_c_str(), read, Mode::empty()).map_err(why)?);
    let meta = file.metadata().map_err(|_| "unreadable")?;
    match (meta.is_file(), meta.nlink()) {
        (true, 1) => Ok((file, meta)),
        (true, _) => Err("more than one hard link"),
        (false, _) => Err("not a regular file"),
    }
}

fn why(e: nix::Error) -> &'static str {
    match e {
        nix::Error::ENOENT => "not found",
        nix::Error::ELOOP | nix::Error::ENOTDIR => "a symbolic link",
        nix::Error::ENXIO => "not a regular file",
        _ => "unreadable",
    }
}

/// Exactly as many bytes as the header says: nobody is left who could change the file meanwhile.
fn copy(out: &mut RecordWriter, name: &[u8], mut file: File, meta: &std::fs::Metadata) -> io::Result<()> {
    out.begin(Kind::File, meta.mode() & 0o111 != 0, name, meta.len())?;
    let mut buffer = vec![0; 256 << 10];
    let mut left = meta.len();
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let got = file.read(&mut buffer[..want])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.data(&buffer[..got])?;
        left -= got as u64;
    }
    Ok(())
}
