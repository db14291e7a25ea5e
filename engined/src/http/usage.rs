//! `GET /v1/usage`: what tenants have used.

use api_spec::{Code, Problem, UsageQuery, UsageResponse, usage_query};

use super::answer::{self, Answer};
use crate::audit::record::today;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;
use crate::usage::{PATIENCE, Query};

/// The rows of the days that are asked for; without any, of today. What has ended before is in them, unless the disk is
/// in trouble: the answer says so then. A tenant sees its own, an administrator all.
///
/// # Errors
/// A mistake in the query, another's usage, or that nothing is counted.
pub async fn get(engine: &Engine, tenant: TenantIndex, query: Option<&str>) -> Result<Answer, Error> {
    let UsageQuery { from, to, tenant: asked } = usage_query(query)?;
    let tenants = engine.tenants();
    let own = tenants.name(tenant);
    let tenant = match asked {
        _ if tenants.is_admin(tenant) => asked.map(str::to_owned),
        Some(other) if other != own => {
            let shown: String = other.chars().take(64).collect();
            let problem = Problem::new(Code::Forbidden, format!("the usage of {shown:?} is another tenant's"));
            return Err(Error::Request(problem.remedy("Leave tenant out, or have an administrator's tenant ask.")));
        }
        _ => Some(own.to_owned()),
    };
    let Some(books) = engine.audit.books() else {
        return Err(Error::NotReady(vec!["usage is not counted: [usage] enabled = false in engined.toml".to_owned()]));
    };
    let today = today();
    let to = to.map_or_else(|| from.unwrap_or_default().max(&today).to_owned(), str::to_owned);
    let from = from.map_or_else(|| today.as_str().min(&to).to_owned(), str::to_owned);
    let settled = engine.audit.flush(PATIENCE).await;
    let behind_records = if settled { 0 } else { engine.audit.behind().max(1) };
    let asked = Query { from: from.clone(), to: to.clone(), tenant };
    let (usage, since) = books.query_of_caller(asked).await.map_err(|why| Error::NotReady(vec![why]))?;
    let durable = books.is_durable();
    answer::json(&UsageResponse { first_day: from, last_day: to, since, durable, behind_records, usage }, None)
}
