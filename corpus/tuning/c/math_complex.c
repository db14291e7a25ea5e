#include <complex.h>
#include <stdio.h>
int main(int argc, char **argv) { (void)argv; double complex z = cexp(I * argc); printf("%.6f %.6f %.6Lf\n", creal(z), cimag(z), (long double)argc / 3); return 0; }
