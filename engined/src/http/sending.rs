//! An answer on its way: its bytes count against the engine's memory, and its request as under way, until the last of
//! them was written to the socket or is given up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use super::answer::{Bytesful, Held};
use super::stream::{Broken, Next, Pieces};
use super::wire::Busy;

/// So much is handed on at a time.
const PIECE: usize = 64 << 10;

/// The body of an answer as hyper takes it.
#[derive(Debug)]
pub struct Sending {
    bytes: Bytes,
    held: Arc<UnderWay>,
    /// What comes behind the bytes.
    pieces: Option<Pieces>,
}

#[derive(Debug)]
struct UnderWay {
    _memory: Held,
    request: Arc<Busy>,
}

impl Sending {
    /// The answer to `request`, whose time to be read begins now.
    #[must_use]
    pub fn new(answer: Bytesful, request: Busy) -> Self {
        request.answered(answer.pieces.is_some());
        let held = UnderWay { _memory: answer.memory, request: Arc::new(request) };
        Sending { bytes: answer.bytes, held: Arc::new(held), pieces: answer.pieces }
    }
}

impl Body for Sending {
    type Data = Piece;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, Broken>>> {
        while self.bytes.is_empty() {
            let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
            match ready!(pieces.poll(cx)) {
                Some(Next::Piece(Bytesful { bytes, memory, .. })) => {
                    let request = Arc::clone(&self.held.request);
                    self.held = Arc::new(UnderWay { _memory: memory, request });
                    self.bytes = bytes;
                }
                Some(Next::End) => self.pieces = None,
                None => {
                    self.pieces = None;
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
        }
        // hyper takes the next piece when it has room for it.
        let piece = self.bytes.len().min(PIECE);
        let bytes = self.bytes.split_to(piece);
        self.held.request.gave(piece);
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, held: Arc::clone(&self.held) }))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.pieces.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let more = self.pieces.as_ref().map_or(Some(0), Pieces::length);
        let here = self.bytes.len() as u64;
        more.map_or_else(SizeHint::default, |more| SizeHint::with_exact(here + more))
    }
}

/// A part of an answer. The smallest of them keeps the whole answer's bytes, so it keeps what counts them as well.
#[derive(Debug)]
pub struct Piece {
    bytes: Bytes,
    held: Arc<UnderWay>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.held.request.took(count);
    }
}
