//! `/v1/batches`: many programs judged by the same tests.

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;

use super::answer::Answer;
use super::metered::Metered;
use crate::audit::Caller;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// What is asked of batches, beside making one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Which there are.
    List,
    /// How far one is.
    One,
    /// Its results.
    Results,
    /// Its results as they come.
    Events {
        /// The last that the caller has seen.
        after: Option<u64>,
    },
    /// That it ends.
    Cancel,
}

/// `POST /v1/batches`, and `POST /v1/batches/{id}/rejudge` where `of` is the id.
///
/// # Errors
/// The caller's mistake, or that there is no room.
pub async fn post(
    _engine: &Arc<Engine>,
    _tenant: TenantIndex,
    _caller: Caller,
    _request: Request<Incoming>,
    _of: Option<String>,
    _metered: &Metered,
) -> Result<Answer, Error> {
    Err(Error::NotReady(vec!["this engine keeps no batches".to_owned()]))
}

/// All that is no `POST`.
///
/// # Errors
/// There is no such batch of this tenant.
pub async fn get(
    _engine: &Arc<Engine>,
    _tenant: TenantIndex,
    _asked: Asked,
    _id: &str,
    _query: Option<&str>,
) -> Result<Answer, Error> {
    Err(Error::NotReady(vec!["this engine keeps no batches".to_owned()]))
}
