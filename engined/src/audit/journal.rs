//! journald as the place of lines, by its native protocol: one datagram per line, with fields to search by
//! (`journalctl ENGINED_TENANT=acme`). `MESSAGE` is the line itself.
//! Protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::Value;

/// Where journald listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// A line waits so long for a journald that is there and takes nothing; then it has failed, and the writer says so.
const WITHIN: Duration = Duration::from_secs(1);

/// Names of fields, and where their values stand in a line.
const FIELDS: [(&str, &str); 8] = [
    ("ENGINED_SEQ", "/seq"),
    ("ENGINED_ACT", "/act"),
    ("ENGINED_EXECUTION", "/id"),
    ("ENGINED_REQUEST", "/request_id"),
    ("ENGINED_TENANT", "/tenant"),
    ("ENGINED_LANGUAGE", "/language"),
    ("ENGINED_VERDICT", "/verdict"),
    ("ENGINED_TRACE", "/trace_id"),
];

/// The way to journald. It is connected when there is something to say, and anew when that has failed.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Journal {
    /// To the socket at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Journal { path: path.to_owned(), socket: None }
    }

    /// Sends one line, without its end.
    ///
    /// # Errors
    /// journald is not there, or has taken nothing for a second.
    pub fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let sent = self.try_send(line);
        if sent.is_err() {
            self.socket = None;
        }
        sent
    }

    fn try_send(&mut self, line: &[u8]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let socket = UnixDatagram::unbound()?;
                // No option of the socket (SO_SNDTIMEO): the filter of a serving engine has none for us.
                socket.set_nonblocking(true)?;
                socket.connect(&self.path)?;
                none.insert(socket)
            }
        };
        let message = message(line)?;
        match patiently(socket, || socket.send(&message)) {
            Ok(_) => Ok(()),
            // More than a datagram holds: it goes as a file.
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                let file = sealed(&message)?;
                patiently(socket, || jail::sys::send_with_descriptors(socket.as_fd(), b"", &[file.as_fd()]))
            }
            Err(error) => Err(error),
        }
    }
}

/// Sends as soon as there is room.
fn patiently<T>(socket: &UnixDatagram, send: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let until = Instant::now() + WITHIN;
    loop {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return sent,
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let why = format!("journald is there, and has taken nothing for {} s", WITHIN.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        let room = PollFd::new(socket.as_fd(), PollFlags::POLLOUT);
        match poll(&mut [room], PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A file that nobody can change any more.
fn sealed(message: &[u8]) -> io::Result<OwnedFd> {
    let memfd = memfd_create("engined-audit", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(memfd);
    file.write_all(message)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

fn message(line: &[u8]) -> io::Result<Vec<u8>> {
    let parsed: Value = serde_json::from_slice(line)?;
    let mut message = Vec::with_capacity(line.len() + 512);
    let mut put = |name: &str, value: &[u8]| {
        message.extend_from_slice(name.as_bytes());
        if value.contains(&b'\n') {
            message.push(b'\n');
            message.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            message.push(b'=');
        }
        message.extend_from_slice(value);
        message.push(b'\n');
    };
    put("MESSAGE", line);
    // info
    put("PRIORITY", b"6");
    put("SYSLOG_IDENTIFIER", b"engined-audit");
    for (name, pointer) in FIELDS {
        match parsed.pointer(pointer) {
            Some(Value::String(text)) => put(name, text.as_bytes()),
            Some(Value::Number(number)) => put(name, number.to_string().as_bytes()),
            _ => {}
        }
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// What a datagram, or the file that it bears, says.
    fn received(socket: &UnixDatagram) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let (length, fds) = jail::sys::recv_with_descriptors(socket.as_fd(), &mut bytes, 4).unwrap();
        bytes.truncate(length);
        let Some(fd) = fds.into_iter().next() else { return bytes };
        assert!(bytes.is_empty());
        let mut file = File::from(fd);
        std::io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_journald_that_reads_nothing_holds_up_a_line_for_a_second() {
        let folder = std::env::temp_dir().join(format!("engined-journal-deaf-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let long = serde_json::json!({"seq": 8, "source": "x".repeat(900_000)}).to_string();
        for line in [r#"{"seq":7}"#, &long] {
            let (mut journal, line) = (Journal::new(&path), line.to_owned());
            let (told, heard) = std::sync::mpsc::channel();
            // It fills the queue of the socket, whose length is the host's business, and then waits for nobody.
            let full = std::thread::spawn(move || {
                let error = std::iter::repeat_with(|| journal.send(line.as_bytes())).find_map(Result::err).unwrap();
                told.send(error.kind()).unwrap();
                (journal, line)
            });
            assert_eq!(heard.recv_timeout(Duration::from_secs(60)).unwrap(), io::ErrorKind::TimedOut);
            let (mut journal, line) = full.join().unwrap();
            // And goes on when it is read again.
            socket.set_nonblocking(true).unwrap();
            let mut buffer = [0; 64];
            while socket.recv(&mut buffer).is_ok() {}
            journal.send(line.as_bytes()).unwrap();
            while socket.recv(&mut buffer).is_ok() {}
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_line_has_fields_whatever_its_length() {
        let folder = std::env::temp_dir().join(format!("engined-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let mut journal = Journal::new(&path);
        let line = br#"{"seq":7,"act":"execution","id":"01K","tenant":"a\nb=c","verdict":"ok"}"#;
        assert!(journal.send(line).is_err(), "nobody listens");
        let socket = UnixDatagram::bind(&path).unwrap();
        journal.send(line).unwrap();
        let text = [b"MESSAGE=".as_slice(), line].concat();
        let message = received(&socket);
        assert!(message.starts_with(&text));
        let message = String::from_utf8(message[text.len()..].to_vec()).unwrap();
        assert_eq!(
            message,
            "\nPRIORITY=6\nSYSLOG_IDENTIFIER=engined-audit\nENGINED_SEQ=7\nENGINED_ACT=execution\nENGINED_EXECUTION=01K\n\
             ENGINED_TENANT\n\u{5}\0\0\0\0\0\0\0a\nb=c\nENGINED_VERDICT=ok\n"
        );
        let long = serde_json::json!({"seq": 8, "source": "x".repeat(900_000)}).to_string();
        journal.send(long.as_bytes()).unwrap();
        let message = received(&socket);
        assert!(message.starts_with(b"MESSAGE={\"seq\":8") && message.ends_with(b"ENGINED_SEQ=8\n"));
        // journald was started anew.
        drop(socket);
        std::fs::remove_file(&path).unwrap();
        let socket = UnixDatagram::bind(&path).unwrap();
        assert!(journal.send(line).is_err());
        journal.send(line).unwrap();
        assert!(received(&socket).starts_with(b"MESSAGE="));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
