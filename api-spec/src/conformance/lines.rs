//! Answers that are many pieces of JSON: lines, and server-sent events.

use serde_json::{Value, json};

use super::{DOCUMENT, schema};

/// Each line is one value of the schema, and ended.
pub(super) fn check_lines(schema: &'static Value, text: &str) -> Result<(), String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line is not ended".to_owned());
    }
    let mut seqs = Order::default();
    text.lines().enumerate().try_for_each(|(index, line)| {
        let value = piece(schema, line).map_err(|why| format!("line {}: {why}", index + 1))?;
        seqs.next(&value)
    })
}

/// Each event has a known name, data of its schema, and an id that is a number; `finished` is the last. A stream that was
/// cut off may end within an event: what has not come whole is nothing, as for every client.
pub(super) fn check_events(content: &'static Value, text: &str) -> Result<(), String> {
    let mut seqs = Order::default();
    let mut finished = false;
    let blocks: Vec<&str> = text.split("\n\n").collect();
    for block in blocks.iter().take(blocks.len().saturating_sub(1)) {
        let (mut name, mut data, mut id) = (None, None, None);
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            match line.split_once(": ") {
                Some(("event", value)) => name = Some(value),
                Some(("data", value)) => data = Some(value),
                Some(("id", value)) => id = Some(value),
                Some(("retry", value)) if value.parse::<u64>().is_ok() => {}
                _ => return Err(format!("{line:?} is no line of an event")),
            }
        }
        let (Some(name), Some(data)) = (name, data) else {
            match (name, data) {
                (None, None) => continue,
                _ => return Err(format!("{block:?} has not both event and data")),
            }
        };
        if finished {
            return Err(format!("{name} comes after finished"));
        }
        finished = name == "finished";
        let schemas = &content["x-event-schemas"];
        let schema = schemas.get(name).ok_or_else(|| format!("the event {name:?} is not documented"))?;
        let event = json!({"event": name, "id": id.unwrap_or_default(), "data": data});
        schema::check(&DOCUMENT, &content["schema"], &event)?;
        let value = piece(schema, data).map_err(|why| format!("event {name}: {why}"))?;
        let id = id.and_then(|id| id.parse::<u64>().ok());
        if name == "result" {
            seqs.next(&value)?;
            if value["seq"].as_u64() != id {
                return Err(format!("the result {} has the id {}", value["seq"], event["id"]));
            }
        }
    }
    Ok(())
}

fn piece(schema: &'static Value, text: &str) -> Result<Value, String> {
    let value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    schema::check(&DOCUMENT, schema, &value)?;
    Ok(value)
}

/// Numbers of results come one after the other, without gaps.
#[derive(Default)]
struct Order(Option<u64>);

impl Order {
    fn next(&mut self, value: &Value) -> Result<(), String> {
        let seq = value["seq"].as_u64();
        match (self.0, seq) {
            (Some(last), Some(seq)) if seq != last + 1 => Err(format!("the result {seq} comes after {last}")),
            _ => {
                self.0 = seq;
                Ok(())
            }
        }
    }
}
