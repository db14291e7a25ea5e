//! `cargo xtask dashboard`: the dashboard of `systemd/grafana`, out of its short description. Grafana wants a page of JSON for
//! each panel, of which a sentence, a unit and the queries are ours; nobody could keep that by hand.

use std::fs;

use serde_json::{Value, json};

use crate::build;
use crate::problem::{Context, Problem, Result};

const REMEDY: &str = "mend systemd/grafana/panels.toml where the message says";
/// Grafana's grid has so many columns.
const COLUMNS: i64 = 24;
const WIDTH: i64 = 8;
const HEIGHT: i64 = 7;

/// Writes `engined.json`.
pub fn write() -> Result<()> {
    let file = build::root().join("systemd/grafana/engined.json");
    fs::write(&file, made()?).or_problem(file.display().to_string(), "make systemd/grafana writable")?;
    println!("xtask: written to {}", file.display());
    Ok(())
}

/// Each query with the title of its panel, as Grafana would ask it for all engines.
pub fn queries() -> Result<Vec<(String, String)>> {
    let file = build::root().join("systemd/grafana/engined.json");
    let text = fs::read_to_string(&file).or_problem(file.display().to_string(), "cargo xtask dashboard")?;
    let dashboard: Value =
        serde_json::from_str(&text).or_problem(file.display().to_string(), "cargo xtask dashboard")?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut queries = Vec::new();
    for panel in list(&dashboard["panels"]) {
        for target in list(&panel["targets"]) {
            let expression = target["expr"].as_str().unwrap_or_default();
            let expression = expression.replace("$instance", ".*").replace("$__rate_interval", "1m");
            queries.push((panel["title"].as_str().unwrap_or_default().to_owned(), expression));
        }
    }
    Ok(queries)
}

/// What `engined.json` should be.
fn made() -> Result<String> {
    let file = build::root().join("systemd/grafana/panels.toml");
    let text = fs::read_to_string(&file).or_problem(file.display().to_string(), "git checkout -- systemd")?;
    let table: toml::Table = text.parse().or_problem("panels.toml", REMEDY)?;
    let dashboard = dashboard(panels(&table)?);
    let text = serde_json::to_string_pretty(&dashboard).or_problem("the dashboard is no JSON", REMEDY)?;
    Ok(text + "\n")
}

/// Rows and panels with their places: a row is a line of its own, above its panels.
fn panels(table: &toml::Table) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut y = 0;
    for row in tables(table, "row") {
        all.push(json!({
            "id": all.len() + 1, "type": "row", "title": text(row, "title")?, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }));
        let mut x = COLUMNS;
        y += 1 - HEIGHT;
        for described in tables(row, "panel") {
            let width = described.get("width").and_then(toml::Value::as_integer).unwrap_or(WIDTH);
            if x + width > COLUMNS {
                (x, y) = (0, y + HEIGHT);
            }
            let place = json!({"x": x, "y": y, "w": width, "h": HEIGHT});
            all.push(panel(described, all.len() + 1, &place)?);
            x += width;
        }
        y += HEIGHT;
    }
    Ok(all)
}

fn tables<'a>(table: &'a toml::Table, name: &str) -> impl Iterator<Item = &'a toml::Table> {
    table.get(name).and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table)
}

fn text<'a>(table: &'a toml::Table, name: &str) -> Result<&'a str> {
    let found = table.get(name).and_then(toml::Value::as_str).filter(|text| !text.is_empty());
    found.ok_or_else(|| Problem::new(format!("{name} is missing in {table}"), REMEDY))
}

fn panel(described: &toml::Table, id: usize, place: &Value) -> Result<Value> {
    let is = |name: &str| described.get(name).and_then(toml::Value::as_bool).unwrap_or_default();
    let scale = if is("log") { json!({"type": "log", "log": 10}) } else { json!({"type": "linear"}) };
    let queries = described.get("queries").and_then(toml::Value::as_array).into_iter().flatten();
    let mut targets = Vec::new();
    for (number, query) in queries.enumerate() {
        let part = |at: usize| query.get(at).and_then(toml::Value::as_str).unwrap_or_default();
        // Grafana names queries by letters.
        let name = u8::try_from(number).ok().and_then(|number| b'A'.checked_add(number)).map(char::from);
        targets.push(json!({
            "refId": name, "legendFormat": part(0), "expr": part(1), "range": true, "editorMode": "code",
            "datasource": source(),
        }));
    }
    let mut panel = json!({
        "id": id, "type": "timeseries", "title": text(described, "title")?, "gridPos": place, "datasource": source(),
        "description": text(described, "description")?,
        "fieldConfig": {
            "defaults": {
                "unit": text(described, "unit")?,
                "color": {"mode": "palette-classic"},
                "custom": {
                    "drawStyle": "line", "lineWidth": 1, "fillOpacity": if is("stack") { 40 } else { 5 },
                    "showPoints": "never", "spanNulls": false, "scaleDistribution": scale,
                    "stacking": {"group": "A", "mode": if is("stack") { "normal" } else { "none" }},
                },
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": targets,
    });
    if !is("log") {
        panel["fieldConfig"]["defaults"]["min"] = 0.into();
    }
    Ok(panel)
}

/// The variable by which whoever imports the dashboard says where the data is.
fn source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn dashboard(panels: Vec<Value>) -> Value {
    let instances = "label_values(engined_build_info, instance)";
    json!({
        "uid": "engined", "title": "engined", "tags": ["engined"], "editable": true, "graphTooltip": 1,
        "description": "What engined does, how soon, what is used up, what was tried, what is left behind. Runbook: systemd/README.md.",
        // Of Grafana 9; newer ones bring it up to date when they read it.
        "schemaVersion": 37, "version": 1,
        "time": {"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "browser",
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0},
            {
                "name": "instance", "label": "Instance", "type": "query", "datasource": source(),
                "definition": instances, "query": {"query": instances, "refId": "instances"}, "refresh": 2, "sort": 1,
                "multi": true, "includeAll": true, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
            },
        ]},
        "annotations": {"list": [{
            "name": "Alerts", "enable": true, "iconColor": "red", "datasource": source(), "titleFormat": "{{alertname}}",
            "expr": "ALERTS{alertname=~\"Engined.*\", alertstate=\"firing\", severity!=\"info\"}",
        }]},
        "panels": panels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_is_that_of_its_description() {
        let there = fs::read_to_string(build::root().join("systemd/grafana/engined.json")).unwrap();
        assert!(there == made().unwrap(), "run cargo xtask dashboard");
    }

    #[test]
    fn each_panel_has_a_place_a_unit_a_sentence_and_queries() {
        let dashboard: Value = serde_json::from_str(&made().unwrap()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let mut taken = std::collections::BTreeSet::new();
        for panel in panels {
            let place = |name: &str| panel["gridPos"][name].as_i64().unwrap();
            for (x, y) in (place("x")..place("x") + place("w")).flat_map(|x| (0..place("h")).map(move |y| (x, y))) {
                assert!(x < COLUMNS && taken.insert((x, y + place("y"))), "two panels at one place: {panel}");
            }
            if panel["type"] == "row" {
                continue;
            }
            let filled = |field: &Value| field.as_str().is_some_and(|text| !text.is_empty());
            assert!(filled(&panel["title"]) && filled(&panel["description"]), "{panel}");
            assert!(filled(&panel["fieldConfig"]["defaults"]["unit"]), "{panel}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty() && targets.iter().all(|target| filled(&target["expr"])), "{panel}");
            assert!(targets.iter().all(|target| filled(&target["legendFormat"])), "{panel}");
        }
        let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").map(|row| &row["title"]).collect();
        assert_eq!(rows.len(), 6, "{rows:?}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let table: toml::Table = "[[row]]\ntitle = 'A'\n[[row.panel]]\ntitle = 'B'\nunit = 's'\n".parse().unwrap();
        assert!(panels(&table).unwrap_err().to_string().contains("description is missing"));
    }
}
