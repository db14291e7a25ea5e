// @benign integers.c
// @what LP64, little-endian, signed char, arithmetic shifts, wrap of unsigned, 128 bits, checked arithmetic, bit-fields, alignment
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=2 4 8 8 4 16\nfirst byte 4, char signed 1, -7/2 -3, -7%2 -1, -7>>1 -4\n0u-1 4294967295, (char)200 -56, (uint8_t)-7 249, -7<1u 0\noverflow 1 1 0, wrapped -2147483642 -2147479015, difference 2\n33! = 8683317618811886495518194401280000000\nbit-fields 0 31 -8, padded 24, aligned to 16\nbits 5 7 40, swap 4030201
#include <limits.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct bits { unsigned a : 3, b : 5; int c : 4; };
struct padded { char c; double d; char e; };

int main(void)
{
    printf("%zu %zu %zu %zu %zu %zu\n", sizeof(short), sizeof(int), sizeof(long), sizeof(void *), sizeof(wchar_t),
        sizeof(long double));
    uint32_t word = 0x01020304;
    volatile int minus = -7;
    volatile unsigned zero = 0;
    printf("first byte %d, char signed %d, -7/2 %d, -7%%2 %d, -7>>1 %d\n", *(unsigned char *)&word, CHAR_MIN < 0,
        minus / 2, minus % 2, minus >> 1);
    printf("0u-1 %u, (char)200 %d, (uint8_t)-7 %d, -7<1u %d\n", zero - 1, (signed char)(200 + zero), (uint8_t)minus,
        (unsigned)minus < 1u);
    int sum, product, difference;
    int a = __builtin_add_overflow(INT_MAX, 7 + (int)zero, &sum), b = __builtin_mul_overflow(46341, 46341 + (int)zero,
        &product);
    int c = __builtin_sub_overflow(5, 3 + (int)zero, &difference);
    printf("overflow %d %d %d, wrapped %d %d, difference %d\n", a, b, c, sum, product, difference);
    unsigned __int128 factorial = 1;
    for (int i = 2; i <= 33; i++) factorial *= i;
    char digits[40], *p = digits + 39;
    for (*p = 0; factorial; factorial /= 10) *--p = '0' + (int)(factorial % 10);
    printf("33! = %s\n", p);
    struct bits f = {.a = 7, .b = 31, .c = 7};
    f.a++, f.c++;
    printf("bit-fields %u %u %d, padded %zu, aligned to %zu\n", f.a, f.b, f.c, sizeof(struct padded),
        alignof(max_align_t));
    printf("bits %d %d %d, swap %x\n", __builtin_popcount(word), __builtin_clz(word), __builtin_ctzll(1ULL << 40),
        __builtin_bswap32(word));
    return 0;
}
