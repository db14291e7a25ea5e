// @hostile mount_new_api.c
// @group kern
// @tries the mount API of file descriptors, call by call, each in a process of its own: fsopen to move_mount, open_tree, mount_setattr, listmount
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities, mount_ns
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
/* Success looks like any descriptor or 0. Numbers, because older headers lack them. */
int main(void) {
    unsigned long attributes[4] = {0, 1 /* MOUNT_ATTR_RDONLY off */, 0, 0}, request[4] = {32, 0, ~0ul, 0}, ids[16];
    TRY("open_tree", syscall(428, AT_FDCWD, "/", 0));
    TRY("open_tree clone", syscall(428, AT_FDCWD, "/usr", 1 | O_CLOEXEC));
    TRY("move_mount", syscall(429, AT_FDCWD, "/tmp", AT_FDCWD, "/usr", 0));
    TRY("fsopen tmpfs", syscall(430, "tmpfs", 0));
    TRY("fsopen ext4", syscall(430, "ext4", 0));
    TRY("fsconfig", syscall(431, 0, 6, 0, 0, 0));
    TRY("fsmount", syscall(432, 0, 0, 0));
    TRY("fspick", syscall(433, AT_FDCWD, "/", 0));
    TRY("mount_setattr", syscall(442, AT_FDCWD, "/usr", 0, attributes, sizeof attributes));
    TRY("statmount", syscall(457, request, ids, sizeof ids, 0));
    TRY("listmount", syscall(458, request, ids, 16, 0));
    TRY("open_tree_attr", syscall(467, AT_FDCWD, "/usr", 1, attributes, sizeof attributes));
    puts("end");
    return 0;
}
