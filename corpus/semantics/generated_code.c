// @benign generated_code.c
// @what code made at run time, as a JIT does: written, then mprotect to executable, called, changed, called again; memory mapped executable at once works too
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=42 43 42
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#if defined __x86_64__
static const unsigned char code[] = {0x8d, 0x47, 0x01, 0xc3};  /* lea eax, [rdi + 1]; ret */
enum { CONSTANT = 2 };
#elif defined __aarch64__
static const unsigned char code[] = {0x00, 0x04, 0x00, 0x11, 0xc0, 0x03, 0x5f, 0xd6};  /* add w0, w0, #1; ret */
enum { CONSTANT = 1 };
#endif

static int call(unsigned char *p, int x)
{
    __builtin___clear_cache((char *)p, (char *)p + sizeof code);
    int (*f)(int);
    memcpy(&f, &p, sizeof f);
    return f(x);
}

int main(void)
{
    unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(p, code, sizeof code);
    if (mprotect(p, 4096, PROT_READ | PROT_EXEC)) { perror("mprotect"); return 1; }
    int before = call(p, 41);
    mprotect(p, 4096, PROT_READ | PROT_WRITE);
    p[CONSTANT] += CONSTANT == 2 ? 1 : 4;  /* adds 2 from now on */
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    int after = call(p, 41);
    unsigned char *q = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (q == MAP_FAILED) { perror("mmap"); return 2; }
    memcpy(q, code, sizeof code);
    printf("%d %d %d\n", before, after, call(q, 41));
    return 0;
}
