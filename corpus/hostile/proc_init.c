// @hostile proc_init.c
// @group snoop
// @tries init's memory, root, folder, environment, maps, descriptors and stack by every file of /proc/1 and its threads
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer user_ns, pid_ns, uid
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
#include <dirent.h>

/* Success looks like a byte or a link of init: it holds the way to the broker, and before the program starts the order.
   What the kernel shows of every process (stat, status, cmdline, comm) is no secret. */
int main(void) {
    const char *files[] = {"environ", "mem", "auxv", "stack", "syscall", "pagemap", "smaps", "maps", "numa_maps", "io",
                           "personality", "mountstats", "clear_refs", "patch_state", "ksm_stat"};
    const char *links[] = {"root", "cwd", "exe", "ns/user", "ns/mnt", "ns/pid", "ns/net"};
    const char *folders[] = {"fd", "map_files", "fdinfo"};
    const char *of[] = {"/proc/1", "/proc/1/task/1"};
    char path[300], buffer[256];
    for (int o = 0; o < 2; o++) {
        for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(path, sizeof path, "%s/%s", of[o], files[i]);
            int f = open(path, O_RDONLY);
            ssize_t n = f < 0 ? -1 : read(f, buffer, sizeof buffer);
            if (n > 0) printf("ESCAPED: read %s\n", path);
            f = open(path, O_WRONLY);
            if (f >= 0 && write(f, "1", 1) > 0) printf("ESCAPED: wrote %s\n", path);
        }
        for (unsigned i = 0; i < sizeof links / sizeof *links; i++) {
            snprintf(path, sizeof path, "%s/%s", of[o], links[i]);
            if (readlink(path, buffer, sizeof buffer) > 0) printf("ESCAPED: %s is known\n", path);
            if (open(path, O_PATH) >= 0) printf("ESCAPED: opened %s\n", path);
        }
        for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) {
            snprintf(path, sizeof path, "%s/%s", of[o], folders[i]);
            DIR *d = opendir(path);
            if (d) printf("ESCAPED: listed %s\n", path);
        }
    }
    for (int n = 0; n < 64; n++) {
        snprintf(path, sizeof path, "/proc/1/fd/%d", n);
        if (open(path, O_RDWR) >= 0 || readlink(path, buffer, sizeof buffer) > 0) printf("ESCAPED: %s\n", path);
        snprintf(path, sizeof path, "/proc/1/root/../proc/%d/root", n);
        if (open(path, O_PATH) >= 0) printf("ESCAPED: %s\n", path);
    }
    puts("end");
    return 0;
}
