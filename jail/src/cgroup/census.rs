//! What is in the groups at a moment: for the gauges of the engine, not for any run.

use nix::dir::Dir;

use super::*;

/// What was found. A number is absent where the kernel does not keep it.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Groups below ours, in all hierarchies.
    pub groups: Option<u64>,
    /// Groups that were removed while something is still charged to them. v1 does not tell.
    pub dying: Option<u64>,
    /// Tasks in the slots, unreaped ones too.
    pub tasks: Option<u64>,
    /// The processes of each group that has any.
    pub members: Vec<Vec<i32>>,
    /// Bytes of kernel objects charged to us. v2: `slab`. v1 does not tell it apart from stacks and page tables.
    pub slab: Option<u64>,
    /// Bytes of tmpfs and memfds charged to us.
    pub work: Option<u64>,
}

impl Census {
    /// How many of `spawners` are not in a slot: on v2 they stay with the broker.
    #[must_use]
    pub fn spawners_apart(&self, spawners: &[i32]) -> u64 {
        let apart = spawners.iter().filter(|pid| !self.members.iter().flatten().any(|member| member == *pid));
        u64::try_from(apart.count()).unwrap_or(u64::MAX)
    }

    fn add(&mut self, group: BorrowedFd<'_>, members: bool) -> Result<(), JailError> {
        for name in children(group)? {
            // A run's leaf may go meanwhile.
            let Ok(child) = open_folder(group, &name) else { continue };
            *self.groups.get_or_insert(0) += 1;
            // The broker's own group on v2: whoever is in there is none of a slot's.
            let of_slot = members && name != "broker";
            if of_slot && name.starts_with("slot-") {
                *self.tasks.get_or_insert(0) += number(child.as_fd(), "pids.current").unwrap_or(0);
            }
            if of_slot {
                let pids = get(child.as_fd(), "cgroup.procs").unwrap_or_default();
                let pids: Vec<i32> = pids.lines().filter_map(|line| line.parse().ok()).collect();
                self.members.extend((!pids.is_empty()).then_some(pids));
            }
            self.add(child.as_fd(), of_slot)?;
        }
        Ok(())
    }
}

/// The names of the folders in `group`.
pub(super) fn children(group: BorrowedFd<'_>) -> Result<Vec<String>, JailError> {
    let mut entries = Dir::openat(group, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).at(Step::Cgroup)?;
    let folders = entries.iter().filter_map(Result::ok).filter(|e| e.file_type() == Some(nix::dir::Type::Directory));
    let names = folders.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
    Ok(names.filter(|name| name != "." && name != "..").collect())
}

/// The value of `key` in a file of `key value` lines, if it is there.
fn told(text: &str, key: &str) -> Option<u64> {
    text.lines().any(|line| line.split(' ').next() == Some(key)).then(|| keyed(text, key))
}

impl Base {
    /// Looks at every group below ours.
    ///
    /// # Errors
    /// When a folder of ours can't be listed.
    pub fn census(&self) -> Result<Census, JailError> {
        let mut census = Census { groups: Some(0), tasks: Some(0), ..Census::default() };
        match self {
            Base::V1(base) => {
                for (number, folder) in base.folders.iter().enumerate() {
                    census.add(folder.as_fd(), number == v1::PIDS)?;
                }
                let memory = base.folders[v1::MEMORY].as_fd();
                let stat = get(memory, "memory.stat")?;
                census.work = told(&stat, "total_shmem");
                census.slab = number(memory, "memory.kmem.usage_in_bytes").ok();
            }
            Base::V2(base) => {
                census.add(base.folder.as_fd(), true)?;
                census.dying = told(&get(base.folder.as_fd(), "cgroup.stat")?, "nr_dying_descendants");
                let stat = get(base.folder.as_fd(), "memory.stat")?;
                (census.work, census.slab) = (told(&stat, "shmem"), told(&stat, "slab"));
            }
        }
        Ok(census)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any folder does: the census looks for names and files, and what a kernel keeps in them is its own affair.
    #[test]
    fn folders_processes_and_bytes_are_counted() {
        let top = std::env::temp_dir().join(format!("engined-census-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            let path = top.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("memory.stat", "anon 5\nshmem 4096\nslab 8192\n");
        put("cgroup.stat", "nr_descendants 3\nnr_dying_descendants 2\n");
        put("broker/cgroup.procs", "1\n2\n");
        put("slot-0/pids.current", "3\n");
        put("slot-0/init/cgroup.procs", "7\n");
        let take = || {
            let folder: OwnedFd = File::open(&top).unwrap().into();
            Base::V2(v2::Base { folder }).census().unwrap()
        };
        let census = take();
        assert_eq!((census.groups, census.tasks, census.work, census.slab), (Some(3), Some(3), Some(4096), Some(8192)));
        assert_eq!(census.dying, Some(2));
        assert_eq!((census.members.clone(), census.spawners_apart(&[7, 9])), (vec![vec![7]], 1));
        put("slot-0/run-1/cgroup.procs", "8\n9\n");
        put("slot-1/pids.current", "1\n");
        put("memory.stat", "anon 5\nshmem 12288\n");
        let census = take();
        assert_eq!((census.groups, census.tasks, census.work, census.slab), (Some(5), Some(4), Some(12288), None));
        assert_eq!(census.members.iter().flatten().count(), 3);
        std::fs::remove_dir_all(&top).unwrap();
    }
}
