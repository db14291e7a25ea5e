// @hostile disk_flush.c
// @group fs
// @tries has the host's disk empty its cache without end, by fsync and msync of unchanged files in /usr, and throws toolchains out of the shared page cache
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
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
#include <sys/mman.h>

/* Success looks like an fsync or an advice that the kernel itself answers, which on a pipe is an error. On a file of
   /usr it is a flush of the disk each time: milliseconds, no CPU time, and whoever writes on the host waits. */
int main(void) {
    const char *paths[] = {"/usr/bin/gcc", "/usr/bin/python3", "/usr/lib/os-release", "/etc/ld.so.cache"};
    int files[4];
    if (fsync(1)) printf("ESCAPED: the kernel answers fsync: %s\n", strerror(errno));
    if (fdatasync(1)) printf("ESCAPED: the kernel answers fdatasync: %s\n", strerror(errno));
    if (sync_file_range(1, 0, 0, 7)) puts("ESCAPED: the kernel answers sync_file_range");
    if (syscall(SYS_syncfs, -1)) puts("ESCAPED: the kernel answers syncfs");
    if (msync((void *)1, 1, MS_SYNC)) printf("ESCAPED: the kernel answers msync: %s\n", strerror(errno));
    if (posix_fadvise(1, 0, 0, POSIX_FADV_DONTNEED)) puts("ESCAPED: the kernel takes advice");
    fflush(stdout);
    for (int i = 0; i < 4; i++) files[i] = open(paths[i], O_RDONLY);
    for (int i = 0; i < 7; i++) if (fork() == 0) break;
    for (int n = 0; n < 50; n++) { /* few, should it work */
        int f = files[n % 4];
        fsync(f), posix_fadvise(f, 0, 0, POSIX_FADV_DONTNEED);
        void *m = mmap(0, 4096, PROT_READ, MAP_SHARED, f, 0);
        if (m != MAP_FAILED) msync(m, 4096, MS_SYNC), munmap(m, 4096);
    }
    return 0;
}
