// @hostile exec_memory.c
// @group kern
// @tries programs without a file: fexecve of a memfd, of a deleted file, of the loader with a program from tmp; what confines it must stay
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, no_new_privs, landlock
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
#include <sys/prctl.h>

/* Success looks like a program that runs with fewer restrictions. That it runs is fine: it is this one again. */
static void report(const char *how) {
    printf("%s: uid %d\n", how, getuid());
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) printf("ESCAPED: %s without no_new_privs\n", how);
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) printf("ESCAPED: %s without a filter\n", how);
    if (open("/proc/self/oom_score_adj", O_WRONLY) >= 0) printf("ESCAPED: %s without landlock\n", how);
    if (syscall(SYS_keyctl, 0, -3, 0) >= 0) printf("ESCAPED: %s has keys\n", how);
    if (getuid() != 1000 || geteuid() != 1000) printf("ESCAPED: %s is another user\n", how);
}
static void run(const char *how, int f, const char *path) {
    char *argv[] = {"again", (char *)how, 0}, *loader[] = {"ld", (char *)path, (char *)how, 0}, *env[] = {0};
    int st = 0;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        if (path) execve("/lib64/ld-linux-x86-64.so.2", loader, env);
        else fexecve(f, argv, env);
        printf("%s: %s\n", how, strerror(errno)), fflush(stdout), _exit(1);
    }
    waitpid(p, &st, 0);
    if (WIFSIGNALED(st)) printf("%s: signal %d\n", how, WTERMSIG(st));
}
static int copy(int to) {
    static char b[65536];
    int from = open("/proc/self/exe", O_RDONLY);
    for (ssize_t n; (n = read(from, b, sizeof b)) > 0;) if (write(to, b, (size_t)n) != n) break;
    close(from);
    return to;
}
int main(int argc, char **argv) {
    if (argc > 1) { report(argv[1]); return 0; }
    run("memfd", copy(memfd_create("program", 0)), 0);
    run("executable memfd", copy(memfd_create("program", 0x10 /* MFD_EXEC */)), 0);
    int f = copy(open("/tmp/program", O_CREAT | O_WRONLY, 06755));
    close(f);
    run("set-user-ID in /tmp", open("/tmp/program", O_RDONLY), 0);
    run("by the loader", -1, "/tmp/program");
    f = open("/tmp/program", O_RDONLY);
    unlink("/tmp/program");
    run("deleted", f, 0);
    return 0;
}
