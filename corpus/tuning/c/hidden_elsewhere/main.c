#include <stdio.h>
int secret(void);
int main(void) { printf("%d\n", secret()); return 0; }
