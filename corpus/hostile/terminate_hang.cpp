// @hostile terminate_hang.cpp
// @group time
// @tries an exception that nobody catches, thrown while another is on its way, under a terminate handler that never ends
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect TLE   (never an internal error)
// @check stdout~^going$
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=7s
#include <csignal>
#include <cstdio>
#include <exception>
struct Bad { ~Bad() noexcept(false) { throw 2; } };
int main() {
    std::signal(SIGABRT, [](int) { for (;;) ; });
    std::set_terminate([] { for (volatile unsigned long i = 0; ; i++) if (i == 1u << 31) i = 0; });
    std::puts("going"); std::fflush(stdout);
    Bad bad;
    throw 1;
}
