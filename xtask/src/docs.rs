//! Tests that the README says what the code does: the layers and the order of steps are told once, in `jail`.

use std::fs;

use jail::spec::Layer;
use jail::stage::ORDER;

/// The rows of the table between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, cell by cell, without its head.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(crate::build::root().join("README.md")).unwrap();
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let body = text.split_once(&begin).unwrap().1.split_once(&end).unwrap().0;
    let rows = body.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_readme_has_every_layer_in_order() {
    let told: Vec<String> = table("layers").into_iter().map(|mut row| row.swap_remove(0)).collect();
    let real: Vec<String> = Layer::ALL.iter().map(|layer| format!("`{}`", layer.name())).collect();
    assert_eq!(told, real, "mend the table between the markers `layers` in README.md");
}

#[test]
fn the_readme_has_every_step_in_order() {
    let steps = ORDER.iter().enumerate();
    let real: Vec<Vec<String>> =
        steps.map(|(n, (who, what))| vec![(n + 1).to_string(), (*who).to_owned(), (*what).to_owned()]).collect();
    let lines: Vec<String> = real.iter().map(|row| format!("| {} |", row.join(" | "))).collect();
    assert_eq!(
        table("order"),
        real,
        "the table between the markers `order` in README.md should be:\n{}",
        lines.join("\n")
    );
}
