// @benign segv_recover.c
// @what SIGSEGV and SIGBUS handlers get address and code and jump out with siglongjmp; SIGFPE too; the program goes on
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=SIGSEGV at page + 4096, no access\nSIGBUS beyond the end of a file\nSIGFPE, integer division by zero
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;
static void *volatile where;
static volatile int code;
static void handler(int s, siginfo_t *i, void *ctx)
{
    (void)ctx;
    where = i->si_addr;
    code = i->si_code;
    siglongjmp(back, s);
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL), sigaction(SIGBUS, &sa, NULL), sigaction(SIGFPE, &sa, NULL);
    volatile char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int s = sigsetjmp(back, 1);
    if (!s) page[4096] = 1;
    printf("%s at page + %td, %s\n", s == SIGSEGV ? "SIGSEGV" : "?", (char *)where - (char *)page,
        code == SEGV_ACCERR ? "no access" : "other");
    int fd = open("empty", O_RDWR | O_CREAT, 0600);
    volatile char *file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    s = sigsetjmp(back, 1);
    if (!s) code = file[0];
    printf("%s beyond the end of a file\n", s == SIGBUS ? "SIGBUS" : "?");
    volatile int zero = 0, one = 1;
    s = sigsetjmp(back, 1);
    if (!s) one = one / zero;
    printf("%s, %s\n", s == SIGFPE ? "SIGFPE" : "?", code == FPE_INTDIV ? "integer division by zero" : "other");
    return 0;
}
