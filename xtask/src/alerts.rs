//! Tests that alerts, what `systemd/README.md` says of each, and the cases of `promtool test rules` belong together.

use std::collections::BTreeSet;
use std::fs;

const CASES: [&str; 2] = ["prometheus/rules_test.yml", "prometheus/rules_test_days.yml"];

fn read(file: &str) -> String {
    fs::read_to_string(crate::build::root().join("systemd").join(file)).unwrap()
}

/// Each alert of rules.yml with the lines that follow its name.
fn alerts(rules: &str) -> Vec<(&str, &str)> {
    let parts = rules.split("- alert: ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).map(|(name, rest)| (name.trim(), rest)).collect()
}

/// Each heading between the markers `alerts`, and its text.
fn headings(readme: &str) -> Vec<(&str, &str)> {
    let (_, rest) = readme.split_once("<!-- alerts:begin -->").unwrap();
    let (body, _) = rest.split_once("<!-- alerts:end -->").unwrap();
    body.split("\n### ").skip(1).map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn every_alert_has_its_heading_and_every_heading_its_alert() {
    let (rules, readme) = (read("prometheus/rules.yml"), read("README.md"));
    let (alerts, headings) = (alerts(&rules), headings(&readme));
    let names = |of: &[(&str, &str)]| -> Vec<String> { of.iter().map(|(name, _)| (*name).to_owned()).collect() };
    assert_eq!(names(&headings), names(&alerts), "systemd/README.md has the alerts of rules.yml in their order");
    for ((name, rule), (_, text)) in alerts.iter().zip(&headings) {
        let severity = ["page", "ticket", "info"].into_iter().find(|s| rule.contains(&format!("{{severity: {s}}}")));
        let severity = severity.unwrap_or_else(|| panic!("{name} has no severity"));
        assert!(text.trim_start().starts_with(&format!("*{severity}.* ")), "{name} should begin with *{severity}.*");
        assert!(rule.contains("summary: ") && rule.contains("description: ") && rule.contains("$value"), "{name}");
        let anchor = format!("runbook: systemd/README.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&anchor), "{name} should have {anchor}");
    }
    for (_, link) in readme.split("](#").skip(1).map(|rest| ((), rest.split(')').next().unwrap())) {
        let known = readme.lines().filter_map(|line| line.strip_prefix('#')).any(|line| {
            line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace([',', '.'], "") == link
        });
        assert!(known, "systemd/README.md has no heading for #{link}");
    }
}

#[test]
fn every_alert_is_tried_firing_and_not() {
    let rules = read("prometheus/rules.yml");
    let cases: String = CASES.map(read).concat();
    let tried = |ends: &str| -> BTreeSet<&str> {
        let parts = cases.split("alertname: ").skip(1).map(|part| part.split_once('\n').unwrap());
        parts.filter(|(_, rest)| rest.trim_start().lines().next() == Some(ends)).map(|(name, _)| name).collect()
    };
    let all: BTreeSet<&str> = alerts(&rules).into_iter().map(|(name, _)| name).collect();
    assert_eq!(tried("exp_alerts:"), all, "a case that fires");
    assert_eq!(tried("exp_alerts: []"), all, "a case that does not fire");
}
