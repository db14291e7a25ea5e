#include <stdio.h>
extern char etext, edata, end;
int main(void) { static int bss; printf("%d %d\n", &edata <= &end, (char *)&bss < &end); return 0; }
