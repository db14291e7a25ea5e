// @hostile admin_calls.c
// @group kern
// @tries calls of the administrator: clocks, names, swap, quotas, accounting, log, reboot, hang up; each with arguments that change nothing if it works
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
#include <linux/reboot.h>
#include <sys/klog.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like 0. */
int main(void) {
    struct timeval now;
    struct timespec spec;
    struct timex tick = {.modes = ADJ_TICK, .tick = 10000};
    char name[65], log[256];
    gettimeofday(&now, 0), clock_gettime(CLOCK_REALTIME, &spec), gethostname(name, sizeof name);
    TRY("settimeofday", settimeofday(&now, 0));
    TRY("clock_settime", clock_settime(CLOCK_REALTIME, &spec));
    TRY("adjtimex", adjtimex(&tick));
    TRY("clock_adjtime", clock_adjtime(CLOCK_REALTIME, &tick));
    TRY("sethostname", sethostname(name, strlen(name)));
    TRY("setdomainname", setdomainname("h7391", 5));
    TRY("swapon", swapon("/box/none", 0));
    TRY("swapoff", swapoff("/box/none"));
    TRY("quotactl", syscall(SYS_quotactl, 0x800001, "/dev/vda", 0, 0));
    TRY("quotactl_fd", syscall(443, 0, 0x800001, 0, 0));
    TRY("acct", acct(0));
    TRY("syslog read", klogctl(3, log, sizeof log));
    TRY("syslog clear", klogctl(5, 0, 0));
    TRY("syslog size", klogctl(10, 0, 0));
    TRY("reboot", syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0));
    TRY("vhangup", vhangup());
    TRY("lookup_dcookie", syscall(212, 0ul, log, sizeof log));
    TRY("ustat", syscall(SYS_ustat, 0, log));
    TRY("sysfs", syscall(SYS_sysfs, 3));
    TRY("fanotify", syscall(SYS_fanotify_init, 0, 0));
    TRY("fanotify, unprivileged", syscall(SYS_fanotify_init, 0x200 /* FAN_REPORT_FID */, 0));
    TRY("set_mempolicy", syscall(SYS_set_mempolicy, 0, 0, 0));
    TRY("memfd_secret", syscall(447, 0));
    TRY("lsm_list_modules", syscall(461, log, &now, 0));
    TRY("wake alarm timer", timerfd_create(CLOCK_REALTIME_ALARM, 0));
    timer_t timer;
    TRY("wake alarm POSIX timer", timer_create(CLOCK_BOOTTIME_ALARM, 0, &timer));
    puts("end");
    return 0;
}
