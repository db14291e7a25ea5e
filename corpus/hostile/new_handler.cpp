// @hostile new_handler.cpp
// @group mem
// @tries a handler for memory that is out which asks for more memory, in threads without end, each exception caught
// @limits cpu=4 wall=8 mem=96 procs=64 out=1 disk=64 ccwall=10
// @expect MLE,TLE,RTE   (never an internal error)
// @severity hard
// @layer cgroup_memory, meter
// @invariants up noproc nowrite noleft return<=13s
#include <new>
#include <thread>
#include <vector>
int main() {
    std::set_new_handler([] { std::vector<char> more(1 << 16, 1); });
    for (;;) try {
        std::thread([] { for (;;) try { auto p = new char[1 << 18]; for (int i = 0; i < 1 << 18; i += 4096) const_cast<volatile char *>(p)[i] = 1; } catch (...) {} }).detach();
    } catch (...) {}
}
