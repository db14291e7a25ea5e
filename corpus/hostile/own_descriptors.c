// @hostile own_descriptors.c
// @group snoop
// @tries follows its own three descriptors: to the engine's end of the pipes, to other links of them, to what they are
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer uid, user_ns
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
#include <sys/socket.h>
#include <sys/stat.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like standard output that can be read, standard input that can be written, or a fourth descriptor. */
int main(void) {
    char link[64], path[32], byte;
    for (int n = 0; n < 3; n++) {
        struct stat st;
        fstat(n, &st);
        snprintf(path, sizeof path, "/proc/self/fd/%d", n);
        ssize_t k = readlink(path, link, sizeof link - 1);
        if (!S_ISFIFO(st.st_mode)) printf("ESCAPED: %d is no pipe: %.*s\n", n, (int)(k < 0 ? 0 : k), link);
        int flags = fcntl(n, F_GETFL) & O_ACCMODE;
        if (flags != (n ? O_WRONLY : O_RDONLY)) printf("ESCAPED: mode %d of %d\n", flags, n);
        if (n && read(n, &byte, 1) >= 0) printf("ESCAPED: read from %d\n", n);
        if (!n && write(n, "x", 1) >= 0) puts("ESCAPED: wrote to standard input");
    }
    TRY("other end of standard output", open("/proc/self/fd/1", O_RDONLY | O_NONBLOCK));
    TRY("other end of standard error", open("/proc/self/fd/2", O_RDWR | O_NONBLOCK));
    TRY("other end of standard input", open("/proc/self/fd/0", O_WRONLY | O_NONBLOCK));
    for (int n = 3; n < 1024; n++) if (fcntl(n, F_GETFD) >= 0) printf("ESCAPED: descriptor %d\n", n);
    puts("end");
    return 0;
}
