#include <pthread.h>
#include <stdio.h>
static __thread int mine = 5;
_Thread_local int other;
static void *run(void *arg) { mine += *(int *)arg; other = mine; printf("%d %d\n", mine, other); return NULL; }
int main(void) { pthread_t t; int one = 1; pthread_create(&t, NULL, run, &one); pthread_join(t, NULL); printf("%d %d\n", mine, other); return 0; }
