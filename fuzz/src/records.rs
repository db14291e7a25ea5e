//! The streams of records: the bundle that a sandbox is given, and the collection that comes out of it.

use std::fs::File;
use std::io::Write;

use engined::budget::Budget;
use engined::collection::Collector;
use engined::job::{OUTPUT_CAPS, Outputs};
use jail::fuzzing;
use jail::records::collection::{Collection, MOST_SKIPPED, Most};
use jail::records::{Caps, Kind, RecordReader, RecordWriter, empty_memfd, relative_components};
use jail::spec::Collected;
use tokio::runtime::{Builder, Runtime};

/// More than a pipe holds would need a second process.
const PIPE: usize = 48 << 10;

fn memfd(data: &[u8]) -> File {
    let mut file = empty_memfd().map_or_else(|error| panic!("no memfd: {error}"), File::from);
    file.write_all(data).unwrap_or_else(|error| panic!("no memory for a memfd: {error}"));
    file
}

/// What the payload unpacks and init reads its wishes from. A broken engined may have sealed anything.
pub fn bundle(data: &[u8]) {
    let file = memfd(data);
    let mut from_file = RecordReader::new(&file).unwrap_or_else(|error| panic!("{error}"));
    let mut from_bytes = RecordReader::of(data);
    let mut again = RecordWriter::new().unwrap_or_else(|error| panic!("no memfd: {error}"));
    loop {
        let (one, other) = (from_file.next_record(), from_bytes.next_record());
        assert_eq!(one.as_ref().ok(), other.as_ref().ok(), "a memfd and its bytes are read alike");
        let Ok(Some(record)) = one else {
            if matches!(one, Ok(None)) {
                // It was read to its end: so it is what a writer writes, byte for byte.
                let written = again.end().map_or_else(|error| panic!("{error}"), File::from);
                assert_eq!(contents(&written), data);
            }
            break;
        };
        assert!(record.offset + record.length <= data.len() as u64);
        let content = from_bytes.data(&record).unwrap_or_else(|error| panic!("{error}"));
        if record.kind == Kind::Caps {
            assert_eq!(Caps::decode(&content).map(|caps| caps.encode().to_vec()).is_some(), content.len() == 24);
        }
        if let Some(components) = relative_components(&record.name) {
            assert!(components.iter().all(|name| {
                let name = name.as_bytes();
                !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/')
            }));
        }
        if again.put(record.kind, record.executable, &record.name, &content).is_err() {
            break;
        }
    }
    // Whatever it says: no panic. What it wishes for is bounded by its own length.
    drop(fuzzing::wishes(&file));
}

fn contents(file: &File) -> Vec<u8> {
    let mut reader = Vec::new();
    let length = file.metadata().map_or(0, |meta| meta.len());
    reader.resize(usize::try_from(length).unwrap_or(0), 0);
    std::os::unix::fs::FileExt::read_exact_at(file, &mut reader, 0).unwrap_or_else(|error| panic!("{error}"));
    reader
}

/// What engined reads of what init says it has collected. The first bytes choose how much was asked for.
pub fn collection(data: &[u8]) {
    let Some((&[files, bytes, how], stream)) = data.split_first_chunk::<3>() else { return };
    let most = Most { files: usize::from(files), bytes: u64::from(bytes) * 16 };
    let read = Collection::read(RecordReader::of(stream), &most);
    checked(&read, stream, &most);
    if stream.len() > PIPE {
        return;
    }
    let collected = [Collected::None, Collected::Complete, Collected::Cut][usize::from(how % 3)];
    let caps = Caps { files: files.into(), total_bytes: u64::from(bytes) * 16, ..OUTPUT_CAPS };
    let globs = vec!["**".to_owned()];
    let outputs = Outputs { globs: globs.clone(), caps };
    let _entered = runtime().enter();
    let (collector, theirs) = Collector::of_outputs(&outputs).unwrap_or_else(|error| panic!("no pipe: {error}"));
    let brought = filled(collector, theirs, stream).outputs(&globs, collected);
    assert!(brought.files.len() <= usize::from(files) && brought.skipped.len() <= MOST_SKIPPED + globs.len());
    assert!(brought.files.iter().all(|file| file.to_bytes().is_ok()), "what is answered can be read");
    let (collector, theirs) = Collector::of_artifact(caps.total_bytes, Budget::new(u64::MAX).nothing())
        .unwrap_or_else(|error| panic!("{error}"));
    let made = filled(collector, theirs, stream).artifact("a.out", collected);
    if let Ok(Ok(artifact)) = made {
        let artifact = artifact.file;
        let reader = RecordReader::new(&artifact).unwrap_or_else(|error| panic!("{error}"));
        let read = Collection::read(reader, &Most { files: usize::MAX, bytes: caps.total_bytes });
        assert!(read.is_whole() && collected == Collected::Complete, "{read:?}");
        assert!(read.files.iter().all(|file| file.path.starts_with(b"a.out")));
    }
}

fn checked(read: &Collection, stream: &[u8], most: &Most) {
    assert!(read.files.len() <= most.files && read.skipped.len() <= MOST_SKIPPED);
    assert!(read.files.iter().map(|file| file.kept).sum::<u64>() <= most.bytes);
    for file in &read.files {
        assert!(relative_components(&file.path).is_some() && file.kept <= file.length);
        assert!(file.offset.checked_add(file.kept).is_some_and(|end| end <= stream.len() as u64));
    }
    if read.broken.is_none() {
        // A reader that keeps `stream_bytes` loses nothing of a stream that is right.
        assert!(stream.len() as u64 <= most.stream_bytes() + most.files as u64 * 8, "{} bytes", stream.len());
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_current_thread().enable_io().build().unwrap_or_else(|error| panic!("no runtime: {error}"))
    })
}

fn filled(mut collector: Collector, theirs: std::os::fd::OwnedFd, stream: &[u8]) -> Collector {
    let mut theirs = File::from(theirs);
    theirs.write_all(stream).unwrap_or_else(|error| panic!("the pipe is too small: {error}"));
    drop(theirs);
    runtime().block_on(collector.read()).unwrap_or_else(|error| panic!("not read: {error}"));
    collector
}
