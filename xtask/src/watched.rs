//! Tests that dashboard and rules ask for what an engine tells. `systemd/METRICS.md` says what that is, and a test of engined
//! compares its table with `/metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

/// Labels that Prometheus adds, or a rule.
const ADDED: [&str; 4] = ["job", "instance", "le", "what"];
/// Series of Prometheus' own.
const ITS_OWN: [&str; 2] = ["up", "ALERTS"];
/// What stands in parentheses behind one of these are labels.
const GROUPING: [&str; 4] = ["by", "on", "ignoring", "group_left"];

fn read(file: &str) -> String {
    fs::read_to_string(crate::build::root().join("systemd").join(file)).unwrap()
}

/// Each metric with its labels. A histogram stands here by each of its three series.
fn told() -> BTreeMap<String, BTreeSet<String>> {
    let mut told = BTreeMap::new();
    for row in read("METRICS.md").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let labels: BTreeSet<String> =
            cells[3].split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
        let endings: &[&str] = if cells[2] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        told.extend(endings.iter().map(|ending| (format!("{name}{ending}"), labels.clone())));
    }
    assert!(told.len() > 40, "the table of METRICS.md is not understood");
    told
}

/// Names of rules with the labels that they set, and all expressions.
fn rules() -> (BTreeSet<String>, Vec<String>) {
    let rules = read("prometheus/rules.yml");
    let (mut recorded, mut expressions) = (BTreeSet::new(), Vec::new());
    let mut lines = rules.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((_, name)) = line.split_once("record: ") {
            recorded.insert(name.to_owned());
        }
        let Some((before, begin)) = line.split_once("expr: ") else { continue };
        let mut expression = begin.trim_start_matches("|-").trim_matches('\'').to_owned();
        let deeper = |line: &&str| line.len() - line.trim_start().len() > before.len();
        while let Some(more) = lines.next_if(deeper) {
            expression += "\n";
            expression += more;
        }
        expressions.push(expression);
    }
    assert!(recorded.len() > 10 && expressions.len() > 50, "rules.yml is not understood");
    (recorded, expressions)
}

fn of_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana/engined.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| target["expr"].as_str().unwrap().to_owned());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let asked = variables.filter_map(|variable| variable["definition"].as_str()).map(|definition| {
        // label_values(NAME, LABEL) is Grafana's own.
        definition.trim_start_matches("label_values(").split(',').next().unwrap().to_owned()
    });
    queries.chain(asked).collect()
}

/// The expression without what stands in quotation marks and brackets.
fn bare(expression: &str) -> String {
    let (mut quoted, mut depth) = (false, 0);
    let mut keep = |c: char| {
        quoted ^= c == '"';
        depth += i32::from(c == '[') - i32::from(c == ']');
        !quoted && depth == 0 && !matches!(c, '"' | ']')
    };
    expression.chars().filter(|c| keep(*c)).collect()
}

/// Names of series with the labels in their braces, and labels by which something is grouped.
fn asked(expression: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let text = bare(expression);
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let (mut series, mut groups) = (Vec::new(), Vec::new());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(is_word) {
        let from = &rest[at..];
        let end = from.find(|c| !is_word(c)).unwrap_or(from.len());
        let (word, behind) = from.split_at(end);
        rest = behind;
        let next = behind.trim_start();
        let list = |close: char, part: fn(&str) -> &str| -> Vec<String> {
            let inside = next[1..].split(close).next().unwrap_or_default();
            inside.split(',').map(|label| part(label.trim()).to_owned()).filter(|label| !label.is_empty()).collect()
        };
        // `sum by (…) (…)` is a function too.
        let keyword = ["and", "or", "unless", "offset", "sum", "min", "max"].contains(&word);
        if next.starts_with('(') && GROUPING.contains(&word) {
            groups.extend(list(')', |label| label));
            rest = next.split_once(')').unwrap().1;
        } else if next.starts_with('{') {
            series
                .push((word.to_owned(), list('}', |label| label.split(['=', '!']).next().unwrap_or_default().trim())));
            rest = next.split_once('}').unwrap().1;
        } else if !next.starts_with('(') && !keyword && !word.starts_with(|c: char| c.is_ascii_digit()) {
            series.push((word.to_owned(), Vec::new()));
        }
    }
    (series, groups)
}

#[test]
fn dashboard_and_rules_ask_for_what_there_is() {
    let told = told();
    let (recorded, rules) = rules();
    let labels: BTreeSet<&str> = told.values().flatten().map(String::as_str).chain(ADDED).collect();
    let mut unknown = BTreeSet::new();
    for expression in rules.iter().chain(&of_dashboard()) {
        let (series, groups) = asked(expression);
        assert!(!series.is_empty() || expression.starts_with("vector("), "no series in {expression}");
        for (name, selected) in series {
            let own = ITS_OWN.contains(&name.as_str()) || recorded.contains(&name);
            if !own && !told.contains_key(&name) {
                unknown.insert(name);
                continue;
            }
            for label in selected.iter().map(String::as_str).filter(|label| !ADDED.contains(label)) {
                let known = told.get(&name).map_or(labels.contains(label), |labels| labels.contains(label));
                assert!(known, "{name} has no label {label}: {expression}");
            }
        }
        for label in groups {
            assert!(labels.contains(label.as_str()), "nothing has the label {label}: {expression}");
        }
    }
    assert!(unknown.is_empty(), "not in systemd/METRICS.md: {unknown:#?}");
}

#[test]
fn names_and_labels_are_found() {
    let expression = "sum by (job, slo) (rate(a_total{outcome=\"b{c}\", x!~\"y\"}[5m] offset 1d)) / on (slo) group_left () \
                      r:x:rate5m and b > 14.4";
    let (series, groups) = asked(expression);
    let names: Vec<_> = series.iter().map(|(name, labels)| (name.as_str(), labels.join(" "))).collect();
    assert_eq!(names, [("a_total", "outcome x".into()), ("r:x:rate5m", String::new()), ("b", String::new())]);
    assert_eq!(groups, ["job", "slo", "slo"]);
}
