// @benign pthread_tools.c
// @what mutex, condition, barrier, read-write lock, semaphore, once, thread-specific data with destructors, cancel
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=0 1 2 3 4 5 6 7 \ncounter 160000, squares 140, inits 1, destroyed 8, serial 1\ncancelled
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 8, TURNS = 20000 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;
static pthread_key_t key;
static sem_t done;
static long counter;
static int turn, inits, destroyed, serial;
static _Thread_local int mine;

static void init(void) { inits++; }
static void destroy(void *p) { (void)p; __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST); }
static void *work(void *arg)
{
    int id = (int)(long)arg;
    pthread_once(&once, init);
    pthread_setspecific(key, &mine);
    for (mine = 0; mine < TURNS; mine++) { pthread_mutex_lock(&lock); counter++; pthread_mutex_unlock(&lock); }
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serial, 1,
        __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&lock);
    while (turn != id) pthread_cond_wait(&turned, &lock);
    printf("%d ", id), turn++;
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&lock);
    pthread_rwlock_rdlock(&rw);
    sem_post(&done);
    pthread_rwlock_unlock(&rw);
    return (void *)(long)(id * id);
}
static void *forever(void *p) { for (;;) pause(); return p; }

int main(void)
{
    pthread_t t[THREADS], f;
    long squares = 0;
    pthread_key_create(&key, destroy), pthread_barrier_init(&barrier, NULL, THREADS), sem_init(&done, 0, 0);
    for (long i = 0; i < THREADS; i++) if (pthread_create(&t[i], NULL, work, (void *)i)) return 1;
    for (int i = 0; i < THREADS; i++) sem_wait(&done);
    for (int i = 0; i < THREADS; i++) { void *r; pthread_join(t[i], &r); squares += (long)r; }
    printf("\ncounter %ld, squares %ld, inits %d, destroyed %d, serial %d\n", counter, squares, inits, destroyed,
        serial);
    void *r;
    pthread_create(&f, NULL, forever, NULL), pthread_cancel(f), pthread_join(f, &r);
    puts(r == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
    return 0;
}
