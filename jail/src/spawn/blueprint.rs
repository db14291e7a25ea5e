//! What every spawner is told: made by the broker, handed over in a sealed memfd, because a spawner is executed anew and
//! has none of the broker's memory.
//!
//! Lists of byte strings, one behind the other: each list begins with how many there are, each string with its length
//! (32 bits, little-endian). Whoever reads it was executed by the same program; still, what does not fit is an error.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::mounts::TreePlan;
use crate::records;
use crate::seccomp::Filter;
use crate::spec::Layers;

/// What every spawner of a jaild shares: compiled once, before the first is cloned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blueprint {
    /// What the tree holds.
    pub tree: TreePlan,
    /// The filter that spawner, inits and payloads share.
    pub shared_filter: Filter,
    /// Init's own, beside it.
    pub init_filter: Filter,
    /// The payloads' filters.
    pub filters: Vec<Filter>,
    /// Layers that this host lacks and the operator waived, or that a test has switched off.
    pub off: Layers,
}

impl Blueprint {
    /// Puts it into a memfd that nobody can change.
    pub(super) fn seal(&self) -> io::Result<OwnedFd> {
        let mut file = File::from(records::empty_memfd()?);
        file.write_all(&self.encode()?)?;
        let fd = OwnedFd::from(file);
        records::seal(std::os::fd::AsFd::as_fd(&fd))?;
        Ok(fd)
    }

    /// Reads what [`Blueprint::seal`] has made.
    pub(super) fn unseal(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Self::decode(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut out = self.off.to_wire().to_le_bytes().to_vec();
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| bytes_of(path)).collect::<Vec<_>>();
        put(&mut out, &paths(&self.tree.toolchains))?;
        let tuned = self.tree.tuned.iter().flat_map(|(host, inside)| [bytes_of(host), bytes_of(inside)]);
        put(&mut out, &tuned.collect::<Vec<_>>())?;
        put(&mut out, &self.tree.etc.iter().map(|name| name.clone().into_bytes()).collect::<Vec<_>>())?;
        put(&mut out, &paths(&self.tree.setuid))?;
        let filters = [&self.shared_filter, &self.init_filter].into_iter().chain(&self.filters);
        put(&mut out, &filters.map(Filter::bytes).collect::<Vec<_>>())?;
        Ok(out)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let off = Layers::from_wire(word(&mut rest)?)?;
        let toolchains = paths(&mut rest)?;
        let mut tuned = paths(&mut rest)?.into_iter();
        let tuned = std::iter::from_fn(|| Some((tuned.next()?, tuned.next()?))).collect();
        let etc = list(&mut rest)?.into_iter().map(|name| String::from_utf8(name).ok()).collect::<Option<_>>()?;
        let setuid = paths(&mut rest)?;
        let filters = list(&mut rest)?.iter().map(|bytes| Filter::from_bytes(bytes)).collect::<Option<Vec<_>>>()?;
        let mut filters = filters.into_iter();
        let (shared_filter, init_filter) = (filters.next()?, filters.next()?);
        let tree = TreePlan { toolchains, tuned, etc, setuid };
        rest.is_empty().then(|| Blueprint { tree, shared_filter, init_filter, filters: filters.collect(), off })
    }
}

fn bytes_of(path: &Path) -> Vec<u8> {
    OsStr::as_bytes(path.as_os_str()).to_vec()
}

fn put(out: &mut Vec<u8>, list: &[Vec<u8>]) -> io::Result<()> {
    let length = |n: usize| u32::try_from(n).map(u32::to_le_bytes).map_err(io::Error::other);
    out.extend(length(list.len())?);
    for item in list {
        out.extend(length(item.len())?);
        out.extend(item);
    }
    Ok(())
}

fn word(rest: &mut &[u8]) -> Option<u32> {
    let (word, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*word))
}

fn list(rest: &mut &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    for _ in 0..word(rest)? {
        let length = usize::try_from(word(rest)?).ok()?;
        let (item, after) = rest.split_at_checked(length)?;
        *rest = after;
        items.push(item.to_vec());
    }
    Some(items)
}

fn paths(rest: &mut &[u8]) -> Option<Vec<PathBuf>> {
    Some(list(rest)?.into_iter().map(|path| PathBuf::from(std::ffi::OsString::from_vec(path))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Layer;

    fn one() -> Blueprint {
        Blueprint {
            tree: TreePlan {
                toolchains: vec!["/opt/jdk".into(), OsStr::from_bytes(b"/opt/\xff").into()],
                tuned: vec![("/var/a".into(), "/a".into()), ("/var/b".into(), "/b".into())],
                etc: vec!["java-17-openjdk".into()],
                setuid: vec!["/usr/bin/su".into()],
            },
            shared_filter: Filter::shared(&[]),
            init_filter: Filter::init_alone(),
            filters: vec![Filter::payload(&[], &[]), Filter::pinned_payload(&[libc::SYS_io_uring_setup], &[])],
            off: Layers::default().with(Layer::TimeNs),
        }
    }

    #[test]
    fn a_spawner_reads_what_the_broker_wrote() {
        let fd = one().seal().unwrap();
        assert!(records::is_sealed(std::os::fd::AsFd::as_fd(&fd)));
        assert_eq!(Blueprint::unseal(fd).unwrap(), one());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let whole = one().encode().unwrap();
        for length in 0..whole.len() {
            assert_eq!(Blueprint::decode(&whole[..length]), None, "cut at {length}");
        }
        assert_eq!(Blueprint::decode(&[&whole[..], &[0]].concat()), None, "more than there should be");
        assert_eq!(Blueprint::decode(&[0xff; 64]), None);
    }
}
