//! What broker, spawner, init and payload say to each other: an init that a payload has taken over says what it likes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use jail::error::JailError;
use jail::talk::{self, Command, Event, Make, Spawned};
use jail::{privileges, sys};

/// Two ends of our own for the whole process; a pair per input would be most of the time.
fn ends() -> &'static (OwnedFd, OwnedFd) {
    static ENDS: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();
    ENDS.get_or_init(|| talk::pair().unwrap_or_else(|error| panic!("no socket pair: {error}")))
}

/// One message, read as each of the four kinds. The first byte says how many descriptors come with it.
pub fn talk(data: &[u8]) {
    let Some((descriptors, message)) = data.split_first() else { return };
    let descriptors = usize::from(descriptors % 10);
    // An empty message would be the end of the talk.
    if message.is_empty() {
        return;
    }
    if let Some(event) = said(message, descriptors, Event::recv) {
        again(|end| event.send(end).is_ok(), Event::recv, |read| read == event);
    }
    if let Some((event, brought)) = said(message, descriptors, |end| Event::recv_with(end, 1)) {
        assert!(brought.len() <= 1, "{event:?}");
    }
    if let Some((command, descriptors)) = said(message, descriptors, Command::recv) {
        again(|end| command.send(end, &[]).is_ok(), Command::recv, |(read, _)| read == command);
        let count = descriptors.len();
        if let Ok((collection, rest)) = command.split(descriptors) {
            assert_eq!(collection.is_some(), command.collects);
            assert_eq!(rest.len() + usize::from(command.collects), count);
        }
    }
    if let Some((make, _)) = said(message, descriptors, Make::recv) {
        again(|end| make.send(end, &[]).is_ok(), Make::recv, |(read, _)| read.ids == make.ids);
        assert!(!privileges::SandboxIds::run_map(make.ids).is_empty());
    }
    if let Some(spawned) = said(message, descriptors, Spawned::recv) {
        again(
            |end| spawned.send(end).is_ok(),
            Spawned::recv,
            |read| match (&read, &spawned) {
                (Spawned::Ready, Spawned::Ready) | (Spawned::Init(_), Spawned::Init(_)) => true,
                (Spawned::Failed(read), Spawned::Failed(said)) => read == said,
                _ => false,
            },
        );
    }
}

type Recv<T> = fn(BorrowedFd<'_>) -> Result<Option<T>, JailError>;

fn said<T>(message: &[u8], descriptors: usize, recv: Recv<T>) -> Option<T> {
    let (ours, theirs) = ends();
    let descriptors = vec![ours.as_fd(); descriptors];
    sys::send_with_descriptors(ours.as_fd(), message, &descriptors).ok()?;
    recv(theirs.as_fd()).ok().flatten()
}

/// What was understood says itself again.
fn again<T>(send: impl Fn(BorrowedFd<'_>) -> bool, recv: Recv<T>, same: impl Fn(T) -> bool) {
    let (ours, theirs) = ends();
    assert!(send(ours.as_fd()), "could not be said again");
    assert!(recv(theirs.as_fd()).ok().flatten().is_some_and(same), "means something else the second time");
}
