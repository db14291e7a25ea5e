use std::time::Duration;

use super::{ExecutionQuery, check_no_query, execution_query, result_query};
use crate::problem::Problem;

#[test]
fn a_post_may_wait_and_validate() {
    let read = |query| {
        let ExecutionQuery { wait, validate } = execution_query(query).unwrap();
        (wait, validate)
    };
    for plain in [None, Some(""), Some("wait=true"), Some("validate=false&wait=true&")] {
        assert_eq!(read(plain), (true, false), "{plain:?}");
    }
    assert_eq!(read(Some("wait=false")), (false, false));
    assert_eq!(read(Some("validate=true&wait=false")), (false, true));
    assert_eq!(read(Some("&&validate=true")), (true, true));
}

#[test]
fn a_get_may_wait_a_minute() {
    for (query, ms) in [(None, 0), (Some("wait_ms=0"), 0), (Some("wait_ms=007"), 7), (Some("wait_ms=60000"), 60_000)] {
        assert_eq!(result_query(query).unwrap(), Duration::from_millis(ms), "{query:?}");
    }
    check_no_query(None).unwrap();
    check_no_query(Some("")).unwrap();
}

#[test]
fn whatever_else_is_refused_by_name() {
    let post = |query| said(execution_query(Some(query)).map(drop));
    let get = |query| said(result_query(Some(query)).map(drop));
    let told = [
        post("wait=1"),
        post("wait"),
        post("validate=TRUE"),
        post("language=c"),
        post("wait=true&wait=false"),
        post("wait_ms=5"),
        get("wait_ms=60001"),
        get("wait_ms=-1"),
        get("wait_ms=+1"),
        get("wait_ms="),
        get("wait_ms=1.5"),
        get("wait_ms=99999999999999999999"),
        get("wait=true"),
        said(check_no_query(Some("wait_ms=1"))),
    ];
    assert_eq!(
        told.join("\n"),
        "invalid_request: the query parameter wait is \"1\": true or false is expected. Write true or false, or leave it out.
invalid_request: the query parameter wait is \"\": true or false is expected. Write true or false, or leave it out.
invalid_request: the query parameter validate is \"TRUE\": true or false is expected. Write true or false, or leave it out.
invalid_request: there is no query parameter \"language\"; known: wait, validate. Leave it out; what a program needs goes into the body, as JSON.
invalid_request: the query parameter wait stands there twice. Say it once.
invalid_request: there is no query parameter \"wait_ms\"; known: wait, validate. Leave it out; what a program needs goes into the body, as JSON.
invalid_request: the query parameter wait_ms is \"60001\": a whole number of milliseconds from 0 to 60000 is expected. Ask for at most 60000, and again when the answer is not the result yet.
invalid_request: the query parameter wait_ms is \"-1\": a whole number of milliseconds from 0 to 60000 is expected. Ask for at most 60000, and again when the answer is not the result yet.
invalid_request: the query parameter wait_ms is \"+1\": a whole number of milliseconds from 0 to 60000 is expected. Ask for at most 60000, and again when the answer is not the result yet.
invalid_request: the query parameter wait_ms is \"\": a whole number of milliseconds from 0 to 60000 is expected. Ask for at most 60000, and again when the answer is not the result yet.
invalid_request: the query parameter wait_ms is \"1.5\": a whole number of milliseconds from 0 to 60000 is expected. Ask for at most 60000, and again when the answer is not the result yet.
invalid_request: the query parameter wait_ms is \"99999999999999999999\": a whole number of milliseconds from 0 to 60000 is expected. Ask for at most 60000, and again when the answer is not the result yet.
invalid_request: there is no query parameter \"wait\"; known: wait_ms. Leave it out; what a program needs goes into the body, as JSON.
invalid_request: there is no query parameter \"wait_ms\"; none is known here. Leave it out; what a program needs goes into the body, as JSON."
    );
}

fn said(outcome: Result<(), Problem>) -> String {
    outcome.unwrap_err().to_string()
}
