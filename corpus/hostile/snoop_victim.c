// @hostile snoop_victim.c
// @group snoop
// @tries searches /proc, every writable folder, System V memory and queues for what another run holds at this moment
// @limits cpu=3 wall=8 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^nothing$
// @severity hard
// @layer pid_ns, mount_ns, ipc_ns, uid
// @with victim.py
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
#include <ftw.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>

static char secret[32];

static int holds(const char *path) {
    static char block[1 << 16];
    int f = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW), found = 0;
    for (ssize_t n; f >= 0 && (n = read(f, block, sizeof block)) > 0;)
        found |= memmem(block, (size_t)n, secret, strlen(secret)) != 0;
    if (f >= 0) close(f);
    return found;
}
/* Success looks like the secret of the victim, or a process, file or segment of it. */
static int look(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)at;
    if (strstr(path, "secret.txt")) printf("ESCAPED: sees %s\n", path);
    if (kind == FTW_F && st->st_uid == getuid() && holds(path)) printf("ESCAPED: the secret in %s\n", path);
    return 0;
}
int main(void) {
    snprintf(secret, sizeof secret, "VICTIM-%s-%d", "SECRET", 5511);
    const char *folders[] = {"/box", "/tmp", "/dev/shm", "/home", "/run", "/var", "/dev/mqueue", "/empty"};
    for (time_t end = time(0) + 3; time(0) < end; usleep(20000)) {
        for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) nftw(folders[i], look, 16, FTW_PHYS);
        for (int pid = 1; pid < 400; pid++) {
            const char *files[] = {"cmdline", "environ", "maps", "mem", "fd/0", "cwd/secret.txt",
                                   "root/box/secret.txt"};
            char path[64];
            for (unsigned k = 0; pid != getpid() && k < sizeof files / sizeof *files; k++) {
                snprintf(path, sizeof path, "/proc/%d/%s", pid, files[k]);
                if (pid > 2 && access(path, F_OK) == 0) printf("ESCAPED: sees %s\n", path);
                if (holds(path)) printf("ESCAPED: the secret in %s\n", path);
            }
        }
        for (int id = 0; id < 100; id++) if (shmat(id, 0, SHM_RDONLY) != (void *)-1) puts("ESCAPED: a segment");
    }
    puts("nothing");
    return 0;
}
