//! The link between `engined` and `jaild`: the trust boundary.
//!
//! One `SOCK_SEQPACKET` connection. Every message is exactly [`MESSAGE_BYTES`] long: a version, a tag, the fields of
//! its variant in little-endian order, then zeroes. Descriptors travel beside it (`SCM_RIGHTS`), at most
//! [`MAX_DESCRIPTORS`]. There is one enum per direction. Decoding believes nothing: a wrong length, version, tag, a
//! field out of its range or a byte after the last field is an error, never a panic, and a message with too many
//! descriptors is refused with all of them closed.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::inventory::Inventory;
use crate::spec::{Ended, Layers, Limits, RunId, StopReason};
use crate::sys;
use wire::{Reader, Writer};

/// Slots beyond those of the welcome: an order above all of them is refused. They are for what the engine asks for on its
/// own account, such as versions, while callers have all others.
pub const SPARE_SLOTS: u32 = 2;

/// The version of this protocol. Both ends must have the same.
pub const VERSION: u32 = 4;
/// The length of every message.
pub const MESSAGE_BYTES: usize = 256;
/// The most descriptors that one message may carry.
pub const MAX_DESCRIPTORS: usize = 8;
/// The longest name of a profile.
pub const PROFILE_BYTES: usize = 64;

/// Names what jaild knows of a step: language, toolchain and step, as in `c/gcc/compile`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileName(String);

impl ProfileName {
    /// `None` unless `name` is 1 to 64 bytes of `a-z 0-9 . _ + - /`.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._+-/".contains(&b);
        ((1..=PROFILE_BYTES).contains(&name.len()) && name.bytes().all(legal)).then(|| ProfileName(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One run to be made.
///
/// Its descriptors, in this order: the sealed bundle (`records.rs`), standard input, output and error (pipes), then,
/// if `has_artifact`, a sealed memfd of file records to unpack after the bundle, and, if `collects`, the writing end of a
/// pipe: once the program is over init writes the records of the files into it that the bundle asks for. The engine
/// must read while the run lasts; what it does not take within seconds is cut off ([`Collected::Cut`]). A pipe, because the
/// pages of a file would be charged to init: on cgroup v1 to the run itself, which may be at its limit.
///
/// [`Collected::Cut`]: crate::spec::Collected::Cut
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The caller's name for it.
    pub id: RunId,
    /// Which tree, filter and ceilings.
    pub profile: ProfileName,
    /// What it may use.
    pub limits: Limits,
    /// A fifth descriptor bears the artifact of an earlier step.
    pub has_artifact: bool,
    /// The last descriptor is a pipe for the collected files.
    pub collects: bool,
    /// Asked on the engine's own account, in a spare slot. Where runs are pinned it takes none of the CPUs that callers'
    /// runs have to themselves.
    pub aside: bool,
}

impl Order {
    /// How many descriptors belong to it.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        4 + usize::from(self.has_artifact) + usize::from(self.collects)
    }
}

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Make this run.
    Order(Order),
    /// End that run. Nothing happens when it has ended already.
    Stop {
        /// Which run.
        id: RunId,
        /// Why: `Output`, `Cancelled` or `Gone`.
        why: StopReason,
    },
    /// Say what you hold. Answered with [`Report::Inventory`], which may be a fraction of a second old.
    Inventory,
}

/// Why an order was refused. Nothing of it was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The message could not be decoded.
    Malformed = 1,
    /// There is no such profile.
    UnknownProfile = 2,
    /// A limit is zero, under its floor or above the ceiling of its profile.
    LimitOutside = 3,
    /// Descriptors are missing, too many, of the wrong kind or not sealed.
    BadDescriptors = 4,
    /// A run of this id is under way.
    DuplicateId = 5,
    /// As many sandboxes as there are slots run already.
    NoRoom = 6,
    /// The sandbox could not be made: see jaild's log.
    Broken = 7,
}

impl Refusal {
    fn from_wire(byte: u8) -> Option<Self> {
        [
            Self::Malformed,
            Self::UnknownProfile,
            Self::LimitOutside,
            Self::BadDescriptors,
            Self::DuplicateId,
            Self::NoRoom,
            Self::Broken,
        ]
        .into_iter()
        .find(|refusal| *refusal as u8 == byte)
    }
}

/// The two control group interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CgroupVersion {
    /// Hybrid or legacy.
    V1 = 1,
    /// Unified.
    V2 = 2,
}

/// What jaild says first on a new link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The layers that the operator did not waive.
    pub wanted: Layers,
    /// The layers that a probe run had when jaild started.
    pub obtained: Layers,
    /// Which interface limits the runs.
    pub cgroup: CgroupVersion,
    /// The landlock ABI of the kernel.
    pub landlock_abi: u32,
    /// How many runs there may be at once.
    pub slots: u32,
    /// The highest limits that any profile grants.
    pub ceiling: Limits,
    /// How many CPUs each run has to itself, while it lasts. 0: runs are not pinned.
    pub pinned_cpus: u32,
}

/// What jaild says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The first message of a link, and again whenever jaild has read its files anew.
    Welcome(Welcome),
    /// The order was not begun. `id` is 0 when the message could not be read that far.
    Refused {
        /// Which run.
        id: RunId,
        /// Why.
        why: Refusal,
    },
    /// The run is over: every process of it is dead and its usage final.
    Ended(Ended),
    /// What jaild holds.
    Inventory(Inventory),
}

/// A message that can't be what it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not [`MESSAGE_BYTES`] long.
    #[error("a message of the link is {MESSAGE_BYTES} bytes long, this one has {0}")]
    Length(usize),
    /// Another [`VERSION`].
    #[error("this end speaks version {VERSION} of the link, the other version {0}: install both programs together")]
    Version(u32),
    /// No message of this direction has that tag.
    #[error("unknown tag {0}")]
    Tag(u32),
    /// A field is out of its range.
    #[error("field `{0}` is out of its range")]
    Field(&'static str),
    /// There are bytes after the last field.
    #[error("bytes after the last field")]
    Trailing,
}

const TAG_ORDER: u32 = 1;
const TAG_STOP: u32 = 2;
const TAG_TAKE_INVENTORY: u32 = 3;
const TAG_WELCOME: u32 = 101;
const TAG_REFUSED: u32 = 102;
const TAG_ENDED: u32 = 103;
const TAG_INVENTORY: u32 = 104;

impl Request {
    /// The message.
    #[must_use]
    pub fn encode(&self) -> [u8; MESSAGE_BYTES] {
        match self {
            Request::Order(order) => {
                let mut w = Writer::new(TAG_ORDER);
                w.u64(order.id.0);
                w.u8(u8::from(order.has_artifact) | u8::from(order.collects) << 1 | u8::from(order.aside) << 2);
                w.limits(&order.limits);
                w.name(&order.profile);
                w.finish()
            }
            Request::Stop { id, why } => {
                let mut w = Writer::new(TAG_STOP);
                w.u64(id.0);
                w.u8(*why as u8);
                w.finish()
            }
            Request::Inventory => Writer::new(TAG_TAKE_INVENTORY).finish(),
        }
    }

    /// Reads a message from the engine.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that `encode` does not write.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut r) = Reader::new(message)?;
        let request = match tag {
            TAG_ORDER => {
                let id = RunId(r.u64()?);
                let flags = r.u8()?;
                if flags > 7 {
                    return Err(DecodeError::Field("flags"));
                }
                let limits = r.limits()?;
                let profile = r.name()?;
                let (has_artifact, collects, aside) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
                Request::Order(Order { id, profile, limits, has_artifact, collects, aside })
            }
            TAG_STOP => {
                let id = RunId(r.u64()?);
                match StopReason::from_wire(r.u8()?) {
                    Some(why @ (StopReason::Output | StopReason::Cancelled | StopReason::Gone)) => {
                        Request::Stop { id, why }
                    }
                    _ => return Err(DecodeError::Field("why")),
                }
            }
            TAG_TAKE_INVENTORY => Request::Inventory,
            other => return Err(DecodeError::Tag(other)),
        };
        r.end()?;
        Ok(request)
    }
}

impl Report {
    /// The message.
    #[must_use]
    pub fn encode(&self) -> [u8; MESSAGE_BYTES] {
        match self {
            Report::Welcome(welcome) => {
                let mut w = Writer::new(TAG_WELCOME);
                w.u32(welcome.wanted.to_wire());
                w.u32(welcome.obtained.to_wire());
                w.u8(welcome.cgroup as u8);
                w.u32(welcome.landlock_abi);
                w.u32(welcome.slots);
                w.limits(&welcome.ceiling);
                w.u32(welcome.pinned_cpus);
                w.finish()
            }
            Report::Refused { id, why } => {
                let mut w = Writer::new(TAG_REFUSED);
                w.u64(id.0);
                w.u8(*why as u8);
                w.finish()
            }
            Report::Ended(ended) => {
                let mut w = Writer::new(TAG_ENDED);
                w.ended(ended);
                w.finish()
            }
            Report::Inventory(inventory) => {
                let mut w = Writer::new(TAG_INVENTORY);
                w.inventory(inventory);
                w.finish()
            }
        }
    }

    /// Reads a message from jaild.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that `encode` does not write.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut r) = Reader::new(message)?;
        let report = match tag {
            TAG_WELCOME => Report::Welcome(Welcome {
                wanted: r.layers("wanted")?,
                obtained: r.layers("obtained")?,
                cgroup: match r.u8()? {
                    1 => CgroupVersion::V1,
                    2 => CgroupVersion::V2,
                    _ => return Err(DecodeError::Field("cgroup")),
                },
                landlock_abi: r.u32()?,
                slots: r.u32()?,
                ceiling: r.limits()?,
                pinned_cpus: r.u32()?,
            }),
            TAG_REFUSED => Report::Refused {
                id: RunId(r.u64()?),
                why: Refusal::from_wire(r.u8()?).ok_or(DecodeError::Field("why"))?,
            },
            TAG_ENDED => Report::Ended(r.ended()?),
            TAG_INVENTORY => Report::Inventory(r.inventory()?),
            other => return Err(DecodeError::Tag(other)),
        };
        r.end()?;
        Ok(report)
    }
}

/// The engine's end of the link. Non-blocking: `WouldBlock` means wait until the descriptor is ready.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
}

impl Client {
    /// Connects to the socket of jaild at `path`.
    ///
    /// # Errors
    /// That of `socket` or `connect`: `NotFound` and `ConnectionRefused` while jaild is not up or serves another link.
    pub fn connect(path: &Path) -> io::Result<Self> {
        Ok(Client { socket: sys::connect_seqpacket(path)? })
    }

    /// Sends one request with its descriptors. They are duplicated into the message; the caller's stay open.
    ///
    /// # Errors
    /// `WouldBlock` when the link is full, `BrokenPipe` when jaild is gone.
    pub fn send(&self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        sys::send_with_descriptors(self.socket.as_fd(), &request.encode(), descriptors)
    }

    /// The next report, `None` once jaild has closed the link.
    ///
    /// # Errors
    /// `WouldBlock` when there is none yet, `InvalidData` for a message that is not a report.
    pub fn recv(&self) -> io::Result<Option<Report>> {
        let mut buffer = [0; MESSAGE_BYTES + 1];
        let (length, _descriptors) = sys::recv_with_descriptors(self.socket.as_fd(), &mut buffer, 0)?;
        if length == 0 {
            return Ok(None);
        }
        Report::decode(&buffer[..length]).map(Some).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl std::os::fd::AsRawFd for Client {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.socket)
    }
}

#[cfg(test)]
mod tests;
mod wire;
