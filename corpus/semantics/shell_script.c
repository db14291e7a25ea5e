// @benign shell_script.c
// @what a script written to the work directory, made executable and run by name (shebang), and system() with pipeline, here-document and redirection
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=hello world from hello.sh\nscript 6\na=1\nb=2\npipeline 0\n42\nhere-document 0\nredirection 2\nnot found 127, shell there 1
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int sh(const char *command)
{
    fflush(stdout);
    return WEXITSTATUS(system(command));
}

int main(void)
{
    FILE *f = fopen("hello.sh", "w");
    if (!f) return 1;
    fputs("#!/bin/sh\necho \"hello $1 from $(basename \"$0\")\"\nexit 6\n", f);
    fclose(f);
    chmod("hello.sh", 0755);
    printf("script %d\n", sh("./hello.sh world"));
    printf("pipeline %d\n", sh("printf 'b\\na\\nb\\n' | sort | uniq -c | awk '{print $2 \"=\" $1}'"));
    printf("here-document %d\n", sh("cat > copy <<END\n$((6 * 7))\nEND\ncat copy; test -s copy"));
    printf("redirection %d\n", sh("ls /no/such/folder > list 2>&1 || exit 2"));
    printf("not found %d, shell there %d\n", sh("no-such-command 2> /dev/null"), system(NULL) != 0);
    return 0;
}
