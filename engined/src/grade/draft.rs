//! A batch before it is sent: the request, with the data of its tests still in their files, and what its author expects.

use std::path::PathBuf;

use api_spec::{BatchRequest, Caps, Input, Sha256};

/// How much a program may hold is the server's to say.
pub(super) const CAPS: Caps = Caps { files: usize::MAX, file_bytes: usize::MAX, words_bytes: usize::MAX };

/// What is to be judged.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The request. `stdin` and `expected` of its tests are empty: they stand in `data`.
    pub request: BatchRequest,
    /// The data of each test.
    pub data: Vec<TestData>,
    /// The verdict that each submission should get, where one is known.
    pub expected: Vec<Option<String>>,
}

/// The data of one test.
#[derive(Clone, Debug)]
pub struct TestData {
    /// What the program reads.
    pub stdin: Data,
    /// What it should write.
    pub expected: Option<Data>,
}

/// Bytes, wherever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A file of so many bytes.
    File {
        /// Where.
        path: PathBuf,
        /// How many.
        bytes: u64,
    },
    /// In memory.
    Bytes(Vec<u8>),
    /// At the server already.
    Blob(Sha256),
}

impl Data {
    /// How many bytes would stand in the request.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Data::File { bytes, .. } => *bytes,
            Data::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Data::Blob(_) => 0,
        }
    }

    /// Whether nothing would.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Input> for Data {
    fn from(input: Input) -> Self {
        match input {
            Input::Content(content) => Data::Bytes(content.into_bytes()),
            Input::Blob(hash) => Data::Blob(hash),
        }
    }
}

impl Draft {
    /// Of a batch as the API has it.
    ///
    /// # Errors
    /// The file, the line, what is wrong there.
    pub fn read(file: &std::path::Path) -> Result<Draft, String> {
        let shown = file.display();
        let text = std::fs::read(file).map_err(|error| format!("{shown}: can't be read: {error}"))?;
        let mut request = BatchRequest::from_json(&text, &CAPS).map_err(|problem| {
            let at = problem.field.as_ref().map(|field| format!(" (at {field})")).unwrap_or_default();
            format!("{shown}: {problem}{at}")
        })?;
        let take = |test: &mut api_spec::TestRequest| TestData {
            stdin: std::mem::take(&mut test.stdin).into(),
            expected: test.expected.take().map(Data::from),
        };
        let data = request.tests.iter_mut().map(take).collect();
        let expected = request.submissions.iter().map(|_| None).collect();
        Ok(Draft { request, data, expected })
    }
}
