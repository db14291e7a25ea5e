// @hostile exec_unknown.c
// @group proc
// @tries executes files of no known format by the thousand: older kernels start modprobe for each, as the host's root and outside every limit
// @limits cpu=3 wall=6 mem=64 procs=32 out=1 disk=64 ccwall=10
// @expect OK,TLE   (never an internal error)
// @check stdout!~unexpected
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=9s
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
#include <time.h>

/* Success looks like a failed exec that takes as long as a program's start (milliseconds), and modprobe on the host. No
   filter sees what a file holds: kernel.modprobe of the host, set to nothing, is what helps, see SECURITY.md. */
int main(void) {
    int tried = 0;
    struct timespec begun, now;
    for (int i = 0; i < 7; i++) if (fork() == 0) break;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        char path[64], *argv[] = {"x", 0};
        unsigned char magic[128] = {0x80, 0x81, (unsigned char)tried, (unsigned char)(tried >> 8)};
        snprintf(path, sizeof path, "/tmp/unknown-%d-%d", getpid(), tried % 16);
        unlink(path);
        int f = open(path, O_CREAT | O_WRONLY, 0755);
        (void)!write(f, magic, sizeof magic);
        close(f);
        if (execv(path, argv) == 0 || errno != ENOEXEC) printf("unexpected: %s\n", strerror(errno));
        tried++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begun.tv_sec < 2);
    printf("%d in two seconds\n", tried);
    return 0;
}
