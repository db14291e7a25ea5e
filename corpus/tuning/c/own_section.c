#include <stdio.h>
static int one __attribute__((section("entries"), used)) = 1;
static int two __attribute__((section("entries"), used)) = 2;
extern int __start_entries[], __stop_entries[];
int main(void) { int sum = 0; for (int *p = __start_entries; p < __stop_entries; p++) sum += *p; printf("%d\n", sum); return 0; }
