use std::collections::BTreeSet;

use super::{Code, DETAIL_BYTES, Problem, head};

/// The list of the contract, word for word.
const CLOSED_LIST: &str = "400 `malformed_json` `invalid_request` `invalid_path` `invalid_base64` · 401 `unauthenticated` · 403 `forbidden` · 404 `not_found` `result_expired` · 405 `method_not_allowed` · 406 `not_acceptable` · 408 `request_timeout` · 409 `idempotency_conflict` · 413 `body_too_large` `source_too_large` `too_many_files` · 415 `unsupported_media_type` · 422 `unknown_language` `unknown_version` `limit_too_low` `limit_above_ceiling` `flag_not_allowed` `unknown_blob` · 429 `rate_limited` `quota_exceeded` · 431 `headers_too_large` · 500 `internal` · 503 `queue_full` `draining` `not_ready` `memory_budget` `store_full`";

#[test]
fn the_list_is_closed() {
    let mut said = String::new();
    let mut last = 0;
    for code in Code::ALL {
        if code.status() != last {
            last = code.status();
            let dot = if said.is_empty() { "" } else { " · " };
            said += &format!("{dot}{last}");
        }
        said += &format!(" `{code}`");
    }
    assert_eq!(said, CLOSED_LIST);
}

#[test]
fn facts_are_sentences() {
    let mut titles = BTreeSet::new();
    for code in Code::ALL {
        let facts = code.facts();
        assert!(titles.insert(facts.title), "{code} has the title of another code");
        assert!(facts.title.ends_with('.') && facts.remedy.ends_with('.'), "{code}");
        assert_eq!(serde_json::to_value(code).unwrap(), facts.name);
    }
}

#[test]
fn an_answer_looks_like_this() {
    let problem = Problem::new(Code::LimitTooLow, "0 is asked for, the least is 1").at("/limits/cpu_time_ms");
    assert_eq!(
        serde_json::to_string(&problem.answer("r1")).unwrap(),
        r#"{"type":"urn:engined:problem:limit_too_low","title":"A limit is too low.","status":422,"code":"limit_too_low","detail":"0 is asked for, the least is 1","remedy":"Raise the limit to the named least value, or leave it out for the language's own.","field":"/limits/cpu_time_ms","request_id":"r1"}"#
    );
    let plain = serde_json::to_value(Problem::new(Code::NotFound, "no").remedy("Look.").answer("r")).unwrap();
    assert!(plain.get("field").is_none());
    assert_eq!(plain["remedy"], "Look.");
}

#[test]
fn a_detail_is_bounded() {
    let problem = Problem::new(Code::InvalidRequest, "é".repeat(DETAIL_BYTES));
    assert!(problem.detail.len() <= DETAIL_BYTES + '…'.len_utf8());
    assert!(problem.detail.ends_with("é…"));
    let far = Problem::new(Code::InvalidRequest, "").at(format!("/env/{}", "x".repeat(DETAIL_BYTES)));
    assert_eq!(far.field.as_deref(), Some("/env"));
    assert_eq!((head("aé", 2), head("aé", 3), head("é", 1), head("", 5)), ("a", "aé", "", ""));
}
