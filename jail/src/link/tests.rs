//! Every message there and back, and every lie that a test can think of.
use super::*;
use crate::inventory::{Held, StockCount};
use crate::spec::{Attempts, Bytes, Collected, Micros, Millis, Outcome, PeakSource, Usage};

fn limits() -> Limits {
    Limits {
        cpu_time: Millis(1),
        wall_time: Millis(2),
        memory: Bytes(3),
        processes: 4,
        cpus_milli: 500,
        file: Bytes(6),
        disk: Bytes(7),
        open_files: 8,
        stack: Bytes(9),
    }
}

fn order() -> Request {
    let profile = ProfileName::new(&"x".repeat(PROFILE_BYTES)).unwrap();
    Request::Order(Order { id: RunId(7), profile, limits: limits(), has_artifact: true, collects: false, aside: true })
}

fn ended() -> Report {
    Report::Ended(Ended {
        id: RunId(u64::MAX),
        outcome: Outcome::Failed { step: 3, errno: -1, index: 9 },
        stop: Some(StopReason::Gone),
        filter_killed: true,
        attempts: Attempts::all_different(),
        usage: Usage {
            cpu: Micros(1),
            user: Micros(2),
            system: Micros(3),
            wall: Micros(4),
            memory_peak: Bytes(5),
            memory_peak_source: PeakSource::Sampled,
            processes_peak: 6,
            throttled: Micros(7),
            involuntary_switches: 8,
            oom_kills: 9,
            processes_hit: true,
            disk_hit: true,
        },
        setup: Micros(10),
        collected: Collected::Cut,
        layers: Layers::all(),
    })
}

fn inventory() -> Report {
    let of = |inventory: Inventory, what: Held| inventory.with(what, (what != Held::Slab).then_some(u64::MAX));
    let stock = StockCount { armed: 1, taken: 2, made_on_the_spot: 3, refills: 4, refill_us: u64::MAX, held_back: 6 };
    Report::Inventory(Held::ALL.into_iter().fold(Inventory { stock, ..Inventory::default() }, of))
}

#[test]
fn every_message_survives_the_way() {
    for request in [order(), Request::Stop { id: RunId(1), why: StopReason::Gone }, Request::Inventory] {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    let welcome = Welcome {
        wanted: Layers::all(),
        obtained: Layers::default(),
        cgroup: CgroupVersion::V2,
        landlock_abi: 7,
        slots: 2,
        ceiling: limits(),
        pinned_cpus: 1,
    };
    let refused = Report::Refused { id: RunId(2), why: Refusal::Broken };
    for report in [Report::Welcome(welcome), refused, ended(), inventory()] {
        assert_eq!(Report::decode(&report.encode()), Ok(report));
    }
}

#[test]
fn no_byte_can_be_changed_into_a_panic() {
    for message in [order().encode(), ended().encode(), inventory().encode()] {
        for at in 0..MESSAGE_BYTES {
            for byte in 0..=u8::MAX {
                let mut lie = message;
                lie[at] = byte;
                if let Ok(request) = Request::decode(&lie) {
                    assert_eq!(request.encode(), lie, "what is accepted is what would be written");
                }
                if let Ok(report) = Report::decode(&lie) {
                    assert_eq!(report.encode(), lie, "what is accepted is what would be written");
                }
            }
        }
        for length in 0..MESSAGE_BYTES {
            assert_eq!(Request::decode(&message[..length]), Err(DecodeError::Length(length)));
        }
    }
}

#[test]
fn names_of_profiles_are_plain() {
    for bad in ["", "A", "a b", "a\0", "ä", &"x".repeat(PROFILE_BYTES + 1)] {
        assert_eq!(ProfileName::new(bad), None, "{bad:?}");
    }
}
