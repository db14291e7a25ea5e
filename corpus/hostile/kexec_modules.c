// @hostile kexec_modules.c
// @group kern
// @tries loads a kernel, loads and unloads modules by each call
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like 0. What is offered is no kernel and no module, so that even without a layer nothing happens. */
int main(void) {
    int junk = memfd_create("junk", 0);
    (void)!write(junk, "\177ELFjunk", 8);
    TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("kexec_file_load", syscall(SYS_kexec_file_load, junk, -1, 1, "", 4));
    TRY("init_module", syscall(SYS_init_module, "\177ELFjunk", 8, ""));
    TRY("finit_module", syscall(SYS_finit_module, junk, "", 0));
    TRY("delete_module", syscall(SYS_delete_module, "h7391", 0));
    TRY("create_module", syscall(174, "h7391", 4096));
    TRY("query_module", syscall(178, 0, 0, 0, 0, 0));
    TRY("get_kernel_syms", syscall(177, 0));
    TRY("nfsservctl", syscall(180, 0, 0, 0));
    TRY("/dev/mem", open("/dev/mem", O_RDONLY));
    TRY("/dev/kmem", open("/dev/kmem", O_RDONLY));
    TRY("/dev/port", open("/dev/port", O_RDWR));
    TRY("/proc/kcore", open("/proc/kcore", O_RDONLY));
    puts("end");
    return 0;
}
