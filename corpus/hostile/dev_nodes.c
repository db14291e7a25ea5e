// @hostile dev_nodes.c
// @group kern
// @tries makes device nodes of memory, disks and consoles in every writable folder and opens them; looks for devices that should not be there
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer capabilities, tree, mount_ns
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
#include <sys/stat.h>
#include <sys/sysmacros.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a node that was made, or a device besides null, zero, full, random and urandom. */
int main(void) {
    const char *folders[] = {"/box", "/tmp", "/dev/shm", "/home/sandbox", "/dev"};
    struct { const char *name; int kind, major, minor; } nodes[] = {
        {"mem", S_IFCHR, 1, 1}, {"kmsg", S_IFCHR, 1, 11}, {"console", S_IFCHR, 5, 1}, {"ptmx", S_IFCHR, 5, 2},
        {"fuse", S_IFCHR, 10, 229}, {"tun", S_IFCHR, 10, 200}, {"kvm", S_IFCHR, 10, 232}, {"loop0", S_IFBLK, 7, 0},
        {"sda", S_IFBLK, 8, 0}, {"vda", S_IFBLK, 254, 0}};
    char path[96];
    for (unsigned f = 0; f < sizeof folders / sizeof *folders; f++)
        for (unsigned n = 0; n < sizeof nodes / sizeof *nodes; n++) {
            snprintf(path, sizeof path, "%s/h7391-%s", folders[f], nodes[n].name);
            TRY(path, mknod(path, (mode_t)nodes[n].kind | 0666, makedev(nodes[n].major, nodes[n].minor)));
        }
    DIR *d = opendir("/dev");
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *ours = " null zero full random urandom ";
        char word[300];
        snprintf(word, sizeof word, " %s ", e->d_name);
        if ((e->d_type == DT_CHR || e->d_type == DT_BLK) && !strstr(ours, word)) printf("ESCAPED:%s\n", word);
    }
    puts("end");
    return 0;
}
