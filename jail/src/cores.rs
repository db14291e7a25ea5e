//! Which CPUs a run may use: sets of them, how the machine groups them into cores, and who has which at the moment.
//!
//! Pinned runs do not share: [`Cores`] gives each run a set of its own for as long as it is under way, whichever slot or
//! armed sandbox it is in. Where the kernel is told of it is `cgroup/cpuset.rs`.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::{At, JailError, Step};

/// A set of CPUs (hardware threads), by the kernel's numbers. Shown as the kernel shows it: `0-2,5`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus(BTreeSet<usize>);

impl Cpus {
    /// Reads the kernel's form. `None` for anything else, for nothing, and for numbers that no mask holds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if first > last || last >= CpuSet::count() {
                return None;
            }
            cpus.extend(first..=last);
        }
        Some(Cpus(cpus))
    }

    /// Those that a process may use.
    ///
    /// # Errors
    /// When it is gone.
    pub fn of(pid: Pid) -> Result<Self, JailError> {
        let mask = sched_getaffinity(pid).on(Step::Cpus, format!("process {pid}"))?;
        Ok((0..CpuSet::count()).filter(|cpu| mask.is_set(*cpu).is_ok_and(|set| set)).collect())
    }

    /// Those that this process might use when it was first asked: it may have kept itself to fewer since then.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn allowed() -> Result<&'static Self, JailError> {
        static ALLOWED: OnceLock<Cpus> = OnceLock::new();
        match ALLOWED.get() {
            Some(cpus) => Ok(cpus),
            None => Cpus::of(Pid::from_raw(0)).map(|cpus| ALLOWED.get_or_init(|| cpus)),
        }
    }

    /// Keeps a process (0: this one) to them, and reads that back.
    ///
    /// # Errors
    /// When the kernel refuses, or has taken something else.
    pub fn keep(&self, pid: Pid) -> Result<(), JailError> {
        let mut mask = CpuSet::new();
        for cpu in &self.0 {
            mask.set(*cpu).on(Step::Cpus, format!("CPU {cpu}"))?;
        }
        sched_setaffinity(pid, &mask).on(Step::Cpus, format!("process {pid} on {self}"))?;
        let held = Cpus::of(pid)?;
        if held == *self {
            return Ok(());
        }
        Err(std::io::Error::other(format!("wanted {self}, it has {held}"))).on(Step::Cpus, format!("process {pid}"))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their numbers.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    /// Those of these that are not among `others`.
    #[must_use]
    pub fn without(&self, others: &Cpus) -> Self {
        self.0.difference(&others.0).copied().collect()
    }

    /// These and `others`.
    #[must_use]
    pub fn with(&self, others: &Cpus) -> Self {
        self.0.union(&others.0).copied().collect()
    }
}

impl FromIterator<usize> for Cpus {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        Cpus(numbers.into_iter().collect())
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for cpu in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        let shown = |(first, last): (usize, usize)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        f.write_str(&ranges.into_iter().map(shown).collect::<Vec<_>>().join(","))
    }
}

/// The CPUs that share a core with `cpu`, itself among them. A kernel that says nothing of it has no such siblings.
#[must_use]
pub fn siblings(cpu: usize) -> Cpus {
    siblings_below(Path::new("/sys/devices/system/cpu"), cpu)
}

fn siblings_below(folder: &Path, cpu: usize) -> Cpus {
    let file = folder.join(format!("cpu{cpu}/topology/thread_siblings_list"));
    let told = std::fs::read_to_string(file).ok().and_then(|text| Cpus::parse(&text));
    told.unwrap_or_default().with(&[cpu].into_iter().collect())
}

/// One CPU of each core of `cpus`, in order; `siblings` tells which share one.
#[must_use]
pub fn one_of_each_core(cpus: &Cpus, siblings: impl Fn(usize) -> Cpus) -> Vec<Cpus> {
    let mut taken = Cpus::default();
    let mut cores = Vec::new();
    for cpu in cpus.iter() {
        let one: Cpus = [cpu].into_iter().collect();
        if one.without(&taken).is_empty() {
            continue;
        }
        taken = taken.with(&siblings(cpu));
        cores.push(one);
    }
    cores
}

/// What the configuration comes to: the sets that runs get, and what is left for everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorePlan {
    /// One of these is a run's.
    pub sets: Vec<Cpus>,
    /// For the engine's own work; all that there are, when the sets leave none.
    pub rest: Cpus,
}

impl CorePlan {
    /// Leaves to the engine whatever shares no core with a set.
    #[must_use]
    pub fn new(sets: Vec<Cpus>, allowed: &Cpus, siblings: impl Fn(usize) -> Cpus) -> Self {
        let cores = sets.iter().flat_map(Cpus::iter).map(siblings);
        let taken = cores.fold(Cpus::default(), |all, core| all.with(&core));
        let rest = allowed.without(&taken);
        CorePlan { sets, rest: if rest.is_empty() { allowed.clone() } else { rest } }
    }

    /// How many CPUs every run has at least.
    #[must_use]
    pub fn least(&self) -> usize {
        self.sets.iter().map(Cpus::len).min().unwrap_or(0)
    }
}

/// The sets that no run has at the moment.
#[derive(Clone, Debug)]
pub struct Cores {
    /// First in, first out: what the last run has left on a core is gone when its turn comes again.
    free: Rc<RefCell<VecDeque<Cpus>>>,
    rest: Cpus,
}

impl Cores {
    /// All of them are free.
    #[must_use]
    pub fn new(plan: &CorePlan) -> Self {
        Cores { free: Rc::new(RefCell::new(plan.sets.iter().cloned().collect())), rest: plan.rest.clone() }
    }

    /// A set for a run, which has it until the lease is dropped. `None`: all are taken.
    #[must_use]
    pub fn take(&self) -> Option<Lease> {
        let cpus = self.free.borrow_mut().pop_front()?;
        Some(Lease { cpus, home: Some(Rc::clone(&self.free)) })
    }

    /// What is left, for a run that has no claim to a set.
    #[must_use]
    pub fn aside(&self) -> Lease {
        Lease { cpus: self.rest.clone(), home: None }
    }
}

/// A run's claim to its CPUs.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    cpus: Cpus,
    /// Where they go back to, when they are nobody else's.
    home: Option<Rc<RefCell<VecDeque<Cpus>>>>,
}

impl Lease {
    /// Which CPUs.
    #[must_use]
    pub fn cpus(&self) -> &Cpus {
        &self.cpus
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.borrow_mut().push_back(std::mem::take(&mut self.cpus));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(text: &str) -> Cpus {
        Cpus::parse(text).unwrap()
    }

    #[test]
    fn sets_are_read_and_shown_as_the_kernel_does() {
        for text in ["0", "0-1", "3,5-7", "0,2,4", "1023"] {
            assert_eq!(cpus(text).to_string(), text);
        }
        assert_eq!(cpus("2,0,1\n").to_string(), "0-2");
        for wrong in ["", "a", "1-0", "1,", "-1", "1024", "0-9999999"] {
            assert_eq!(Cpus::parse(wrong), None, "{wrong}");
        }
    }

    /// Numbered as on many machines: the second threads come after all first ones.
    fn pairs_of_four(cpu: usize) -> Cpus {
        [cpu % 4, cpu % 4 + 4].into_iter().collect()
    }

    #[test]
    fn a_core_is_given_once_and_its_other_thread_is_left_alone() {
        let allowed = cpus("0-7");
        let cores = one_of_each_core(&allowed, pairs_of_four);
        assert_eq!(cores, ["0", "1", "2", "3"].map(cpus));
        let plan = CorePlan::new(cores[1..].to_vec(), &allowed, pairs_of_four);
        assert_eq!((plan.rest.to_string(), plan.least()), ("0,4".to_owned(), 1));
        let all = CorePlan::new(cores, &allowed, pairs_of_four);
        assert_eq!(all.rest, allowed, "nothing is left over, so the engine goes where there is room");
        // A second thread is all that this process may use of the last core.
        assert_eq!(one_of_each_core(&cpus("0,1,4,7"), pairs_of_four), ["0", "1", "7"].map(cpus));
    }

    #[test]
    fn siblings_are_read_where_the_kernel_tells_them() {
        let folder = std::env::temp_dir().join(format!("engined-topology-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("cpu2/topology")).unwrap();
        std::fs::write(folder.join("cpu2/topology/thread_siblings_list"), "2,6\n").unwrap();
        assert_eq!(siblings_below(&folder, 2), cpus("2,6"));
        assert_eq!(siblings_below(&folder, 3), cpus("3"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_two_runs_have_a_core_at_once() {
        let plan = CorePlan { sets: ["1", "2-3"].map(cpus).to_vec(), rest: cpus("0") };
        let cores = Cores::new(&plan);
        let (first, second) = (cores.take().unwrap(), cores.take().unwrap());
        assert_eq!((first.cpus(), second.cpus()), (&cpus("1"), &cpus("2-3")));
        assert!(cores.take().is_none());
        assert_eq!(cores.aside().cpus(), &cpus("0"));
        assert!(cores.take().is_none(), "what was lent aside is no set");
        drop(second);
        assert_eq!(cores.take().unwrap().cpus(), &cpus("2-3"));
        drop(first);
        let again: Vec<Lease> = std::iter::from_fn(|| cores.take()).collect();
        assert_eq!(again.len(), 2);
    }

    #[test]
    fn a_process_is_kept_to_its_cpus() {
        let mine = Cpus::of(Pid::from_raw(0)).unwrap();
        assert!(!mine.is_empty() && Cpus::allowed().unwrap().without(&mine).is_empty());
        mine.keep(Pid::from_raw(0)).unwrap();
    }
}
