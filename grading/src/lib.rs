//! What an output is worth. Nothing here runs a program or reads a file by name: bytes come in, an opinion goes out.
#![forbid(unsafe_code)]

use std::io::{self, Read};

/// Compares an output with what is expected, while it comes.
pub trait Compare: Send {
    /// The next bytes of the output. What was expected is read as far as they reach.
    ///
    /// # Errors
    /// That of reading what is expected.
    fn feed(&mut self, output: &[u8]) -> io::Result<()>;

    /// The output is over.
    ///
    /// # Errors
    /// That of reading what is expected.
    fn finish(self: Box<Self>) -> io::Result<Opinion>;
}

/// What is expected, read as it is needed.
pub type Expected = Box<dyn Read + Send>;

/// What a comparison comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// The output is right.
    Right,
    /// It differs, here at first.
    Wrong(Difference),
}

/// The first place where an output differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its line in the output, from 1 up.
    pub line: u64,
    /// Its column there, in bytes from 1 up.
    pub column: u64,
    /// What should stand there, cut short. `None` at the end of what was expected.
    pub expected: Option<Vec<u8>>,
    /// What stands there, cut short. `None` at the end of the output.
    pub found: Option<Vec<u8>>,
    /// In words.
    pub message: String,
}
