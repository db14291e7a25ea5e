#include <stdio.h>
#include <stdlib.h>

/* Too small for a million. */
int main(void) {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    int *numbers = malloc(1000 * sizeof *numbers);
    for (long i = 0; i < n * 1000L; i++) numbers[i] = 1;
    printf("%d\n", numbers[0]);
    return 0;
}
