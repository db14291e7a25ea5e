#include <stdio.h>
static int big[1 << 20];
const int table[] = {[0 ... 999] = 7};
int *const pointers[] = {&big[3], &big[5]};
int main(void) { *pointers[1] = 4; printf("%d %d\n", big[5], table[500]); return 0; }
