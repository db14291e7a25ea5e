// @hostile mem_access_lists.c
// @group mem
// @tries access lists of 64 KB on files and folders: kernel memory that the memory limit does not count
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
// @invariants up noproc nowrite noleft return<=11s
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
#include <sys/stat.h>
#include <sys/xattr.h>

struct list { unsigned version; struct { unsigned short tag, perm; unsigned id; } entry[8180]; };

/* Success looks like hundreds of megabytes in the host's slab, while the run is said to use two. Only ids of its own
   user namespace may stand there; the same one may, eight thousand times. */
int main(void) {
    static struct list a = {.version = 2};
    int n = 0, files = 0;
#define PUT(t, i) (a.entry[n].tag = (t), a.entry[n].perm = 7, a.entry[n++].id = (i))
    PUT(1, ~0u);
    while (n < 8170) PUT(2, 1000);
    PUT(4, ~0u), PUT(0x10, ~0u), PUT(0x20, ~0u);
    size_t size = 4 + 8 * (size_t)n;
    for (; files < 2000; files++) {
        char path[32];
        snprintf(path, sizeof path, "folder%d", files);
        if (mkdir(path, 0755)) break;
        int done = setxattr(path, "system.posix_acl_access", &a, size, 0) == 0;
        done += lsetxattr(path, "system.posix_acl_default", &a, size, 0) == 0;
        int f = open(path, O_RDONLY);
        done += fsetxattr(f, "system.posix_acl_access", &a, size, 0) == 0;
        close(f);
        if (!done) break;
    }
    printf("lists %d: %s\n", files, strerror(errno));
    if (files * size * 2 > 128 << 20) printf("ESCAPED: %zu MB of access lists\n", files * size * 2 >> 20);
    return 0;
}
