// @benign c11_threads.c
// @what <threads.h> and <stdatomic.h>: threads, call_once, condition, timed lock, thread storage, a lock-free counter and a spin flag
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=atomic 40000, plain 40000, once 1, results 10, lock-free 1\ntimed out
#include <stdatomic.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>

static atomic_int hits;
static atomic_flag spin = ATOMIC_FLAG_INIT;
static once_flag once = ONCE_FLAG_INIT;
static mtx_t lock;
static cnd_t ready;
static int plain, go, first;

static void start(void) { first++; }
static int work(void *arg)
{
    call_once(&once, start);
    mtx_lock(&lock);
    while (!go) cnd_wait(&ready, &lock);
    mtx_unlock(&lock);
    for (int i = 0; i < 10000; i++) {
        atomic_fetch_add_explicit(&hits, 1, memory_order_relaxed);
        while (atomic_flag_test_and_set(&spin)) thrd_yield();
        plain++;
        atomic_flag_clear(&spin);
    }
    return *(int *)arg;
}

int main(void)
{
    thrd_t t[4];
    int id[4] = {1, 2, 3, 4}, sum = 0, r;
    mtx_init(&lock, mtx_timed), cnd_init(&ready);
    for (int i = 0; i < 4; i++) if (thrd_create(&t[i], work, &id[i]) != thrd_success) return 1;
    mtx_lock(&lock), go = 1, cnd_broadcast(&ready), mtx_unlock(&lock);
    for (int i = 0; i < 4; i++) thrd_join(t[i], &r), sum += r;
    printf("atomic %d, plain %d, once %d, results %d, lock-free %d\n", hits, plain, first, sum,
        atomic_is_lock_free(&hits));
    struct timespec soon;
    timespec_get(&soon, TIME_UTC);
    mtx_lock(&lock);
    puts(mtx_timedlock(&lock, &soon) == thrd_timedout ? "timed out" : "other");
    return 0;
}
