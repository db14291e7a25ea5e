// @benign threads_default_stack.c
// @what 50 threads at once with default stacks: glibc reserves as much for each as RLIMIT_STACK says, so that limit times 50 has to be only address space; each uses 1 MB
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=50 threads, 50 MB of stack
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { N = 50, MB = 1 << 20 };
static pthread_barrier_t all_here;

static void *work(void *p)
{
    volatile char frame[MB];
    for (int i = 0; i < MB; i += 4096) frame[i] = 1;
    pthread_barrier_wait(&all_here);  /* nobody leaves before the last has come */
    return frame[4096] == 1 ? p : NULL;
}

int main(void)
{
    pthread_t t[N];
    int ok = 0;
    pthread_barrier_init(&all_here, NULL, N);
    for (int i = 0; i < N; i++) {
        int e = pthread_create(&t[i], NULL, work, &all_here);
        if (e) { printf("thread %d: %s\n", i, strerror(e)); return 1; }
    }
    for (int i = 0; i < N; i++) { void *r; pthread_join(t[i], &r); ok += r != NULL; }
    printf("%d threads, %d MB of stack\n", ok, ok);
    return 0;
}
