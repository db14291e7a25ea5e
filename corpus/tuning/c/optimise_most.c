// flags: -O3
#include <stdio.h>
int main(void) { double s = 0; for (int i = 1; i < 1000; i++) s += 1.0 / i; printf("%.12f\n", s); return 0; }
