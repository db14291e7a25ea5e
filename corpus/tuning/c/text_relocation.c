#include <stdio.h>
__asm__(".text\n.globl where\nwhere: .quad main\n");
extern void *where;
int main(void) { printf("%d\n", where == (void *)main); return 0; }
