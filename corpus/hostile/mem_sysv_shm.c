// @hostile mem_sysv_shm.c
// @group mem
// @tries System V shared memory: filled, detached, marked and not; segments live without a process
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory, ipc_ns
// @runs 2
// @invariants up noproc nowrite noleft return<=11s
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
#include <sys/shm.h>

/* Success looks like 512 MB under a limit of 64, or a segment of another run. */
int main(void) {
    struct shminfo info;
    if (shmctl(0, IPC_INFO, (struct shmid_ds *)&info) > 0) puts("ESCAPED: sees somebody's segments");
    int key = shmget(0x7391, 4096, IPC_CREAT | IPC_EXCL | 0666);
    if (key < 0) printf("ESCAPED: the key of an earlier run: %s\n", strerror(errno));
    fflush(stdout);
    for (int i = 0; i < 32; i++) {
        int id = shmget(IPC_PRIVATE, 16 << 20, IPC_CREAT | 0600);
        volatile char *map = id < 0 ? (void *)-1 : shmat(id, 0, 0);
        if (map == (void *)-1) { printf("stopped at %d MB\n", 16 * i); return 1; }
        for (int k = 0; k < 16 << 20; k += 4096) map[k] = 1;
        shmdt((void *)map);
    }
    puts("ESCAPED: 512 MB of segments");
    return 0;
}
