//! Reads what a sandbox says that it collected. Init wrote it, and a payload may have taken init over: so every record is
//! a lie until it fits, and what fits is bounded.

use std::collections::BTreeSet;
use std::io;

use super::{Kind, PATH_BYTES, RecordReader, invalid, relative_components};

/// How many [`Kind::Skipped`] records a collection has at most; the rest is counted by [`Kind::More`].
pub const MOST_SKIPPED: usize = 64;
/// How many files a folder may hold that is collected as a whole.
pub const MOST_IN_FOLDER: usize = 4096;
/// The longest reason for which something was passed over.
const REASON_BYTES: u64 = 256;

/// The most that a collection may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Files.
    pub files: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Most {
    /// How long a stream can be that is within these bounds: what a reader has to keep.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        let record = super::HEADER_BYTES as u64 + PATH_BYTES as u64 + REASON_BYTES;
        let records = self.files as u64 + MOST_SKIPPED as u64 + 2;
        records.saturating_mul(record).saturating_add(self.bytes)
    }
}

/// A collection that was read.
#[derive(Debug, Default)]
pub struct Collection {
    /// The files, in the order of the stream.
    pub files: Vec<CollectedFile>,
    /// What was passed over, with the reason.
    pub skipped: Vec<PassedOver>,
    /// How many matches beside those were passed over.
    pub more: u64,
    /// Why nothing was read beyond what is here: the stream was cut short, or lies. `None` when all was read.
    pub broken: Option<io::Error>,
}

/// One file of a collection, its bytes still in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedFile {
    /// Its relative path, checked.
    pub path: Vec<u8>,
    /// It may be executed.
    pub executable: bool,
    /// Where in the stream its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub kept: u64,
    /// How long the file was: more than `kept` when it was cut.
    pub length: u64,
}

/// One path that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The path, or the glob that was asked for.
    pub path: Vec<u8>,
    /// Why.
    pub reason: String,
}

impl Collection {
    /// Reads a whole stream within `most`. Records that came whole before the first mistake are kept.
    #[must_use]
    pub fn read(mut reader: RecordReader<'_>, most: &Most) -> Self {
        let mut collection = Collection::default();
        collection.broken = collection.fill(&mut reader, most).err();
        collection
    }

    /// Whether everything is here that was asked for, and nothing was cut.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let cut = self.files.iter().any(|file| file.kept < file.length);
        self.broken.is_none() && self.skipped.is_empty() && self.more == 0 && !cut
    }

    fn fill(&mut self, reader: &mut RecordReader<'_>, most: &Most) -> io::Result<()> {
        let mut seen = BTreeSet::new();
        let mut room = most.bytes;
        while let Some(record) = reader.next_record()? {
            if self.more > 0 {
                return Err(invalid("a record after the count of what was passed over"));
            }
            match record.kind {
                Kind::File | Kind::Head => {
                    let mut file = CollectedFile {
                        path: record.name.clone(),
                        executable: record.executable,
                        offset: record.offset,
                        kept: record.length,
                        length: record.length,
                    };
                    if record.kind == Kind::Head {
                        file.length = reader.number(&record)?;
                        file.offset += 8;
                        file.kept -= 8;
                        if file.kept >= file.length {
                            return Err(invalid("the head of a file is longer than the file"));
                        }
                    }
                    room = room.checked_sub(file.kept).ok_or_else(|| invalid("more bytes than were asked for"))?;
                    if self.files.len() >= most.files {
                        return Err(invalid("more files than were asked for"));
                    }
                    if relative_components(&file.path).is_none() || !seen.insert(record.name) {
                        return Err(invalid("a path that is none, or comes twice"));
                    }
                    self.files.push(file);
                }
                Kind::Skipped => {
                    let is_path = (1..=PATH_BYTES).contains(&record.name.len()) && !record.name.contains(&0);
                    if !is_path || record.length > REASON_BYTES || self.skipped.len() >= MOST_SKIPPED {
                        return Err(invalid("something passed over that is none, or too many"));
                    }
                    let reason = String::from_utf8_lossy(&reader.data(&record)?).into_owned();
                    self.skipped.push(PassedOver { path: record.name, reason });
                }
                Kind::More => {
                    self.more = reader.number(&record)?;
                    if record.length != 8 || self.more == 0 || !record.name.is_empty() {
                        return Err(invalid("a count of nothing"));
                    }
                }
                _ => return Err(invalid("only files can be collected")),
            }
        }
        Ok(())
    }
}

impl RecordReader<'_> {
    /// The number at the beginning of a record's data.
    fn number(&self, record: &super::Record) -> io::Result<u64> {
        if record.length < 8 {
            return Err(invalid("a number that is cut short"));
        }
        let mut number = [0; 8];
        self.source.read_exact_at(&mut number, record.offset)?;
        Ok(u64::from_le_bytes(number))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::super::RecordWriter;
    use super::*;

    const MOST: Most = Most { files: 2, bytes: 100 };

    type Written<'a> = (Kind, &'a [u8], &'a [u8]);

    fn stream(records: &[Written<'_>]) -> Vec<u8> {
        let (mut read, write) = io::pipe().unwrap();
        let mut writer = RecordWriter::over(OwnedFd::from(write));
        for (kind, name, data) in records {
            writer.put(*kind, false, name, data).unwrap();
        }
        drop(writer.end().unwrap());
        let mut bytes = Vec::new();
        read.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn head(length: u64, head: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes(), head].concat()
    }

    #[test]
    fn what_was_collected_is_read() {
        let (long, five) = (head(1 << 40, b"abc"), 5_u64.to_le_bytes());
        let bytes = stream(&[
            (Kind::File, b"a/\xff\n", b"bytes"),
            (Kind::Head, b"long", &long),
            (Kind::Skipped, b"**/x", b"not found"),
            (Kind::More, b"", &five),
        ]);
        let read = Collection::read(RecordReader::of(&bytes), &MOST);
        assert!(read.broken.is_none() && !read.is_whole(), "{read:?}");
        assert_eq!((read.files[0].path.as_slice(), read.files[0].length), (b"a/\xff\n".as_slice(), 5));
        let at = usize::try_from(read.files[1].offset).unwrap();
        assert_eq!((&bytes[at..at + 3], read.files[1].kept, read.files[1].length), (b"abc".as_slice(), 3, 1 << 40));
        assert_eq!(read.skipped, [PassedOver { path: b"**/x".to_vec(), reason: "not found".into() }]);
        assert_eq!(read.more, 5);
        assert!(bytes.len() as u64 <= MOST.stream_bytes());
        assert!(Collection::read(RecordReader::of(&stream(&[(Kind::File, b"a", b"")])), &MOST).is_whole());
    }

    #[test]
    fn a_lie_is_an_error_and_what_came_before_stays() {
        let long_name = [b'a'; PATH_BYTES + 1];
        let (much, none, one) = ([0; 101], 0_u64.to_le_bytes(), 1_u64.to_le_bytes());
        let (not_longer, short) = (head(3, b"abc"), [0; 7]);
        let many = [(Kind::Skipped, b"a".as_slice(), b"".as_slice()); MOST_SKIPPED + 1];
        let lies: &[&[Written<'_>]] = &[
            &[(Kind::File, b"../a", b"")],
            &[(Kind::File, b"/a", b"")],
            &[(Kind::File, b"a\0", b"")],
            &[(Kind::File, b"", b"")],
            &[(Kind::File, b"good", b"")],
            &[(Kind::Head, b"a", &not_longer)],
            &[(Kind::Head, b"a", &short)],
            &[(Kind::File, b"a", &much)],
            &[(Kind::File, b"a", b""), (Kind::File, b"b", b"")],
            &[(Kind::Skipped, b"", b"")],
            &[(Kind::Skipped, &long_name, b"")],
            &[(Kind::Skipped, b"a\0b", b"")],
            &[(Kind::Skipped, b"a", &[b'x'; 257])],
            &many,
            &[(Kind::More, b"", &none)],
            &[(Kind::More, b"a", &one)],
            &[(Kind::More, b"", &short)],
            &[(Kind::More, b"", &much)],
            &[(Kind::More, b"", &one), (Kind::More, b"", &one)],
            &[(Kind::More, b"", &one), (Kind::File, b"a", b"")],
            &[(Kind::Arg, b"a", b"")],
            &[(Kind::Link, b"a", b"b")],
        ];
        for lie in lies {
            let bytes = stream(&[&[(Kind::File, b"good".as_slice(), b"".as_slice())], *lie].concat());
            let read = Collection::read(RecordReader::of(&bytes), &MOST);
            assert!(read.broken.is_some(), "{lie:?}");
            assert_eq!(read.files[0].path, b"good");
        }
    }

    #[test]
    fn a_stream_can_be_cut_anywhere() {
        let long = head(9, b"abc");
        let whole = stream(&[(Kind::File, b"a", b"bytes"), (Kind::Head, b"long", &long)]);
        for length in 0..whole.len() {
            let read = Collection::read(RecordReader::of(&whole[..length]), &MOST);
            assert!(read.broken.is_some(), "{length}");
        }
        let read = Collection::read(RecordReader::of(&[whole.as_slice(), b"x"].concat()), &MOST);
        assert!(read.broken.is_some() && read.files.len() == 2);
        assert!(
            Collection::read(RecordReader::new(&File::open("/dev/null").unwrap()).unwrap(), &MOST).broken.is_some()
        );
    }

    #[test]
    fn any_bytes_are_answered() {
        // A stream with every byte turned into every other: nothing may panic, whatever comes of it.
        let long = head(9, b"abc");
        let whole = stream(&[(Kind::File, b"a", b"b"), (Kind::Head, b"l", &long), (Kind::Skipped, b"s", b"r")]);
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let read = Collection::read(RecordReader::of(&bytes), &MOST);
                let end = bytes.len() as u64;
                assert!(read.files.iter().all(|file| file.offset + file.kept <= end), "byte {at} = {byte}");
            }
        }
    }
}
