// @benign float_env.c
// @what IEEE arithmetic untouched by the sandbox: four rounding directions, exception flags, denormals not flushed, NaN, signed zero, fma, long double
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=0x1.5555555555555p-2 2 -2, 0x1.5555555555555p-2 2 -3, 0x1.5555555555556p-2 3 -2, 0x1.5555555555555p-2 2 -2\ninf divbyzero 1, inf overflow 1, nan 1 invalid 1\ndenormal 0x0.8p-1022, class 1, smallest 4.94066e-324\nminus zero -0 1, remainder -1, fmod -2\nfma 0x1p-51, hypot 5, cbrt -3\nlong double 64 bits, float sum 0.300000012, 0.1+0.2 0.30000000000000004
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

int main(void)
{
    volatile double one = 1, three = 3, tiny = DBL_MIN, zero = 0, big = DBL_MAX;
    int mode[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    for (int i = 0; i < 4; i++) {
        fesetround(mode[i]);
        volatile double third = one / three, half = 2.5;
        printf("%a %ld %ld%s", third, lrint(half), lrint(-half), i < 3 ? ", " : "\n");
    }
    fesetround(FE_TONEAREST), feclearexcept(FE_ALL_EXCEPT);
    volatile double x = one / zero;
    printf("%g divbyzero %d, ", x, !!fetestexcept(FE_DIVBYZERO));
    x = big * 2, printf("%g overflow %d, ", x, !!fetestexcept(FE_OVERFLOW));
    x = zero / zero, printf("nan %d invalid %d\n", x != x, !!fetestexcept(FE_INVALID));
    x = tiny / 2;
    printf("denormal %a, class %d, smallest %g\n", x, fpclassify(x) == FP_SUBNORMAL, nextafter(0, 1));
    printf("minus zero %g %d, remainder %g, fmod %g\n", -zero, !!signbit(-zero), remainder(5, 3), fmod(-5, 3));
    double a = 1 + DBL_EPSILON;
    printf("fma %a, hypot %g, cbrt %g\n", fma(a, a, -1), hypot(3, 4), cbrt(-27));
    volatile long double l = 1.0L;
    printf("long double %d bits, float sum %.9g, 0.1+0.2 %.17g\n", LDBL_MANT_DIG, (double)(0.1f * (float)one + 0.2f),
        0.1 * one + 0.2 * one);
    return l + LDBL_EPSILON == 1.0L;
}
