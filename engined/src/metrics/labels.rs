//! Label values that are not known when the program is built: languages of manifests, plans of the configuration. They
//! come from operators alone, and there is an end to them all the same: whatever is one too many counts as `other`.

use std::sync::OnceLock;

/// What stands for everything that has no place of its own.
pub const OTHER: &str = "other";

/// A value, and what belongs to it.
type Place<T> = (Box<str>, T);

/// Something for each value of a label, found without a lock. A value that was seen once stays.
#[derive(Debug)]
pub struct Labels<T> {
    own: Box<[OnceLock<Place<T>>]>,
    other: OnceLock<T>,
}

impl<T> Labels<T> {
    /// Room for so many values.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Labels { own: (0..most).map(|_| OnceLock::new()).collect(), other: OnceLock::new() }
    }

    /// What belongs to `value`, or to all others together. `make` is told for which of them it makes something new.
    pub fn get(&self, value: &str, make: impl Fn(&str) -> T) -> &T {
        for place in &self.own {
            // Where two come at once with new values, one of them finds the place taken and goes on to the next.
            let (taken, found) = place.get_or_init(|| (value.into(), make(value)));
            if **taken == *value {
                return found;
            }
        }
        self.other.get_or_init(|| make(OTHER))
    }

    /// All that there is so far, the others last.
    pub fn known(&self) -> impl Iterator<Item = &T> {
        let own = self.own.iter().filter_map(|place| place.get().map(|(_, known)| known));
        own.chain(self.other.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_too_many_is_another() {
        let labels = Labels::new(2);
        let made = |value: &str| value.to_uppercase();
        for (value, is) in [("a", "A"), ("b", "B"), ("c", "OTHER"), ("a", "A"), ("d", "OTHER"), ("b", "B")] {
            assert_eq!(labels.get(value, made), is);
        }
        assert!(labels.known().eq(["A", "B", "OTHER"]));
    }

    #[test]
    fn many_at_once_share_one() {
        let labels = Labels::new(8);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let labels = &labels;
                scope.spawn(move || {
                    for round in 0..1000 {
                        let name = ["a", "b", "c", "d"][(thread + round) % 4];
                        labels.get(name, |_| AtomicUsize::new(0)).fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        for name in ["a", "b", "c", "d"] {
            assert_eq!(labels.get(name, |_| AtomicUsize::new(0)).load(Ordering::Relaxed), 2000, "{name}");
        }
        assert_eq!(labels.own.iter().filter(|place| place.get().is_some()).count(), 4);
    }
}
