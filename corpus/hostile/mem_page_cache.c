// @hostile mem_page_cache.c
// @group mem
// @tries reads and maps files of /usr to many times its memory: clean pages must be given back, to itself and the host
// @limits cpu=4 wall=12 mem=64 procs=64 out=1 disk=64 ccwall=10
// @expect OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory
// @invariants up noproc nowrite noleft return<=15s
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
#include <sys/mman.h>
#include <sys/stat.h>

static long bytes;

/* Success looks like a program that is killed although it holds nothing, or a host that swaps. */
static int look(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)at;
    if (kind != FTW_F || st->st_size < 1 << 20) return 0;
    int f = open(path, O_RDONLY);
    static char block[1 << 16];
    posix_fadvise(f, 0, 0, POSIX_FADV_WILLNEED);
    readahead(f, 0, 1 << 26);
    for (ssize_t n; bytes < 200 << 20 && (n = read(f, block, sizeof block)) > 0;) bytes += n;
    volatile char *map = mmap(0, (size_t)st->st_size, PROT_READ, MAP_SHARED, f, 0);
    for (off_t k = 0; map != MAP_FAILED && k < st->st_size && k < 16 << 20; k += 4096) (void)map[k];
    close(f);
    return bytes >= 200 << 20;
}
int main(void) {
    nftw("/usr/lib", look, 16, FTW_PHYS);
    printf("read %ld MB\n", bytes >> 20);
    return 0;
}
