//! Files that a program leaves for its caller. Whoever talks to jaild is another user by then, so they travel back to
//! the caller's own process through a pipe, which writes them: below one folder, component by component, following nothing.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread::JoinHandle;

use api_spec::{OutputFile, OutputSkipped};
use jail::records::relative_components;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, FdFlag, OFlag, fcntl, openat};
use nix::sys::stat::{Mode, mkdirat};
use serde::{Deserialize, Serialize};

/// More than any configuration lets through, in base64 and JSON.
const MOST_BYTES: u64 = 256 << 20;

/// What travels.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Brought {
    files: Vec<OutputFile>,
    skipped: Vec<OutputSkipped>,
    omitted: u64,
}

/// The caller's end.
pub struct Receiving {
    reader: JoinHandle<io::Result<Vec<u8>>>,
}

/// Opens the way back. The number is that of the descriptor which the next child inherits; drop it after that.
///
/// # Errors
/// That of `pipe` or `fcntl`.
pub fn way_back() -> io::Result<(Receiving, OwnedFd, i32)> {
    let (ours, theirs) = io::pipe()?;
    let theirs = OwnedFd::from(theirs);
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let number = theirs.as_raw_fd();
    let reader = std::thread::spawn(move || drain(ours));
    Ok((Receiving { reader }, theirs, number))
}

fn drain(pipe: PipeReader) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The talking part's end. By its name, before it becomes somebody who may not open it.
///
/// # Errors
/// The descriptor was not inherited.
pub fn sending(number: i32) -> io::Result<File> {
    File::options().write(true).open(format!("/proc/self/fd/{number}"))
}

/// Sends all of it.
///
/// # Errors
/// The caller is gone.
pub fn send(mut to: File, files: &[OutputFile], skipped: &[OutputSkipped], omitted: u64) -> io::Result<()> {
    let brought = Brought { files: files.to_vec(), skipped: skipped.to_vec(), omitted };
    to.write_all(&serde_json::to_vec(&brought)?)
}

impl Receiving {
    /// Waits for the files and puts them into `folder`, which is made where it does not exist. Tells what came, what did
    /// not, and what could not be written.
    ///
    /// # Errors
    /// Nothing can be read.
    pub fn write(self, folder: &Path) -> Result<(), String> {
        let told = |error: io::Error| format!("{}: {error}", folder.display());
        let bytes = self.reader.join().map_err(|_| "the files are lost".to_owned())?.map_err(told)?;
        if bytes.is_empty() {
            // The program never ran.
            return Ok(());
        }
        let brought: Brought =
            serde_json::from_slice(&bytes).map_err(|error| format!("the files are lost: {error}"))?;
        let odd = |what: &str, error: &dyn std::fmt::Display| format!("{}: {error}", what.escape_debug());
        for file in &brought.files {
            let path = file.path.to_bytes().map_err(|error| odd(file.path.as_str(), &error))?;
            let shown = format!("{}/{}", folder.display(), String::from_utf8_lossy(&path).escape_debug());
            let content = file.to_bytes().map_err(|error| odd(&shown, &error))?;
            if let Err(error) = put(folder, &path, &content) {
                complain!("engined: {shown} can't be written: {error}");
                continue;
            }
            let cut = if file.truncated { format!("the first {} of ", content.len()) } else { String::new() };
            complain!("engined: {shown}, {cut}{} bytes", file.bytes);
        }
        for skipped in &brought.skipped {
            let path = skipped.path.to_bytes().map_err(|error| odd(skipped.path.as_str(), &error))?;
            let path = String::from_utf8_lossy(&path);
            complain!("engined: {} is not brought back: {}", path.escape_debug(), skipped.reason);
        }
        if brought.omitted > 0 {
            complain!("engined: {} more files are not brought back", brought.omitted);
        }
        Ok(())
    }
}

/// Writes one file below `folder`. No link is followed on the way: what stands there may be an earlier program's.
fn put(folder: &Path, path: &[u8], content: &[u8]) -> io::Result<()> {
    let odd = || io::Error::new(io::ErrorKind::InvalidInput, "not a plain relative path");
    let components = relative_components(path).ok_or_else(odd)?;
    let (name, folders) = components.split_last().ok_or_else(odd)?;
    std::fs::create_dir_all(folder)?;
    let through = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let mut at = openat(AT_FDCWD, folder, through, Mode::empty())?;
    for part in folders {
        match mkdirat(&at, part.as_c_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        at = openat(&at, part.as_c_str(), through | OFlag::O_NOFOLLOW, Mode::empty())?;
    }
    let write =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = openat(&at, name.as_c_str(), write, Mode::from_bits_truncate(0o644))?;
    File::from(file).write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_land_below_their_folder_and_nowhere_else() {
        let folder = std::env::temp_dir().join(format!("engined-files-{}", std::process::id()));
        put(&folder, b"a/b.txt", b"one").unwrap();
        put(&folder, b"a/b.txt", b"2").unwrap();
        assert_eq!(std::fs::read(folder.join("a/b.txt")).unwrap(), b"2");
        std::os::unix::fs::symlink("/", folder.join("root")).unwrap();
        std::os::unix::fs::symlink(folder.join("a/b.txt"), folder.join("link")).unwrap();
        for bad in [&b"../x"[..], b"/x", b"root/x", b"link", b"a", b""] {
            assert!(put(&folder, bad, b"x").is_err(), "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!(std::fs::read(folder.join("a/b.txt")).unwrap(), b"2");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
