//! Whether a series of numbers stays flat: the question of a soak, as a pure function.
//!
//! The first tenth of the runs is warm-up and is left out: caches fill, lazily made things are made. Of the rest two
//! figures must both stay within a bound. *Growth* is the slope, as the median of the slopes between all pairs of
//! samples (Theil and Sen: single outliers do not bend it), times the runs. *Rise* is the median of the last tenth of
//! the samples less the median of the first tenth: it sees a step that a slope would smooth over. Only upwards: what
//! shrinks does not leak.

/// Fewer samples than this after the warm-up say nothing.
pub const SAMPLES: usize = 8;
/// The part of the runs that is warm-up.
const WARM_UP: f64 = 0.1;

/// What a series came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The first sample after the warm-up.
    pub begin: f64,
    /// The last sample.
    pub end: f64,
    /// The smallest after the warm-up.
    pub least: f64,
    /// The largest after the warm-up.
    pub most: f64,
    /// Per 1,000 runs.
    pub slope: f64,
    /// The slope over all runs after the warm-up.
    pub growth: f64,
    /// From the first tenth to the last.
    pub rise: f64,
}

impl Trend {
    /// Whether it stays within `bound`.
    pub fn is_flat(&self, bound: f64) -> bool {
        self.growth <= bound && self.rise <= bound
    }
}

/// Judges samples of (runs so far, number). `None` when there are too few.
pub fn of(samples: &[(f64, f64)]) -> Option<Trend> {
    let (first, last) = (samples.first()?.0, samples.last()?.0);
    let begin = first + (last - first) * WARM_UP;
    let kept: Vec<(f64, f64)> = samples.iter().copied().filter(|(at, _)| *at >= begin).collect();
    if kept.len() < SAMPLES {
        return None;
    }
    let pairs = kept.iter().enumerate().flat_map(|(n, a)| kept[n + 1..].iter().map(move |b| (a, b)));
    let slope = median(pairs.filter(|(a, b)| b.0 > a.0).map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect())?;
    let numbers: Vec<f64> = kept.iter().map(|(_, number)| *number).collect();
    let tenth = (numbers.len() / 10).max(3);
    let rise = median(numbers[numbers.len() - tenth..].to_vec())? - median(numbers[..tenth].to_vec())?;
    Some(Trend {
        begin: numbers[0],
        end: numbers[numbers.len() - 1],
        least: numbers.iter().copied().fold(f64::INFINITY, f64::min),
        most: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        slope: slope * 1000.0,
        growth: slope * (kept[kept.len() - 1].0 - kept[0].0),
        rise,
    })
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
        _ => Some(numbers[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::mix::Dice;

    /// 60 samples of 10,000 runs.
    fn series(of: impl Fn(f64, &mut Dice) -> f64) -> Vec<(f64, f64)> {
        let mut dice = Dice::new(7);
        (0..60).map(|n| f64::from(n) * 10_000.0 / 59.0).map(|at| (at, of(at, &mut dice))).collect()
    }

    /// From -most to most.
    fn noise(dice: &mut Dice, most: u32) -> f64 {
        f64::from(u32::try_from(dice.below(u64::from(2 * most + 1))).unwrap()) - f64::from(most)
    }

    #[test]
    fn flat_with_noise_and_outliers_is_flat() {
        let trend = of(&series(|_, dice| 40.0 + noise(dice, 3))).unwrap();
        assert!(trend.is_flat(4.0), "{trend:?}");
        let spikes = |_, dice: &mut Dice| if dice.below(12) == 0 { 400.0 } else { 40.0 + noise(dice, 1) };
        let trend = of(&series(spikes)).unwrap();
        assert!(trend.is_flat(4.0) && trend.most > 399.0, "{trend:?}");
    }

    #[test]
    fn a_descriptor_in_500_runs_is_found() {
        let trend = of(&series(|at, dice| 40.0 + (at / 500.0).floor() + noise(dice, 3))).unwrap();
        assert!(!trend.is_flat(8.0), "{trend:?}");
        assert!((1.7..2.3).contains(&trend.slope) && (15.0..21.0).contains(&trend.growth), "{trend:?}");
    }

    #[test]
    fn a_step_late_in_the_runs_is_found() {
        // Half of all pairs of samples say nothing of it: the slope alone would miss it.
        let trend = of(&series(|at, dice| if at > 8_000.0 { 60.0 } else { 40.0 } + noise(dice, 1))).unwrap();
        assert!(trend.growth <= 8.0 && !trend.is_flat(8.0), "{trend:?}");
    }

    #[test]
    fn what_grows_in_the_warm_up_or_shrinks_is_flat() {
        let warm = of(&series(|at, _| at.min(900.0))).unwrap();
        assert!(warm.is_flat(0.0), "{warm:?}");
        let shrinks = of(&series(|at, _| 10_000.0 - at)).unwrap();
        assert!(shrinks.is_flat(0.0) && shrinks.slope < -900.0, "{shrinks:?}");
    }

    #[test]
    fn few_samples_say_nothing() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0.0, 1.0); 7]), None);
        // As many as there must be, at one and the same run.
        assert_eq!(of(&[(0.0, 1.0); 20]), None);
    }
}
