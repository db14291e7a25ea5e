//! The data of tests: short ones are kept beside the batch, long ones as blobs, so that the store stays small. What came as a
//! blob stays one.

use std::sync::Arc;

use api_spec::{Code, Input, Problem};
use store::{Datum, NewTest};

use super::admission::Test;
use super::spec;
use crate::admission::unknown_blob;
use crate::blobs::{Blobs, Many, Pin};
use crate::http::blobs::refused;
use crate::problem::Error;

/// The longest that is kept beside the batch.
const INLINE: usize = 64 << 10;

/// Blobs that must not go before the store refers to them.
#[derive(Debug, Default)]
pub struct Pins {
    _held: Vec<Pin>,
}

/// Keeps the data of tests, and looks up what was sent before. It is work for the disk. `given`: so much of a test a checker
/// can be given, where a program checks.
///
/// # Errors
/// A blob that the tenant does not have, no room, or more than the checker can be given.
pub fn keep(
    blobs: Option<&Arc<Blobs>>,
    tenant: &str,
    quota: u64,
    given: Option<u64>,
    tests: Vec<Test>,
) -> Result<(Vec<NewTest>, Pins), Error> {
    let mut keeping = Keeping(blobs.map(|blobs| blobs.many(tenant, quota)));
    let kept = tests.into_iter().enumerate().map(|(index, test)| {
        let Test { name, mut spec, stdin, expected } = test;
        let (stdin, input) = keeping.datum(stdin, || format!("/tests/{index}/stdin"))?;
        let (expected, answer) = match expected {
            None => (Datum::Absent, 0),
            Some(expected) => {
                let (datum, bytes) = keeping.datum(expected, || format!("/tests/{index}/expected"))?;
                spec.expected_bytes = Some(bytes);
                (datum, bytes)
            }
        };
        if let Some(most) = given {
            can_be_given((input, answer), most, index)?;
        }
        let spec = spec::write(&spec).map_err(|error| Error::internal(format!("test not written: {error}")))?;
        Ok(NewTest { name, spec, stdin, expected })
    });
    let kept = kept.collect::<Result<_, Error>>()?;
    let settled = keeping.0.map_or(Ok(Vec::new()), Many::settle);
    Ok((kept, Pins { _held: settled.map_err(refused)? }))
}

/// Whether a checker can be given input and expected output of so many bytes.
fn can_be_given((input, answer): (u64, u64), most: u64, index: usize) -> Result<(), Problem> {
    let bytes = input.saturating_add(answer);
    if bytes <= most {
        return Ok(());
    }
    let detail = format!(
        "stdin and expected of the test are {bytes} bytes together, and a checker that is a program can be given {most} \
         (half of engine_memory_bytes)"
    );
    let problem = Problem::new(Code::LimitAboveCeiling, detail);
    let field = if answer > input { "expected" } else { "stdin" };
    let remedy = "Make the test smaller, use a checker that compares, or have the operator raise engine_memory_bytes.";
    Err(problem.remedy(remedy).at(format!("/tests/{index}/{field}")))
}

/// What becomes of data where there are blobs.
struct Keeping(Option<Many>);

impl Keeping {
    /// One of them, and how long it is.
    fn datum(&mut self, input: Input, field: impl Fn() -> String) -> Result<(Datum, u64), Error> {
        let hash = match (input, &mut self.0) {
            (Input::Content(content), Some(many)) if content.len() > INLINE => {
                many.keep(content.as_bytes()).map_err(|why| at(refused(why), field()))?
            }
            (Input::Content(content), _) => {
                let bytes = content.into_bytes();
                let length = bytes.len() as u64;
                return Ok((Datum::Inline(bytes), length));
            }
            (Input::Blob(hash), _) => hash,
        };
        let bytes = self.0.as_mut().map_or(Ok(None), |many| many.look_up(hash));
        let bytes = bytes.map_err(|error| Error::internal(format!("{hash} not looked up: {error}")))?;
        let bytes = bytes.ok_or_else(|| unknown_blob(&hash, &format!("{}/blob", field())))?;
        Ok((Datum::Blob(hash.0), bytes))
    }
}

/// The same problem, with its field.
fn at(error: Error, field: String) -> Error {
    match error {
        Error::Request(problem) => problem.at(field).into(),
        other => other,
    }
}
