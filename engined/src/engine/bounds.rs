//! What holds for everybody, whatever the plan.

use jail::link::Welcome;
use languages::Limits;

use super::Engine;

/// Where jaild has not said yet what it allows, the plans alone hold.
const UNBOUNDED: Limits = Limits {
    cpu_time_ms: u64::MAX,
    wall_time_ms: u64::MAX,
    memory_bytes: u64::MAX,
    processes: u64::MAX,
    cpus_milli: u64::MAX,
    output_bytes: u64::MAX,
    file_bytes: u64::MAX,
    disk_bytes: u64::MAX,
    open_files: u64::MAX,
    stack_bytes: u64::MAX,
};

impl Engine {
    /// The most that anybody may ask for, whatever the plan: jaild's ceiling and the memory of this host together.
    #[must_use]
    pub fn ceiling(&self, welcome: Option<&Welcome>) -> Limits {
        let mut ceiling = welcome.map_or(UNBOUNDED, of_jaild);
        ceiling.memory_bytes = ceiling.memory_bytes.min(self.config.engine.sandbox_memory);
        ceiling
    }
}

/// jaild's ceiling, as admission counts. It knows nothing of output.
#[must_use]
pub fn of_jaild(welcome: &Welcome) -> Limits {
    let most = &welcome.ceiling;
    Limits {
        cpu_time_ms: most.cpu_time.0,
        wall_time_ms: most.wall_time.0,
        memory_bytes: most.memory.0,
        processes: most.processes.into(),
        cpus_milli: most.cpus_milli.into(),
        output_bytes: u64::MAX,
        file_bytes: most.file.0,
        disk_bytes: most.disk.0,
        open_files: most.open_files.into(),
        stack_bytes: most.stack.0,
    }
}
