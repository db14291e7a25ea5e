// @benign fork_buffers.c
// @what stdout is a pipe, so stdio buffers it fully: fork doubles what was not flushed, _exit drops it, and stderr is not buffered at all
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=written at once\ntwice child\ntwice parent
// @expect stderr=unbuffered
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    fprintf(stderr, "unbuffered");  /* there although the next child ends without flushing */
    if (fork() == 0) { printf("lost"); _exit(0); }
    wait(NULL);
    printf("twice ");
    if (write(1, "written at once\n", 16) != 16) return 1;
    if (fork() == 0) { puts("child"); return 0; }
    wait(NULL);
    puts("parent");
    return 0;
}
