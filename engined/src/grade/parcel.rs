//! A draft made ready to be sent: what is large becomes blobs, the rest the body of the request. The body names every
//! byte that is judged, so that its hash is a key by which a server knows that it has this batch already.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use api_spec::{BatchRequest, CheckerProgram, Content, Input, Sha256, SourceFile, SubmissionRequest};
use sha2::Digest;

use super::draft::{CAPS, Data, Draft, TestData};

/// Larger data of a test is sent as a blob.
const INLINE_BYTES: u64 = 64 << 10;
/// All data that stands in the request together; beyond it smaller data is sent as blobs too, down to none. Base64 and
/// escapes may add as much again, and a body may have 64 MiB.
const ALL_INLINE_BYTES: u64 = 16 << 20;
/// What is read of a file at a time.
const PIECE: usize = 256 << 10;

/// A batch that can be sent.
#[derive(Debug)]
pub struct Parcel {
    /// The request as it is sent.
    pub request: BatchRequest,
    /// The same as JSON.
    pub body: Vec<u8>,
    /// For `Idempotency-Key`.
    pub key: String,
    /// What must be at the server before.
    pub blobs: BTreeMap<Sha256, Data>,
    /// The verdict that each submission should get, where one is known.
    pub expected: Vec<Option<String>>,
}

/// Makes it ready. `again` is what makes the key another one, where the same batch is to be judged once more.
///
/// # Errors
/// A file can't be read.
pub fn pack(draft: Draft, again: Option<&str>) -> Result<Parcel, String> {
    let Draft { mut request, data, expected } = draft;
    let most = threshold(&data, sources(&request));
    let mut blobs = BTreeMap::new();
    for (test, data) in request.tests.iter_mut().zip(data) {
        test.stdin = place(data.stdin, most, &mut blobs)?;
        test.expected = data.expected.map(|data| place(data, most, &mut blobs)).transpose()?;
    }
    // Before an engine is started for it.
    request.check(&CAPS).map_err(|problem| {
        format!("the batch can't be sent: {problem}{}", place_of(&request, problem.field.as_deref()))
    })?;
    let body = serde_json::to_vec(&request).map_err(|error| format!("the batch can't be written as JSON: {error}"))?;
    let mut hash = sha2::Sha256::new();
    hash.update(&body);
    if let Some(again) = again {
        hash.update(again);
    }
    let key = format!("engined-batch-{}", Sha256(hash.finalize().into()).hex());
    Ok(Parcel { request, body, key, blobs, expected })
}

/// What a pointer into the request points at, by the caller's own name for it.
pub(super) fn place_of(request: &BatchRequest, field: Option<&str>) -> String {
    let Some(field) = field else { return String::new() };
    let mut parts = field.split('/').skip(1);
    let (list, at) = (parts.next(), parts.next().and_then(|at| at.parse::<usize>().ok()));
    let name = match (list, at) {
        (Some("tests"), Some(at)) => request.tests.get(at).map(|test| format!(": test {:?}", test.id)),
        (Some("submissions"), Some(at)) => request.submissions.get(at).map(|one| format!(": submission {:?}", one.id)),
        (Some("groups"), Some(at)) => request.groups.get(at).map(|group| format!(": group {:?}", group.id)),
        _ => None,
    };
    format!(" (at {field}{})", name.unwrap_or_default())
}

/// How large data may be that stands in the request.
fn threshold(data: &[TestData], sources: u64) -> u64 {
    let mut most = INLINE_BYTES;
    let all = || data.iter().flat_map(|test| std::iter::once(&test.stdin).chain(&test.expected));
    let room = ALL_INLINE_BYTES.saturating_sub(sources);
    while most > 0 && all().map(Data::len).filter(|bytes| *bytes <= most).sum::<u64>() > room {
        most /= 4;
    }
    most
}

/// How much of the request is programs.
fn sources(request: &BatchRequest) -> u64 {
    let bytes = |source: Option<&Content>, files: Option<&Vec<SourceFile>>| -> usize {
        source.map_or(0, Content::len) + files.into_iter().flatten().map(|file| file.content.len()).sum::<usize>()
    };
    let of = |SubmissionRequest { source, files, .. }: &SubmissionRequest| bytes(source.as_ref(), files.as_ref());
    let checker = request.checker.as_ref().and_then(|checker| checker.program.as_ref());
    let checker = checker
        .map_or(0, |CheckerProgram { source, files, .. }: &CheckerProgram| bytes(source.as_ref(), files.as_ref()));
    u64::try_from(request.submissions.iter().map(of).sum::<usize>() + checker).unwrap_or(u64::MAX)
}

fn place(data: Data, most: u64, blobs: &mut BTreeMap<Sha256, Data>) -> Result<Input, String> {
    if let Data::Blob(hash) = data {
        return Ok(Input::Blob(hash));
    }
    if data.len() <= most {
        return Ok(Input::Content(match data {
            Data::File { path, .. } => read(&path)?.into(),
            Data::Bytes(bytes) => bytes.into(),
            Data::Blob(_) => Content::default(),
        }));
    }
    let (hash, data) = match data {
        Data::File { path, .. } => {
            let (hash, bytes) = hashed(&path).map_err(|error| format!("{}: can't be read: {error}", path.display()))?;
            (hash, Data::File { path, bytes })
        }
        other => {
            let Data::Bytes(bytes) = &other else { return Ok(Input::default()) };
            (Sha256(sha2::Sha256::digest(bytes).into()), other)
        }
    };
    blobs.insert(hash, data);
    Ok(Input::Blob(hash))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: can't be read: {error}", path.display()))
}

/// The hash of a file and how long it was, a piece at a time.
fn hashed(path: &Path) -> io::Result<(Sha256, u64)> {
    let (mut file, mut hash, mut length) = (File::open(path)?, sha2::Sha256::new(), 0_u64);
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok((Sha256(hash.finalize().into()), length));
        }
        hash.update(&piece[..read]);
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_spec::TestRequest;

    fn draft(tests: Vec<TestData>) -> Draft {
        let request = BatchRequest {
            submissions: vec![SubmissionRequest {
                id: "a".to_owned(),
                language: "x".to_owned(),
                source: Some("y".into()),
                ..Default::default()
            }],
            tests: (0..tests.len()).map(|at| TestRequest { id: at.to_string(), ..Default::default() }).collect(),
            ..Default::default()
        };
        Draft { request, data: tests, expected: vec![None] }
    }

    fn bytes(length: usize, byte: u8) -> TestData {
        TestData { stdin: Data::Bytes(vec![byte; length]), expected: None }
    }

    #[test]
    fn large_data_is_a_blob_and_equal_data_one() {
        let parcel =
            pack(draft(vec![bytes(65_536, 1), bytes(65_537, 2), bytes(65_537, 2), bytes(0, 0)]), None).unwrap();
        assert_eq!(parcel.blobs.len(), 1);
        let stdin: Vec<&Input> = parcel.request.tests.iter().map(|test| &test.stdin).collect();
        assert!(matches!(stdin[..], [Input::Content(_), Input::Blob(a), Input::Blob(b), Input::Content(_)] if a == b));
    }

    #[test]
    fn much_small_data_is_blobs_too() {
        let tests: Vec<TestData> = (0..400).map(|_| bytes(60_000, 7)).chain([bytes(10, 8)]).collect();
        let parcel = pack(draft(tests), None).unwrap();
        assert_eq!(parcel.blobs.len(), 1);
        assert!(parcel.body.len() < 1 << 20, "{}", parcel.body.len());
        assert!(matches!(parcel.request.tests[400].stdin, Input::Content(_)));
    }

    #[test]
    fn the_key_is_that_of_the_content() {
        let key = |byte: u8, again: Option<&str>| pack(draft(vec![bytes(70_000, byte)]), again).unwrap().key;
        assert_eq!(key(1, None), key(1, None));
        assert_ne!(key(1, None), key(2, None));
        assert_ne!(key(1, None), key(1, Some("x")));
        assert_eq!(key(1, None).len(), "engined-batch-".len() + 64);
    }
}
