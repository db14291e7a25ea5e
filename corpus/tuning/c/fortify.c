// flags: -D_FORTIFY_SOURCE=2
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) { char b[8]; strcpy(b, argc > 5 ? argv[1] : "short"); puts(b); return 0; }
