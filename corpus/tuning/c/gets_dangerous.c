#include <stdio.h>
char *gets(char *);
int main(void) { char line[64]; if (gets(line)) puts(line); return 0; }
