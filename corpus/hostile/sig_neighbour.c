// @hostile sig_neighbour.c
// @group sig
// @tries kills everything that it can reach, again and again, while another run works beside it
// @limits cpu=2 wall=4 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK,RTE,TLE   (never an internal error)
// @severity hard
// @layer pid_ns, uid
// @with victim.py
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

/* Success looks like a victim that does not finish. Every process of this run may go. */
int main(void) {
    for (int i = 0; i < 10; i++)
        if (fork() == 0) {
            setsid();
            for (;;) {
                kill(-1, SIGSTOP), kill(-1, SIGKILL), kill(0, SIGTERM);
                for (int pid = 1; pid < 4096; pid++) if (pid != getpid()) kill(pid, SIGKILL), kill(-pid, SIGKILL);
            }
        }
    for (;;) { for (int n = 1; n < 65; n++) if (n != SIGCHLD) kill(-1, n); usleep(1000); }
}
