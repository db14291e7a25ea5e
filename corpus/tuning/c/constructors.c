#include <stdio.h>
__attribute__((constructor(201))) static void second(void) { puts("201"); }
__attribute__((constructor(101))) static void first(void) { puts("101"); }
__attribute__((constructor)) static void third(void) { puts("none"); }
__attribute__((destructor)) static void last(void) { puts("last"); }
int main(void) { puts("main"); return 0; }
