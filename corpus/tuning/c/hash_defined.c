// flags: -DWANTED=7
#include <stdio.h>
#ifndef WANTED
#error it is wanted
#endif
int main(void) { printf("%d\n", WANTED); return WANTED; }
