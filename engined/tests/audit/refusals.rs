//! Refused requests don't fill the journal, where the audit may be as well.

use std::time::Instant;

use serde_json::Value;

use crate::place::{Place, TENANTS, call};

/// Far more than a tenant has lines for at once.
const FLOOD: u64 = 300;
const AT_ONCE: u64 = 100;

#[test]
fn a_flood_of_refused_requests_is_counted_and_not_written() {
    let place = Place::new("[log]\nformat = \"json\"\n");
    let engine = place.start();
    let by = |tenant: &str| format!("Authorization: Bearer {tenant}\r\n");
    let began = Instant::now();
    for _ in 0..FLOOD {
        assert_eq!(call(&engine.address, "GET", "/metrics", &by(TENANTS[0]), "").unwrap().status, 403);
        assert_eq!(call(&engine.address, "POST", "/healthz", "", "").unwrap().status, 405);
    }
    // However long that took: one more a second.
    let most = AT_ONCE + began.elapsed().as_secs() + 1;
    assert_eq!(call(&engine.address, "GET", "/metrics", &by(TENANTS[1]), "").unwrap().status, 403);
    engine.stop();
    let log: Vec<Value> = place.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |tenant: Option<&str>| {
        let lines = log.iter().filter(|line| line["tenant"].as_str() == tenant);
        let (mut told, mut left_out) = (0, 0);
        for line in lines {
            told += u64::from(line["message"] == "problem");
            left_out += line["left_out"].as_u64().unwrap_or(0);
        }
        (told, left_out)
    };
    for flooding in [Some(TENANTS[0]), None] {
        let (told, left_out) = of(flooding);
        assert_eq!(told + left_out, FLOOD, "{flooding:?}: each is told or counted");
        assert!((AT_ONCE..=most).contains(&told), "{flooding:?}: {told} lines of {FLOOD}, at most {most}");
    }
    assert_eq!(of(Some(TENANTS[1])), (1, 0), "others have lines of their own");
}
