//! An output that is kept on the disk until a program has looked at it: in a file that has no name, so that nothing is left of
//! it whenever it is given up, by a crash too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};

use crate::capture::{Take, Tap};

/// After so many bytes it is looked how much is still free.
const LOOK_AGAIN: usize = 8 << 20;

/// A file that is being filled. The [`Tap`] that comes with it is for the run's standard output.
pub struct Spool {
    file: Arc<File>,
}

impl Spool {
    /// An empty file in this folder, where the disk has room for so many bytes beside those that it leaves free for others.
    ///
    /// # Errors
    /// It has not ([`is_full`]), or the file can't be made.
    pub async fn begin(folder: PathBuf, leave: u64, bytes: u64) -> io::Result<(Spool, Tap)> {
        // A disk can be slow without end, and others wait for this thread.
        let begun = tokio::task::spawn_blocking(move || {
            room(&folder, leave.saturating_add(bytes))?;
            Spool::new(&folder, leave)
        });
        begun.await.map_err(io::Error::other)?
    }

    fn new(folder: &Path, leave: u64) -> io::Result<(Spool, Tap)> {
        let file = Arc::new(nameless(folder)?);
        let tap = Tap::elsewhere(Box::new(Fill { file: Arc::clone(&file), leave, unseen: 0 }));
        Ok((Spool { file }, tap))
    }

    /// The output is over, and this is its tap: what was written.
    ///
    /// # Errors
    /// That of writing it: the disk is full.
    pub async fn end(self, tap: Tap) -> io::Result<Arc<File>> {
        drop(tap.end().await?);
        Ok(self.file)
    }
}

/// Looks whether a disk has more free than `least`: a run whose output finds no room is run in vain.
fn room(folder: &Path, least: u64) -> io::Result<()> {
    enough(&statvfs(folder)?, least)
}

fn enough(found: &Statvfs, least: u64) -> io::Result<()> {
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    if free > least {
        return Ok(());
    }
    let why =
        format!("the disk has {free} bytes free, and {least} are wanted (health.disk_free_bytes, and the output)");
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

/// Whether a disk has no more room: that passes.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Writes what comes.
struct Fill {
    file: Arc<File>,
    leave: u64,
    /// Bytes since it was looked how much is free.
    unseen: usize,
}

impl Take for Fill {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unseen = self.unseen.saturating_add(bytes.len());
        if self.unseen >= LOOK_AGAIN {
            self.unseen = 0;
            // The store is on the same disk, and its results must have room whatever programs write.
            enough(&fstatvfs(&*self.file)?, self.leave)?;
        }
        (&*self.file).write_all(bytes)
    }
}

fn nameless(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.clone().custom_flags(libc::O_TMPFILE).open(folder) {
        // Not every file system has them.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => named(folder, &options),
        opened => opened,
    }
}

/// A name for as long as it takes to remove it.
fn named(folder: &Path, options: &OpenOptions) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let path = folder.join(format!("output-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        match options.clone().create_new(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            // Left by a crash in just this moment.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&path)?,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use tokio::sync::Notify;

    use super::*;
    use crate::capture::{Keep, Output, Over, pipes};
    use crate::job::Stdin;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("engined-spool-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[tokio::test]
    async fn an_output_is_kept_without_a_name() {
        let folder = Folder::new("kept");
        let (spool, mut tap) = Spool::new(&folder.0, 0).unwrap();
        let (ours, theirs) = pipes().unwrap();
        let program = tokio::task::spawn_blocking(move || {
            drop((theirs.stdin, theirs.stderr));
            let mut stdout = File::from(theirs.stdout);
            (0..100_u8).for_each(|n| stdout.write_all(&[n; 10_000]).unwrap());
        });
        let (mut streams, keep) = (Output::default(), Keep { head: 4, most: 1 << 30 });
        let (over, ended) = (Notify::new(), Over::default());
        ours.pump(&Stdin::default(), [keep; 2], Some(&mut tap), &mut streams, &over, &ended).await.unwrap();
        program.await.unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
        let file = spool.end(tap).await.unwrap();
        let mut last = [0; 10_000];
        file.read_exact_at(&mut last, 990_000).unwrap();
        assert!(file.metadata().unwrap().len() == 1_000_000 && last == [99; 10_000]);
    }

    /// The only thread that may wait has something else to do: whoever asks is not waited for.
    #[test]
    fn nobody_waits_for_the_disk_on_the_runtime() {
        let folder = Folder::new("begun");
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let (go, waits) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            let other = tokio::task::spawn_blocking(move || waits.recv().unwrap());
            let mut begun = std::pin::pin!(Spool::begin(folder.0.clone(), 0, 0));
            let first = std::future::poll_fn(|context| std::task::Poll::Ready(begun.as_mut().poll(context).is_ready()));
            assert!(!first.await);
            go.send(()).unwrap();
            other.await.unwrap();
            drop(begun.await.unwrap());
            let full = Spool::begin(folder.0.clone(), u64::MAX, 1).await.err().unwrap();
            assert!(is_full(&full), "{full}");
        });
    }

    #[test]
    fn a_full_disk_is_no_failure() {
        let folder = std::env::temp_dir();
        room(&folder, 0).unwrap();
        let full = room(&folder, u64::MAX).unwrap_err();
        assert!(is_full(&full) && full.to_string().contains("health.disk_free_bytes"), "{full}");
        for (errno, passes) in [(libc::ENOSPC, true), (libc::EDQUOT, true), (libc::EIO, false)] {
            assert_eq!(is_full(&io::Error::from_raw_os_error(errno)), passes);
        }
        assert!(!is_full(&room(Path::new("/none"), 0).unwrap_err()));
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(is_full(&Fill { file: Arc::new(full), leave: 0, unseen: 0 }.take(b"x").unwrap_err()));
    }

    #[test]
    fn others_keep_their_room() {
        let file = Arc::new(nameless(&std::env::temp_dir()).unwrap());
        let mut fill = Fill { file: Arc::clone(&file), leave: u64::MAX, unseen: 0 };
        let piece = vec![0; LOOK_AGAIN - 1];
        fill.take(&piece).unwrap();
        assert!(is_full(&fill.take(b"x").unwrap_err()));
        assert_eq!(file.metadata().unwrap().len(), piece.len() as u64);
    }

    #[test]
    fn a_file_system_without_nameless_files_does_as_well() {
        let folder = Folder::new("named");
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        fs::write(folder.0.join("output-0"), "left").unwrap();
        let mut file = named(&folder.0, &options).unwrap();
        file.write_all(b"x").unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
        assert!(nameless(&folder.0.join("none")).is_err());
    }
}
