//! An answer on its way: its bytes count against the engine's memory, and its request as under way, until the last of
//! them was written to the socket or is given up.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use super::answer::{Bytesful, Held};
use super::wire::Busy;

/// So much is handed on at a time.
const PIECE: usize = 64 << 10;

/// The body of an answer as hyper takes it.
#[derive(Debug)]
pub struct Sending {
    bytes: Bytes,
    held: Arc<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    _memory: Held,
    request: Busy,
}

impl Sending {
    /// The answer to `request`, whose time to be read begins now.
    #[must_use]
    pub fn new(answer: Bytesful, request: Busy) -> Self {
        request.answered();
        Sending { bytes: answer.bytes, held: Arc::new(UnderWay { _memory: answer.memory, request }) }
    }
}

impl Body for Sending {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        // hyper takes the next piece when it has room for it.
        let piece = self.bytes.len().min(PIECE);
        Poll::Ready((piece > 0).then(|| {
            let bytes = self.bytes.split_to(piece);
            Ok(Frame::data(Piece { bytes, held: Arc::clone(&self.held) }))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
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
