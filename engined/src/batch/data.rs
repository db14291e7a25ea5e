//! The data of tests: short ones are kept beside the batch, long ones as blobs, so that the store stays small. What came as a
//! blob stays one.

use std::io;
use std::sync::Arc;

use api_spec::{Input, Sha256};
use store::{Datum, NewTest};

use super::admission::Test;
use super::spec;
use crate::admission::unknown_blob;
use crate::blobs::{Blobs, Pin};
use crate::http::blobs::refused;
use crate::problem::Error;

/// The longest that is kept beside the batch.
const INLINE: usize = 64 << 10;

/// Blobs that must not go before the store refers to them.
#[derive(Debug, Default)]
pub struct Pins(Vec<Pin>);

/// Keeps the data of tests, and looks up what was sent before. It is work for the disk.
///
/// # Errors
/// A blob that the tenant does not have, or no room.
pub fn keep(
    blobs: Option<&Arc<Blobs>>,
    tenant: &str,
    quota: u64,
    tests: Vec<Test>,
) -> Result<(Vec<NewTest>, Pins), Error> {
    let mut keeping = Keeping { blobs, tenant, quota, pins: Pins::default() };
    let kept = tests.into_iter().enumerate().map(|(index, test)| {
        let Test { name, mut spec, stdin, expected } = test;
        let (stdin, _) = keeping.datum(stdin, || format!("/tests/{index}/stdin"))?;
        let expected = match expected {
            None => Datum::Absent,
            Some(expected) => {
                let (datum, bytes) = keeping.datum(expected, || format!("/tests/{index}/expected"))?;
                spec.expected_bytes = Some(bytes);
                datum
            }
        };
        let spec = spec::write(&spec).map_err(|error| Error::internal(format!("test not written: {error}")))?;
        Ok(NewTest { name, spec, stdin, expected })
    });
    let kept = kept.collect::<Result<_, Error>>()?;
    Ok((kept, keeping.pins))
}

struct Keeping<'a> {
    blobs: Option<&'a Arc<Blobs>>,
    tenant: &'a str,
    quota: u64,
    pins: Pins,
}

impl Keeping<'_> {
    /// One of them, and how long it is.
    fn datum(&mut self, input: Input, field: impl Fn() -> String) -> Result<(Datum, u64), Error> {
        let hash = match (input, self.blobs) {
            (Input::Content(content), Some(blobs)) if content.len() > INLINE => {
                let kept = blobs.keep_bytes(self.tenant, self.quota, content.as_bytes());
                kept.map_err(|why| at(refused(why), field()))?.0
            }
            (Input::Content(content), _) => {
                let bytes = content.into_bytes();
                let length = bytes.len() as u64;
                return Ok((Datum::Inline(bytes), length));
            }
            (Input::Blob(hash), _) => hash,
        };
        let pin = self.pin(hash).map_err(|error| Error::internal(format!("{hash} not looked up: {error}")))?;
        let pin = pin.ok_or_else(|| unknown_blob(&hash, &format!("{}/blob", field())))?;
        let bytes = pin.bytes;
        self.pins.0.push(pin);
        Ok((Datum::Blob(hash.0), bytes))
    }

    fn pin(&self, hash: Sha256) -> io::Result<Option<Pin>> {
        self.blobs.map_or(Ok(None), |blobs| blobs.pin(self.tenant, hash))
    }
}

/// The same problem, with its field.
fn at(error: Error, field: String) -> Error {
    match error {
        Error::Request(problem) => problem.at(field).into(),
        other => other,
    }
}
