#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int exported = 1;
int main(void) { printf("%d %d %d\n", dlsym(RTLD_DEFAULT, "puts") != NULL, dlsym(RTLD_DEFAULT, "exported") != NULL, dlsym(RTLD_DEFAULT, "cos") != NULL); return 0; }
