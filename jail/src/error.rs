//! What can go wrong in the jail: which step, on what, why, and what to do about it.

use std::fmt;
use std::io;

/// A step of making a sandbox. The numbers cross the link in [`crate::spec::Outcome::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Become the root of the outer user namespace.
    Outer = 1,
    /// Make, limit, read or empty a control group.
    Cgroup = 2,
    /// Build the tree that payloads see.
    Tree = 3,
    /// Fork into namespaces.
    Clone = 4,
    /// Write an id map.
    IdMap = 5,
    /// Take the ids of the namespace.
    Ids = 6,
    /// Name the host.
    HostName = 7,
    /// Bring `lo` up.
    Loopback = 8,
    /// Mount `/proc` and the work directories.
    RunMounts = 9,
    /// Give up capabilities.
    Capabilities = 10,
    /// Set `no_new_privs`.
    NoNewPrivs = 11,
    /// Make or enforce the landlock ruleset.
    Landlock = 12,
    /// Install the system call filter.
    Seccomp = 13,
    /// Set a resource limit.
    Rlimit = 14,
    /// Resize the work directories.
    Quota = 15,
    /// Unpack the bundle.
    Unpack = 16,
    /// Put the standard streams in place.
    Streams = 17,
    /// Execute the program.
    Exec = 18,
    /// Talk to the parent or the child.
    Talk = 19,
    /// Forbid namespaces below.
    NestedNamespaces = 20,
    /// Mark the payload as first to be killed for memory.
    OomScore = 21,
    /// Prove a layer from inside.
    Probe = 22,
    /// Take the operator's configuration and manifests.
    Settings = 23,
    /// Keep a run to its CPUs.
    Cpus = 24,
}

impl Step {
    /// Every step, in the order of their numbers.
    pub const ALL: [Step; 24] = [
        Step::Outer,
        Step::Cgroup,
        Step::Tree,
        Step::Clone,
        Step::IdMap,
        Step::Ids,
        Step::HostName,
        Step::Loopback,
        Step::RunMounts,
        Step::Capabilities,
        Step::NoNewPrivs,
        Step::Landlock,
        Step::Seccomp,
        Step::Rlimit,
        Step::Quota,
        Step::Unpack,
        Step::Streams,
        Step::Exec,
        Step::Talk,
        Step::NestedNamespaces,
        Step::OomScore,
        Step::Probe,
        Step::Settings,
        Step::Cpus,
    ];

    /// The step of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Step> {
        Step::ALL.into_iter().find(|step| *step as u8 == number)
    }

    /// What was being done, to follow "could not".
    #[must_use]
    pub fn doing(self) -> &'static str {
        match self {
            Step::Outer => "enter the outer user namespace",
            Step::Cgroup => "use the control group",
            Step::Tree => "build the tree",
            Step::Clone => "fork into new namespaces",
            Step::IdMap => "write the id map",
            Step::Ids => "take the ids of the namespace",
            Step::HostName => "set the host name",
            Step::Loopback => "bring lo up",
            Step::RunMounts => "mount proc and the work directories",
            Step::Capabilities => "give up capabilities",
            Step::NoNewPrivs => "set no_new_privs",
            Step::Landlock => "enforce landlock",
            Step::Seccomp => "install the system call filter",
            Step::Rlimit => "set a resource limit",
            Step::Quota => "set the size of the work directories",
            Step::Unpack => "unpack the files",
            Step::Streams => "put the standard streams in place",
            Step::Exec => "execute the program",
            Step::Talk => "talk to the other end",
            Step::NestedNamespaces => "forbid namespaces below",
            Step::OomScore => "mark the payload as first to be killed for memory",
            Step::Probe => "prove a layer from inside",
            Step::Settings => "take the settings",
            Step::Cpus => "keep the run to its CPUs",
        }
    }

    /// What the operator can do when this step fails, a command or a setting.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Step::Outer => "start jaild as root, or give its user a range: usermod --add-subuids 1000000-1065535 USER",
            Step::Cgroup => "run jaild from systemd/jaild.service (Delegate=yes) or as root",
            Step::Tree | Step::RunMounts => "look for covers over /proc (mount | grep /proc) and for a missing /usr",
            Step::Clone => "sysctl user.max_user_namespaces=10000 (and max_pid_, max_net_, max_mnt_namespaces)",
            Step::Settings => "correct what is named, then start jaild again, or send SIGHUP to one that runs",
            Step::Cpus => {
                "pin = \"off\" in jaild.toml, or name CPUs that jaild may use (grep Cpus_allowed_list /proc/self/status)"
            }
            Step::Landlock => "boot with landlock in the lsm= list, kernel 5.15 or newer",
            _ => "engined doctor",
        }
    }
}

/// A failure of the jail: ours, never the payload's.
#[derive(Debug)]
pub struct JailError {
    /// What was being done.
    pub step: Step,
    /// Which of several, 0 where there is one.
    pub index: u32,
    /// To what: a path, a name, a number.
    pub subject: String,
    /// Why it failed.
    pub source: io::Error,
}

impl JailError {
    /// The numbers that cross the link.
    #[must_use]
    pub fn outcome(&self) -> crate::spec::Outcome {
        crate::spec::Outcome::Failed {
            step: self.step as u8,
            errno: self.source.raw_os_error().unwrap_or(0),
            index: self.index,
        }
    }
}

impl fmt::Display for JailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.step.doing())?;
        if !self.subject.is_empty() {
            write!(f, " ({})", self.subject)?;
        }
        write!(f, ": {}; try: {}", self.source, self.step.remedy())
    }
}

impl std::error::Error for JailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Says at which step and on what a system call failed.
pub trait At<T> {
    /// Names the step.
    ///
    /// # Errors
    /// The failure with its step.
    fn at(self, step: Step) -> Result<T, JailError>
    where
        Self: Sized,
    {
        self.on(step, "")
    }

    /// Names the step and what it worked on.
    ///
    /// # Errors
    /// The failure with its step.
    fn on(self, step: Step, subject: impl Into<String>) -> Result<T, JailError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn on(self, step: Step, subject: impl Into<String>) -> Result<T, JailError> {
        self.map_err(|e| JailError { step, index: 0, subject: subject.into(), source: e.into() })
    }
}
