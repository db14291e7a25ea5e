// @benign heap_150mb.c
// @what 150 MB on the heap, twice over: small blocks, one that grows by realloc, calloc is zero; what was freed counts no more
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=blocks 38400, odd ones 19200\nblocks 38400, odd ones 19200\ngrown by realloc, kept 55\ncalloc dirty 0, too much is refused
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 150 * 256, SIZE = 4096 - 16 };

int main(void)
{
    static char *block[BLOCKS];
    for (int round = 0; round < 2; round++) {
        long sum = 0;
        for (int i = 0; i < BLOCKS; i++) {
            if (!(block[i] = malloc(SIZE))) { printf("no memory at %d\n", i); return 1; }
            memset(block[i], i & 1, SIZE);
        }
        for (int i = 0; i < BLOCKS; i++) sum += block[i][SIZE - 1], free(block[i]);
        printf("blocks %d, odd ones %ld\n", BLOCKS, sum);
    }
    malloc_trim(0);
    size_t n = 1 << 20;
    volatile unsigned char *p = malloc(n);
    p[5] = 55;
    for (; n <= 150u << 20; n += 1 << 20) if (!(p = realloc((void *)p, n))) return 2; else p[n - 1] = 1;
    printf("grown by realloc, kept %d\n", p[5]);
    free((void *)p);
    volatile unsigned char *z = calloc(150, 1 << 20);
    if (!z) return 3;
    long dirty = 0;
    for (size_t i = 0; i < 150u << 20; i += 1000) dirty += z[i];
    volatile size_t huge = (size_t)1 << 62;
    void *volatile none = malloc(huge);
    printf("calloc dirty %ld, too much is %s\n", dirty, none ? "granted" : "refused");
    return 0;
}
