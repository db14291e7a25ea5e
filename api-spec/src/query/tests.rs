use std::time::Duration;

use super::{
    BatchesQuery, ExecutionQuery, batches_query, check_no_query, execution_query, last_event_id, result_query,
    results_query,
};
use crate::batch::BatchStatus;
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

#[test]
fn a_list_is_narrowed_and_paged() {
    let plain = BatchesQuery { cursor: None, status: None, label: None, limit: 100 };
    assert_eq!(batches_query(None).unwrap(), plain);
    let all = "status=running&label=course%2F1:a+b%3A%C3%A9:c&cursor=01K0&limit=1000";
    let label = ("course/1".to_owned(), "a b:é:c".to_owned());
    let expected = BatchesQuery {
        cursor: Some("01K0".to_owned()),
        status: Some(BatchStatus::Running),
        label: Some(label),
        limit: 1000,
    };
    assert_eq!(batches_query(Some(all)).unwrap(), expected);
    assert_eq!(batches_query(Some("label=a:")).unwrap().label, Some(("a".to_owned(), String::new())));
    assert_eq!((results_query(None).unwrap(), results_query(Some("from=7")).unwrap()), (1, 7));
    assert_eq!((last_event_id("0").unwrap(), last_event_id("7").unwrap()), (1, 8));
}

#[test]
fn what_no_list_has_is_refused() {
    let list = |query| said(batches_query(Some(query)).map(drop));
    let results = |query| said(results_query(Some(query)).map(drop));
    let told = [
        list("state=running"),
        list("status=done"),
        list("status=Running"),
        list("label=a"),
        list("label=:a"),
        list("label=%ff:a"),
        list("cursor="),
        list("limit=0"),
        list("limit=1001"),
        results("from=0"),
        results("from=-1"),
        results("from=9223372036854775808"),
        results("seq=1"),
        said(last_event_id("x").map(drop)),
    ];
    assert_eq!(
        told.join("\n"),
        "invalid_request: there is no query parameter \"state\"; known: cursor, status, label, limit. Leave it out; what a program needs goes into the body, as JSON.
invalid_request: the query parameter status is \"done\": one of queued, running, finished, cancelled is expected. Choose one, or leave status out for all.
invalid_request: the query parameter status is \"Running\": one of queued, running, finished, cancelled is expected. Choose one, or leave status out for all.
invalid_request: the query parameter label is \"a\": a name, a colon and a value, percent-encoded in UTF-8, is expected. Write label=NAME:VALUE, as in label=exercise:doubling.
invalid_request: the query parameter label is \":a\": a name, a colon and a value, percent-encoded in UTF-8, is expected. Write label=NAME:VALUE, as in label=exercise:doubling.
invalid_request: the query parameter label is \"%ff:a\": a name, a colon and a value, percent-encoded in UTF-8, is expected. Write label=NAME:VALUE, as in label=exercise:doubling.
invalid_request: the query parameter cursor is \"\": what next of the page before said is expected. Copy next as it is, or leave cursor out for the first page.
invalid_request: the query parameter limit is \"0\": a whole number from 1 to 1000 is expected. Ask for at most that many; next leads to the others.
invalid_request: the query parameter limit is \"1001\": a whole number from 1 to 1000 is expected. Ask for at most that many; next leads to the others.
invalid_request: the query parameter from is \"0\": the number of a result, from 1 up, is expected. Ask for seq + 1 of the last line that you have, or leave from out for all of them.
invalid_request: the query parameter from is \"-1\": the number of a result, from 1 up, is expected. Ask for seq + 1 of the last line that you have, or leave from out for all of them.
invalid_request: the query parameter from is \"9223372036854775808\": the number of a result, from 1 up, is expected. Ask for seq + 1 of the last line that you have, or leave from out for all of them.
invalid_request: there is no query parameter \"seq\"; known: from. Leave it out; what a program needs goes into the body, as JSON.
invalid_request: the header Last-Event-ID is \"x\": the id of an event of this stream is expected. Send the id of the last event that you have, or leave the header out for all of them."
    );
}
