// @hostile cpu_quota.cpp
// @group time
// @tries 16 threads spin on every core: a run of one core must not get two
// @limits cpu=6 wall=12 mem=256 procs=32 out=1 disk=64 ccwall=20
// @expect OK   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_cpu
// @invariants up noproc nowrite noleft return<=15s
#include <chrono>
#include <cstdio>
#include <ctime>
#include <sched.h>
#include <thread>
#include <unistd.h>
#include <vector>

// Success looks like clearly more CPU time than wall time over two seconds. The first period does not count: a quota
// may be used up at its start.
int main() {
    for (int i = 0; i < 16; i++)
        std::thread([i] {
            cpu_set_t own;
            CPU_ZERO(&own);
            CPU_SET(i % 64, &own);
            if (sched_setaffinity(0, sizeof own, &own)) sched_yield();
            for (volatile unsigned long n = 0;; n = n + 1) ;
        }).detach();
    using clock = std::chrono::steady_clock;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto begun = clock::now();
    const auto used = std::clock();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const double wall = std::chrono::duration<double>(clock::now() - begun).count();
    const double cpu = double(std::clock() - used) / CLOCKS_PER_SEC;
    std::printf("%.2f cores\n", cpu / wall);
    if (cpu > 1.5 * wall) std::puts("ESCAPED: more than its share");
    std::fflush(stdout);
    _exit(0);
}
