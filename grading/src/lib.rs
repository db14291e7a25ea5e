//! What an output is worth. Nothing here runs a program or reads a file by name: bytes come in, an opinion goes out.
//!
//! * [`compare`]: an output against what is expected, as it comes, in bounded memory.
//! * [`protocol`]: how a checker program is called, and what its end means.
//! * [`score`]: from tests to the points and the verdict of a submission.
#![forbid(unsafe_code)]

use std::io::{self, Read};

pub mod compare;
pub mod protocol;
pub mod score;

/// Compares an output with what is expected, while it comes.
pub trait Compare: Send {
    /// The next bytes of the output. What was expected is read as far as they reach.
    ///
    /// # Errors
    /// That of reading what is expected.
    fn feed(&mut self, output: &[u8]) -> io::Result<()>;

    /// Whether it is wrong already, and no more of the output is needed to tell where. Whoever feeds may stop then.
    fn decided(&self) -> bool;

    /// The output is over.
    ///
    /// # Errors
    /// That of reading what is expected.
    fn finish(self: Box<Self>) -> io::Result<Opinion>;
}

/// What is expected, read as it is needed.
pub type Expected = Box<dyn Read + Send>;

/// Counts what a comparison holds besides its buffers, where that grows with what is expected.
pub trait Memory: Send {
    /// So many bytes are about to be held, instead of those before. `false`: there is no room for them, and it stays with those
    /// before.
    fn hold(&mut self, bytes: u64) -> bool;
}

/// At most so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct AtMost(pub u64);

impl Memory for AtMost {
    fn hold(&mut self, bytes: u64) -> bool {
        bytes <= self.0
    }
}

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
    /// Its line in the output, from 1 up. 0 where no place can be told.
    pub line: u64,
    /// Its column there, in bytes from 1 up. 0 where no place can be told.
    pub column: u64,
    /// What should stand there, cut short. `None` where nothing more was expected.
    pub expected: Option<Vec<u8>>,
    /// What stands there, cut short. `None` where the output is over.
    pub found: Option<Vec<u8>>,
    /// In words.
    pub message: String,
}
