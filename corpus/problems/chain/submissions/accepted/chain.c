#include <stdio.h>
#include <stdlib.h>

static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int main(void) {
    int n, x[2000], best[2000], most = 0;
    if (scanf("%d", &n) != 1) return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &x[i]) != 1) return 1;
    qsort(x, n, sizeof *x, order);
    for (int i = 0; i < n; i++) {
        best[i] = 1;
        for (int j = 0; j < i; j++)
            if (x[i] % x[j] == 0 && best[j] + 1 > best[i]) best[i] = best[j] + 1;
        if (best[i] > most) most = best[i];
    }
    printf("%d\n", most);
    return 0;
}
