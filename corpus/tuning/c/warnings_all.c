// flags: -Wall -Wextra
#include <stdio.h>
static int unused(void) { return 1; }
int main(int argc, char **argv) { int x; unsigned u = -1; if (u < argc) puts("?"); printf("%s\n", 5 > 3 ? "a" : "b"); for (;;) { if (x = 3) break; } return 0; }
