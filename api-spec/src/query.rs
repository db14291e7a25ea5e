//! The query string of `POST /v1/executions`: nothing in 0.1 but what is the default anyway.

use crate::problem::{Code, Problem};

/// Checks the query string (what follows the `?`, if there is one).
///
/// # Errors
/// `invalid_request` for a parameter that does not exist, or whose value comes with a later version.
pub fn check_execution_query(query: Option<&str>) -> Result<(), Problem> {
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("wait", "true") | ("validate", "false") => {}
            ("wait", "false") => return Err(later("wait=false", "Leave wait out: the answer is the result itself.")),
            ("validate", "true") => {
                return Err(later("validate=true", "Leave validate out: a wrong request is refused before it runs."));
            }
            (name @ ("wait" | "validate"), value) => {
                return Err(Problem::new(
                    Code::InvalidRequest,
                    format!("the query parameter {name} is {value:?}: true or false is expected"),
                ));
            }
            (name, _) => {
                return Err(Problem::new(
                    Code::InvalidRequest,
                    format!("there is no query parameter {name:?}: wait and validate are known"),
                )
                .remedy("Put the request into the body, as JSON."));
            }
        }
    }
    Ok(())
}

fn later(what: &str, remedy: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("{what} comes with a later version of the engine")).remedy(remedy)
}

#[cfg(test)]
mod tests;
