// @benign vla_100mb.c
// @what a variable-length array of 100 MB on the stack of main, as beginners write it: the stack may grow as far as the memory limit
// @limits cpu=5 wall=10
// @stdin 100
// @expect exit=0
// @expect out=rows 100, bytes 104857600, sum 4950
#include <stdio.h>

int main(void)
{
    int rows;
    if (scanf("%d", &rows) != 1) return 1;
    volatile char table[rows][1 << 20];
    long sum = 0;
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < 1 << 20; c += 4096) table[r][c] = 0;
        table[r][12345] = (char)r;
    }
    for (int r = 0; r < rows; r++) sum += table[r][12345];
    printf("rows %d, bytes %zu, sum %ld\n", rows, sizeof table, sum);
    return 0;
}
