// @benign shared_memory.c
// @what memory shared between processes: anonymous, mapped file, shm_open, System V; a named semaphore and one in shared memory; memfd
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=42 file posix memfd sysv message\nin the file 4 file
#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static char *map(int fd)
{
    return fd < 0 || ftruncate(fd, 4096) ? NULL : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int main(void)
{
    int file = open("shared", O_RDWR | O_CREAT, 0600), id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600),
        queue = msgget(IPC_PRIVATE, 0600);
    struct { sem_t ready; int n; } *anon = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *m[4] = {map(file), map(shm_open("/suite", O_RDWR | O_CREAT, 0600)), map(memfd_create("suite", 0)),
        shmat(id, NULL, 0)};
    sem_t *named = sem_open("/suite", O_CREAT, 0600, 0);
    for (int i = 0; i < 4; i++) if (!m[i] || m[i] == MAP_FAILED) { printf("map %d failed\n", i); return 1; }
    if (named == SEM_FAILED || queue < 0 || sem_init(&anon->ready, 1, 0)) {
        puts("semaphore or queue failed");
        return 2;
    }
    struct { long type; char text[8]; } msg = {1, "message"};
    if (fork() == 0) {
        for (int i = 0; i < 4; i++) strcpy(m[i], (char *[]){"file", "posix", "memfd", "sysv"}[i]);
        anon->n = 42;
        msgsnd(queue, &msg, sizeof msg.text, 0);
        sem_post(&anon->ready), sem_post(named);
        _exit(0);
    }
    sem_wait(&anon->ready), sem_wait(named);
    msg.text[0] = 0;
    msgrcv(queue, &msg, sizeof msg.text, 0, 0);
    printf("%d %s %s %s %s %s\n", anon->n, m[0], m[1], m[2], m[3], msg.text);
    wait(NULL), msync(m[0], 4096, MS_SYNC);
    char back[8] = "";
    printf("in the file %zd %s\n", pread(file, back, 4, 0), back);
    return sem_unlink("/suite") | shm_unlink("/suite") | shmctl(id, IPC_RMID, NULL) | msgctl(queue, IPC_RMID, NULL);
}
