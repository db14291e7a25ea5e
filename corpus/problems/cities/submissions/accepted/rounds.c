#include <stdio.h>
#include <stdlib.h>

/* Until nothing gets better (Bellman and Ford). */
int main(void) {
    int n, m, changed = 1;
    if (scanf("%d %d", &n, &m) != 2) return 1;
    int(*way)[3] = malloc((m + 1) * sizeof *way);
    long long *best = malloc(n * sizeof *best);
    for (int i = 0; i < m; i++)
        if (scanf("%d %d %d", &way[i][0], &way[i][1], &way[i][2]) != 3) return 1;
    for (int i = 0; i < n; i++) best[i] = i == 0 ? 0 : -1;
    while (changed) {
        changed = 0;
        for (int i = 0; i < m; i++) {
            const long long from = best[way[i][0]], cost = from + way[i][2];
            if (from >= 0 && (best[way[i][1]] < 0 || cost < best[way[i][1]])) {
                best[way[i][1]] = cost;
                changed = 1;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        if (best[i] < 0) puts("-");
        else printf("%lld\n", best[i]);
    }
    return 0;
}
