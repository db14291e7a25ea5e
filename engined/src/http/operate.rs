//! What operators do by the API: `POST /v1/drain`.

use std::sync::Arc;

use api_spec::{Code, DrainResponse, DrainStatus, Problem};
use hyper::Request;
use hyper::body::{Body, Incoming};

use super::answer::{self, Answer};
use crate::audit::{self, Act, Caller};
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// `POST /v1/drain`: begins it, or tells how far it is.
///
/// # Errors
/// The caller may not, or said something with it.
pub fn drain(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    caller: Caller,
    request: &Request<Incoming>,
) -> Result<Answer, Error> {
    admin(engine, tenant)?;
    if !request.body().is_end_stream() {
        let problem = Problem::new(Code::InvalidRequest, "a drain has nothing to be told, and there is a body");
        return Err(Error::Request(problem.remedy("Send it with an empty body (Content-Length: 0).")));
    }
    if engine.drain() {
        let asked = caller.asked(engine.tenants().name(tenant));
        audit::administrative(engine, Act::Drain { by: "request", asked: Some(asked) });
        let engine = Arc::clone(engine);
        tokio::spawn(async move { engine.drained().await });
    }
    let (running, waiting) = engine.under_way();
    let left = engine.drain.left().unwrap_or_default();
    let answer = DrainResponse {
        status: if engine.is_idle() { DrainStatus::Drained } else { DrainStatus::Draining },
        running: running as u64,
        waiting: waiting as u64,
        deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
    };
    answer::accepted(&answer, None)
}

/// Operators alone.
pub(super) fn admin(engine: &Engine, tenant: TenantIndex) -> Result<(), Error> {
    let tenants = engine.tenants();
    if tenants.is_admin(tenant) {
        return Ok(());
    }
    let name = tenants.name(tenant);
    let problem = Problem::new(Code::Forbidden, format!("the tenant {name} may not operate the engine"));
    Err(Error::Request(problem.remedy(format!("Have the operator write admin = true in [tenants.{name}]."))))
}
