//! What comes out of a sandbox beside its streams: the compiled program, and the files that a request asks for.
//!
//! Init writes it into a pipe when the program is over, and we read while the run lasts, up to a cap: an artifact into a
//! memfd of our own, as the next sandbox wants it, outputs into memory. It is read as hostile (`jail::records`).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use api_spec::{OutputFile, OutputSkipped, PathName};
use jail::records::collection::{Collection, MOST_IN_FOLDER, Most};
use jail::records::{self, RecordReader};
use jail::spec::Collected;
use tokio::net::unix::pipe::Receiver;

use crate::budget::{Exhausted, Reservation};
use crate::job::Outputs;

const READ: usize = 64 << 10;

/// Our end of a collection.
#[derive(Debug)]
pub struct Collector {
    pipe: Receiver,
    most: Most,
    left: u64,
    /// How much came, kept or not.
    came: u64,
    kept: Kept,
    /// Why the rest could not be kept.
    exhausted: Option<Exhausted>,
    /// More came than there can be, or not to the end.
    broken: bool,
}

#[derive(Debug)]
enum Kept {
    Bytes(Vec<u8>),
    Memfd(Artifact),
}

/// A compiled program, sealed, with what it takes of the engine's memory: the pages of a memory file are ours for as long
/// as anybody holds it.
#[derive(Debug)]
pub struct Artifact {
    /// As the next sandbox wants it.
    pub file: File,
    /// Its bytes.
    pub memory: Reservation,
}

/// The files of a run, as they stand in its result.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Those that came.
    pub files: Vec<OutputFile>,
    /// Those that did not, with the reason.
    pub skipped: Vec<OutputSkipped>,
    /// How many more did not.
    pub omitted: u64,
}

impl Collector {
    /// For a compiled program of at most so many bytes, which are taken from the budget of `memory` as they come. The
    /// descriptor is the sandbox's end.
    ///
    /// # Errors
    /// That of making a pipe or a memfd.
    pub fn of_artifact(bytes: u64, memory: Reservation) -> io::Result<(Self, OwnedFd)> {
        let kept = Kept::Memfd(Artifact { file: records::empty_memfd()?.into(), memory });
        Self::new(kept, Most { files: MOST_IN_FOLDER, bytes })
    }

    /// For the files that a request asks for. The descriptor is the sandbox's end.
    ///
    /// # Errors
    /// That of making a pipe.
    pub fn of_outputs(outputs: &Outputs) -> io::Result<(Self, OwnedFd)> {
        let files = usize::try_from(outputs.caps.files).unwrap_or(usize::MAX);
        Self::new(Kept::Bytes(Vec::new()), Most { files, bytes: outputs.caps.total_bytes })
    }

    fn new(kept: Kept, most: Most) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = io::pipe()?;
        let pipe = Receiver::from_owned_fd(ours.into())?;
        Ok((
            Collector { pipe, most, left: most.stream_bytes(), came: 0, kept, exhausted: None, broken: true },
            theirs.into(),
        ))
    }

    /// Reads until the sandbox has closed its end. Nothing is ever left in the pipe, so that init never waits for us.
    ///
    /// # Errors
    /// That of reading, or of writing a memfd.
    pub async fn read(&mut self) -> io::Result<()> {
        let mut chunk = vec![0; READ];
        loop {
            self.pipe.readable().await?;
            match self.pipe.try_read(&mut chunk) {
                Ok(0) => {
                    self.broken = self.left == 0;
                    return Ok(());
                }
                Ok(read) => self.keep(&chunk[..read])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left -= fits as u64;
        self.came = self.came.saturating_add(bytes.len() as u64);
        match &mut self.kept {
            Kept::Bytes(kept) => kept.extend_from_slice(&bytes[..fits]),
            Kept::Memfd(_) if self.exhausted.is_some() => {}
            Kept::Memfd(Artifact { file, memory }) => match memory.grow(fits as u64) {
                Ok(()) => file.write_all(&bytes[..fits])?,
                Err(exhausted) => self.exhausted = Some(exhausted),
            },
        }
        Ok(())
    }

    /// The compiled program in a sealed memfd: the one file `name`, or the files below the folder `name`. Else why there is
    /// none, where there is more to say than that.
    ///
    /// # Errors
    /// That of sealing or reading a memfd, or [`Exhausted`], wrapped, where the budget had no room for it.
    pub fn artifact(self, name: &str, collected: Collected) -> io::Result<Result<Artifact, Option<String>>> {
        if let Some(exhausted) = self.exhausted {
            return Err(io::Error::other(exhausted));
        }
        let Kept::Memfd(Artifact { file, memory }) = self.kept else { return Ok(Err(None)) };
        // Sealed before it is checked: nobody can change it in between.
        records::seal(file.as_fd())?;
        let found = Collection::read(RecordReader::new(&file)?, &self.most);
        if let Some(odd) = found.skipped.first() {
            if odd.path == name.as_bytes() && odd.reason == "not found" {
                return Ok(Err(None));
            }
            let path = String::from_utf8_lossy(&odd.path).into_owned();
            return Ok(Err(Some(format!(
                "The compiled program can't be taken: {path} is passed over ({}).",
                odd.reason
            ))));
        }
        // Its files with their names: nobody has looked at more of it than there may be.
        let (came, most) = (self.came, self.most.bytes);
        if came > self.most.stream_bytes()
            || (came > most && found.broken.is_some() && collected == Collected::Complete)
        {
            return Ok(Err(Some(format!(
                "The compiled program is too large: {came} bytes, where at most {most} are allowed (engine.artifact_bytes). \
                 Make it smaller, or have the operator raise the limit."
            ))));
        }
        if self.broken || collected != Collected::Complete || !found.is_whole() {
            let why =
                "The compiled program could not be brought out of its sandbox: it is too large, or has too many files.";
            return Ok(Err(Some(why.to_owned())));
        }
        let below = |path: &[u8]| path.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
        let is_it = match found.files.as_slice() {
            [one] if one.path == name.as_bytes() => true,
            files => !files.is_empty() && files.iter().all(|file| below(&file.path)),
        };
        Ok(if is_it { Ok(Artifact { file, memory }) } else { Err(None) })
    }

    /// The files that came, for a result.
    #[must_use]
    pub fn outputs(self, globs: &[String], collected: Collected) -> Brought {
        let Kept::Bytes(bytes) = self.kept else { return Brought::default() };
        if collected == Collected::None {
            return Brought::default();
        }
        let found = Collection::read(RecordReader::of(&bytes), &self.most);
        if let Some(why) = &found.broken {
            tracing::warn!(%why, "a collection is not whole");
        }
        let kept = |offset: u64, length: u64| {
            let at = usize::try_from(offset).ok()?;
            bytes.get(at..at.checked_add(usize::try_from(length).ok()?)?)
        };
        let file = |file: records::collection::CollectedFile| {
            OutputFile::new(file.path, kept(file.offset, file.kept).unwrap_or_default(), file.length)
        };
        let skipped = |path: Vec<u8>, reason: String| OutputSkipped { path: PathName::new(path), reason };
        let mut brought = Brought {
            files: found.files.into_iter().map(file).collect(),
            skipped: found.skipped.into_iter().map(|passed| skipped(passed.path, passed.reason)).collect(),
            omitted: found.more,
        };
        if self.broken || collected == Collected::Cut || found.broken.is_some() {
            let why = "cut short: there was more than could be looked through or brought back in time";
            brought.skipped.extend(globs.iter().map(|glob| skipped(glob.clone().into_bytes(), why.to_owned())));
        }
        brought
    }
}

#[cfg(test)]
mod tests {
    use jail::records::{Caps, Kind, RecordWriter};

    use super::*;
    use crate::budget::Budget;

    type Records<'a> = &'a [(Kind, &'a str, &'a [u8])];

    async fn fill(mut collector: Collector, theirs: OwnedFd, records: Records<'_>, end: bool) -> Collector {
        let mut writer = RecordWriter::over(theirs);
        for (kind, name, data) in records {
            writer.put(*kind, true, name.as_bytes(), data).unwrap();
        }
        if end {
            drop(writer.end().unwrap());
        } else {
            drop(writer);
        }
        collector.read().await.unwrap();
        collector
    }

    async fn artifact(records: Records<'_>, end: bool, collected: Collected) -> Result<(), Option<String>> {
        let (collector, theirs) = Collector::of_artifact(100, Budget::new(8 << 20).nothing()).unwrap();
        let made = fill(collector, theirs, records, end).await.artifact("made", collected).unwrap();
        made.map(|made| assert!(records::is_sealed(made.file.as_fd()) && made.memory.bytes() > 0))
    }

    #[tokio::test]
    async fn an_artifact_is_a_file_or_a_folder_and_nothing_else() {
        const WHOLE: Collected = Collected::Complete;
        let file = |name| (Kind::File, name, b"x".as_slice());
        artifact(&[file("made")], true, WHOLE).await.unwrap();
        artifact(&[file("made/a"), file("made/b/c")], true, WHOLE).await.unwrap();
        let silent: [Records<'_>; 5] = [
            &[],
            &[file("other")],
            &[file("made"), file("made/a")],
            &[file("made/a"), file("madeup")],
            &[(Kind::Skipped, "made", b"not found")],
        ];
        for records in silent {
            assert_eq!(artifact(records, true, WHOLE).await, Err(None), "{records:?}");
        }
        let odd = artifact(&[file("made/a"), (Kind::Skipped, "made/l", b"a symbolic link")], true, WHOLE).await;
        let why = "The compiled program can't be taken: made/l is passed over (a symbolic link).";
        assert_eq!(odd, Err(Some(why.to_owned())));
        let head = [200_u64.to_le_bytes().as_slice(), b"x"].concat();
        let more = 1_u64.to_le_bytes();
        let incomplete: [Records<'_>; 4] = [
            &[(Kind::Head, "made", &head)],
            &[file("made/a"), (Kind::More, "", &more)],
            &[(Kind::File, "made", &[0; 101])],
            &[(Kind::Arg, "made", b"")],
        ];
        for records in incomplete {
            assert!(matches!(artifact(records, true, WHOLE).await, Err(Some(_))), "{records:?}");
        }
        assert!(matches!(artifact(&[file("made")], false, WHOLE).await, Err(Some(_))));
        assert!(matches!(artifact(&[file("made")], true, Collected::Cut).await, Err(Some(_))));
        let flood = vec![0; 5 << 20];
        let large = artifact(&[(Kind::File, "made", &flood[..1000])], true, WHOLE).await.unwrap_err().unwrap();
        assert!(
            large.starts_with("The compiled program is too large: 10") && large.contains("at most 100 "),
            "{large}"
        );
    }

    #[tokio::test]
    async fn an_artifact_is_counted_as_it_comes_and_may_be_refused() {
        let budget = Budget::new(1000);
        let (collector, theirs) = Collector::of_artifact(5000, budget.nothing()).unwrap();
        let records: Records<'_> = &[(Kind::File, "made", &[0; 2000])];
        let refused = fill(collector, theirs, records, true).await.artifact("made", Collected::Complete).unwrap_err();
        assert!(Exhausted::of(&refused).is_some_and(|why| why.limit == 1000), "{refused}");
        assert_eq!(budget.used(), 0);
        let (collector, theirs) = Collector::of_artifact(5000, budget.nothing()).unwrap();
        let collector = fill(collector, theirs, &[(Kind::File, "made", &[0; 500])], true).await;
        let made = collector.artifact("made", Collected::Complete).unwrap().unwrap();
        assert_eq!(budget.used(), made.file.metadata().unwrap().len());
        drop(made);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn outputs_stand_in_the_result() {
        let caps = Caps { files: 2, file_bytes: 100, total_bytes: 100 };
        let outputs = Outputs { globs: vec!["**".into()], caps };
        let head = [7_u64.to_le_bytes().as_slice(), b"head"].concat();
        let three = 3_u64.to_le_bytes();
        let records: Records<'_> = &[
            (Kind::File, "a", b"\xff\xfe"),
            (Kind::Head, "b", &head),
            (Kind::Skipped, "fifo", b"not a regular file"),
            (Kind::More, "", &three),
        ];
        let (collector, theirs) = Collector::of_outputs(&outputs).unwrap();
        let brought = fill(collector, theirs, records, true).await.outputs(&outputs.globs, Collected::Complete);
        assert_eq!(
            brought.files,
            [OutputFile::new(b"a".to_vec(), b"\xff\xfe", 2), OutputFile::new(b"b".to_vec(), b"head", 7)]
        );
        assert!(brought.files[1].truncated && brought.files[0].base64 == "//4=");
        assert_eq!((brought.skipped.len(), brought.omitted), (1, 3));

        // What came whole stays, and the globs say that there may be more.
        let (collector, theirs) = Collector::of_outputs(&outputs).unwrap();
        let brought = fill(collector, theirs, &records[..1], false).await.outputs(&outputs.globs, Collected::Cut);
        assert_eq!((brought.files.len(), brought.skipped[0].path.as_str()), (1, "**"));
        assert!(brought.skipped[0].reason.starts_with("cut short"));
        let (collector, theirs) = Collector::of_outputs(&outputs).unwrap();
        let brought = fill(collector, theirs, &[], false).await.outputs(&outputs.globs, Collected::None);
        assert_eq!(brought, Brought::default());
    }

    #[tokio::test]
    async fn a_flood_is_read_and_dropped() {
        let outputs = Outputs { globs: vec!["*".into()], ..Outputs::default() };
        let (mut collector, theirs) = Collector::of_outputs(&outputs).unwrap();
        let writer = tokio::task::spawn_blocking(move || {
            let mut pipe = File::from(theirs);
            for _ in 0..64 {
                pipe.write_all(&vec![b'x'; 1 << 20]).unwrap();
            }
        });
        collector.read().await.unwrap();
        writer.await.unwrap();
        assert!(collector.broken && matches!(&collector.kept, Kept::Bytes(kept) if kept.len() < 18 << 20));
        let brought = collector.outputs(&outputs.globs, Collected::Complete);
        assert!(brought.files.is_empty() && brought.skipped.len() == 1);
    }
}
