#include <stdio.h>
#include <string.h>
int main(void) { char name[L_tmpnam]; printf("%d\n", tmpnam(name) != NULL && strlen(name) > 0); return 0; }
