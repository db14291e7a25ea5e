// @benign who_am_i.c
// @what the sandbox's one user: getpwuid gives sandbox with home /home/sandbox, which is writable, as $HOME says; host name sandbox; no way to root. True only inside the sandbox, elsewhere the names differ
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=sandbox /home/sandbox /bin/sh\ngroup sandbox, by name 1, HOME 1, USER 1\nhome writable 1, host sandbox\nids equal 1, root 0, setuid refused\nsandbox\nwork directory /box
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is(const char *name, const char *value) { return getenv(name) && strcmp(getenv(name), value) == 0; }

int main(void)
{
    struct passwd *p = getpwuid(getuid());
    char host[64] = "", cwd[256] = "", path[300];
    if (!p) { puts("no passwd entry"); return 1; }
    printf("%s %s %s\n", p->pw_name, p->pw_dir, p->pw_shell);
    struct group *g = getgrgid(getgid());
    printf("group %s, by name %d, HOME %d, USER %d\n", g ? g->gr_name : "none", getpwnam("sandbox") != NULL,
        is("HOME", p->pw_dir), is("USER", "sandbox"));
    snprintf(path, sizeof path, "%s/.probe", getpwuid(getuid())->pw_dir);
    FILE *f = fopen(path, "w");
    gethostname(host, sizeof host);
    printf("home writable %d, host %s\n", f != NULL, host);
    printf("ids equal %d, root %d, setuid %s\n", getuid() == geteuid() && getgid() == getegid(), getuid() == 0,
        setuid(0) ? "refused" : "granted");
    fflush(stdout);
    if (system("id -un")) return 2;
    printf("work directory %s\n", getcwd(cwd, sizeof cwd));
    return 0;
}
