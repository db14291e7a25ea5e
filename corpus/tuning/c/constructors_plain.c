#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void a(void) { puts("a"); }
__attribute__((constructor)) static void b(void) { puts("b"); }
static void bye(void) { puts("bye"); }
int main(void) { atexit(bye); puts("main"); return 3; }
