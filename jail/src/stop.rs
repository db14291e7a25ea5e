//! Stop points: named places of a run's life at which a test can hold the process that comes there, to kill it, or
//! another, just then. Only in builds with the feature `test-hooks`; elsewhere [`stop_point!`](crate::stop_point) is
//! nothing at all.
//!
//! A test and everything that it watches share one page, a file that each program maps at its start (`attach`). It
//! goes through fork and into every namespace with the memory that it is part of, so that a spawner, an init and a
//! payload need neither a descriptor nor a path for it, and ends with `execve`; jaild's spawners attach it again. The test *arms* one point; the first
//! process that comes there *takes* it and waits until the test lets it go, or kills it. Whoever comes later passes.

/// Holds the process here when a test has asked for it.
#[macro_export]
macro_rules! stop_point {
    ($name:literal) => {
        #[cfg(feature = "test-hooks")]
        $crate::stop::point($name)
    };
}

#[cfg(feature = "test-hooks")]
pub use hooks::{ENVIRONMENT, POINTS, Page, attach, attached, environment, point};

#[cfg(feature = "test-hooks")]
mod hooks {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    use crate::sys;

    /// Every point, in the order in which an undisturbed run comes by. A test compares the list with the code.
    pub const POINTS: [&str; 59] = [
        "engined.received",
        "engined.queued",
        "engined.slot",
        "engined.prepared",
        "engined.ordered",
        "broker.ordered",
        "broker.queued",
        "broker.making",
        "spawner.asked",
        "spawner.cloned",
        "spawner.mapped",
        "init.born",
        "init.ids",
        "init.named",
        "init.mounted",
        "init.ruled",
        "init.confined",
        "init.cloned",
        "init.hidden",
        "payload.born",
        "payload.ids",
        "payload.confined",
        "payload.filtered",
        "init.armed",
        "broker.born",
        "broker.limited",
        "broker.commanded",
        "init.commanded",
        "init.passed",
        "payload.commanded",
        "payload.unpacked",
        "payload.starting",
        "init.started",
        "broker.started",
        "init.reaped",
        "init.alone",
        "init.over",
        "broker.over",
        "init.collected",
        "init.ended",
        "broker.reporting",
        "broker.reported",
        "engined.ended",
        "engined.drained",
        "engined.judged",
        "engined.answering",
        "broker.emptied",
        "broker.stocked",
        // When a slot is made anew.
        "broker.renewing",
        "spawner.entered",
        "spawner.built",
        // When what a compile has made is kept.
        "engined.keeping",
        // When a batch is judged.
        "engined.batch.leased",
        "engined.batch.compiling",
        "engined.batch.compiled",
        "engined.batch.unit_leased",
        "engined.batch.ran",
        "engined.batch.recorded",
        "engined.batch.submission_recorded",
    ];

    /// Names the file, in the environment of both programs.
    pub const ENVIRONMENT: &str = "ENGINED_TEST_STOPS";

    static PAGE: OnceLock<Page> = OnceLock::new();

    /// The page that test and tested share: the number of the point that is armed, then of the one that is taken; how many
    /// descriptors a broker may have, then an engine: nobody else could take them away from a process of another user.
    #[derive(Clone, Copy, Debug)]
    pub struct Page(&'static [AtomicU32; 4]);

    const ARMED: usize = 0;
    const TAKEN: usize = 1;
    const DESCRIPTORS: [(&str, usize); 2] = [("broker.", 2), ("engined.", 3)];

    impl Page {
        /// Maps the file, of at least sixteen bytes.
        ///
        /// # Errors
        /// That of `open(2)` or `mmap(2)`.
        pub fn open(path: &Path) -> std::io::Result<Self> {
            sys::shared_words(path).map(Page)
        }

        /// Whoever next comes to the point shall stop there. Lets go whoever stands anywhere.
        pub fn arm(self, name: &str) {
            self.release();
            self.0[ARMED].store(number(name), Ordering::SeqCst);
        }

        /// Whether somebody stands at the point.
        #[must_use]
        pub fn taken(self, name: &str) -> bool {
            self.0[TAKEN].load(Ordering::SeqCst) == number(name)
        }

        /// The broker, else the engine, takes this as its soft limit on descriptors at the next point of its own.
        pub fn limit_descriptors(self, broker: bool, most: u32) {
            self.0[DESCRIPTORS[usize::from(!broker)].1].store(most, Ordering::SeqCst);
        }

        /// Whether it has.
        #[must_use]
        pub fn limited(self) -> bool {
            DESCRIPTORS.iter().all(|(_, word)| self.0[*word].load(Ordering::SeqCst) == 0)
        }

        /// No point is armed, and whoever stands at one goes on.
        pub fn release(self) {
            self.0[ARMED].store(0, Ordering::SeqCst);
            self.0[TAKEN].store(0, Ordering::SeqCst);
        }
    }

    /// Its place in [`POINTS`], from 1 on.
    ///
    /// # Panics
    /// When it is not in the list.
    fn number(name: &str) -> u32 {
        let at = POINTS.iter().position(|point| *point == name).unwrap_or_else(|| panic!("no stop point {name}"));
        u32::try_from(at + 1).unwrap_or(u32::MAX)
    }

    /// Takes up the page that the environment names, if it names one.
    ///
    /// # Panics
    /// When it can't be mapped: a test that stops nobody would prove nothing.
    pub fn attach() {
        if let Some(path) = std::env::var_os(ENVIRONMENT) {
            let page = Page::open(Path::new(&path)).unwrap_or_else(|error| panic!("{ENVIRONMENT}={path:?}: {error}"));
            PAGE.get_or_init(|| page);
        }
    }

    /// What a program that this one executes must find in its environment.
    #[must_use]
    pub fn environment() -> Vec<CString> {
        let page = std::env::var_os(ENVIRONMENT).map(|path| [ENVIRONMENT.as_bytes(), b"=", path.as_bytes()].concat());
        page.and_then(|entry| CString::new(entry).ok()).into_iter().collect()
    }

    /// Whether a test holds the page.
    #[must_use]
    pub fn attached() -> bool {
        PAGE.get().is_some()
    }

    fn limit_descriptors(most: u64) {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((most, most));
        if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, most.min(hard), hard) {
            panic!("RLIMIT_NOFILE = {most}: {error}");
        }
    }

    /// See [`stop_point!`](crate::stop_point).
    pub fn point(name: &str) {
        let Some(Page(words)) = PAGE.get() else { return };
        for (_, word) in DESCRIPTORS.iter().filter(|(who, _)| name.starts_with(who)) {
            match words[*word].swap(0, Ordering::SeqCst) {
                0 => {}
                most => limit_descriptors(most.into()),
            }
        }
        if words[ARMED].load(Ordering::SeqCst) == 0 {
            return;
        }
        let number = number(name);
        if words[ARMED].compare_exchange(number, 0, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return;
        }
        words[TAKEN].store(number, Ordering::SeqCst);
        while words[TAKEN].load(Ordering::SeqCst) == number {
            // Every filter of ours allows this one call.
            let (Ok(_) | Err(_)) = nix::poll::poll(&mut [], 2_u8);
        }
    }
}
