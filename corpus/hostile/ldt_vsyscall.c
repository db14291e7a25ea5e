// @hostile ldt_vsyscall.c
// @group kern
// @tries old corners of x86: modify_ldt, segment bases, vsyscall page, I/O ports by iopl, ioperm and in/out, and instructions that only the kernel may use
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
#include <asm/ldt.h>
#include <sys/io.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long ldt(void) {
    struct user_desc d = {.limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
    return syscall(SYS_modify_ldt, 1, &d, sizeof d);
}
static long vsyscall(void) {
    long (*time)(long *) = (long (*)(long *))0xffffffffff600400ul; /* emulated, read-only or absent */
    errno = ENOSYS;
    long now = time(0);
    return now > 0 ? -1 : 0; /* a time is no escape: it comes from a call that is allowed */
}
/* Success looks like a result; a privileged instruction that does not end the process. */
int main(void) {
    char page[64];
    TRY("modify_ldt read", syscall(SYS_modify_ldt, 0, page, sizeof page));
    TRY("modify_ldt write", ldt());
    TRY("modify_ldt old", syscall(SYS_modify_ldt, 0x11, page, 16));
    TRY("vsyscall", vsyscall());
    TRY("iopl", iopl(3));
    TRY("ioperm", ioperm(0x80, 1, 1));
    TRY("out", (({ __asm__ volatile("outb %%al, $0x80" : : "a"(0)); }), 0));
    TRY("in", ({ unsigned char c; __asm__ volatile("inb $0x71, %0" : "=a"(c)); (long)c; }));
    TRY("hlt", (({ __asm__ volatile("hlt"); }), 0));
    TRY("cli", (({ __asm__ volatile("cli"); }), 0));
    TRY("rdmsr", ({ unsigned lo; __asm__ volatile("rdmsr" : "=a"(lo) : "c"(0xc0000080) : "rdx"); (long)lo; }));
    TRY("read cr0", ({ unsigned long c; __asm__ volatile("mov %%cr0, %0" : "=r"(c)); (long)c; }));
    TRY("wbinvd", (({ __asm__ volatile("wbinvd"); }), 0));
    puts("end");
    return 0;
}
