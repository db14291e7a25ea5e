// @benign c11_features.c
// @what the default standard is gnu17: _Generic, designated initialisers, compound literals, flexible arrays, complex numbers, statement expressions, asm names
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=int double text other\n9 entries: 10 20 50 7\npoints 0,2,3 1,3,9\nflex of 5, max 8, count 3, aligned 0, answer 42\ne^(i pi) = -1.0 +0.0i, |3+4i| = 5, sqrt 2
#include <complex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

_Static_assert(__STDC_VERSION__ == 201710L, "C17");
#define NAME(x) _Generic((x), int: "int", double: "double", char *: "text", default: "other")
#define MAX(a, b) ({ __typeof__(a) a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define COUNT(...) (sizeof((int[]){__VA_ARGS__}) / sizeof(int))

struct packet { unsigned length; unsigned char data[]; };
struct point { int x, y; union { int tag; float value; }; };
static int answer(void) __asm__("the_answer_to_everything");
static int answer(void) { return 42; }
_Alignas(64) static char line[64];

int main(void)
{
    printf("%s %s %s %s\n", NAME(1), NAME(1.0), NAME("x" + 0), NAME(1L));
    int table[] = {[5] = 50, [1] = 10, 20, [7 ... 8] = 7};
    printf("%zu entries: %d %d %d %d\n", sizeof table / sizeof *table, table[1], table[2], table[5], table[8]);
    struct point p = {.y = 2, .tag = 3}, *q = &(struct point){p.x + 1, p.y + 1, {9}};
    printf("points %d,%d,%d %d,%d,%d\n", p.x, p.y, p.tag, q->x, q->y, q->tag);
    struct packet *k = malloc(sizeof *k + 5);
    k->length = 5, memcpy(k->data, "flex", 5);
    printf("%s of %u, max %d, count %zu, aligned %d, answer %d\n", (char *)k->data, k->length, MAX(3, 8),
        COUNT(1, 2, 3),
           (int)((size_t)line % 64), answer());
    double complex z = cexp(I * acos(-1.0));
    printf("e^(i pi) = %.1f %+.1fi, |3+4i| = %g, sqrt %g\n", creal(z), fabs(cimag(z)), fabs(3 + 4 * I),
        creal(sqrt(-4.0 + 0 * I)) + cimag(sqrt(-4.0 + 0 * I)));
    return 0;
}
