// @benign nested_function.c
// @what a GNU nested function that captures locals, given to qsort: its trampoline lies on an executable stack, which a filter on PROT_EXEC breaks
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=fig date kiwi pear apple banana\napple banana date fig kiwi pear\nfound at 4, compared often\ntree of 6
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    const char *words[] = {"pear", "fig", "banana", "kiwi", "apple", "date"};
    enum { N = sizeof words / sizeof *words };
    int comparisons = 0, by_length = 1;
    int compare(const void *a, const void *b) {
        const char *x = *(const char *const *)a, *y = *(const char *const *)b;
        comparisons++;
        int d = by_length ? (int)strlen(x) - (int)strlen(y) : 0;
        return d ? d : strcmp(x, y);
    }
    for (; by_length >= 0; by_length--) {
        qsort(words, N, sizeof *words, compare);
        for (int i = 0; i < N; i++) printf("%s%s", words[i], i + 1 < N ? " " : "\n");
    }
    by_length = 0;
    const char *key = "kiwi", **hit = bsearch(&key, words, N, sizeof *words, compare);
    printf("found at %td, compared %s\n", hit - words, comparisons > 20 ? "often" : "seldom");
    void *root = NULL;
    for (int i = 0; i < N; i++) tsearch(&words[i], &root, compare);
    int seen = 0;
    void visit(const void *node, VISIT v, int level) { (void)node, (void)level; seen += v == postorder || v == leaf; }
    twalk(root, visit);
    printf("tree of %d\n", seen);
    return 0;
}
