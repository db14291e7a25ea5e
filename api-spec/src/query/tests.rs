use super::check_execution_query;

#[test]
fn defaults_may_be_said_and_nothing_else() {
    for fine in [None, Some(""), Some("wait=true"), Some("validate=false&wait=true&")] {
        check_execution_query(fine).unwrap();
    }
    let said = |query| check_execution_query(Some(query)).unwrap_err().to_string();
    assert_texts(
        &[said("wait=false"), said("validate=true"), said("wait=1"), said("wait"), said("language=c")],
        "invalid_request: wait=false comes with a later version of the engine. Leave wait out: the answer is the result itself.
invalid_request: validate=true comes with a later version of the engine. Leave validate out: a wrong request is refused before it runs.
invalid_request: the query parameter wait is \"1\": true or false is expected. Correct the named field; /openapi.json has every field with its type.
invalid_request: the query parameter wait is \"\": true or false is expected. Correct the named field; /openapi.json has every field with its type.
invalid_request: there is no query parameter \"language\": wait and validate are known. Put the request into the body, as JSON.",
    );
}

fn assert_texts(said: &[String], expected: &str) {
    assert_eq!(said.join("\n"), expected);
}
