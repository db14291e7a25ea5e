// @benign exec_wait.c
// @what fork, execve with a chosen environment, waitpid with WNOHANG, children that exit, die by signal, stop and continue; a missing program is ENOENT
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=plum sh\nown child 1, exit 9\nsignal 15\nstopped 1, still there 1, exit 4\nmissing 1, no more children 1
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t shell(const char *script)
{
    fflush(stdout);
    pid_t p = fork();
    if (p) return p;
    execve("/bin/sh", (char *[]){"sh", "-c", (char *)script, NULL}, (char *[]){"FRUIT=plum", "PATH=/usr/bin:/bin",
        NULL});
    _exit(120);
}

int main(void)
{
    int s;
    pid_t p = shell("echo $FRUIT $0; exit 9");
    printf("own child %d, ", waitpid(p, &s, 0) == p);
    printf("exit %d\n", WEXITSTATUS(s));
    waitpid(p = shell("kill -TERM $$"), &s, 0);
    printf("signal %d\n", WIFSIGNALED(s) ? WTERMSIG(s) : 0);
    p = shell("kill -STOP $$; exit 4");
    waitpid(p, &s, WUNTRACED);
    printf("stopped %d, still there %d, ", WIFSTOPPED(s), waitpid(p, &s, WNOHANG) == 0);
    kill(p, SIGCONT);
    waitpid(p, &s, 0);
    printf("exit %d\n", WEXITSTATUS(s));
    execl("/no/such/program", "program", (char *)NULL);
    printf("missing %d, ", errno == ENOENT);
    printf("no more children %d\n", wait(NULL) == -1 && errno == ECHILD);
    return 0;
}
