#include <stdio.h>
struct a { int x; };
int main(void) { struct a a; char *p = 5; int *q = "s"; a = 3; printf("%p %p\n", (void *)p, (void *)q); return a; }
