// @benign output_900k.c
// @what 900,000 bytes through stdio, write and writev in turn: all of it, in order, nothing cut below the limit of 1 MiB
// @limits cpu=5 wall=10
// @expect exit=0
// @expect outlen=900000
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int main(void)
{
    char line[100];
    memset(line, 'x', 99);
    line[99] = '\n';
    for (int i = 0; i < 9000; i++) {
        if (i % 3 == 0) {
            fwrite(line, 1, 100, stdout);
            fflush(stdout);
        } else if (i % 3 == 1) {
            if (write(1, line, 100) != 100) return 1;
        } else {
            struct iovec v[2] = {{line, 40}, {line + 40, 60}};
            if (writev(1, v, 2) != 100) return 2;
        }
    }
    return 0;
}
