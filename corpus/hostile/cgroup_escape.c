// @hostile cgroup_escape.c
// @group kern
// @tries looks for cgroup file systems and the way out of its own: cgroup.procs, release_agent, limits, new groups, and a cgroup path that isn't /
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_ns, tree, seccomp
// @invariants up noproc nowrite noleft return<=7s
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long put(const char *path, const char *text) {
    int f = open(path, O_WRONLY);
    return f < 0 ? -1 : write(f, text, strlen(text));
}
/* Success looks like a write below a cgroup mount, or knowledge of where in the hierarchy it is. */
int main(void) {
    char line[1024], path[1100], mount_point[512];
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strstr(line, ":/\n")) printf("ESCAPED: its group is %s", line);
    f = fopen("/proc/self/mountinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, " - cgroup") && sscanf(line, "%*s %*s %*s %*s %511s", mount_point) == 1)
            printf("ESCAPED: a cgroup file system at %s\n", mount_point);
    const char *roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids",
                           "/sys/fs/cgroup/unified", "/cgroup", "m"};
    const char *files[] = {"cgroup.procs", "tasks", "release_agent", "notify_on_release", "memory.limit_in_bytes",
                           "memory.max", "pids.max", "cpu.max", "cgroup.subtree_control", "devices.allow"};
    mkdir("m", 0755);
    TRY("mount cgroup", mount("c", "m", "cgroup", 0, "rdma"));
    TRY("mount cgroup2", mount("c", "m", "cgroup2", 0, 0));
    for (unsigned r = 0; r < sizeof roots / sizeof *roots; r++) {
        if (*roots[r] == '/') { snprintf(path, sizeof path, "%s/h7391", roots[r]); TRY(path, mkdir(path, 0755)); }
        for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(path, sizeof path, "%s/%s", roots[r], files[i]);
            if (put(path, "0") >= 0) printf("ESCAPED: wrote %s\n", path);
        }
    }
    unsigned long args[11] = {1ul << 33 /* CLONE_INTO_CGROUP */, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0};
    TRY("clone into a cgroup", syscall(SYS_clone3, args, sizeof args));
    puts("end");
    return 0;
}
