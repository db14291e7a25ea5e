// @hostile leader_gone.cpp
// @group proc
// @tries the first thread ends and leaves the others spinning: the process is a zombie by name that still runs
// @limits cpu=1 wall=5 mem=256 procs=32 out=1 disk=64 ccwall=20
// @expect TLE   (never an internal error)
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=8s
#include <pthread.h>
#include <thread>

// Success looks like a run that is taken for over, or that nobody ends.
int main() {
    for (int i = 0; i < 3; i++)
        std::thread([] { for (volatile unsigned long n = 0;; n = n + 1) ; }).detach();
    pthread_exit(nullptr);
}
