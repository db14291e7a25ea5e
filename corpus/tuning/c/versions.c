#include <stdio.h>
#include <string.h>
__asm__(".symver memcpy, memcpy@GLIBC_2.2.5");
int main(int argc, char **argv) { char b[8]; memcpy(b, argv[0], argc + 1); printf("%c\n", b[0]); return 0; }
