// flags: -fstack-protector-all
#include <string.h>
#include <stdio.h>
__attribute__((noinline)) static void fill(char *p, int n) { memset(p, 1, (size_t)n); }
int main(int argc, char **argv) { (void)argv; char b[8]; fill(b, argc * 40); printf("%d\n", b[0]); return 0; }
