//! Limits, whatever is asked for: what is granted is what was asked, between floor and ceiling, or it is refused by name.
use std::sync::OnceLock;

use languages::Catalogue;
use proptest::prelude::*;

use super::*;

/// Around a value, where mistakes live, and anything.
fn near(value: u64) -> impl Strategy<Value = u64> {
    let least = value.saturating_sub(1).max(1);
    prop_oneof![least..=value.saturating_add(1), 1..=value.max(1), 1..=u64::MAX, (0..64_u32).prop_map(|bit| 1 << bit)]
}

fn asked(limit: LimitName) -> impl Strategy<Value = Option<u64>> {
    prop::option::weighted(0.3, near(Limits::contract(Kind::Run).get(limit)))
}

prop_compose! {
    /// As `api-spec` lets a request through: from 1 up.
    fn request()(
        cpu_time_ms in asked(LimitName::CpuTimeMs),
        wall_time_ms in asked(LimitName::WallTimeMs),
        memory_bytes in asked(LimitName::MemoryBytes),
        processes in asked(LimitName::Processes),
        cpus in prop::option::weighted(0.3, prop_oneof![0.1..4.0, 0.1..f64::MAX]),
        output_bytes in asked(LimitName::OutputBytes),
        file_bytes in asked(LimitName::FileBytes),
        disk_bytes in asked(LimitName::DiskBytes),
        open_files in asked(LimitName::OpenFiles),
        stack_bytes in asked(LimitName::StackBytes),
    ) -> LimitsRequest {
        LimitsRequest {
            cpu_time_ms, wall_time_ms, memory_bytes, processes, cpus, output_bytes, file_bytes, disk_bytes, open_files, stack_bytes,
        }
    }
}

/// Ceilings as an operator may set them.
fn ceiling() -> impl Strategy<Value = Limits> {
    const TIB: u64 = 1 << 40;
    const MIB: u64 = 1 << 20;
    let times = (1..=86_400_000_u64, 1..=86_400_000_u64);
    let counts = (1..=65_536_u64, 100..=1_024_000_u64, 8..=1_u64 << 20);
    let bytes = (MIB..=TIB, 1..=1_u64 << 30, 1..=TIB, 4096..=TIB, 65_536..=TIB);
    (times, counts, bytes).prop_map(|(times, counts, bytes)| Limits {
        cpu_time_ms: times.0,
        wall_time_ms: times.1,
        memory_bytes: bytes.0,
        processes: counts.0,
        cpus_milli: counts.1,
        output_bytes: bytes.1,
        file_bytes: bytes.2,
        disk_bytes: bytes.3,
        open_files: counts.2,
        stack_bytes: bytes.4,
    })
}

fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(Catalogue::builtin)
}

proptest! {
    #[test]
    fn limits_are_granted_as_asked_or_refused(
        asked in request(),
        ceiling in ceiling(),
        language in prop::sample::select(vec!["python", "javascript", "c", "cpp", "java"]),
        kind in prop::sample::select(vec![Kind::Run, Kind::Compile]),
    ) {
        let definition = catalogue().language(language).unwrap();
        let floors = definition.floors(kind);
        let set = limit_set(&asked);
        let above = LimitName::ALL.into_iter().find(|limit| set.get(*limit).is_some_and(|value| value > ceiling.get(*limit)));
        match limits_of(definition, kind, &asked, &ceiling) {
            Ok(granted) => {
                prop_assert_eq!(above, None);
                for limit in LimitName::ALL {
                    let value = granted.get(limit);
                    prop_assert!(value > 0 && value <= ceiling.get(limit) && value >= floors.get(limit).unwrap_or(1), "{limit}");
                    if let Some(asked) = set.get(limit) {
                        prop_assert_eq!(value, asked, "{}", limit);
                    }
                }
                if let Some(cpus) = asked.cpus {
                    let off = (cpus * 1000.0 - f64::from(u32::try_from(granted.cpus_milli).unwrap())).abs();
                    prop_assert!(off <= 0.5, "{cpus}");
                }
                // And jaild, with ceilings not below ours, takes them.
                let (enforced, most) = (enforced(&granted).unwrap(), enforced(&ceiling).unwrap());
                prop_assert_eq!(enforced.first_outside(&most), None);
            }
            Err(problem) => {
                let field = problem.field.clone().unwrap_or_default();
                let limit = LimitName::ALL.into_iter().find(|limit| field.ends_with(&format!("/{limit}")));
                prop_assert!(limit.is_some(), "{field}");
                match problem.code {
                    Code::LimitAboveCeiling => prop_assert_eq!(limit, above),
                    Code::LimitTooLow => {
                        let limit = limit.unwrap();
                        let floor = floors.get(limit).unwrap();
                        prop_assert!(above.is_none());
                        // What was asked for is too low, or the plan's own ceiling is, or it follows from the memory.
                        let low = set.get(limit).is_some_and(|value| value < floor) || ceiling.get(limit) < floor;
                        prop_assert!(low || limit == LimitName::StackBytes, "{problem}");
                    }
                    _ => prop_assert!(false, "{problem}"),
                }
            }
        }
    }

    #[test]
    fn lowering_takes_the_lesser_of_each(a in ceiling(), b in ceiling()) {
        let lesser = lowered(&a, &b);
        prop_assert_eq!(lesser, lowered(&b, &a));
        prop_assert_eq!(lowered(&lesser, &a), lesser);
        for limit in LimitName::ALL {
            prop_assert_eq!(lesser.get(limit), a.get(limit).min(b.get(limit)));
        }
    }

    #[test]
    fn shares_of_cores_are_rounded_and_never_wrap(cpus in any::<f64>()) {
        let value = milli(cpus);
        if cpus.is_nan() || cpus <= 0.0 {
            prop_assert_eq!(value, 0);
        } else if cpus >= 1e17 {
            prop_assert!(value > 1_024_000_000, "above every ceiling");
        }
    }
}
