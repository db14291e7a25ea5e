// @hostile bpf_perf_uffd.c
// @group kern
// @tries bpf maps and programs, perf events of every kind, userfaultfd by call and by device: the usual aids of kernel exploits
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
#include <linux/bpf.h>
#include <linux/perf_event.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a descriptor. */
static long event(unsigned type, unsigned long config, int pid, int cpu) {
    struct perf_event_attr a = {.type = type, .size = sizeof a, .config = config, .exclude_kernel = 1, .exclude_hv = 1};
    return syscall(SYS_perf_event_open, &a, pid, cpu, -1, 0);
}
int main(void) {
    union bpf_attr map, program, id;
    memset(&map, 0, sizeof map), memset(&program, 0, sizeof program), memset(&id, 0, sizeof id);
    map.map_type = BPF_MAP_TYPE_ARRAY, map.key_size = 4, map.value_size = 8, map.max_entries = 16;
    unsigned long long code[] = {0xb7 /* r0 = 0 */, 0x95 /* exit */};
    program.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, program.insn_cnt = 2, program.insns = (unsigned long)code;
    program.license = (unsigned long)"GPL";
    TRY("bpf map", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
    TRY("bpf program", syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof program));
    TRY("bpf ids", syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &id, sizeof id));
    TRY("perf, own instructions", event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, 0, -1));
    TRY("perf, own page faults", event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, 0, -1));
    TRY("perf, the whole CPU", event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, -1, 0));
    TRY("perf, a tracepoint", event(PERF_TYPE_TRACEPOINT, 1, 0, -1));
    TRY("perf, init", event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, 1, -1));
    TRY("perf, a breakpoint", event(PERF_TYPE_BREAKPOINT, 0, 0, -1));
    TRY("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    TRY("userfaultfd, user mode", syscall(SYS_userfaultfd, O_CLOEXEC | 1));
    TRY("/dev/userfaultfd", open("/dev/userfaultfd", O_RDWR));
    puts("end");
    return 0;
}
