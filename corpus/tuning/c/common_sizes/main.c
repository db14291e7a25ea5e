// flags: -fcommon
#include <stdio.h>
int shared;
double other;
void set(void);
int main(void) { set(); printf("%d\n", shared); return 0; }
