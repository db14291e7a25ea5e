use proptest::prelude::*;

use super::*;

fn run(test: usize, failed: Option<&'static str>, share: f64) -> Run<&'static str> {
    Run { test, repeat: 1, failed, share }
}

fn test(points: f64, group: Option<usize>) -> Test {
    Test { points, group }
}

/// Every run could be judged.
fn nobody<V>(_: &V) -> bool {
    false
}

#[test]
fn each_rule_counts_its_group() {
    let tests = [test(10.0, Some(0)), test(30.0, Some(0)), test(5.0, None)];
    let runs = [run(0, None, 1.0), run(1, Some("wrong"), 0.5), run(2, None, 1.0)];
    for (rule, points) in [(Rule::All, 0.0), (Rule::Sum, 25.0), (Rule::Min, 20.0)] {
        let score = submission(&tests, &[rule], &runs, nobody);
        assert_eq!((score.points, score.max_points), (points + 5.0, 45.0), "{rule:?}");
        assert_eq!(score.groups, [points]);
        assert_eq!(score.verdict, Verdict::Partial);
    }
}

#[test]
fn a_test_of_no_points_holds_its_group_back() {
    let tests = [test(0.0, Some(0)), test(10.0, Some(0))];
    for (rule, points) in [(Rule::All, 0.0), (Rule::Sum, 10.0), (Rule::Min, 0.0)] {
        let score = submission(&tests, &[rule], &[run(0, Some("wrong"), 1.0), run(1, None, 1.0)], nobody);
        assert_eq!(score.points, points, "{rule:?}");
        // All points are no part of them.
        assert_eq!(score.verdict, Verdict::Failed("wrong"));
    }
}

#[test]
fn the_first_failure_in_the_order_of_the_tests_is_told() {
    let tests = [test(0.0, None), test(0.0, None), test(0.0, None)];
    let runs = [run(2, Some("late"), 0.0), run(1, Some("first"), 0.0), run(0, None, 1.0)];
    assert_eq!(submission(&tests, &[], &runs, nobody).verdict, Verdict::Failed("first"));
    assert_eq!(submission::<&str>(&tests, &[], &[], nobody).points, 0.0);
}

#[test]
fn the_least_of_the_repeated_runs_counts() {
    let tests = [test(10.0, None)];
    let repeated = |repeat, failed, share| Run { test: 0, repeat, failed, share };
    let runs = [repeated(3, Some("late"), 0.2), repeated(2, Some("early"), 0.5), repeated(1, None, 1.0)];
    let score = submission(&tests, &[], &runs, nobody);
    assert_eq!((score.points, score.verdict), (2.0, Verdict::Partial));
    let runs = [repeated(2, Some("early"), 0.0), repeated(1, None, 1.0)];
    assert_eq!(submission(&tests, &[], &runs, nobody).verdict, Verdict::Failed("early"));
}

#[test]
fn what_could_not_be_judged_is_not_partial() {
    let tests = [test(10.0, None), test(10.0, None), test(10.0, None)];
    let verdict =
        |runs: &[Run<&'static str>]| submission(&tests, &[], runs, |failed| failed.starts_with("our")).verdict;
    let crashes = [run(0, None, 1.0), run(2, Some("our own"), 0.0), run(1, Some("our checker"), 0.0)];
    assert_eq!(verdict(&crashes), Verdict::Failed("our checker"));
    let both = [run(0, None, 1.0), run(1, Some("wrong"), 0.0), run(2, Some("our checker"), 0.0)];
    assert_eq!(verdict(&both), Verdict::Failed("our checker"), "though another has failed before");
    // Without points it is the first that is not accepted, as always.
    let none = [run(0, Some("wrong"), 0.0), run(1, Some("our checker"), 0.0)];
    assert_eq!(verdict(&none), Verdict::Failed("wrong"));
    let mut twice = both.clone();
    twice[2] = Run { test: 1, repeat: 2, failed: Some("our checker"), share: 0.0 };
    assert_eq!(verdict(&twice), Verdict::Failed("our checker"), "of a repeated run as well");
    assert_eq!(verdict(&both[..2]), Verdict::Partial);
}

#[test]
fn no_share_makes_what_is_no_number() {
    let tests = [test(1.0, None)];
    for (of, points) in [(f64::NAN, 0.0_f64), (-1.0, 0.0), (-0.0, 0.0), (f64::INFINITY, 1.0), (2.0, 1.0)] {
        let score = submission(&tests, &[], &[run(0, Some("wrong"), of)], nobody);
        assert_eq!(score.points.to_bits(), points.to_bits(), "{of}");
    }
}

const RULES: [Rule; 3] = [Rule::All, Rule::Sum, Rule::Min];

fn worth() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(0.1), Just(1e9), Just(f64::MIN_POSITIVE), 0.0..100.0]
}

/// Tests, groups, and two runs of each test.
fn graded() -> impl Strategy<Value = (Vec<Test>, Vec<Rule>, Vec<Run<usize>>)> {
    let rules = prop::collection::vec(prop::sample::select(&RULES[..]), 1..4);
    let run = (prop::bool::ANY, -0.5..1.5_f64);
    let tests = prop::collection::vec((worth(), prop::option::of(0..4_usize), [run.clone(), run]), 1..12);
    (rules, tests).prop_map(|(rules, tests)| {
        let runs = tests.iter().enumerate().flat_map(|(test, (_, _, runs))| {
            [1, 2].into_iter().zip(runs).map(move |(repeat, (accepted, share))| {
                let at = 2 * test + usize::from(repeat == 2);
                Run { test, repeat, failed: (!accepted).then_some(at), share: *share }
            })
        });
        let runs = runs.collect();
        let group = |group: Option<usize>| group.map(|group| group % rules.len());
        let tests = tests.iter().map(|(points, of, _)| Test { points: *points, group: group(*of) }).collect();
        (tests, rules, runs)
    })
}

proptest! {
    #[test]
    fn points_lie_between_none_and_all((tests, rules, runs) in graded()) {
        let score = submission(&tests, &rules, &runs, nobody);
        prop_assert!(score.points.is_finite() && score.points.is_sign_positive());
        prop_assert!(score.points <= score.max_points, "{score:?}");
        prop_assert_eq!(score.max_points, max_points(&tests));
    }

    #[test]
    fn all_accepted_is_exactly_all((tests, rules, runs) in graded()) {
        let runs: Vec<_> = runs.into_iter().map(|run| Run { failed: None, ..run }).collect();
        let score = submission(&tests, &rules, &runs, nobody);
        prop_assert_eq!(score.points.to_bits(), score.max_points.to_bits());
        prop_assert_eq!(score.verdict, Verdict::Accepted);
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        ((tests, rules, runs), shuffled) in graded().prop_flat_map(|graded| {
            let runs = graded.2.clone();
            (Just(graded), Just(runs).prop_shuffle())
        })
    ) {
        prop_assert_eq!(submission(&tests, &rules, &runs, nobody), submission(&tests, &rules, &shuffled, nobody));
    }

    #[test]
    fn a_better_run_never_costs_points((tests, rules, runs) in graded(), which: prop::sample::Index, share in 0.0..1.0) {
        let before = submission(&tests, &rules, &runs, nobody);
        let at = which.index(runs.len());
        for failed in [None, runs[at].failed] {
            let mut better = runs.clone();
            better[at] = Run { failed, share: better[at].share.max(share), ..better[at] };
            prop_assert!(submission(&tests, &rules, &better, nobody).points >= before.points);
        }
    }

    #[test]
    fn accepted_means_every_run((tests, rules, runs) in graded()) {
        let score = submission(&tests, &rules, &runs, nobody);
        prop_assert_eq!(score.verdict == Verdict::Accepted, runs.iter().all(|run| run.failed.is_none()));
        if let Verdict::Failed(at) = score.verdict {
            prop_assert_eq!(Some(at), runs.iter().position(|run| run.failed.is_some()));
        }
    }
}
