#include <math.h>
#include <stdio.h>

int main(void) {
    int n;
    static double x[100000];
    double sum = 0, squares = 0;
    if (scanf("%d", &n) != 1) return 1;
    for (int i = 0; i < n; i++) {
        if (scanf("%lf", &x[i]) != 1) return 1;
        sum += x[i];
    }
    for (int i = 0; i < n; i++) squares += (x[i] - sum / n) * (x[i] - sum / n);
    printf("%.3f %.3f\n", sum / n, sqrt(squares / n));
    return 0;
}
