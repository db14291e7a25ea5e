// @benign limits_and_clocks.c
// @what questions that programs ask: limits, processors, priority, usage, clocks; answers are sane and none is refused; lowering one's own priority works
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=stack at least 8 MB: 1, files at least 64: 1\ncpus 1 1 1\npin 0, getcpu 1, policy 0, yield 0\nnicer 1\nusage 1, times 1, page 4096\nclocks 6, clock() 1, uname 0 Linux\nroom 1, longest name 255
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    struct rlimit r;
    struct rusage u;
    struct tms t;
    struct utsname name;
    struct statvfs v;
    struct timespec c, res;
    cpu_set_t cpus;
    for (int i = 0; i < RLIM_NLIMITS; i++) if (getrlimit(i, &r)) printf("limit %d refused\n", i);
    getrlimit(RLIMIT_STACK, &r);
    printf("stack at least 8 MB: %d, ", r.rlim_cur >= 8 << 20);
    getrlimit(RLIMIT_NOFILE, &r);
    printf("files at least 64: %d\n", r.rlim_cur >= 64);
    printf("cpus %d %d %d\n", sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) >= 1,
        get_nprocs() >= 1, sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    printf("pin %d, getcpu %d, policy %d, yield %d\n", sched_setaffinity(0, sizeof cpus, &cpus), sched_getcpu() >= 0,
        sched_getscheduler(0), sched_yield());
    printf("nicer %d\n", nice(5) != -1 && getpriority(PRIO_PROCESS, 0) >= 5);
    printf("usage %d, times %d, page %ld\n", getrusage(RUSAGE_SELF, &u) == 0 && u.ru_maxrss > 0,
        times(&t) != (clock_t)-1, sysconf(_SC_PAGESIZE));
    clockid_t id[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
        CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE};
    int clocks = 0;
    for (int i = 0; i < 6; i++) clocks += clock_gettime(id[i], &c) == 0 && clock_getres(id[i], &res) == 0;
    printf("clocks %d, clock() %d, uname %d %s\n", clocks, clock() >= 0, uname(&name), name.sysname);
    if (statvfs(".", &v)) return 1;
    printf("room %d, longest name %lu\n", v.f_bavail > 0, v.f_namemax);
    return 0;
}
