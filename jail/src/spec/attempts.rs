//! What a run tried: the system calls that init is told of, a closed list, and how often each was made.

use std::fmt;

/// The calls, in the order of their numbers on the wire: `socket` of `AF_INET` and `AF_INET6`, which is counted and
/// made; then the table `KILLED` of `seccomp.rs` (a test compares them), each of which ends its process.
const NAMES: [&str; 22] = [
    "socket",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "bpf",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "umount2",
    "pivot_root",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "setns",
    "open_by_handle_at",
];

/// A system call that init is told of before it is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WatchedCall(u8);

impl WatchedCall {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();
    /// A network socket: counted, and made.
    pub const SOCKET: Self = WatchedCall(0);

    /// Every one, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(WatchedCall).take(Self::COUNT)
    }

    /// The one at this place of the list.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        Self::all().nth(index)
    }

    /// Its name, as in the manual and in the label of the metric.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// The attempt ends the process.
    #[must_use]
    pub fn is_forbidden(self) -> bool {
        self != Self::SOCKET
    }

    /// 0 is kept for none.
    pub(crate) fn to_wire(call: Option<Self>) -> u8 {
        call.map_or(0, |call| call.0 + 1)
    }

    pub(crate) fn from_wire(byte: u8) -> Option<Option<Self>> {
        match byte.checked_sub(1) {
            None => Some(None),
            Some(index) => Self::at(index.into()).map(Some),
        }
    }
}

impl fmt::Debug for WatchedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each watched call was tried, by all processes and threads of a run together.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    counts: [u32; WatchedCall::COUNT],
    /// The forbidden call for which the program's first process was ended.
    pub fatal: Option<WatchedCall>,
}

impl Attempts {
    /// One more. The count stops at its highest value.
    pub fn count(&mut self, call: WatchedCall) {
        let count = &mut self.counts[usize::from(call.0)];
        *count = count.saturating_add(1);
    }

    /// Those of another run as well. A count stops at its highest value; `fatal` stays.
    pub fn add(&mut self, other: &Attempts) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    /// How often.
    #[must_use]
    pub fn of(&self, call: WatchedCall) -> u32 {
        self.counts[usize::from(call.0)]
    }

    /// The calls that were tried, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (WatchedCall, u32)> {
        WatchedCall::all().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    pub(crate) fn counts(&self) -> &[u32; WatchedCall::COUNT] {
        &self.counts
    }

    pub(crate) fn from_parts(counts: [u32; WatchedCall::COUNT], fatal: Option<WatchedCall>) -> Self {
        Attempts { counts, fatal }
    }
}

#[cfg(test)]
impl Attempts {
    /// To see that each count arrives in its own place.
    pub(crate) fn all_different() -> Self {
        let mut next = u32::MAX;
        let counts = std::array::from_fn(|_| {
            next -= 1;
            next
        });
        Attempts { counts, fatal: WatchedCall::at(WatchedCall::COUNT - 1) }
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fatal: {:?}, ", self.fatal)?;
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stop_at_the_top_and_none_is_not_a_call() {
        let mut attempts = Attempts::from_parts([u32::MAX; WatchedCall::COUNT], None);
        attempts.count(WatchedCall::SOCKET);
        assert_eq!(attempts.of(WatchedCall::SOCKET), u32::MAX);
        for call in WatchedCall::all().map(Some).chain([None]) {
            assert_eq!(WatchedCall::from_wire(WatchedCall::to_wire(call)), Some(call));
        }
        assert_eq!(WatchedCall::from_wire(23), None);
        assert_eq!(WatchedCall::from_wire(u8::MAX), None);
        assert!(!WatchedCall::SOCKET.is_forbidden() && WatchedCall::all().skip(1).all(WatchedCall::is_forbidden));
    }
}
