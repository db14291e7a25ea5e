#include <stdio.h>
__asm__(".section .note.GNU-stack,\"x\",@progbits\n.text\n");
int main(void) { puts("executable stack"); return 0; }
