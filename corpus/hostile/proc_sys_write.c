// @hostile proc_sys_write.c
// @group kern
// @tries opens every file below /proc that is not of a process for writing: sysctl, sysrq-trigger, core_pattern, modprobe, irq, mtrr, pressure
// @limits cpu=3 wall=6 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer landlock, tree, uid
// @invariants up noproc nowrite noleft return<=9s
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ftw.h>

static int files;

/* Success looks like any that opens. core_pattern and modprobe would run a program as the host's root. */
static int look(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)at;
    if (kind == FTW_F) {
        int f = open(path, O_WRONLY | O_NONBLOCK);
        files++;
        if (f >= 0) { printf("ESCAPED: opened %s for writing\n", path); close(f); }
    }
    if (kind == FTW_D && !strncmp(path, "/proc/", 6) && path[6] >= '0' && path[6] <= '9') return FTW_SKIP_SUBTREE;
    return FTW_CONTINUE;
}
int main(void) {
    nftw("/proc", look, 16, FTW_PHYS | FTW_ACTIONRETVAL);
    const char *known[] = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/kcore",
                           "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug", "/proc/sys/vm/drop_caches",
                           "/proc/sys/fs/binfmt_misc/register",
                           "/proc/sys/kernel/ns_last_pid", "/proc/sys/user/max_user_namespaces", "/proc/acpi/wakeup",
                           "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/fs/cgroup/release_agent"};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (open(known[i], O_WRONLY) >= 0) printf("ESCAPED: opened %s\n", known[i]);
    printf("asked %d files\n", files);
    return 0;
}
