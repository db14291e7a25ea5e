// @benign random_sources.c
// @what getrandom, getentropy, /dev/urandom and /dev/random give bytes without waiting and never the same twice; rand with a seed is as ever
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=equal pairs 0, bits balanced 1\nrand 1804289383 846930886\nrandom 71876166, drand48 0.744525
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

int main(void)
{
    unsigned char b[6][32] = {{0}};
    if (getrandom(b[0], 32, 0) != 32 || getrandom(b[1], 32, GRND_NONBLOCK) != 32 || getentropy(b[2], 32)) return 1;
    const char *device[] = {"/dev/urandom", "/dev/random"};
    for (int i = 0; i < 2; i++) {
        int fd = open(device[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, b[3 + i], 32) != 32) { perror(device[i]); return 2; }
        close(fd);
    }
    if (getauxval(AT_RANDOM)) memcpy(b[5], (void *)getauxval(AT_RANDOM), 16);
    int same = 0, bits = 0;
    for (int i = 0; i < 6; i++) for (int j = 0; j < i; j++) same += memcmp(b[i], b[j], 32) == 0;
    for (int i = 0; i < 5; i++) for (int j = 0; j < 32; j++) bits += __builtin_popcount(b[i][j]);
    printf("equal pairs %d, bits balanced %d\n", same, bits > 512 && bits < 768);
    srand(1);
    int first = rand();
    printf("rand %d %d\n", first, rand());
    srandom(42), srand48(42);
    printf("random %ld, drand48 %.6f\n", random(), drand48());
    return 0;
}
