//! Any number for any limit: taken as it is, or refused with the right code at the right field.
use proptest::prelude::*;

use super::*;
use crate::{Caps, ExecutionRequest, Problem};

fn asked(limit: LimitName, number: &str) -> Result<LimitsRequest, Problem> {
    let body = format!(r#"{{"language": "c", "source": "", "limits": {{"{limit}": {number}}}}}"#);
    ExecutionRequest::from_json(body.as_bytes(), &Caps::default()).map(|request| request.limits)
}

fn value(limits: &LimitsRequest, limit: LimitName) -> Option<u64> {
    match limit {
        LimitName::CpuTimeMs => limits.cpu_time_ms,
        LimitName::WallTimeMs => limits.wall_time_ms,
        LimitName::MemoryBytes => limits.memory_bytes,
        LimitName::Processes => limits.processes,
        LimitName::Cpus => None,
        LimitName::OutputBytes => limits.output_bytes,
        LimitName::FileBytes => limits.file_bytes,
        LimitName::DiskBytes => limits.disk_bytes,
        LimitName::OpenFiles => limits.open_files,
        LimitName::StackBytes => limits.stack_bytes,
    }
}

fn whole_limit() -> impl Strategy<Value = LimitName> {
    prop::sample::select(LimitName::ALL.into_iter().filter(|limit| *limit != LimitName::Cpus).collect::<Vec<_>>())
}

fn around(edge: i128) -> impl Strategy<Value = i128> {
    edge - 3..=edge + 3
}

proptest! {
    #[test]
    fn whole_numbers_are_taken_from_one_up(
        limit in whole_limit(),
        number in prop_oneof![any::<i128>(), any::<i64>().prop_map(i128::from), around(0), around(1 << 53), around(1 << 63)],
    ) {
        match asked(limit, &number.to_string()) {
            Ok(limits) => {
                prop_assert_eq!(value(&limits, limit).map(i128::from), Some(number));
                prop_assert!(number >= 1);
            }
            Err(problem) => {
                prop_assert_eq!(problem.field, Some(format!("/limits/{limit}")));
                let low = problem.code == Code::LimitTooLow && number < 1;
                prop_assert!(low || problem.code == Code::LimitAboveCeiling && number > i128::from(u64::MAX), "{}", problem.code);
            }
        }
    }

    #[test]
    fn fractions_are_no_whole_numbers(limit in whole_limit(), number in prop::num::f64::NORMAL) {
        let problem = asked(limit, &format!("{number:e}")).unwrap_err();
        let code = match number {
            low if low < 0.0 => Code::LimitTooLow,
            high if high >= TWO_TO_64 => Code::LimitAboveCeiling,
            _ => Code::InvalidRequest,
        };
        prop_assert_eq!((problem.code, problem.field), (code, Some(format!("/limits/{limit}"))));
    }

    #[test]
    fn shares_of_cores_are_taken_from_a_tenth_up(number in prop_oneof![prop::num::f64::NORMAL, 0.0..2.0, -1.0..0.2]) {
        match asked(LimitName::Cpus, &format!("{number:?}")) {
            // What JSON says in decimal is read to the nearest double.
            Ok(limits) => prop_assert!(number >= CPUS_MIN && limits.cpus.is_some_and(|cpus| (cpus / number - 1.0).abs() < 1e-15)),
            Err(problem) => {
                prop_assert!(number < CPUS_MIN, "{problem}");
                prop_assert_eq!((problem.code, problem.field.as_deref()), (Code::LimitTooLow, Some("/limits/cpus")));
            }
        }
    }
}
