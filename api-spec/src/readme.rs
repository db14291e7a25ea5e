//! `README.md` against the types and `openapi.yaml`, so that the page for people can't fall behind.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::Caps;
use crate::response::{ExecutionResult, Verdict};
use crate::{BatchRequest, Code, ExecutionRequest, LimitName, conformance, openapi};

const README: &str = include_str!("../README.md");
const BEGIN: &str = "<!-- problems: made from the code, UPDATE_README=1 cargo test -p api-spec readme -->\n";
const END: &str = "<!-- end of problems -->";

/// The first cells of the table under `heading`, without their backticks.
fn first_cells(heading: &str) -> Vec<&'static str> {
    let part = README.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    let rows = part.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.split('`').nth(1).unwrap()).collect()
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("```{language}\n");
    let starts: Vec<usize> = README.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
    starts.into_iter().map(|start| README[start..].split("```").next().unwrap())
}

#[test]
fn problems_are_those_of_the_code() {
    let mut table = String::from("\n| status | code | what happened | what to do |\n| --- | --- | --- | --- |\n");
    for code in Code::ALL {
        let facts = code.facts();
        table += &format!("| {} | `{}` | {} | {} |\n", facts.status, facts.name, facts.title, facts.remedy);
    }
    table += "\n";
    let (head, rest) = README.split_once(BEGIN).unwrap();
    let (said, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        std::fs::write(path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(said, table, "UPDATE_README=1 cargo test -p api-spec readme");
}

#[test]
fn tables_name_every_field_limit_and_verdict() {
    let document = openapi();
    let fields = document["components"]["schemas"]["ExecutionRequest"]["properties"].as_object().unwrap();
    let said = first_cells("## Run one program: `POST /v1/executions`");
    assert_eq!(BTreeSet::from_iter(said.iter().copied()), fields.keys().map(String::as_str).collect());
    assert_eq!(said.len(), fields.len());
    let fields = document["components"]["schemas"]["BatchRequest"]["properties"].as_object().unwrap();
    let said = first_cells("## Grade: `POST /v1/batches`");
    assert_eq!(BTreeSet::from_iter(said.iter().copied()), fields.keys().map(String::as_str).collect());
    assert_eq!(first_cells("### Limits"), LimitName::ALL.map(LimitName::name));
    assert_eq!(first_cells("### Verdicts"), Verdict::ALL.map(Verdict::name));
    let mut paths: BTreeSet<String> =
        first_cells("## Operate").iter().map(|cell| cell.replace("GET ", "").replace("POST ", "")).collect();
    paths.insert("/v1/executions".to_owned());
    let later = first_cells("### Run now, fetch later").into_iter().filter(|call| !call.contains('?'));
    let grade = first_cells("### What becomes of it").into_iter();
    let blobs = first_cells("### Data that is sent once: `/v1/blobs/{sha256}`");
    paths.extend(
        later.chain(grade).chain(blobs).filter_map(|call| call.split_once(' ')).map(|(_, path)| path.to_owned()),
    );
    assert_eq!(paths, document["paths"].as_object().unwrap().keys().cloned().collect());
}

#[test]
fn examples_are_right() {
    let mut bodies = 0;
    for block in blocks("sh") {
        for (at, _) in block.match_indices("-d '") {
            let body = block[at + 4..].split('\'').next().unwrap();
            let (bytes, caps) = (body.as_bytes(), Caps::default());
            let read = |is_batch| match is_batch {
                true => BatchRequest::from_json(bytes, &caps).map(|_| "/v1/batches"),
                false => ExecutionRequest::from_json(bytes, &caps).map(|_| "/v1/executions"),
            };
            let path = read(body.contains("submissions")).unwrap_or_else(|why| panic!("{body}: {why}"));
            conformance::check_request("POST", path, bytes).unwrap();
            bodies += 1;
        }
    }
    assert_eq!(bodies, 5);
    let mut results = 0;
    for block in blocks("json") {
        let value: Value = serde_json::from_str(block).unwrap();
        if value.get("seq").is_some() {
            let line = format!("{value}\n");
            let path = "/v1/batches/{id}/results";
            conformance::check("GET", path, 200, "application/x-ndjson", line.as_bytes()).unwrap();
        } else if value.get("verdict").is_some() {
            conformance::check("POST", "/v1/executions", 200, "application/json", block.as_bytes()).unwrap();
            let result: ExecutionResult = serde_json::from_str(block).unwrap();
            assert_eq!(serde_json::to_value(result).unwrap(), value);
            results += 1;
        } else if value.get("stage").is_some() {
            conformance::check("POST", "/v1/executions", 202, "application/json", block.as_bytes()).unwrap();
        } else {
            conformance::check("POST", "/v1/executions", 422, "application/problem+json", block.as_bytes()).unwrap();
        }
    }
    assert_eq!(results, 1);
}
