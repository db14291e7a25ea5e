//! The ten limits of both steps: zero, negative, a fraction, another type, too large for anything, one above the
//! ceiling and one below the floor are refused; null, the floor and the ceiling are not.

use api_spec::LimitName;
use serde_json::{Value, json};

use crate::common::Rig;
use crate::{Bad, step, validated};

/// The field in the body and in the document for each limit of a step.
const FIELDS: [(&str, &str, [&str; 10]); 2] = [
    (
        "limits",
        "run",
        [
            "/limits/cpu_time_ms",
            "/limits/wall_time_ms",
            "/limits/memory_bytes",
            "/limits/processes",
            "/limits/cpus",
            "/limits/output_bytes",
            "/limits/file_bytes",
            "/limits/disk_bytes",
            "/limits/open_files",
            "/limits/stack_bytes",
        ],
    ),
    (
        "compile_limits",
        "compile",
        [
            "/compile_limits/cpu_time_ms",
            "/compile_limits/wall_time_ms",
            "/compile_limits/memory_bytes",
            "/compile_limits/processes",
            "/compile_limits/cpus",
            "/compile_limits/output_bytes",
            "/compile_limits/file_bytes",
            "/compile_limits/disk_bytes",
            "/compile_limits/open_files",
            "/compile_limits/stack_bytes",
        ],
    ),
];

fn request(set: &str, limit: LimitName, value: &Value) -> Value {
    json!({"language": "c", "source": "say x", set: {limit.name(): value}})
}

/// Of every limit, every kind of bad value.
pub fn rows(rig: &Rig) -> Vec<Bad> {
    let mut rows = Vec::new();
    for (set, step_name, fields) in FIELDS {
        let bounds = step(rig, "c", step_name);
        for (limit, field) in LimitName::ALL.into_iter().zip(fields) {
            assert!(field.ends_with(limit.name()), "{field} is {limit}");
            let (floor, ceiling) = (&bounds["floors"][limit.name()], &bounds["ceilings"][limit.name()]);
            let kinds = if limit == LimitName::Cpus { cores(floor, ceiling) } else { whole(floor, ceiling) };
            rows.extend(kinds.into_iter().map(|(value, code, says, remedy)| Bad {
                field,
                body: request(set, limit, &value),
                code,
                pointer: field.to_owned(),
                says: says.into_iter().chain([limit.name().to_owned()]).collect(),
                remedy,
            }));
        }
    }
    rows
}

/// Value, code, what the detail says, what the remedy says.
type Kind = (Value, &'static str, Vec<String>, String);

const LOW: &str = "limit_too_low";
const HIGH: &str = "limit_above_ceiling";
const WRONG: &str = "invalid_request";

fn kind(value: Value, code: &'static str, bound: &str) -> Kind {
    // Text stands in the detail as it does in JSON; lists and objects are named by their type.
    let said = match &value {
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
        other => other.to_string(),
    };
    let remedy = match code {
        LOW => "Raise",
        HIGH => "to the named ceiling",
        _ => "/openapi.json has every field with its type",
    };
    (value, code, vec![said, bound.to_owned()], remedy.to_owned())
}

fn of_other_types(expected: &str) -> Vec<Kind> {
    let values = [json!("5"), json!(true), json!([5]), json!({"value": 5})];
    values.into_iter().map(|value| kind(value, WRONG, expected)).collect()
}

fn whole(floor: &Value, ceiling: &Value) -> Vec<Kind> {
    let (floor, ceiling) = (floor.as_u64().unwrap(), ceiling.as_u64().unwrap());
    let mut kinds = of_other_types("a whole number from 1 up");
    kinds.extend([json!(0), json!(-1), json!(i64::MIN), json!(-1.5)].map(|value| kind(value, LOW, "the least is 1")));
    kinds.extend([json!(1.5), json!(1000.0)].map(|value| kind(value, WRONG, "a whole number from 1 up")));
    let says = vec![format!("1{} is asked for", "0".repeat(30)), "any ceiling can be; /v1/languages has".to_owned()];
    kinds.push((json!(1e30), HIGH, says, "to the named ceiling".to_owned()));
    for value in [ceiling + 1, u64::MAX] {
        let says = vec![value.to_string(), ceiling.to_string()];
        kinds.push((json!(value), HIGH, says, format!("at most {ceiling}")));
    }
    if floor > 1 {
        let says = vec![(floor - 1).to_string(), floor.to_string()];
        kinds.push((json!(floor - 1), LOW, says, format!("to {floor} or more")));
    }
    kinds
}

fn cores(floor: &Value, ceiling: &Value) -> Vec<Kind> {
    assert_eq!(*floor, json!(0.1));
    let ceiling = ceiling.as_f64().unwrap();
    let mut kinds = of_other_types("a number from 0.1 up");
    let low = [json!(0), json!(-1), json!(-0.5), json!(0.099), json!(0.05)];
    kinds.extend(low.map(|value| kind(value, LOW, "the least is 0.1")));
    kinds.push(kind(json!(u64::MAX), HIGH, "any ceiling"));
    for (value, said) in [(ceiling + 0.001, format!("{:.3}", ceiling + 0.001)), (4e9, "4000000000.0".to_owned())] {
        let says = vec![format!("cpus is {said}"), format!("the ceiling is {ceiling:?}")];
        kinds.push((json!(value), HIGH, says, format!("at most {ceiling:?}")));
    }
    kinds
}

#[test]
fn null_floor_and_ceiling_are_taken_as_they_are() {
    let rig = Rig::start();
    let usual = validated(&rig, &json!({"language": "c", "source": "say x"}));
    for (set, step_name, _) in FIELDS {
        let bounds = step(&rig, "c", step_name);
        for limit in LimitName::ALL {
            let name = limit.name();
            assert_eq!(validated(&rig, &request(set, limit, &Value::Null)), usual, "{name}: null");
            for bound in ["floors", "ceilings"] {
                let value = &bounds[bound][name];
                let valid = validated(&rig, &request(set, limit, value));
                assert_eq!(valid[set][name], *value, "{set}: {name} at its {bound}");
                // No other one follows it, but the stack, which is as large as the memory.
                for other in LimitName::ALL.into_iter().filter(|other| *other != limit) {
                    let follows = limit == LimitName::MemoryBytes && other == LimitName::StackBytes;
                    let expected = if follows { value } else { &usual[set][other.name()] };
                    assert_eq!(valid[set][other.name()], *expected, "{set}: {other} with {name} at its {bound}");
                }
            }
        }
    }
}
