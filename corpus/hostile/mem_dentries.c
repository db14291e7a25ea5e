// @hostile mem_dentries.c
// @group mem
// @tries names that do not exist, looked up by the hundred thousand in the host's /usr: the kernel remembers each of them
// @limits cpu=4 wall=12 mem=32 procs=64 out=1 disk=64 ccwall=10
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
#include <sys/stat.h>

/* Success looks like kernel memory of the host that grows with each run; the gauges of the soak would show it. Inside,
   it has to go on: what is remembered of names is given back under pressure. */
int main(void) {
    struct stat st;
    char path[300];
    memset(path, 'n', sizeof path);
    for (int n = 0; n < 300000; n++) {
        snprintf(path + 60, 200, "%d", n);
        memcpy(path, "/usr/lib/h7391-", 15);
        if (stat(path, &st) == 0) puts("ESCAPED: it exists");
    }
    puts("end");
    return 0;
}
