#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
static int show(struct dl_phdr_info *i, size_t n, void *d) { (void)n; (void)d; if (i->dlpi_name[0]) return 0; int relro = 0, stack = -1, both = 0; for (int k = 0; k < i->dlpi_phnum; k++) { const ElfW(Phdr) *p = &i->dlpi_phdr[k]; relro |= p->p_type == PT_GNU_RELRO; if (p->p_type == PT_GNU_STACK) stack = (int)p->p_flags; both |= p->p_type == PT_LOAD && (p->p_flags & 3) == 3; } printf("relro %d stack %d writable code %d\n", relro, stack, both); return 1; }
int main(void) { return dl_iterate_phdr(show, NULL) - 1; }
