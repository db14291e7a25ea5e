// @hostile static_destructor.cpp
// @group time
// @tries exit(0) with a global object whose destructor waits for a lock that nobody gives back
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect TLE   (never an internal error)
// @check stdout~^leaving$
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=7s
#include <cstdio>
#include <cstdlib>
#include <mutex>
static std::mutex never;
struct Global { ~Global() { never.lock(); never.lock(); } } global;
int main() {
    std::puts("leaving"); std::fflush(stdout);
    std::exit(0);
}
