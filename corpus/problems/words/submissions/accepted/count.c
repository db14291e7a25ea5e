#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char words[5000][32];

static int order(const void *a, const void *b) { return strcmp(a, b); }

int main(void) {
    int n = 0;
    while (n < 5000 && scanf("%31s", words[n]) == 1) n++;
    qsort(words, n, sizeof *words, order);
    for (int i = 0, j; i < n; i = j) {
        for (j = i; j < n && strcmp(words[i], words[j]) == 0; j++) {}
        printf("%s %d\n", words[i], j - i);
    }
    return 0;
}
