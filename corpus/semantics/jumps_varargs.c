// @benign jumps_varargs.c
// @what longjmp out of nested calls with volatile locals kept, a retry loop by setjmp, va_copy, goto table, switch fall-through (Duff)
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=code 3 after 4 tries\nmean 3, spread 14\ncomputed 12\nduff 11
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static jmp_buf env;
_Noreturn static void fail(int depth, int code) { if (depth) fail(depth - 1, code); else longjmp(env, code); }

static double mean(int n, ...)
{
    va_list a, b;
    double sum = 0, spread = 0;
    va_start(a, n);
    va_copy(b, a);
    for (int i = 0; i < n; i++) sum += va_arg(a, double);
    for (int i = 0; i < n; i++) { double x = va_arg(b, double) - sum / n; spread += x * x; }
    va_end(a), va_end(b);
    printf("mean %g, spread %g\n", sum / n, spread);
    return sum / n;
}

static int run(const unsigned char *program)
{
    static void *const op[] = {&&stop, &&inc, &&dbl};  /* labels as values: computed goto */
    int acc = 0;
    goto *op[*program];
inc: acc++; goto *op[*++program];
dbl: acc *= 2; goto *op[*++program];
stop: return acc;
}

int main(void)
{
    volatile int tries = 0;
    int code = setjmp(env);
    tries++;
    if (code < 3) fail(100, code + 1);
    printf("code %d after %d tries\n", code, tries);
    if (setjmp(env) == 0) longjmp(env, 0);  /* 0 becomes 1 */
    mean(4, 1.0, 2.0, 3.0, 6.0);
    printf("computed %d\n", run((unsigned char[]){1, 2, 1, 2, 2, 0}));
    int n = 11, turns = (n + 3) / 4, count = 0;
    switch (n % 4) {
    case 0: do { count++; __attribute__((fallthrough));
    case 3: count++; __attribute__((fallthrough));
    case 2: count++; __attribute__((fallthrough));
    case 1: count++; } while (--turns);
    }
    printf("duff %d\n", count);
    return 0;
}
