//! The data of tests: short ones are kept beside the batch.

use api_spec::{Input, Sha256};
use store::{Datum, NewTest};

use super::admission::Test;
use super::spec;
use crate::admission::unknown_blob;
use crate::engine::Engine;
use crate::problem::Error;

/// What must not go before the store knows of it.
#[derive(Debug, Default)]
pub struct Pins;

/// # Errors
/// A blob that is not there.
pub fn keep(_engine: &Engine, _tenant: &str, _most: u64, tests: Vec<Test>) -> Result<(Vec<NewTest>, Pins), Error> {
    let kept = tests.into_iter().enumerate().map(|(index, test)| {
        let Test { name, mut spec, stdin, expected } = test;
        let stdin = datum(stdin).map_err(|hash| unknown_blob(&hash, &format!("/tests/{index}/stdin/blob")))?;
        let expected = match expected.map(datum) {
            None => Datum::Absent,
            Some(datum) => datum.map_err(|hash| unknown_blob(&hash, &format!("/tests/{index}/expected/blob")))?,
        };
        if let Datum::Inline(bytes) = &expected {
            spec.expected_bytes = Some(bytes.len() as u64);
        }
        let spec = spec::write(&spec).map_err(|error| Error::internal(format!("test not written: {error}")))?;
        Ok(NewTest { name, spec, stdin, expected })
    });
    Ok((kept.collect::<Result<_, Error>>()?, Pins))
}

fn datum(input: Input) -> Result<Datum, Sha256> {
    match input {
        Input::Content(content) => Ok(Datum::Inline(content.into_bytes())),
        Input::Blob(hash) => Err(hash),
    }
}
