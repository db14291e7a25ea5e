// @hostile thread_flood.cpp
// @group proc
// @tries threads without end, by the library and by bare clone: they must count as processes
// @limits cpu=2 wall=5 mem=256 procs=48 out=1 disk=64 ccwall=20
// @expect OK   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_pids
// @invariants up noproc nowrite noleft return<=8s
#include <cstdio>
#include <sched.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

static int sleeper(void *) {
    for (;;) pause();
}

// Success looks like more threads than the limit of 48.
int main() {
    int bare = 0, own = 0;
    try {
        for (; own < 5000; own++) std::thread(sleeper, nullptr).detach();
    } catch (const std::exception &e) {
        std::printf("library: %s\n", e.what());
    }
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    for (; bare < 5000; bare++) {
        void *stack = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED || clone(sleeper, static_cast<char *>(stack) + 65536, flags, nullptr) < 0) break;
    }
    std::printf("THREADS %d\n", own + bare);
    if (own + bare > 48) std::puts("ESCAPED: threads do not count");
    std::fflush(stdout);
    _exit(0);
}
