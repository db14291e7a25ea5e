// @hostile proc_self_write.c
// @group kern
// @tries writes what /proc offers about itself: memory behind read-only mappings, OOM score, maps of ids, loginuid, autogroup, coredump filter
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer landlock
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

static const char constant[] = "constant";

/* Success looks like a write. Only landlock stands between: the files belong to the payload. By oom_score_adj it would
   make itself a smaller target than init, which shares its memory limit on cgroup v1. */
int main(void) {
    const char *files[] = {"oom_score_adj", "oom_adj", "uid_map", "gid_map", "projid_map", "setgroups", "loginuid",
                           "autogroup", "coredump_filter", "clear_refs", "comm", "timens_offsets", "attr/current",
                           "attr/exec", "sched", "timerslack_ns", "make-it-fail", "fail-nth", "mem"};
    char path[64];
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "/proc/self/%s", files[i]);
        int f = open(path, O_WRONLY);
        printf("%s: %s\n", files[i], f < 0 ? strerror(errno) : "open");
        if (f >= 0) printf("ESCAPED: opened %s for writing\n", path);
        snprintf(path, sizeof path, "/proc/self/task/%d/%s", getpid(), files[i]);
        f = open(path, O_RDWR | O_TRUNC);
        if (f >= 0) printf("ESCAPED: opened %s for writing\n", path);
    }
    int f = open("/proc/self/mem", O_RDWR);
    if (f >= 0 && pwrite(f, "C", 1, (off_t)(unsigned long)constant) == 1) puts("ESCAPED: rewrote a constant");
    if (f >= 0 && pwrite(f, "\xc3", 1, (off_t)(unsigned long)&printf) == 1) puts("ESCAPED: rewrote a library");
    int adj = 0;
    FILE *s = fopen("/proc/self/oom_score_adj", "r");
    if (!s || fscanf(s, "%d", &adj) != 1 || adj != 1000) printf("ESCAPED: the OOM score is %d\n", adj);
    return 0;
}
