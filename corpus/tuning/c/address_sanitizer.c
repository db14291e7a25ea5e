// flags: -fsanitize=address
#include <stdlib.h>
int main(int argc, char **argv) { (void)argv; char *p = malloc(8); free(p); if (argc > 1) p[0] = 1; p = malloc(1); free(p); return 0; }
