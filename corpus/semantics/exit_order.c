// @benign exit_order.c
// @what constructors, main, atexit in reverse, destructors last, buffers flushed at the end; exit(256 + 42) is exit code 42
// @limits cpu=5 wall=10
// @expect exit=42
// @expect out=constructor\nmain\nregistered second\nregistered while leaving\nregistered first\ndestructor, no newline at the end
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void before(void) { puts("constructor"); }
__attribute__((destructor)) static void after(void) { printf("destructor, no newline at the end"); }
static void first(void) { puts("registered first"); }
static void nested(void) { puts("registered while leaving"); }
static void second(void) { puts("registered second"); atexit(nested); }

int main(void)
{
    atexit(first);
    atexit(second);
    puts("main");
    exit(256 + 42);
}
