// @hostile file_handles.c
// @group kern
// @tries open_by_handle_at with handles made up for the inodes of the host (the way out of early Docker), name_to_handle_at of everything
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
struct handle { unsigned bytes; int type; unsigned char data[128]; };
static long by_handle(const char *mount, unsigned long inode) {
    struct handle h = {8, 1, {0}}; /* FILEID_INO32_GEN: inode and generation 0, the root of ext4 is inode 2 */
    memcpy(h.data, &inode, 4);
    int f = open(mount, O_RDONLY);
    return f < 0 ? -1 : syscall(SYS_open_by_handle_at, f, &h, O_RDONLY);
}
/* Success looks like a handle, or a descriptor for one. */
int main(void) {
    const char *paths[] = {"/", "/usr", "/etc/ld.so.cache", "/proc", "/dev/null", "/box", "/tmp"};
    char what[48];
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct handle h = {sizeof h.data, 0, {0}};
        int mount = 0;
        snprintf(what, sizeof what, "handle of %s", paths[i]);
        TRY(what, syscall(SYS_name_to_handle_at, AT_FDCWD, paths[i], &h, &mount, 0));
        snprintf(what, sizeof what, "root of %s", paths[i]);
        TRY(what, by_handle(paths[i], 2));
    }
    puts("end");
    return 0;
}
