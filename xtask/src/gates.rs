//! What deny.toml promises of our dependencies, as far as Cargo.lock alone can tell: licences, sources, bans.
//!
//! `cargo deny` reads the same file and does more; it takes longer to build than everything here, so this stands in
//! for it where it is not installed. What is ours alone is the last check: what may not get into `jaild`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::build;
use crate::problem::{Context, Result};
use crate::tally::Tally;

/// jaild is single-threaded and reads nothing of a caller's: whatever brings one of these in has gone wrong.
const NEVER_IN_JAILD: [&str; 8] = ["tokio", "hyper", "axum", "http", "serde_json", "regex", "zbus", "prometheus"];

/// `cargo xtask deny`.
pub fn deny() -> Result<Tally> {
    let text =
        fs::read_to_string(build::root().join("deny.toml")).or_problem("deny.toml", "git checkout -- deny.toml")?;
    let rules: toml::Table = text.parse().or_problem("deny.toml", "mend the line that the message names")?;
    let metadata = build::metadata(&["--all-features", "--filter-platform", "x86_64-unknown-linux-gnu"])?;
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let mut tally = Tally::default();
    for package in packages {
        let name = format!("{} {}", text_of(package, "name"), text_of(package, "version"));
        tally.check(
            &name,
            licence(&rules, package)
                .and_then(|()| source(&rules, package))
                .and_then(|()| ban(&rules, &metadata, package)),
        );
    }
    let jaild = tree(&metadata, "jail");
    println!("xtask: jaild is made of {} crates: {}", jaild.len(), jaild.iter().copied().collect::<Vec<_>>().join(" "));
    for name in NEVER_IN_JAILD {
        let absent =
            if jaild.contains(name) { Err("is in jaild's tree; see CONTRIBUTING.md".to_owned()) } else { Ok(()) };
        tally.check(name, absent);
    }
    Ok(tally)
}

type Check = std::result::Result<(), String>;

fn text_of<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

/// The strings of the array `field` in the table `table`.
fn strings<'a>(rules: &'a toml::Table, table: &str, field: &str) -> Vec<&'a str> {
    let array = rules.get(table).and_then(|t| t.get(field)).and_then(toml::Value::as_array);
    array.into_iter().flatten().filter_map(toml::Value::as_str).collect()
}

fn licence(rules: &toml::Table, package: &Value) -> Check {
    let mut allowed = strings(rules, "licenses", "allow");
    let exceptions = rules.get("licenses").and_then(|t| t.get("exceptions")).and_then(toml::Value::as_array);
    for exception in exceptions.into_iter().flatten() {
        if exception.get("crate").and_then(toml::Value::as_str) == package["name"].as_str() {
            let more = exception.get("allow").and_then(toml::Value::as_array);
            allowed.extend(more.into_iter().flatten().filter_map(toml::Value::as_str));
        }
    }
    let expression = text_of(package, "license");
    if satisfied(expression, &allowed) {
        Ok(())
    } else {
        Err(format!("licence `{expression}` is not allowed by deny.toml"))
    }
}

/// Whether an SPDX expression holds when only `allowed` licences count. Old manifests write `/` for `OR`.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = any_of(&mut words, allowed);
    holds == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[&str]) -> Option<bool> {
    let mut holds = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        holds |= all_of(words, allowed)?;
    }
    Some(holds)
}

fn all_of(words: &mut Words<'_>, allowed: &[&str]) -> Option<bool> {
    let mut holds = true;
    loop {
        holds &= match words.next()? {
            "(" => {
                let inner = any_of(words, allowed)?;
                words.next_if_eq(&")")?;
                inner
            }
            name if words.next_if_eq(&"WITH").is_some() => {
                let exception = words.next()?;
                allowed.contains(&format!("{name} WITH {exception}").as_str())
            }
            name => allowed.contains(&name),
        };
        if words.next_if_eq(&"AND").is_none() {
            return Some(holds);
        }
    }
}

fn source(rules: &toml::Table, package: &Value) -> Check {
    let Some(source) = package["source"].as_str() else { return Ok(()) };
    let registries = strings(rules, "sources", "allow-registry");
    let known = registries.iter().any(|url| source.strip_prefix("registry+") == Some(url));
    if known { Ok(()) } else { Err(format!("comes from `{source}`, which deny.toml does not allow")) }
}

/// A ban with `wrappers` lets those use the crate, and nobody else.
fn ban(rules: &toml::Table, metadata: &Value, package: &Value) -> Check {
    let bans = rules.get("bans").and_then(|t| t.get("deny")).and_then(toml::Value::as_array);
    for ban in bans.into_iter().flatten() {
        if ban.get("crate").and_then(toml::Value::as_str) == package["name"].as_str() {
            let reason = ban.get("reason").and_then(toml::Value::as_str).unwrap_or("see deny.toml");
            let wrappers = ban.get("wrappers").and_then(toml::Value::as_array);
            let wrappers: Vec<&str> = wrappers.into_iter().flatten().filter_map(toml::Value::as_str).collect();
            let users = users(metadata, text_of(package, "id"));
            match users.iter().find(|user| !wrappers.contains(user)) {
                None if !users.is_empty() => {}
                Some(user) if !wrappers.is_empty() => return Err(format!("is banned, and {user} uses it: {reason}")),
                _ => return Err(format!("is banned: {reason}")),
            }
        }
    }
    Ok(())
}

/// The names of those that depend on a package themselves, for whatever.
fn users<'a>(metadata: &'a Value, id: &str) -> BTreeSet<&'a str> {
    let list = |value: &'a Value| value.as_array().map_or(&[][..], Vec::as_slice);
    let nodes = list(&metadata["resolve"]["nodes"]).iter();
    let users = nodes.filter(|node| list(&node["deps"]).iter().any(|dep| text_of(dep, "pkg") == id));
    let ids: BTreeSet<&str> = users.map(|node| text_of(node, "id")).collect();
    list(&metadata["packages"]).iter().filter(|p| ids.contains(text_of(p, "id"))).map(|p| text_of(p, "name")).collect()
}

/// The names of everything that `top` links, not counting what only its tests use.
fn tree<'a>(metadata: &'a Value, top: &str) -> BTreeSet<&'a str> {
    let list = |value: &'a Value| value.as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeMap<&str, &str> =
        list(&metadata["packages"]).iter().map(|p| (text_of(p, "id"), text_of(p, "name"))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).iter().map(|n| (text_of(n, "id"), n)).collect();
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = names.iter().filter(|(_, name)| **name == top).map(|(id, _)| *id).collect();
    while let Some(id) = next.pop() {
        let Some(node) = nodes.get(id) else { continue };
        for dep in list(&node["deps"]) {
            let linked = list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let name = names.get(text_of(dep, "pkg")).copied().unwrap_or_default();
            if linked && found.insert(name) {
                next.push(text_of(dep, "pkg"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_crate_is_for_its_wrappers_alone() {
        let metadata = serde_json::json!({
            "packages": [{"id": "1", "name": "regex"}, {"id": "2", "name": "criterion"}, {"id": "3", "name": "jail"}],
            "resolve": {"nodes": [
                {"id": "1", "deps": []}, {"id": "2", "deps": [{"pkg": "1"}]}, {"id": "3", "deps": [{"pkg": "1"}]},
            ]},
        });
        let banned = |wrappers: &str| {
            let rules = format!("[bans]\ndeny = [{{ crate = \"regex\", wrappers = [{wrappers}], reason = \"no\" }}]");
            ban(&rules.parse().unwrap(), &metadata, &metadata["packages"][0])
        };
        assert_eq!(banned(""), Err("is banned: no".to_owned()));
        assert_eq!(banned("\"criterion\""), Err("is banned, and jail uses it: no".to_owned()));
        assert_eq!(banned("\"criterion\", \"jail\""), Ok(()));
    }

    #[test]
    fn licences_are_read_as_expressions() {
        let allowed = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(satisfied(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT MIT", "Apache-2.0", "MIT OR", "GPL-3.0 WITH MIT"] {
            assert!(!satisfied(bad, &allowed), "{bad}");
        }
    }
}
