// @hostile abi_i386.c
// @group kern
// @tries enters the kernel as i386: int 0x80 from 64-bit code, and from 32-bit code reached by a far return, where numbers mean other calls
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
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
/* Success looks like a pid or a socket: in the i386 table 20 is getpid, 359 socket, 26 ptrace. A filter that looks at
   numbers alone takes them for writev, nothing and msync. */
static long int80(long number, long a, long b, long c) {
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "0"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10");
    if (r < 0 && r > -4096) { errno = (int)-r; return -1; }
    return r;
}
/* mov eax, 20; int 0x80; then back to 64 bits by a far return. */
static long compatibility_mode(void) {
    unsigned char code[] = {0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x6a, 0x33, 0x68, 0, 0, 0, 0, 0xcb, /* 64-bit: */ 0xc3};
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    unsigned char *page = mmap(0, 8192, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (page == MAP_FAILED) return -1;
    unsigned back = (unsigned)(unsigned long)page + 15, stack = (unsigned)(unsigned long)page + 8000;
    memcpy(code + 10, &back, 4);
    memcpy(page, code, sizeof code);
    long r;
    __asm__ volatile("mov %%rsp, %%r15; lea 1f(%%rip), %%r14; mov %2, %%esp; pushq %%r14; "
                     "pushq $0x23; pushq %1; lretq; 1: mov %%r15, %%rsp"
                     : "=a"(r) : "r"((unsigned long)page), "r"(stack)
                     : "memory", "rbx", "rcx", "rdx", "rsi", "rdi", "r14", "r15");
    return r;
}
int main(void) {
    TRY("int 0x80, getpid", int80(20, 0, 0, 0));
    TRY("int 0x80, ptrace", int80(26, 0, 0, 0));
    TRY("int 0x80, socket", int80(359, 16, 3, 0));
    TRY("int 0x80, mount", int80(21, 0, 0, 0));
    TRY("32-bit code", compatibility_mode());
    puts("end");
    return 0;
}
