//! How long a line may be: the store keeps so much free for each result of a batch that it has accepted, so no line may have
//! more, whatever a program or a checker writes. What counts is the text as JSON has it, where a zero byte is six.

use std::collections::BTreeMap;

use api_spec::{CheckerTold, CompileTold, Difference, OutputEncoding, Reason, Stream};

/// What is told of what programs wrote, in one line: at most, and in a batch of very many results.
const MOST: u64 = 4 << 10;
const LEAST: u64 = 256;
/// What is told of what programs wrote, in all lines of a batch together.
const TOGETHER: u64 = 256 << 20;
/// A line without its ids and what programs wrote, and the note beside it: on the safe side.
const LINE: u64 = 1_536;
/// The points of so many groups are in the line of a submission without more room.
const GROUPS: usize = 32;
/// What those of a group take, of 25 bytes each and of the page that is begun for more of them.
const POINTS: u64 = 25 + 4_096 / 32;
/// The most that two ids have: of 128 bytes each may be two.
pub const IDS: usize = 512;
/// A stream that is cut, without its text.
const STREAM: usize = 256;
/// Of a checker's file is told so much at least, or all: else it is left out, and counted.
const OF_A_FILE: usize = 512;
/// Files of a checker that are told before others.
const FIRST: [&str; 4] = ["score.txt", "score_multiplier.txt", "judgemessage.txt", "teammessage.txt"];

/// How much is told of what programs wrote, in each line of a batch of so many results.
#[must_use]
pub fn told(results: u64) -> u64 {
    (TOGETHER / results.max(1)).clamp(LEAST, MOST)
}

/// The most that a line and its note have together. The line of a submission has the points of its groups as well: those of a
/// few stand where the line of a result has what it used; more are counted to the submission's results, as no group is without a
/// test.
#[must_use]
pub fn line(told: u64, ids: usize, groups: usize) -> u64 {
    let groups = if groups > GROUPS { POINTS } else { 0 };
    LINE.saturating_add(told).saturating_add(ids as u64).saturating_add(groups)
}

/// How long a text is in JSON, without its quotation marks.
#[must_use]
pub fn escaped(text: &str) -> usize {
    text.chars().map(of).sum()
}

fn of(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

/// What is left of a line.
pub struct Room(usize);

impl Room {
    /// For one line.
    #[must_use]
    pub fn of(told: u64) -> Self {
        Room(usize::try_from(told).unwrap_or(usize::MAX))
    }

    fn take(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }

    fn text(&mut self, text: &str) -> String {
        let text = head(text, self.0);
        self.take(escaped(text));
        text.to_owned()
    }

    /// A reason, whose message is cut where it is too long.
    pub fn reason(&mut self, reason: &Reason) -> Reason {
        Reason { message: self.text(&reason.message), ..reason.clone() }
    }

    fn difference(&mut self, difference: &Difference) -> Difference {
        let Difference { line, column, expected, found } = difference;
        let mut side = |side: &Option<String>| side.as_deref().map(|text| self.text(text));
        let (expected, found) = (side(expected), side(found));
        Difference { line: *line, column: *column, expected, found }
    }

    /// What a checker says, and both streams of the program. Those that are short are told whole, the others share the rest;
    /// of a checker's files those that find no room are left out.
    pub fn said(
        &mut self,
        checker: Option<&CheckerTold>,
        streams: Option<&[Stream; 2]>,
    ) -> (Option<CheckerTold>, Option<[Stream; 2]>) {
        let mut told = checker.map(|checker| CheckerTold {
            message: checker.message.as_deref().map(|text| self.text(text)),
            difference: checker.difference.as_ref().map(|difference| self.difference(difference)),
            exit_code: checker.exit_code,
            stderr: None,
            files: BTreeMap::new(),
            files_omitted: checker.files_omitted,
        });
        let (files, omitted) = self.files(checker);
        let of_checker = checker.and_then(|checker| checker.stderr.as_ref());
        let all: Vec<&Stream> =
            streams.into_iter().flatten().chain(of_checker).chain(files.iter().map(|(_, file)| *file)).collect();
        let mut cut = self.streams(&all).into_iter();
        let streams = streams.and_then(|_| Some([cut.next()?, cut.next()?]));
        if let Some(told) = &mut told {
            told.stderr = of_checker.and_then(|_| cut.next());
            told.files = files.into_iter().map(|(name, _)| name.to_owned()).zip(cut).collect();
            told.files_omitted = told.files_omitted.saturating_add(omitted);
        }
        (told, streams)
    }

    /// Which of a checker's files are told, and how many are left out.
    fn files<'a>(&mut self, checker: Option<&'a CheckerTold>) -> (Vec<(&'a str, &'a Stream)>, u64) {
        let all = checker.iter().flat_map(|checker| &checker.files);
        let mut all: Vec<(&str, &Stream)> = all.map(|(name, file)| (name.as_str(), file)).collect();
        all.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
        let (mut room, mut omitted) = (self.0, 0);
        all.retain(|(name, file)| {
            let cost = escaped(name) + STREAM;
            let least = cost + length(file).min(OF_A_FILE);
            let told = least <= room;
            if told {
                room -= least;
                self.take(cost);
            } else {
                omitted += 1;
            }
            told
        });
        (all, omitted)
    }

    /// What is told of a compile.
    pub fn compile(&mut self, compile: &CompileTold) -> CompileTold {
        let CompileTold { cached, reason, stdout, stderr } = compile;
        let reason = reason.as_ref().map(|reason| self.reason(reason));
        let mut cut = self.streams(&[stdout, stderr]).into_iter();
        let mut next = || cut.next().unwrap_or_else(|| Stream::empty(OutputEncoding::default()));
        CompileTold { cached: *cached, reason, stdout: next(), stderr: next() }
    }

    /// The shortest first, so that each has its part of what the shorter ones have left.
    fn streams(&mut self, streams: &[&Stream]) -> Vec<Stream> {
        let mut order: Vec<usize> = (0..streams.len()).collect();
        order.sort_by_key(|place| length(streams[*place]));
        let mut cut: Vec<Option<Stream>> = vec![None; streams.len()];
        for (before, place) in order.into_iter().enumerate() {
            let stream = shortened(streams[place], self.0 / (streams.len() - before));
            self.take(length(&stream));
            cut[place] = Some(stream);
        }
        cut.into_iter().flatten().collect()
    }
}

/// The longest head of a text that is so long in JSON.
fn head(text: &str, most: usize) -> &str {
    let mut length = 0;
    let end = text.char_indices().find(|(_, character)| {
        length += of(*character);
        length > most
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// What a stream takes of a line, as far as that is up to the program.
fn length(stream: &Stream) -> usize {
    let note = stream.note.as_deref().map_or(0, |note| note.len() + 10);
    note + match &stream.data {
        api_spec::Data::Text(text) => escaped(text),
        api_spec::Data::Base64(text) => text.len(),
    }
}

fn shortened(stream: &Stream, most: usize) -> Stream {
    if length(stream) <= most {
        return stream.clone();
    }
    // The note says how much is missing.
    let most = most.saturating_sub(STREAM);
    let mut short = match &stream.data {
        api_spec::Data::Text(text) => {
            Stream::new(head(text, most).as_bytes().to_vec(), stream.bytes, OutputEncoding::default())
        }
        // The head of what is no text may be text, and then longer.
        api_spec::Data::Base64(_) => {
            let mut kept = stream.to_bytes().unwrap_or_default();
            kept.truncate(most / 4 * 3);
            Stream::new(kept, stream.bytes, OutputEncoding::Base64)
        }
    };
    if most == 0 {
        short.note = None;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(bytes: Vec<u8>) -> Stream {
        let length = bytes.len() as u64;
        Stream::new(bytes, length, OutputEncoding::default())
    }

    #[test]
    fn short_streams_are_told_whole_and_long_ones_share_the_rest() {
        let streams = [stream(vec![0; 4_096]), stream(b"a warning".to_vec())];
        let (_, told) = Room::of(4_096).said(None, Some(&streams));
        let [zeros, warning] = told.unwrap();
        assert_eq!(warning, streams[1]);
        assert!(zeros.truncated && zeros.bytes == 4_096 && zeros.note.is_some());
        let kept = zeros.to_bytes().unwrap().len();
        assert!((550..700).contains(&kept), "{kept}: each is six bytes long");
        let (_, told) = Room::of(10).said(None, Some(&streams));
        assert_eq!(told.unwrap()[0].to_bytes().unwrap().len(), 0);
    }

    #[test]
    fn of_files_that_are_told_there_is_something_to_read_and_the_others_are_counted() {
        let mut files: BTreeMap<String, Stream> =
            (0..15).map(|n| (format!("a{n:02}"), stream(vec![b'x'; 1_000]))).collect();
        files.insert("judgemessage.txt".to_owned(), stream(b"why".to_vec()));
        let checker = CheckerTold { files, files_omitted: 3, ..CheckerTold::default() };
        let (told, _) =
            Room::of(4_096).said(Some(&checker), Some(&[stream(vec![b'y'; 4_096]), stream(vec![b'z'; 4_096])]));
        let told = told.unwrap();
        assert_eq!(told.files["judgemessage.txt"], checker.files["judgemessage.txt"]);
        assert_eq!(told.files_omitted, 3 + (16 - told.files.len()) as u64);
        assert!(told.files.len() >= 5, "{:?}", told.files);
        assert!(told.files.values().all(|file| length(file) > 100 || file.bytes == 3), "{:?}", told.files);
        let (told, _) = Room::of(256).said(Some(&checker), None);
        assert_eq!(told.map(|told| (told.files.len(), told.files_omitted)), Some((0, 19)));
    }

    #[test]
    fn what_is_no_text_stays_none() {
        let mut bytes = vec![1; 3_000];
        bytes.push(0xff);
        let short = shortened(&stream(bytes), 1_000);
        assert!(matches!(&short.data, api_spec::Data::Base64(text) if text.len() <= 1_000), "{short:?}");
    }

    #[test]
    fn a_batch_of_very_many_results_tells_less_of_each() {
        assert_eq!([told(0), told(1_000), told(100_000), told(1_000_000)], [4_096, 4_096, 2_684, 268]);
        assert_eq!(told(u64::MAX), 256);
    }
}
