// @hostile mem_tmpfs.c
// @group mem
// @tries fills every writable folder with files, some deleted while open, some extended attributes: the work folders are memory
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory, tree
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
#include <sys/xattr.h>

/* Success looks like 128 MB in files or attributes under a limit of 64; the disk limit is 256. */
int main(void) {
    const char *folders[] = {"/box", "/tmp", "/dev/shm", "/home/sandbox"};
    static char block[1 << 16];
    long files = 0, attributes = 0;
    memset(block, 1, sizeof block);
    for (int n = 0; n < 4000; n++) { /* attributes first: they are few where the kernel limits them */
        char path[64], name[32];
        snprintf(path, sizeof path, "%s/attr%d", folders[n % 4], n);
        int f = open(path, O_CREAT | O_WRONLY, 0600);
        int some = 0;
        for (; some < 4; some++) {
            snprintf(name, sizeof name, "user.%d", some);
            if (fsetxattr(f, name, block, sizeof block - 1, 0)) break;
            attributes += (long)sizeof block;
        }
        close(f);
        if (!some || attributes > 130 << 20) break;
    }
    printf("attributes %ld\n", attributes >> 20);
    if (attributes > 128 << 20) puts("ESCAPED: 128 MB in attributes");
    fflush(stdout);
    for (int n = 0; n < 200; n++) {
        char path[64];
        snprintf(path, sizeof path, "%s/fill%d", folders[n % 4], n);
        int f = open(path, O_CREAT | O_WRONLY, 0600);
        if (f < 0) break;
        for (int i = 0; i < 64 && write(f, block, sizeof block) > 0; i++) files += (long)sizeof block;
        unlink(path); /* the descriptor keeps it */
    }
    printf("files %ld\n", files >> 20);
    if (files > 128 << 20) puts("ESCAPED: 128 MB in files");
    return 0;
}
