#include <stdio.h>
int real(void) { return 8; }
int same(void) __attribute__((alias("real")));
__attribute__((visibility("hidden"))) int hidden = 2;
__attribute__((visibility("protected"))) int guarded(void) { return hidden; }
int main(void) { printf("%d %d\n", same(), guarded()); return 0; }
