//! An answer that is made while it is sent: by a task that makes the next piece when there is a place for it. So a reader
//! that is slow has three pieces at the most, however much there is to come: the end of one is with the socket, the next
//! is handed on, and one waits.

use std::fmt;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc;

use super::answer::{Answer, Bytesful};

/// Why an answer that had begun did not end. It is told by the connection, which breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rest of the answer could not be made")
    }
}

impl std::error::Error for Broken {}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// More of it.
    Piece(Bytesful),
    /// No more: it is whole.
    End,
}

/// Where the pieces of an answer come from. Who makes them goes without [`Next::End`]: it is broken.
#[derive(Debug)]
pub struct Pieces {
    from: mpsc::Receiver<Next>,
    /// How long all of them are, where that is known.
    length: Option<u64>,
}

impl Pieces {
    /// The next one.
    pub(super) fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Next>> {
        self.from.poll_recv(cx)
    }

    /// How long all of them are, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }
}

/// Sends pieces, until the reader goes or all are sent.
#[derive(Debug)]
pub struct Maker(mpsc::Sender<Next>);

/// The reader has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Where the next piece goes.
#[derive(Debug)]
pub struct Place<'m>(mpsc::Permit<'m, Next>);

impl Place<'_> {
    /// Hands on a piece.
    pub fn take(self, piece: Bytesful) {
        self.0.send(Next::Piece(piece));
    }
}

impl Maker {
    /// Waits for a place. Nothing is made before there is one: what waited for it would be in memory, too.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub async fn place(&self) -> Result<Place<'_>, Gone> {
        self.0.reserve().await.map(Place).map_err(|_| Gone)
    }

    /// That was all.
    pub async fn end(self) {
        // Whoever has gone needs no end.
        self.0.send(Next::End).await.unwrap_or_default();
    }

    /// Returns when nobody reads any more.
    pub async fn gone(&self) {
        self.0.closed().await;
    }
}

/// A 200 of `content_type` that will be made piece by piece, and who makes it. `length`: of all pieces, where it is known.
#[must_use]
pub fn answer(content_type: &'static str, length: Option<u64>) -> (Answer, Maker) {
    let (to, from) = mpsc::channel(1);
    let mut answer = Answer::new(Bytesful { pieces: Some(Pieces { from, length }), ..Bytesful::default() });
    *answer.status_mut() = StatusCode::OK;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    (answer, Maker(to))
}
