//! The only home of unsafe code: the system calls that neither std nor nix wraps, and descriptors that come from outside.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, connect, recvmsg,
    sendmsg, socket,
};

/// A non-blocking connection to the `SOCK_SEQPACKET` socket at `path`.
pub(crate) fn connect_seqpacket(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(fd)
}

/// Sends `bytes` as one message with `descriptors` beside it.
pub(crate) fn send_with_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[io::IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives one message and at most `most` descriptors, close-on-exec. `(0, [])` is the end of the connection.
///
/// More descriptors, or a message longer than `buffer`, is `InvalidData`; whatever came is closed.
pub(crate) fn recv_with_descriptors(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    most: usize,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    // Room for as many as the kernel passes at once (253, SCM_MAX_FD): with less, those that do not fit would be
    // dropped with an error that hides the others from us, and they would stay open.
    let mut control = nix::cmsg_space!([std::os::fd::RawFd; 253]);
    let mut iov = [io::IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = item {
            // SAFETY: the kernel has just put these descriptors into our table with this message and nobody else has
            // seen their numbers, so each is open and ours alone.
            descriptors.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) || descriptors.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message with more bytes or descriptors than allowed",
        ));
    }
    Ok((message.bytes, descriptors))
}
